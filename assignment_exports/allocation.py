"""Who gets what: an experiment reduced to what its config decides, and those decisions for many units."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np
import polars as pl

from fairsplit.analysis.catalogue.bands import leaf_ranges, phase_bands
from fairsplit.analysis.catalogue.conditions import Condition
from fairsplit.analysis.catalogue.serving import holdout_shards, layer_salt, split_salt, traffic_salt
from fairsplit.analysis.catalogue.shards import TOTAL_SHARDS, shard_ranges, share_to_shards
from fairsplit.analysis.errors import Problem
from fairsplit.assignment_exports.bucketing import positions, shards
from fairsplit.assignment_exports.eligibility import eligible, inline_segments
from fairsplit.assignment_exports.errors import ExportError
from fairsplit.assignment_exports.times import stretches

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from numpy.typing import NDArray

    from fairsplit.analysis.catalogue.experiment import Experiment
    from fairsplit.analysis.catalogue.hashes import Sdk
    from fairsplit.analysis.catalogue.project import Project
    from fairsplit.assignment_exports.times import Stretch

LIVE: Final = ("running", "paused", "completed")
State = Literal["open", "paused", "not_live", "shipped"]
REASONS: Final = (
    "assigned",
    "outside_layer",
    "outside_traffic",
    "not_targeted",
    "paused",
    "not_live",
    "shipped",
    "holdout",
    "override",
)
_SERVED: Final = ("assigned", "shipped", "override")


def label(experiment: str, variant: str) -> str:
    """What logs call a variant of an experiment."""
    return f"{experiment}:{variant}"


def both(condition: Condition | None, other: Condition | None) -> Condition | None:
    """What holds where both conditions do; none asks nothing."""
    parts = tuple(part for part in (condition, other) if part is not None)
    return parts[0] if len(parts) == 1 else Condition(all=parts) if parts else None


class Gate(NamedTuple):
    """A unit passes when its shard under the salt lies in ``[begin, end)``."""

    salt: str
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class AllocationBand:
    """Traffic shards in ``[begin, end)`` and the half-open range of split shards by variant that splits them.

    With `when` it holds for the units that satisfy that condition alone: a leaf of a contextual bandit.
    """

    begin: int
    end: int
    ranges: Mapping[str, tuple[int, int]]
    when: Condition | None = None

    def probability(self, variant: str) -> float:
        """The probability of a variant for a unit of the band."""
        begin, end = self.ranges[variant]
        return (end - begin) / TOTAL_SHARDS


@dataclass(frozen=True, slots=True)
class AllocationPhase:
    """Traffic and weights in force in ``[start, end)``, as shards.

    Attributes:
        start: Naive UTC instant.
        end: The next phase's start or the experiment's end; none when open.
        traffic_shards: A unit takes part when its traffic shard is below this.
        traffic_salt: Salt of the traffic decision.
        split_salt: Salt of the split.
        ranges: Half-open range of split shards by variant, in declared order.
        sticky: Where units keep their arm, the bands of traffic in order, each with the ranges it was let in under.
        leaves: Of a contextual bandit, the contexts with ranges of their own; the first that fits counts.
    """

    start: datetime
    end: datetime | None
    traffic_shards: int
    traffic_salt: str
    split_salt: str
    ranges: Mapping[str, tuple[int, int]]
    sticky: tuple[AllocationBand, ...] = ()
    leaves: tuple[AllocationBand, ...] = ()

    @property
    def bands(self) -> tuple[AllocationBand, ...]:
        """The leaves and then the bands of traffic; one band, unless units are sticky and weights have changed.

        A unit is split by the first whose condition and traffic it meets.
        """
        return (*self.leaves, *(self.sticky or (AllocationBand(0, self.traffic_shards, self.ranges),)))


@dataclass(frozen=True, slots=True)
class AllocationLayer:
    """The half-open range of a layer's shards that an experiment may use."""

    layer: str
    salt: str
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class AllocationHoldout:
    """A holdout over an experiment: units whose shard is below `shards` get nothing of it, not even what it ships."""

    holdout: str
    salt: str
    shards: int


@dataclass(frozen=True, slots=True)
class Allocation:
    """Everything about an experiment that decides who gets which variant.

    Attributes:
        experiment_id: The experiment, and the key of its flag.
        status: The catalogue's status.
        phases: Oldest first.
        layer: The share of a layer, if any.
        targeting: The condition that a unit must satisfy, if any, with named segments already put in place.
        configs: Config by variant, in declared order.
        fallback: What everybody gets once it is over: the shipped variant, else control.
        end: Where the experiment ends by itself; none when open.
        pauses: Half-open intervals in which nobody gets a variant; an open pause has no end.
        sdk: The SDK family that serves it, whose hash decides.
        holdouts: The holdouts that cover it.
        overrides: Variant by unit id, served to those units while the experiment is live: paused, not begun or
            ended, whatever gate they would pass.
    """

    experiment_id: str
    status: str
    phases: tuple[AllocationPhase, ...]
    layer: AllocationLayer | None
    targeting: Condition | None
    configs: Mapping[str, Mapping[str, Any]]
    fallback: str
    end: datetime | None
    pauses: tuple[tuple[datetime, datetime | None], ...] = ()
    sdk: Sdk = "ufc"
    holdouts: tuple[AllocationHoldout, ...] = ()
    overrides: Mapping[str, str] = field(default_factory=dict)

    @property
    def overridden(self) -> dict[str, list[str]]:
        """The overridden units by variant, both sorted."""
        return {
            variant: sorted(unit for unit, arm in self.overrides.items() if arm == variant)
            for variant in sorted(set(self.overrides.values()))
        }

    @property
    def holdout_gates(self) -> list[Gate]:
        """What a unit must pass whatever the experiment serves."""
        return [Gate(holdout.salt, holdout.shards, TOTAL_SHARDS) for holdout in self.holdouts]

    def gates(self, phase: AllocationPhase, band: AllocationBand) -> list[Gate]:
        """What a unit must pass to take part in a phase under the split of a band."""
        layer = [] if self.layer is None else [Gate(self.layer.salt, self.layer.begin, self.layer.end)]
        return [Gate(phase.traffic_salt, band.begin, band.end), *layer, *self.holdout_gates]

    def frozen_at(self, instant: datetime) -> Allocation:
        """The same without what is still to come: the phase in force stays until the end."""
        phase = self.phase_at(instant)
        return replace(self, phases=(replace(phase, end=self.end),))

    def state_at(self, instant: datetime) -> State:
        """Whether the experiment assigns at an instant, and if not, why not."""
        if self.status not in LIVE:
            return "not_live"
        if self.status == "paused":
            return "paused"
        if self.status == "completed" or (self.end is not None and instant >= self.end):
            return "shipped"
        if instant < self.phases[0].start:
            return "not_live"
        paused = any(begin <= instant and (end is None or instant < end) for begin, end in self.pauses)
        return "paused" if paused else "open"

    def open_stretches(self, phase: AllocationPhase) -> list[tuple[datetime, datetime | None]]:
        """The parts of a phase outside the pauses, half-open, in order."""
        stretches: list[tuple[datetime, datetime | None]] = []
        begin: datetime | None = phase.start
        for pause_begin, pause_end in sorted(self.pauses, key=itemgetter(0)):
            if begin is None or (pause_end is not None and pause_end <= begin):
                continue
            if phase.end is not None and pause_begin >= phase.end:
                break
            if begin < pause_begin:
                stretches.append((begin, pause_begin))
            begin = pause_end
        if begin is not None and (phase.end is None or begin < phase.end):
            stretches.append((begin, phase.end))
        return stretches

    def stretches(self, phase: AllocationPhase, as_of: datetime) -> list[Stretch]:
        """The open stretches of a phase with what the targeting asks in each, the time taken out of it."""
        return [
            part
            for start, end in self.open_stretches(phase)
            for part in stretches(self.targeting, start, end, as_of)
        ]

    def phase_at(self, instant: datetime) -> AllocationPhase:
        """The phase in force at an instant; before the start the first, after the end the last."""
        begun = [phase for phase in self.phases if phase.start <= instant]
        return begun[-1] if begun else self.phases[0]


def allocation_of(
    experiment: Experiment, project: Project, segments: Mapping[str, Condition] | None = None
) -> Allocation:
    """Reduce a checked experiment to its allocation.

    Args:
        experiment: A definition that the catalogue accepts.
        project: For the layer's salt and the holdouts.
        segments: Conditions of the named segments.

    Raises:
        ExportError: The targeting names a segment that is not declared, or a list and no hash says who is in.
    """
    if experiment.assignment != "hash" and experiment.status in {"running", "paused"}:
        raise ExportError(
            Problem(
                "no SDK can serve it, for a list says who is in which arm",
                experiment.id,
                f"assignment: {experiment.assignment}",
                "assignment: hash",
                f"read assignments/{experiment.id}.parquet of this export",
            )
        )
    history = experiment.history
    ends = [*(phase.start for phase in history[1:]), experiment.end]
    phases = tuple(
        AllocationPhase(
            start=phase.start,
            end=end,
            traffic_shards=share_to_shards(phase.traffic),
            traffic_salt=traffic_salt(experiment, phase),
            split_salt=split_salt(experiment, phase),
            ranges=shard_ranges({variant.id: phase.weights[variant.id] for variant in experiment.variants}),
            sticky=tuple(AllocationBand(band.begin, band.end, band.ranges) for band in bands)
            if experiment.sticky
            else (),
            leaves=tuple(
                AllocationBand(
                    0, share_to_shards(phase.traffic), leaf_ranges(experiment, leaf), leaf.condition
                )
                for leaf in phase.leaves
            ),
        )
        for phase, end, bands in zip(history, ends, phase_bands(experiment), strict=True)
    )
    layer, salt = None, layer_salt(experiment, project)
    if experiment.layer is not None and salt is not None:
        begin, stop = share_to_shards(experiment.layer.from_), share_to_shards(experiment.layer.to)
        layer = AllocationLayer(experiment.layer.id, salt, begin, stop)
    targeting = experiment.targeting
    return Allocation(
        experiment_id=experiment.id,
        status=experiment.status,
        phases=phases,
        layer=layer,
        targeting=None if targeting is None else inline_segments(targeting, segments or {}),
        configs={variant.id: variant.config for variant in experiment.variants},
        fallback=experiment.shipped or experiment.control.id,
        end=experiment.end,
        pauses=tuple((pause.start, pause.end) for pause in experiment.pauses),
        sdk=experiment.sdk,
        holdouts=tuple(
            AllocationHoldout(name, salt, end)
            for name, (salt, end) in holdout_shards(experiment, project).items()
        ),
        overrides=experiment.overrides,
    )


def assign(
    allocation: Allocation,
    units: pl.Series,
    at: datetime,
    attributes: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """The variant of each unit, why, and how probable it was.

    Args:
        allocation: The experiment's allocation.
        units: Ids, shape (n,), without nulls.
        at: The instant whose phase decides; naive UTC.
        attributes: n rows in the order of the units, for the targeting; a missing column is a missing
            attribute.

    Returns:
        A frame of n rows: ``unit_id``, ``variant`` (null when the unit gets none), ``reason`` (one of
        `REASONS`) and ``probability`` (of that variant for a unit that takes part; null without a variant, and for
        an overridden unit, which no chance has put there).

    Raises:
        ExportError: An id is null, or ``attributes`` has another number of rows.
    """
    if attributes is not None and attributes.height != len(units):
        raise ExportError(
            Problem(
                "attributes do not fit the units",
                value=f"{attributes.height} rows for {len(units)} units",
                rule="one row a unit, in the same order",
            )
        )
    state = allocation.state_at(at)
    if state == "open":
        drawn = _drawn(allocation, units, at, attributes)
    else:
        shipped = allocation.fallback if state == "shipped" else None
        drawn = _frame(units, state, shipped, 1.0 if shipped else None)
    if state in {"open", "shipped"}:
        held = np.zeros(len(units), dtype=np.bool_)
        for holdout in allocation.holdouts:
            held |= shards(holdout.salt, units, allocation.sdk) < holdout.shards
        drawn = drawn.with_columns(
            reason=pl.when(pl.Series(held)).then(pl.lit("holdout")).otherwise("reason")
        )
    if allocation.overrides and allocation.status in LIVE:
        drawn = _overridden(drawn, allocation.overrides)
    served = pl.col("reason").is_in(_SERVED)
    return drawn.with_columns(pl.when(served).then(name) for name in ("variant", "probability"))


def _overridden(drawn: pl.DataFrame, overrides: Mapping[str, str]) -> pl.DataFrame:
    named = pl.col("unit_id").is_in(list(overrides))
    return drawn.with_columns(
        variant=pl.col("unit_id").replace_strict(overrides, default=pl.col("variant")),
        reason=pl.when(named).then(pl.lit("override")).otherwise("reason"),
        probability=pl.when(~named).then("probability"),
    )


def _drawn(
    allocation: Allocation, units: pl.Series, at: datetime, attributes: pl.DataFrame | None
) -> pl.DataFrame:
    """The split of a phase; a unit that does not take part still has the variant that it would get."""
    phase = allocation.phase_at(at)
    reason = np.full(len(units), REASONS.index("assigned"), dtype=np.int8)
    traffic = shards(phase.traffic_salt, units, allocation.sdk)
    reason[traffic >= phase.traffic_shards] = REASONS.index("outside_traffic")
    if allocation.layer is not None:
        inside = shards(allocation.layer.salt, units, allocation.sdk)
        outside = (inside < allocation.layer.begin) | (inside >= allocation.layer.end)
        reason[outside] = REASONS.index("outside_layer")
    if allocation.targeting is not None:
        reason[~eligible(allocation.targeting, len(units), attributes, at)] = REASONS.index("not_targeted")
    split = shards(phase.split_salt, units, allocation.sdk)
    variants = list(phase.ranges)
    position = np.empty(len(units), dtype=np.int32)
    probability = np.empty(len(units))
    for band, among in _among(phase, traffic, attributes, at):
        position[among] = positions(list(band.ranges.values()), split[among])
        probability[among] = np.array([band.probability(name) for name in variants])[position[among]]
    return pl.DataFrame(
        {
            "unit_id": units,
            "variant": pl.Series(variants, dtype=pl.String)[position],
            "reason": pl.Series(REASONS)[reason],
            "probability": probability,
        }
    )


def _among(
    phase: AllocationPhase, traffic: NDArray[np.integer[Any]], attributes: pl.DataFrame | None, at: datetime
) -> Iterator[tuple[AllocationBand, NDArray[np.bool_]]]:
    """The bands of a phase with the units that each splits; units beyond the traffic are told of under the last."""
    left = np.ones(len(traffic), dtype=np.bool_)
    last = len(phase.bands) - 1
    for number, band in enumerate(phase.bands):
        among = left.copy()
        if band.when is not None:
            among &= eligible(band.when, len(traffic), attributes, at)
        elif number < last:
            among &= traffic < band.end
        left &= ~among
        yield band, among


def _frame(units: pl.Series, reason: str, variant: str | None, probability: float | None) -> pl.DataFrame:
    return (
        units.alias("unit_id")
        .to_frame()
        .with_columns(
            variant=pl.lit(variant, dtype=pl.String),
            reason=pl.lit(reason),
            probability=pl.lit(probability, dtype=pl.Float64),
        )
    )
