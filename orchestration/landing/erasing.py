"""Erasure: a person's rows leave the lake and the quarantine, and stay out whatever is ingested or rebuilt.

Only hashes of the ids are kept, in the journal ``landing.erasures``, so that a later file or a rebuild leaves the same
rows out. In the accounts an erased row counts as quarantined with the reason ``erased``, without content.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from fairsplit.assignment_exports.durable import checksum, sync
from fairsplit.orchestration.landing.credit import Credit
from fairsplit.orchestration.landing.erasure_journal import note_erasure
from fairsplit.orchestration.landing.lake import carried_out, intend, lake_scan, open_landing, replace_views
from fairsplit.orchestration.landing.lake_files import write_file
from fairsplit.orchestration.landing.sql import EVENT_COLUMNS, array

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    import polars as pl

# Whose row it is: the user's, else the anonymous visitor's, else the session's.
_OWNER = """case
    when user_id is not null then 'user:' || user_id
    when anonymous_id is not null then 'anonymous:' || anonymous_id
    when session_id is not null then 'session:' || session_id end"""
_KINDS = ("user", "anonymous", "session")
_IS_OF = f"coalesce(sha256({_OWNER}) in (select id_hash from {{hashes}}), false)"

# A refused row is text of any layout. Decoded values count that may be ids, not keys and not what the contract's other
# columns say: of JSON its values, of torn JSON those of the id keys, of a delimited record that fits its header its
# cells, unquoted. Of other text every cell counts, for nobody can say what it is.
_OTHER_COLUMNS = array(
    name for name in EVENT_COLUMNS if name not in {"user_id", "anonymous_id", "session_id"}
)
_IDS_IN_LINE = (
    r"""case
    when json_valid(raw_line) then list_transform(
            list_filter(json_keys(raw_line), lambda name: not list_contains("""
    + _OTHER_COLUMNS
    + r""", name)),
            lambda name: json_extract_string(raw_line, '/' || replace(replace(name, '~', '~0'), '/', '~1')))
        || coalesce(json_extract_string(raw_line, '$.properties.*'), [])
    when starts_with(ltrim(raw_line), '{{') then list_transform(
        regexp_extract_all(
            raw_line, '"(?:user|anonymous|session)_id"\s*:\s*("(?:[^"\\]|\\.)*"|[^\s",}}\]]+)', 1),
        lambda part: if(json_valid(part), json_extract_string(part, '$'), trim(part, '"')))
    else list_transform(
        case when len(columns) = len(regexp_extract_all(raw_line || delimiter, record, 1)) then list_transform(
                list_filter(
                    list_zip(columns, regexp_extract_all(raw_line || delimiter, record, 1)),
                    lambda pair: not list_contains("""
    + _OTHER_COLUMNS
    + r""", pair[1])),
                lambda pair: pair[2])
            else regexp_extract_all(raw_line, '("(?:[^"]|"")*"|[^,;|\t"]+)', 1) end,
        lambda cell: if(starts_with(cell, '"'), replace(cell[2:-2], '""', '"'), trim(cell)))
    end"""
)
#: The refused rows, with what tells the cells of a delimited record.
_REFUSED = r"""(
    select q.rowid as row_id, q.raw_line, h.columns, h.delimiter,
        '("(?:[^"]|"")*"|[^"' || regexp_escape(h.delimiter) || ']*)' || regexp_escape(h.delimiter) as record
    from landing.quarantine as q left join landing.headers as h using (file_hash)
    where q.raw_line is not null)"""
_NAMES = f"""list_has_any(
    list_transform({_IDS_IN_LINE}, lambda word: sha256(word)), (select list(token_hash) from {{hashes}}))"""

_IS_ERASED = _IS_OF.format(hashes="landing.erasures")
_NAMES_ERASED = _NAMES.format(hashes="landing.erasures")


@dataclass(frozen=True, slots=True)
class Person:
    """What lake and quarantine hold of one person.

    Attributes:
        ids: The id asked for and the anonymous ids linked to it, as a list of units may name them.
        lake: Rows of the lake by kind (`user`, `anonymous` or `session`) and id whose rows they are, in that order;
            a linked id without any stands with 0.
        refused: Rows of the quarantine that name one of the ids and have their content still.
    """

    ids: tuple[str, ...]
    lake: Mapping[tuple[str, str], int]
    refused: int

    @property
    def rows(self) -> int:
        """Rows in lake and quarantine."""
        return sum(self.lake.values()) + self.refused


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
        cursor.execute(
            f"""update landing.quarantine set detail = null, raw_line = null
                where rowid in (select row_id from {_REFUSED} where {_NAMES_ERASED})"""
        )


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


def find(connection: duckdb.DuckDBPyConnection, home: Path, unit: str) -> Person:
    """What there is to erase of a person; nothing but temporary tables of the connection change.

    The person is the user id or other unit id given, the anonymous visitors linked to it, and rows that only name one
    of its sessions.

    Args:
        connection: On the warehouse, may be read-only; at least one day is built.
        home: The home folder.
        unit: The id.
    """
    linked = connection.execute(
        "select distinct anonymous_id from int_identity_links where user_id = ? order by all", [unit]
    ).fetchall()
    anonymous = [unit, *(one for (one,) in linked)]
    ids = {("user", unit), ("session", unit), *(("anonymous", one) for one in anonymous)}
    paths = [f"{home.resolve()}/{path}" for path in _listed(connection)]
    if paths:
        sessions = connection.execute(
            f"""select distinct session_id from {lake_scan(paths)}
                where session_id is not null and (user_id = $unit
                    or user_id is null and list_contains($anonymous, anonymous_id))""",
            {"unit": unit, "anonymous": anonymous},
        ).fetchall()
        ids |= {("session", one) for (one,) in sessions}
    hashes = [(sha(f"{kind}:{one}"), sha(one)) for kind, one in sorted(ids)]
    counts, refused = _count(connection, hashes, paths)
    lake = {
        (kind, one): counts.get(f"{kind}:{one}", 0)
        for kind, one in sorted(ids, key=lambda id_: (_KINDS.index(id_[0]), id_[1]))
        if f"{kind}:{one}" in counts or (kind == "anonymous" and one != unit)
    }
    return Person(tuple(anonymous), lake, refused)


def find_hashed(
    connection: duckdb.DuckDBPyConnection, home: Path, hashes: Sequence[tuple[str, str]]
) -> Person:
    """The same of persons of whom only the journal's hashes are known; without ids.

    Args:
        connection: On the warehouse.
        home: The home folder.
        hashes: SHA-256 of kind and id, and of the bare id.
    """
    counts, refused = _count(connection, hashes, [f"{home.resolve()}/{path}" for path in _listed(connection)])
    lake = {(owner.split(":")[0], owner.partition(":")[2]): rows for owner, rows in sorted(counts.items())}
    return Person((), lake, refused)


def _count(
    connection: duckdb.DuckDBPyConnection, hashes: Sequence[tuple[str, str]], paths: list[str]
) -> tuple[dict[str, int], int]:
    """Fill ``temp.person`` and ``temp.removed``; rows of the lake by whose they are, and refused rows with content."""
    connection.execute("create or replace temp table person (id_hash varchar, token_hash varchar)")
    connection.executemany("insert into person values (?, ?)", [list(pair) for pair in hashes])
    connection.execute(
        """create or replace temp table removed (
               event_day date, event_id varchar, file_hash varchar, row_md5 varchar, user_id varchar,
               anonymous_id varchar, session_id varchar, experiment_id varchar, was_visible boolean)"""
    )
    if paths:
        connection.execute(
            f"""insert into removed
                select event_day, event_id, file_hash, row_md5, user_id, anonymous_id, session_id, experiment_id,
                    (event_day, event_id, file_hash) not in (
                        select (event_day, event_id, file_hash) from landing.excluded)
                from {lake_scan(paths)} where {_IS_OF.format(hashes="person")}"""
        )
    counts: dict[str, int] = dict(
        connection.execute(f"select {_OWNER} as owner, count(*) from removed group by owner").fetchall()
    )
    refused: int = connection.execute(
        f"select count(*) from {_REFUSED} where {_NAMES.format(hashes='person')}"
    ).fetchall()[0][0]
    return counts, refused


def erase(
    home: Path,
    connection: duckdb.DuckDBPyConnection,
    unit: str,
    now: datetime,
    *,
    is_known: bool = False,
    hashes: Sequence[tuple[str, str]] = (),
) -> Person:
    """Remove a person (see `find`) from lake and quarantine in one transaction; what follows goes into the outbox.

    Args:
        home: The home folder.
        connection: A writer; at least one day is built.
        unit: The id.
        now: The clock, naive UTC, for the log only.
        is_known: The person is known from elsewhere, so that later files are to leave them out at any rate.
        hashes: In place of the id: rows of the journal, of persons whom another state of the home has erased.

    Returns:
        What was removed from the lake and blanked in quarantine; when that is no row, only a known person is logged.

    Raises:
        duckdb.Error: The warehouse cannot be written; nothing was erased.
    """
    open_landing(connection, home)
    old: list[Path] = []
    with connection.cursor() as cursor:
        cursor.execute("begin")
        try:
            found = find_hashed(cursor, home, hashes) if hashes else find(cursor, home, unit)
            if not found.rows and not is_known:
                cursor.execute("rollback")
                return found
            number = _log(cursor, home, now)
            if found.rows:
                removed, old = _strip_lake(cursor, home, number)
                credit = Credit(cursor, home, [])
                credit.prepare_removal()
                for file_hash, rows in removed.items():
                    cursor.execute(
                        "update landing.manifest set rows_quarantined = rows_quarantined + ?"
                        " where file_hash = ? and status = 'taken'",
                        [rows, file_hash],
                    )
                note_removed(cursor, removed)
                newest = cursor.execute("select coalesce(max(position), 0) from landing.manifest").fetchall()
                credit.commit(newest[0][0])
                replace_views(cursor)
            cursor.execute("commit")
        except BaseException:
            cursor.execute("rollback")
            raise
    for path in old:
        path.unlink()
    carried_out(home)
    return found


def _log(cursor: duckdb.DuckDBPyConnection, home: Path, now: datetime) -> int:
    """Put the hashes of ``temp.person`` into the journal; the erasure's number."""
    number: int = cursor.execute("select coalesce(max(erasure), 0) + 1 from landing.erasures").fetchall()[0][
        0
    ]
    rows = cursor.execute(
        """select id_hash, token_hash from person
           anti join landing.erasures using (id_hash, token_hash) order by all"""
    ).fetchall()
    for row in rows:
        cursor.execute("insert into landing.erasures values (?, ?, ?, ?)", [number, now, *row])
    if rows:
        note_erasure(home, [(number, now.isoformat(), *row) for row in rows])
    return number


def _strip_lake(
    cursor: duckdb.DuckDBPyConnection, home: Path, number: int
) -> tuple[dict[str, int], list[Path]]:
    """Write each lake file that ``temp.removed`` touches anew under another name; rows by file hash, and old files."""
    removed: dict[str, int] = {}
    old = []
    root = home.resolve()
    touched = cursor.execute(
        """select path, file_hash from landing.lake_files
           where (event_day, file_hash) in (select (event_day, file_hash) from removed) order by path"""
    ).fetchall()
    for path, file_hash in touched:
        part = root / path
        kept = part.with_name(f"{part.stem}-e{number}.parquet")
        intend(home, (path, kept.relative_to(root).as_posix()))
        rows = _rewrite(cursor, part, kept)
        if not rows:
            continue
        removed[file_hash] = removed.get(file_hash, 0) + rows
        if kept.exists():
            sync(kept)
            cursor.execute(
                """update landing.lake_files set path = ?, rows = rows - ?, bytes = ?, sha256 = ? where path = ?""",
                [kept.relative_to(root).as_posix(), rows, kept.stat().st_size, checksum(kept), path],
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
        write_file(cursor, f"from {scan} where not ({_IS_ERASED})", target)
    return int(gone)


def rows_in_file(connection: duckdb.DuckDBPyConnection, path: Path, *, erased: bool) -> int | None:
    """How many rows of a Parquet file of events are a person's; none if it is no such file.

    Args:
        connection: On the warehouse.
        path: The file.
        erased: Of whoever was erased; else of whom `find` has just searched on this connection.
    """
    scan = f"read_parquet({array([str(path)])}, hive_partitioning = false)"
    is_theirs = _IS_ERASED if erased else _IS_OF.format(hashes="person")
    try:
        return int(connection.execute(f"select count(*) from {scan} where {is_theirs}").fetchall()[0][0])
    except duckdb.Error:
        return None


def strip_file(connection: duckdb.DuckDBPyConnection, path: Path) -> bool:
    """Take erased persons' rows out of a Parquet file of events; whether it is one."""
    kept = path.with_suffix(".kept")
    try:
        rows = _rewrite(connection, path, kept)
    except duckdb.Error:
        return False
    if rows:
        path.unlink()
        if kept.exists():
            kept.replace(path)
    return True


def _listed(cursor: duckdb.DuckDBPyConnection) -> list[str]:
    return [
        path for (path,) in cursor.execute("select path from landing.lake_files order by path").fetchall()
    ]


def sha(text: str) -> str:
    """The hash by which an id is remembered."""
    return hashlib.sha256(text.encode()).hexdigest()
