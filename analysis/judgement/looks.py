"""What may be said at every look: confidence sequences and error-spending bounds along the cut-offs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from scipy import special

from analysis.judgement.comparing import SMALLEST_LEVEL, compare_pairs
from analysis.statistics.confidence_sequences import confidence_sequence
from analysis.statistics.group_sequential import lan_demets_bounds
from analysis.statistics.spending import spending_function
from analysis.statistics.status import Reason, quiet
from analysis.statistics.tails import t_log_sf

if TYPE_CHECKING:
    from analysis.judgement.comparing import Tested
    from analysis.statistics.checks import BoolArray, FloatArray
    from analysis.statistics.comparisons import Comparison

#: Units at which a confidence sequence is tightest where the plan's minimum sample is smaller than that.
LEAST_PLANNED_UNITS = 5_000


@dataclass(frozen=True, slots=True)
class Looks:
    """Sequential results per pair; NaN where the plan has none.

    Attributes:
        low: Interval of the difference that holds at every look.
        high: Its upper end.
        rel_low: The same for the relative lift.
        rel_high: Its upper end.
        p_value: Anytime-valid p-value, the smallest so far; NaN for group-sequential plans.
        bound: Critical value of the absolute statistic at this look.
        crossed: The statistic has crossed its bound at this or an earlier look.
        information: Share of the planned information that has come in.
    """

    low: FloatArray
    high: FloatArray
    rel_low: FloatArray
    rel_high: FloatArray
    p_value: FloatArray
    bound: FloatArray
    crossed: BoolArray
    information: FloatArray


@quiet
def follow(pairs: pl.DataFrame, tested: Tested, histograms: pl.DataFrame | None = None) -> Looks:
    """Sequential results of the pairs whose plan looks more than once, and of all guardrails.

    The error is shared equally (Bonferroni) between the primary metrics and arms unless the plan declares no
    correction: step-down procedures do not carry over to repeated looks. Other roles keep the plan's level.

    Args:
        pairs: From `paired`, every cut-off from the first on.
        tested: Their fixed-horizon tests.
        histograms: As in `compare_pairs`.

    Returns:
        Arrays in the pairs' order.
    """
    size = pairs.height
    method = pairs["plan_method"].to_numpy()
    level = shared_level(pairs)
    se, diff = tested.comparison.se, tested.comparison.diff
    known = (tested.comparison.status == Reason.OK) & np.isfinite(se)
    information = information_fraction(pairs, tested)
    # Harm to a guardrail is watched at every look whatever the plan, so it needs a bound that allows that.
    watched = (pairs["role"] == "guardrail").to_numpy() & (method != "group_sequential")
    anytime = known & (np.isin(method, ["always_valid", "sprt"]) | watched)
    bound = np.full(size, np.nan)
    low, high, p_value = (np.full(size, np.nan) for _ in range(3))
    crossed = np.zeros(size, dtype=np.bool_)
    series = _series(pairs)
    for alternative in np.unique(pairs["alternative"].to_numpy()):
        index = np.flatnonzero(anytime & (pairs["alternative"].to_numpy() == alternative))
        if index.size == 0:
            continue
        part = pairs[index]
        units = (part["n"] + part["n_control"]).to_numpy()
        planned = np.maximum(2 * part["min_sample"].to_numpy(), LEAST_PLANNED_UNITS)
        sequence = confidence_sequence(
            diff[index], se[index], units, planned, level[index], alternative=str(alternative)
        )
        bound[index] = sequence.multiplier
        p_value[index] = sequence.p_value
        low[index], high[index] = sequence.low, sequence.high
    p_value = _along(np.fmin, p_value, series)
    crossed[anytime] = p_value[anytime] <= level[anytime]
    grouped = (method == "group_sequential") & (pairs["segment"] == "all").to_numpy()
    z_bound = _spending_bounds(pairs, grouped, level, information, series)
    bound = np.where(grouped, z_bound, bound)
    over = grouped & known & (_normal_size(tested, pairs["alternative"].to_numpy()) >= z_bound)
    crossed |= _along(np.logical_or, over, series) & grouped
    again, has = _at_bounds(pairs, tested, bound, histograms)
    return Looks(
        np.where(anytime, low, np.where(has, again.ci_low, np.nan)),
        np.where(anytime, high, np.where(has, again.ci_high, np.nan)),
        np.where(has, again.rel.low, np.nan),
        np.where(has, again.rel.high, np.nan),
        p_value,
        bound,
        crossed,
        information,
    )


def shared_level(pairs: pl.DataFrame) -> FloatArray:
    """The level of one primary comparison under repeated looks; the plan's own for other roles."""
    alpha, arms = pairs["alpha"].to_numpy(), pairs["primary_arms"].to_numpy()
    shared = (pairs["role"] == "primary") & (pairs["correction"] != "none")
    return np.where(shared.to_numpy(), alpha / arms, alpha)


@quiet
def information_fraction(pairs: pl.DataFrame, tested: Tested) -> FloatArray:
    """Information so far over what the plan needs, never falling along the cut-offs of a plan with several looks.

    A plan that is read once has no look before: its earlier days are not there when a later one is judged by itself.

    Where the metric declares a minimum effect m: (m / (z_alpha + z_power))² over the squared relative standard
    error, the information that gives the planned power. Otherwise the share of the planned time.
    """
    sides = np.where(pairs["alternative"].to_numpy() == "two-sided", 2.0, 1.0)
    level = pairs["alpha"].to_numpy() / sides
    quantiles = special.ndtri(1 - level) + special.ndtri(pairs["target_power"].to_numpy())
    wanted = pairs["minimum_effect"].cast(pl.Float64).fill_null(np.nan).to_numpy() / quantiles
    relative_se = tested.comparison.se / np.abs(tested.comparison.control)
    by_effect = (wanted / relative_se) ** 2
    passed = (
        pl.col("cut_off").cast(pl.Datetime("us")) + pl.duration(days=1) - pl.col("start_at")
    ) / planned_duration()
    by_time = pairs.select(passed.cast(pl.Float64)).to_series().to_numpy()
    fraction = np.where(np.isfinite(wanted), np.where(np.isfinite(by_effect), by_effect, 0.0), by_time)
    here = np.maximum(fraction, 0.0)
    several = np.isin(pairs["plan_method"].to_numpy(), ["group_sequential", "always_valid", "sprt"])
    rising: FloatArray = np.where(several, _along(np.fmax, here, _series(pairs)), here)
    return rising


def planned_duration() -> pl.Expr:
    """From start to end, at most the plan's longest duration; that duration where no end is set."""
    to_end = pl.col("end_at") - pl.col("start_at")
    return pl.min_horizontal(to_end, pl.col("max_duration"))


def _series(pairs: pl.DataFrame) -> np.ndarray[Any, Any]:
    """A number for each line of cut-offs of one comparison; the pairs are sorted by cut-off inside it."""
    key = ["experiment_id", "metric", "segment", "segment_level", "analysis", "variant_id"]
    return pairs.select(pl.struct(key).rank("dense").cast(pl.Int64) - 1).to_series().to_numpy()


def _matrix(
    series: np.ndarray[Any, Any],
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], tuple[int, int]]:
    """Row and column of each pair in a (line, look) matrix padded at the end."""
    order = np.argsort(series, kind="stable")
    counts = np.bincount(series[order])
    column = np.empty(series.size, dtype=np.int64)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    column[order] = np.arange(series.size) - starts
    return series, column, (counts.size, int(counts.max(initial=0)))


def _along(ufunc: np.ufunc, values: np.ndarray[Any, Any], series: np.ndarray[Any, Any]) -> Any:
    """A running minimum, maximum or "or" along each line of cut-offs."""
    if values.size == 0:
        return values
    row, column, shape = _matrix(series)
    matrix = np.zeros(shape, dtype=values.dtype)
    matrix[row, column] = values
    return ufunc.accumulate(matrix, axis=1)[row, column]


def _spending_bounds(
    pairs: pl.DataFrame,
    grouped: BoolArray,
    level: FloatArray,
    information: FloatArray,
    series: np.ndarray[Any, Any],
) -> FloatArray:
    """Critical values of group-sequential plans, infinite at cut-offs that are no look."""
    bound = np.full(pairs.height, np.nan)
    is_look = _planned_looks(pairs)
    names = pairs["spending"].to_numpy()
    sided = pairs["alternative"].to_numpy() == "two-sided"
    for name in np.unique(names[grouped]) if grouped.any() else []:
        for sides in (1, 2):
            index = np.flatnonzero(grouped & (names == name) & (sided == (sides == 2)))
            if index.size == 0:
                continue
            row, column, shape = _matrix(np.unique(series[index], return_inverse=True)[1])
            fractions = np.full(shape, np.nan)
            fractions[row, column] = np.where(is_look[index], information[index], 0.0)
            fractions = np.fmax.accumulate(fractions, axis=1)
            fractions[:, :][_padding(row, column, shape)] = np.nan
            levels = np.empty(shape[0])
            levels[row] = level[index]
            bounds = lan_demets_bounds(fractions, levels, sides=sides, spending=spending_function(str(name)))
            bound[index] = bounds.upper[row, column]
    return bound


def _padding(row: np.ndarray[Any, Any], column: np.ndarray[Any, Any], shape: tuple[int, int]) -> BoolArray:
    absent = np.ones(shape, dtype=np.bool_)
    absent[row, column] = False
    return absent


def _planned_looks(pairs: pl.DataFrame) -> BoolArray:
    """A look a day, or the days on which another share of the planned time is complete."""
    days = planned_duration().dt.total_days().clip(1)
    day = (pl.col("cut_off") - pl.col("start_at").dt.date()).dt.total_days() + 1
    step = days / pl.col("looks")
    reached = (day / step).floor() > ((day - 1) / step).floor()
    return pairs.select((pl.col("looks").is_null() | reached).fill_null(value=True)).to_series().to_numpy()


def _normal_size(tested: Tested, alternative: np.ndarray[Any, Any]) -> FloatArray:
    """The statistic's size as a standard normal deviate of equal tail probability."""
    t = tested.comparison.statistic
    signed = np.where(alternative == "two-sided", np.abs(t), np.where(alternative == "less", -t, t))
    return -special.ndtri_exp(t_log_sf(signed, tested.comparison.df))


def _at_bounds(
    pairs: pl.DataFrame, tested: Tested, bound: FloatArray, histograms: pl.DataFrame | None
) -> tuple[Comparison, BoolArray]:
    """The same tests at the level whose quantile is the bound, and where there is such a level."""
    one_sided = pairs["alternative"].to_numpy() != "two-sided"
    tail = special.ndtr(-bound) * np.where(one_sided, 1.0, 2.0)
    has = np.isfinite(bound) & (tail > SMALLEST_LEVEL) & (tested.comparison.status == Reason.OK)
    return compare_pairs(pairs, np.where(has, tail, 0.5), histograms).comparison, has
