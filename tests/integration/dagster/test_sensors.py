"""The sensors ask for the right runs, once."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest
from tests.oracle.homes import DrivenHome
from tests.oracle.worlds import EXPERIMENTS, FIRST_DAY, LAST_DAY, make_events, split

from fairsplit.orchestration.landing import IngestSettings, ingest_landing
from fairsplit.orchestration.project import PROJECT_ROOT, Home
from fairsplit.orchestration.publishing.ledger import record_publication
from fairsplit.orchestration.running.runs import RANGE_END, RANGE_START
from fairsplit.orchestration.warehouse.dbt import ensure_manifest
from fairsplit.orchestration.warehouse.opening import writer
from fairsplit.orchestration.warehouse.outstanding import pieces

pytestmark = pytest.mark.integration


@pytest.fixture
def sensors(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("FAIRSPLIT_HOME", str(tmp_path))
    ensure_manifest(Home(tmp_path).prepare())
    from fairsplit.orchestration.defs.automation import sensors  # noqa: PLC0415  (needs dbt's manifest)

    return sensors


def drop(home: Path, name: str, seconds_ago: int = 60) -> Path:
    path = home / "landing" / name
    path.write_text(f'{{"event_id": "{name}", "event_name": "x", "occurred_at": "2026-01-05T10:00:00Z"}}\n')
    at = time.time() - seconds_ago
    os.utime(path, (at, at))
    return path


def take(home: Path) -> None:
    with writer(Home(home).warehouse) as connection:
        ingest_landing(home, connection, IngestSettings(date(2026, 1, 1)), [], datetime.now(UTC))


def test_a_file_is_asked_for_until_it_is_taken(sensors, tmp_path: Path) -> None:
    """Case sensor-forgets-a-file: too young, a failed run, a repaired file."""
    context = dg.build_sensor_context()
    young = drop(tmp_path, "a.ndjson", seconds_ago=0)
    assert isinstance(sensors.new_landed_files(context), dg.SkipReason)
    os.utime(young, (1_767_700_000, 1_767_700_000))
    first = sensors.new_landed_files(context)
    # That run failed; the next tick asks again, and then the pauses grow.
    second = sensors.new_landed_files(context)
    third = sensors.new_landed_files(context)
    assert isinstance(first, dg.RunRequest)
    assert isinstance(second, dg.RunRequest)
    assert second.run_key != first.run_key
    assert "were not taken in 2 runs" in third.skip_message
    take(tmp_path)
    assert (
        sensors.new_landed_files(context).skip_message == "every settled file of the landing folder is known"
    )
    (tmp_path / "landing" / "a.ndjson").write_text("{}\n")
    os.utime(young, (1_767_700_001, 1_767_700_001))
    assert isinstance(sensors.new_landed_files(context), dg.RunRequest)


def test_nothing_is_asked_for_while_a_run_goes_on(sensors, tmp_path: Path) -> None:
    drop(tmp_path, "a.ndjson")
    with dg.DagsterInstance.ephemeral() as instance:
        going = dg.DagsterRun(job_name="daily", run_id=str(uuid.uuid4()), status=dg.DagsterRunStatus.STARTED)
        instance.add_run(going)
        for sensor in (sensors.new_landed_files, sensors.outstanding_days):
            skipped = sensor(dg.build_sensor_context(instance=instance))
            assert skipped.skip_message == f"run {going.run_id} of daily is queued or goes on"


def test_an_outstanding_range_is_asked_for_once_for_each_state(sensors, tmp_path: Path, monkeypatch) -> None:
    """Case one-landing-one-run."""
    home = DrivenHome(tmp_path, EXPERIMENTS)
    monkeypatch.setenv("FAIRSPLIT_HOME", str(home.home.root))
    monkeypatch.setenv("FAIRSPLIT_CATALOG", str(home.catalog))
    context = dg.build_sensor_context()
    assert sensors.outstanding_days(context).skip_message == "nothing has landed yet"
    for file in split(3, make_events(3)):
        home.land(file)
    home.ingest()
    request = sensors.outstanding_days(context)
    assert (request.tags[RANGE_START], request.tags[RANGE_END]) == (f"{FIRST_DAY}", f"{LAST_DAY}")
    # Whatever became of that run: the same state is not asked for again.
    assert "nothing has changed since" in sensors.outstanding_days(context).skip_message
    home.build(LAST_DAY)
    home.judge()
    again = sensors.outstanding_days(context)
    assert (again.tags[RANGE_START], again.tags[RANGE_END]) == (f"{LAST_DAY}", f"{LAST_DAY}")
    with writer(home.home.warehouse) as connection:
        record_publication(connection, home.catalog, datetime(2026, 1, 15), "v1", "s1")  # noqa: DTZ001
    assert sensors.outstanding_days(context).skip_message == "no day is outstanding"
    path = home.catalog / "experiments" / "plain.yaml"
    path.write_text(path.read_text() + "# another word\n")
    changed = sensors.outstanding_days(context)
    assert isinstance(changed, dg.RunRequest)
    assert changed.run_key not in {request.run_key, again.run_key}


def test_a_long_range_is_asked_for_in_months(sensors) -> None:
    days = list(pieces((date(2026, 1, 1), date(2026, 3, 15))))
    assert days == [
        (date(2026, 1, 1), date(2026, 1, 31)),
        (date(2026, 2, 1), date(2026, 3, 3)),
        (date(2026, 3, 4), date(2026, 3, 15)),
    ]


def test_automation_runs_unless_the_project_says_no(sensors) -> None:
    from fairsplit.orchestration.definitions import defs  # noqa: PLC0415

    loaded = defs()
    statuses = {it.name: it.default_status.value for it in (*loaded.sensors, *loaded.schedules)}
    assert set(statuses.values()) == {"RUNNING"}
    switched = subprocess.run(
        [sys.executable, "-c", "import fairsplit.orchestration.running.partitions as p; print(p.AUTOMATION)"],
        env={**os.environ, "FAIRSPLIT_CATALOG": str(off(Path(os.environ["FAIRSPLIT_HOME"])))},
        cwd=PROJECT_ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert switched.stdout == "False\n"


def off(folder: Path) -> Path:
    (folder / "project.yaml").write_text("first_day: 2026-01-01\nautomation: false\n")
    return folder


def test_an_incident_leaves_one_alert(sensors, tmp_path: Path) -> None:
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
        again = doomed.execute_in_process(instance=instance, raise_on_error=False)
        sensors.failed_runs(
            dg.build_run_status_sensor_context(
                sensor_name="failed_runs",
                dagster_instance=instance,
                dagster_run=again.dagster_run,
                dagster_event=again.get_run_failure_event(),
            ).for_run_failure()
        )
    (alert,) = (tmp_path / "notices").glob("*.md")
    assert alert.name == f"alert-{result.run_id}.md"
    assert "**breaks**" in alert.read_text()
    assert "4711" not in alert.read_text()
