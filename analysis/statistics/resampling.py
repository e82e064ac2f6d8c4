"""Resampling for custom statistics: permutation, bootstrap, Poisson bootstrap on histograms; all seeded."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from scipy import stats

from fairsplit.analysis.statistics.checks import as_floats, as_level, refuse
from fairsplit.analysis.statistics.status import Reason, blank, quiet, reasons

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairsplit.analysis.statistics.checks import FloatArray, StatusArray
    from fairsplit.analysis.statistics.histograms import Histograms


class Statistic(Protocol):
    """A statistic of two arms, vectorised along an axis, as SciPy calls it."""

    def __call__(self, control: FloatArray, treatment: FloatArray, /, axis: int) -> FloatArray:
        """One number per comparison."""


@dataclass(frozen=True, slots=True, eq=False)
class Resampled:
    """A resampled statistic per comparison.

    Attributes:
        value: The statistic of the data.
        se: Standard deviation over resamples; NaN for permutation tests.
        p_value: Two-sided.
        ci_low: Lower end; NaN for permutation tests.
        ci_high: Upper end.
        resamples: Number of resamples.
        status: `Reason` codes.
    """

    value: FloatArray
    se: FloatArray
    p_value: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray
    resamples: int
    status: StatusArray


def mean_difference(control: FloatArray, treatment: FloatArray, /, axis: int) -> FloatArray:
    """Treatment minus control means, along an axis.

    Examples:
        >>> float(mean_difference(np.array([1.0, 2.0]), np.array([2.0, 4.0]), axis=-1))
        1.5
    """
    return np.asarray(np.mean(treatment, axis=axis) - np.mean(control, axis=axis))


def _arms(control: Any, treatment: Any) -> tuple[FloatArray, FloatArray]:
    c, t = np.atleast_1d(as_floats(control, "control")), np.atleast_1d(as_floats(treatment, "treatment"))
    if c.shape[-1] < 2 or t.shape[-1] < 2:
        raise refuse(
            "insufficient_sample", "too few values", "control, treatment", rule="at least 2 in each arm"
        )
    return c, t


def permutation(
    control: Any,
    treatment: Any,
    *,
    seed: int,
    statistic: Statistic = mean_difference,
    resamples: int = 9999,
) -> Resampled:
    """Permutation test that the arms have one distribution (``scipy.stats.permutation_test``).

    Args:
        control: Values of the control, shape (..., n).
        treatment: Values of the treatment, shape (..., m).
        seed: Seed; the same seed gives the same p.
        statistic: Statistic of two arms, vectorised along `axis`.
        resamples: Number of permutations; all are counted where there are no more than this.

    Returns:
        Statistic and p-value, (1 + extreme) / (1 + resamples) for sampled permutations: never 0.

    Raises:
        InputError: For NaN, infinities, fewer than two values in an arm.

    Examples:
        >>> r = permutation([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], seed=1)
        >>> r.p_value.item()
        0.1
    """
    c, t = _arms(control, treatment)
    found = stats.permutation_test(
        (c, t),
        statistic,
        vectorized=True,
        n_resamples=resamples,
        axis=-1,
        rng=np.random.default_rng(seed),
        batch=max(1, 2_000_000 // (c.size + t.size)),
    )
    value = np.asarray(found.statistic, dtype=np.float64)
    nothing = np.full(value.shape, np.nan)
    status = np.zeros(value.shape, dtype=np.int8)
    return Resampled(value, nothing, np.asarray(found.pvalue), nothing, nothing, resamples, status)


@quiet
def bootstrap(
    control: Any,
    treatment: Any,
    *,
    seed: int,
    statistic: Statistic = mean_difference,
    alpha: float = 0.05,
    resamples: int = 2999,
) -> Resampled:
    """Bias-corrected and accelerated bootstrap (Efron 1987; ``scipy.stats.bootstrap``).

    Args:
        control: Values of the control, shape (..., n).
        treatment: Values of the treatment, shape (..., m).
        seed: Seed; the same seed gives the same interval.
        statistic: Statistic of two arms, 0 under the null hypothesis, vectorised along `axis`.
        alpha: Level of the interval.
        resamples: Number of resamples.

    Returns:
        Statistic, standard error, interval, and twice the share of resamples on the other side of 0 (at
        least 2 / (resamples + 1)); status ``zero_variance`` where resampling does not move the statistic.

    Raises:
        InputError: For NaN, infinities, fewer than two values in an arm, alpha outside (0, 1).

    Examples:
        >>> rng = np.random.default_rng(0)
        >>> r = bootstrap(rng.normal(0, 1, 50), rng.normal(2, 1, 50), seed=1, resamples=199)
        >>> bool(r.ci_low > 1), bool(r.p_value <= 0.05)
        (True, True)
    """
    c, t = _arms(control, treatment)
    level = float(as_level(alpha))
    value = np.asarray(statistic(c, t, axis=-1), dtype=np.float64)
    with warnings.catch_warnings():
        # A comparison that does not vary is answered by its status.
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        found = stats.bootstrap(
            (c, t),
            statistic,
            vectorized=True,
            n_resamples=resamples,
            axis=-1,
            confidence_level=1.0 - level,
            rng=np.random.default_rng(seed),
            batch=max(1, 2_000_000 // (c.size + t.size)),
        )
    draws = np.asarray(found.bootstrap_distribution)
    se = np.asarray(found.standard_error)
    interval = found.confidence_interval
    ends = np.asarray(interval.low) + np.asarray(interval.high)
    status = reasons(value.shape, [(~(se > 0), Reason.ZERO_VARIANCE), (np.isnan(ends), Reason.NO_INTERVAL)])
    return Resampled(
        value,
        blank(status, se),
        blank(status, _other_side(draws)),
        blank(status, np.asarray(interval.low)),
        blank(status, np.asarray(interval.high)),
        resamples,
        status,
    )


def _other_side(draws: FloatArray) -> FloatArray:
    count = draws.shape[-1] + 1
    below, above = ((draws <= 0).sum(axis=-1) + 1) / count, ((draws >= 0).sum(axis=-1) + 1) / count
    return np.asarray(np.minimum(2.0 * np.minimum(below, above), 1.0))


@quiet
def poisson_bootstrap(
    histograms: Histograms,
    statistic: Callable[[Histograms], FloatArray],
    *,
    seed: int,
    alpha: float = 0.05,
    resamples: int = 500,
) -> Resampled:
    """Poisson bootstrap on value histograms: every unit counts Poisson(1) times (Chamandy and others 2012).

    A cell of u equal units counts Poisson(u) times, so the cost follows the distinct values, not the units.

    Args:
        histograms: Value histograms of both arms.
        statistic: One number per comparison from histograms, 0 under the null hypothesis.
        seed: Seed; the same seed gives the same interval.
        alpha: Level of the percentile interval.
        resamples: Number of resamples, at least 20 / alpha for steady ends.

    Returns:
        Statistic, standard error, percentile interval and p-value per comparison.

    Raises:
        InputError: For alpha outside (0, 1).

    Examples:
        >>> from fairsplit.analysis.statistics.histograms import Histograms
        >>> h = Histograms.from_values([0.0, 1.0] * 50, [0.0, 2.0] * 50)
        >>> r = poisson_bootstrap(h, histogram_mean_difference, seed=1)
        >>> r.value.item(), bool(r.ci_low > 0)
        (0.5, True)
    """
    level = float(as_level(alpha))
    rng = np.random.default_rng(seed)
    value = statistic(histograms)
    draws = np.stack([statistic(_reweighted(histograms, rng)) for _ in range(resamples)], axis=-1)
    # A resample may leave an arm empty; it carries no information about the statistic.
    whole = np.isfinite(draws)
    few = whole.sum(axis=-1) < 0.9 * resamples
    filled = np.where(whole, draws, value[:, None])
    se = filled.std(axis=-1, ddof=1)
    status = reasons(
        value.shape,
        [
            ((histograms.n_control == 0) | (histograms.n_treatment == 0), Reason.NO_EXPOSURE),
            (few, Reason.INSUFFICIENT_SAMPLE),
            (~(se > 0), Reason.ZERO_VARIANCE),
        ],
    )
    low, high = np.quantile(filled, [level / 2.0, 1.0 - level / 2.0], axis=-1)
    return Resampled(
        blank(status, value),
        blank(status, se),
        blank(status, _other_side(filled)),
        blank(status, low),
        blank(status, high),
        resamples,
        status,
    )


def _reweighted(h: Histograms, rng: np.random.Generator) -> Histograms:
    control = rng.poisson(h.control).astype(np.float64)
    treatment = rng.poisson(h.treatment).astype(np.float64)
    return type(h)(h.size, h.group, h.value, control, treatment, h.start)


@quiet
def histogram_mean_difference(histograms: Histograms) -> FloatArray:
    """Treatment minus control means of histograms; NaN where an arm is empty.

    Examples:
        >>> from fairsplit.analysis.statistics.histograms import Histograms
        >>> histogram_mean_difference(Histograms.from_values([1.0, 2.0], [3.0]))
        array([1.5])
    """
    control, treatment = histograms.moments()
    empty = (control.n == 0) | (treatment.n == 0)
    return np.where(empty, np.nan, treatment.mean - control.mean)
