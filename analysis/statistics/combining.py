"""Meta-analysis: one effect measured by several experiments, with fixed or random effects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from fairsplit.analysis.statistics.checks import as_choice, as_floats, as_level, as_positive, refuse, together
from fairsplit.analysis.statistics.chi_square_tail import chi2_log_sf
from fairsplit.analysis.statistics.status import Reason, blank, quiet, reasons
from fairsplit.analysis.statistics.tails import infer, t_quantile

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray, StatusArray

HeterogeneityMethod: TypeAlias = Literal["dersimonian_laird", "paule_mandel", "reml"]
HETEROGENEITY_METHODS = ("dersimonian_laird", "paule_mandel", "reml")
#: Steps of the iterative estimators of tau²; REML needs some dozens, hard cases a few hundred.
_STEPS = 1000
_TOLERANCE = 1e-12


@dataclass(frozen=True, slots=True)
class MetaAnalysis:
    """Combined effects, arrays of one shape (one element for each set of studies).

    Attributes:
        studies: Number of studies combined.
        estimate: Combined effect.
        se: Its standard error.
        statistic: estimate / se.
        df: Degrees of freedom of the interval; infinite for the Normal one.
        p_value: Two-sided p-value of no effect.
        log_p_value: Its natural logarithm.
        ci_low: Lower bound of the confidence interval.
        ci_high: Upper bound.
        tau2: Variance between studies (0 for fixed effects), in squared units of the effect.
        q: Cochran's Q.
        q_p_value: P(chi-square with studies - 1 degrees of freedom > Q); NaN for one study.
        i2_percent: Share of the variation that is between studies, in per cent.
        prediction_low: Lower bound for the true effect of a new study; NaN for fixed effects or under three
            studies.
        prediction_high: Upper bound.
        status: `Reason` codes: ``no_exposure`` without a study, ``insufficient_sample`` where Hartung–Knapp
            has one study only, ``not_converged``.
    """

    studies: FloatArray
    estimate: FloatArray
    se: FloatArray
    statistic: FloatArray
    df: FloatArray
    p_value: FloatArray
    log_p_value: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray
    tau2: FloatArray
    q: FloatArray
    q_p_value: FloatArray
    i2_percent: FloatArray
    prediction_low: FloatArray
    prediction_high: FloatArray
    status: StatusArray


def checked_studies(
    effects: ArrayLike, variances: ArrayLike, present: ArrayLike | None
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Effects, variances and the mask of studies that exist; what is absent is neutral (0 and 1).

    Args:
        effects: Estimated effects, shape (..., studies).
        variances: Their squared standard errors, same shape; positive.
        present: True where there is a study; None for everywhere.

    Returns:
        The three arrays in one shape.

    Raises:
        InputError: ``not_finite``, ``out_of_range``, ``shape_mismatch``, ``not_a_flag``; values are not
            looked at where `present` is false.

    Examples:
        >>> checked_studies([0.1, np.nan], [0.2, np.nan], [True, False])[2]
        array([ True, False])
    """
    raw_effects, raw_variances = np.asarray(effects), np.asarray(variances)
    if present is None:
        mask = np.ones(np.broadcast_shapes(raw_effects.shape, raw_variances.shape), dtype=np.bool_)
    else:
        mask = np.asarray(present)
        if mask.dtype != np.bool_:
            raise refuse("not_a_flag", "not truth values", "present", value=mask.dtype, rule="true or false")
    y, v = together(
        {
            "effects": as_floats(np.where(mask, raw_effects, 0.0), "effects"),
            "variances": as_positive(np.where(mask, raw_variances, 1.0), "variances"),
        }
    )
    if y.ndim == 0:
        raise refuse("shape_mismatch", "no axis of studies", "effects", value=y.shape, rule="(..., studies)")
    return y, v, np.broadcast_to(mask, y.shape)


def _pooled(y: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Weighted mean, total weight, and weighted squared deviations."""
    total = weights.sum(axis=-1)
    mean = (weights * y).sum(axis=-1) / total
    deviation = (weights * (y - mean[..., None]) ** 2).sum(axis=-1)
    return mean, total, deviation


def _weights(v: FloatArray, present: BoolArray, tau2: FloatArray | float = 0.0) -> FloatArray:
    spread = v + np.asarray(tau2)[..., None] if np.ndim(tau2) else v + tau2
    return np.where(present, 1.0 / spread, 0.0)


@quiet
def between_study_variance(
    effects: ArrayLike,
    variances: ArrayLike,
    *,
    present: ArrayLike | None = None,
    method: HeterogeneityMethod = "dersimonian_laird",
) -> tuple[FloatArray, BoolArray]:
    """tau², the variance of true effects between studies, truncated at 0.

    Args:
        effects: Estimated effects, shape (..., studies).
        variances: Their squared standard errors; positive.
        present: True where there is a study.
        method: ``dersimonian_laird`` (moments), ``paule_mandel`` (Q(tau²) = studies - 1) or ``reml``
            (restricted maximum likelihood by Fisher scoring).

    Returns:
        tau² of shape (...) and whether the iteration settled.

    Raises:
        InputError: As `checked_studies`; ``unknown_choice``.

    Source:
        DerSimonian & Laird (1986); Paule & Mandel (1982) with the Newton step of DerSimonian & Kacker (2007);
        Viechtbauer (2005), eq. 9 (REML).

    Examples:
        >>> tau2, settled = between_study_variance([0.1, 0.5, -0.2], [0.01, 0.02, 0.03])
        >>> print(round(float(tau2), 6), settled)
        0.0775 True
    """
    y, v, there = checked_studies(effects, variances, present)
    as_choice(method, "method", HETEROGENEITY_METHODS)
    return _tau2(y, v, there, method)


def _tau2(
    y: FloatArray, v: FloatArray, there: BoolArray, method: HeterogeneityMethod
) -> tuple[FloatArray, BoolArray]:
    df = there.sum(axis=-1) - 1.0
    w = _weights(v, there)
    _, total, q = _pooled(y, w)
    scale = total - (w**2).sum(axis=-1) / total
    start = np.where(df > 0, np.maximum((q - df) / scale, 0.0), 0.0)
    if method == "dersimonian_laird":
        return start, np.ones(start.shape, dtype=np.bool_)
    return _paule_mandel(y, v, there, df) if method == "paule_mandel" else _reml(y, v, there, start)


def _paule_mandel(
    y: FloatArray, v: FloatArray, there: BoolArray, df: FloatArray
) -> tuple[FloatArray, BoolArray]:
    """Newton from 0 on the convex, falling Q(tau²) - df: never passes the root."""
    tau2 = np.zeros(df.shape)
    settled = df <= 0
    for _ in range(_STEPS):
        w = _weights(v, there, tau2)
        mean, _, q = _pooled(y, w)
        slope = (w**2 * (y - mean[..., None]) ** 2).sum(axis=-1)
        step = np.where(settled | (slope == 0), 0.0, np.maximum((q - df) / slope, 0.0))
        tau2 = tau2 + step
        settled = settled | (step <= _TOLERANCE * tau2)
        if np.all(settled):
            break
    return tau2, np.asarray(settled)


def _reml(y: FloatArray, v: FloatArray, there: BoolArray, start: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Fisher scoring on the restricted likelihood; steps are halved where they lower the likelihood or swing."""
    tau2, likelihood = start, _restricted_log_likelihood(y, v, there, start)
    damping, before = np.ones(start.shape), np.zeros(start.shape)
    settled = there.sum(axis=-1) <= 1
    for _ in range(_STEPS):
        w = _weights(v, there, tau2)
        mean, w1, _ = _pooled(y, w)
        w2, w3 = (w**2).sum(axis=-1), (w**3).sum(axis=-1)
        quadratic = (w**2 * (y - mean[..., None]) ** 2).sum(axis=-1)
        information = w2 - 2 * w3 / w1 + (w2 / w1) ** 2
        step = damping * (quadratic - (w1 - w2 / w1)) / information
        new = np.where(settled, tau2, np.maximum(tau2 + step, 0.0))
        reached = _restricted_log_likelihood(y, v, there, new)
        better = reached >= likelihood - _TOLERANCE * np.abs(likelihood)
        settled = settled | (np.abs(new - tau2) <= _TOLERANCE * (new + 1.0 / w1))
        swings = step * before < 0
        damping = np.where(better & ~swings, np.minimum(1.5 * damping, 1.0), 0.5 * damping)
        before = step
        tau2, likelihood = np.where(better, new, tau2), np.where(better, reached, likelihood)
        if np.all(settled):
            break
    return tau2, np.asarray(settled)


def _restricted_log_likelihood(
    y: FloatArray, v: FloatArray, there: BoolArray, tau2: FloatArray
) -> FloatArray:
    w = _weights(v, there, tau2)
    _, total, spread = _pooled(y, w)
    out: FloatArray = 0.5 * (
        np.log(w, out=np.zeros_like(w), where=there).sum(axis=-1) - np.log(total) - spread
    )
    return out


@quiet
def meta_fixed(
    effects: ArrayLike,
    variances: ArrayLike,
    *,
    present: ArrayLike | None = None,
    alpha: ArrayLike = 0.05,
) -> MetaAnalysis:
    """Inverse-variance weighted mean under one common effect.

    Args:
        effects: Estimated effects, shape (..., studies).
        variances: Their squared standard errors; positive.
        present: True where there is a study; lets sets of unequal size share one array.
        alpha: Two-sided level, broadcastable to (...).

    Returns:
        `MetaAnalysis` of shape (...).

    Raises:
        InputError: As `checked_studies`; alpha outside (0, 1).

    Source:
        Borenstein et al. (2009), Introduction to Meta-Analysis, ch. 11; I² by Higgins & Thompson (2002).

    Examples:
        >>> r = meta_fixed([0.1, 0.5, -0.2], [0.01, 0.02, 0.03])
        >>> print(f"{r.estimate:.4f} {r.se:.4f} {r.i2_percent:.1f}")
        0.1545 0.0739 80.9
    """
    y, v, there = checked_studies(effects, variances, present)
    settled = np.ones(y.shape[:-1], dtype=np.bool_)
    return _combine(y, v, there, tau2=None, settled=settled, knapp=False, alpha=as_level(alpha))


@quiet
def meta_random(
    effects: ArrayLike,
    variances: ArrayLike,
    *,
    present: ArrayLike | None = None,
    method: HeterogeneityMethod = "dersimonian_laird",
    hartung_knapp: bool = False,
    alpha: ArrayLike = 0.05,
) -> MetaAnalysis:
    """Mean of true effects that differ between studies.

    Args:
        effects: Estimated effects, shape (..., studies).
        variances: Their squared standard errors; positive.
        present: True where there is a study; lets sets of unequal size share one array.
        method: Estimator of tau², as in `between_study_variance`.
        hartung_knapp: Estimate the error from the spread of the studies and use t with studies - 1 degrees of
            freedom (no truncation of the factor, as metafor's ``test = "knha"``): the interval that keeps its
            coverage with few studies.
        alpha: Two-sided level, broadcastable to (...).

    Returns:
        `MetaAnalysis` of shape (...).

    Raises:
        InputError: As `checked_studies`; ``unknown_choice``; alpha outside (0, 1).

    Source:
        DerSimonian & Laird (1986); Hartung & Knapp (2001), Sidik & Jonkman (2002); I² from tau² as in
        Viechtbauer (2010), J. Stat. Softw. 36(3); prediction interval by Higgins, Thompson & Spiegelhalter
        (2009), eq. 12.

    Examples:
        >>> r = meta_random([0.1, 0.5, -0.2], [0.01, 0.02, 0.03], hartung_knapp=True)
        >>> print(f"{r.estimate:.4f} {r.se:.4f} {r.df:.0f}")
        0.1423 0.1977 2
    """
    y, v, there = checked_studies(effects, variances, present)
    as_choice(method, "method", HETEROGENEITY_METHODS)
    tau2, settled = _tau2(y, v, there, method)
    return _combine(y, v, there, tau2=tau2, settled=settled, knapp=hartung_knapp, alpha=as_level(alpha))


@quiet
def spread_of_effects(effects: FloatArray, variances: FloatArray) -> tuple[float, float]:
    """Mean and variance of true effects that differ between studies, without what is told of a synthesis beside them.

    Args:
        effects: Estimated effects, at least one, shape (studies,).
        variances: Their squared standard errors; positive.

    Returns:
        The mean, and the variance of another study's effect about it: tau² and the mean's own.

    Source:
        DerSimonian & Laird (1986).

    Examples:
        >>> mean, variance = spread_of_effects(np.array([0.1, 0.5, -0.2]), np.array([0.01, 0.02, 0.03]))
        >>> print(f"{mean:.4f} {variance:.4f}")
        0.1423 0.1098
    """
    there = np.ones(effects.shape, dtype=np.bool_)
    tau2, _ = _tau2(effects, variances, there, "dersimonian_laird")
    mean, total, _ = _pooled(effects, _weights(variances, there, tau2))
    return float(mean), float(tau2 + 1.0 / total)


def _combine(
    y: FloatArray,
    v: FloatArray,
    there: BoolArray,
    *,
    tau2: FloatArray | None,
    settled: BoolArray,
    knapp: bool,
    alpha: FloatArray,
) -> MetaAnalysis:
    studies = there.sum(axis=-1).astype(np.float64)
    df_q = studies - 1
    fixed_weights = _weights(v, there)
    _, w1, q = _pooled(y, fixed_weights)
    tau = np.zeros(studies.shape) if tau2 is None else tau2
    estimate, total, spread = _pooled(y, _weights(v, there, tau))
    variance = 1.0 / total
    df = np.full(studies.shape, np.inf)
    if knapp:
        variance, df = variance * spread / df_q, df_q
    status = reasons(
        studies.shape,
        [
            (studies == 0, Reason.NO_EXPOSURE),
            ((studies < 2) & knapp, Reason.INSUFFICIENT_SAMPLE),
            (~settled, Reason.NOT_CONVERGED),
        ],
    )
    se = np.sqrt(variance)
    test = infer(estimate, se, df, alpha)
    # Typical sampling variance (Higgins & Thompson 2002, eq. 9); for DerSimonian–Laird this is (Q - df) / Q.
    typical = df_q * w1 / (w1**2 - (fixed_weights**2).sum(axis=-1))
    i2 = np.maximum((q - df_q) / q, 0.0) if tau2 is None else tau / (tau + typical)
    reach = t_quantile(np.asarray(alpha) / 2, np.maximum(studies - 2, 1)) * np.sqrt(tau + variance)
    reach = np.where((studies > 2) & (tau2 is not None), reach, np.nan)
    return MetaAnalysis(
        studies=studies,
        estimate=blank(status, estimate),
        se=blank(status, se),
        statistic=blank(status, test.statistic),
        df=blank(status, df),
        p_value=blank(status, test.p_value),
        log_p_value=blank(status, test.log_p),
        ci_low=blank(status, test.ci_low),
        ci_high=blank(status, test.ci_high),
        tau2=blank(status, tau),
        q=blank(status, np.where(studies > 1, q, 0.0)),
        q_p_value=np.where(studies > 1, np.exp(chi2_log_sf(q, np.maximum(df_q, 1))), np.nan),
        i2_percent=blank(status, np.where(studies > 1, 100 * i2, 0.0)),
        prediction_low=blank(status, estimate - reach),
        prediction_high=blank(status, estimate + reach),
        status=status,
    )
