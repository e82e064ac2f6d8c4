"""The dialects of SQL in which a condition can be asked of a warehouse."""

from fairsplit.assignment_exports.dialects.dialect import Dialect
from fairsplit.assignment_exports.dialects.duckdb import DUCKDB
from fairsplit.assignment_exports.dialects.spark import SPARK

__all__ = ["DUCKDB", "SPARK", "Dialect"]
