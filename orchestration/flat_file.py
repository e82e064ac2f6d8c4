"""Reading one flat file of any usual format into a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import polars as pl

from analysis.catalogue.findings import did_you_mean, shown
from analysis.errors import Problem
from orchestration.errors import OrchestrationError

if TYPE_CHECKING:
    from pathlib import Path

_DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".txt": "\t"}
_DATABASES = {".duckdb", ".db", ".ddb"}
FORMATS = "CSV or TSV (also .gz), Parquet, JSON, NDJSON or a DuckDB file with --table"


def read_flat_file(path: Path, table: str | None = None) -> pl.DataFrame:
    """Read a file; its name's ending tells the format.

    Args:
        path: The file.
        table: Table or view of a DuckDB file, ``schema.name`` where it is not in ``main``.

    Raises:
        OrchestrationError: No such file or table, an unknown format, content that does not parse.
    """
    if not path.is_file():
        near = did_you_mean(
            path.name, [other.name for other in path.parent.glob("*")] if path.parent.is_dir() else []
        )
        raise OrchestrationError(Problem("no such file", "FILE", shown(str(path)), hint=near))
    endings = [ending.lower() for ending in path.suffixes]
    kind = endings[-1] if endings else ""
    if kind == ".gz" and len(endings) > 1 and endings[-2] in _DELIMITERS:
        kind = endings[-2]
    if table is not None and kind not in _DATABASES:
        raise OrchestrationError(Problem("only a DuckDB file has tables", "--table", shown(table)))
    try:
        if kind in _DATABASES:
            return _read_table(path, table)
        if kind in _DELIMITERS:
            return pl.read_csv(path, separator=_DELIMITERS[kind], infer_schema_length=None)
        if kind in {".parquet", ".pq"}:
            return pl.read_parquet(path)
        if kind in {".ndjson", ".jsonl"}:
            return pl.read_ndjson(path, infer_schema_length=None)
        if kind == ".json":
            return _read_json(path)
    except (pl.exceptions.PolarsError, duckdb.Error, OSError, UnicodeDecodeError) as error:
        lines = str(error).splitlines() or [""]
        raise OrchestrationError(
            Problem("the file cannot be read", shown(str(path)), shown(lines[0]))
        ) from error
    raise OrchestrationError(Problem("unknown format", "FILE", shown(path.name), FORMATS))


def _read_json(path: Path) -> pl.DataFrame:
    """An array of objects, or an object a line."""
    content = path.read_bytes()
    if content.lstrip()[:1] == b"[":
        return pl.read_json(content, infer_schema_length=None)
    return pl.read_ndjson(content, infer_schema_length=None)


def _read_table(path: Path, table: str | None) -> pl.DataFrame:
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
