"""The hash of the code sees every file that can compute a row."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from fairsplit.orchestration.project import DBT_PROJECT_DIR, PACKAGES, PROJECT_ROOT
from fairsplit.orchestration.provenance import code_hash
from fairsplit.orchestration.provenance.code_hash import (
    FLAT_FILES,
    PUBLICATION,
    RESULTS,
    closure,
    dbt_sources,
    files_hash,
)

if TYPE_CHECKING:
    from pathlib import Path

_LOADED = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps([getattr(m, "__file__", "") for n, m in sys.modules.items() if n.partition(".")[0] == "fairsplit"]))
"""


@pytest.mark.parametrize("roots", [RESULTS, PUBLICATION, FLAT_FILES])
def test_the_closure_holds_whatever_python_loads(roots: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LOADED, *roots], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True
    )
    loaded = {path.removeprefix(f"{PACKAGES}/") for path in json.loads(done.stdout)}
    assert len(loaded) > 20
    assert loaded <= set(closure(PACKAGES, roots))


def test_what_computes_is_in_the_closure_and_what_only_shows_is_not() -> None:
    rows, pages = closure(PACKAGES, RESULTS), closure(PACKAGES, PUBLICATION)
    for name in (
        "fairsplit/orchestration/landing/landing.sql",
        "fairsplit/orchestration/landing/rows.py",
        "fairsplit/orchestration/judging/cut_offs.py",
        "fairsplit/orchestration/warehouse/targetings.py",
        "fairsplit/analysis/judgement/deciding.py",
        "fairsplit/analysis/statistics/moments.py",
        "fairsplit/analysis/catalogue/compiled_metrics.py",
    ):
        assert name in rows
    assert "fairsplit/analysis/scorecards/templates/scorecard.html.j2" in pages.keys() - rows.keys()
    assert not any(name.startswith("fairsplit/orchestration/cli/") for name in pages)


def test_an_edited_line_anywhere_changes_the_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    files = closure(PACKAGES, RESULTS) | dbt_sources(DBT_PROJECT_DIR)
    hashes = {files_hash(files)}
    hashes |= {files_hash(files | {name: content + b"\n# edited\n"}) for name, content in files.items()}
    assert len(hashes) == len(files) + 1

    versions = {"duckdb": "1", "polars": "1", "numpy": "1", "scipy": "1"}
    monkeypatch.setattr(code_hash, "version", versions.__getitem__)
    for engine in tuple(versions):
        versions[engine] = "2"
        hashes.add(files_hash(files))
    assert len(hashes) == len(files) + 1 + len(versions)


def test_a_module_that_is_new_is_in_the_closure(tmp_path: Path) -> None:
    room = tmp_path / "fairsplit" / "analysis"
    (room / "inner").mkdir(parents=True)
    (tmp_path / "fairsplit" / "__init__.py").write_text("")
    (room / "__init__.py").write_text("")
    (room / "inner" / "__init__.py").write_text("")
    (room / "a.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import fairsplit.analysis.types\n"
        "def late():\n    from fairsplit.analysis.inner import (\n        b,\n    )\n"
    )
    (room / "inner" / "b.py").write_text("import fairsplit.analysis.c as c\n")
    (room / "inner" / "beside.sql").write_text("select 1")
    for name in ("c", "types", "unused"):
        (room / f"{name}.py").write_text("")
    assert sorted(closure(tmp_path, ("fairsplit.analysis.a",))) == [
        "fairsplit/__init__.py",
        "fairsplit/analysis/__init__.py",
        "fairsplit/analysis/a.py",
        "fairsplit/analysis/c.py",
        "fairsplit/analysis/inner/__init__.py",
        "fairsplit/analysis/inner/b.py",
        "fairsplit/analysis/inner/beside.sql",
    ]
