"""A portfolio of effects: what each experiment's estimate is worth when its peers are known (empirical Bayes)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from scipy import special

from fairsplit.analysis.statistics.checks import as_choice, as_floats, as_level
from fairsplit.analysis.statistics.combining import (
    HETEROGENEITY_METHODS,
    between_study_variance,
    checked_studies,
)
from fairsplit.analysis.statistics.status import Reason, blank, quiet, reasons

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray, StatusArray

ShrinkageMethod: TypeAlias = Literal["integrated", "dersimonian_laird", "paule_mandel", "reml"]
SHRINKAGE_METHODS = ("integrated", *HETEROGENEITY_METHODS)
_NODES, _NODE_WEIGHTS = (0.5 * part for part in np.polynomial.legendre.leggauss(60))
_NODES = _NODES + 0.5


@dataclass(frozen=True, slots=True)
class ShrunkenEffects:
    """Posterior of each effect; the last axis is the experiments of a portfolio.

    Attributes:
        effect: Posterior mean: the estimate pulled towards the portfolio's mean.
        sd: Posterior standard deviation, with the uncertainty of the portfolio's mean.
        ci_low: Lower bound of the credible interval.
        ci_high: Upper bound.
        chance_positive: P(effect > 0).
        shrinkage: Weight of the portfolio's mean, v / (v + tau²); 0 keeps the estimate, 1 ignores it.
        mean: Mean of true effects, one for each portfolio (no experiment axis).
        tau2: Variance of true effects, one for each portfolio (posterior mean if integrated).
        status: `Reason` codes, one for each portfolio: ``insufficient_sample`` under three experiments,
            ``not_converged``.
    """

    effect: FloatArray
    sd: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray
    chance_positive: FloatArray
    shrinkage: FloatArray
    mean: FloatArray
    tau2: FloatArray
    status: StatusArray


@dataclass(frozen=True, slots=True)
class _Given:
    """The posterior for one value of tau²."""

    effect: FloatArray
    variance: FloatArray
    pull: FloatArray
    mean: FloatArray
    log_likelihood: FloatArray


@quiet
def shrink_effects(
    effects: ArrayLike,
    variances: ArrayLike,
    *,
    present: ArrayLike | None = None,
    known_mean: ArrayLike | None = None,
    method: ShrinkageMethod = "integrated",
    alpha: ArrayLike = 0.05,
) -> ShrunkenEffects:
    """Empirical-Bayes estimates under true effects ~ N(mean, tau²) learned from the portfolio.

    Given tau², with B = v / (v + tau²), the posterior mean is B mean + (1 - B) y and its variance
    (1 - B) v + B² Var(mean). It undoes the winner's curse on average over the portfolio: the largest
    estimates are pulled in the most. tau² itself is uncertain: the default integrates over it under the
    uniform-shrinkage prior; a plug-in estimate makes intervals too short (measured: coverage 0.89 with the
    plug-in, 0.92 integrated, for 40 experiments whose effects spread about as much as their errors).

    Args:
        effects: Estimated effects, shape (..., experiments).
        variances: Their squared standard errors; positive.
        present: True where there is an experiment.
        known_mean: Mean of true effects if it is known (often 0), shape (...); None estimates it.
        method: ``integrated``, or a plug-in estimator of tau² as in `between_study_variance`.
        alpha: One minus the credible level, shape (...).

    Returns:
        `ShrunkenEffects`; absent experiments are NaN.

    Raises:
        InputError: As `checked_studies`; ``unknown_choice``; alpha outside (0, 1).

    Source:
        Efron & Morris (1975), JASA 70; Deely & Lindley (1981), JASA 76 (integrating over tau²); Daniels
        (1999), Can. J. Stat. 27 (uniform-shrinkage prior). Plug-in numbers equal metafor's ``blup``.

    Examples:
        >>> r = shrink_effects([0.1, 0.5, -0.2, 0.0], 0.02, method="dersimonian_laird")
        >>> print(np.round(r.effect, 4), round(float(r.tau2), 4))
        [ 0.1     0.4077 -0.1308  0.0231] 0.0667
    """
    y, v, there = checked_studies(effects, variances, present)
    as_choice(method, "method", SHRINKAGE_METHODS)
    level = as_level(alpha)
    fixed = None if known_mean is None else as_floats(known_mean, "known_mean")
    studies = there.sum(axis=-1)
    if method == "integrated":
        grid, log_weights = _grid(v, there), np.log(_NODE_WEIGHTS)
        settled = np.ones(studies.shape, dtype=np.bool_)
    else:
        tau2, settled = between_study_variance(y, v, present=there, method=method)
        grid, log_weights = tau2[None], np.zeros(1)
    given = [_posterior(y, v, there, tau2, fixed) for tau2 in grid]
    log_posterior = np.stack([g.log_likelihood for g in given]) + log_weights.reshape(
        -1, *([1] * studies.ndim)
    )
    chance = np.exp(log_posterior - log_posterior.max(axis=0))
    chance = chance / chance.sum(axis=0)
    each = chance[..., None]
    effect = (each * np.stack([g.effect for g in given])).sum(axis=0)
    spread = [g.variance + (g.effect - effect) ** 2 for g in given]
    sd = np.sqrt((each * np.stack(spread)).sum(axis=0))
    positive = (each * np.stack([_chance_positive(g) for g in given])).sum(axis=0)
    status = reasons(
        studies.shape, [(studies < 3, Reason.INSUFFICIENT_SAMPLE), (~settled, Reason.NOT_CONVERGED)]
    )
    half = -special.ndtri(level / 2)[..., None] * sd

    def kept(values: FloatArray) -> FloatArray:
        return np.where(there, blank(status, values), np.nan)

    return ShrunkenEffects(
        effect=kept(effect),
        sd=kept(sd),
        ci_low=kept(effect - half),
        ci_high=kept(effect + half),
        chance_positive=kept(positive),
        shrinkage=kept((each * np.stack([g.pull for g in given])).sum(axis=0)),
        mean=blank(status, (chance * np.stack([g.mean for g in given])).sum(axis=0)),
        tau2=blank(status, (chance * grid).sum(axis=0)),
        status=status,
    )


def _grid(v: FloatArray, there: BoolArray) -> FloatArray:
    """tau² at the nodes: the shrinkage of a typical experiment, s²/(s² + tau²), is uniform on (0, 1)."""
    typical = there.sum(axis=-1) / np.where(there, 1.0 / v, 0.0).sum(axis=-1)
    return np.asarray(np.multiply.outer((1.0 - _NODES) / _NODES, typical))


def _posterior(
    y: FloatArray, v: FloatArray, there: BoolArray, tau2: FloatArray, known_mean: FloatArray | None
) -> _Given:
    total_variance = v + tau2[..., None]
    w = np.where(there, 1.0 / total_variance, 0.0)
    total = w.sum(axis=-1)
    if known_mean is None:
        mean, mean_variance = (w * y).sum(axis=-1) / total, 1.0 / total
        penalty = np.log(total)
    else:
        mean, mean_variance = np.broadcast_to(known_mean, total.shape), np.zeros(total.shape)
        penalty = np.zeros(total.shape)
    deviation = y - mean[..., None]
    fit = np.where(there, np.log(total_variance) + w * deviation**2, 0.0).sum(axis=-1)
    pull = v / total_variance
    variance = (1 - pull) * v + pull**2 * mean_variance[..., None]
    return _Given(y - pull * deviation, variance, pull, mean, -0.5 * (fit + penalty))


def _chance_positive(given: _Given) -> FloatArray:
    certain = given.variance == 0
    z = np.divide(given.effect, np.sqrt(given.variance), out=np.zeros_like(given.effect), where=~certain)
    return np.where(certain, given.effect > 0, special.ndtr(z))
