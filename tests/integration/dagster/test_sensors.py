"""The sensors ask for the right runs, once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from orchestration.dbt import ensure_manifest
from orchestration.paths import Home
from orchestration.runs import RANGE_END, RANGE_START

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration


@pytest.fixture
def sensors(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("FAIRSPLIT_HOME", str(tmp_path))
    ensure_manifest(Home(tmp_path).prepare())
    from orchestration.defs.automation import sensors  # noqa: PLC0415  (needs dbt's manifest)

    return sensors


def test_a_new_file_asks_for_one_landing(sensors, tmp_path: Path) -> None:
    first = sensors.new_landed_files(dg.build_sensor_context(cursor=None))
    path = tmp_path / "landing" / "a.ndjson"
    path.write_text("{}\n")
    context = dg.build_sensor_context(cursor=sensors.listing_hash(path.parent))
    again = sensors.new_landed_files(context)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    touched = sensors.new_landed_files(context)
    assert isinstance(first, dg.RunRequest)
    assert isinstance(again, dg.SkipReason)
    assert isinstance(touched, dg.RunRequest)
    assert touched.run_key != first.run_key


def landed(metadata: dict[str, str]) -> dg.DagsterInstance:
    """An instance that knows one landing with that metadata."""

    @dg.asset(name="landed_files")
    def landing() -> dg.MaterializeResult:
        return dg.MaterializeResult(metadata=metadata)

    instance = dg.DagsterInstance.ephemeral()
    dg.materialize([landing], instance=instance)
    return instance


def test_a_landing_asks_for_the_outstanding_range(sensors) -> None:
    from orchestration.definitions import defs  # noqa: PLC0415

    with landed({"outstanding_from": "2026-01-07", "outstanding_to": "2026-01-09"}) as instance:
        context = dg.build_sensor_context(instance=instance, definitions=defs())
        (request,) = sensors.outstanding_days.evaluate_tick(context).run_requests
    assert (request.tags[RANGE_START], request.tags[RANGE_END]) == ("2026-01-07", "2026-01-09")


def test_a_landing_without_a_complete_day_asks_for_nothing(sensors) -> None:
    from orchestration.definitions import defs  # noqa: PLC0415

    with landed({}) as instance:
        context = dg.build_sensor_context(instance=instance, definitions=defs())
        tick = sensors.outstanding_days.evaluate_tick(context)
    assert not tick.run_requests
    assert tick.skip_message == "no day is outstanding"


def test_a_changed_definition_waits_until_a_day_is_built(sensors) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance=instance, cursor="before")
        skipped = sensors.changed_definitions(context)
        assert context.cursor != "before"
        unchanged = sensors.changed_definitions(context)
    assert str(skipped.skip_message) == "no day has been built yet"
    assert str(unchanged.skip_message) == "no definition has changed"


def test_a_failed_run_leaves_one_alert(sensors, tmp_path: Path) -> None:
    @dg.op
    def breaks() -> None:
        raise RuntimeError("user-4711 is not told")

    @dg.job
    def doomed() -> None:
        breaks()

    with dg.DagsterInstance.ephemeral() as instance:
        result = doomed.execute_in_process(instance=instance, raise_on_error=False)
        context = dg.build_run_status_sensor_context(
            sensor_name="failed_runs",
            dagster_instance=instance,
            dagster_run=result.dagster_run,
            dagster_event=result.get_run_failure_event(),
        ).for_run_failure()
        sensors.failed_runs(context)
        sensors.failed_runs(context)
    (alert,) = (tmp_path / "notices").glob("*.md")
    assert alert.name == f"alert-{result.run_id}.md"
    assert "**breaks**" in alert.read_text()
    assert "4711" not in alert.read_text()
