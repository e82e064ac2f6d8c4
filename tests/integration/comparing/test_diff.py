"""`fairsplit diff --base REF`: what a pull request changes, and how the newest figures will move."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.integration.starting.test_projects import call

from fairsplit.assignment_exports.bucketing import shard
from fairsplit.orchestration.starting.writing import write_project

EXPERIMENT = "catalog/experiments/first_experiment.yaml"
METRICS = "dbt/models/semantic/metrics.yml"
SEEN = datetime(2026, 1, 5, tzinfo=UTC)


def git(folder: Path, *arguments: str) -> None:
    names = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    subprocess.run(["git", "-C", str(folder), *names, *arguments], check=True, capture_output=True)


def changed(file: Path, old: str, new: str) -> None:
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A new project below the top of a repository, committed."""
    git(tmp_path, "init", "-b", "main")
    write_project(tmp_path / "team" / "experiments")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-m", "begin")
    return tmp_path / "team" / "experiments"


def test_definitions_and_exports_that_differ(project: Path) -> None:
    nothing = call(project, "diff", "--base", "main").stdout
    assert "No definition differs." in nothing
    assert "No flag differs." in nothing

    changed(project / EXPERIMENT, "weight: 0.5", "weight: 0.50")
    changed(project / EXPERIMENT, "owner: growth@example.com", "owner: shop@example.com")
    told = call(project, "diff", "--base", "HEAD").stdout
    assert "| experiment | first_experiment | changed | owner |" in told
    assert "### Computed anew\n\nNothing." in told, "an owner changes no number"

    changed(project / METRICS, "window: 1d", "window: 2d")
    (project / "catalog" / "flags").mkdir()
    (project / "catalog" / "flags" / "theme.yaml").write_text(
        "{id: theme, name: Theme, owner: a@example.com, type: string, default: light, value: dark, rollout: 0.1}\n"
    )
    changed(
        project / EXPERIMENT, "{id: treatment, weight: 0.50}", "{id: treatment, weight: 0.50, config: {a: 1}}"
    )
    told = call(project, "diff", "--base", "main").stdout
    assert "| metric | purchase_conversion | changed | window_end |" in told
    assert "| first_experiment | " in told.partition("### Computed anew")[2].partition("###")[0]
    exports = told.partition("### Exported configs")[2].replace("\\", "")
    assert "| ufc | first_experiment__config | changed |" in exports
    assert "| ufc | theme | added |" in exports

    (project / EXPERIMENT).write_text("id: [\n")
    told = call(project, "diff", "--base", "main").stdout
    assert "| experiment | first_experiment | broken |" in told


@pytest.mark.parametrize(
    ("folder", "ref", "said"),
    [(".", "no-such-branch", "git cannot read the base"), (".", "--output=x", "git cannot read the base")],
)
def test_a_base_that_is_none(project: Path, folder: str, ref: str, said: str) -> None:
    done = call(project / folder, "diff", f"--base={ref}")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert said in done.stderr


def test_a_project_outside_of_git(tmp_path: Path) -> None:
    write_project(tmp_path / "alone")
    done = call(tmp_path / "alone", "diff", "--base", "main", GIT_CEILING_DIRECTORIES=str(tmp_path.parent))
    assert (done.returncode, "git cannot read the base" in done.stderr) == (1, True)


@pytest.mark.integration
@pytest.mark.slow
def test_figures_move_as_the_next_run_then_moves_them(project: Path) -> None:
    """A window that is longer: what `diff` foretells is what `run` computes afterwards; the home stays as it was."""
    # The last day is that of the newest event: by then all windows have closed.
    last = {
        "event_id": "last",
        "event_name": "session_start",
        "user_id": "nobody",
        "occurred_at": "2026-01-08T12:00:00Z",
    }
    rows = [last]
    for number in range(60):
        user, seen = f"u{number}", SEEN + timedelta(minutes=number)
        arm = "control" if shard("first_experiment-split", user) < 5_000 else "treatment"
        rows.append(
            {"event_id": f"v{number}", "event_name": "experiment_viewed", "user_id": user,
             "occurred_at": seen.isoformat(), "experiment_id": "first_experiment", "variation_id": arm}
        )  # fmt: skip
        if number % 3 == 0:
            bought = (seen + timedelta(hours=4 if number % 2 else 30)).isoformat()
            rows.append(
                {"event_id": f"p{number}", "event_name": "purchase", "user_id": user, "occurred_at": bought}
            )
    landed = project / ".fairsplit" / "landing" / "events.ndjson"
    landed.parent.mkdir(parents=True)
    landed.write_text("".join(json.dumps(row) + "\n" for row in rows))
    long_ago = datetime(2026, 1, 9, 12, tzinfo=UTC).timestamp()
    os.utime(landed, (long_ago, long_ago))
    done = call(project, "run")
    assert done.returncode == 0, done.stderr[-2000:]

    def newest() -> dict[str, tuple[int, float]]:
        (found,) = json.loads(call(project, "results", "--format", "json").stdout)
        return {
            row["variant_id"]: (row["n"], row["mean"])
            for row in found["comparisons"]
            if (row["analysis"], row["segment"]) == ("default", "all")
        }

    before = newest()
    changed(project / METRICS, "window: 1d", "window: 2d")
    told = call(project, "diff", "--base", "main", "--figures")
    assert told.returncode == 0, told.stderr[-2000:]
    assert newest() == before
    assert call(project, "run").returncode == 0
    after = newest()
    for arm in ("control", "treatment"):
        assert before[arm][1] < after[arm][1]
        (line,) = [one for one in told.stdout.splitlines() if f"purchase_conversion | {arm} |" in one]
        then, now = line.removesuffix(" |").split(" | ")[-2:]
        assert f"{before[arm][0]} units, mean {before[arm][1]:.6g}" in then
        assert f"{after[arm][0]} units, mean {after[arm][1]:.6g}" in now
