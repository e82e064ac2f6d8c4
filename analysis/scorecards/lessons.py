"""What the portfolio teaches: each effect once its peers are known.

A large measured effect is partly luck. Empirical Bayes pulls every estimate towards the portfolio's mean, the more
the less it knows by itself (Efron and Morris 1975, doi:10.1080/01621459.1975.10479864).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from fairsplit.analysis.scorecards import format as fmt
from fairsplit.analysis.scorecards.comparisons import tick_labels
from fairsplit.analysis.scorecards.intervals import Axis, Bar, Tick, axis_for
from fairsplit.analysis.statistics.portfolio import shrink_effects
from fairsplit.analysis.statistics.status import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = dict[str, Any]
FEWEST = 3


@dataclass(frozen=True, slots=True)
class Effect:
    """A relative effect in the good direction, with its standard error."""

    name: str
    href: str
    start: str
    value: float
    error: float


@dataclass(frozen=True, slots=True)
class Lesson:
    """One experiment's effect as measured and as the portfolio makes it likely.

    ``kept`` is the likely effect over the measured one, 1 where nothing was measured; ``bar`` is the likely effect.
    """

    effect: Effect
    measured: str
    shrunken: str
    interval: str
    chance: str
    kept: float
    bar: Bar
    spoken: str


@dataclass(frozen=True, slots=True)
class Lessons:
    """The portfolio's mean and spread, and every effect, by start."""

    mean: str
    spread: str
    lines: Sequence[Lesson]
    axis: Axis
    ticks: Sequence[tuple[Tick, str]]


def standard_error(row: Row) -> float | None:
    """Standard error of the relative lift as its interval implies it; None without a bounded interval."""
    low, high = row.get("lift_rel_low"), row.get("lift_rel_high")
    if low is None or high is None or not math.isfinite(high - low) or high <= low:
        return None
    reach = NormalDist().inv_cdf(0.5 + (row.get("ci_level") or 0.95) / 2)
    return float(high - low) / 2 / reach


def build(effects: Sequence[Effect]) -> Lessons | None:
    """Shrunken effects of a portfolio, None when there are too few to learn from.

    Args:
        effects: Of valid experiments that compare different treatments.
    """
    if len(effects) < FEWEST:
        return None
    values = np.array([effect.value for effect in effects])
    found = shrink_effects(values, np.array([effect.error for effect in effects]) ** 2)
    if int(found.status) != Reason.OK:
        return None
    axis = axis_for(zip(found.ci_low.tolist(), found.ci_high.tolist(), strict=True))
    lines = []
    for place, effect in enumerate(effects):
        low, high = float(found.ci_low[place]), float(found.ci_high[place])
        half = (high - low) / 2
        lines.append(
            Lesson(
                effect,
                fmt.percent(effect.value, signed=True, half_width=half),
                fmt.percent(float(found.effect[place]), signed=True, half_width=half),
                fmt.bounds(low, high, half_width=half),
                fmt.probability(float(found.chance_positive[place])),
                float(found.effect[place]) / effect.value if effect.value else 1.0,
                axis.bar(float(found.effect[place]), low, high),
                f"{effect.name}: {fmt.bounds(low, high, half_width=half)}",
            )
        )
    spread = math.sqrt(float(found.tau2))
    return Lessons(
        fmt.percent(float(found.mean), signed=True, half_width=spread or None),
        fmt.percent(spread, half_width=spread or None),
        sorted(lines, key=lambda line: (line.effect.start, line.effect.name)),
        axis,
        tick_labels(axis),
    )
