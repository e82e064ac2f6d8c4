"""One arm over several strata: means weighted by fixed shares, in a form that every test of means takes as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairsplit.analysis.statistics.moments import JointMoments
from fairsplit.analysis.statistics.status import quiet

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import FloatArray


@quiet
def over_strata(parts: JointMoments, share: FloatArray) -> JointMoments:
    """Moments whose mean is Σ W_h ȳ_h and whose variance of the mean is Σ W_h² S_h / n_h.

    What is linear in the means follows without more ado: the difference of two arms, the delta method of a ratio
    (linearised about the stratified ratio), a covariate's adjustment. The count is one more than Satterthwaite's
    degrees of freedom of the first variable's variance, so that Welch's test has the degrees that the strata leave.

    Args:
        parts: Moments per stratum, shape (..., strata, k).
        share: Weight of each stratum, shape (..., strata); sums to 1, 0 for a stratum that does not count. A stratum
            that counts has two units or more.

    Returns:
        Moments of shape (..., k).

    Source:
        Imbens and Rubin (2015), Causal Inference, section 9.5; Satterthwaite (1946), Biometrics 2, 110.

    Examples:
        >>> low, high = [[1.0], [3.0]], [[5.0], [7.0], [9.0]]
        >>> parts = [JointMoments.from_values(values) for values in (low, high)]
        >>> both = JointMoments(*(np.stack([getattr(p, f) for p in parts]) for f in ("n", "mean", "m2")))
        >>> one = over_strata(both, np.array([0.5, 0.5])).variable(0)
        >>> one.mean, one.variance_of_mean.round(6)
        (array(4.5), np.float64(0.583333))
    """
    counts = share > 0
    mean = (share[..., None] * np.where(counts[..., None], parts.mean, 0.0)).sum(axis=-2)
    per_unit = np.where(counts, share**2 / (parts.n - 1.0) / parts.n, 0.0)
    of_strata = per_unit[..., None, None] * parts.m2
    variance = of_strata.sum(axis=-3)
    own, total = of_strata[..., 0, 0], variance[..., 0, 0]
    squares = np.where(counts, (own / total[..., None]) ** 2 / (parts.n - 1.0), 0.0).sum(axis=-1)
    df = np.where(total > 0, 1.0 / squares, np.where(counts, parts.n - 1.0, 0.0).sum(axis=-1))
    n = df + 1.0
    return JointMoments(n, mean, variance * (df * n)[..., None, None])
