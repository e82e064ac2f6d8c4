"""A backup put in place of a home: verified first, then entry by entry, and nobody erased since comes back."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from fairsplit.analysis.errors import Problem
from fairsplit.analysis.lines import write_lines
from fairsplit.assignment_exports.durable import checksum, replace_durably, sync
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.home.backup import FILES, MANIFEST, signed
from fairsplit.orchestration.home.migrating import COPIES, migrate
from fairsplit.orchestration.home.schema import SCHEMA
from fairsplit.orchestration.landing import open_landing
from fairsplit.orchestration.landing.erasure_journal import JOURNAL, journal_lines, read_erasures
from fairsplit.orchestration.privacy.erasure import finish_interrupted, owe
from fairsplit.orchestration.warehouse.opening import has_table, writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fairsplit.orchestration.project import Home

_RESTORING: Final = ".restoring"
_PLAN: Final = "plan.json"


def restore(home: Home, source: Path, say: Callable[[str], None], *, replace: bool) -> Path | None:
    """Put a backup in place of the home.

    Killed anywhere, it goes on when it is asked for again. The erasures of the present home are kept and carried out
    on what comes from the backup; files that landed since stay in the landing folder.

    Args:
        home: The home; no run goes on.
        source: The backup.
        say: Called with a line of progress.
        replace: The home may hold something: it is kept in `copies/`.

    Returns:
        Where the home that was there is kept; none where it was empty.

    Raises:
        OrchestrationError: The backup is damaged or of a newer version, or the home is not empty.
    """
    manifest = verify(source)
    staging = home.root / _RESTORING
    plan = _plan(home, staging, manifest, replace=replace)
    say(f"the backup of {manifest['made_at']} is whole; copying it")
    _stage(source / FILES, staging / FILES, manifest)
    kept = home.root / COPIES / plan["kept"]
    _merge_erasures(staging / FILES, [home.root, kept])
    _swap(home.root, staging / FILES, kept, plan["names"])
    _keep_what_landed(home, kept)
    migrate(home, say)
    owe(home)  # before the warehouse is told of the erasures that it does not know
    _point_at(home)
    finish_interrupted(home, say)
    shutil.rmtree(staging)
    return kept if kept.is_dir() else None


def verify(source: Path) -> dict[str, Any]:
    """The manifest of a backup of which every file is as it was copied.

    Raises:
        OrchestrationError: It is none, or damaged, or of a newer version.
    """
    try:
        manifest: dict[str, Any] = json.loads((source / MANIFEST).read_bytes())
        is_whole = signed(manifest)["sha256"] == manifest["sha256"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        is_whole = False
    if not is_whole:
        rule = f"a folder with a whole {MANIFEST}, which a backup writes last"
        raise OrchestrationError(Problem("not a finished backup", str(source), rule=rule))
    if manifest["schema"] > SCHEMA:
        value, rule = f"schema {manifest['schema']}", f"schema {SCHEMA} or older"
        raise OrchestrationError(Problem("the backup is of a newer version", str(source), value, rule))
    damaged = [
        name
        for name, entry in manifest["files"].items()
        if not (source / FILES / name).is_file() or checksum(source / FILES / name) != entry["sha256"]
    ]
    if damaged:
        value = f"{len(damaged)} files, the first is {damaged[0]}"
        hint = "take another backup; nothing was changed"
        raise OrchestrationError(
            Problem("the backup is damaged", str(source), value, "as it was copied", hint)
        )
    return manifest


def _plan(home: Home, staging: Path, manifest: dict[str, Any], *, replace: bool) -> dict[str, Any]:
    """What was begun, or what begins now."""
    path = staging / _PLAN
    if path.exists():
        begun: dict[str, Any] = json.loads(path.read_bytes())
        if begun["sha256"] == manifest["sha256"]:
            return begun
        hint = "finish it, or give the folder .restoring/ in the home to nobody: remove it"
        raise OrchestrationError(Problem("another backup is being restored", str(home.root), hint=hint))
    # Without its plan it is of a restore that was killed before its first step or after its last.
    shutil.rmtree(staging, ignore_errors=True)
    if not replace and any(entry.is_file() for entry in home.root.rglob("*")):
        hint = "--replace keeps what is there in copies/"
        raise OrchestrationError(Problem("the home is not empty", str(home.root), hint=hint))
    names = sorted({name.split("/")[0] for name in (*manifest["files"], *manifest["links"])})
    at = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    plan = {"sha256": manifest["sha256"], "names": names, "kept": f"replaced-{at}"}
    home.root.mkdir(parents=True, exist_ok=True)
    home.root.chmod(0o700)
    staging.mkdir(mode=0o700, exist_ok=True)
    replace_durably(path, json.dumps(plan).encode())
    return plan


def _stage(source: Path, target: Path, manifest: dict[str, Any]) -> None:
    """Copy what has not been moved into place yet; what a killed restore has copied is looked at again."""
    if (target.parent / "staged").exists():
        return
    for name, entry in manifest["files"].items():
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if not copy.is_file() or checksum(copy) != entry["sha256"]:
            shutil.copy2(source / name, copy)
            sync(copy)
    for name, to in manifest["links"].items():
        link = target / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(to)
    replace_durably(target.parent / "staged", b"")


def _merge_erasures(staged: Path, homes: list[Path]) -> None:
    """All erasures of the backup and of the home that it replaces: what was erased since stays so."""
    if not staged.is_dir():
        return
    known = {row[2:]: row for folder in (*homes, staged) for row in read_erasures(folder)[0]}
    if known:
        write_lines(staged / JOURNAL, journal_lines(sorted(known.values())))


def _swap(root: Path, staged: Path, kept: Path, names: list[str]) -> None:
    """Move each entry of the home aside and that of the backup in; every state between says what is left to do."""
    there = {path.name for path in root.iterdir()} - {_RESTORING, COPIES}
    for name in sorted(there | set(names) | {JOURNAL}):
        new = staged / name
        is_new = new.exists() or new.is_symlink()
        if name in names and not is_new:
            continue  # in place already
        old = root / name
        if (old.exists() or old.is_symlink()) and not (kept / name).exists():
            kept.mkdir(parents=True, exist_ok=True)
            old.rename(kept / name)
        if is_new:
            new.rename(root / name)
    sync(root)


def _point_at(home: Home) -> None:
    """Views name lake files by absolute paths: the backup's are those of the home that it was taken from."""
    if not home.warehouse.exists():
        return
    with writer(home.warehouse) as connection:
        is_landed = has_table(connection, "landing", "home")
        here = [(str(home.root.resolve()),)]
        # Where the home lies as before, the file stays as it was, to the byte.
        if is_landed and connection.execute("select root from landing.home").fetchall() != here:
            open_landing(connection, home.root)


def _keep_what_landed(home: Home, kept: Path) -> None:
    """Files of the landing folder that the backup does not have are still to be taken."""
    landing = kept / home.landing.name
    for path in sorted(landing.rglob("*")) if landing.is_dir() else ():
        target = home.landing / path.relative_to(landing)
        if path.is_file() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
