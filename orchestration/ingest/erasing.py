"""Erasure: a person's rows leave the lake and the quarantine, and stay out whatever is ingested or rebuilt.

Only hashes of the ids are kept, in the journal ``landing.erasures``, so that a later file or a rebuild leaves the same
rows out. In the accounts an erased row counts as quarantined with the reason ``erased``, without content.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from orchestration.ingest.credit import Credit
from orchestration.ingest.lake import lake_scan, open_landing, replace_views
from orchestration.ingest.sql import array, literal

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    import duckdb
    import polars as pl

# Whose row it is: the user's, else the anonymous visitor's, else the session's.
_IS_ERASED = """case
    when user_id is not null then sha256('user:' || user_id) in (select id_hash from landing.erasures)
    when anonymous_id is not null then sha256('anonymous:' || anonymous_id) in (select id_hash from landing.erasures)
    when session_id is not null then sha256('session:' || session_id) in (select id_hash from landing.erasures)
    else false end"""

# A refused row is text of any layout: its words, its quoted strings and its cells are compared.
_NAMES_ERASED = r"""list_has_any(
    list_transform(
        regexp_extract_all(raw_line, '[^\s",;:{}\[\]]+') || regexp_extract_all(raw_line, '"([^"]*)"', 1)
        || string_split(raw_line, ','),
        lambda word: sha256(word)),
    (select list(token_hash) from landing.erasures))"""


def is_needed(cursor: duckdb.DuckDBPyConnection) -> bool:
    """Whether anybody was ever erased."""
    return bool(cursor.execute("select 1 from landing.erasures limit 1").fetchall())


def strip_staged(cursor: duckdb.DuckDBPyConnection, out: Path) -> dict[str, int]:
    """Remove erased persons' rows from staged files, which hold one row a key already.

    Args:
        cursor: Writer on the warehouse.
        out: The folder of staged files by day and content hash.

    Returns:
        Content hash → rows removed.
    """
    removed: dict[str, int] = {}
    if not is_needed(cursor):
        return removed
    for part in sorted(out.glob("event_day=[0-9]*/file_hash=*/*.parquet")):
        rows = _rewrite(cursor, part, part.with_suffix(".kept"))
        if rows:
            file_hash = part.parent.name.removeprefix("file_hash=")
            removed[file_hash] = removed.get(file_hash, 0) + rows
            part.unlink()
            if part.with_suffix(".kept").exists():
                part.with_suffix(".kept").replace(part)
    return removed


def note_removed(cursor: duckdb.DuckDBPyConnection, removed: dict[str, int]) -> None:
    """Account for removed rows in quarantine, and blank what refused rows tell of erased persons."""
    for file_hash, rows in sorted(removed.items()):
        cursor.execute(
            "insert into landing.quarantine select ?, 0, 'erased', null, null from range(?)",
            [file_hash, rows],
        )
    if is_needed(cursor):
        cursor.execute(f"update landing.quarantine set detail = null, raw_line = null where {_NAMES_ERASED}")


def erased_of(connection: duckdb.DuckDBPyConnection, kind: str, ids: pl.Series) -> list[str]:
    """Which ids belong to erased persons.

    Args:
        connection: On the warehouse.
        kind: `user`, `anonymous` or `session`.
        ids: Text.
    """
    with connection.cursor() as cursor:
        cursor.register("asked", ids.to_frame("id"))
        found = cursor.execute(
            "select id from asked where sha256(? || ':' || id) in (select id_hash from landing.erasures)",
            [kind],
        ).fetchall()
    return [one for (one,) in found]


def erase(
    home: Path, connection: duckdb.DuckDBPyConnection, unit: str, now: datetime, *, is_known: bool = False
) -> int:
    """Remove a person from lake and quarantine in one transaction, and put what follows into the outbox.

    The person is the user id or other unit id given, the anonymous visitors linked to it, and rows that only name one
    of its sessions.

    Args:
        home: The home folder.
        connection: A writer; at least one day is built.
        unit: The id.
        now: The clock, naive UTC, for the log only.
        is_known: The person is known from elsewhere, so that later files are to leave them out at any rate.

    Returns:
        Rows removed from the lake and blanked in quarantine; when there are none, only a known person is logged.

    Raises:
        duckdb.Error: The warehouse cannot be written; nothing was erased.
    """
    open_landing(connection, home)
    old: list[Path] = []
    with connection.cursor() as cursor:
        cursor.execute("begin")
        try:
            number = _log(cursor, home, unit, now)
            removed, old = _strip_lake(cursor, home, number)
            refused = cursor.execute(
                f"select count(*) from landing.quarantine where raw_line is not null and {_NAMES_ERASED}"
            ).fetchall()[0][0]
            if not removed and not refused:
                cursor.execute("commit" if is_known else "rollback")
                return 0
            credit = Credit(cursor, home, [])
            credit.prepare_removal()
            for file_hash, rows in removed.items():
                cursor.execute(
                    "update landing.manifest set rows_quarantined = rows_quarantined + ?"
                    " where file_hash = ? and status = 'taken'",
                    [rows, file_hash],
                )
            note_removed(cursor, removed)
            position = cursor.execute("select coalesce(max(position), 0) from landing.manifest").fetchall()[
                0
            ][0]
            credit.commit(position)
            replace_views(cursor)
            cursor.execute("commit")
        except BaseException:
            cursor.execute("rollback")
            raise
    for path in old:
        path.unlink()
    return sum(removed.values()) + int(refused)


def _log(cursor: duckdb.DuckDBPyConnection, home: Path, unit: str, now: datetime) -> int:
    ids = {(kind, unit) for kind in ("user", "anonymous", "session")}
    linked = cursor.execute(
        "select anonymous_id from int_identity_links where user_id = ?", [unit]
    ).fetchall()
    ids |= {("anonymous", one) for (one,) in linked}
    paths = [f"{home.resolve()}/{path}" for path in _listed(cursor)]
    if paths:
        sessions = cursor.execute(
            f"""select distinct session_id from {lake_scan(paths)}
                where session_id is not null and (user_id = $unit
                    or user_id is null and list_contains($anonymous, anonymous_id))""",
            {"unit": unit, "anonymous": [one for kind, one in sorted(ids) if kind == "anonymous"]},
        ).fetchall()
        ids |= {("session", one) for (one,) in sessions}
    number: int = cursor.execute("select coalesce(max(erasure), 0) + 1 from landing.erasures").fetchall()[0][
        0
    ]
    cursor.executemany(
        "insert into landing.erasures values (?, ?, ?, ?)",
        [[number, now, _sha(f"{kind}:{one}"), _sha(one)] for kind, one in sorted(ids)],
    )
    return number


def _strip_lake(
    cursor: duckdb.DuckDBPyConnection, home: Path, number: int
) -> tuple[dict[str, int], list[Path]]:
    """Write each touched lake file anew under another name; fills ``temp.removed`` with the rows that went."""
    cursor.execute(
        """create or replace temp table removed (
               event_day date, event_id varchar, file_hash varchar, row_md5 varchar, user_id varchar,
               anonymous_id varchar, session_id varchar, experiment_id varchar, was_visible boolean)"""
    )
    removed: dict[str, int] = {}
    old = []
    root = home.resolve()
    for path in _listed(cursor):
        part = root / path
        kept = part.with_name(f"{part.stem}-e{number}.parquet")
        rows = _rewrite(cursor, part, kept)
        if not rows:
            continue
        file_hash = cursor.execute(
            "select file_hash from landing.lake_files where path = ?", [path]
        ).fetchall()[0][0]
        removed[file_hash] = removed.get(file_hash, 0) + rows
        cursor.execute(
            f"""insert into removed
                select event_day, event_id, file_hash, row_md5, user_id, anonymous_id, session_id, experiment_id,
                    (event_day, event_id, file_hash) not in (
                        select (event_day, event_id, file_hash) from landing.excluded)
                from {lake_scan([str(part)])} where {_IS_ERASED}"""
        )
        if kept.exists():
            cursor.execute(
                "update landing.lake_files set path = ?, rows = rows - ? where path = ?",
                [kept.relative_to(root).as_posix(), rows, path],
            )
        else:
            cursor.execute("delete from landing.lake_files where path = ?", [path])
        old.append(part)
    return removed, old


def _rewrite(cursor: duckdb.DuckDBPyConnection, source: Path, target: Path) -> int:
    """Write the rows of others to the target, which is not written where none is left or none went; rows that went."""
    scan = f"read_parquet({array([str(source)])}, hive_partitioning = false)"
    gone, all_rows = cursor.execute(
        f"select count(*) filter ({_IS_ERASED}), count(*) from {scan}"
    ).fetchall()[0]
    if gone and gone < all_rows:
        cursor.execute(
            f"copy (select * from {scan} where not ({_IS_ERASED})) to {literal(str(target))} (format parquet)"
        )
    return int(gone)


def _listed(cursor: duckdb.DuckDBPyConnection) -> list[str]:
    return [
        path for (path,) in cursor.execute("select path from landing.lake_files order by path").fetchall()
    ]


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
