"""A portfolio of effects: what each experiment's estimate is worth when its peers are known (empirical Bayes)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from analysis.statistics.checks import as_floats, as_level
from analysis.statistics.combining import HeterogeneityMethod, between_study_variance, checked_studies
from analysis.statistics.status import Reason, blank, quiet, reasons

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from analysis.statistics.checks import FloatArray, StatusArray


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
        tau2: Variance of true effects, one for each portfolio.
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


@quiet
def shrink_effects(
    effects: ArrayLike,
    variances: ArrayLike,
    *,
    present: ArrayLike | None = None,
    known_mean: ArrayLike | None = None,
    method: HeterogeneityMethod = "reml",
    alpha: ArrayLike = 0.05,
) -> ShrunkenEffects:
    """Empirical-Bayes estimates under true effects ~ N(mean, tau²) estimated from the portfolio.

    With B = v / (v + tau²) the posterior mean is B mean + (1 - B) y, its variance (1 - B) v + B² Var(mean).
    It undoes the winner's curse on average over the portfolio: the largest estimates are pulled in the most.

    Args:
        effects: Estimated effects, shape (..., experiments).
        variances: Their squared standard errors; positive.
        present: True where there is an experiment.
        known_mean: Mean of true effects if it is known (often 0); None estimates it.
        method: Estimator of tau², as in `between_study_variance`.
        alpha: One minus the credible level.

    Returns:
        `ShrunkenEffects`; absent experiments are NaN.

    Raises:
        InputError: As `checked_studies`; ``unknown_choice``; alpha outside (0, 1).

    Source:
        Efron & Morris (1975), JASA 70; Raudenbush & Bryk (1985); the same numbers as metafor's ``blup``.

    Examples:
        >>> r = shrink_effects([0.1, 0.5, -0.2, 0.0], 0.02, method="dersimonian_laird")
        >>> print(np.round(r.effect, 4), round(float(r.tau2), 4))
        [ 0.1     0.4077 -0.1308  0.0231] 0.0667
    """
    y, v, there = checked_studies(effects, variances, present)
    level = as_level(alpha)
    tau2, settled = between_study_variance(y, v, present=there, method=method)
    weights = np.where(there, 1.0 / (v + tau2[..., None]), 0.0)
    total = weights.sum(axis=-1)
    if known_mean is None:
        mean, mean_variance = (weights * y).sum(axis=-1) / total, 1.0 / total
    else:
        mean = np.broadcast_to(as_floats(known_mean, "known_mean"), total.shape)
        mean_variance = np.zeros(total.shape)
    studies = there.sum(axis=-1)
    status = reasons(
        total.shape, [(studies < 3, Reason.INSUFFICIENT_SAMPLE), (~settled, Reason.NOT_CONVERGED)]
    )
    pull = v / (v + tau2[..., None])
    effect = y + pull * (mean[..., None] - y)
    sd = np.sqrt((1 - pull) * v + pull**2 * mean_variance[..., None])
    half = -special.ndtri(level / 2)[..., None] * sd

    def kept(values: FloatArray) -> FloatArray:
        return np.where(there, blank(status, values), np.nan)

    return ShrunkenEffects(
        effect=kept(effect),
        sd=kept(sd),
        ci_low=kept(effect - half),
        ci_high=kept(effect + half),
        chance_positive=kept(np.where(sd > 0, special.ndtr(effect / sd), effect > 0)),
        shrinkage=kept(pull),
        mean=blank(status, np.asarray(mean)),
        tau2=blank(status, tau2),
        status=status,
    )
