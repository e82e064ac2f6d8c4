"""How much of what a plan needs has come in, and when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from scipy import special

from fairsplit.analysis.judgement.asked import asked_of
from fairsplit.analysis.statistics.status import quiet

if TYPE_CHECKING:
    from fairsplit.analysis.judgement.comparing import Tested
    from fairsplit.analysis.judgement.lines import Lines
    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray

#: Plans whose bounds move with what has come in.
SEQUENTIAL = ("group_sequential", "always_valid", "sprt")


def shared_level(pairs: pl.DataFrame) -> FloatArray:
    """The level of one primary comparison under repeated looks; the plan's own for other roles."""
    level: FloatArray = pairs["alpha"].to_numpy() / _sharing(pairs)
    return level


def planned_drift(pairs: pl.DataFrame) -> tuple[FloatArray, FloatArray]:
    """What a plan with a minimum effect is sized for: its final quantile, and the mean of z at full information.

    Several primary comparisons share both errors: with information enough, every arm that has the minimum effect is
    found together with the others with the planned power, each at its share of alpha (Bonferroni).
    """
    sides = np.where(pairs["alternative"].to_numpy() == "two-sided", 2.0, 1.0)
    missed = (1 - pairs["target_power"].to_numpy()) / _sharing(pairs)
    final = -special.ndtri(shared_level(pairs) / sides)
    return final, final - special.ndtri(missed)


@quiet
def information_fraction(pairs: pl.DataFrame, tested: Tested, lines: Lines) -> FloatArray:
    """Information so far over what the plan needs, never falling along the cut-offs of a plan with several looks.

    A plan that is read once has no look before: its earlier days are not there when a later one is judged by itself.

    Where the metric declares a minimum effect m: (m / drift)² over the squared standard error, both in the metric's
    unit, the information that gives the planned power. Otherwise the share of the planned time.
    """
    _, drift = planned_drift(pairs)
    minimum = asked_of(pairs, "minimum_effect", tested.comparison.control)
    by_effect = (minimum / drift / tested.comparison.se) ** 2
    declared = pairs["minimum_effect"].is_not_null().to_numpy()
    fraction = np.where(declared, np.where(np.isfinite(by_effect), by_effect, 0.0), time_fraction(pairs))
    here = np.maximum(fraction, 0.0)
    several = np.isin(pairs["plan_method"].to_numpy(), SEQUENTIAL)
    rising: FloatArray = np.where(several, lines.along(np.fmax, here), here)
    return rising


def time_fraction(pairs: pl.DataFrame) -> FloatArray:
    """Share of the planned time: until the verdict day, or until the last of the looks that the plan declares."""
    midnight = pl.col("cut_off").cast(pl.Datetime("us")) + pl.duration(days=1)
    to_verdict = pl.col("verdict_day").cast(pl.Datetime("us")) + pl.duration(days=1) - pl.col("start_at")
    whole = pl.when(pl.col("looks").is_null()).then(to_verdict).otherwise(planned_duration())
    return pairs.select(((midnight - pl.col("start_at")) / whole).cast(pl.Float64)).to_series().to_numpy()


def planned_duration() -> pl.Expr:
    """From start to end, at most the plan's longest duration; that duration where no end is set."""
    to_end = pl.col("end_at") - pl.col("start_at")
    return pl.min_horizontal(to_end, pl.col("max_duration"))


def planned_looks(pairs: pl.DataFrame) -> BoolArray:
    """A look a day, or the days on which another share of the planned time is complete; guardrails every day."""
    days = planned_duration().dt.total_days().clip(1)
    day = (pl.col("cut_off") - pl.col("start_at").dt.date()).dt.total_days() + 1
    step = days / pl.col("looks")
    reached = (day / step).floor() > ((day - 1) / step).floor()
    daily = pl.col("looks").is_null() | (pl.col("role") == "guardrail")
    return pairs.select((daily | reached).fill_null(value=True)).to_series().to_numpy()


def _sharing(pairs: pl.DataFrame) -> FloatArray:
    """Primary comparisons among which the errors are shared."""
    shared = (pairs["role"] == "primary") & (pairs["correction"] != "none")
    return np.where(shared.to_numpy(), pairs["primary_arms"].to_numpy(), 1.0)
