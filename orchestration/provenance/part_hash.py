"""Which code a custom part is: its distribution, its version, and the text of its package."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from fairsplit.analysis.parts.installed import GROUPS, installed

if TYPE_CHECKING:
    from fairsplit.analysis.parts.installed import Part


def part_hash(part: Part) -> str:
    """One md5 over a part's name, distribution, version and the modules of its package; an edit changes it."""
    digest = hashlib.md5(usedforsecurity=False)
    digest.update(repr((part.name, part.distribution, part.version, part.entry.value)).encode())
    for path in _modules(part.package):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _rows_hash(code_hash: str, part: Part) -> str:
    """The hash that rows judged by a part carry: of our code, and of its own."""
    return hashlib.md5(f"{code_hash}|{part_hash(part)}".encode(), usedforsecurity=False).hexdigest()


def part_rows_hashes(code_hash: str) -> dict[str, str]:
    """By the name of each installed part that judges, the hash of the rows that it does."""
    judging = {**installed("tests"), **installed("metrics")}
    return {name: _rows_hash(code_hash, part) for name, part in judging.items()}


def all_parts_hash() -> str:
    """The same of every part that is installed; empty where none is."""
    hashes = [f"{group}|{part_hash(part)}" for group in GROUPS for part in installed(group).values()]
    return hashlib.md5("\n".join(hashes).encode(), usedforsecurity=False).hexdigest() if hashes else ""


def _modules(package: str) -> list[Path]:
    spec = find_spec(package)
    if spec is None:
        return []
    if spec.submodule_search_locations:
        return sorted(
            path for folder in spec.submodule_search_locations for path in Path(folder).rglob("*.py")
        )
    return [Path(spec.origin)] if spec.origin else []
