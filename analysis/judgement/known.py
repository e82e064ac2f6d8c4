"""The definition as each cut-off knew it: a phase that begins later has no part in what a cut-off says."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from fairsplit.analysis.catalogue.hashing import experiment_hash, result_hash

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fairsplit.analysis.catalogue.experiment import Experiment, Phase
    from fairsplit.analysis.catalogue.loading import Catalogue
    from fairsplit.analysis.catalogue.metrics import MetricDefinition

#: From a cut-off's day to the midnight from which its weights hold: the config announces them a day before.
DAYS_AHEAD = 2
_SPAN: dict[str, Any] = {"known_from": pl.Date, "known_until": pl.Date}


def begin_of_weights(day: date) -> datetime:
    """The midnight from which what a cut-off decides about weights is in force."""
    return datetime.combine(day + timedelta(days=DAYS_AHEAD), time())


def known_phases(experiment: Experiment, day: date) -> list[Phase]:
    """The phases that a cut-off knows: those before the one that it might open itself.

    Args:
        experiment: The definition in force.
        day: The cut-off.
    """
    return [phase for phase in experiment.history if phase.start < begin_of_weights(day)]


def version_frame(catalogue: Catalogue) -> pl.DataFrame:
    """One row per experiment and version of its phases: the cut-offs that know it, half-open, and its hash.

    Args:
        catalogue: The definitions in force.
    """
    rows = [
        (item.id, item.status, *span, experiment_hash(version))
        for item in catalogue.experiments.values()
        for span, version in _versions(item)
    ]
    schema = {"experiment_id": pl.String, "status": pl.String, **_SPAN, "definition_hash": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def result_hashes(catalogue: Catalogue, metrics: Mapping[str, MetricDefinition]) -> pl.DataFrame:
    """One row per experiment, version of its phases and metric: the hash that its result rows carry.

    Args:
        catalogue: The definitions in force.
        metrics: By name.
    """
    rows = [
        (item.id, use.metric, *span, result_hash(version, metrics[use.metric]))
        for item in catalogue.experiments.values()
        for span, version in _versions(item)
        for _, use in item.metric_uses
    ]
    schema = {"experiment_id": pl.String, "metric": pl.String, **_SPAN, "definition_hash": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _versions(experiment: Experiment) -> Iterator[tuple[tuple[date, date], Experiment]]:
    if experiment.ramp:
        # What a ramp says next depends on the steps that are set already, however far ahead.
        yield (date.min, date.max), experiment
        return
    history = experiment.history
    starts = [phase.start.date() - timedelta(days=DAYS_AHEAD - 1) for phase in history[1:]]
    spans = zip([date.min, *starts], [*starts, date.max], strict=True)
    for count, span in enumerate(spans, start=1):
        if span[0] < span[1]:
            yield span, experiment.model_copy(update={"phases": history[:count]})
