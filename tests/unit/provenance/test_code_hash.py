"""The hash of the code sees every file that can compute a row."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from fairsplit.orchestration.project import DBT_PROJECT_DIR, PROJECT_ROOT
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
rooms = ("analysis", "assignment_exports", "orchestration")
print(json.dumps([getattr(m, "__file__", "") for n, m in sys.modules.items() if n.partition(".")[0] in rooms]))
"""


@pytest.mark.parametrize("roots", [RESULTS, PUBLICATION, FLAT_FILES])
def test_the_closure_holds_whatever_python_loads(roots: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LOADED, *roots], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True
    )
    loaded = {path.removeprefix(f"{PROJECT_ROOT}/") for path in json.loads(done.stdout)}
    assert len(loaded) > 20
    assert loaded <= set(closure(PROJECT_ROOT, roots))


def test_what_computes_is_in_the_closure_and_what_only_shows_is_not() -> None:
    rows, pages = closure(PROJECT_ROOT, RESULTS), closure(PROJECT_ROOT, PUBLICATION)
    for name in (
        "orchestration/landing/landing.sql",
        "orchestration/landing/rows.py",
        "orchestration/judging/cut_offs.py",
        "orchestration/judging/effect_ages.py",
        "analysis/judgement/deciding.py",
        "analysis/statistics/moments.py",
        "analysis/catalogue/compiled_metrics.py",
    ):
        assert name in rows
    assert "analysis/scorecards/templates/scorecard.html.j2" in pages.keys() - rows.keys()
    assert not any(name.startswith("orchestration/cli/") for name in pages)


def test_an_edited_line_anywhere_changes_the_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    files = closure(PROJECT_ROOT, RESULTS) | dbt_sources(DBT_PROJECT_DIR)
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
    (tmp_path / "analysis" / "inner").mkdir(parents=True)
    (tmp_path / "analysis" / "__init__.py").write_text("")
    (tmp_path / "analysis" / "inner" / "__init__.py").write_text("")
    (tmp_path / "analysis" / "a.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import analysis.types\n"
        "def late():\n    from analysis.inner import (\n        b,\n    )\n"
    )
    (tmp_path / "analysis" / "inner" / "b.py").write_text("import analysis.c as c\n")
    (tmp_path / "analysis" / "inner" / "beside.sql").write_text("select 1")
    for name in ("c", "types", "unused"):
        (tmp_path / "analysis" / f"{name}.py").write_text("")
    assert sorted(closure(tmp_path, ("fairsplit.analysis.a",))) == [
        "analysis/__init__.py",
        "analysis/a.py",
        "analysis/c.py",
        "analysis/inner/__init__.py",
        "analysis/inner/b.py",
        "analysis/inner/beside.sql",
    ]
