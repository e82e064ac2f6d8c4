"""Where a home stands: landed, built, outstanding, failing, gated, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from fairsplit.assignment_exports.publishing import current_version
from fairsplit.orchestration.catalogue.loading import read_definitions
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.home import intents
from fairsplit.orchestration.home.transitions import is_begun
from fairsplit.orchestration.landing.scan import settled_files, waiting_files
from fairsplit.orchestration.publishing.ledger import is_published
from fairsplit.orchestration.running.storage import dagster_instance
from fairsplit.orchestration.warehouse.opening import has_table, reader
from fairsplit.orchestration.warehouse.outstanding import frontier, newest_arrival, outstanding_days

if TYPE_CHECKING:
    from datetime import date, datetime
    from pathlib import Path

    import duckdb

    from fairsplit.orchestration.project import Home

_CLOSED = """
    select distinct experiment_id from results.validity
    where status = 'fail' and cut_off = (select max(cut_off) from results.validity) order by 1
"""


@dataclass(frozen=True, slots=True)
class Status:
    """What `fairsplit status` says; counts are of files and rows, instants naive UTC, days UTC.

    Attributes:
        files: Files taken, and files that could not be read.
        rows: Rows read, and of them rows in quarantine.
        newest_arrival: Of a file that was read.
        waiting: Settled files that the next run takes.
        built_to: The last day built.
        outstanding: First and last day that a run would build; none where nothing is outstanding.
        published: Version of the allocation configs in force.
        last_run: Job and outcome of the newest run that ended.
        failing: The newest run ended badly.
        definition_problems: One sentence for each fault of a definition.
        gated: Experiments whose gate is closed at the newest cut-off.
        begun: Commands of several steps that were killed between two of them.
    """

    files: tuple[int, int] = (0, 0)
    rows: tuple[int, int] = (0, 0)
    newest_arrival: datetime | None = None
    waiting: int = 0
    built_to: date | None = None
    outstanding: tuple[date, date] | None = None
    published: str | None = None
    last_run: str | None = None
    failing: bool = False
    definition_problems: tuple[str, ...] = ()
    gated: tuple[str, ...] = ()
    begun: tuple[str, ...] = ()

    @property
    def next_steps(self) -> list[str]:
        """What to do, the most urgent first; empty where nothing is to be done."""
        steps = []
        if self.begun:
            steps.append(f"{', '.join(self.begun)} was begun and not finished: `fairsplit run` finishes it")
        if self.failing:
            steps.append("the newest run failed: open `fairsplit ui`, mend what it names, `fairsplit run`")
        if self.definition_problems:
            steps.append("definitions are broken: `fairsplit validate`")
        if self.files[1]:
            steps.append(
                "files could not be read: see the data page, or `files_are_readable` in `fairsplit ui`"
            )
        if self.waiting or self.outstanding:
            steps.append("`fairsplit run`, or leave it to the schedule of `fairsplit ui`")
        if self.gated:
            steps.append(f"open the page of {self.gated[0]}: its gate is closed, and the page says why")
        return steps


def read_status(home: Home, catalog: Path, now: datetime) -> Status:
    """The state of a home, by its warehouse, folders and Dagster's runs; nothing is written.

    Args:
        home: May be empty.
        catalog: The catalogue's folder.
        now: Naive UTC.

    Raises:
        OrchestrationError: A run holds the warehouse.
        CatalogueError: `project.yaml` is missing or wrong.
    """
    definitions = read_definitions(catalog)
    problems = (*definitions.catalogue.problems, *definitions.metric_problems)
    known: dict[str, object] = {"definition_problems": tuple(str(problem) for problem in problems)}
    known |= _last_run(home)
    known["begun"] = (*intents.outstanding(home), *(["experiment"] if is_begun(catalog) else []))
    version = current_version(home.exports) if home.exports.is_dir() else None
    known["published"] = version.version if version else None
    if home.warehouse.exists():
        with reader(home.warehouse) as connection:
            if has_table(connection, "landing", "manifest"):
                known |= _landed(connection, home, catalog, now)
            if has_table(connection, "results", "validity"):
                known["gated"] = tuple(name for (name,) in connection.execute(_CLOSED).fetchall())
    elif home.landing.is_dir():
        known["waiting"] = len(settled_files(home.landing, now))
    return Status(**known)  # type: ignore[arg-type]


def _landed(
    connection: duckdb.DuckDBPyConnection, home: Home, catalog: Path, now: datetime
) -> dict[str, object]:
    taken, unreadable, rows, quarantined = connection.execute(
        """select count(*) filter (status = 'taken'), count(distinct path) filter (status = 'unreadable'),
               coalesce(sum(rows_read), 0)::bigint, coalesce(sum(rows_quarantined), 0)::bigint
           from landing.manifest"""
    ).fetchall()[0]
    return {
        "files": (taken, unreadable),
        "rows": (rows, quarantined),
        "newest_arrival": newest_arrival(connection),
        "waiting": len(waiting_files(home.landing, connection, now)),
        "built_to": frontier(connection),
        "outstanding": outstanding_days(
            connection, published=is_published(connection, catalog) and not intents.outstanding(home)
        ),
    }


def _last_run(home: Home) -> dict[str, object]:
    if not (home.dagster / "dagster.yaml").exists():
        return {}
    ended = dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE])
    try:
        with dagster_instance(home) as instance:
            runs = instance.get_runs(ended, limit=1)
    except OrchestrationError as error:
        return {"last_run": f"unknown: {error}"}
    if not runs:
        return {}
    failing = runs[0].status is dg.DagsterRunStatus.FAILURE
    return {"last_run": f"{runs[0].job_name} {runs[0].status.value.lower()}", "failing": failing}
