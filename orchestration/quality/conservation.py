"""Nothing vanishes: every row read is accepted, a duplicate, or in quarantine, and the lake holds what it should."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from fairsplit.analysis.errors import Problem

if TYPE_CHECKING:
    import duckdb


def conservation_problems(connection: duckdb.DuckDBPyConnection) -> list[Problem]:
    """Files and days whose counts do not add up; empty when every row is accounted for.

    Three independent counts are compared: what the parser counted (`landing.manifest`), what credit decided
    (`landing.file_accounts`), and the rows that stand in quarantine and in the lake's Parquet files.

    Args:
        connection: A reader or writer on the warehouse, with the landing schema.
    """
    return [*_file_problems(connection), *_quarantine_problems(connection), *_lake_problems(connection)]


def _file_problems(connection: duckdb.DuckDBPyConnection) -> list[Problem]:
    rows = connection.execute(
        """select path, rows_read, accepted, duplicates, quarantined from landing.file_accounts
           where rows_read <> accepted + duplicates + quarantined or accepted < 0 or duplicates < 0
           order by path"""
    ).fetchall()
    return [
        Problem(
            "rows of a landed file are not accounted for",
            where=path,
            value=f"read {read}, accepted {accepted}, duplicates {duplicates}, quarantined {quarantined}",
            rule="read = accepted + duplicates + quarantined",
            hint="the lake or the landing schema was changed by hand; rebuild from the landing folder",
        )
        for path, read, accepted, duplicates, quarantined in rows
    ]


def _quarantine_problems(connection: duckdb.DuckDBPyConnection) -> list[Problem]:
    rows = connection.execute(
        """select m.path, m.rows_quarantined, count(q.reason)
           from landing.manifest m left join landing.quarantine q using (file_hash)
           where m.status = 'taken' group by all having m.rows_quarantined <> count(q.reason) order by all"""
    ).fetchall()
    return [
        Problem(
            "quarantine does not hold what was refused",
            where=path,
            value=f"refused {refused}, kept {kept}",
            rule="each refused row is kept with its raw line",
        )
        for path, refused, kept in rows
    ]


def _lake_problems(connection: duckdb.DuckDBPyConnection) -> list[Problem]:
    """Rows that each lake file holds against those credited; reads the files' footers only."""
    listed = connection.execute(
        """select h.root || '/' || f.path, f.path, f.rows
           from landing.lake_files f cross join landing.home h order by f.path"""
    ).fetchall()
    problems = []
    for full, path, rows in listed:
        held = _rows_held(Path(full))
        if held != f"holds {rows}":
            problems.append(
                Problem(
                    "a file of the lake does not hold the rows credited to it",
                    where=path,
                    value=f"credited {rows}, {held}",
                    rule="lake rows = accepted rows and excluded copies",
                    hint="`fairsplit fsck --repair` takes it again from the landed file",
                )
            )
    return problems


def _rows_held(path: Path) -> str:
    """How many rows a Parquet file says that it holds, or why it says nothing."""
    if not path.is_file():
        return "missing"
    try:
        return f"holds {pq.read_metadata(path).num_rows}"
    except (OSError, pa.ArrowException):
        return "cannot be read"
