"""A table or view of a DuckDB file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from fairsplit.analysis.catalogue.findings import did_you_mean, shown
from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.errors import OrchestrationError

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl


def read_table(path: Path, table: str | None) -> pl.DataFrame:
    """All rows of a table; the only one where none is named.

    Raises:
        OrchestrationError: No such table, or none named where there are several.
        duckdb.Error: The file is no DuckDB file.
    """
    with duckdb.connect(str(path), read_only=True) as connection:
        rows = connection.execute(
            "select table_schema, table_name from information_schema.tables order by all"
        ).fetchall()
        names = {name if schema == "main" else f"{schema}.{name}": (schema, name) for schema, name in rows}
        if table is None and len(names) == 1:
            table = next(iter(names))
        if table is None or table not in names:
            listed = (
                "the tables are " + ", ".join(shown(name) for name in names)
                if names
                else "the file has no table"
            )
            near = did_you_mean(table, names) if table else ""
            what = "no such table" if table else "which table?"
            raise OrchestrationError(Problem(what, "--table", shown(table or ""), hint=near or listed))
        quoted = ".".join('"' + part.replace('"', '""') + '"' for part in names[table])
        frame: pl.DataFrame = connection.sql(f"from {quoted}").pl()
        return frame
