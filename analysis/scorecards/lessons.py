"""What the portfolio teaches: each effect once its peers are known, as `results.programme_experiments` has it.

A large measured effect is partly luck. Empirical Bayes pulls every estimate towards the portfolio's mean, the more
the less it knows by itself (Efron and Morris 1975, doi:10.1080/01621459.1975.10479864).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.scorecards import format as fmt
from fairsplit.analysis.scorecards.comparisons import tick_labels
from fairsplit.analysis.scorecards.intervals import Axis, Bar, Tick, axis_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Lesson:
    """One experiment's effect as measured and as the portfolio makes it likely, in the good direction.

    ``kept`` is the likely effect over the measured one, 1 where nothing was measured; ``bar`` is the likely effect.
    """

    name: str
    href: str
    start: str
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


def build(
    experiments: Sequence[Row],
    figures: Mapping[tuple[str, str, str], Row],
    pages: Mapping[str, tuple[str, str]],
) -> Lessons | None:
    """Shrunken effects of a portfolio, None when there are too few to learn from.

    Args:
        experiments: Rows of ``results.programme_experiments``.
        figures: Rows of ``results.programme`` by figure, scope and level.
        pages: Name and address of each experiment's page, by id.
    """
    known = [row for row in experiments if row["likely"] is not None and row["experiment_id"] in pages]
    if not known:
        return None
    axis = axis_for((row["likely_low"], row["likely_high"]) for row in known)
    lines = [_lesson(row, axis, *pages[row["experiment_id"]]) for row in known]
    mean, spread = (
        figures[name, "all", "all"]["value"] if (name, "all", "all") in figures else None
        for name in ("effect_mean", "effect_spread")
    )
    return Lessons(
        fmt.percent(mean, signed=True, half_width=spread or None),
        fmt.percent(spread, half_width=spread or None),
        sorted(lines, key=lambda line: (line.start, line.name)),
        axis,
        tick_labels(axis),
    )


def _lesson(row: Row, axis: Axis, name: str, href: str) -> Lesson:
    low, high, likely, effect = (row[column] for column in ("likely_low", "likely_high", "likely", "effect"))
    half = (high - low) / 2
    interval = fmt.bounds(low, high, half_width=half)
    return Lesson(
        name,
        href,
        row["started_on"].isoformat(),
        fmt.percent(effect, signed=True, half_width=half),
        fmt.percent(likely, signed=True, half_width=half),
        interval,
        fmt.probability(row["chance_better"]),
        likely / effect if effect else 1.0,
        axis.bar(likely, low, high),
        f"{name}: {interval}",
    )
