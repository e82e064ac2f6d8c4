"""Rules between experiments: what two of them share must fit both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairsplit.analysis.catalogue.findings import Finding, did_you_mean
from fairsplit.analysis.catalogue.holding_out import ships_of
from fairsplit.analysis.catalogue.search import chain_findings
from fairsplit.analysis.catalogue.serving import covers

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from datetime import datetime

    from fairsplit.analysis.catalogue.experiment import Experiment, Layer
    from fairsplit.analysis.catalogue.project import Project


def joint_findings(experiments: Collection[Experiment], project: Project) -> dict[str, Finding]:
    """What is wrong with sound experiments as they stand beside one another.

    Returns:
        Experiment id to what is wrong; the experiments without an entry fit together.
    """
    refused = layer_findings(experiments)
    kept = [experiment for experiment in experiments if experiment.id not in refused]
    refused |= holdout_findings(kept, project)
    others = {experiment.id: experiment for experiment in experiments}
    chains = {one.id: found for one in experiments for found in chain_findings(one, others)}
    return chains | refused


def layer_findings(experiments: Iterable[Experiment]) -> dict[str, Finding]:
    """Experiments whose share of a layer is already taken at the same time, or whose SDK family differs from it.

    The one that starts first (then the one whose id sorts first) keeps its place; the other is refused.

    Returns:
        Experiment id to what is wrong.
    """
    kept: list[Experiment] = []
    refused: dict[str, Finding] = {}
    for experiment in sorted(experiments, key=lambda item: (item.start, item.id)):
        rival = next((other for other in kept if _overlap(other, experiment)), None)
        if rival is None:
            kept.append(experiment)
        elif rival.sdk != experiment.sdk:
            rule = f"{rival.sdk}, as '{rival.id}' of the same layer: shards of two hashes are not disjoint"
            refused[experiment.id] = Finding(("sdk",), "a layer has one SDK family", experiment.sdk, rule)
        elif rival.layer is not None and experiment.layer is not None:
            value = f"{experiment.layer.id} {experiment.layer.from_:g} to {experiment.layer.to:g}"
            rule = f"outside {rival.layer.from_:g} to {rival.layer.to:g} while '{rival.id}' runs"
            refused[experiment.id] = Finding(("layer",), "the layer's share is taken", value, rule)
    return refused


def _overlap(one: Experiment, other: Experiment) -> bool:
    if one.layer is None or other.layer is None or one.layer.id != other.layer.id:
        return False
    if one.sdk != other.sdk:
        return _in_time((one.start, one.end), (other.start, other.end))
    return any(
        own[2] < another[3] and another[2] < own[3] and _in_time(own, another)
        for own in _uses(one, one.layer)
        for another in _uses(other, other.layer)
    )


def _uses(experiment: Experiment, layer: Layer) -> Iterator[tuple[datetime, datetime | None, float, float]]:
    """When an experiment uses which share of its layer."""
    for start, end, low, high in layer.ranges:
        begin = experiment.start if start is None else max(start, experiment.start)
        ends = [one for one in (end, experiment.end) if one is not None]
        stop = min(ends) if ends else None
        if stop is None or begin < stop:
            yield begin, stop, low, high


def _in_time(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Whether two half-open periods, open at the end where there is none, meet."""
    return (one[1] is None or other[0] < one[1]) and (other[1] is None or one[0] < other[1])


def holdout_findings(experiments: Iterable[Experiment], project: Project) -> dict[str, Finding]:
    """Experiments that a holdout names but whose units it cannot hold out.

    A holdout is of one kind of unit and of one SDK family, that of the experiment which starts first (then of the id
    that sorts first): another hash would hold out other units, and tell other units apart where it is measured.

    Returns:
        Experiment id to what is wrong.
    """
    ordered = sorted(experiments, key=lambda item: (item.start, item.id))
    refused: dict[str, Finding] = {}
    for holdout in project.holdouts:
        for experiment in ordered:
            if experiment.id in holdout.named and experiment.unit != holdout.unit:
                rule = f"{holdout.unit}, as holdout '{holdout.id}' that names it"
                refused[experiment.id] = Finding(
                    ("unit",), "a holdout has one kind of unit", experiment.unit, rule
                )
        covered = [experiment for experiment in ordered if covers(holdout, experiment)]
        measuring = [experiment for experiment in ordered if experiment.holdout == holdout.id]
        refused |= _since_findings(measuring, ships_of(holdout, ordered))
        for experiment in [*covered[1:], *measuring] if covered else []:
            if experiment.sdk != covered[0].sdk:
                rule = f"{covered[0].sdk}, as '{covered[0].id}' of holdout '{holdout.id}': two hashes hold out others"
                refused[experiment.id] = Finding(
                    ("sdk",), "a holdout has one SDK family", experiment.sdk, rule
                )
    return refused


def _since_findings(
    measuring: Iterable[Experiment], ships: Sequence[tuple[datetime, str]]
) -> dict[str, Finding]:
    """Read-outs that ask for the time since an experiment which shipped nothing while they measured."""
    refused = {}
    for experiment in measuring:
        shipped = [name for at, name in ships if at > experiment.start]
        asked = experiment.since or "last_ship"
        if asked not in {"last_ship", "start", *shipped}:
            rule = f"last_ship, start{''.join(f', {name}' for name in shipped)}"
            what = "no experiment under the holdout with this id has shipped since its start"
            near = did_you_mean(asked, shipped)
            refused[experiment.id] = Finding(("since",), what, asked, rule, near)
    return refused
