"""What a plan starts from: a metric's value and variance without treatment, its covariate, and the traffic."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from fairsplit.analysis.catalogue.metric_rules import SHARES
from fairsplit.analysis.judgement.direction import sign_of
from fairsplit.analysis.statistics.checks import refuse

if TYPE_CHECKING:
    from collections.abc import Collection

#: How far a forecast reaches.
LONGEST_DAYS = 365
_RECENT_DAYS = 7


@dataclass(frozen=True, slots=True)
class Baseline:
    """A metric as it is without treatment.

    Attributes:
        metric: The metric's name; empty for given numbers.
        binary: Whether a unit's value is 0 or 1.
        mean: Value per unit; in (0, 1) for binary metrics.
        variance: Of one unit's (linearised) value, above 0.
        correlation: With the covariate within arms, in [0, 1); 0 without one.
        direction: ``increase`` or ``decrease``, the good one.
        window_days: Days from a unit's exposure until its value is complete.
        forecast: New units on each day over all arms; empty when the traffic is unknown.
        units: Units that the value was measured on; 0 for given numbers.
        source: The experiment it was measured in.
        segment: ``column=level`` when it holds for a part of the units.
    """

    metric: str
    binary: bool
    mean: float
    variance: float
    correlation: float = 0.0
    direction: str = "increase"
    window_days: float = 0.0
    forecast: tuple[float, ...] = ()
    units: int = 0
    source: str = ""
    segment: str = ""

    def __post_init__(self) -> None:
        """Refuse what nothing can be planned on."""
        if not math.isfinite(self.mean):
            raise refuse("not_finite", "not a value", "baseline", value=self.mean, rule="a finite number")
        if self.binary and not 0 < self.mean < 1:
            raise refuse("out_of_range", "not a rate", "baseline", value=self.mean, rule="between 0 and 1")
        if not (math.isfinite(self.variance) and self.variance > 0):
            raise refuse("out_of_range", "no variance", "variance", value=self.variance, rule="above 0")

    @property
    def sign(self) -> float:
        """+1 where more is better, else -1."""
        return float(sign_of(self.direction))

    def difference(self, effect: float, *, absolute: bool = False) -> float:
        """A wanted effect as a signed difference in the metric's unit.

        Args:
            effect: A share of the mean's size, or an amount; above 0 in the good direction, below 0 downwards.
            absolute: Whether it is an amount.

        Raises:
            InputError: ``out_of_range`` for no effect, for a share of a mean of 0, and for a rate outside 0 to 1.
        """
        if not (math.isfinite(effect) and effect != 0):
            raise refuse("out_of_range", "no effect to find", "effect", value=effect, rule="not 0")
        if not absolute and self.mean == 0:
            raise refuse(
                "out_of_range",
                "no relative effect can be planned",
                "baseline",
                value=self.mean,
                rule="a number other than 0, or an effect in the metric's own unit",
            )
        size = abs(effect) * (1.0 if absolute else abs(self.mean))
        change = -size if effect < 0 else self.sign * size
        if self.binary and not 0 < self.mean + change < 1:
            raise refuse(
                "out_of_range",
                "no rate can change by so much",
                "effect",
                value=effect,
                rule="a rate between 0 and 1",
            )
        return change


def measured(
    comparisons: pl.DataFrame,
    exposures: pl.DataFrame,
    metric: str,
    *,
    kind: str,
    direction: str,
    window_days: float,
    experiment: str | None = None,
    segment: tuple[str, str] = ("all", "all"),
    leave_out: Collection[str] = (),
) -> Baseline | None:
    """A metric's baseline as the newest results have it.

    The control arm gives value and variance (that of the mean times the units, so that ratios and quantiles
    count by their own standard error), the compared arms the share of variance that the covariate removed.
    Traffic is that of the experiment itself, day by day from its start, then on at the mean of its last week.

    Args:
        comparisons: ``results.comparisons``.
        exposures: ``fct_daily_exposures``.
        metric: The metric's name.
        kind: The metric's kind.
        direction: The metric's good direction.
        window_days: Length of its window.
        experiment: Where to take it from; the one with the most units if omitted.
        segment: Column and level of the units meant.
        leave_out: Experiments that are not to be believed (their validity failed).

    Returns:
        The baseline; None when nothing usable has been measured.
    """
    if comparisons.is_empty():
        return None
    rows = comparisons.filter(
        pl.col("metric") == metric,
        pl.col("segment") == segment[0],
        pl.col("segment_level") == segment[1],
        pl.col("analysis") == "default",
        pl.col("status") == "ok",
        ~pl.col("experiment_id").is_in(list(leave_out)),
        True if experiment is None else pl.col("experiment_id") == experiment,
    )
    rows = rows.filter(pl.col("cut_off") == pl.col("cut_off").max().over("experiment_id"))
    controls = rows.filter(
        pl.col("comparison").is_null(),
        pl.col("mean").is_not_null(),
        pl.col("std_error") > 0,
    ).sort("n", "experiment_id", descending=[True, False])
    if controls.is_empty():
        return None
    best = controls.row(0, named=True)
    if kind in SHARES and not 0 < best["mean"] < 1:
        return None
    compared = rows.filter(
        pl.col("experiment_id") == best["experiment_id"], pl.col("cuped").fill_null(value=False)
    )
    removed = compared["variance_reduction"].drop_nulls().mean() if compared.height else None
    return Baseline(
        metric=metric,
        binary=kind in SHARES,
        mean=best["mean"],
        variance=best["std_error"] ** 2 * best["n"],
        correlation=math.sqrt(min(max(removed, 0.0), 0.999)) if isinstance(removed, float) else 0.0,
        direction=direction,
        window_days=window_days,
        forecast=_forecast(exposures, best["experiment_id"], segment),
        units=best["n"],
        source=best["experiment_id"],
        segment="" if segment[0] == "all" else "=".join(segment),
    )


def _forecast(exposures: pl.DataFrame, experiment: str, segment: tuple[str, str]) -> tuple[float, ...]:
    if exposures.is_empty():
        return ()
    days = (
        exposures.filter(
            pl.col("experiment_id") == experiment,
            pl.col("segment") == segment[0],
            pl.col("segment_level") == segment[1],
        )
        .group_by("exposure_day")
        .agg(pl.col("units").sum())
        .sort("exposure_day")
    )
    if days.is_empty():
        return ()
    seen = days.upsample("exposure_day", every="1d")["units"].fill_null(0).cast(pl.Float64).to_list()
    recent = seen[-_RECENT_DAYS:]
    return tuple([*seen, *([sum(recent) / len(recent)] * (LONGEST_DAYS - len(seen)))][:LONGEST_DAYS])
