"""examples/host: Fairsplit's definitions merged into a code location with assets, a job and a resource of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fairsplit.assignment_exports.bucketing import shard
from fairsplit.orchestration.starting.writing import write_project

HOST = Path(__file__).parents[3] / "examples" / "host"
pytestmark = pytest.mark.integration

RUN = """
import json, os
from datetime import timedelta
import dagster as dg
from definitions import defs

graph = defs.resolve_asset_graph()
said = {
    "keys": sorted(key.to_user_string() for key in graph.executable_asset_keys),
    "groups": sorted({graph.get(key).group_name for key in graph.executable_asset_keys}),
    "jobs": sorted(job.name for job in defs.jobs),
    "sensors": sorted(sensor.name for sensor in defs.sensors),
    "pools": sorted({pool for key in graph.executable_asset_keys for pool in graph.get(key).pools}),
    "above": sorted(key.to_user_string() for key in graph.get(dg.AssetKey(["exp", "landed_files"])).parent_keys),
}
with dg.DagsterInstance.ephemeral() as instance:
    def run(job, **tags):
        result = defs.resolve_job_def(job).execute_in_process(instance=instance, tags=tags, raise_on_error=False)
        said[job] = result.success
        return result

    run("daily")
    sensor = defs.resolve_sensor_def("exp_upstream_ready")
    context = dg.build_multi_asset_sensor_context(
        monitored_assets=[dg.AssetKey(["shop", "tracked_events"])], instance=instance, definitions=defs
    )
    said["asked"] = type(sensor(context)).__name__
    landing = os.path.join("experiments", ".fairsplit", "landing", "shop.ndjson")
    os.utime(landing, (1_769_817_600, 1_769_817_600))
    run("exp_land")
    days = {"dagster/asset_partition_range_start": "2026-01-05", "dagster/asset_partition_range_end": "2026-01-08"}
    result = run("exp_daily", **days)
    kind = "ASSET_CHECK_EVALUATION"
    checks = [event.event_specific_data for event in result.all_events if event.event_type_value == kind]
    said["checks of models"] = sum(check.asset_key.path[0] == "exp" for check in checks)
    said["checks"] = len(checks)
print(json.dumps(said))
"""


def _extract() -> list[dict[str, str]]:
    """400 users in the arms that the hash gives; every second one of the treatment buys, every fifth of the control."""
    rows = []
    for number in range(400):
        user, seen = f"u{number}", datetime(2026, 1, 5, tzinfo=UTC) + timedelta(minutes=number)
        arm = "control" if shard("first_experiment-split", user) < 5_000 else "treatment"
        row = {"event_id": f"v{number}", "event_name": "experiment_viewed", "occurred_at": seen.isoformat()}
        rows.append(row | {"user_id": user, "experiment_id": "first_experiment", "variation_id": arm})
        if number % (2 if arm == "treatment" else 5) == 0:
            bought = (seen + timedelta(minutes=1)).isoformat()
            rows.append(
                {"event_id": f"p{number}", "event_name": "purchase", "occurred_at": bought, "user_id": user}
            )
    return rows


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("host")
    shutil.copy(HOST / "definitions.py", folder)
    write_project(folder / "experiments")
    (folder / "extract.json").write_text(json.dumps(_extract()))
    return folder


def python(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("FAIRSPLIT_")}
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_beside_a_teams_own_assets_from_extract_to_decision(host: Path) -> None:
    done = python(host, RUN)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    own = {"shop/tracked_events"}
    assert own < set(said["keys"])
    assert all(key.startswith("exp/") for key in set(said["keys"]) - own)
    assert all(group.startswith("exp_") for group in set(said["groups"]) - {"shop"})
    assert said["jobs"] == ["daily", "exp_certification", "exp_daily", "exp_land"]
    assert "exp_upstream_ready" in said["sensors"]
    assert said["pools"] == ["exp_warehouse"]
    assert said["above"] == ["exp/catalogue", "shop/tracked_events"]
    assert [said[job] for job in ("daily", "exp_land", "exp_daily")] == [True, True, True], done.stderr[
        -3000:
    ]
    assert said["asked"] == "RunRequest"
    # dbt's tests are checks of the prefixed assets: the gate holds.
    assert said["checks"] == said["checks of models"] > 10

    code = (
        "import fairsplit, json; found = fairsplit.open('experiments').results('first_experiment'); "
        "found = found.filter(found['analysis'] == 'default'); "
        "print(json.dumps(found.select('variant_id', 'n', 'total').to_dicts()))"
    )
    rows = _extract()
    arms = {row["user_id"]: row["variation_id"] for row in rows if "variation_id" in row}
    buyers = [row["user_id"] for row in rows if row["event_name"] == "purchase"]
    expected = [
        {
            "variant_id": arm,
            "n": sum(one == arm for one in arms.values()),
            "total": float(sum(arms[user] == arm for user in buyers)),
        }
        for arm in ("control", "treatment")
    ]
    assert json.loads(python(host, code).stdout) == expected


def test_a_project_that_cannot_be_read_leaves_the_hosts_assets_standing(tmp_path: Path) -> None:
    (tmp_path / "fairsplit.yaml").write_text("catalogue: x\n")
    code = (
        "import dagster as dg, fairsplit; defs = fairsplit.build_definitions('.', prefix='exp'); "
        "(spec,) = defs.resolve_all_asset_specs(); print(spec.key.to_user_string(), spec.description)"
    )
    done = python(tmp_path, code)
    assert done.stdout.startswith(
        "exp/catalogue The project cannot be read: fairsplit.yaml:1 catalogue: unknown key 'catalogue'"
    ), done.stderr
