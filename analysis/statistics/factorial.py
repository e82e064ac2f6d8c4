"""Factorial experiments and pairs of experiments: main effects and interactions from the means of the cells."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, product
from typing import TYPE_CHECKING

import numpy as np

from fairsplit.analysis.statistics.checks import as_non_negative, refuse
from fairsplit.analysis.statistics.contrasts import Contrasts, contrasts
from fairsplit.analysis.statistics.status import Reason, quiet, reasons

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from fairsplit.analysis.statistics.checks import FloatArray
    from fairsplit.analysis.statistics.moments import Moments


@dataclass(frozen=True, slots=True)
class FactorialEffects:
    """Main effects and interactions of a factorial experiment.

    Attributes:
        terms: One tuple for each contrast: pairs (factor, level), each level against level 0 of its factor.
        contrasts: `Contrasts` with a last axis in the order of `terms`.
    """

    terms: tuple[tuple[tuple[int, int], ...], ...]
    contrasts: Contrasts


@quiet
def factorial_effects(
    cells: Moments,
    factors: int,
    *,
    margins: Sequence[ArrayLike] | None = None,
    max_order: int = 2,
    alpha: ArrayLike = 0.05,
) -> FactorialEffects:
    """Main effects and interactions of a factorial (multivariate) experiment.

    Each contrast takes level l against level 0 in its own factors and averages over the levels of the others
    (effects at the margin, not "all else at control"). Variances add over cells; no equal variance is
    assumed.

    Args:
        cells: Moments of the cells, shape (..., levels of factor 1, …, levels of the last factor).
        factors: Number of trailing axes that are factors.
        margins: Weights of the levels for averaging over a factor, one vector for each factor; None: equal.
        max_order: Highest number of factors in one interaction (1 = main effects only).
        alpha: Two-sided level.

    Returns:
        `FactorialEffects`; Normal law (the degrees of freedom are infinite).

    Raises:
        InputError: ``shape_mismatch`` for wrong axes or margins; ``negative``; ``out_of_range``.

    Source:
        Montgomery (2017), Design and Analysis of Experiments, ch. 5–6; Dasgupta, Pillai & Rubin (2015), JRSS
        B 77 (variance under randomisation).

    Examples:
        >>> from fairsplit.analysis.statistics.moments import Moments
        >>> cells = Moments.from_summary([[100, 100], [100, 100]], [[1.0, 1.5], [1.2, 2.1]], 1.0)
        >>> r = factorial_effects(cells, 2)
        >>> r.terms
        (((0, 1),), ((1, 1),), ((0, 1), (1, 1)))
        >>> print(np.round(r.contrasts.estimate, 3), np.round(r.contrasts.se, 3))
        [0.4 0.7 0.4] [0.1 0.1 0.2]
    """
    levels = cells.n.shape[cells.n.ndim - factors :]
    if factors < 1 or cells.n.ndim < factors or min(levels) < 2:
        raise refuse(
            "shape_mismatch",
            "cells do not span the factors",
            "cells",
            value=cells.n.shape,
            rule="a trailing axis of two or more levels for each factor",
        )
    shares = _margins(margins, levels)
    terms = _terms(levels, max_order)
    matrix = np.stack([_contrast(term, shares) for term in terms], axis=-1).reshape(-1, len(terms))
    shape = cells.n.shape[: cells.n.ndim - factors]
    n = cells.n.reshape(*shape, -1)
    m2 = cells.m2.reshape(*shape, -1)
    variance_of_mean = np.divide(m2, n * (n - 1), out=np.zeros_like(m2), where=n > 1)
    estimate = cells.mean.reshape(*shape, -1) @ matrix
    variance = variance_of_mean @ matrix**2
    # A cell with no weight in a contrast is not asked for.
    used = matrix != 0
    status = reasons(
        estimate.shape,
        [
            ((n == 0).astype(np.float64) @ used > 0, Reason.NO_EXPOSURE),
            ((n < 2).astype(np.float64) @ used > 0, Reason.INSUFFICIENT_SAMPLE),
            (variance == 0, Reason.ZERO_VARIANCE),
        ],
    )
    return FactorialEffects(terms, contrasts(estimate, variance, np.asarray(np.inf), status, alpha))


def _margins(margins: Sequence[ArrayLike] | None, levels: tuple[int, ...]) -> list[FloatArray]:
    if margins is None:
        return [np.full(size, 1.0 / size) for size in levels]
    out = [as_non_negative(margin, "margins") for margin in margins]
    if [margin.shape for margin in out] != [(size,) for size in levels]:
        raise refuse(
            "shape_mismatch",
            "margins do not match the factors",
            "margins",
            value=[margin.shape for margin in out],
            rule=f"one weight for each of the levels {levels}",
        )
    if any(margin.sum() <= 0 for margin in out):
        raise refuse("out_of_range", "a margin without weight", "margins", rule="a positive sum")
    return [margin / margin.sum() for margin in out]


def _terms(levels: tuple[int, ...], max_order: int) -> tuple[tuple[tuple[int, int], ...], ...]:
    out: list[tuple[tuple[int, int], ...]] = []
    for order in range(1, min(max_order, len(levels)) + 1):
        for chosen in combinations(range(len(levels)), order):
            picks = product(*(range(1, levels[factor]) for factor in chosen))
            out.extend(tuple(zip(chosen, picked, strict=True)) for picked in picks)
    return tuple(out)


def _contrast(term: tuple[tuple[int, int], ...], shares: list[FloatArray]) -> FloatArray:
    out = np.ones(())
    level_of = dict(term)
    for factor, share in enumerate(shares):
        vector = share
        if factor in level_of:
            vector = np.zeros(share.size)
            vector[level_of[factor]], vector[0] = 1.0, -1.0
        out = np.multiply.outer(out, vector)
    return out


@quiet
def interaction_did(cells: Moments, *, alpha: ArrayLike = 0.05) -> Contrasts:
    """Interaction of two experiments from their 2 × 2 cells: the difference of the differences.

    Args:
        cells: Moments, shape (..., 2, 2); axis -2 is the arm in experiment A, axis -1 in experiment B; index
            0 is the control.
        alpha: Two-sided level.

    Returns:
        `Contrasts` of shape (...): (m11 - m10) - (m01 - m00) with the Normal law.

    Raises:
        InputError: ``shape_mismatch``.

    Source:
        Kohavi, Tang & Xu (2020), ch. 4 (interactions of concurrent experiments); variance of a linear
        contrast.

    Examples:
        >>> from fairsplit.analysis.statistics.moments import Moments
        >>> cells = Moments.from_summary([[100, 100], [100, 100]], [[1.0, 1.5], [1.2, 2.1]], 1.0)
        >>> r = interaction_did(cells)
        >>> print(round(float(r.estimate), 3), round(float(r.se), 3), round(float(r.p_value), 4))
        0.4 0.2 0.0455
    """
    if cells.n.shape[-2:] != (2, 2):
        raise refuse("shape_mismatch", "not 2 by 2 cells", "cells", value=cells.n.shape, rule="(..., 2, 2)")
    every = factorial_effects(cells, 2, alpha=alpha).contrasts
    return Contrasts(*(getattr(every, field)[..., 2] for field in every.__slots__))
