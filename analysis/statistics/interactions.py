"""Interactions: of two factors of any number of levels, of the treatment with a segment or with a covariate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from fairsplit.analysis.statistics.checks import as_floats, refuse
from fairsplit.analysis.statistics.chi_square_tail import chi2_log_sf
from fairsplit.analysis.statistics.combining import checked_studies
from fairsplit.analysis.statistics.contrasts import Contrasts, VarianceTest, contrasts
from fairsplit.analysis.statistics.moments import JointMoments, Moments
from fairsplit.analysis.statistics.status import Reason, blank, quiet, reasons

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fairsplit.analysis.statistics.checks import FloatArray

#: Singular values below this share of the largest do not count for the rank of a design.
_RANK = 1e-9


def cells_from_values(values: ArrayLike, *factors: ArrayLike) -> Moments:
    """Moments of all cells from one value and the level in each factor for every unit.

    Args:
        values: Values, shape (units,).
        *factors: Level of each unit in each factor; any labels that sort.

    Returns:
        `Moments` of shape (levels of factor 1, …), levels in sorted order.

    Raises:
        InputError: As `Moments.from_groups`; ``shape_mismatch`` for unequal lengths.

    Examples:
        >>> cells_from_values([1.0, 2.0, 4.0], ["a", "a", "b"], [0, 1, 1]).n
        array([[1., 1.],
               [0., 1.]])
    """
    x = as_floats(values, "values")
    levels, codes = zip(*(np.unique(np.asarray(f), return_inverse=True) for f in factors), strict=True)
    if any(code.shape != x.shape for code in codes) or x.ndim != 1:
        raise refuse("shape_mismatch", "not one level for each value", "factors", rule="equal lengths")
    sizes = tuple(level.size for level in levels)
    flat = np.asarray(np.ravel_multi_index(codes, sizes), dtype=np.int64)
    cells = Moments.from_groups(x, flat, int(np.prod(sizes)))
    return Moments(cells.n.reshape(sizes), cells.mean.reshape(sizes), cells.m2.reshape(sizes))


@quiet
def interaction_anova(cells: Moments) -> VarianceTest:
    """F test of the interaction of two factors of any number of levels, unequal cells allowed.

    The additive model is fitted to the cell means by weighted least squares; the interaction entered last has
    the same F in sums of squares of type I, II and III. Empty cells lose their degrees of freedom.

    Args:
        cells: Moments, shape (..., levels of A, levels of B).

    Returns:
        `VarianceTest` of shape (...).

    Raises:
        InputError: ``shape_mismatch``.

    Source:
        Searle (1987), Linear Models for Unbalanced Data, ch. 4.

    Examples:
        >>> r = interaction_anova(Moments.from_summary([[5, 6], [7, 8]], [[1.0, 1.5], [1.2, 2.9]], 1.0))
        >>> print(round(float(r.statistic), 4), float(r.df1), float(r.df2), round(float(r.p_value), 4))
        2.2694 1.0 22.0 0.1462
    """
    if cells.n.ndim < 2 or min(cells.n.shape[-2:]) < 2:
        raise refuse(
            "shape_mismatch", "no two factors", "cells", value=cells.n.shape, rule="(..., levels A, levels B)"
        )
    a, b = cells.n.shape[-2:]
    shape = cells.n.shape[:-2]
    n, mean = cells.n.reshape(*shape, -1), cells.mean.reshape(*shape, -1)
    design = _additive_design(a, b)
    root = np.sqrt(n)
    # Centred first: what the means have in common is in the additive model anyway.
    total = n.sum(axis=-1, keepdims=True)
    centred = np.where(n > 0, mean - (n * mean).sum(axis=-1, keepdims=True) / total, 0.0)
    u, singular, _ = np.linalg.svd(root[..., :, None] * design, full_matrices=False)
    kept = singular > _RANK * singular.max(axis=-1, keepdims=True)
    projection = np.einsum("...ij,...i->...j", u, root * centred) * kept
    residual = root * centred - np.einsum("...ij,...j->...i", u, projection)
    df1 = (n > 0).sum(axis=-1) - kept.sum(axis=-1).astype(np.float64)
    within = cells.m2.sum(axis=(-1, -2))
    df2 = (n.sum(axis=-1) - (n > 0).sum(axis=-1)).astype(np.float64)
    f = ((residual**2).sum(axis=-1) / df1) / (within / df2)
    status = reasons(
        shape,
        [
            (total[..., 0] == 0, Reason.NO_EXPOSURE),
            (df1 < 1, Reason.INFEASIBLE),
            (df2 < 1, Reason.INSUFFICIENT_SAMPLE),
            (within == 0, Reason.ZERO_VARIANCE),
        ],
    )
    p = special.fdtrc(np.maximum(df1, 1), np.maximum(df2, 1), f)
    return VarianceTest(
        statistic=blank(status, f),
        df1=blank(status, df1),
        df2=blank(status, df2),
        p_value=blank(status, p),
        log_p_value=blank(status, np.log(p)),
        status=status,
    )


def _additive_design(a: int, b: int) -> FloatArray:
    rows = np.zeros((a, b, 1 + (a - 1) + (b - 1)))
    rows[..., 0] = 1.0
    for i in range(1, a):
        rows[i, :, i] = 1.0
    for j in range(1, b):
        rows[:, j, a - 1 + j] = 1.0
    return rows.reshape(a * b, -1)


@quiet
def subgroup_heterogeneity(
    effects: ArrayLike,
    variances: ArrayLike,
    *,
    group: ArrayLike | None = None,
    present: ArrayLike | None = None,
) -> VarianceTest:
    """Does the effect differ between segments? Q between groups, chi-square with groups - 1 degrees of freedom.

    Q_between = Σ W_g (ȳ_g - ȳ)², with ȳ_g the inverse-variance mean of group g and W_g its weight.

    Args:
        effects: Estimated effects, shape (..., estimates): one for each segment level, or several for a
            group.
        variances: Their squared standard errors; positive.
        group: Group of each estimate, shape (estimates,), any labels that sort; None: each its own group.
        present: True where there is an estimate.

    Returns:
        `VarianceTest` of shape (...); ``infeasible`` with fewer than two groups.

    Raises:
        InputError: As `checked_studies`; ``shape_mismatch`` for a group vector of another length.

    Source:
        Borenstein et al. (2009), ch. 19 (fixed effects within subgroups); Cochran (1954).

    Examples:
        >>> r = subgroup_heterogeneity([0.1, 0.4], [0.01, 0.02])
        >>> print(round(float(r.statistic), 4), float(r.df1), round(float(r.p_value), 4))
        3.0 1.0 0.0833
    """
    y, v, there = checked_studies(effects, variances, present)
    size = y.shape[-1]
    labels = np.arange(size) if group is None else np.asarray(group)
    if labels.shape != (size,):
        raise refuse("shape_mismatch", "not one group for each estimate", "group", value=labels.shape)
    _, code = np.unique(labels, return_inverse=True)
    member = np.eye(int(code.max(initial=-1)) + 1)[code]
    weights = np.where(there, 1.0 / v, 0.0)
    origin = (weights * y).sum(axis=-1, keepdims=True) / weights.sum(axis=-1, keepdims=True)
    weight_of_group = weights @ member
    shift = np.divide(
        (weights * (y - origin)) @ member,
        weight_of_group,
        out=np.zeros_like(weight_of_group),
        where=weight_of_group > 0,
    )
    q = (weight_of_group * shift**2).sum(axis=-1)
    groups = (weight_of_group > 0).sum(axis=-1)
    df = (groups - 1).astype(np.float64)
    status = reasons(df.shape, [(groups == 0, Reason.NO_EXPOSURE), (groups < 2, Reason.INFEASIBLE)])
    log_p = chi2_log_sf(q, np.maximum(df, 1))
    return VarianceTest(
        statistic=blank(status, q),
        df1=blank(status, df),
        df2=blank(status, np.full(df.shape, np.inf)),
        p_value=blank(status, np.exp(log_p)),
        log_p_value=blank(status, log_p),
        status=status,
    )


@quiet
def treatment_by_covariate(
    control: JointMoments, treatment: JointMoments, *, pooled: bool = True, alpha: ArrayLike = 0.05
) -> Contrasts:
    """Does the effect change with a covariate? The interaction coefficient of ``post ~ treatment * covariate``.

    It is the difference of the two within-arm slopes, S_xy/S_xx.

    Args:
        control: Joint moments of (covariate, outcome) in the control, shape (...).
        treatment: The same in the treatment.
        pooled: One residual variance for both arms (classical least squares, n - 4 degrees of freedom);
            False: one for each arm and Satterthwaite's degrees of freedom.
        alpha: Two-sided level.

    Returns:
        `Contrasts` of shape (...): change of the effect for one unit of the covariate.

    Raises:
        InputError: ``shape_mismatch`` unless there are two variables; alpha outside (0, 1).

    Source:
        Imbens & Rubin (2015), Causal Inference, 7.8; Seber & Lee (2003), Linear Regression Analysis, 6.2
        (two straight lines).

    Examples:
        >>> c = JointMoments.from_values([[0.0, 1.0], [1.0, 1.4], [2.0, 3.2], [3.0, 3.9]])
        >>> t = JointMoments.from_values([[0.0, 1.0], [1.0, 2.6], [2.0, 5.3], [3.0, 6.0]])
        >>> r = treatment_by_covariate(c, t)
        >>> print(round(float(r.estimate), 4), round(float(r.se), 4), float(r.df))
        0.72 0.3191 4.0
    """
    if control.size != 2 or treatment.size != 2:
        raise refuse(
            "shape_mismatch", "not two variables", "control", value=control.size, rule="covariate, outcome"
        )
    slope, sxx, rss, free = [], [], [], []
    for arm in (control, treatment):
        xx, xy, yy = arm.m2[..., 0, 0], arm.m2[..., 0, 1], arm.m2[..., 1, 1]
        slope.append(xy / xx)
        sxx.append(xx)
        rss.append(np.maximum(yy - xy * (xy / xx), 0.0))
        free.append(arm.n - 2)
    if pooled:
        df = free[0] + free[1]
        variance = (rss[0] + rss[1]) / df * (1 / sxx[0] + 1 / sxx[1])
    else:
        parts = [r / f / s for r, f, s in zip(rss, free, sxx, strict=True)]
        variance = parts[0] + parts[1]
        df = variance**2 / (parts[0] ** 2 / free[0] + parts[1] ** 2 / free[1])
    estimate = slope[1] - slope[0]
    n = np.minimum(control.n, treatment.n)
    status = reasons(
        np.shape(estimate),
        [
            (n == 0, Reason.NO_EXPOSURE),
            (n < 3, Reason.INSUFFICIENT_SAMPLE),
            ((sxx[0] == 0) | (sxx[1] == 0), Reason.CONSTANT_COVARIATE),
            (variance == 0, Reason.ZERO_VARIANCE),
        ],
    )
    return contrasts(np.asarray(estimate), np.asarray(variance), np.asarray(df), status, alpha)
