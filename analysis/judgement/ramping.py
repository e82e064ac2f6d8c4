"""Where a ramp stands: the step in force follows from the phases alone, so history says all that a ramp knows."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from fairsplit.analysis.catalogue.fields import duration_text
from fairsplit.analysis.judgement.wording import percent

if TYPE_CHECKING:
    from datetime import date

    from fairsplit.analysis.catalogue.experiment import Experiment
    from fairsplit.analysis.catalogue.loading import Catalogue

_SCHEMA: dict[str, Any] = {
    "experiment_id": pl.String,
    "ramp_to": pl.Float64,
    "ramp_step": pl.Int64,
    "ramp_steps": pl.Int64,
    "ramp_days": pl.Int64,
    "ramp_time_over": pl.Boolean,
    "ramp_min_sample": pl.Int64,
    "ramp_after_text": pl.String,
    "ramp_from_text": pl.String,
    "ramp_to_text": pl.String,
}


def ramp_frame(catalogue: Catalogue, cut_off: date) -> pl.DataFrame:
    """One row per experiment whose ramp has a step left, as of the end of a day.

    Args:
        catalogue: The definitions in force, what was done automatically included.
        cut_off: The day whose end counts.

    Returns:
        The next step's traffic `ramp_to`, its number, the days spent at the present traffic, whether they are
        enough, and the texts that sentences use. A ramp whose next phase is already set is complete or on its way
        and has no row.
    """
    now = datetime.combine(cut_off + timedelta(days=1), time())
    rows = [row for item in catalogue.experiments.values() if (row := _next_step(item, now))]
    return pl.DataFrame(rows, schema=_SCHEMA)


def _next_step(experiment: Experiment, now: datetime) -> dict[str, Any] | None:
    history = experiment.history
    begun = [phase for phase in history if phase.start < now]
    if experiment.ramp is None or experiment.status != "running" or len(begun) < len(history):
        return None
    traffic = begun[-1].traffic
    steps = experiment.ramp.steps
    wider = [(number, step) for number, step in enumerate(steps, start=1) if step.traffic > traffic]
    if not wider:
        return None
    number, step = wider[0]
    # A phase that only changed the weights does not begin the step anew.
    since = next(phase.start for phase in begun if phase.traffic == traffic)
    return {
        "experiment_id": experiment.id,
        "ramp_to": step.traffic,
        "ramp_step": number,
        "ramp_steps": len(steps),
        "ramp_days": (now - since).days,
        "ramp_time_over": now - since >= step.after,
        "ramp_min_sample": step.min_sample,
        "ramp_after_text": duration_text(step.after),
        "ramp_from_text": percent(traffic, signed=False),
        "ramp_to_text": percent(step.traffic, signed=False),
    }


def stopped_frame(catalogue: Catalogue, cut_off: date) -> pl.DataFrame:
    """Per experiment the variants without weight at the end of a day: no unit enters them any more.

    Args:
        catalogue: The definitions in force, what was done automatically included.
        cut_off: The day whose end counts.
    """
    now = datetime.combine(cut_off + timedelta(days=1), time())
    rows = []
    for item in catalogue.experiments.values():
        weights = [phase.weights for phase in item.history if phase.start < now]
        rows.append((item.id, [arm for arm, share in (weights or [{}])[-1].items() if share == 0]))
    schema: dict[str, Any] = {"experiment_id": pl.String, "stopped": pl.List(pl.String)}
    return pl.DataFrame(rows, schema=schema, orient="row")
