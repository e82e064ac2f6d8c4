"""An experiment that measures a holdout: its arms are the gate's two sides, so they are computed and not logged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fairsplit.analysis.catalogue.experiment import Exposure, Phase, Salts
from fairsplit.analysis.catalogue.fields import duration_text
from fairsplit.analysis.catalogue.findings import Finding, did_you_mean
from fairsplit.analysis.catalogue.serving import covers
from fairsplit.analysis.catalogue.shards import TOTAL_SHARDS, exact, share_to_shards

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from fairsplit.analysis.catalogue.experiment import Experiment
    from fairsplit.analysis.catalogue.metrics import MetricDefinition
    from fairsplit.analysis.catalogue.project import Holdout, Project

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


def measured(experiment: Experiment, project: Project, others: Iterable[Experiment]) -> Experiment:
    """A checked experiment with the arms, weights, salt and start that measuring its holdout gives it.

    What is held out is the control. It stands first, for the shards that a holdout keeps begin at 0. Where the share
    has changed since the start, only units that were on one side throughout count.

    By ``since: last_ship``, the default, a unit counts from its first event since the last ship, and its windows begin
    there: a window that closed before a ship knows nothing of it. What units did before holds effects of what ran
    under the holdout until then, and is no covariate. With the id of an experiment it counts from that one's ship to
    the next, so that each ship keeps a read-out of its own.

    Args:
        experiment: Any experiment; one that measures no holdout stays as it is.
        project: For the holdout.
        others: All experiments, for what they shipped.
    """
    if experiment.holdout is None:
        return experiment
    holdout = next(one for one in project.holdouts if one.id == experiment.holdout)
    start, end = _period(experiment, holdout, others)
    arms = (experiment.control, *(arm for arm in experiment.variants if not arm.control))
    lowest, highest = _shares_since(holdout, start)
    always_in = float(1 - exact(highest))
    total = lowest + always_in
    weights = {arms[0].id: lowest / total, arms[1].id: always_in / total}
    if lowest == highest:
        weights = {arms[0].id: lowest, arms[1].id: always_in}
    phase = Phase(start=start, traffic=1.0, weights=weights, salts=Salts(split=holdout.gate_salt))
    plan = (
        experiment.plan if start == experiment.start else experiment.plan.model_copy(update={"cuped_days": 0})
    )
    given = {"variants": arms, "phases": (phase,), "start": start, "end": end, "plan": plan}
    return experiment.model_copy(update=given)


def _period(
    experiment: Experiment, holdout: Holdout, others: Iterable[Experiment]
) -> tuple[datetime, datetime | None]:
    """From when, and until when, a unit's first event counts."""
    ships = [ship for ship in ships_of(holdout, others) if _inside(ship[0], experiment)]
    if experiment.since in {"last_ship", "start", None}:
        starts = [experiment.start] if experiment.since == "start" else [experiment.start, *dict(ships)]
        return max(starts), experiment.end
    start = next((at for at, name in ships if name == experiment.since), experiment.start)
    return start, min((at for at, _ in ships if at > start), default=experiment.end)


def gate_ranges(experiment: Experiment, project: Project) -> dict[str, tuple[int, int]] | None:
    """The half-open shards of both sides of a `measured` experiment; those between changed sides. Nothing otherwise."""
    if experiment.holdout is None:
        return None
    holdout = next(one for one in project.holdouts if one.id == experiment.holdout)
    lowest, highest = _shares_since(holdout, experiment.start)
    held, rest = (arm.id for arm in experiment.variants)
    return {held: (0, share_to_shards(lowest)), rest: (share_to_shards(highest), TOTAL_SHARDS)}


def ships_of(holdout: Holdout, experiments: Iterable[Experiment]) -> list[tuple[datetime, str]]:
    """The instants from which something that a holdout covers is served to everybody else, and what it was."""
    return sorted(
        (other.end, other.id)
        for other in experiments
        if other.end is not None and other.shipped not in {None, other.control.id} and covers(holdout, other)
    )


def _inside(instant: datetime, experiment: Experiment) -> bool:
    return instant > experiment.start and (experiment.end is None or instant < experiment.end)


def _shares_since(holdout: Holdout, instant: datetime) -> tuple[float, float]:
    """The least and the largest share in force from an instant on."""
    shares = [share for _, end, share in holdout.shares if end is None or end > instant]
    return min(shares), max(shares)


def measuring_findings(experiment: Experiment, project: Project) -> Iterator[Finding]:
    """What an experiment cannot say beside the holdout that it measures."""
    if experiment.holdout is not None:
        yield from _measuring_findings(experiment, experiment.holdout, project)
    elif experiment.since is not None:
        rule = "a holdout beside it"
        yield Finding(("since",), "says from when on a holdout is measured", experiment.since, rule)


def _measuring_findings(experiment: Experiment, name: str, project: Project) -> Iterator[Finding]:
    known = {one.id: one for one in project.holdouts}
    holdout = known.get(name)
    if holdout is None:
        rule = f"one of: {', '.join(known)}" if known else "project.yaml declares none"
        near = did_you_mean(name, known)
        yield Finding(("holdout",), "unknown holdout", name, rule, near)
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


def estimand_findings(experiment: Experiment, metrics: Mapping[str, MetricDefinition]) -> Iterator[Finding]:
    """Metrics whose windows cannot answer what is asked of a measured holdout."""
    if experiment.holdout is None or experiment.since != "start":
        return
    for role in ("primary", "secondary", "guardrails"):
        for position, use in enumerate(getattr(experiment.metrics, role)):
            metric = metrics.get(use.metric)
            if metric is not None and metric.window_end is not None:
                rule = "metrics without a window, or since: last_ship"
                what = "its window closes before what ships later, so that it cannot tell the worth of everything since"
                where = ("metrics", role, position)
                yield Finding(where, what, f"{use.metric}: {duration_text(metric.window_end)}", rule)


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
