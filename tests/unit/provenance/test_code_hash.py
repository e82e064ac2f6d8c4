"""The hash of the code sees every file that can compute a row."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from fairsplit.analysis.catalogue.metrics import SEMANTIC_FOLDER, load_metrics
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


def test_every_module_whose_rows_carry_the_hash_is_in_the_closure() -> None:
    """A row that names the code that computed it is computed by code that the hash covers."""
    rows = closure(PACKAGES, RESULTS)
    for path in sorted((PROJECT_ROOT / "orchestration" / "judging").rglob("*.py")):
        if "code_hash()" in path.read_text():
            assert f"fairsplit/orchestration/judging/{path.name}" in rows
    assert "fairsplit/analysis/aa/certification.py" in rows


def test_a_teams_own_metrics_are_in_the_hash_of_their_rows(tmp_path: Path) -> None:
    """A team's metrics lie in no room of ours: their text is in the hash of the definition that every row carries."""
    (tmp_path / SEMANTIC_FOLDER).mkdir(parents=True)
    text = (DBT_PROJECT_DIR / SEMANTIC_FOLDER / "measures.yml").read_text()
    shown = "  - {name: it, label: x, type: simple, type_params: {measure: MEASURE}, config: {meta: {fairsplit: META}}}"
    hashes = []
    for measure, window, expr in (
        ("clicks", "7d", "1"),
        ("clicks", "7d", "2"),
        ("clicks", "1d", "1"),
        ("impressions", "7d", "1"),
    ):
        own = text.replace(
            "case when event_name = 'click' then 1 end", f"case when event_name = 'click' then {expr} end"
        )
        (tmp_path / SEMANTIC_FOLDER / "measures.yml").write_text(own)
        meta = f"{{kind: count, unit: x, direction: increase, window: {window}}}"
        metric = "metrics:\n" + shown.replace("MEASURE", measure).replace("META", meta)
        (tmp_path / SEMANTIC_FOLDER / "metrics.yml").write_text(metric + "\n")
        hashes.append(load_metrics(tmp_path)["it"].definition_hash)
    assert len(set(hashes)) == len(hashes)


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
