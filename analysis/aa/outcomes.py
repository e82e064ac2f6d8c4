"""What each split's analysis concluded: the judgement's own methods, reduced to what certification counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from fairsplit.analysis.parts.installed import is_custom
from fairsplit.analysis.parts.running import compare_custom
from fairsplit.analysis.statistics.checks import as_choice
from fairsplit.analysis.statistics.covariates import cuped
from fairsplit.analysis.statistics.histograms import Histograms
from fairsplit.analysis.statistics.means import welch
from fairsplit.analysis.statistics.proportions import compare_proportions, two_proportion_z
from fairsplit.analysis.statistics.quantiles import quantile_difference
from fairsplit.analysis.statistics.ranks import kolmogorov_smirnov, mann_whitney
from fairsplit.analysis.statistics.ratios import linearised, ratio_delta
from fairsplit.analysis.statistics.status import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from fairsplit.analysis.aa.splitting import SplitMoments
    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray
    from fairsplit.analysis.statistics.comparisons import Comparison
    from fairsplit.analysis.statistics.moments import JointMoments

Method: TypeAlias = Literal[
    "welch",
    "proportion",
    "two_proportion_z",
    "ratio_delta",
    "cuped",
    "ratio_cuped",
    "percentile",
    "mann_whitney",
    "kolmogorov_smirnov",
]
#: The variables that each method reads, in order: outcome y, denominator d, covariates x and w of both.
VARIABLES: dict[str, str] = {
    "welch": "y",
    "proportion": "y",
    "two_proportion_z": "y",
    "ratio_delta": "yd",
    "cuped": "yx",
    "ratio_cuped": "ydxw",
    "percentile": "y",
    "mann_whitney": "y",
    "kolmogorov_smirnov": "y",
}
#: Methods that need every value, not sums.
BY_VALUES = ("percentile", "mann_whitney", "kolmogorov_smirnov")
#: Cells (distinct values × comparisons) of one batch of histograms.
_CELLS = 1_000_000


def variables_of(method: str) -> str:
    """The variables that a method reads; a custom part reads the outcome alone."""
    return "y" if is_custom(method) else VARIABLES[method]


def is_by_values(method: str) -> bool:
    """Whether a method needs every value, as custom parts do."""
    return is_custom(method) or method in BY_VALUES


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Conclusions of shape (runs, treatments).

    Attributes:
        p_value: NaN where it could not be computed.
        holds: The interval of the difference holds 0.
        has_interval: There is such an interval.
        relative_holds: The interval of the relative lift holds 0.
        has_relative: There is such an interval.
    """

    p_value: FloatArray
    holds: BoolArray
    has_interval: BoolArray
    relative_holds: BoolArray
    has_relative: BoolArray


def compare_splits(split: SplitMoments, method: Method, alpha: ArrayLike = 0.05) -> Comparison:
    """The judgement's own comparison of every treatment with the control, for every split.

    Args:
        split: From `split_moments`, with the variables of the method.
        method: One of the methods that need sums only.
        alpha: Level.

    Returns:
        Comparisons of shape (runs, treatments).

    Raises:
        InputError: ``unknown_choice``; alpha outside (0, 1).

    Examples:
        >>> from fairsplit.analysis.aa.splitting import split_moments
        >>> one = np.array([[0, 9999, 1, 8000]], dtype=np.uint16)
        >>> split = split_moments([[1.0], [5.0], [3.0], [6.0]], [one], [(0, 5000), (5000, 10000)])
        >>> compare_splits(split, "welch").diff
        array([[3.5]])
    """
    as_choice(method, "method", [word for word in VARIABLES if word not in BY_VALUES])
    control = split.arms.take((slice(None), slice(0, 1)))
    treatment = split.arms.take((slice(None), slice(1, None)))
    if method == "welch":
        return welch(control.variable(0), treatment.variable(0), alpha)
    if method == "proportion":
        (x_c, n_c), (x_t, n_t) = (_successes(arm) for arm in (control, treatment))
        return compare_proportions(x_c, n_c, x_t, n_t, alpha=alpha).comparison
    if method == "two_proportion_z":
        return two_proportion_z(*_successes(control), *_successes(treatment), alpha=alpha)
    if method == "ratio_delta":
        return ratio_delta(control, treatment, alpha)
    if method == "ratio_cuped":
        control, treatment = linearised(control), linearised(treatment)
    return cuped(control, treatment, alpha).comparison


def _successes(arm: JointMoments) -> tuple[FloatArray, FloatArray]:
    # Sums of zeros and ones come out of a matrix product with rounding errors.
    return np.rint(arm.mean[..., 0] * arm.n), arm.n


def outcomes(comparison: Comparison) -> Outcomes:
    """What certification counts of a comparison.

    Args:
        comparison: Of shape (runs, treatments).

    Returns:
        `Outcomes`.

    Examples:
        >>> from fairsplit.analysis.statistics.moments import Moments
        >>> arms = (Moments.from_values([[[1.0, 2.0, 3.0]]]), Moments.from_values([[[7.0, 8.0, 9.5]]]))
        >>> r = outcomes(welch(*arms))
        >>> r.holds, r.has_interval
        (array([[False]]), array([[ True]]))
    """
    lift = comparison.rel
    # An unbounded set reaches from minus to plus infinity, perhaps with a gap.
    gap = (lift.excluded_low < 0) & (lift.excluded_high > 0)
    done = np.asarray(comparison.status == Reason.OK)
    return Outcomes(
        p_value=comparison.p_value,
        holds=np.asarray((comparison.ci_low <= 0) & (comparison.ci_high >= 0)),
        has_interval=done,
        relative_holds=np.asarray((lift.low <= 0) & (lift.high >= 0) & ~gap),
        has_relative=done & np.asarray(lift.status == Reason.OK),
    )


def outcomes_by_values(
    values: FloatArray,
    block: NDArray[np.uint16],
    ranges: Sequence[tuple[int, int]],
    method: str,
    *,
    percentile: float,
    alpha: ArrayLike,
) -> Outcomes:
    """Rank and quantile methods on the value histograms of every split; cost follows the distinct values.

    Args:
        values: One value for each unit.
        block: Shards, shape (runs, units).
        ranges: Half-open shard range of each arm; the first is the control.
        method: One of `BY_VALUES`, or the name of a custom part.
        percentile: Probability of the quantile, for ``percentile``.
        alpha: Level.

    Returns:
        `Outcomes` of shape (runs, treatments).

    Raises:
        InputError: As the method itself.

    Examples:
        >>> block = np.array([[0, 9999, 1, 8000, 2, 7000]], dtype=np.uint16)
        >>> values, halves = np.array([1.0, 5.0, 3.0, 6.0, 2.0, 4.0]), [(0, 5000), (5000, 10000)]
        >>> r = outcomes_by_values(values, block, halves, "mann_whitney", percentile=0.5, alpha=0.05)
        >>> r.p_value.round(4)
        array([[0.0495]])
    """
    order = np.argsort(values, kind="stable")
    distinct, start = np.unique(values[order], return_index=True)
    rows = max(1, _CELLS // (distinct.size * max(len(ranges) - 1, 1)))
    parts = []
    for first in range(0, block.shape[0], rows):
        shards = block[first : first + rows][:, order]
        arms = [
            np.add.reduceat(((shards >= low) & (shards < high)).astype(np.float64), start, axis=1)
            for low, high in ranges
        ]
        treatment = np.stack(arms[1:], axis=1)
        control = np.broadcast_to(arms[0][:, None], treatment.shape)
        done = _by_values(_histograms(distinct, control, treatment), method, percentile, alpha)
        parts.append([part.reshape(treatment.shape[:2]) for part in done])
    p, holds, has, relative, has_relative = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Outcomes(p, holds, has, relative, has_relative)


def _histograms(distinct: FloatArray, control: FloatArray, treatment: FloatArray) -> Histograms:
    size = treatment.shape[0] * treatment.shape[1]
    c, t = control.reshape(-1), treatment.reshape(-1)
    group = np.repeat(np.arange(size), distinct.size)
    value = np.tile(distinct, size)
    kept = c + t > 0
    start = np.searchsorted(group[kept], np.arange(size + 1))
    return Histograms(size, group[kept], value[kept], c[kept], t[kept], start)


def _by_values(
    both: Histograms, method: str, percentile: float, alpha: ArrayLike
) -> tuple[FloatArray, BoolArray, BoolArray, BoolArray, BoolArray]:
    if method == "percentile" or is_custom(method):
        level = np.full(both.size, alpha)
        done = (
            compare_custom(method, both, level)
            if is_custom(method)
            else quantile_difference(both, percentile, alpha)
        )
        r = outcomes(done)
        return r.p_value, r.holds, r.has_interval, r.relative_holds, r.has_relative
    no = np.zeros(both.size, dtype=np.bool_)
    if method == "mann_whitney":
        rank = mann_whitney(both, alpha)
        holds = np.asarray((rank.ci_low <= 0.5) & (rank.ci_high >= 0.5))
        return rank.p_value, holds, np.asarray(rank.status == Reason.OK), no, no
    return kolmogorov_smirnov(both).p_value, no, no, no, no
