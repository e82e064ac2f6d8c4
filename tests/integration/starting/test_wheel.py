"""The wheel holds what a project needs, and works where nothing of the repository is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of what git knows, unpacked as an installer does."""
    folder = tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if not name.startswith(("tests/", "docs/", "benchmarks/")) and os.path.lexists(ROOT / name):
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / "source" / name, follow_symlinks=False)
    build = ["pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", "."]
    subprocess.run([sys.executable, "-m", *build, "./source"], cwd=folder, check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder / "installed")
    return folder / "installed"


def test_the_wheel_has_one_name_of_its_own(installed: Path) -> None:
    assert {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")} == {
        "fairsplit"
    }


@pytest.mark.parametrize("folder", ["dbt_project", "catalog", "orchestration", "analysis"])
def test_the_wheel_holds_every_file(installed: Path, folder: str) -> None:
    package = installed / "fairsplit"
    as_installed = {"dbt_project": "dbt", "catalog": "demo"}
    listed = subprocess.run(
        ["git", "ls-files", "-z", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for path in filter(None, listed.stdout.split("\0")):
        first, _, rest = path.partition("/")
        if rest.rpartition("/")[2].startswith("."):
            continue  # keeps an empty folder, or speaks to editors
        assert (package / as_installed.get(first, first) / rest).is_file(), path


def test_a_project_is_written_and_found_sound_by_the_wheel(installed: Path, tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("FAIRSPLIT_")}
    environment["PYTHONPATH"] = str(installed)
    # It is this package that answers, not the one that the environment has.
    code = (
        "import fairsplit, sys; assert fairsplit.__file__.startswith(sys.argv.pop(1)), fairsplit.__file__; "
        "from fairsplit.orchestration.cli import main; main()"
    )

    def call(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code, str(installed), *arguments]
        return subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )

    assert call(tmp_path, "init", "own").returncode == 0
    done = call(tmp_path / "own", "validate")
    assert done.stdout.startswith("1 experiment, 0 flags, 0 segments, 1 metric sound"), done.stderr
    assert call(tmp_path / "own", "export").returncode == 0
    done = call(tmp_path, "status")
    assert done.returncode == 1
    assert "`fairsplit init DIR` writes a project" in done.stderr
