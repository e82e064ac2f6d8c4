"""Tests beside a definition that give data: which decision the judgement reaches from them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from fairsplit.analysis.catalogue.findings import Finding
from fairsplit.analysis.judgement.arms import timing
from fairsplit.analysis.judgement.definitions import experiment_frame, use_frame
from fairsplit.analysis.judgement.facts import Facts
from fairsplit.analysis.judgement.judging import judge_cut_offs
from fairsplit.analysis.judgement.pairing import LETTERS, SUMS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

    from fairsplit.analysis.catalogue.experiment import Experiment, ExperimentTest, GivenValues
    from fairsplit.analysis.catalogue.loading import Catalogue
    from fairsplit.analysis.catalogue.metrics import MetricDefinition
    from fairsplit.analysis.catalogue.yaml_source import KeyPath

#: Tests of a metric that two moments an arm are enough for.
_BY_MOMENTS = ("proportion", "welch")
_DAILY = {
    "experiment_id": pl.String,
    "segment": pl.String,
    "segment_level": pl.String,
    "exposure_day": pl.Date,
    "phase": pl.Int32,
    "variant_id": pl.String,
    "units": pl.Int64,
    "crossovers": pl.Int64,
}


def example_findings(
    experiment: Experiment, catalogue: Catalogue, metrics: Mapping[str, MetricDefinition]
) -> Iterator[Finding]:
    """Each test with data whose decision is another than expected, or that cannot be computed from what it gives.

    The experiment is judged as if it were running and all units had been exposed on its first day in its first phase,
    so that the split is judged with the rest. A plan with several looks is looked at on that day alone.

    Args:
        experiment: Sound, with the project's defaults.
        catalogue: Where it stands.
        metrics: Metric definitions by name.
    """
    for position, test in enumerate(experiment.tests):
        if test.data is None:
            continue
        where: KeyPath = ("tests", position)
        faults = list(_faults(experiment, metrics, test, where))
        yield from faults
        if faults:
            continue
        said = _decided(experiment, catalogue, metrics, test)
        expected = {"decision": test.decision, "variant_id": test.variant, "reason": test.reason}
        got = {**said, "reason": said["reasons"][0]}
        for key, wanted in expected.items():
            if wanted is not None and got[key] != wanted:
                yield Finding(
                    where,
                    "the test fails",
                    f"got {_word(got)}",
                    f"expected {_word(expected)}",
                    str(said["sentence"]),
                )
                break


def _word(said: Mapping[str, Any]) -> str:
    return " ".join(str(said[key]) for key in ("decision", "variant_id", "reason") if said[key] is not None)


def _faults(
    experiment: Experiment, metrics: Mapping[str, MetricDefinition], test: ExperimentTest, where: KeyPath
) -> Iterator[Finding]:
    declared = [variant.id for variant in experiment.variants]
    data = test.data or {}
    if test.variant is not None and test.variant not in declared:
        yield Finding((*where, "variant"), "unknown variant", test.variant, f"one of: {', '.join(declared)}")
    if set(data) != set(declared):
        yield Finding((*where, "data"), "not the declared variants", ", ".join(data), ", ".join(declared))
        return
    used = {use.metric for _, use in experiment.metric_uses}
    for arm, given in data.items():
        for name, values in given.metrics.items():
            here: KeyPath = (*where, "data", arm, "metrics", name)
            if name not in used:
                yield Finding(here, "not a metric of this experiment", name, ", ".join(sorted(used)))
                continue
            metric = metrics[name]
            if metric.test not in _BY_MOMENTS or metric.denominator is not None or metric.winsorize:
                rule = f"a metric with test: {' or '.join(_BY_MOMENTS)}, of no ratio and without caps"
                yield Finding(here, "needs more than the moments of an arm", metric.test, rule)
            elif (metric.test == "proportion") != (values.events is not None):
                rule = "events" if metric.test == "proportion" else "mean and sd"
                yield Finding(here, "has the other form", "", rule)
            elif values.events is not None and values.events > given.units:
                yield Finding(here, "more events than units", str(values.events), f"≤ {given.units}")
    lead = experiment.metrics.primary[0].metric
    lacking = [arm for arm, given in data.items() if lead not in given.metrics]
    if lacking:
        yield Finding((*where, "data", lacking[0]), "says nothing of the first primary metric", lead)


def _decided(
    experiment: Experiment,
    catalogue: Catalogue,
    metrics: Mapping[str, MetricDefinition],
    test: ExperimentTest,
) -> dict[str, Any]:
    running = experiment.model_copy(
        update={"status": "running", "pauses": (), "phases": experiment.history[:1], "tests": ()}
    )
    alone = replace(catalogue, experiments={running.id: running}, flags={}, broken={}, problems=())
    first = running.start.date()
    if test.day is not None:
        cut_off = first + timedelta(days=test.day - 1)
    else:
        cut_off = timing(experiment_frame(alone), use_frame(alone, metrics), first)["verdict_day"][0]
    data = test.data or {}
    rows = [
        _row(running, metrics[name], arm, given.units, values, cut_off)
        for arm, given in data.items()
        for name, values in given.metrics.items()
    ]
    statistics = pl.DataFrame(rows, schema_overrides={**dict.fromkeys(SUMS, pl.Int128), "scale_d": pl.Int64})
    daily = pl.DataFrame(
        [(running.id, "all", "all", first, 0, arm, given.units, 0) for arm, given in data.items()],
        schema=_DAILY,
        orient="row",
    )
    judged = judge_cut_offs(
        Facts(sufficient_statistics=statistics, daily_exposures=daily), alone, metrics, [cut_off]
    )
    return judged.decisions.row(0, named=True)


def _row(
    experiment: Experiment, metric: MetricDefinition, arm: str, units: int, values: GivenValues, cut_off: date
) -> dict[str, Any]:
    """The sufficient statistics of an arm; its covariate is not known."""
    scale = metric.scale_y
    if values.events is not None:
        total = values.events * scale
        square = values.events * scale**2
    else:
        mean, sd = values.mean or 0.0, values.sd or 0.0
        total = round(units * mean * scale)
        square = round((max(units - 1, 0) * sd**2 + units * mean**2) * scale**2)
    sums: dict[str, int | None] = dict.fromkeys(SUMS)
    sums |= {f"sum_{LETTERS[0]}": total, f"sum_{LETTERS[0] * 2}": square}
    return {
        "cut_off": cut_off,
        "experiment_id": experiment.id,
        "metric": metric.name,
        "segment": "all",
        "segment_level": "all",
        "variant_id": arm,
        "analysis": "crossovers_excluded" if experiment.crossovers == "exclude" else "default",
        "n": units,
        "n_open": 0,
        "scale_y": scale,
        "scale_d": None,
        "covariate_status": "not_declared",
        "cap_low": None,
        "cap_high": None,
        **sums,
    }
