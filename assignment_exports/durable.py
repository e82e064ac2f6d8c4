"""Files written so that a kill or a power cut leaves the old or the new, and their checksums."""

from __future__ import annotations

import hashlib
import os
import shutil
from typing import TYPE_CHECKING

from fairsplit.analysis.errors import Problem
from fairsplit.assignment_exports.errors import ExportError

if TYPE_CHECKING:
    from pathlib import Path


def checksum(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Have the disk keep a file, or a folder's names."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_durably(path: Path, content: bytes) -> None:
    """Write a new file, and its folders, and have the disk keep its bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def replace_durably(path: Path, content: bytes) -> None:
    """Write a file's whole content; whoever reads it meanwhile gets the old or the new."""
    partial = path.with_name(f".{path.name}.part")
    write_durably(partial, content)
    partial.replace(path)
    sync(path.parent)


def copy_durably(source: Path, target: Path) -> str:
    """Copy a file in; its checksum.

    Raises:
        ExportError: It is missing.
    """
    if not source.is_file():
        raise ExportError(
            Problem(
                "a file to be exported is missing",
                where=str(source),
                rule="an existing file",
                hint="run again",
            )
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    sync(target)
    return checksum(target)
