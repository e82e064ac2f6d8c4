"""Staged files to lake files: one row a key, rows counted, moved durably into place."""

from __future__ import annotations

import shutil
from dataclasses import astuple, dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from fairsplit.assignment_exports.durable import checksum, sync
from fairsplit.orchestration.landing.lake import intend
from fairsplit.orchestration.landing.rows import COUNTED_ONLY, NO_EVENT, REPEATED_HOUR
from fairsplit.orchestration.landing.sql import array, literal, same_content

if TYPE_CHECKING:
    import duckdb

REJECTED_DAY = "event_day=__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True, slots=True)
class LakeFile:
    """A file in the lake: day, content hash, path relative to the home, rows, and the checksum of its bytes."""

    event_day: date
    file_hash: str
    path: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows of one landed file.

    Attributes:
        read: Events read, whatever became of them.
        quarantined: Of these, rejected.
        repeated: Of the valid ones, left out because the file holds their key more than once.
        differing: Of these, unlike the copy that was kept.
        without_event: Source rows for which no declared event applies; not among those read.
        repeated_hour: Source rows with a local time that the clock showed twice; read like any other.
    """

    read: int = 0
    quarantined: int = 0
    repeated: int = 0
    differing: int = 0
    without_event: int = 0
    repeated_hour: int = 0

    def with_erased(self, rows: int) -> Counts:
        """The same with rows of erased persons, which were read and count as rejected."""
        return replace(self, read=self.read + rows, quarantined=self.quarantined + rows)


def put_in_order(cursor: duckdb.DuckDBPyConnection, out: Path) -> None:
    """Leave each staged day of a content as one file of one row a key, the smallest `row_md5`, in the lake's order.

    Fills ``temp.repeats(event_day, event_id, file_hash, same, differing)`` with what was left out.
    """
    cursor.execute(
        """create or replace temp table repeats
           (event_day date, event_id varchar, file_hash varchar, same bigint, differing bigint)"""
    )
    for folder in sorted(out.glob("event_day=[0-9]*/file_hash=*")):
        parts = array(str(part) for part in sorted(folder.glob("*.parquet")))
        rows = f"read_parquet({parts}, hive_partitioning = false)"
        whole = folder.with_suffix(".whole")
        write_file(cursor, _without_repeats(cursor, rows), whole)
        shutil.rmtree(folder)
        folder.mkdir()
        whole.rename(folder / "data.parquet")


def _without_repeats(cursor: duckdb.DuckDBPyConnection, rows: str) -> str:
    """A SELECT of one row a key; notes the others."""
    cursor.execute(
        f"create or replace temp table twice as select event_id from {rows} group by all having count(*) > 1"
    )
    if not cursor.execute("select count(*) from twice").fetchall()[0][0]:
        return f"from {rows}"
    cursor.execute(
        f"""insert into repeats
            select any_value(event_day), event_id, any_value(file_hash),
                count(*) filter ({same_content("row_md5", "best")}) - 1,
                count(*) filter (not {same_content("row_md5", "best")})
            from (
                select *, min(row_md5) over (partition by event_id) as best
                from {rows} semi join twice using (event_id))
            group by event_id"""
    )
    return f"""
        from {rows} anti join twice using (event_id)
        union all
        from {rows} semi join twice using (event_id)
        qualify row_number() over (partition by event_id order by row_md5) = 1"""


def write_file(cursor: duckdb.DuckDBPyConnection, select: str, target: Path) -> None:
    """Write rows of distinct keys as a file of the lake.

    They stand in one order, whatever threads wrote them and in whatever company: the bytes follow from the rows.
    """
    cursor.execute(
        f"copy (from ({select}) order by occurred_at, event_id) to {literal(str(target))} (format parquet)"
    )


def count_rows(cursor: duckdb.DuckDBPyConnection, out: Path) -> dict[str, Counts]:
    """Content hash → counts of the staged rows, after `put_in_order`."""
    kept: dict[str, int] = {}
    parts = array(str(part) for part in out.glob("event_day=[0-9]*/file_hash=*/*.parquet"))
    if parts != "[]":
        for name, rows in cursor.execute(
            f"select file_name, num_rows from parquet_file_metadata({parts})"
        ).fetchall():
            file_hash = Path(name).parent.name.removeprefix("file_hash=")
            kept[file_hash] = kept.get(file_hash, 0) + rows
    rejected = rejected_rows(out)
    refused = dict[str, tuple[int, int, int]]()
    if rejected:
        grouped = cursor.execute(
            f"""select file_hash, count(*) filter (reason not in {COUNTED_ONLY}),
                    count(*) filter (reason = '{NO_EVENT}'), count(*) filter (reason = '{REPEATED_HOUR}')
                from ({rejected}) group by all"""
        )
        refused = {file_hash: (bad, idle, twice) for file_hash, bad, idle, twice in grouped.fetchall()}
    again = cursor.execute(
        "select file_hash, sum(same)::bigint, sum(differing)::bigint from repeats group by all"
    )
    repeated = {file_hash: (same, differing) for file_hash, same, differing in again.fetchall()}
    counts = {}
    for file_hash in kept.keys() | refused.keys():
        bad, idle, twice = refused.get(file_hash, (0, 0, 0))
        same, differing = repeated.get(file_hash, (0, 0))
        read = kept.get(file_hash, 0) + bad + same + differing
        counts[file_hash] = Counts(read, bad, same + differing, differing, idle, twice)
    return counts


def move_to_lake(cursor: duckdb.DuckDBPyConnection, home: Path, out: Path) -> list[LakeFile]:
    """Put the staged files where the lake has them, durably; they count once the transaction lists them."""
    moved: list[LakeFile] = []
    parts = _placed(home, out)
    intend(home, parts.values())
    for part, relative in parts.items():
        day, file_hash = part.parent.parent.name, part.parent.name.removeprefix("file_hash=")
        rows = cursor.execute(f"select num_rows from parquet_file_metadata({literal(str(part))})").fetchall()[
            0
        ][0]
        target = home / relative
        size, digest = part.stat().st_size, checksum(part)
        target.parent.mkdir(parents=True, exist_ok=True)
        sync(part)
        part.replace(target)
        sync(target.parent)
        event_day = date.fromisoformat(day.removeprefix("event_day="))
        moved.append(LakeFile(event_day, file_hash, relative, rows, size, digest))
    sync(home / "lake")
    return moved


def list_files(cursor: duckdb.DuckDBPyConnection, files: list[LakeFile]) -> None:
    """Have the lake's files count; part of the caller's transaction."""
    for file in files:
        cursor.execute("insert into landing.lake_files values (?, ?, ?, ?, ?, ?)", astuple(file))


def _placed(home: Path, out: Path) -> dict[Path, str]:
    """Staged file → its path in the lake, relative to the home.

    A content that is taken again has its old files beside it until it is in.
    """
    placed: dict[Path, str] = {}
    names: set[str] = set()
    for part in sorted(out.glob("event_day=[0-9]*/file_hash=*/*.parquet")):
        stem = f"lake/{part.parent.parent.name}/{part.parent.name.removeprefix('file_hash=')[:16]}"
        number, name = 1, f"{stem}.parquet"
        while name in names or (home / name).exists():
            number += 1
            name = f"{stem}-{number}.parquet"
        names.add(name)
        placed[part] = name
    return placed


def rejected_rows(out: Path) -> str | None:
    """A SELECT of quarantine rows from the staged files; none where all rows were accepted."""
    parts = sorted(str(part) for part in (out / REJECTED_DAY).glob("file_hash=*/*.parquet"))
    if not parts:
        return None
    return f"""select file_hash, session_id::bigint as line_number, event_id as reason, url as detail,
        properties as raw_line from read_parquet({array(parts)}, hive_partitioning = false)"""
