"""Parquet's decimals of more than 38 digits (BigQuery's BIGNUMERIC), which DuckDB reads as doubles that lose digits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

_WIDEST = 38


def is_wide(type_: str) -> bool:
    """Whether a column of the type stands in the staged file as text."""
    found = re.fullmatch(r"DECIMAL\((\d+),\d+\)", type_)
    return found is not None and int(found[1]) > _WIDEST


def wide_decimals(cursor: duckdb.DuckDBPyConnection, path: Path, glob: str) -> dict[str, str]:
    """Column name → ``DECIMAL(precision,scale)`` of a file's columns that DuckDB has no exact type for.

    Args:
        cursor: Reads the schema.
        path: The Parquet file.
        glob: The same as an SQL literal.

    Raises:
        OSError: Such a decimal stands inside a struct, list or map, where it would lose digits.
    """
    wide = (
        f"select 1 from parquet_schema({glob}) where logical_type like 'Decimal%' and precision > {_WIDEST}"
    )
    if not cursor.execute(wide).fetchall():
        return {}
    found = {}
    for column in pq.read_schema(path):
        if pa.types.is_decimal256(column.type):
            found[column.name] = f"DECIMAL({column.type.precision},{column.type.scale})"
        elif "decimal256" in str(column.type):
            raise OSError(
                f"column {column.name!r} holds decimals of more than {_WIDEST} digits inside; "
                f"write them as DECIMAL({_WIDEST}, …), or as columns of their own"
            )
    return found


def write_as_text(path: Path, names: list[str], target: Path) -> None:
    """The same file with some decimal columns as text, a few rows at a time."""
    with pq.ParquetFile(path) as file:
        schema = pa.schema(
            [pa.field(one.name, pa.string()) if one.name in names else one for one in file.schema_arrow]
        )
        with pq.ParquetWriter(target, schema) as writer:
            for batch in file.iter_batches():
                writer.write_batch(batch.cast(schema))
