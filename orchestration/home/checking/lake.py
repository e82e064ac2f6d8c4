"""The lake against the checksums that the warehouse has of its files."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING

from fairsplit.analysis.errors import Problem
from fairsplit.assignment_exports.durable import checksum
from fairsplit.orchestration.home.damage import Damage, put_aside
from fairsplit.orchestration.landing.giving_again import give_again
from fairsplit.orchestration.landing.lake import INTENT, STAGING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    import duckdb

    from fairsplit.analysis.catalogue.sources import Source
    from fairsplit.orchestration.landing.settings import IngestSettings
    from fairsplit.orchestration.project import Home

_HINT = "`fairsplit fsck --repair` takes it again from the landed file; where that is gone, restore a backup"
_RULE = "as it was when it was taken"


def find(
    home: Home,
    connection: duckdb.DuckDBPyConnection,
    settings: IngestSettings,
    sources: Sequence[Source],
) -> list[Damage]:
    """Lake files that are missing, changed, or unknown to the warehouse.

    Args:
        home: The home.
        connection: A writer.
        settings: By which landed rows are judged.
        sources: The catalogue's.
    """
    listed = connection.execute(
        "select path, event_day, file_hash, bytes, sha256 from landing.lake_files order by path"
    ).fetchall()
    damaged: list[tuple[str, str, str]] = []
    days: dict[str, set[date]] = defaultdict(set)
    for path, day, file_hash, size, digest in listed:
        value = _fault(home.root / path, size, digest)
        if value:
            damaged.append((path, file_hash, value))
            days[file_hash].add(day)
    found = [
        Damage(
            Problem("a file of the lake is damaged", path, value, _RULE, _HINT),
            partial(give_again, connection, home.root, settings, sources, file_hash, days[file_hash]),
        )
        for path, file_hash, value in damaged
    ]
    return [*found, *_strays(home, {path for path, *_ in listed})]


def _fault(file: Path, size: int | None, digest: str | None) -> str:
    if not file.is_file():
        return "missing"
    if size is not None and file.stat().st_size != size:
        return f"{file.stat().st_size:,} bytes, not {size:,}"
    return "another checksum" if digest is not None and checksum(file) != digest else ""


def _strays(home: Home, listed: set[str]) -> list[Damage]:
    lake = home.root / "lake"
    if not lake.is_dir():
        return []
    note = lake / INTENT
    intended = set(note.read_text(encoding="utf-8").splitlines()) if note.exists() else set()
    found = []
    for path in sorted(path for path in lake.rglob("*") if not path.is_dir() and path != note):
        name = path.relative_to(home.root).as_posix()
        if name in listed or name in intended or STAGING in path.parts:
            continue
        problem = Problem(
            "a file that the warehouse does not know",
            name,
            rule="every file of the lake is listed in landing.lake_files",
            hint="`fairsplit fsck --repair` moves it to strays/; if it holds events, land them",
        )
        found.append(Damage(problem, partial(put_aside, home, path)))
    return found
