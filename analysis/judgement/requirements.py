"""What each test asks of its data before a verdict may rest on it: required, observed, met or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from fairsplit.analysis.judgement.pairing import CONTROL, THIRD, moments, successes
from fairsplit.analysis.judgement.rows import REQUIREMENT
from fairsplit.analysis.statistics.normality import difference_skewness, rate_skewness
from fairsplit.analysis.statistics.proportions import ENOUGH_EVENTS, LARGEST_SKEW, Z_TEST_EVENTS
from fairsplit.analysis.statistics.status import Reason, quiet

if TYPE_CHECKING:
    from fairsplit.analysis.judgement.comparing import Tested
    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray

#: Units an arm from which a mean may be close to normal.
LEAST_UNITS = 30.0
#: Units an arm of a rank test, and of the score test.
LEAST_RANKED = 10.0
#: Effective units with a denominator: the mean denominator is then known to a tenth, and the delta method holds.
LEAST_DENOMINATORS = 100.0
#: Units beyond a quantile, on its scarcer side.
LEAST_BEYOND = 10.0
#: Events of both arms: an exact test is right about fewer, but nobody should ship for them.
LEAST_EVENTS = 5.0
#: Degrees of freedom that a regression leaves.
LEAST_DF = 10.0

_MEANS = ("welch", "cuped", "adaptive_weights")
_RATIOS = ("ratio_delta", "ratio_cuped")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement of the rows that it applies to.

    Attributes:
        name: Its code.
        applies: Rows whose test asks for it.
        observed: What they have, NaN where it cannot be known.
        bound: What is asked.
        at_most: Whether the bound is the largest allowed value instead of the least.
    """

    name: str
    applies: BoolArray
    observed: FloatArray
    bound: float
    at_most: bool = False

    @property
    def met(self) -> BoolArray:
        """Where it is fulfilled; what cannot be known is not held against a row."""
        inside = self.observed <= self.bound if self.at_most else self.observed >= self.bound
        return np.asarray(inside | np.isnan(self.observed))


def requirement_columns(pairs: pl.DataFrame, tested: Tested) -> tuple[pl.Series, pl.Series]:
    """The columns `requirements` and `requirements_met` of the pairs; null where nothing could be tested.

    Args:
        pairs: From `paired`.
        tested: Their tests.

    Returns:
        Series in the pairs' order.
    """
    known = tested.comparison.status == Reason.OK
    listed: list[pl.Expr] = []
    columns: dict[str, pl.Series] = {"known": pl.Series(known)}
    all_met = np.ones(pairs.height, dtype=np.bool_)
    for place, one in enumerate(_requirements(pairs, tested)):
        applies = one.applies & known
        met = one.met
        all_met &= met | ~applies
        names = [f"{name}_{place}" for name in ("applies", "observed", "met")]
        columns |= {name: pl.Series(v) for name, v in zip(names, (applies, one.observed, met), strict=True)}
        entry = pl.struct(
            requirement=pl.lit(one.name),
            rule=pl.lit("at most" if one.at_most else "at least"),
            required=pl.lit(one.bound),
            observed=pl.col(names[1]).cast(pl.Float64).fill_nan(None),
            met=pl.col(names[2]),
        )
        listed.append(pl.when(names[0]).then(entry))
    frame = pl.DataFrame(columns).select(
        requirements=pl.when("known").then(pl.concat_list(listed).list.drop_nulls()).cast(REQUIREMENT),
        requirements_met=pl.when("known").then(pl.Series(all_met)),
    )
    return frame["requirements"], frame["requirements_met"]


@quiet
def _requirements(pairs: pl.DataFrame, tested: Tested) -> list[Requirement]:
    method = tested.method.astype(str)
    n_c, n_t = (pairs[name].cast(pl.Float64).to_numpy() for name in ("n_control", "n"))
    smaller = np.minimum(n_c, n_t)
    # A share of the rows of clusters is a ratio, whose sums are no counts of units.
    is_share = (pairs["is_share"] & ~pairs["is_ratio"]).to_numpy()
    of_means, of_ratios = np.isin(method, _MEANS), np.isin(method, _RATIOS)
    ranked = np.isin(method, ["mann_whitney", "kolmogorov_smirnov", "score"])
    x_c, x_t = successes(pairs, "_control")[0], successes(pairs)[0]
    rate = np.where(is_share, (x_c + x_t) / (n_c + n_t), np.nan)
    expected = smaller * np.minimum(rate, 1.0 - rate)
    skewness = np.where(is_share, rate_skewness(np.nan_to_num(rate)), _skewness(pairs))
    of_difference = difference_skewness(skewness, n_c, n_t)
    if "skew_factor" in pairs.columns:
        factor = pairs["skew_factor"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        of_difference = np.where(np.isnan(factor), of_difference, np.abs(skewness) * factor)
    skewed = np.isin(method, ["welch", "cuped", "two_proportion_z", *_RATIOS])
    with_denominator = np.minimum(*(_effective(pairs, suffix) for suffix in ("_control", "")))
    share = pairs["percentile"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    beyond = smaller * np.minimum(share, 1.0 - share)
    custom = pairs["certified"].is_not_null().to_numpy()
    certified = pairs["certified"].fill_null(value=False).cast(pl.Float64).to_numpy()
    return [
        Requirement("units_per_arm", of_means, smaller, LEAST_UNITS),
        Requirement("units_per_arm", ranked | custom, smaller, LEAST_RANKED),
        Requirement("certified", custom, certified, 1.0),
        Requirement("events", method == "fisher", np.minimum(x_c + x_t, n_c + n_t - x_c - x_t), LEAST_EVENTS),
        Requirement("expected_events", method == "two_proportion_z", expected, Z_TEST_EVENTS),
        Requirement(
            "expected_events", is_share & np.isin(method, ["welch", "cuped"]), expected, ENOUGH_EVENTS
        ),
        Requirement("skewness", skewed, of_difference, float(LARGEST_SKEW), at_most=True),
        Requirement(
            "degrees_of_freedom", np.isin(method, ["cuped", "ratio_cuped"]), tested.comparison.df, LEAST_DF
        ),
        Requirement("units_with_denominator", of_ratios, with_denominator, LEAST_DENOMINATORS),
        Requirement("units_beyond_quantile", method == "percentile", beyond, LEAST_BEYOND),
    ]


def _effective(pairs: pl.DataFrame, suffix: str) -> FloatArray:
    """(sum of d)^2 / sum of d^2: the units that have a denominator, where all are 0 or 1; fewer where some are large.

    Its inverse is the squared coefficient of variation of the mean denominator, on which the delta method rests.
    """
    total, squares = (
        pairs[f"{name}{suffix}"].fill_null(0).cast(pl.Float64).to_numpy() for name in ("sum_d", "sum_dd")
    )
    return np.where(squares > 0, total**2 / np.where(squares > 0, squares, 1.0), 0.0)


def _skewness(pairs: pl.DataFrame) -> FloatArray:
    """Skewness of the units' values, or the least that they can have: of a file of mixed signs it is known.

    A ratio's is that of its linearised values, counted by units with a denominator, as `least_skewness` has it.
    """
    # Of the units as they are: moments over strata hold the variance of the weighted mean instead.
    units = pairs.drop("strata", strict=False)
    control, treatment = moments(units, "yd", CONTROL), moments(units, "yd")
    both = control + treatment
    y, d = both.mean[:, 0], both.mean[:, 1]
    is_ratio = pairs["is_ratio"].to_numpy()
    ratio = np.where(is_ratio, y / d, 0.0)
    m2 = both.m2 / np.maximum(both.n, 1.0)[:, None, None]
    spread = m2[:, 0, 0] - 2 * ratio * m2[:, 0, 1] + ratio**2 * m2[:, 1, 1]
    # The share of units that have one, where denominators are 0 or 1; its inverse is 1 + their squared variation.
    with_denominator = np.where(is_ratio, 1.0 / (1.0 + m2[:, 1, 1] / d**2), 1.0)
    least = least_skewness(np.sqrt(spread * with_denominator) / np.abs(y)) / np.sqrt(with_denominator)
    if THIRD not in pairs.columns:
        return least
    third = (pairs[THIRD] + pairs[f"{THIRD}{CONTROL}"]).cast(pl.Float64).fill_null(np.nan).to_numpy() / both.n
    within = (control.m2[:, 0, 0] + treatment.m2[:, 0, 0]) / both.n
    return np.where(np.isnan(third), least, np.abs(third) / within**1.5)


@quiet
def least_skewness(variation: FloatArray) -> FloatArray:
    """The least skewness that values of one sign with this coefficient of variation c can have: c - 1 / c.

    Equality holds for zeros and one other value, by E[Y^3] E[Y] >= E[Y^2]^2. A ratio's values y - r d have that of
    y where all denominators are alike (c is that of y then), and where they are 0 or 1 that of y among the units that
    have one.
    """
    return np.where(np.isfinite(variation), np.maximum(variation - 1.0 / variation, 0.0), np.nan)
