"""Bands of traffic: which weights a unit is split by, where a sticky experiment keeps units in their arm.

The split of a unit follows from its traffic shard. Without `sticky` all traffic of a phase is one band under the
phase's weights. With it, the shards that a phase admits keep the weights of that phase in all later ones, and the
later phases' weights hold for the shards that they admit. Only an arm that stops (weight 0) is left by its units: a
neighbour takes over its shards, so that no unit of any other arm moves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from fairsplit.analysis.catalogue.shards import shard_ranges, share_to_shards, without_arm

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from fairsplit.analysis.catalogue.experiment import Experiment, Phase
    from fairsplit.analysis.catalogue.leaves import Leaf


@dataclass(frozen=True, slots=True)
class Band:
    """The half-open range of traffic shards that is split by the same weights.

    Attributes:
        begin: First traffic shard.
        end: First traffic shard beyond it; equal to `begin` where a phase lets nobody in.
        weights: Weight by variant, in declared order.
    """

    begin: int
    end: int
    weights: Mapping[str, float]

    @property
    def ranges(self) -> dict[str, tuple[int, int]]:
        """The half-open range of split shards of each variant."""
        return shard_ranges(self.weights)


class Piece(NamedTuple):
    """One band or leaf of one phase, numbered in order of time and traffic: what SQL and judgement call a phase.

    Of a contextual bandit's phase the first piece holds the contexts that are in no leaf, the next ones its leaves.
    """

    number: int
    phase: Phase
    end: datetime | None
    band: Band
    leaf: Leaf | None = None


def phase_bands(experiment: Experiment) -> tuple[tuple[Band, ...], ...]:
    """The bands of each phase, in order of traffic; at least one each.

    Args:
        experiment: A checked experiment.
    """
    bands: list[Band] = []
    result = []
    for phase in experiment.history:
        weights = _ordered(phase.weights, experiment)
        traffic = share_to_shards(phase.traffic)
        kept = [_without_stopped(band, weights) for band in bands] if experiment.sticky else []
        widest = kept[-1].end if kept else 0
        if traffic > widest:
            if kept and kept[-1].ranges == shard_ranges(weights):
                kept[-1] = replace(kept[-1], end=traffic)
            else:
                kept.append(Band(widest, traffic, weights))
        bands = kept
        inside = [replace(band, end=min(band.end, traffic)) for band in kept if band.begin < traffic]
        result.append(tuple(inside or [Band(0, 0, weights)]))
    return tuple(result)


def pieces(experiment: Experiment) -> list[Piece]:
    """Every band and leaf of every phase with its number and the instant at which its phase ends; none when open."""
    ends = [*(phase.start for phase in experiment.history[1:]), experiment.end]
    every = [
        (phase, end, band, leaf)
        for phase, end, bands in zip(experiment.history, ends, phase_bands(experiment), strict=True)
        for band, leaf in [
            *((band, None) for band in bands),
            *((replace(bands[0], weights=_ordered(leaf.weights, experiment)), leaf) for leaf in phase.leaves),
        ]
    ]
    return [Piece(number, *piece) for number, piece in enumerate(every)]


def leaf_ranges(experiment: Experiment, leaf: Leaf) -> dict[str, tuple[int, int]]:
    """The half-open range of split shards of each variant in a leaf."""
    return shard_ranges(_ordered(leaf.weights, experiment))


def _ordered(weights: Mapping[str, float], experiment: Experiment) -> dict[str, float]:
    return {variant.id: weights[variant.id] for variant in experiment.variants}


def _without_stopped(band: Band, weights: Mapping[str, float]) -> Band:
    left = {arm: weight for arm, weight in band.weights.items() if weight > 0}
    stopped = [arm for arm in left if weights[arm] == 0]
    if len(stopped) == len(left):
        return replace(band, weights=weights)
    kept = band.weights
    for arm in stopped:
        kept = without_arm(kept, arm)
    return replace(band, weights=kept)
