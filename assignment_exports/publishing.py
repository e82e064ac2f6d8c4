"""Atomic publishing: a complete new version on disk first, then one switch of ``current``.

Layout of the exports folder::

    exports/
      current -> v000002-8f14e45fceea      a relative symbolic link, replaced by one rename
      v000001-c4ca4238a0b9/ ...            its bytes never change under this name
      v000002-8f14e45fceea/manifest.json   written last, names the sha256 of every other file
      v000002-8f14e45fceea/site            a link to what is published with it under a checksum of its own
      withdrawn.json                       contents that were rolled back
      rolling-back.json                    while a rollback goes on: both of its writes
      .lock, .staging-*                    one publisher at a time; left-overs of a killed run are swept

A reader that resolves ``current`` at any instant gets one whole version; a publisher killed at any instant
leaves the old version in force.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
import shutil
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from fairsplit.analysis.errors import Problem
from fairsplit.assignment_exports.durable import checksum, copy_durably, replace_durably, sync, write_durably
from fairsplit.assignment_exports.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

CURRENT: Final = "current"
MANIFEST: Final = "manifest.json"
#: Versions that a rollback can reach; each publication's rows stay in the ledger whatever becomes of its files.
KEPT_VERSIONS: Final = 30
_OF_VERSION: Final = ("version", "previous", "content", "files", "links", "sha256")
WITHDRAWN: Final = "withdrawn.json"
ROLLING_BACK: Final = "rolling-back.json"
_HASH: Final = re.compile("[0-9a-f]{64}")
_VERSION_NAME: Final = re.compile(r"v(\d{6,})-([0-9a-f]{12})")


@dataclass(frozen=True, slots=True)
class PublishedVersion:
    """One version of the exports.

    Attributes:
        version: Its name, ``v<number>-<first 12 hex digits of the content hash>``.
        path: Its folder.
        previous: The version in force before it; empty for the first.
        content: sha256 over the names and hashes of the payloads, in hex.
        changed: Whether the call that returned it switched ``current``.
        manifest: The parsed ``manifest.json``.
    """

    version: str
    path: Path
    previous: str
    content: str
    changed: bool
    manifest: Mapping[str, Any]

    @property
    def links(self) -> Mapping[str, str]:
        """Folders that are published with it, by name, as relative paths."""
        return dict(self.manifest.get("links", {}))


def publish(
    exports_dir: Path,
    payloads: Mapping[str, bytes],
    meta: Mapping[str, Any],
    attachments: Mapping[str, Path] | None = None,
    links: Mapping[str, str] | None = None,
) -> PublishedVersion:
    """Write a complete new version and switch ``current`` to it.

    The version is addressed by its content: the same payloads and links publish nothing, and neither do payloads whose
    content was rolled back (see `rollback`), whatever the links. A version in force that is no longer as it was
    published counts as none: it is published anew. The newest `KEPT_VERSIONS` versions stay, and the one before the
    current.

    Args:
        exports_dir: The exports folder; created when missing.
        payloads: Bytes by relative POSIX path (``ufc.json``, ``assignments/cta.parquet``): the content.
        meta: JSON values for the manifest: reasons, differences in words, cut-offs. Not part of the content.
        attachments: Files copied in beside the payloads, hashed in the manifest but not part of the content
            because their bytes differ from one write to the next (a database snapshot).
        links: Folders that are published with it, by name: relative paths that end with a checksum of what they
            hold. By default those of the version in force stay.

    Returns:
        The version now in force; ``changed`` says whether this call switched to it.

    Raises:
        ExportError: A path would leave the version's folder or is reserved, or an attachment is missing.
    """
    attachments = attachments or {}
    for name in (*payloads, *attachments, *(links or {})):
        _check_name(name)
    exports_dir.mkdir(parents=True, exist_ok=True)
    with sole_publisher(exports_dir):
        current = whole_version(exports_dir)
        if links is None:
            before = readable_version(exports_dir)
            links = before.links if before else {}
        content = _content(_hashes(payloads))
        withdrawn = withdrawn_contents(exports_dir)
        if current is not None and (
            content in withdrawn or (content, links) == (current.content, current.links)
        ):
            return current
        if content in withdrawn:
            raise ExportError(
                Problem(
                    "the version in force is damaged, and what would take its place was rolled back",
                    where=str(exports_dir),
                    hint="`fairsplit fsck --repair`, or choose with `fairsplit export --rollback --to VERSION`",
                )
            )
        previous = current.version if current else ""
        finished = _finished_but_not_switched(exports_dir, content, links, previous)
        if finished is not None:
            _switch(exports_dir, finished.version)
            return replace(finished, changed=True)
        written = _write_version(exports_dir, payloads, meta, attachments, links, previous)
        _remove_old_versions(exports_dir, {written.version, previous})
        return written


def renew(
    exports_dir: Path, attachments: Mapping[str, Path], without: Collection[str] = ()
) -> PublishedVersion | None:
    """Put a version into force that is the current one with other attachments and without some files.

    For what must leave the exports at once, whatever else the catalogue says by now. What was rolled back stays so.

    Args:
        exports_dir: The exports folder.
        attachments: As for `publish`; they take the place of those of the same name.
        without: Names of payloads to leave out.

    Returns:
        The version now in force; none when nothing has been published.

    Raises:
        ExportError: The current version cannot be read, or an attachment is missing.
    """
    if current_version(exports_dir) is None:
        return None
    with sole_publisher(exports_dir):
        current = read_version((exports_dir / CURRENT).resolve())
        kept = current.manifest["files"].keys() - attachments.keys() - set(without)
        payloads = {name: (current.path / name).read_bytes() for name in sorted(kept)}
        meta = {name: value for name, value in current.manifest.items() if name not in _OF_VERSION}
        return _write_version(exports_dir, payloads, meta, attachments, current.links, current.version)


def rollback(exports_dir: Path, to: str | None = None) -> PublishedVersion:
    """Switch ``current`` back to an earlier version.

    The content rolled back from is remembered: publishing exactly it again does nothing until something
    changes. Naming a version brings its content back into force and forgets that it was withdrawn.

    Args:
        exports_dir: The exports folder.
        to: The version to switch to; by default the one that was in force before the current one.

    Returns:
        The version now in force.

    Raises:
        ExportError: Nothing is published, there is no earlier version, or ``to`` does not exist.
    """
    where = str(exports_dir)
    if not exports_dir.is_dir() or not list_versions(exports_dir):
        raise ExportError(
            Problem("nothing is published yet", where=where, rule="rolling back needs two published versions")
        )
    with sole_publisher(exports_dir) as finished:
        if finished is not None and to in {None, finished.version}:
            return replace(finished, changed=True)
        current = readable_version(exports_dir)
        versions = list_versions(exports_dir)
        target = to if to is not None else (current.previous if current else "")
        if not target:
            raise ExportError(
                Problem(
                    "there is no earlier version",
                    where=where,
                    rule="rolling back needs two published versions",
                )
            )
        if target not in versions:
            known = ", ".join(versions[-5:])
            raise ExportError(
                Problem(
                    "no such version",
                    where=where,
                    value=target,
                    rule="a published version",
                    hint=f"try {known}",
                )
            )
        restored = read_version(exports_dir / target)
        damaged = verify_version(restored.path)
        if damaged:
            raise ExportError(damaged[0])
        if current is not None and restored.version == current.version:
            return current
        left = {current.content} if current else set()
        withdrawn = (withdrawn_contents(exports_dir) | left) - {restored.content}
        intent = {"to": restored.version, "withdrawn": sorted(withdrawn)}
        replace_durably(exports_dir / ROLLING_BACK, canonical_json(intent))
        return replace(_finish_rollback(exports_dir) or restored, changed=True)


def current_version(exports_dir: Path) -> PublishedVersion | None:
    """The version in force, or none when nothing has been published."""
    link = exports_dir / CURRENT
    return read_version(link.resolve()) if link.is_symlink() else None


def readable_version(exports_dir: Path) -> PublishedVersion | None:
    """The version in force, and none where its manifest is damaged too."""
    try:
        return current_version(exports_dir)
    except ExportError:
        return None


def last_whole_version(exports_dir: Path) -> PublishedVersion | None:
    """The version in force where it is whole, else the newest one that is."""
    current = whole_version(exports_dir)
    if current is not None or not exports_dir.is_dir():
        return current
    for version in reversed(list_versions(exports_dir)):
        try:
            if not verify_version(exports_dir / version):
                return read_version(exports_dir / version)
        except ExportError:
            continue
    return None


def whole_version(exports_dir: Path) -> PublishedVersion | None:
    """The version in force where every file of it is as it was published, and none where anything is damaged."""
    link = exports_dir / CURRENT
    if link.exists() and not link.is_symlink():
        raise ExportError(
            Problem(
                "`current` is no link",
                where=str(link),
                rule="a link to a version beside it, which publishing switches",
                hint="move it away and publish again",
            )
        )
    if not link.is_symlink() or link.resolve().parent != exports_dir.resolve():
        return None
    try:
        current = read_version(link.resolve())
        return None if verify_version(current.path) else current
    except ExportError:
        return None


def read_version(folder: Path) -> PublishedVersion:
    """Read one version's manifest.

    Raises:
        ExportError: The folder is not a version.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        return PublishedVersion(
            manifest["version"],
            folder,
            manifest["previous"],
            manifest["content"],
            changed=False,
            manifest=manifest,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ExportError(
            Problem(
                "not a published version",
                where=str(folder),
                value=str(error),
                rule=f"a folder with a {MANIFEST}",
                hint="remove the link `current` and publish again",
            )
        ) from error


def list_versions(exports_dir: Path) -> list[str]:
    """The names of all complete versions, oldest first."""
    found = [path.name for path in exports_dir.iterdir() if _VERSION_NAME.fullmatch(path.name)]
    return sorted(found, key=_number)


def verify_version(folder: Path) -> list[Problem]:
    """Compare every file of a version with the sha256 in its manifest, and every link with its target (it may be gone).

    Returns:
        One problem a file that is missing, changed or not in the manifest; empty when the version is whole.
    """
    manifest = read_version(folder).manifest
    expected = {name: entry["sha256"] for name, entry in manifest["files"].items()}
    is_its_own = manifest["version"] == folder.name and _manifest_hash(manifest) == manifest.get(
        "sha256", _manifest_hash(manifest)
    )
    expected |= manifest.get("links", {})
    found = {
        path.relative_to(folder).as_posix(): str(path.readlink()) if path.is_symlink() else checksum(path)
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or (path.is_file() and path.name != MANIFEST)
    }
    changed = [
        name for name in sorted(expected.keys() | found.keys()) if expected.get(name) != found.get(name)
    ]
    return [
        Problem(
            "an exported file is not as published",
            where=f"{folder.name}/{name}",
            rule="versions are immutable",
        )
        for name in [*([] if is_its_own else [MANIFEST]), *changed]
    ]


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys, readable indentation and a final newline: equal values give equal bytes."""
    return (json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _check_name(name: str) -> None:
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or ".." in path.parts or "\\" in name or str(path) == MANIFEST:
        raise ExportError(
            Problem(
                "a payload has an impossible name",
                value=repr(name),
                rule=f"a relative path inside the version, not {MANIFEST}",
            )
        )


def _write_version(
    exports_dir: Path,
    payloads: Mapping[str, bytes],
    meta: Mapping[str, Any],
    attachments: Mapping[str, Path],
    links: Mapping[str, str],
    previous: str,
) -> PublishedVersion:
    """Write a version with the next number and switch to it; the caller holds the lock."""
    hashes = _hashes(payloads)
    content = _content(hashes)
    version = f"v{_last_number(exports_dir) + 1:06d}-{content[:12]}"
    staging = exports_dir / f".staging-{uuid.uuid4().hex}"
    for name, payload in payloads.items():
        write_durably(staging / name, payload)
    for name, source in attachments.items():
        hashes[name] = copy_durably(source, staging / name)
    for name, target in links.items():
        (staging / name).symlink_to(target, target_is_directory=True)
    files = {
        name: {"sha256": digest, "bytes": (staging / name).stat().st_size}
        for name, digest in sorted(hashes.items())
    }
    named = {"links": dict(links)} if links else {}
    manifest = {"version": version, "previous": previous, "content": content, **meta, "files": files, **named}
    manifest["sha256"] = _manifest_hash(manifest)
    write_durably(staging / MANIFEST, canonical_json(manifest))
    for folder in [
        *(path for path in staging.rglob("*") if path.is_dir() and not path.is_symlink()),
        staging,
    ]:
        sync(folder)
    staging.rename(exports_dir / version)
    sync(exports_dir)
    _switch(exports_dir, version)
    return PublishedVersion(
        version, exports_dir / version, previous, content, changed=True, manifest=manifest
    )


def _hashes(payloads: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(payload).hexdigest() for name, payload in sorted(payloads.items())}


def _manifest_hash(manifest: Mapping[str, Any]) -> str:
    """sha256 of all that a manifest says beside it."""
    said = {name: value for name, value in manifest.items() if name != "sha256"}
    return hashlib.sha256(canonical_json(said)).hexdigest()


def _content(hashes: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()


def _finish_rollback(exports_dir: Path) -> PublishedVersion | None:
    """Carry out the rollback that was written down, and return the version then in force; none where none was."""
    intent = exports_dir / ROLLING_BACK
    if not intent.exists():
        return None
    begun = json.loads(intent.read_bytes())
    replace_durably(exports_dir / WITHDRAWN, canonical_json(begun["withdrawn"]))
    _switch(exports_dir, begun["to"])
    intent.unlink()
    return read_version(exports_dir / begun["to"])


@contextmanager
def sole_publisher(exports_dir: Path) -> Iterator[PublishedVersion | None]:
    """Hold the folder's lock, which the kernel drops when its owner dies; sweep what killed owners left.

    Yields:
        The version that a rollback which was killed half-way went back to: it is carried out first.
    """
    with (exports_dir / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for leftover in exports_dir.glob(".staging-*"):
            shutil.rmtree(leftover)
        for leftover in exports_dir.glob(".switch-*"):
            leftover.unlink()
        yield _finish_rollback(exports_dir)


def _switch(exports_dir: Path, version: str) -> None:
    # flagd's provider looks for a newer file: one that was rolled back to must be newer than the one it replaces.
    for path in (exports_dir / version).rglob("*"):
        if not path.is_symlink():
            path.touch()
    link = exports_dir / f".switch-{uuid.uuid4().hex}"
    link.symlink_to(version)
    link.replace(exports_dir / CURRENT)
    sync(exports_dir)


def _finished_but_not_switched(
    exports_dir: Path, content: str, links: Mapping[str, str], previous: str
) -> PublishedVersion | None:
    """The newest version, where a run that wrote this very content was killed just before its switch."""
    versions = list_versions(exports_dir)
    try:
        newest = read_version(exports_dir / versions[-1]) if versions else None
    except ExportError:
        return None
    if (
        newest is None
        or (newest.content, newest.links, newest.previous) != (content, links, previous)
        or verify_version(newest.path)
    ):
        return None
    return newest


def _number(version: str) -> int:
    match = _VERSION_NAME.fullmatch(version)
    return int(match[1]) if match else 0


def _remove_old_versions(exports_dir: Path, kept: Collection[str]) -> None:
    for version in list_versions(exports_dir)[:-KEPT_VERSIONS]:
        if version not in kept:
            shutil.rmtree(exports_dir / version)


def _last_number(exports_dir: Path) -> int:
    return max(map(_number, list_versions(exports_dir)), default=0)


def withdrawn_contents(exports_dir: Path) -> frozenset[str]:
    """Content hashes that were rolled back.

    Raises:
        ExportError: The list is damaged.
    """
    path = exports_dir / WITHDRAWN
    if not path.exists():
        return frozenset()
    try:
        return frozenset(_HASH.fullmatch(one)[0] for one in json.loads(path.read_bytes()))  # type: ignore[index]
    except (ValueError, TypeError) as error:
        raise ExportError(
            Problem(
                "the list of what was rolled back is damaged",
                where=str(path),
                rule="a JSON list of content hashes",
                hint="put it back from a backup; without the file what was rolled back may be published again",
            )
        ) from error
