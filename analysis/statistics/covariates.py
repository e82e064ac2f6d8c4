"""Covariates from before exposure: CUPED with one or many, missing history, post-stratification."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fairsplit.analysis.statistics.checks import as_level, refuse
from fairsplit.analysis.statistics.comparisons import (
    Comparison,
    Estimate,
    compare,
    conclude,
    mean_estimate,
    welch_df,
)
from fairsplit.analysis.statistics.lifts import Pair
from fairsplit.analysis.statistics.moments import JointMoments, Moments
from fairsplit.analysis.statistics.status import Reason, blank, combined, quiet, reasons

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import FloatArray, IntArray, StatusArray
    from fairsplit.analysis.statistics.tails import Alternative

#: Singular values of the covariates' correlation matrix below this are repetitions, not information.
_COLLINEAR = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class Slope:
    """Regression of the outcome on covariates within arms.

    Attributes:
        theta: Slopes, shape (..., p); 0 where a covariate carries nothing.
        inverse: Pseudo-inverse of the pooled within-arm covariate cross-products, shape (..., p, p).
        rank: Covariates that carry information.
        df: Pooled degrees of freedom within arms before the slopes are subtracted.
        status: ``constant_covariate`` where no covariate varies (then theta is 0 and nothing is adjusted).
    """

    theta: FloatArray
    inverse: FloatArray
    rank: FloatArray
    df: FloatArray
    status: StatusArray


@dataclass(frozen=True, slots=True, eq=False)
class Adjusted:
    """A covariate-adjusted comparison with what the covariates saved.

    Attributes:
        comparison: Adjusted difference, test, intervals; the lift is relative to the unadjusted control.
        theta: Slopes, shape (..., p).
        variance_reduction: 1 - adjusted / unadjusted variance of the difference; may be slightly negative.
        equivalent_extra_sample: Share of further units that would buy the same precision, 1 / (1 - r) - 1.
        covariate_gap: Treatment minus control covariate means, shape (..., p); large gaps question the split.
        covariate_status: `Reason` of the covariates; where not OK the comparison is the unadjusted one.
    """

    comparison: Comparison
    theta: FloatArray
    variance_reduction: FloatArray
    equivalent_extra_sample: FloatArray
    covariate_gap: FloatArray
    covariate_status: StatusArray


@quiet
def within_arm_slope(*arms: JointMoments) -> Slope:
    """One slope per comparison, estimated within arms and pooled over all arms given.

    theta = (sum of S_xx)^-1 (sum of S_xy), sums over arms of cross-products centred in each arm. Centring in
    each arm matters: the total covariance over arms contains the effect itself and shrinks it.

    Args:
        arms: Outcome first, then p covariates; shape (..., 1 + p) each.

    Returns:
        Slopes.

    Raises:
        InputError: ``shape_mismatch`` without a covariate.

    Examples:
        >>> a = JointMoments.from_values([[1.0, 1.0], [2.0, 2.0], [4.0, 3.0]])
        >>> within_arm_slope(a).theta
        array([1.5])
    """
    pooled = sum(arm.m2 for arm in arms[1:]) + arms[0].m2
    df = sum(np.maximum(arm.n - 1.0, 0.0) for arm in arms[1:]) + np.maximum(arms[0].n - 1.0, 0.0)
    return _solve(pooled, df)


def within_group_slope(arms: JointMoments, group: IntArray, groups: int) -> Slope:
    """As `within_arm_slope`, for arms in one long array with the comparison's number beside them.

    Args:
        arms: Shape (arms, 1 + p), any number of arms per group.
        group: Group of each arm, 0 to groups - 1, shape (arms,).
        groups: Number of groups.

    Returns:
        Slopes per group; index with `group` to bring them back to the arms.

    Raises:
        InputError: ``shape_mismatch`` where arms and groups differ in length, or without a covariate.

    Examples:
        >>> a = JointMoments.from_values([[[1.0, 1.0], [2.0, 2.0]], [[5.0, 0.0], [7.0, 1.0]]])
        >>> within_group_slope(a, np.array([0, 0]), 1).theta
        array([[1.5]])
    """
    if arms.n.shape != group.shape:
        raise refuse(
            "shape_mismatch", "arms and groups differ", "group", value=group.shape, rule=f"{arms.n.shape}"
        )
    k = arms.size
    pooled = np.empty((groups, k, k))
    for i in range(k):
        for j in range(i, k):
            pooled[:, i, j] = np.bincount(group, weights=arms.m2[:, i, j], minlength=groups)
            pooled[:, j, i] = pooled[:, i, j]
    df = np.bincount(group, weights=np.maximum(arms.n - 1.0, 0.0), minlength=groups)
    return _solve(pooled, df.astype(np.float64))


@quiet
def _solve(pooled: FloatArray, df: FloatArray) -> Slope:
    k = pooled.shape[-1]
    if k < 2:
        raise refuse(
            "shape_mismatch", "no covariate", "arms", value=k, rule="outcome and at least one covariate"
        )
    xx, xy = pooled[..., 1:, 1:], pooled[..., 1:, 0]
    varies = np.einsum("...ii->...i", xx) > 0
    if k == 2:
        inverse = np.where(varies, 1.0 / xx[..., 0], 0.0)[..., None]
        rank = varies[..., 0].astype(np.float64)
    else:
        # On the correlation scale, so that covariates in cents and in counts are equals.
        scale = np.where(varies, np.sqrt(np.einsum("...ii->...i", xx)), 1.0)
        correlation = xx / (scale[..., :, None] * scale[..., None, :])
        inverse = np.linalg.pinv(correlation, rcond=_COLLINEAR, hermitian=True)
        inverse = inverse / (scale[..., :, None] * scale[..., None, :])
        rank = np.linalg.matrix_rank(correlation, tol=_COLLINEAR, hermitian=True).astype(np.float64)
    theta = (inverse @ xy[..., None])[..., 0]
    status = reasons(
        df.shape, [(rank == 0, Reason.CONSTANT_COVARIATE), (df - rank < 1, Reason.INSUFFICIENT_SAMPLE)]
    )
    usable = np.asarray(status == Reason.OK)
    return Slope(
        np.where(usable[..., None], theta, 0.0),
        np.where(usable[..., None, None], inverse, 0.0),
        np.where(usable, rank, 0.0),
        df,
        status,
    )


@quiet
def cuped(
    control: JointMoments,
    treatment: JointMoments,
    alpha: Any = 0.05,
    alternative: Alternative = "two-sided",
    *,
    slope: Slope | None = None,
    null: FloatArray | float = 0.0,
) -> Adjusted:
    """Covariate-adjusted comparison (Deng, Xu, Kohavi and Walker 2013) with slopes estimated within arms.

    diff = (mean y_t - mean y_c) - theta' (mean x_t - mean x_c); each arm keeps its own residual variance
    (Welch). The slopes' own uncertainty is included as in analysis of covariance: each arm gives up its
    share of the slopes' degrees of freedom, and var(diff) gains s^2 g' S_xx^-1 g for the covariate gap g.

    Args:
        control: Outcome first, then p covariates, shape (..., 1 + p); for ratios `ratios.linearised` moments.
        treatment: The same for the treatment.
        alpha: Level(s).
        alternative: ``two-sided``, ``less`` or ``greater``.
        slope: Slopes over all arms of the experiment; none estimates them from these two arms.
        null: Difference under the null hypothesis.

    Returns:
        Adjusted comparisons. Where covariates carry nothing the unadjusted comparison is returned and
        `covariate_status` says why.

    Raises:
        InputError: For alpha outside (0, 1), unknown words, or moments without covariates.

    Examples:
        >>> c = JointMoments.from_values([[1.0, 0.0], [2.1, 1.0], [2.9, 2.0], [4.2, 3.0]])
        >>> t = JointMoments.from_values([[2.0, 0.0], [3.2, 1.0], [3.9, 2.0], [5.1, 3.0]])
        >>> r = cuped(c, t)
        >>> round(r.comparison.diff.item(), 3), round(r.variance_reduction.item(), 3)
        (1.0, 0.989)
    """
    level = as_level(alpha)
    fit = within_arm_slope(control, treatment) if slope is None else slope
    adjusted_c, cov_c = _residual(control, fit)
    adjusted_t, _ = _residual(treatment, fit)
    raw_c = mean_estimate(control.variable(0))
    raw_t = mean_estimate(treatment.variable(0))
    gap = treatment.mean[..., 1:] - control.mean[..., 1:]
    diff = (treatment.mean[..., 0] - control.mean[..., 0]) - _dot(fit.theta, gap)
    residual_df = adjusted_c.df + adjusted_t.df
    pooled = (
        adjusted_c.df * adjusted_c.n * adjusted_c.variance
        + adjusted_t.df * adjusted_t.n * adjusted_t.variance
    )
    pooled = np.where(residual_df > 0, pooled / residual_df, np.nan)
    leverage = _quadratic(gap, fit.inverse)
    variance = adjusted_c.variance + adjusted_t.variance + pooled * leverage
    df = welch_df((adjusted_c.variance, adjusted_t.variance), (adjusted_c.df, adjusted_t.df))
    baseline = np.broadcast_to(raw_c.value, diff.shape)
    pair = Pair(diff, baseline, variance, np.broadcast_to(raw_c.variance, diff.shape), -cov_c)
    shape = np.broadcast_shapes(diff.shape, level.shape)
    status = combined(
        np.broadcast_to(raw_c.status, shape),
        np.broadcast_to(raw_t.status, shape),
        reasons(shape, [((adjusted_c.df <= 0) | (adjusted_t.df <= 0), Reason.INSUFFICIENT_SAMPLE)]),
        reasons(shape, [(variance == 0, Reason.ZERO_VARIANCE)]),
    )
    shown = Estimate(raw_t.n, raw_c.value + diff, adjusted_t.variance, adjusted_t.df, raw_t.status)
    result = conclude((raw_c, shown), pair, df, level, status, alternative=alternative, null=null)
    reduction = 1.0 - variance / (raw_c.variance + raw_t.variance)
    return Adjusted(
        result,
        np.broadcast_to(fit.theta, gap.shape),
        blank(status, np.broadcast_to(reduction, shape)),
        blank(status, np.broadcast_to(1.0 / (1.0 - reduction) - 1.0, shape)),
        gap,
        np.broadcast_to(fit.status, shape),
    )


def _dot(a: FloatArray, b: FloatArray) -> FloatArray:
    # One covariate is the common case, and a sum over one element costs more than the product.
    return a[..., 0] * b[..., 0] if a.shape[-1] == 1 else np.asarray((a * b).sum(axis=-1))


def _quadratic(a: FloatArray, matrix: FloatArray) -> FloatArray:
    if a.shape[-1] == 1:
        return a[..., 0] ** 2 * matrix[..., 0, 0]
    return np.asarray(np.einsum("...i,...ij,...j->...", a, matrix, a))


def _residual(arm: JointMoments, fit: Slope) -> tuple[Estimate, FloatArray]:
    """An arm's adjusted mean with its variance, and the covariance of adjusted and unadjusted mean."""
    theta = fit.theta
    xy, xx = arm.m2[..., 1:, 0], arm.m2[..., 1:, 1:]
    explained = _dot(theta, xy)
    m2 = arm.m2[..., 0, 0] - 2.0 * explained + _quadratic(theta, xx)
    own = np.maximum(arm.n - 1.0, 0.0)
    df = own - fit.rank * np.where(fit.df > 0, own / fit.df, 0.0)
    # An outcome that covariates explain wholly leaves rounding, not variance.
    m2 = np.where(m2 > 1e-14 * arm.m2[..., 0, 0], m2, 0.0)
    variance = np.where(df > 0, m2 / df / np.maximum(arm.n, 1.0), np.nan)
    value = arm.mean[..., 0] - _dot(theta, arm.mean[..., 1:])
    covariance = (arm.m2[..., 0, 0] - explained) / own / np.maximum(arm.n, 1.0)
    return Estimate(arm.n, value, variance, df, fit.status), covariance


def with_missing(observed: JointMoments, missing: Moments) -> JointMoments:
    """Units without history join as covariate 0 plus an indicator covariate "history missing".

    With the indicator among the covariates the value that stands for "missing" does not matter, no unit is
    dropped, and the estimate stays unbiased since the indicator too is from before exposure.

    Args:
        observed: Units with history: outcome and p covariates, shape (..., 1 + p).
        missing: Outcomes of the units without history, shape (...).

    Returns:
        Moments of 2 + p variables, the indicator last.

    Examples:
        >>> have = JointMoments.from_values([[1.0, 3.0], [2.0, 4.0]])
        >>> with_missing(have, Moments.from_values([5.0])).mean.round(3)
        array([2.667, 2.333, 0.333])
    """
    k = observed.size

    def widened(n: FloatArray, mean: FloatArray, m2: FloatArray, flag: float) -> JointMoments:
        means = np.concatenate([mean, np.full((*mean.shape[:-1], k + 1 - mean.shape[-1]), 0.0)], axis=-1)
        means[..., k] = np.where(n > 0, flag, 0.0)
        products = np.zeros((*means.shape, k + 1))
        products[..., : m2.shape[-1], : m2.shape[-1]] = m2
        return JointMoments(n, means, products)

    return widened(observed.n, observed.mean, observed.m2, 0.0) + widened(
        missing.n, missing.mean[..., None], missing.m2[..., None, None], 1.0
    )


@quiet
def post_stratified(
    control: Moments, treatment: Moments, alpha: Any = 0.05, alternative: Alternative = "two-sided"
) -> Comparison:
    """Difference of means weighted by the strata's pooled shares (Miratrix, Sekhon and Yu 2013).

    effect = sum of w_h d_h with w_h = N_h / N over both arms; variance = sum of w_h^2 (var_ht + var_hc) plus
    the multinomial term (sum of w_h d_h^2 - effect^2) / N for the random sizes of the strata.

    Args:
        control: Moments per stratum, strata on the last axis, shape (..., strata).
        treatment: The same for the treatment.
        alpha: Level(s), shape (...).
        alternative: ``two-sided``, ``less`` or ``greater``.

    Returns:
        Comparisons; status ``insufficient_sample`` where a stratum with units has under two in an arm.

    Raises:
        InputError: For alpha outside (0, 1) and unknown words.

    Examples:
        >>> c = Moments.from_summary([50, 50], [1.0, 3.0], [1.0, 1.0])
        >>> t = Moments.from_summary([60, 40], [1.2, 3.2], [1.0, 1.0])
        >>> round(post_stratified(c, t).diff.item(), 3)
        0.2
    """
    level = as_level(alpha)
    size = control.n + treatment.n
    total = size.sum(axis=-1)
    share = size / total[..., None]
    used = size > 0
    effects = np.where(used, treatment.mean - control.mean, 0.0)
    var_c = np.where(used, control.variance_of_mean, 0.0)
    var_t = np.where(used, treatment.variance_of_mean, 0.0)
    diff = (share * effects).sum(axis=-1)
    spread = (share * (effects - diff[..., None]) ** 2).sum(axis=-1) / total
    base = (share * np.where(used, control.mean, 0.0)).sum(axis=-1)
    v_c, v_t = (share**2 * var_c).sum(axis=-1), (share**2 * var_t).sum(axis=-1)
    base_spread = (share * (np.where(used, control.mean, 0.0) - base[..., None]) ** 2).sum(axis=-1) / total
    shared = (share * effects * np.where(used, control.mean, 0.0)).sum(axis=-1) / total - diff * base / total
    shape = np.broadcast_shapes(diff.shape, level.shape)
    n_c, n_t = control.n.sum(axis=-1), treatment.n.sum(axis=-1)
    thin = np.asarray((used & ((control.n < 2) | (treatment.n < 2))).any(axis=-1))
    variance = v_c + v_t + spread
    df_c, df_t = _satterthwaite(share, var_c, v_c, control.n), _satterthwaite(share, var_t, v_t, treatment.n)
    status = reasons(
        shape,
        [
            ((n_c == 0) | (n_t == 0), Reason.NO_EXPOSURE),
            (thin, Reason.INSUFFICIENT_SAMPLE),
            (variance == 0, Reason.ZERO_VARIANCE),
        ],
    )
    arm_status = np.zeros(diff.shape, dtype=np.int8)
    arms = (
        Estimate(n_c, base, v_c, df_c, arm_status),
        Estimate(n_t, base + diff, v_t, df_t, arm_status),
    )
    pair = Pair(diff, base, variance, v_c + base_spread, shared - v_c)
    df = welch_df((v_c, v_t), (df_c, df_t))
    return conclude(arms, pair, df, level, status, alternative=alternative)


def _satterthwaite(share: FloatArray, variances: FloatArray, total: FloatArray, n: FloatArray) -> FloatArray:
    parts = (share**2 * variances / np.where(total > 0, total, 1.0)[..., None]) ** 2 / np.maximum(
        n - 1.0, 1.0
    )
    out: FloatArray = np.where(total > 0, 1.0 / parts.sum(axis=-1), np.maximum(n.sum(axis=-1) - 1.0, 1.0))
    return out


def unadjusted(control: JointMoments, treatment: JointMoments, alpha: Any = 0.05) -> Comparison:
    """The comparison without covariates, to stand beside the adjusted one.

    Examples:
        >>> a = JointMoments.from_values([[1.0, 0.0], [2.0, 1.0], [3.0, 5.0]])
        >>> unadjusted(a, a).diff.item()
        0.0
    """
    return compare(mean_estimate(control.variable(0)), mean_estimate(treatment.variable(0)), alpha)
