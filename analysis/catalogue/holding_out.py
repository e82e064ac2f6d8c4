"""An experiment that measures a holdout: its arms are the gate's two sides, so they are computed and not logged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from analysis.catalogue.experiment import Exposure, Phase, Salts
from analysis.catalogue.findings import Finding, did_you_mean
from analysis.catalogue.shards import exact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from analysis.catalogue.experiment import Experiment
    from analysis.catalogue.project import Holdout, Project

#: Keys that decide who is in which arm, or what is served: the holdout decides, and nothing is.
_DECIDED: Final = (
    "assignment",
    "traffic",
    "phases",
    "sticky",
    "ramp",
    "layer",
    "salts",
    "config_schema",
    "targeting",
    "overrides",
    "shipped",
    "tests",
)


def measured(experiment: Experiment, project: Project) -> Experiment:
    """A checked experiment with the arms, weights and salt of the holdout that it measures; any other as it is.

    What is held out is the control. It stands first, for the shards that a holdout keeps begin at 0.
    """
    if experiment.holdout is None:
        return experiment
    holdout = next(one for one in project.holdouts if one.id == experiment.holdout)
    arms = (experiment.control, *(arm for arm in experiment.variants if not arm.control))
    weights = {arms[0].id: holdout.share, arms[1].id: float(1 - exact(holdout.share))}
    phase = Phase(start=experiment.start, traffic=1.0, weights=weights, salts=Salts(split=holdout.gate_salt))
    return experiment.model_copy(update={"variants": arms, "phases": (phase,)})


def measuring_findings(experiment: Experiment, project: Project) -> Iterator[Finding]:
    """What an experiment cannot say beside the holdout that it measures."""
    if experiment.holdout is None:
        return
    known = {one.id: one for one in project.holdouts}
    holdout = known.get(experiment.holdout)
    if holdout is None:
        rule = f"one of: {', '.join(known)}" if known else "project.yaml declares none"
        near = did_you_mean(experiment.holdout, known)
        yield Finding(("holdout",), "unknown holdout", experiment.holdout, rule, near)
    else:
        yield from _gate_findings(experiment, holdout)
    if experiment.type != "ab":
        yield Finding(("type",), "a holdout has two sides", experiment.type, "type: ab")
    for key in _DECIDED:
        if key in experiment.model_fields_set:
            rule = "no such key beside holdout"
            yield Finding((key,), "the holdout decides who is in which arm, and serves nothing", rule=rule)
    for position, arm in enumerate(experiment.variants):
        for key in sorted({"weight", "config"} & arm.model_fields_set):
            yield Finding(
                ("variants", position, key),
                "the holdout's share is the weight, and nothing is served",
                rule="no such key",
            )
    yield from _exposure_findings(experiment)
    for key in ("automatic", "poor_performer"):
        if key in experiment.stopping.model_fields_set:
            rule = "taking the holdout out of project.yaml releases its units"
            yield Finding(("stopping", key), "a holdout's sides cannot be changed by a decision", rule=rule)


def _gate_findings(experiment: Experiment, holdout: Holdout) -> Iterator[Finding]:
    if experiment.id in holdout.named:
        rule = f"holdout '{holdout.id}' without it"
        yield Finding(("holdout",), "the holdout would hold units out of its own measurement", rule=rule)
    if experiment.unit != holdout.unit:
        rule = f"{holdout.unit}, as holdout '{holdout.id}'"
        yield Finding(("unit",), "the holdout holds out another kind of unit", experiment.unit, rule)
    if holdout.start is not None and experiment.start < holdout.start:
        rule = f"{holdout.start.isoformat()}Z or later"
        value = f"{experiment.start.isoformat()}Z"
        yield Finding(("start",), "nobody was held out yet", value, rule)


def _exposure_findings(experiment: Experiment) -> Iterator[Finding]:
    if experiment.exposure.event == Exposure().event:
        rule = "exposure: {event: an event that held-out units have as well, such as session_start}"
        yield Finding(("exposure",), "nothing says when a unit is seen", experiment.exposure.event, rule)
    if experiment.exposure.activation is not None:
        rule = "exposure.event alone"
        yield Finding(
            ("exposure", "activation"),
            "the event that exposes needs no other before it",
            experiment.exposure.activation,
            rule,
        )
