"""A project of one's own: written, checked, served by a real SDK, and judged; and what is said of wrong settings."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.sdks import python_sdk

USERS = 2_000
BUYS = {"control": 0.10, "treatment": 0.20}


def call(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """The command as a user calls it in a folder, without what this process's environment says of homes."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("FAIRSPLIT_")}
    return subprocess.run(
        [sys.executable, "-c", "from fairsplit.orchestration.cli import main; main()", *arguments],
        cwd=folder,
        env=environment | settings,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new project, with packages beside it that have the names of Fairsplit's rooms."""
    folder = tmp_path_factory.mktemp("team")
    for name in ("analysis", "orchestration"):
        (folder / "own" / name).mkdir(parents=True)
        (folder / "own" / name / "__init__.py").write_text("raise ImportError('the wrong package')\n")
    done = call(folder, "init", "own/experiments")
    assert done.returncode == 0, done.stderr
    return folder / "own" / "experiments"


def test_a_new_project_is_sound_and_is_not_written_over(project: Path) -> None:
    assert call(project, "validate").stdout.startswith("1 experiment, 0 flags, 0 segments, 1 metric sound")
    again = call(project.parent, "init", "experiments")
    assert (again.returncode, again.stderr) == (
        1,
        "error: experiments: the folder is not empty (a new folder). Hint: name a new folder, or an empty one\n",
    )


def test_a_project_in_odd_places(tmp_path: Path) -> None:
    """A path with blanks, an empty repository, a folder inside another project, a link, a missing HOME, a file."""
    (tmp_path / "with blanks" / ".git").mkdir(parents=True)
    (tmp_path / "with blanks" / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    done = call(tmp_path, "init", "with blanks")
    assert done.returncode == 0, done.stderr
    assert "Next: `cd 'with blanks'`," in done.stdout
    assert ".git/" not in done.stdout
    outer = tmp_path / "with blanks"
    (outer / "fairsplit.yaml").write_text("catalog: catalog\ndbt: dbt\nhome: elsewhere\n")
    assert call(outer, "init", "inner").returncode == 0
    (tmp_path / "link").symlink_to(outer / "inner")
    found = call(tmp_path / "link" / "catalog", "export", HOME="")
    assert found.returncode == 0, found.stderr
    assert (outer / "inner" / ".fairsplit" / "exports" / "current").exists()
    assert not (outer / "elsewhere").exists(), "the nearest settings count"
    (tmp_path / "file").write_text("")
    for name, said in (("file", "the folder is not empty"), ("file/below", "not a directory")):
        refused = call(tmp_path, "init", name)
        assert (refused.returncode, said in refused.stderr, refused.stderr.count("\n")) == (1, True, 1)


@pytest.mark.integration
def test_the_readme_followed_literally_leads_to_a_verdict(tmp_path: Path) -> None:
    """Issue 18: its experiment, its events made by hand, and no gate that closes."""
    root = Path(__file__).parents[3]
    parts = re.findall(
        r"^ *```(\w+)\n(.*?)^ *```", (root / "README.md").read_text(), re.DOTALL | re.MULTILINE
    )
    (definition,) = (textwrap.dedent(text) for language, text in parts if language == "yaml")
    by_hand = next(textwrap.dedent(text) for _, text in parts if "by_hand.ndjson" in text)
    (tmp_path / "fairsplit.yaml").write_text("home: .fairsplit\n")
    (tmp_path / "catalog" / "experiments").mkdir(parents=True)
    shutil.copy(root / "catalog" / "project.yaml", tmp_path / "catalog")
    (tmp_path / "catalog" / "experiments" / "green_button.yaml").write_text(definition)
    landed = tmp_path / ".fairsplit" / "landing" / "by_hand.ndjson"
    landed.parent.mkdir(parents=True)
    subprocess.run([sys.executable, "-c", by_hand], cwd=tmp_path, check=True)
    long_ago = datetime(2026, 2, 4, tzinfo=UTC).timestamp()
    os.utime(landed, (long_ago, long_ago))
    done = call(tmp_path, "run")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (found,) = json.loads(call(tmp_path, "results", "--format", "json").stdout)
    assert found["gate"] == []
    assert (found["decision"]["decision"], found["decision"]["action"]) == ("stop", "ship")
    assert found["decision"]["sentence"].startswith("Ship green: Checkout conversion +")


@pytest.mark.integration
@pytest.mark.slow
def test_served_by_the_sdk_and_judged_to_a_verdict(project: Path) -> None:
    """The arms are those that Eppo's SDK serves from the first export; 10 % against 20 % of 1,000 users each ship."""
    done = call(project, "export")
    assert done.returncode == 0, done.stderr
    payload = (project / ".fairsplit" / "exports" / "current" / "ufc.json").read_bytes()
    serve = python_sdk("ufc", payload)
    draw = random.Random(20260105)  # noqa: S311
    rows = []
    for number in range(USERS):
        user = f"user-{number}"
        arm = serve("string", "first_experiment", user, {})
        seen = datetime(2026, 1, 5, tzinfo=UTC) + timedelta(minutes=number * 10)
        rows.append(
            {"event_id": f"v{number}", "event_name": "experiment_viewed", "user_id": user,
             "occurred_at": seen.isoformat(), "experiment_id": "first_experiment", "variation_id": arm}
        )  # fmt: skip
        if draw.random() < BUYS[arm]:
            bought = (seen + timedelta(minutes=4)).isoformat()
            rows.append(
                {"event_id": f"p{number}", "event_name": "purchase", "user_id": user, "occurred_at": bought}
            )
    landed = project / ".fairsplit" / "landing" / "events.ndjson"
    landed.write_text("".join(json.dumps(row) + "\n" for row in rows))
    long_ago = datetime(2026, 1, 31, tzinfo=UTC).timestamp()
    os.utime(landed, (long_ago, long_ago))

    done = call(project, "run")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert (project / ".fairsplit" / "site" / "current" / "index.html").exists()
    (found,) = json.loads(call(project, "results", "first_experiment", "--format", "json").stdout)
    assert found["gate"] == []
    assert [found["decision"]["action"], found["decision"]["variant_id"]] == ["ship", "treatment"]
    # Counted in the rows themselves: those who were seen before the last complete day ended.
    treated = {
        row["user_id"]
        for row in rows
        if row.get("variation_id") == "treatment" and row["occurred_at"] < "2026-01-18"
    }
    bought = {row["user_id"] for row in rows if row["event_name"] == "purchase"}
    place = {"variant_id": "treatment", "analysis": "default", "segment": "all"}
    (row,) = [one for one in found["comparisons"] if place.items() <= one.items()]
    assert row["total"] == len(bought & treated)
    # dbt's lineage and docs know this team's metric, and none of the demo's.
    manifest = json.loads((project / ".fairsplit" / "dbt-project" / "manifest.json").read_text())
    assert [metric["name"] for metric in manifest["metrics"].values()] == ["purchase_conversion"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            "catalogue: x\n",
            "fairsplit.yaml:1 catalogue: unknown key 'catalogue' (one of: catalog, dbt, home, library)",
        ),
        ("home: 7\n", "fairsplit.yaml:1 home: no folder (7: a path from this file)"),
        ("dbt: nowhere\n", "fairsplit.yaml:1 dbt: no such folder (nowhere)"),
        ("- a\n", "fairsplit.yaml: no settings (['a']: keys and values)"),
    ],
)
def test_wrong_settings_are_one_sentence(tmp_path: Path, settings: str, said: str) -> None:
    (tmp_path / "fairsplit.yaml").write_text(settings)
    done = call(tmp_path, "status")
    assert (done.returncode, done.stderr) == (1, f"error: {said}\n")


def test_the_project_is_found_from_a_folder_below_it_and_by_name(project: Path, tmp_path: Path) -> None:
    assert call(project / "catalog", "validate").returncode == 0
    assert call(tmp_path, "validate", FAIRSPLIT_PROJECT=str(project)).stdout.startswith("1 experiment,")
    done = call(tmp_path, "validate", FAIRSPLIT_PROJECT=str(tmp_path))
    assert done.returncode == 1
    assert "no project (fairsplit.yaml in the working directory or above it)" in done.stderr


def test_the_demo_world_is_a_project_too(tmp_path: Path) -> None:
    assert call(tmp_path, "demo", "world").returncode == 0
    done = call(tmp_path / "world", "validate")
    assert done.returncode == 0
    assert "no problems" in done.stdout
