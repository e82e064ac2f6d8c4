"""Planning group sequential designs: maximum information, expected sample sizes, futility bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from fairsplit.analysis.statistics.checks import as_level, refuse, together
from fairsplit.analysis.statistics.group_sequential import (
    as_information,
    as_sides,
    crossing_probabilities,
    lan_demets_bounds,
)
from fairsplit.analysis.statistics.padded import as_padded
from fairsplit.analysis.statistics.recursive_integration import REACH, Walk, batches, looks_taken
from fairsplit.analysis.statistics.roots import rowwise_root
from fairsplit.analysis.statistics.spending import spending_function
from fairsplit.analysis.statistics.status import Reason, blank, quiet

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray, IntArray, StatusArray
    from fairsplit.analysis.statistics.spending import SpendingFunction

#: Drifts (means of Z at full information) that a search may visit.
_DRIFTS = (0.01, 25.0)


@dataclass(frozen=True, slots=True)
class Design:
    """Designs with efficacy bounds only, relative to the fixed design of the same error and power.

    Attributes:
        drift: Mean of Z at full information that is detected with the power asked for.
        inflation: Maximum information over the fixed design's.
        expected_null: Expected information under no effect over the fixed design's.
        expected_alternative: The same under the effect designed for.
    """

    drift: FloatArray
    inflation: FloatArray
    expected_null: FloatArray
    expected_alternative: FloatArray


@dataclass(frozen=True, slots=True)
class FutilityDesign:
    """Upper (efficacy) and lower (futility) z bounds that meet at the last look.

    Attributes:
        upper: Shape (..., looks), NaN after the last look.
        lower: Same shape.
        information: Information at each look over the fixed design's, same shape.
        drift: Mean of Z at full information that is detected with power 1 - beta.
        expected_null: Expected information under no effect (stopping for futility) over the fixed design's.
        expected_alternative: The same under the effect designed for.
        status: `Reason` codes, shape (...): ``not_converged`` where no drift fits the bounds.
    """

    upper: FloatArray
    lower: FloatArray
    information: FloatArray
    drift: FloatArray
    expected_null: FloatArray
    expected_alternative: FloatArray
    status: StatusArray


@quiet
def design_properties(
    upper: Any, information_fraction: Any, alpha: Any = 0.05, power: Any = 0.8, *, sides: int = 2
) -> Design:
    """Information and expected sample sizes of designs with given efficacy bounds.

    Args:
        upper: z bounds, shape (..., looks), for example from `lan_demets_bounds` or a classical constant.
        information_fraction: Shape (..., looks), the last one 1, NaN after the last look.
        alpha: Total error that the bounds have; it defines the fixed design to compare with.
        power: P(cross the upper bound) under the effect, above alpha / sides.
        sides: 2 mirrors the bounds, 1 has none below.

    Returns:
        Arrays of shape (...), NaN where no drift up to 25 reaches the power.

    Raises:
        InputError: ``out_of_range`` for power at most alpha / sides; as `crossing_probabilities`.

    Source:
        Jennison and Turnbull (2000), sections 2.3 and 2.4 (tables 2.2 and 2.4).

    Examples:
        >>> d = design_properties([[2.4132] * 5], [[0.2, 0.4, 0.6, 0.8, 1.0]], power=0.9)
        >>> d.inflation.round(3), d.expected_alternative.round(3)
        (array([1.207]), array([0.685]))
    """
    as_sides(sides)
    t = as_information(information_fraction, "information_fraction")
    u, t = together({"upper": as_padded(upper, "upper"), "information_fraction": t})
    level, aim, _ = together(
        {"alpha": as_level(alpha), "power": as_level(power, "power"), "looks": t[..., 0]}
    )
    if np.any(aim <= level / sides):
        raise refuse("out_of_range", "power at most alpha", "power", rule="above alpha / sides")
    looks = t.shape[-1]
    rows_u, rows_t = u.reshape(-1, looks), t.reshape(-1, looks)
    rows_level, rows_aim = level.reshape(-1), aim.reshape(-1)
    lower = -rows_u if sides == 2 else np.where(np.isnan(rows_u), np.nan, -np.inf)

    def excess(drift: FloatArray, r: IntArray) -> FloatArray:
        p = crossing_probabilities(rows_u[r], lower[r], rows_t[r], drift)
        return np.asarray(p.upper.sum(axis=-1) - rows_aim[r], dtype=np.float64)

    drift, found = rowwise_root(excess, *_DRIFTS, rows_t.shape[0])
    reached = np.where(found, 1.0, np.nan)
    drift = np.where(found, drift, 0.0)
    fixed = _fixed_information(rows_level, rows_aim, sides)
    null = crossing_probabilities(rows_u, lower, rows_t, np.zeros_like(drift)).expected_information
    other = crossing_probabilities(rows_u, lower, rows_t, drift).expected_information
    inflation = drift**2 / fixed * reached
    shape = t.shape[:-1]
    return Design(
        drift=(drift * reached).reshape(shape),
        inflation=inflation.reshape(shape),
        expected_null=(null * inflation).reshape(shape),
        expected_alternative=(other * inflation).reshape(shape),
    )


@quiet
def futility_design(
    information_fraction: Any,
    alpha: Any = 0.025,
    beta: Any = 0.2,
    *,
    efficacy: SpendingFunction | None = None,
    futility: SpendingFunction | None = None,
    binding: bool = False,
) -> FutilityDesign:
    """One-sided designs that spend alpha on efficacy and beta on futility.

    Non-binding bounds keep alpha even if futility is ignored; binding ones count on stopping, so that the
    upper bounds are a little lower. The drift is found at which both bounds meet at the last look.

    Args:
        information_fraction: Shape (..., looks), the last one 1, NaN after the last look.
        alpha: One-sided error, broadcastable to shape (...).
        beta: 1 - power, with alpha + beta < 1.
        efficacy: Spending of alpha; O'Brien-Fleming-type if omitted.
        futility: Spending of beta; O'Brien-Fleming-type if omitted.
        binding: Whether alpha relies on stopping for futility.

    Returns:
        Arrays as `FutilityDesign` says.

    Raises:
        InputError: ``out_of_range`` for alpha + beta of 1 or more, or fractions that do not end at 1.

    Source:
        Pampallona, Tsiatis and Kim (2001), Drug Information Journal 35, 1113; Anderson and Clark (2010),
        Statistics in Medicine 29, 219 (the designs of gsDesign, test types 3 and 4).

    Examples:
        >>> hsd = spending_function("hwang_shih_decani", -4.0), spending_function("hwang_shih_decani", -2.0)
        >>> d = futility_design([1 / 3, 2 / 3, 1.0], 0.025, 0.1, efficacy=hsd[0], futility=hsd[1])
        >>> d.lower.round(3), d.information.round(3)
        (array([-0.239,  0.941,  1.999]), array([0.357, 0.713, 1.07 ]))
    """
    t = as_information(information_fraction, "information_fraction")
    a, b, _ = together({"alpha": as_level(alpha), "beta": as_level(beta, "beta"), "looks": t[..., 0]})
    if np.any(a + b >= 1):
        raise refuse("out_of_range", "errors add up to 1 or more", "alpha, beta", rule="alpha + beta < 1")
    last = np.nanmax(t, axis=-1)
    if np.any(np.abs(last - 1.0) > 1e-9):
        raise refuse("out_of_range", "looks do not end at full information", "information_fraction", rule="1")
    looks = t.shape[-1]
    plan = _FutilityPlan.build(
        t.reshape(-1, looks), a.reshape(-1), b.reshape(-1), efficacy, futility, binding=binding
    )

    def excess(drift: FloatArray, r: IntArray) -> FloatArray:
        return plan.subset(r).walk(drift)[2]

    drift, found = rowwise_root(excess, *_DRIFTS, plan.fraction.shape[0])
    drift = np.where(found, drift, 1.0)
    upper, lower, _ = plan.walk(drift)
    status = np.where(found, Reason.OK, Reason.NOT_CONVERGED).astype(np.int8)
    relative = drift**2 / _fixed_information(plan.alpha, 1.0 - plan.beta, 1)
    null = crossing_probabilities(upper, lower, plan.fraction, np.zeros_like(drift)).expected_information
    other = crossing_probabilities(upper, lower, plan.fraction, drift).expected_information
    shape = t.shape[:-1]
    return FutilityDesign(
        upper=blank(status, upper).reshape(t.shape),
        lower=blank(status, lower).reshape(t.shape),
        information=blank(status, plan.fraction * relative[:, None]).reshape(t.shape),
        drift=blank(status, drift).reshape(shape),
        expected_null=blank(status, null * relative).reshape(shape),
        expected_alternative=blank(status, other * relative).reshape(shape),
        status=status.reshape(shape),
    )


def _fixed_information(alpha: FloatArray, power: FloatArray, sides: int) -> FloatArray:
    """Squared drift of the one-look design: (z_{alpha / sides} + z_{1 - power})^2."""
    return np.asarray((special.ndtri(alpha / sides) + special.ndtri(1.0 - power)) ** 2, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _FutilityPlan:
    """Errors to spend at each look, per design, and the walk that turns them into bounds."""

    fraction: FloatArray
    taken: BoolArray
    final: BoolArray
    alpha: FloatArray
    beta: FloatArray
    alpha_step: FloatArray
    beta_step: FloatArray
    fixed_upper: FloatArray
    binding: bool

    @classmethod
    def build(
        cls,
        fraction: FloatArray,
        alpha: FloatArray,
        beta: FloatArray,
        efficacy: SpendingFunction | None,
        futility: SpendingFunction | None,
        *,
        binding: bool,
    ) -> _FutilityPlan:
        standard = spending_function("obrien_fleming")
        taken = looks_taken(fraction)
        steps = []
        for rule, error in ((efficacy or standard, alpha), (futility or standard, beta)):
            spent = np.where(taken, rule(np.nan_to_num(fraction), error[:, None]), 0.0)
            steps.append(np.diff(np.maximum.accumulate(spent, axis=1), axis=1, prepend=0.0))
        places = np.where(taken, np.arange(fraction.shape[1]), -1)
        final = places == places.max(axis=1, keepdims=True)
        bounds = lan_demets_bounds(fraction, alpha, sides=1, spending=efficacy)
        upper = np.where(np.isnan(fraction), np.inf, bounds.upper)
        return cls(fraction, taken, final & taken, alpha, beta, steps[0], steps[1], upper, binding)

    def subset(self, rows: IntArray) -> _FutilityPlan:
        """The plan of some designs (with repetition)."""
        return _FutilityPlan(
            self.fraction[rows],
            self.taken[rows],
            self.final[rows],
            self.alpha[rows],
            self.beta[rows],
            self.alpha_step[rows],
            self.beta_step[rows],
            self.fixed_upper[rows],
            self.binding,
        )

    def walk(self, drift: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Bounds at a drift, and beta still missing at the last look if the bounds met there."""
        upper = np.where(np.isnan(self.fraction), np.nan, np.inf)
        lower = -upper
        missing = np.zeros(drift.shape)
        filled = np.nan_to_num(self.fraction)
        reach = 0.5 * (REACH + np.minimum(self.fixed_upper, REACH))
        for rows, nodes in batches(self.fraction, self.taken, reach):
            null = Walk.start(np.zeros(rows.size), nodes)
            other = Walk.start(drift[rows], nodes)
            for k in range(filled.shape[1]):
                here, end = self.taken[rows, k], self.final[rows, k]
                if not here.any():
                    continue
                at = np.where(here, filled[rows, k], other.information)
                u = self.fixed_upper[rows, k]
                if self.binding:
                    u = null.solve_above(np.where(here, self.alpha_step[rows, k], 0.0), at)
                low = other.solve_below(np.where(here & ~end, self.beta_step[rows, k], 0.0), at)
                low = np.where(end, u, np.minimum(low, u))
                short = other.below(u, at) - self.beta_step[rows, k]
                missing[rows] = np.where(end, short, missing[rows])
                upper[rows, k] = np.where(here, u, upper[rows, k])
                lower[rows, k] = np.where(here, low, lower[rows, k])
                other.advance(low, u, at, here)
                if self.binding:
                    null.advance(low, u, at, here)
        return upper, lower, missing
