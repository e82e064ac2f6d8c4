"""What landing needs a person for: sources that give nothing, files that cannot be read, rows refused in bulk."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    import duckdb


class Finding(NamedTuple):
    """One sentence about one source or file.

    Attributes:
        subject: A source's name, or a file's path below the landing folder.
        message: What is wrong, and the way out.
        is_fault: A whole source gives nothing, rather than one file or a part of its rows.
    """

    subject: str
    message: str
    is_fault: bool = False

    def __str__(self) -> str:
        return f"{self.subject}: {' '.join(self.message.split())}"


# Erased rows count as quarantined in the accounts; nobody refused them.
_REFUSED = """
    with reasons as (
        select file_hash, reason, count(*) as rows, min(detail) as detail from landing.quarantine group by all
    ),
    refused as (
        select file_hash, coalesce(sum(rows) filter (reason <> 'erased'), 0)::bigint as rows,
            coalesce(sum(rows) filter (reason = 'erased'), 0)::bigint as erased,
            max_by((reason, detail), (rows, reason)) filter (reason <> 'erased') as most
        from reasons group by all
    )
    select m.path, r.rows, m.rows_read - r.erased as read, r.most[1], m.arrived_at, r.most[2]
    from landing.manifest as m inner join refused as r using (file_hash)
    where m.status = 'taken' and r.rows > $bound * (m.rows_read - r.erased)
    order by m.position desc
"""

_WAY_OUT = {
    "future": (
        "the file's time is its arrival, {arrived_at:%Y-%m-%d %H:%M} UTC: if that is wrong, correct it with"
        " `touch -d` and take the file again with `fairsplit run --again {path}`"
    ),
    "before_first_day": "`first_day` of catalog/project.yaml is later",
    "invalid_occurred_at": "a time without an offset needs the `timezone` of a source in catalog/sources/",
    "missing_event_id": "a source in catalog/sources/ says which column is the id",
    "missing_occurred_at": "a source in catalog/sources/ says which column is the time",
}


def keep(cursor: duckdb.DuckDBPyConnection, findings: Iterable[Finding]) -> None:
    """Put what this ingest found in the place of what the last one did."""
    wanted = sorted(set(findings))
    if wanted == _kept(cursor):
        return
    cursor.execute("begin")
    cursor.execute("delete from landing.findings")
    for finding in wanted:
        cursor.execute("insert into landing.findings values (?, ?, ?)", [*finding])
    cursor.execute("commit")


def landing_findings(connection: duckdb.DuckDBPyConnection, quarantine_warn: float) -> list[Finding]:
    """All that is wrong now, whole sources first.

    Args:
        connection: On the warehouse, with the landing schema.
        quarantine_warn: A file with a larger share of its rows in quarantine is among them, as is one that has no
            other rows.
    """
    kept = _kept(connection)
    faults = [finding for finding in kept if finding.is_fault]
    refused = connection.execute(_REFUSED, {"bound": min(quarantine_warn, 1 - 1e-12)}).fetchall()
    return [
        *faults,
        *(finding for finding in kept if not finding.is_fault),
        *(_refusal(*row) for row in refused),
    ]


def _kept(connection: duckdb.DuckDBPyConnection) -> list[Finding]:
    rows = connection.execute(
        "select subject, message, is_fault from landing.findings order by all"
    ).fetchall()
    return [Finding(*row) for row in rows]


def _refusal(path: str, rows: int, read: int, reason: str, arrived_at: object, detail: str | None) -> Finding:
    share = f"all {read:,}" if rows == read else f"{rows:,} of {read:,}"
    shown = f" ({' '.join(detail.split())[:80]})" if detail else ""
    way_out = _WAY_OUT.get(reason, "").format(path=path, arrived_at=arrived_at)
    words = f"{share} rows are in quarantine, most as {reason}{shown}"
    return Finding(path, f"{words}; {way_out}" if way_out else words)
