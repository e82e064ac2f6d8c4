"""A program for a process of its own: a home that schedules and sensors run, at instants that it is given.

Reads steps from standard input, each `[instant, what, value]`, and prints one JSON line at each `morning`:

- `drop`: a name and a text, which land at that instant;
- `look`: both sensors are evaluated, and then the failure sensor for each run that failed;
- `night`: the schedule is evaluated;
- `fail`: the next n attempts to export raise;
- `kill`: from now on the next daily run is a process that is killed in its middle;
- `edit`: a name and a text, written to the catalogue;
- `morning`: how far the home is.

Dagster's own evaluation decides what is asked for; a run that is asked for is executed before the next step.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
import duckdb

from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.project import PROJECT_ROOT, Home, catalog_dir
from fairsplit.orchestration.running.runs import RANGE_END, RANGE_START, execute
from fairsplit.orchestration.warehouse.dbt import ensure_manifest

SENSORS = ("new_landed_files", "outstanding_days")


class Clock(datetime):
    """What the sensors take for the clock."""

    at = datetime(2026, 1, 1, tzinfo=UTC)

    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # noqa: ARG003 (the base class's)
        return cls.at


class Operation:
    def __init__(self) -> None:
        self.home = Home.from_environment().prepare()
        ensure_manifest(self.home)
        from fairsplit.orchestration.definitions import defs  # noqa: PLC0415
        from fairsplit.orchestration.defs.automation import sensors  # noqa: PLC0415  (needs dbt's manifest)
        from fairsplit.orchestration.defs.publishing import assets  # noqa: PLC0415

        sensors.datetime = Clock
        self.failed_runs = sensors.failed_runs
        self.repository = defs().get_repository_def()
        self.cursors: dict[str, str | None] = dict.fromkeys(SENSORS)
        self.failures, self.kills, self.told = 0, False, set()
        self.asked: list[str] = []
        export = assets.publish

        def export_or_fail(*arguments: Any) -> Any:
            if self.failures:
                self.failures -= 1
                raise OSError(28, "No space left on device")
            return export(*arguments)

        assets.publish = export_or_fail

    def drop(self, value: list[str]) -> None:
        path = self.home.landing / value[0]
        path.write_text(value[1])
        os.utime(path, (Clock.at.timestamp(), Clock.at.timestamp()))

    def edit(self, value: list[str]) -> None:
        (catalog_dir() / value[0]).write_text(value[1])

    def fail(self, attempts: int) -> None:
        self.failures = attempts

    def kill(self, _: None) -> None:
        self.kills = True

    def look(self, _: None) -> None:
        for name in SENSORS:
            with self.instance() as instance:
                context = dg.build_sensor_context(
                    instance=instance, cursor=self.cursors[name], repository_def=self.repository
                )
                tick = self.repository.get_sensor_def(name).evaluate_tick(context)
            self.cursors[name] = tick.cursor
            self.run(tick, "land" if name == "new_landed_files" else "daily")
        self.watch()

    def night(self, _: None) -> None:
        with self.instance() as instance:
            context = dg.build_schedule_context(
                instance=instance, scheduled_execution_time=Clock.at, repository_def=self.repository
            )
            tick = self.repository.get_schedule_def("nightly").evaluate_tick(context)
        self.run(tick, "daily")
        self.watch()

    def morning(self, _: None) -> None:
        with duckdb.connect(str(self.home.warehouse), read_only=True) as connection:
            published = connection.execute("select count(*) from journal.publications").fetchall()[0][0]
            shown = connection.execute("select max(cut_off)::varchar from results.decisions").fetchall()[0][0]
        line = {
            "at": str(Clock.at),
            "shown": shown,
            "publications": published,
            "alerts": sorted(path.stem for path in self.home.notices.glob("alert-*.md")),
            "asked": self.asked,
        }
        self.asked = []
        print(json.dumps(line), flush=True)  # noqa: T201

    def instance(self) -> dg.DagsterInstance:
        return dg.DagsterInstance.from_config(str(self.home.dagster))

    def run(self, tick: Any, job: str) -> None:
        for request in tick.run_requests:
            days = None
            if job == "daily":
                first = request.partition_key or request.tags[RANGE_START]
                last = request.partition_key or request.tags[RANGE_END]
                days = date.fromisoformat(first), date.fromisoformat(last)
                self.asked.append(f"{first[-5:]}..{last[-5:]}")
                if self.kills:
                    self.killed(first, last)
                    continue
            try:
                execute(self.home, job, days)
            except OrchestrationError as error:
                print(error, file=sys.stderr)  # noqa: T201

    def killed(self, first: str, last: str) -> None:
        """The run in a process of its own, which a signal ends once the models are being built."""
        self.kills = False
        command = [
            sys.executable,
            "-c",
            "from fairsplit.orchestration.cli import main; main()",
            "backfill",
            first,
            last,
        ]
        process = subprocess.Popen(
            command, cwd=PROJECT_ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        for line in process.stderr:
            if "requested_day_is_complete" in line:
                break
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()

    def watch(self) -> None:
        """Dagster calls the failure sensor once for each run that failed."""
        with self.instance() as instance:
            for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE])):
                if run.run_id in self.told:
                    continue
                self.told.add(run.run_id)
                ended = instance.get_records_for_run(
                    run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE
                ).records
                self.failed_runs(
                    dg.build_run_status_sensor_context(
                        sensor_name="failed_runs",
                        dagster_instance=instance,
                        dagster_run=run,
                        dagster_event=ended[-1].event_log_entry.dagster_event,
                    ).for_run_failure()
                )


def main() -> None:
    operation = Operation()
    for at, what, value in json.load(sys.stdin):
        Clock.at = Clock.fromisoformat(at).replace(tzinfo=UTC)
        getattr(operation, what)(value)


if __name__ == "__main__":
    main()
