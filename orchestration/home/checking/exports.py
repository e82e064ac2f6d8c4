"""The exports: every version against its manifest, the link in force, and what was rolled back."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fairsplit.analysis.errors import Problem
from fairsplit.assignment_exports.durable import checksum, replace_durably
from fairsplit.assignment_exports.errors import ExportError
from fairsplit.assignment_exports.publishing import (
    CURRENT,
    MANIFEST,
    ROLLING_BACK,
    WITHDRAWN,
    list_versions,
    read_version,
    verify_version,
    withdrawn_contents,
)
from fairsplit.orchestration.home.damage import Damage, mending_link, put_aside

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fairsplit.orchestration.project import Home

_OWN = {CURRENT, WITHDRAWN, ROLLING_BACK, ".lock"}
_LEFT_OVER = (".staging-", ".switch-")


def find(home: Home, publish: Callable[[], object] | None) -> list[Damage]:
    """Versions that are not as they were published, what is in force, and what lies there besides.

    Args:
        home: The home.
        publish: Publishes a whole version; none where nothing is built.
    """
    if not home.exports.is_dir():
        return []
    versions = list_versions(home.exports)
    link = home.exports / CURRENT
    in_force = link.resolve().name if link.is_symlink() else ""
    found = []
    for version in versions:
        found += _of_version(home, version, publish if version == in_force else None)
    if (versions or link.is_symlink() or link.exists()) and in_force not in versions:
        found.append(_of_link(home, link, publish))
    try:
        withdrawn_contents(home.exports)
    except ExportError as error:
        found.append(Damage(error.problem))
    for path in sorted(home.exports.iterdir()):
        if path.name not in {*versions, *_OWN} and not path.name.startswith(_LEFT_OVER):
            hint = "`fairsplit fsck --repair` moves it to strays/"
            problem = Problem("no version of the exports", f"exports/{path.name}", hint=hint)
            found.append(Damage(problem, partial(put_aside, home, path)))
    return found


def _of_link(home: Home, link: Path, publish: Callable[[], object] | None) -> Damage:
    is_link = link.is_symlink()
    problem = Problem(
        "`current` leads to no version" if is_link or not link.exists() else "`current` is no link",
        "exports/current",
        str(link.readlink()) if is_link else "",
        "a link to a version beside it",
        "`fairsplit fsck --repair` publishes anew",
    )
    return Damage(problem, mending_link(home, link, publish))


def _of_version(home: Home, version: str, publish: Callable[[], object] | None) -> list[Damage]:
    folder = home.exports / version
    is_current = publish is not None
    hint = "`fairsplit fsck --repair` " + (
        "takes it from another version or publishes anew"
        if is_current
        else "takes it from another version, or moves the version to strays/"
    )
    try:
        problems = verify_version(folder)
    except ExportError as error:
        problem = Problem("a version has no manifest", f"exports/{version}", error.problem.value, hint=hint)
        return [Damage(problem, partial(_replace_version, home, folder, publish))]
    return [
        Damage(
            Problem(problem.what, f"exports/{problem.where}", rule=problem.rule, hint=hint),
            partial(_give_again, home, folder, publish),
        )
        for problem in problems
    ]


def _give_again(home: Home, folder: Path, publish: Callable[[], object] | None) -> None:
    """Take a version's damaged files from versions that have the same; else another version takes its place."""
    if not folder.is_dir():
        return
    expected = {name: entry["sha256"] for name, entry in read_version(folder).manifest["files"].items()}
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        name = path.relative_to(folder).as_posix()
        if name not in expected and name != MANIFEST:
            put_aside(home, path)
    for name, digest in expected.items():
        path = folder / name
        if path.is_file() and checksum(path) == digest:
            continue
        copies = (home.exports / version / name for version in list_versions(home.exports))
        whole = next((copy for copy in copies if copy.is_file() and checksum(copy) == digest), None)
        if whole is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_durably(path, whole.read_bytes())
    if verify_version(folder):
        _replace_version(home, folder, publish)


def _replace_version(home: Home, folder: Path, publish: Callable[[], object] | None) -> None:
    """Publish another version first; nothing is served from the damaged one when it leaves."""
    if publish is not None:
        publish()
    if folder.is_dir() and (home.exports / CURRENT).resolve() != folder:
        put_aside(home, folder)
