"""The stored lists of assigned units against their noted checksums."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fairsplit.analysis.errors import Problem
from fairsplit.assignment_exports.durable import checksum, replace_durably
from fairsplit.assignment_exports.publishing import list_versions
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.home.damage import Damage
from fairsplit.orchestration.lifecycle.unit_lists import note_checksums, noted_checksums, rows_on_list

if TYPE_CHECKING:
    from pathlib import Path

    from fairsplit.orchestration.project import Home


def find(home: Home) -> list[Damage]:
    """Lists that are missing, changed, or without a checksum."""
    found = []
    notes = {path.with_suffix(".parquet") for path in home.assignments.glob("*.sha256")}
    for path in sorted(notes | set(home.assignments.glob("*.parquet"))):
        noted = noted_checksums(path)
        place = path.relative_to(home.root).as_posix()
        if not path.is_file():
            found.append(_damaged(home, path, place, "missing", noted))
        elif not noted:
            found.append(_unnoted(path, place))
        elif checksum(path) not in noted:
            found.append(_damaged(home, path, place, "another checksum", noted))
    return found


def _damaged(home: Home, path: Path, place: str, value: str, noted: list[str]) -> Damage:
    copy = _exported(home, path.name, noted)
    hint = (
        "`fairsplit fsck --repair` takes it from the exports"
        if copy
        else "put the file back from a backup, or assign the very population and design that it was drawn from"
    )
    problem = Problem("a list of assigned units is damaged", place, value, "as it was assigned", hint)
    return Damage(problem, partial(_copy, copy, path) if copy else None)


def _copy(source: Path, target: Path) -> None:
    replace_durably(target, source.read_bytes())


def _exported(home: Home, name: str, noted: list[str]) -> Path | None:
    """The same bytes in some version of the exports."""
    versions = list_versions(home.exports) if home.exports.is_dir() else []
    copies = (home.exports / version / "assignments" / name for version in reversed(versions))
    return next((copy for copy in copies if copy.is_file() and checksum(copy) in noted), None)


def _unnoted(path: Path, place: str) -> Damage:
    try:
        rows_on_list(path, ())
    except OrchestrationError as error:
        return Damage(error.problem)
    problem = Problem(
        "a list of assigned units has no checksum",
        place,
        rule="one is noted beside each",
        hint="it was put there by hand, or by an earlier version: `fairsplit fsck --repair` notes it as it is",
    )
    return Damage(problem, lambda: note_checksums(path, [checksum(path)]))
