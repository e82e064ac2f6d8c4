"""The folder tree is the architecture: imports point one way, and nothing names this machine."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
ALLOWED = {
    "analysis": {"analysis"},
    "assignment_exports": {"assignment_exports", "analysis"},
    "orchestration": {"orchestration", "assignment_exports", "analysis"},
}
FORBIDDEN_IN_ANALYSIS = {"dagster", "dagster_dbt", "duckdb", "dbt"}


def imported_roots(path: Path) -> set[str]:
    roots: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            roots |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            roots |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.removeprefix("fairsplit.").split(".")[0] for name in roots}


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_imports_point_one_way(room: str) -> None:
    for path in (ROOT / room).rglob("*.py"):
        wrong = (imported_roots(path) & set(ALLOWED)) - ALLOWED[room]
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


def test_analysis_is_pure() -> None:
    for path in (ROOT / "analysis").rglob("*.py"):
        wrong = imported_roots(path) & FORBIDDEN_IN_ANALYSIS
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"
        text = path.read_text()
        assert "os.environ" not in text, path
        assert not re.search(r"\bdatetime\.now\(|\btime\.time\(|date\.today\(", text), path


def test_both_dagster_entries_name_the_same_module() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["dg"]["project"]
    workspace = yaml.safe_load((ROOT / "workspace.yaml").read_text())
    expected = {
        "module_name": project["code_location_target_module"],
        "location_name": project["code_location_name"],
    }
    assert workspace["load_from"] == [{"python_module": expected}]


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / line for line in listed.stdout.splitlines()]


def test_no_machine_path_and_no_index_address_in_any_file() -> None:
    index_hosts = ["pypi." + "org", "pythonhosted." + "org", "registry.npmjs." + "org"]
    machine_paths = ["/ro" + "ot/", "/wo" + "rk/", "file:///o" + "pt"]
    for path in tracked_files():
        if not path.is_file() or path.suffix in {".png", ".parquet", ".gz"}:
            continue
        text = path.read_text(errors="replace")
        for needle in index_hosts + machine_paths:
            assert needle not in text, f"{path.relative_to(ROOT)} contains {needle}"


def test_python_files_stay_short() -> None:
    for path in tracked_files():
        if path.suffix == ".py" and path.is_file() and path.relative_to(ROOT).parts[0] in ALLOWED:
            assert len(path.read_text().splitlines()) <= 500, (
                f"{path.relative_to(ROOT)} has more than one idea"
            )
