"""Rank tests on histograms: Mann-Whitney, win probability, Hodges-Lehmann, Kolmogorov-Smirnov."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special
from scipy.optimize import elementwise

from fairsplit.analysis.statistics.checks import as_level
from fairsplit.analysis.statistics.lattice_paths import distance_tail
from fairsplit.analysis.statistics.status import Reason, blank, quiet, reasons
from fairsplit.analysis.statistics.tails import infer, t_quantile

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray, IntArray, StatusArray
    from fairsplit.analysis.statistics.histograms import Histograms

#: Largest product of arm sizes whose exact distribution of ranks, or of distances with ties, is counted out.
EXACT_CELLS = 10_000
#: Most values of both arms whose exact distribution of distances is counted out, in a twentieth of a second.
EXACT_VALUES = 10_000
_BISECTIONS = 80
_STEP = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class MannWhitney:
    """Wilcoxon-Mann-Whitney tests of treatment against control.

    Attributes:
        n_control: Units of the control.
        n_treatment: Units of the treatment.
        u: Treatment's wins over control, ties counted half.
        z: Normal statistic with tie-corrected variance, no continuity correction.
        p_value: Two-sided, from `z`.
        log_p: Its natural logarithm.
        p_continuity: With continuity correction of 1/2.
        p_exact: Exact, where there are no ties and the product of sizes is at most 10,000; else NaN.
        win_probability: P(treatment > control) + P(equal) / 2.
        ci_low: Interval of the win probability that inverts `z`.
        ci_high: Upper end.
        adequate: True where both arms have at least 10 units and not all values tie.
        status: `Reason` codes.
        exact_status: `Reason` codes of `p_exact`.
    """

    n_control: FloatArray
    n_treatment: FloatArray
    u: FloatArray
    z: FloatArray
    p_value: FloatArray
    log_p: FloatArray
    p_continuity: FloatArray
    p_exact: FloatArray
    win_probability: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray
    adequate: BoolArray
    status: StatusArray
    exact_status: StatusArray


@dataclass(frozen=True, slots=True, eq=False)
class HodgesLehmann:
    """Shifts: the median of all pairwise differences treatment minus control.

    Attributes:
        shift: The estimate.
        ci_low: Interval by inverting the rank test's normal approximation, as R's ``wilcox.test``.
        ci_high: Upper end.
        status: `Reason` codes.
    """

    shift: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray
    status: StatusArray


@dataclass(frozen=True, slots=True, eq=False)
class KolmogorovSmirnov:
    """Two-sample Kolmogorov-Smirnov tests.

    Attributes:
        d: Largest distance of the two distribution functions.
        signed: The same with the sign of control minus treatment: positive where treatment values are larger.
        location: Value at which the distance is largest.
        p_value: Asymptotic (Kolmogorov's limit).
        log_p: Its natural logarithm.
        p_exact: Exact, where both arms have 10,000 values at most; else NaN.
        adequate: True where n_c n_t / (n_c + n_t) is at least 4.
        status: `Reason` codes.
    """

    d: FloatArray
    signed: FloatArray
    location: FloatArray
    p_value: FloatArray
    log_p: FloatArray
    p_exact: FloatArray
    adequate: BoolArray
    status: StatusArray


def _sizes_status(n_c: FloatArray, n_t: FloatArray) -> StatusArray:
    return reasons(n_c.shape, [((n_c == 0) | (n_t == 0), Reason.NO_EXPOSURE)])


@quiet
def mann_whitney(histograms: Histograms, alpha: Any = 0.05) -> MannWhitney:
    """Mann-Whitney test with the win probability as its effect.

    z = (U - n_c n_t / 2) / sigma, sigma^2 = n_c n_t / 12 ((N + 1) - sum (t^3 - t) / (N (N - 1))). The interval
    is Newcombe's (2006, method 5), whose variance at 1/2 is the test's own, scaled by the tie correction, so
    test and interval agree at every level.

    Args:
        histograms: Value histograms of both arms.
        alpha: Level(s), per comparison.

    Returns:
        Tests; status ``zero_variance`` where all values are equal.

    Raises:
        InputError: For alpha outside (0, 1).

    Examples:
        >>> from fairsplit.analysis.statistics.histograms import Histograms
        >>> r = mann_whitney(Histograms.from_values([1.0, 2.0, 3.0], [2.5, 3.5, 4.5, 5.0]))
        >>> r.u, r.p_exact.round(4)
        (array([11.]), array([0.1143]))
    """
    h = histograms
    n_c, n_t = h.n_control, h.n_treatment
    total = n_c + n_t
    below = h.running(h.control) - h.control
    centred = h.total(h.treatment * (below + 0.5 * h.control - 0.5 * n_c[h.group]))
    tied = h.control + h.treatment
    ties = h.total((tied / total[h.group]) * (tied**2 - 1.0) / (total - 1.0)[h.group])
    correction = 1.0 - ties / (total + 1.0)
    sigma = np.sqrt(n_c * n_t / 12.0 * (total + 1.0) * correction)
    status = reasons(
        n_c.shape,
        [((n_c == 0) | (n_t == 0), Reason.NO_EXPOSURE), (~(sigma > 0), Reason.ZERO_VARIANCE)],
    )
    level = np.broadcast_to(as_level(alpha), n_c.shape)
    infinite = np.full(n_c.shape, np.inf)
    plain = infer(centred, sigma, infinite, level)
    careful = infer(np.maximum(np.abs(centred) - 0.5, 0.0), sigma, infinite, level)
    win = 0.5 + centred / (n_c * n_t)
    low, high = _win_interval(
        win, n_c, n_t, np.where(status == Reason.OK, correction, np.nan), plain.quantile
    )
    has_ties = np.asarray(h.total((tied > 1).astype(np.float64)) > 0)
    exact_status = reasons(
        n_c.shape,
        [
            (status != Reason.OK, Reason.NO_EXPOSURE),
            (has_ties | (n_c * n_t > EXACT_CELLS), Reason.TOO_LARGE_FOR_EXACT),
        ],
    )
    return MannWhitney(
        n_c,
        n_t,
        blank(status, centred + 0.5 * n_c * n_t),
        blank(status, plain.statistic),
        blank(status, plain.p_value),
        blank(status, plain.log_p),
        blank(status, careful.p_value),
        _rank_sum_exact(centred, n_c, n_t, exact_status),
        blank(status, win),
        blank(status, low),
        blank(status, high),
        np.asarray((np.minimum(n_c, n_t) >= 10) & (status == Reason.OK)),
        status,
        exact_status,
    )


def _newcombe_variance(
    win: FloatArray, n_c: FloatArray, n_t: FloatArray, correction: FloatArray
) -> FloatArray:
    half = 0.5 * (n_c + n_t) - 1.0
    factor = 1.0 + half * ((1.0 - win) / (2.0 - win) + win / (1.0 + win))
    return correction * win * (1.0 - win) * factor / (n_c * n_t)


def _win_gap(
    win: FloatArray, seen: FloatArray, n_c: FloatArray, n_t: FloatArray, correction: FloatArray, q: FloatArray
) -> FloatArray:
    spread = np.sqrt(np.maximum(_newcombe_variance(win, n_c, n_t, correction), 0.0))
    return seen - win - q * spread


def _win_interval(
    win: FloatArray, n_c: FloatArray, n_t: FloatArray, correction: FloatArray, quantile: FloatArray
) -> tuple[FloatArray, FloatArray]:
    ends = []
    # A step inside: at 0 and 1 the variance vanishes, and the estimate itself would be a root.
    below, above = np.maximum(win - _STEP, 0.0), np.minimum(win + _STEP, 1.0)
    for sign, bracket in ((1.0, (np.zeros_like(win), below)), (-1.0, (above, np.ones_like(win)))):
        found = elementwise.find_root(
            _win_gap,
            bracket,
            args=(win, n_c, n_t, correction, sign * quantile),
            tolerances={"xrtol": 1e-15, "xatol": 0.0},
        )
        edge = bracket[0] if sign > 0 else bracket[1]
        ends.append(np.where(found.success, found.x, edge))
    return ends[0], ends[1]


def _rank_sum_exact(centred: FloatArray, n_c: FloatArray, n_t: FloatArray, status: StatusArray) -> FloatArray:
    """Exact two-sided p-values; the distribution is counted once per pair of arm sizes."""
    out = np.full(centred.shape, np.nan)
    wanted = np.flatnonzero(status == Reason.OK)
    small, large = np.minimum(n_c, n_t)[wanted], np.maximum(n_c, n_t)[wanted]
    for a, b in np.unique(np.column_stack([small, large]), axis=0):
        rows = wanted[(small == a) & (large == b)]
        tail = _rank_sum_tail(int(a), int(b))
        distance = np.abs(centred[rows])
        out[rows] = np.minimum(2.0 * tail[np.ceil(distance + 0.5 * a * b - 1e-9).astype(np.int64)], 1.0)
    return out


@lru_cache(maxsize=64)
def _rank_sum_tail(a: int, b: int) -> FloatArray:
    """P(U >= u) for u = 0 to a b: coefficients of the Gaussian binomial, in exact integers."""
    counts = np.zeros(a * b + 1, dtype=object)
    counts[0] = 1
    for i in range(1, a + 1):
        counts[b + i :] = counts[b + i :] - counts[: max(counts.size - b - i, 0)]
        for offset in range(i):
            counts[offset::i] = np.add.accumulate(counts[offset::i])
    upper = np.add.accumulate(counts[::-1])[::-1]
    return np.asarray(upper / comb(a + b, a), dtype=np.float64)


@quiet
def hodges_lehmann(histograms: Histograms, alpha: Any = 0.05) -> HodgesLehmann:
    """Median of all pairwise differences, with the rank test's interval (Hodges and Lehmann 1963; Moses).

    The interval's ends are the pairwise differences of ranks C and n_c n_t + 1 - C, C = n_c n_t / 2 - q sigma
    rounded down (at least 1), without tie correction, which only widens it.

    Args:
        histograms: Value histograms of both arms.
        alpha: Level(s), per comparison.

    Returns:
        Shifts in the metric's unit.

    Raises:
        InputError: For alpha outside (0, 1).

    Examples:
        >>> from fairsplit.analysis.statistics.histograms import Histograms
        >>> hodges_lehmann(Histograms.from_values([1.0, 2.0, 3.0], [2.0, 4.0, 9.0])).shift
        array([2.])
    """
    h = histograms
    n_c, n_t = h.n_control, h.n_treatment
    status = _sizes_status(n_c, n_t)
    level = np.broadcast_to(as_level(alpha), n_c.shape)
    pairs = n_c * n_t
    q = t_quantile(level / 2.0, np.full(n_c.shape, np.inf))
    rank = np.maximum(np.floor(0.5 * pairs - q * np.sqrt(pairs * (n_c + n_t + 1.0) / 12.0)), 1.0)
    lower_median = _difference_of_rank(h, np.floor((pairs + 1.0) / 2.0))
    upper_median = _difference_of_rank(h, np.ceil((pairs + 1.0) / 2.0))
    return HodgesLehmann(
        blank(status, 0.5 * (lower_median + upper_median)),
        blank(status, _difference_of_rank(h, rank)),
        blank(status, _difference_of_rank(h, pairs + 1.0 - rank)),
        status,
    )


def _difference_of_rank(h: Histograms, rank: FloatArray) -> FloatArray:
    """The pairwise difference of a rank, by bisection on the count of pairs."""
    if not h.value.size:
        return np.full(h.size, np.nan)
    first = h.value[np.minimum(h.start[:-1], h.value.size - 1)]
    last = h.value[np.maximum(h.start[1:] - 1, 0)]
    span = np.maximum(last - first, 0.0)
    low, high = -span - 1.0, span
    below = np.concatenate([[0.0], np.cumsum(h.treatment)])
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        position = _upper_positions(h, h.value + middle[h.group])
        counted = h.total(h.control * (below[position] - below[h.start[:-1][h.group]]))
        enough = counted >= rank
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    # Bisection ends within rounding of a pairwise difference; the nearest such difference is the answer.
    position = _upper_positions(h, h.value + (high + 1e-12 * np.maximum(span, np.abs(high)))[h.group]) - 1
    inside = (position >= h.start[:-1][h.group]) & (h.control > 0)
    candidate = np.where(inside, h.value[np.maximum(position, 0)] - h.value, -np.inf)
    best = np.full(h.size, -np.inf)
    np.maximum.at(best, h.group, candidate)
    return np.where(np.abs(best - high) <= 1e-9 * np.maximum(span, 1e-300), best, high)


def _upper_positions(h: Histograms, wanted: FloatArray) -> IntArray:
    """For each cell the number of cells up to its comparison's last one whose value is at most `wanted`."""
    low, high = h.start[:-1][h.group], h.start[1:][h.group]
    while np.any(low < high):
        middle = (low + high) // 2
        open_ = low < high
        at_most = open_ & (h.value[np.minimum(middle, h.value.size - 1)] <= wanted)
        low, high = np.where(at_most, middle + 1, low), np.where(open_ & ~at_most, middle, high)
    return low


@quiet
def kolmogorov_smirnov(histograms: Histograms, *, exact_ties: bool = False) -> KolmogorovSmirnov:
    """Two-sample Kolmogorov-Smirnov test.

    Args:
        histograms: Value histograms of both arms.
        exact_ties: Whether the exact p heeds ties, which takes one recursion (milliseconds) per comparison, where
            the product of sizes is at most 10,000; without it the exact p is conservative where values tie.

    Returns:
        Tests: asymptotic p by Kolmogorov's limit at sqrt(n_c n_t / N) D, exact p by counting lattice paths
        (Hodges 1957).

    Examples:
        >>> from fairsplit.analysis.statistics.histograms import Histograms
        >>> h = Histograms.from_values([1.0, 2.0, 3.0, 4.0, 5.0], [6.0, 7.0, 8.0, 9.0, 10.0])
        >>> r = kolmogorov_smirnov(h)
        >>> r.d, r.p_exact.round(6)
        (array([1.]), array([0.007937]))
    """
    h = histograms
    n_c, n_t = h.n_control, h.n_treatment
    status = _sizes_status(n_c, n_t)
    gap = h.running(h.control) / n_c[h.group] - h.running(h.treatment) / n_t[h.group]
    d = np.zeros(h.size)
    np.maximum.at(d, h.group, np.abs(gap))
    cell = np.full(h.size, h.value.size, dtype=np.int64)
    np.minimum.at(cell, h.group, np.where(np.abs(gap) >= d[h.group], np.arange(h.value.size), h.value.size))
    found = np.minimum(cell, max(h.value.size - 1, 0))
    location = h.value[found] if h.value.size else np.full(h.size, np.nan)
    signed = gap[found] if h.value.size else np.full(h.size, np.nan)
    effective = n_c * n_t / (n_c + n_t)
    x = np.sqrt(effective) * d
    p = special.kolmogorov(x)
    log_p = np.where(p > 1e-290, np.log(p), np.log(2.0) - 2.0 * x**2)
    return KolmogorovSmirnov(
        blank(status, d),
        blank(status, signed),
        blank(status, location),
        blank(status, p),
        blank(status, log_p),
        _ks_exact(h, d, status, exact_ties=exact_ties),
        np.asarray(effective >= 4),
        status,
    )


def _ks_exact(h: Histograms, d: FloatArray, status: StatusArray, *, exact_ties: bool) -> FloatArray:
    n_c, n_t = h.n_control, h.n_treatment
    out = np.full(d.shape, np.nan)
    small = n_c * n_t <= EXACT_CELLS if exact_ties else n_c + n_t <= EXACT_VALUES
    wanted = np.flatnonzero((status == Reason.OK) & small)
    steps = np.rint(d * n_c * n_t)
    if exact_ties:
        ends = h.running(h.control + h.treatment).astype(np.int64)
        for row in wanted:
            seen = ends[h.start[row] : h.start[row + 1]]
            out[row] = _ks_tail(int(n_c[row]), int(n_t[row]), int(steps[row]), tuple(seen.tolist()))
        return out
    keys = np.column_stack([n_c, n_t, steps])[wanted]
    for key in np.unique(keys, axis=0):
        rows = wanted[(keys == key).all(axis=1)]
        out[rows] = distance_tail(*(int(v) for v in key))
    return out


@lru_cache(maxsize=1024)
def _ks_tail(m: int, n: int, distance: int, ends: tuple[int, ...]) -> float:
    """P(D >= distance / (m n)): lattice paths that leave the open band, counted in exact integers.

    Only the ends of the runs of equal values are looked at (Schröer and Trenkler 1995): a path may leave
    the band inside a run.
    """
    if distance <= 0:
        return 1.0
    looked_at = np.zeros(m + n + 1, dtype=np.bool_)
    looked_at[list(ends)] = True
    y = np.arange(n + 1)
    inside = np.zeros(n + 1, dtype=object)
    for i in range(m + 1):
        allowed = (np.abs(i * n - y * m) < distance) | ~looked_at[i : i + n + 1]
        if i == 0:
            inside[:] = np.minimum.accumulate(allowed.astype(np.int64)).tolist()
            continue
        # Along the row each allowed cell adds its left neighbour; a forbidden cell starts anew from 0.
        sums = np.add.accumulate(np.where(allowed, inside, 0))
        restart = np.maximum.accumulate(np.where(allowed, -1, y))
        inside = np.where(allowed, sums - np.where(restart >= 0, sums[restart], 0), 0)
    total = comb(m + n, m)
    return float((total - int(inside[n])) / total)
