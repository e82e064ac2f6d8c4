"""The posts that are planned, and what somebody fixes in a schedule's file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from fairsplit.analysis.catalogue.findings import parse_model
from fairsplit.analysis.catalogue.schedules import Schedule, schedule_findings
from fairsplit.analysis.catalogue.yaml_source import parse_yaml
from fairsplit.analysis.errors import Problem
from fairsplit.analysis.lifecycle.editing import rewritten, stamp
from fairsplit.assignment_exports.durable import replace_durably
from fairsplit.orchestration.catalogue.loading import read_definitions
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.project import catalog_dir
from fairsplit.orchestration.reading.results import require_known, rows_of
from fairsplit.orchestration.warehouse.opening import has_table

if TYPE_CHECKING:
    from datetime import datetime

    import duckdb


def planned_posts(connection: duckdb.DuckDBPyConnection, schedule: str | None) -> list[dict[str, Any]]:
    """Rows of `results.schedule`, by time.

    Args:
        connection: On the warehouse.
        schedule: Only this one.

    Raises:
        OrchestrationError: Nothing is planned yet, or the schedule names nothing.
    """
    if not has_table(connection, "results", "schedule"):
        raise OrchestrationError(Problem("nothing is planned yet", hint="run `fairsplit run` first"))
    rows = rows_of(connection, "from results.schedule order by post_at, schedule_id")
    if schedule is None:
        return rows
    require_known(
        schedule,
        {row["schedule_id"] for row in rows} | set(read_definitions().catalogue.schedules),
        "schedule",
        "ID",
    )
    return [row for row in rows if row["schedule_id"] == schedule]


def add_override(
    schedule: str, at: datetime, experiment: str | None, variant: str | None, reason: str
) -> None:
    """Append an override to a schedule's file, every other line of which stays as it is.

    Args:
        schedule: Its id.
        at: Naive UTC, whole seconds.
        experiment: What is posted; none for nothing.
        variant: The arm.
        reason: The author's words.

    Raises:
        OrchestrationError: The schedule names nothing, there is no reason, or the file would not be valid.
    """
    definitions = read_definitions()
    require_known(schedule, definitions.catalogue.schedules, "schedule", "ID")
    if not reason.strip():
        raise OrchestrationError(
            Problem("an override needs a reason", "schedule override", rule="--reason TEXT")
        )
    catalog = catalog_dir()
    path = next((catalog / "schedules").rglob(f"{schedule}.yaml"))
    fixed = CommentedMap({"at": stamp(at)})
    if experiment is not None:
        fixed["experiment"] = experiment
    if variant is not None:
        fixed["variant"] = variant
    fixed["reason"] = reason.strip()

    def change(data: CommentedMap) -> None:
        data.setdefault("overrides", CommentedSeq()).append(fixed)

    text = rewritten(path.read_text(encoding="utf-8"), change)
    document = parse_yaml(text, path.relative_to(catalog).as_posix())
    parsed = parse_model(Schedule, document)
    problems = (
        parsed
        if isinstance(parsed, list)
        else [one.problem(document) for one in schedule_findings(parsed, definitions.catalogue.experiments)]
    )
    if problems:
        raise OrchestrationError(problems[0])
    replace_durably(path, text.encode())
