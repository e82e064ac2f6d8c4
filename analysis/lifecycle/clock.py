"""Life by the clock: what a definition does at its dates without a command.

The file stays as its author wrote it. A draft in stage `pre_launch` is ready: it starts at its start. What ran is over
at its end, although it may still be shipped or extended. An experiment whose data were faulty at every cut-off for the
declared time has failed.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from fairsplit.analysis.catalogue.experiment import Experiment
    from fairsplit.analysis.catalogue.loading import Catalogue


def starts_by_itself(experiment: Experiment) -> bool:
    """Whether a draft needs no command: a list must stand first, and only `fairsplit experiment start` asks for it."""
    return (
        experiment.status == "draft" and experiment.stage == "pre_launch" and experiment.assignment == "hash"
    )


def launched(catalogue: Catalogue) -> Catalogue:
    """The definitions with every draft that starts by itself running: exposures count, and are served, from its start.

    Args:
        catalogue: The user's definitions.
    """
    started = {"status": "running", "stage": "running"}
    experiments = {
        name: item.model_copy(update=started) if starts_by_itself(item) else item
        for name, item in catalogue.experiments.items()
    }
    return replace(catalogue, experiments=experiments)


def status_at(experiment: Experiment, at: datetime) -> str:
    """The status at an instant.

    Args:
        experiment: In force: `launched`, and with everything that was done automatically.
        at: Naive UTC.

    Returns:
        The declared status, but ``draft`` before the start and ``completed`` from the end on of what is running or
        paused.
    """
    if experiment.status not in {"running", "paused"}:
        return experiment.status
    if at < experiment.start:
        return "draft"
    return "completed" if experiment.end is not None and at >= experiment.end else experiment.status


def status_told(experiment: Experiment, at: datetime, failed: Collection[str]) -> str:
    """The status that pages and figures have: that at the instant, or ``failed``.

    Args:
        experiment: In force, as for `status_at`.
        at: Naive UTC.
        failed: From `failed_experiments`.
    """
    status = status_at(experiment, at)
    return "failed" if status == "running" and experiment.id in failed else status


def failed_experiments(decisions: Iterable[Mapping[str, Any]], failed_after: timedelta | None) -> set[str]:
    """Experiments whose gate was closed at every cut-off of the declared time, up to the newest.

    Args:
        decisions: Rows of `DECISIONS`, by cut-off.
        failed_after: The declared time; none for never.
    """
    if failed_after is None:
        return set()
    since: dict[str, Any] = {}
    last: dict[str, Any] = {}
    for row in decisions:
        name = row["experiment_id"]
        last[name] = row["cut_off"]
        if row["action"] == "fix_data":
            since.setdefault(name, row["cut_off"])
        else:
            since.pop(name, None)
    return {
        name
        for name, first in since.items()
        if _end_of(last[name]) - _end_of(first) + timedelta(days=1) >= failed_after
    }


def clock_lines(declared: Experiment, at: datetime) -> list[tuple[datetime, str]]:
    """What happened to an experiment without a command, by an instant.

    Args:
        declared: As the file says.
        at: Naive UTC.
    """
    lines = []
    if starts_by_itself(declared) and declared.start <= at:
        lines.append((declared.start, "start (draft → running): its start has come"))
    open_still = declared.status in {"running", "paused"} or starts_by_itself(declared)
    if open_still and declared.end is not None and declared.end <= at:
        lines.append((declared.end, "complete (running → completed): its end has come"))
    return lines


def _end_of(day: Any) -> datetime:
    return datetime.combine(day, time()) + timedelta(days=1)
