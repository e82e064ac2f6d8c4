"""The hash and the commit of the code that computes results.

A hash covers the import closure of its roots: every module that running them can load, with the files that lie beside
them (SQL, templates), read from the text of the import statements. So a helper that moves, or a module that is new,
needs no list to be kept.
"""

from __future__ import annotations

import ast
import hashlib
import subprocess
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from fairsplit.orchestration.project import DBT_PROJECT_DIR, PACKAGES, PROJECT_ROOT
from fairsplit.orchestration.provenance.part_hash import all_parts_hash

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_OURS: Final = "fairsplit"
#: From landed files to rows: ingest, definitions and their tables, and judging with all that it keeps; dbt is between.
RESULTS: Final = (
    "fairsplit.orchestration.landing",
    "fairsplit.orchestration.catalogue.loading",
    "fairsplit.orchestration.lifecycle.acting",
    "fairsplit.orchestration.judging.cut_offs",
    "fairsplit.orchestration.judging.interacting",
    "fairsplit.orchestration.judging.programme",
    "fairsplit.orchestration.judging.searching",
    "fairsplit.orchestration.judging.synthesising",
    "fairsplit.orchestration.judging.certifying",
)
#: From rows to what is published.
PUBLICATION: Final = (
    *RESULTS,
    "fairsplit.orchestration.publishing.exporting",
    "fairsplit.orchestration.publishing.site.inputs",
    "fairsplit.analysis.scorecards",
)
FLAT_FILES: Final = ("fairsplit.analysis.flat_files.analysing",)
#: Engines whose next version may round, sort or read otherwise.
ENGINES: Final = ("duckdb", "polars", "numpy", "scipy")
#: Where a statement holds statements; an import stands in no expression, and expressions are most of a tree.
_BLOCKS: Final = ("body", "orelse", "finalbody", "handlers", "cases")
_DBT_SUFFIXES: Final = {".sql", ".yml", ".yaml", ".csv", ".md"}


@cache
def code_hash() -> str:
    """One md5 over everything that computes a result row: equal hashes compute equal rows."""
    return files_hash(closure(PACKAGES, RESULTS) | dbt_sources(DBT_PROJECT_DIR))


@cache
def publication_hash() -> str:
    """The same over what writes pages and configs too, custom parts included: equal hashes publish equal results."""
    return files_hash(closure(PACKAGES, PUBLICATION) | dbt_sources(DBT_PROJECT_DIR)) + all_parts_hash()


@cache
def analysis_hash() -> str:
    """The same over the analysis of one flat file."""
    return files_hash(closure(PACKAGES, FLAT_FILES))


def files_hash(files: Mapping[str, bytes]) -> str:
    """One md5 over names, contents and the engines' versions."""
    digest = hashlib.md5(usedforsecurity=False)
    for name, content in sorted(files.items()):
        digest.update(name.encode())
        digest.update(content)
    digest.update(repr([(engine, version(engine)) for engine in ENGINES]).encode())
    return digest.hexdigest()


def dbt_sources(folder: Path) -> dict[str, bytes]:
    """The files of a dbt project that decide what it computes, by their path in it."""
    return {
        relative.as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.suffix in _DBT_SUFFIXES
        and (relative := path.relative_to(folder)).parts[0] not in {"target", "logs"}
        and path.is_file()
    }


def closure(root: Path, modules: tuple[str, ...]) -> dict[str, bytes]:
    """Every file that importing some modules can load, by its path below the root.

    Args:
        root: Folder of the rooms.
        modules: Dotted names.
    """
    found: set[Path] = set()
    waiting = list(modules)
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        parent = name.rpartition(".")[0]
        if parent:
            waiting.append(parent)
        path = _source(root, name)
        if path is None:
            continue
        # Beside the package's own first module lie the rooms, and what is hashed by itself.
        found |= {path} if name == _OURS else {path, *_beside(path)}
        waiting += _imports(path)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


def _source(root: Path, module: str) -> Path | None:
    """The file of a module; none where the name is that of something in a module."""
    place = root.joinpath(*module.split("."))
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None)


def _beside(path: Path) -> Iterator[Path]:
    """What a module may read: the other files of its folder, and of a package's folders without modules."""
    for one in path.parent.iterdir():
        if one.is_file() and one.suffix not in {".py", ".pyc"}:
            yield one
        elif one.is_dir() and one.name != "__pycache__" and not any(one.glob("*.py")):
            yield from (inner for inner in one.rglob("*") if inner.is_file())


def _imports(path: Path) -> Iterator[str]:
    """The names of our own that a module imports anywhere but for type checking alone."""
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            waiting += node.orelse
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == _OURS)
        elif isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == _OURS:
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        for block in _BLOCKS:
            waiting += getattr(node, block, ())


def commit() -> str:
    """The checked-out commit; empty outside a repository."""
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() if done.returncode == 0 else ""
