"""Estimates and p-values of group sequential tests: repeated ones at any look, final ones after stopping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from fairsplit.analysis.statistics.checks import (
    as_counts,
    as_floats,
    as_level,
    as_non_negative,
    refuse,
    together,
)
from fairsplit.analysis.statistics.group_sequential import (
    as_information,
    as_sides,
    crossing_probabilities,
    lan_demets_bounds,
)
from fairsplit.analysis.statistics.padded import as_padded
from fairsplit.analysis.statistics.recursive_integration import looks_taken
from fairsplit.analysis.statistics.roots import rowwise_root
from fairsplit.analysis.statistics.status import Reason, blank, quiet, reasons

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray, IntArray, StatusArray
    from fairsplit.analysis.statistics.spending import SpendingFunction

#: Normal quantiles of the errors for which bounds are tabulated; p-values are read between them.
_QUANTILES = np.concatenate([np.arange(0.2, 3.3, 0.25), np.arange(3.7, 8.3, 0.5)])
#: Standard errors of the first look by which the search for an estimate goes beyond the bounds.
_MARGIN = 10.0


@dataclass(frozen=True, slots=True)
class RepeatedIntervals:
    """Repeated confidence intervals at the latest look, per comparison.

    Attributes:
        low: Closed lower bound, in units of the estimate; -inf where the look spends nothing.
        high: Closed upper bound; +inf for one side or where the look spends nothing.
        bound: The z bound in place of a normal quantile.
        status: `Reason` codes: ``zero_variance``, ``no_exposure``.
    """

    low: FloatArray
    high: FloatArray
    bound: FloatArray
    status: StatusArray


@dataclass(frozen=True, slots=True)
class FinalInference:
    """Estimates after stopping, ordered by stage.

    Attributes:
        estimate: Median-unbiased effect, in units of Z over the square root of information.
        low: Lower end of the interval with exact coverage.
        high: Upper end; +inf for one side.
        naive: The ordinary estimate Z / sqrt(information), biased away from 0 by stopping.
        p_value: Of no effect, in the stagewise ordering.
        status: `Reason` codes: ``no_exposure`` without a look, ``not_converged``.
    """

    estimate: FloatArray
    low: FloatArray
    high: FloatArray
    naive: FloatArray
    p_value: FloatArray
    status: StatusArray


@quiet
def repeated_intervals(
    estimate: Any,
    std_error: Any,
    information_fraction: Any,
    design: Any = None,
    alpha: Any = 0.05,
    *,
    sides: int = 2,
    spending: SpendingFunction | None = None,
) -> RepeatedIntervals:
    """Intervals that hold together over all looks, at the latest look of each comparison.

    Args:
        estimate: Effects at the latest look, shape (rows,).
        std_error: Their standard errors.
        information_fraction: Looks so far, shape (designs, looks), NaN after the latest.
        design: Row of `information_fraction` per comparison, shape (rows,); row by row if omitted.
        alpha: Total error, scalar or shape (designs,).
        sides: 2, or 1 for a lower bound only.
        spending: O'Brien-Fleming-type if omitted.

    Returns:
        Arrays of shape (rows,). The interval leaves out 0 exactly when the bound is crossed at this look.

    Raises:
        InputError: ``shape_mismatch``; as `lan_demets_bounds`.

    Source:
        Jennison and Turnbull (2000), section 9.2.

    Examples:
        >>> r = repeated_intervals([0.3, 0.1], 0.1, [[0.5, 0.8]], [0, 0])
        >>> r.low.round(3), r.bound.round(3)
        (array([ 0.073, -0.127]), array([2.266, 2.266]))
    """
    est, se = together(
        {"estimate": as_floats(estimate, "estimate"), "std_error": as_non_negative(std_error, "std_error")}
    )
    fractions, row = _designs(information_fraction, design, est.shape)
    bounds = lan_demets_bounds(fractions, alpha, sides=sides, spending=spending)
    latest = _latest(fractions)
    bound = np.take_along_axis(bounds.upper, latest[:, None], axis=1)[:, 0][row]
    status = reasons(
        est.shape, [(bounds.status[row] != Reason.OK, Reason.NO_EXPOSURE), (se == 0, Reason.ZERO_VARIANCE)]
    )
    high = est + bound * se if sides == 2 else np.full(est.shape, np.inf)
    return RepeatedIntervals(
        blank(status, est - bound * se), blank(status, high), blank(status, bound), status
    )


@quiet
def repeated_p_values(
    z: Any,
    information_fraction: Any,
    design: Any = None,
    *,
    alpha: float = 0.05,
    sides: int = 2,
    spending: SpendingFunction | None = None,
) -> FloatArray:
    """The smallest alpha whose design would reject at the latest look.

    Bounds are tabulated once per design over errors from 0.84 to 1e-16 and read between (on the normal
    quantile scale, where bound and error are almost proportional; about four digits), so that many
    comparisons share them.

    Args:
        z: Statistics at the latest look, shape (rows,).
        information_fraction: Looks so far, shape (designs, looks), NaN after the latest.
        design: Row of `information_fraction` per comparison; row by row if omitted.
        alpha: The error that decisions are taken at.
        sides: 2 or 1.
        spending: O'Brien-Fleming-type if omitted.

    Returns:
        p-values, shape (rows,); 1 where not even alpha = 0.84 would reject, NaN without any look. Their
        running minimum over looks is valid as well.

    Raises:
        InputError: ``shape_mismatch``; as `lan_demets_bounds`.

    Source:
        Jennison and Turnbull (2000), section 9.4; Liu and Anderson (2008), JASA 103, 1614.

    Examples:
        >>> repeated_p_values([2.25, 3.0], [[0.5, 0.8]], [0, 0]).round(3)
        array([0.052, 0.008])
    """
    as_sides(sides)
    value = as_floats(z, "z")
    fractions, row = _designs(information_fraction, design, value.shape)
    own = -special.ndtri(float(as_level(alpha)) / sides)
    quantiles = _QUANTILES.copy()
    quantiles[np.argmin(np.abs(quantiles - own))] = own
    errors = sides * special.ndtr(-quantiles)
    shape = (quantiles.size, *fractions.shape)
    bounds = lan_demets_bounds(
        np.broadcast_to(fractions, shape), np.minimum(errors, 0.9)[:, None], sides=sides, spending=spending
    )
    latest = np.broadcast_to(_latest(fractions)[None, :, None], (*shape[:2], 1))
    table = np.take_along_axis(bounds.upper, latest, axis=2)[:, :, 0].T
    has_look = np.asarray(looks_taken(fractions).any(axis=1))
    quantile = _read(table[row], quantiles, np.abs(value) if sides == 2 else value)
    p = np.minimum(sides * special.ndtr(-quantile), 1.0)
    return np.where(has_look[row], p, np.nan)


@quiet
def final_inference(
    z: Any, information: Any, upper: Any, lower: Any, alpha: Any = 0.05, *, sides: int = 2
) -> FinalInference:
    """Median-unbiased estimate, interval and p-value after a group sequential test has stopped.

    Outcomes are ordered by stage: stopping above early is more extreme than stopping above late.

    Args:
        z: Statistic at the look where the test stopped, shape (rows,).
        information: At the looks up to and including that one, shape (rows, looks), NaN after it; in units of
            1 / std_error^2 the results are in units of the effect.
        upper: z bounds of those looks, same shape (the one of the last look does not matter).
        lower: z bounds, -inf where there is none.
        alpha: Error of the interval.
        sides: 2 for a two-sided p-value and interval, 1 for an upper p-value and a lower bound.

    Returns:
        Arrays of shape (rows,).

    Raises:
        InputError: ``shape_mismatch``; as `crossing_probabilities`.

    Source:
        Armitage (1957); Tsiatis, Rosner and Mehta (1984), Biometrics 40, 797; Jennison and Turnbull (2000),
        sections 8.4 and 8.5.

    Examples:
        >>> r = final_inference([3.0], [[0.5, 1.0]], [[2.963, 1.969]], [[-2.963, -1.969]])
        >>> r.estimate.round(3), r.naive, r.low.round(3), r.p_value.round(4)
        (array([2.949]), array([3.]), array([0.918]), array([0.0052]))
    """
    as_sides(sides)
    value = as_floats(z, "z")
    info = as_information(information, "information")
    if value.ndim != 1 or info.ndim != 2 or info.shape[0] != value.size:
        raise refuse(
            "shape_mismatch", "rows do not pair up", "z, information", value=f"{value.shape}, {info.shape}"
        )
    above, below, info = together(
        {
            "upper": as_padded(upper, "upper"),
            "lower": as_padded(lower, "lower"),
            "i": info,
        }
    )
    level = np.broadcast_to(as_level(alpha), value.shape) / sides
    run = _Stopped.build(value, info, above, below)
    low_end, high_end = run.bracket()
    rows = value.size

    def root(target: FloatArray, *, upward: bool) -> tuple[FloatArray, BoolArray]:
        def excess(drift: FloatArray, r: IntArray) -> FloatArray:
            up, down = run.tails(drift, r)
            return up - target[r] if upward else target[r] - down

        return rowwise_root(excess, low_end, high_end, rows)

    estimate, found = root(np.full(rows, 0.5), upward=True)
    low, found_low = root(level, upward=True)
    high, found_high = root(level, upward=False) if sides == 2 else (np.full(rows, np.inf), found)
    up, down = run.tails(np.zeros(rows), np.arange(rows))
    p = np.minimum(2.0 * np.minimum(up, down), 1.0) if sides == 2 else up
    solved = found & found_low & found_high
    status = reasons(value.shape, [(~run.looked, Reason.NO_EXPOSURE), (~solved, Reason.NOT_CONVERGED)])
    return FinalInference(
        estimate=blank(status, estimate),
        low=blank(status, low),
        high=blank(status, high),
        naive=blank(status, run.naive),
        p_value=blank(status, p),
        status=status,
    )


@dataclass(frozen=True, slots=True)
class _Stopped:
    """Designs cut at the look where they stopped, whose bound is replaced by the statistic seen."""

    information: FloatArray
    upper: FloatArray
    lower: FloatArray
    naive: FloatArray
    looked: BoolArray

    @classmethod
    def build(cls, z: FloatArray, information: FloatArray, upper: FloatArray, lower: FloatArray) -> _Stopped:
        taken = looks_taken(information)
        looked = np.asarray(taken.any(axis=1))
        at = _latest(information)[:, None]
        is_last = np.arange(information.shape[1]) == at
        last = np.take_along_axis(information, at, axis=1)[:, 0]
        naive = z / np.sqrt(np.where(last > 0, last, np.nan))
        return cls(
            information,
            np.where(is_last, z[:, None], upper),
            np.where(is_last, z[:, None], lower),
            naive,
            looked,
        )

    def bracket(self) -> tuple[FloatArray, FloatArray]:
        """Drifts that hold the estimate and its interval: the bounds' own, ten standard errors more."""
        root = np.sqrt(np.where(self.information > 0, self.information, np.nan))
        points = np.concatenate([self.upper / root, self.lower / root], axis=1)
        points = np.where(np.isfinite(points), points, np.nan)
        points = np.where(np.all(np.isnan(points), axis=1, keepdims=True), 0.0, points)
        first = np.fmin.reduce(np.where(np.isnan(root), np.inf, root), axis=1)
        margin = _MARGIN / np.where(np.isfinite(first), first, 1.0)
        return np.fmin.reduce(points, axis=1) - margin, np.fmax.reduce(points, axis=1) + margin

    def tails(self, drift: FloatArray, rows: IntArray) -> tuple[FloatArray, FloatArray]:
        """P(an outcome at least as high), P(an outcome at least as low); they add up to 1."""
        p = crossing_probabilities(self.upper[rows], self.lower[rows], self.information[rows], drift)
        return p.upper.sum(axis=-1), p.lower.sum(axis=-1)


def _designs(information_fraction: Any, design: Any, shape: tuple[int, ...]) -> tuple[FloatArray, IntArray]:
    fractions = as_information(information_fraction, "information_fraction")
    if fractions.ndim != 2 or len(shape) != 1:
        raise refuse(
            "shape_mismatch",
            "not rows of comparisons and designs",
            "information_fraction",
            value=f"{shape}, {fractions.shape}",
            rule="(rows,), (designs, looks)",
        )
    row = np.arange(fractions.shape[0]) if design is None else as_counts(design, "design").astype(np.intp)
    if row.shape != shape or np.any(row >= fractions.shape[0]):
        raise refuse(
            "shape_mismatch", "no design for a comparison", "design", value=row.shape, rule=str(shape)
        )
    return fractions, row


def _latest(information: FloatArray) -> IntArray:
    """Index of the last look that is not padding (0 where there is none)."""
    return np.asarray(np.maximum(np.sum(~np.isnan(information), axis=1) - 1, 0), dtype=np.int64)


def _read(table: FloatArray, quantiles: FloatArray, z: FloatArray) -> FloatArray:
    """Normal quantile of the error whose bound is z, by cubic interpolation in each row's rising table."""
    finite = np.where(np.isfinite(table), table, np.nan)
    usable = np.sum(~np.isnan(finite), axis=1)
    inside = np.sum(finite <= z[:, None], axis=1)
    first = np.clip(inside - 2, 0, np.maximum(usable - 4, 0))
    at = np.minimum(first[:, None] + np.arange(4), table.shape[1] - 1)
    x = np.take_along_axis(finite, at, axis=1)
    y = quantiles[at]
    cubic = np.zeros(z.shape)
    for i in range(4):
        others = [j for j in range(4) if j != i]
        basis = np.prod([(z - x[:, j]) / (x[:, i] - x[:, j]) for j in others], axis=0)
        cubic += y[:, i] * basis
    # beyond the table: straight on from its last two points
    end = np.maximum(usable - 1, 1)[:, None]
    x1, x0 = (np.take_along_axis(finite, end - back, axis=1)[:, 0] for back in (0, 1))
    y1, y0 = (quantiles[end - back][:, 0] for back in (0, 1))
    straight = y1 + (z - x1) * (y1 - y0) / (x1 - x0)
    quantile = np.where(inside >= usable, straight, cubic)
    return np.where((inside == 0) | np.isnan(quantile), -np.inf, quantile)
