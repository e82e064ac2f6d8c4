"""Distributions with custom parts, as a package manager would leave them in a folder on the path."""

from __future__ import annotations

import sys
import tomllib
from importlib import invalidate_caches
from pathlib import Path
from typing import TYPE_CHECKING

from fairsplit.analysis.parts.installed import installed

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "plugin"


def install(
    site: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    entries: Mapping[str, Mapping[str, str]],
    *,
    version: str = "1.0.0",
    modules: Mapping[str, str] | None = None,
) -> None:
    """Put a distribution on the path until the test ends.

    Args:
        site: A folder for it.
        monkeypatch: Takes it off the path again.
        name: Of the distribution.
        entries: By group of entry points, what each name stands for.
        version: Of the distribution.
        modules: Text of its modules by their names; none where they lie elsewhere.
    """
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = [
        f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in its.items()) for group, its in entries.items()
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))
    for module, text in (modules or {}).items():
        (site / f"{module}.py").write_text(text)
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.syspath_prepend(str(site))
    invalidate_caches()
    installed.cache_clear()


def install_example(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package of `examples/plugin`, as its own `pyproject.toml` names it."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    monkeypatch.syspath_prepend(str(EXAMPLE))
    install(site, monkeypatch, project["name"], project["entry-points"], version=project["version"])
