"""Which variant a unit gets by the definition: overrides, holdouts, targeting, layer, traffic, split."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairsplit.analysis.catalogue.bands import leaf_ranges, phase_bands
from fairsplit.analysis.catalogue.conditions import evaluate
from fairsplit.analysis.catalogue.shards import shard, share_to_shards

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from fairsplit.analysis.catalogue.conditions import Condition
    from fairsplit.analysis.catalogue.experiment import Experiment, Phase
    from fairsplit.analysis.catalogue.project import Holdout, Project


def traffic_salt(experiment: Experiment, phase: Phase) -> str:
    """The salt that decides whether a unit takes part."""
    return phase.salts.traffic or experiment.salts.traffic or f"{experiment.id}-traffic"


def split_salt(experiment: Experiment, phase: Phase) -> str:
    """The salt that decides which arm."""
    return phase.salts.split or experiment.salts.split or f"{experiment.id}-split"


def layer_salt(experiment: Experiment, project: Project) -> str | None:
    """The salt that all experiments of the layer share; none without a layer."""
    if experiment.layer is None:
        return None
    return project.layer_salts.get(experiment.layer.id, f"{experiment.layer.id}-layer")


def covers(holdout: Holdout, experiment: Experiment) -> bool:
    """Whether a holdout keeps its units out of an experiment; one that measures a holdout keeps everybody in."""
    if holdout.unit != experiment.unit or experiment.holdout is not None:
        return False
    if holdout.experiments != "all":
        return experiment.id in holdout.named
    return holdout.start is None or experiment.start >= holdout.start


def holdout_shards(experiment: Experiment, project: Project) -> dict[str, tuple[str, int]]:
    """For each holdout over an experiment, its salt and the number of shards, from 0 on, that it holds out."""
    return {
        holdout.id: (holdout.gate_salt, share_to_shards(holdout.share))
        for holdout in project.holdouts
        if covers(holdout, experiment)
    }


def holdout_periods(
    experiment: Experiment, project: Project
) -> list[tuple[str, str, int, datetime | None, datetime | None]]:
    """What each holdout over an experiment held out when: id, salt, shards from 0 on, half-open period."""
    return [
        (holdout.id, holdout.gate_salt, share_to_shards(share), start, end)
        for holdout in sorted(project.holdouts, key=lambda one: one.id)
        if covers(holdout, experiment)
        for start, end, share in holdout.shares
    ]


def phase_at(experiment: Experiment, instant: datetime | None) -> Phase | None:
    """The phase in force at an instant (naive UTC), the last one for none; none before the first."""
    if instant is None:
        return experiment.history[-1]
    begun = [phase for phase in experiment.history if phase.start <= instant]
    return begun[-1] if begun else None


def eligible_variant(
    experiment: Experiment,
    project: Project,
    unit_id: str,
    attributes: Mapping[str, Any],
    segments: Mapping[str, Condition],
    instant: datetime | None = None,
) -> str | None:
    """The variant of one unit, or none if it does not take part.

    Args:
        experiment: A checked experiment.
        project: For the layer's salt and the holdouts.
        unit_id: The unit's id.
        attributes: Its attributes.
        segments: Conditions of the named segments.
        instant: Naive UTC; the last phase applies if left out.

    Returns:
        A variant id, or none.
    """
    if unit_id in experiment.overrides:
        return experiment.overrides[unit_id]
    phase = phase_at(experiment, instant)
    if phase is None or evaluate(experiment.targeting, attributes, segments, instant) is not True:
        return None
    held = holdout_shards(experiment, project).values()
    if any(shard(salt, unit_id, experiment.sdk) < end for salt, end in held):
        return None
    salt = layer_salt(experiment, project)
    if salt is not None and experiment.layer is not None:
        low, high = share_to_shards(experiment.layer.from_), share_to_shards(experiment.layer.to)
        if not low <= shard(salt, unit_id, experiment.sdk) < high:
            return None
    bands = phase_bands(experiment)[experiment.history.index(phase)]
    admitted = shard(traffic_salt(experiment, phase), unit_id, experiment.sdk)
    band = next((band for band in bands if band.begin <= admitted < band.end), None)
    if band is None:
        return None
    place = shard(split_salt(experiment, phase), unit_id, experiment.sdk)
    leaf = next((leaf for leaf in phase.leaves if evaluate(leaf.condition, attributes) is True), None)
    ranges = band.ranges if leaf is None else leaf_ranges(experiment, leaf)
    return next(arm for arm, (low, high) in ranges.items() if low <= place < high)
