"""Group sequential bounds: Lan-DeMets error spending, classical constants, crossing probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from fairsplit.analysis.statistics.checks import as_choice, as_counts, as_floats, as_level, refuse, together
from fairsplit.analysis.statistics.padded import as_padded
from fairsplit.analysis.statistics.recursive_integration import (
    REACH,
    Walk,
    batches,
    batches_by_look,
    looks_taken,
    nodes_by_look,
)
from fairsplit.analysis.statistics.roots import rowwise_root
from fairsplit.analysis.statistics.spending import SpendingFunction, spending_function
from fairsplit.analysis.statistics.status import Reason, quiet

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray, IntArray, StatusArray

#: Beyond this a z bound cannot be crossed by data one would believe; keeps searches inside float range.
_LARGEST_CONSTANT = 12.0


@dataclass(frozen=True, slots=True)
class SpendingBounds:
    """Bounds on the z scale.

    Attributes:
        upper: Reject above, shape (..., looks); +inf where a look spends nothing, NaN where there is no look.
        lower: Mirror image for two sides, -inf for one side.
        cumulative_alpha: Error of one side spent up to and including each look.
        nominal_p: One-sided p-value that corresponds to the upper bound.
        status: `Reason` codes, shape (...): ``no_exposure`` where a design has no information at any look.
    """

    upper: FloatArray
    lower: FloatArray
    cumulative_alpha: FloatArray
    nominal_p: FloatArray
    status: StatusArray


@dataclass(frozen=True, slots=True)
class CrossingProbabilities:
    """First-crossing probabilities.

    Attributes:
        upper: P(first cross the upper bound at this look), shape (..., looks), 0 where there is no look.
        lower: The same for the lower bound.
        expected_information: Mean information at stopping, shape (...); without a crossing the last look's.
    """

    upper: FloatArray
    lower: FloatArray
    expected_information: FloatArray


def as_information(value: Any, name: str) -> FloatArray:
    """Information levels, shape (..., looks), padded at the end with NaN where designs have fewer looks.

    Raises:
        InputError: ``negative``; ``not_finite`` for infinities or NaN before a number; ``shape_mismatch`` for
            a scalar.
    """
    raw = as_padded(value, name)
    missing = np.isnan(raw)
    filled = as_floats(np.where(missing, 0.0, raw), name)
    if filled.ndim == 0 or filled.shape[-1] == 0:
        raise refuse("shape_mismatch", "no looks", name, rule="at least one look on the last axis")
    if np.any(filled < 0):
        raise refuse("negative", "negative information", name, rule="0 or more")
    if np.any(np.diff(missing.astype(np.int8), axis=-1) < 0):
        raise refuse("not_finite", "a gap between looks", name, rule="NaN only after the last look")
    return np.where(missing, np.nan, filled)


def as_sides(sides: int) -> int:
    """1 or 2.

    Raises:
        InputError: ``unknown_choice``.
    """
    as_choice(str(sides), "sides", ("1", "2"))
    return sides


def lan_demets_bounds(
    information_fraction: Any,
    alpha: Any = 0.05,
    *,
    sides: int = 2,
    spending: SpendingFunction | None = None,
    spent_by: Any | None = None,
) -> SpendingBounds:
    """Efficacy bounds by error spending, for many designs with information of their own at once.

    A look at which information has grown by less than a thousandth since the last counted look is none: its
    bound is infinite and its share of the error waits. Fractions above 1 (overrun) spend everything that is
    left. The last look spends what is left, too, however little information came in (underrun), where `spent_by`
    says 1 for it.

    Args:
        information_fraction: Observed over planned information at each look, shape (..., looks), rising, NaN
            after the last look.
        alpha: Total error, broadcastable to shape (...); half of it is spent on each side if there are two.
        sides: 2 (symmetric) or 1 (upper).
        spending: From `spending_function` or `custom_spending`; O'Brien-Fleming-type if omitted.
        spent_by: Where the spending function is read at each look, same shape, such as the share of the planned time;
            the information fraction if omitted. With it only the ratios of the information matter.

    Returns:
        Bounds of the same shape.

    Raises:
        InputError: For alpha outside (0, 1), negative or gappy information, sides other than 1 or 2;
            ``shape_mismatch`` for times that do not pair up with the looks.

    Source:
        Lan and DeMets (1983), Biometrika 70, 659; Jennison and Turnbull (2000), sections 7.2 and 19.2; for two time
        scales Lan and DeMets (1989), Controlled Clinical Trials 10, 216; for the last look of an underrun Wassmer
        and Brannath (2016), section 3.3.

    Examples:
        >>> lan_demets_bounds([0.2, 0.4, 0.6, 0.8, 1.0]).upper.round(3)
        array([4.877, 3.357, 2.68 , 2.29 , 2.031])
        >>> lan_demets_bounds([0.2, 0.4], spent_by=[0.2, 1.0]).upper.round(3)
        array([4.877, 1.96 ])
    """
    t = as_information(information_fraction, "information_fraction")
    level = as_level(alpha)
    as_sides(sides)
    spend = spending or spending_function("obrien_fleming")
    shape = t.shape
    rows = t.reshape(-1, shape[-1])
    per_side = np.broadcast_to(level, shape[:-1]).reshape(-1) / sides
    times = rows
    if spent_by is not None:
        when = as_information(spent_by, "spent_by")
        if when.shape != shape:
            raise refuse(
                "shape_mismatch", "times without their looks", "spent_by", value=when.shape, rule=str(shape)
            )
        times = when.reshape(rows.shape)
    # comparisons of one experiment often share their looks: each distinct design is integrated once
    key = np.column_stack([np.nan_to_num(rows, nan=-1.0), np.nan_to_num(times, nan=-1.0), per_side])
    _, first, place = np.unique(key, axis=0, return_index=True, return_inverse=True)
    rows, times, per_side, place = rows[first], times[first], per_side[first], place.reshape(-1)
    taken = looks_taken(rows)
    cumulative = spend(np.nan_to_num(times), per_side[:, None])
    cumulative = np.maximum.accumulate(np.where(taken, cumulative, 0.0), axis=1)
    increment = np.diff(cumulative, axis=1, prepend=0.0)
    upper = _efficacy(rows, taken, increment, sides)
    absent = np.isnan(rows)
    upper = np.where(absent, np.nan, upper)
    lower = -upper if sides == 2 else np.where(absent, np.nan, -np.inf)
    status = np.where(taken.any(axis=1), Reason.OK, Reason.NO_EXPOSURE).astype(np.int8)
    return SpendingBounds(
        upper=upper[place].reshape(shape),
        lower=lower[place].reshape(shape),
        cumulative_alpha=np.where(absent, np.nan, cumulative)[place].reshape(shape),
        nominal_p=special.ndtr(-upper)[place].reshape(shape),
        status=status[place].reshape(shape[:-1]),
    )


@quiet
def _efficacy(information: FloatArray, taken: BoolArray, increment: FloatArray, sides: int) -> FloatArray:
    out = np.full(information.shape, np.inf)
    filled = np.nan_to_num(information)
    # without earlier looks the bound would lie at the increment's own quantile: it cannot lie further out
    widest = -special.ndtri(np.clip(increment, np.finfo(np.float64).tiny, 0.5))
    if sides == 1:
        widest = 0.5 * (REACH + widest)
    wanted = nodes_by_look(information, taken, widest)
    for rows, nodes in batches_by_look(wanted):
        walk = Walk.start(np.zeros(rows.size), nodes)
        for k in range(information.shape[1]):
            here = taken[rows, k] & (wanted[rows, k] <= nodes)
            if not here.any():
                continue
            at = np.where(here, filled[rows, k], walk.information)
            bound = walk.solve_above(np.where(here, increment[rows, k], 0.0), at)
            out[rows, k] = np.where(here & (wanted[rows, k] == nodes), bound, out[rows, k])
            walk.advance(-bound if sides == 2 else np.full(rows.size, -np.inf), bound, at, here)
    return out


@quiet
def crossing_probabilities(
    upper: Any, lower: Any, information: Any, drift: Any = 0.0
) -> CrossingProbabilities:
    """P(first cross each bound at each look), when Z_k has mean drift * sqrt(information_k).

    Args:
        upper: z bounds, shape (..., looks); +inf never stops.
        lower: z bounds, -inf never stops.
        information: Rising over looks, shape (..., looks), NaN after the last look.
        drift: Mean of Z per square root of information, broadcastable to shape (...); with information
            fractions it is the mean of Z at full information.

    Returns:
        Probabilities of the broadcast shape.

    Raises:
        InputError: For NaN bounds at a look, or shapes that do not fit.

    Source:
        Jennison and Turnbull (2000), section 19.2.

    Examples:
        >>> p = crossing_probabilities([2.178, 2.178], [-2.178, -2.178], [0.5, 1.0])
        >>> round(float(p.upper.sum() + p.lower.sum()), 4)
        0.05
    """
    info = as_information(information, "information")
    theta = as_floats(drift, "drift")
    above = as_padded(upper, "upper")
    below = as_padded(lower, "lower")
    above, below, info, spread = together(
        {"upper": above, "lower": below, "information": info, "drift": theta[..., None]}
    )
    shape = info.shape
    looks = shape[-1]
    here_all = ~np.isnan(info)
    if np.any(here_all & (np.isnan(above) | np.isnan(below))):
        raise refuse("not_finite", "a look without bounds", "upper, lower", rule="a bound at every look")
    flat = info.reshape(-1, looks)
    u, low = above.reshape(-1, looks), below.reshape(-1, looks)
    theta = np.ascontiguousarray(spread[..., 0]).reshape(-1)
    taken = looks_taken(flat)
    filled = np.nan_to_num(flat)
    up = np.zeros(flat.shape)
    down = np.zeros(flat.shape)
    centre = theta[:, None] * np.sqrt(filled)
    width = np.minimum(u, centre + REACH) - np.maximum(low, centre - REACH)
    for rows, nodes in batches(flat, taken, 0.5 * np.nan_to_num(width)):
        walk = Walk.start(theta[rows], nodes)
        for k in range(looks):
            here = taken[rows, k]
            if not here.any():
                continue
            at = np.where(here, filled[rows, k], walk.information)
            up[rows, k] = np.where(here, walk.above(u[rows, k], at), 0.0)
            down[rows, k] = np.where(here, walk.below(low[rows, k], at), 0.0)
            walk.advance(low[rows, k], u[rows, k], at, here)
    stopped = up + down
    last = np.max(np.where(taken, filled, 0.0), axis=1, initial=0.0)
    expected = last + np.sum(stopped * (filled - last[:, None]), axis=1)
    return CrossingProbabilities(up.reshape(shape), down.reshape(shape), expected.reshape(shape[:-1]))


def pocock_constant(looks: Any, alpha: Any = 0.05, *, sides: int = 2) -> FloatArray:
    """Pocock's constant: the same z bound C at each of K equally spaced looks.

    Args:
        looks: K, whole numbers of at least 1, shape (designs,) or scalar.
        alpha: Total error over all sides, broadcastable to `looks`.
        sides: 1 or 2.

    Returns:
        C, shape of the broadcast arguments.

    Raises:
        InputError: For looks below 1, alpha outside (0, 1).

    Source:
        Pocock (1977), Biometrika 64, 191; Jennison and Turnbull (2000), table 2.1.

    Examples:
        >>> pocock_constant([2, 5]).round(3)
        array([2.178, 2.413])
    """
    return _constant(looks, alpha, sides, np.ones_like)


def obrien_fleming_constant(looks: Any, alpha: Any = 0.05, *, sides: int = 2) -> FloatArray:
    """O'Brien and Fleming's constant: the bound at look k of K is C sqrt(K / k).

    Args:
        looks: K, whole numbers of at least 1, shape (designs,) or scalar.
        alpha: Total error over all sides, broadcastable to `looks`.
        sides: 1 or 2.

    Returns:
        C, shape of the broadcast arguments.

    Raises:
        InputError: For looks below 1, alpha outside (0, 1).

    Source:
        O'Brien and Fleming (1979), Biometrics 35, 549; Jennison and Turnbull (2000), table 2.3.

    Examples:
        >>> obrien_fleming_constant([2, 5]).round(3)
        array([1.977, 2.04 ])
    """
    return _constant(looks, alpha, sides, lambda fraction: 1.0 / np.sqrt(fraction))


def obrien_fleming_bounds(looks: int, alpha: float = 0.05, *, sides: int = 2) -> FloatArray:
    """The K z bounds C sqrt(K / k).

    Args:
        looks: K, at least 1.
        alpha: Total error over all sides.
        sides: 1 or 2.

    Returns:
        Shape (K,).

    Raises:
        InputError: As `obrien_fleming_constant`.

    Examples:
        >>> obrien_fleming_bounds(3).round(3)
        array([3.471, 2.454, 2.004])
    """
    constant = obrien_fleming_constant(looks, alpha, sides=sides)
    return np.asarray(constant * np.sqrt(looks / np.arange(1.0, looks + 1.0)), dtype=np.float64)


def equal_fractions(looks: Any) -> FloatArray:
    """Information fractions 1/K, …, 1 of K equally spaced looks.

    Args:
        looks: K, whole numbers of at least 1, shape (...).

    Returns:
        Shape (..., largest K), NaN after the last look.

    Raises:
        InputError: ``out_of_range`` below 1, ``not_whole``.

    Examples:
        >>> equal_fractions([1, 2])
        array([[1. , nan],
               [0.5, 1. ]])
    """
    k = as_counts(looks, "looks")
    if np.any(k < 1):
        raise refuse("out_of_range", "no look", "looks", value=k, rule="at least 1")
    steps = np.arange(1.0, k.max(initial=1.0) + 1.0)
    return np.where(steps <= k[..., None], steps / k[..., None], np.nan)


def _constant(looks: Any, alpha: Any, sides: int, form: Callable[[FloatArray], FloatArray]) -> FloatArray:
    k = as_counts(looks, "looks")
    level = as_level(alpha)
    as_sides(sides)
    k, level = together({"looks": k, "alpha": level})
    flat_k, flat_level = k.reshape(-1), level.reshape(-1)
    fraction = equal_fractions(flat_k)
    unit = form(np.where(np.isnan(fraction), 1.0, fraction))

    def excess(constant: FloatArray, r: IntArray) -> FloatArray:
        upper = constant[:, None] * unit[r]
        lower = -upper if sides == 2 else np.full(upper.shape, -np.inf)
        p = crossing_probabilities(upper, lower, fraction[r])
        crossed = p.upper.sum(axis=-1) + (p.lower.sum(axis=-1) if sides == 2 else 0.0)
        return np.asarray(np.log(crossed) - np.log(flat_level[r]), dtype=np.float64)

    single = np.maximum(-special.ndtri(flat_level / sides), 0.0)
    low = np.where(flat_level / sides < 0.5, single * 0.5, -_LARGEST_CONSTANT)
    high = np.minimum(single * 2.0 + 2.0, _LARGEST_CONSTANT)
    constant, found = rowwise_root(excess, low, high, flat_k.size)
    if not found.all():
        raise refuse("out_of_range", "no constant below 12", "alpha", value=level, rule="1e-30 or more")
    return constant.reshape(k.shape)
