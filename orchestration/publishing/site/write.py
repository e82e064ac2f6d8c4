"""The site on disk: a complete version beside the others, and the one link that people follow.

Layout of the site's folder: ``versions/<sha256, 16 digits>/`` and ``current``, a symbolic link. A version is named by
its content, so writing the same pages again changes nothing. Files that did not change are hard links to the version
before: they keep their modification time and take no space. ``current`` leads through the exports in force, so that one
switch shows new pages and serves new configs (`publishing/publication.py`).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.errors import OrchestrationError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from fairsplit.analysis.scorecards import Page

VERSIONS = "versions"
CURRENT = "current"


@dataclass(frozen=True, slots=True)
class WrittenSite:
    """A version of the site.

    Attributes:
        index: Its first page.
        version: Its name.
        written: Files whose content is new.
        linked: Files that did not change.
    """

    index: Path
    version: str
    written: int
    linked: int


def _inside(path: str) -> PurePosixPath:
    """The path, refused when it leads out of the site."""
    relative = PurePosixPath(path)
    if relative.is_absolute() or not relative.parts or ".." in relative.parts or "\\" in path or "\0" in path:
        raise OrchestrationError(
            Problem("a page's path leads out of the site", "site", repr(path), "a relative path without '..'")
        )
    return relative


def _put(folder: Path, before: Path, path: PurePosixPath, content: bytes) -> bool:
    """Puts one file into the version being built; True when it had to be written."""
    target, old = folder / path, before / path
    target.parent.mkdir(parents=True, exist_ok=True)
    if old.is_file() and old.stat().st_size == len(content) and old.read_bytes() == content:
        os.link(old, target)
        return False
    target.write_bytes(content)
    return True


def _files(folders: Mapping[str, Path]) -> Iterable[tuple[PurePosixPath, bytes]]:
    """Files of ready-made folders (dbt docs, Data Docs), placed under their names."""
    for name, folder in sorted(folders.items()):
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                yield _inside(f"{name}/{file.relative_to(folder).as_posix()}"), file.read_bytes()


def show(site: Path, target: Path) -> None:
    """Point ``current`` somewhere in one step; a reader sees the old or the new site, never a mixture.

    Args:
        site: The site's folder.
        target: A path from there.
    """
    link = site / CURRENT
    if link.is_symlink() and link.readlink() == target:
        return
    temporary = site / f".{CURRENT}-{uuid.uuid4().hex}"
    temporary.symlink_to(target, target_is_directory=True)
    temporary.replace(link)


def remove_others(site: Path, kept: Collection[str]) -> None:
    """Remove what killed runs left, and all versions but the ones that are named and the one that is shown."""
    shown = (site / CURRENT).resolve().name
    for folder in (site / VERSIONS).iterdir():
        if folder.name not in {*kept, shown}:
            shutil.rmtree(folder)
    for link in site.glob(f".{CURRENT}-*"):
        link.unlink()


def _name(digests: Iterable[tuple[str, str]]) -> str:
    """The name of a version with these files: path and SHA-256 of each."""
    text = "".join(f"{path}\n{digest}\n" for path, digest in sorted(digests))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def is_whole(version: Path) -> bool:
    """Whether a version still has the files that its name was made of."""
    files = [path for path in version.rglob("*") if path.is_file()]
    digests = [
        (path.relative_to(version).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest())
        for path in files
    ]
    return _name(digests) == version.name


def write_folder(folder: Path, pages: Iterable[Page]) -> None:
    """Writes pages straight into a folder, over what stands there under the same names.

    Raises:
        OrchestrationError: A page's path leads out of the folder.
    """
    for page in pages:
        target = folder / _inside(page.path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(page.content, encoding="utf-8")


def write_site(site: Path, pages: Iterable[Page], folders: Mapping[str, Path] | None = None) -> WrittenSite:
    """Write a complete version of the site; nobody is shown it yet.

    Args:
        site: The site's folder; made when absent.
        pages: Pages with paths relative to the site, as `fairsplit.analysis.scorecards.render_site` yields them.
        folders: Ready-made folders to carry along: name in the site to folder on disk.

    Returns:
        Where it is and what was written.

    Raises:
        OrchestrationError: A page's path leads out of the site.
    """
    versions = site / VERSIONS
    versions.mkdir(parents=True, exist_ok=True)
    before = site / CURRENT
    building = versions / f".building-{uuid.uuid4().hex}"
    building.mkdir()
    digests: list[tuple[str, str]] = []
    written = linked = 0
    parts = ((_inside(page.path), page.content.encode()) for page in pages)
    for source in (parts, _files(folders or {})):
        for path, content in source:
            if _put(building, before, path, content):
                written += 1
            else:
                linked += 1
            digests.append((str(path), hashlib.sha256(content).hexdigest()))
    name = _name(digests)
    target = versions / name
    if target.exists() and is_whole(target):
        shutil.rmtree(building)
    else:
        if target.exists():
            target.rename(versions / f".damaged-{uuid.uuid4().hex}")
        building.rename(target)
    return WrittenSite(target / "index.html", name, written, linked)
