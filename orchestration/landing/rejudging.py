"""Files to take again: they were judged by settings or a mapping that have changed since, or somebody asks for it.

The landed files are kept, so that their rows can be judged as a rebuild would judge them. A file is read again only
where the change can matter to it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    import duckdb

    from fairsplit.analysis.catalogue.sources import Source
    from fairsplit.orchestration.landing.settings import IngestSettings


@dataclass(frozen=True, slots=True)
class Due:
    """A taken content that is to be judged again.

    Attributes:
        file_hash: The content.
        paths: Where it lay, the place it was taken from first.
        arrived_at: Its recorded arrival, which stays.
        why: What changed.
    """

    file_hash: str
    paths: tuple[str, ...]
    arrived_at: datetime
    why: str


def mapping_hash(source: Source | None) -> str:
    """What of a source decides over rows; empty for the contract's own names."""
    if source is None:
        return ""
    # `model` decides by the name of its events alone; files that landed before the key was known keep their hash.
    fields = source.model_copy(update={"constants": source.fixed})
    text = fields.model_dump_json(exclude={"id", "description", "files", "table", "model"})
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


_TAKEN = """
    with days as (
        select file_hash, min(event_day) as first_day, max(event_day) as last_day from landing.lake_files group by all
    ),
    refused as (
        select file_hash, bool_or(reason = 'future') as future, bool_or(reason = 'before_first_day') as early
        from landing.quarantine group by all
    )
    select m.file_hash, m.path, m.arrived_at, m.source, j.first_day, j.max_clock_skew, j.mapping,
        days.first_day, days.last_day, coalesce(refused.future, false), coalesce(refused.early, false)
    from landing.manifest as m
    left join landing.judgements as j using (file_hash)
    left join days using (file_hash)
    left join refused using (file_hash)
    where m.status = 'taken' order by m.position
"""


def due(
    cursor: duckdb.DuckDBPyConnection,
    settings: IngestSettings,
    sources: Iterable[Source],
    source_of: Callable[[str], Source | None],
) -> list[Due]:
    """The contents whose rows another judgement may move, in the order in which they were taken.

    Files that a change cannot matter to are noted as judged by it. A source that is no more in the catalogue leaves
    what it gave as it is: its definition may be broken, not gone.

    Args:
        cursor: Writer on the warehouse.
        settings: Of the project, now.
        sources: The catalogue's, now.
        source_of: The source that covers a path.
    """
    known = {source.id for source in sources}
    found = []
    for file_hash, path, arrived_at, source_id, *judged in cursor.execute(_TAKEN).fetchall():
        source = source_of(path)
        if source is None and source_id is not None and source_id not in known:
            continue
        why = _why(judged, arrived_at, settings, mapping_hash(source))
        if why:
            paths = cursor.execute(
                """select distinct path from landing.manifest
                   where file_hash = ? and status in ('taken', 'same_content') and path <> ?""",
                [file_hash, path],
            ).fetchall()
            found.append(Due(file_hash, (path, *sorted(one for (one,) in paths)), arrived_at, why))
        elif judged[:3] != [settings.first_day, settings.max_clock_skew, mapping_hash(source)]:
            note(cursor, file_hash, settings, source)
    return found


def _why(judged: list[Any], arrived_at: datetime, settings: IngestSettings, mapping: str) -> str:
    first_day, skew, old_mapping, first_event, last_event, has_future, has_early = judged
    if first_day is None:
        # Taken before judgements were noted: by these settings, as far as anybody knows.
        return ""
    latest = (arrived_at + settings.max_clock_skew).date()
    may_matter = {
        "its source": old_mapping != mapping,
        "first_day": (has_early and settings.first_day < first_day)
        or (first_event is not None and first_event < settings.first_day),
        "max_clock_skew": (has_future and settings.max_clock_skew > skew)
        or (last_event is not None and settings.max_clock_skew < skew and last_event >= latest),
    }
    return next((name for name, may in may_matter.items() if may), "")


def note(
    cursor: duckdb.DuckDBPyConnection, file_hash: str, settings: IngestSettings, source: Source | None
) -> None:
    """Keep by what a content's rows were judged; may be part of the caller's transaction."""
    cursor.execute("delete from landing.judgements where file_hash = ?", [file_hash])
    cursor.execute(
        "insert into landing.judgements values (?, ?, ?, ?)",
        [file_hash, settings.first_day, settings.max_clock_skew, mapping_hash(source)],
    )


def forget(cursor: duckdb.DuckDBPyConnection, file_hashes: list[str]) -> list[str]:
    """Take what was known of contents out of the landing tables, as part of the caller's transaction.

    The manifest keeps their entries as ``superseded``. Returns the lake files that nobody lists any more.
    """
    if not file_hashes:
        return []
    parameters = {"hashes": file_hashes}
    paths = cursor.execute(
        "select path from landing.lake_files where list_contains($hashes, file_hash)", parameters
    ).fetchall()
    for table in ("lake_files", "quarantine", "headers", "repeats"):
        cursor.execute(f"delete from landing.{table} where list_contains($hashes, file_hash)", parameters)
    cursor.execute(
        """update landing.manifest set status = 'superseded'
           where status = 'taken' and list_contains($hashes, file_hash)""",
        parameters,
    )
    return [path for (path,) in paths]


def ask(cursor: duckdb.DuckDBPyConnection, paths: Iterable[str]) -> None:
    """Remember files to take again, whoever ingests next."""
    for path in paths:
        cursor.execute("insert into landing.asked_again values (?)", [path])


def asked(cursor: duckdb.DuckDBPyConnection) -> list[str]:
    """Paths below the landing folder that somebody asked to take again."""
    return [path for (path,) in cursor.execute("select distinct path from landing.asked_again").fetchall()]


def answered(cursor: duckdb.DuckDBPyConnection) -> None:
    """Forget what was asked, after it was done."""
    cursor.execute("delete from landing.asked_again")
