"""Error-spending functions: how much of alpha (or beta) may be used up by each information fraction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from fairsplit.analysis.statistics.checks import as_choice, as_floats, as_rates, refuse

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairsplit.analysis.statistics.checks import FloatArray

#: Families by name; `spending_function` builds them.
FAMILIES = ("obrien_fleming", "pocock", "power", "hwang_shih_decani")


@dataclass(frozen=True, slots=True)
class SpendingFunction:
    """A non-decreasing share of the error that may be spent by information fraction t.

    Attributes:
        name: Family, for the record beside the result.
        parameter: The family's parameter; NaN where it has none.
        rule: ``(fraction in [0, 1], total error) -> cumulative error spent``, elementwise.
    """

    name: str
    parameter: float
    rule: Callable[[FloatArray, FloatArray], FloatArray] = field(repr=False)

    def __call__(self, fraction: FloatArray, error: FloatArray) -> FloatArray:
        """Cumulative error spent; fractions beyond 1 spend all of it, 0 spends nothing."""
        t = np.clip(fraction, 0.0, 1.0)
        spent = self.rule(np.where(t > 0, t, 1.0), error)
        return np.where(t > 0, np.where(t < 1, spent, error), 0.0)


def spending_function(name: str, parameter: float | None = None) -> SpendingFunction:
    """A named spending family.

    Args:
        name: ``obrien_fleming`` (2 - 2 Phi(z_{a/2} / sqrt t)), ``pocock`` (a ln(1 + (e - 1) t)),
            ``power`` (a t^rho, needs rho > 0), ``hwang_shih_decani``
            (a (1 - exp(-gamma t)) / (1 - exp(-gamma)), needs gamma, 0 means a t).
            a is the error of one side.
        parameter: rho or gamma; must be absent for the first two.

    Returns:
        The function.

    Raises:
        InputError: ``unknown_choice``; ``out_of_range`` for a parameter that is missing, superfluous or not
            positive (power); ``not_finite``.

    Source:
        Lan and DeMets (1983), Biometrika 70, 659; Kim and DeMets (1987), Biometrika 74, 149;
        Hwang, Shih and DeCani (1990), Statistics in Medicine 9, 1439.

    Examples:
        >>> spend = spending_function("obrien_fleming")
        >>> spend(np.array([0.2, 1.0]), np.array(0.025)).round(9)
        array([5.39e-07, 2.50e-02])
    """
    as_choice(name, "spending", FAMILIES)
    if name in {"obrien_fleming", "pocock"}:
        if parameter is not None:
            raise refuse(
                "out_of_range", "this family has no parameter", "parameter", value=parameter, rule="none"
            )
        return SpendingFunction(name, np.nan, _obrien_fleming if name == "obrien_fleming" else _pocock)
    if parameter is None:
        raise refuse("out_of_range", f"{name} needs a parameter", "parameter", rule="rho or gamma")
    value = float(as_floats(parameter, "parameter"))
    if name == "hwang_shih_decani":
        return SpendingFunction(name, value, lambda t, a: _hwang_shih_decani(t, a, value))
    if value <= 0:
        raise refuse("out_of_range", "rho is not positive", "parameter", value=value, rule="above 0")
    return SpendingFunction(name, value, lambda t, a: a * t**value)


def custom_spending(fraction: Any, share: Any) -> SpendingFunction:
    """A spending function through given points, straight between them and from (0, 0).

    Args:
        fraction: Information fractions, shape (points,), increasing, the last one 1.
        share: Share of the error spent by each, shape (points,), non-decreasing, the last one 1.

    Returns:
        The function.

    Raises:
        InputError: As `as_rates`; ``out_of_range`` for points that decrease or do not end at (1, 1).

    Examples:
        >>> spend = custom_spending([0.5, 1.0], [0.1, 1.0])
        >>> spend(np.array([0.25, 0.75]), np.array(0.05))
        array([0.0025, 0.0275])
    """
    x, y = as_rates(fraction, "fraction"), as_rates(share, "share")
    if x.ndim != 1 or x.shape != y.shape or x.size == 0:
        raise refuse(
            "shape_mismatch", "points do not pair up", "fraction, share", value=f"{x.shape}, {y.shape}"
        )
    rising = np.all(np.diff(x, prepend=0.0) > 0) and np.all(np.diff(y, prepend=0.0) >= 0)
    if not rising or x[-1] != 1 or y[-1] != 1:
        raise refuse("out_of_range", "not a spending function", "share", rule="rising, ending at (1, 1)")
    xs, ys = np.append(0.0, x), np.append(0.0, y)
    return SpendingFunction("custom", np.nan, lambda t, a: a * np.interp(t, xs, ys))


def _obrien_fleming(t: FloatArray, error: FloatArray) -> FloatArray:
    return np.asarray(2.0 * special.ndtr(special.ndtri(error / 2.0) / np.sqrt(t)), dtype=np.float64)


def _pocock(t: FloatArray, error: FloatArray) -> FloatArray:
    return error * np.log1p((np.e - 1.0) * t)


def _hwang_shih_decani(t: FloatArray, error: FloatArray, gamma: float) -> FloatArray:
    if gamma == 0:
        return error * t
    return np.asarray(error * np.expm1(-gamma * t) / np.expm1(-gamma), dtype=np.float64)
