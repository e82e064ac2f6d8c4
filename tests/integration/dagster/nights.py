"""A program for a process of its own: ticks of the nightly schedule, each executed as asked, one JSON line a tick.

Reads steps from standard input: the instant of the tick and the files that lie in the landing folder by then.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, date, datetime

import dagster as dg

from fairsplit.orchestration.project import Home
from fairsplit.orchestration.running.runs import RANGE_END, RANGE_START, execute
from fairsplit.orchestration.warehouse.dbt import ensure_manifest


def main() -> None:
    home = Home.from_environment().prepare()
    ensure_manifest(home)
    from fairsplit.orchestration.definitions import defs  # noqa: PLC0415  (needs dbt's manifest)

    repository = defs().get_repository_def()
    for step in json.load(sys.stdin):
        for name, at, text in step["files"]:
            path = home.landing / name
            path.write_text(text)
            seconds = datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()
            os.utime(path, (seconds, seconds))
        at = datetime.fromisoformat(step["at"]).replace(tzinfo=UTC)
        with dg.DagsterInstance.from_config(str(home.dagster)) as instance:
            context = dg.build_schedule_context(
                instance=instance, scheduled_execution_time=at, repository_def=repository
            )
            tick = repository.get_schedule_def("nightly").evaluate_tick(context)
        asked = [
            [
                request.partition_key or request.tags[RANGE_START],
                request.partition_key or request.tags[RANGE_END],
            ]
            for request in tick.run_requests
        ]
        for first, last in asked:
            execute(home, "daily", (date.fromisoformat(first), date.fromisoformat(last)))
        alerts = len(list(home.notices.glob("alert-*.md")))
        print(json.dumps({"at": step["at"], "asked": asked, "skipped": tick.skip_message, "alerts": alerts}))  # noqa: T201


if __name__ == "__main__":
    main()
