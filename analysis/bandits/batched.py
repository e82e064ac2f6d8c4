"""Adaptively weighted estimates from the sums of each batch: what `evaluation` does unit by unit, at batch scale.

Inside a batch the shares are fixed, so its units' scores sum to something that each arm's count, mean and squared
deviations tell. A contrast is taken inside each batch and only then averaged: however the level of the reward moves
over time, arms are compared under the same days.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fairsplit.analysis.bandits.shares import as_shares
from fairsplit.analysis.statistics.checks import as_counts, as_floats, as_non_negative, refuse
from fairsplit.analysis.statistics.status import Reason, blank, quiet, reasons

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray, IntArray, StatusArray


@dataclass(frozen=True, slots=True)
class Batches:
    """Sums of batches of one allocation each, in the order of time; all of shape (..., batches, arms).

    Attributes:
        n: Units whose reward is known.
        mean: Their mean reward; 0 where there is none.
        m2: Their squared deviations from it.
        share: Probability of the arm for every unit of the batch.
        period: Number of the period of each batch, shape (batches,), where several batches share one: contexts with
            shares of their own. Inside a period they count by their units; none where each batch is its own.
    """

    n: FloatArray
    mean: FloatArray
    m2: FloatArray
    share: FloatArray
    period: IntArray | None = None


@dataclass(frozen=True, slots=True)
class BatchedContrast:
    """Arms against a control, and the control under the same weights; arrays of shape (..., arms).

    Attributes:
        diff: Mean reward of the arm minus the control's.
        baseline: The control's mean.
        var_diff: Squared standard error of `diff`.
        var_baseline: The same of `baseline`.
        covariance: Of `diff` and `baseline`.
        between: Of the arms' differences with each other, shape (..., arms, arms); 0 for the control.
        status: `Reason` codes: ``no_exposure`` (the two never had a share in one batch with units of both),
            ``insufficient_sample`` (under two units of either), ``zero_variance``.
    """

    diff: FloatArray
    baseline: FloatArray
    var_diff: FloatArray
    var_baseline: FloatArray
    covariance: FloatArray
    between: FloatArray
    status: StatusArray


@dataclass(frozen=True, slots=True)
class BatchedMeans:
    """Arms by themselves, arrays of shape (..., arms).

    Attributes:
        mean: Adaptively weighted mean reward.
        se: Its standard error.
        status: As in `BatchedContrast`.
    """

    mean: FloatArray
    se: FloatArray
    status: StatusArray


def batches(
    n: ArrayLike, mean: ArrayLike, m2: ArrayLike, share: ArrayLike, period: IntArray | None = None
) -> Batches:
    """The checked sums of a bandit.

    Args:
        n: Units per batch and arm, shape (..., batches, arms).
        mean: Mean reward, same shape; ignored where n is 0.
        m2: Squared deviations from it, same shape.
        share: Shares in force, same shape; each batch's sum to 1.
        period: Number of the period of each batch, if several share one.

    Returns:
        `Batches`.

    Raises:
        InputError: ``shape_mismatch``; ``out_of_range`` for units in an arm of share 0; and as `as_shares`,
            `as_counts` and `as_non_negative`.

    Examples:
        >>> batches([[2, 2]], [[0.5, 1.0]], [[0.5, 0.0]], [[0.5, 0.5]]).n
        array([[2., 2.]])
    """
    count, e = as_counts(n, "n"), as_shares(share, "share")
    centre, spread = as_floats(mean, "mean"), as_non_negative(m2, "m2")
    shapes = {count.shape, e.shape, centre.shape, spread.shape}
    if len(shapes) > 1 or count.ndim < 2:
        raise refuse(
            "shape_mismatch",
            "the sums of the batches do not fit together",
            "n, mean, m2, share",
            value=sorted(map(str, shapes)),
            rule="one shape (..., batches, arms)",
        )
    if np.any((count > 0) & (e == 0)):
        raise refuse(
            "out_of_range", "units in an arm of share 0", "share", value=0, rule="the shares in force"
        )
    return Batches(count, np.where(count > 0, centre, 0.0), spread, e, period)


@quiet
def with_variance_of_all(data: Batches) -> Batches:
    """The sums with no arm's variance in a batch below that of the batch's units together.

    An arm of a few units in which nothing happened has no variance of its own and is not known any better for it. All
    units together are what there is where arms do not differ.

    Args:
        data: From `batches`.

    Returns:
        `Batches` with larger squared deviations where an arm's own were small.

    Examples:
        >>> rare = batches([[1800, 100]], [[0.01, 0.0]], [[17.82, 0.0]], [[0.9, 0.1]])
        >>> with_variance_of_all(rare).m2.round(4)
        array([[17.82  ,  0.9384]])
    """
    units = data.n.sum(axis=-1, keepdims=True)
    mean = (data.n * data.mean).sum(axis=-1, keepdims=True) / np.maximum(units, 1.0)
    together = (data.m2 + data.n * (data.mean - mean) ** 2).sum(axis=-1, keepdims=True) / np.maximum(
        units, 1.0
    )
    return Batches(data.n, data.mean, np.maximum(data.m2, data.n * together), data.share, data.period)


@dataclass(frozen=True, slots=True)
class _Scores:
    """Scores of a batch's units, Γ(a) = m(a) + 1{W = a} (Y - m(a)) / e(a): what all share, and what residuals add."""

    units: FloatArray
    common: FloatArray
    total: FloatArray
    square: FloatArray
    usable: BoolArray


@quiet
def _scores(data: Batches) -> _Scores:
    """Per batch and arm: units of all arms, m, Σ residual / e and Σ (residual / e)², and where there are scores.

    m is the arm's mean in the batches before. In the first batch with units of the arm it is that batch's own mean,
    which makes the batch's score the plain mean: nothing is known before, and 0 would cost the whole level as variance.
    """
    known = np.cumsum(data.n, axis=-2)
    sums = np.cumsum(data.n * data.mean, axis=-2)
    before, sum_before = known - data.n, sums - data.n * data.mean
    common = np.where(before > 0, sum_before / np.maximum(before, 1.0), data.mean)
    off = data.mean - common
    total = np.where(data.n > 0, data.n * off / data.share, 0.0)
    square = np.where(data.n > 0, (data.m2 + data.n * off**2) / data.share**2, 0.0)
    usable = (data.share > 0) & (known > 0)
    units = np.broadcast_to(data.n.sum(axis=-1, keepdims=True), data.n.shape)
    return _Scores(units, common, total, square, usable)


@quiet
def _steady(data: Batches, inverse: FloatArray, usable: BoolArray) -> FloatArray:
    """Weights that keep a score's variance steady, 0 where there is none: inverse^-1/2, alike inside a period.

    Args:
        data: From `batches`.
        inverse: What the variance of a score goes with: 1/e, or the sum of two of them.
        usable: Whether there is a score.
    """
    if data.period is not None:
        units = np.where(usable, data.n.sum(axis=-1, keepdims=True), 0.0)
        together = np.asarray(data.period[:, None] == data.period, dtype=np.float64)
        total = np.einsum("bc,...ca->...ba", together, units)
        sums = np.einsum("bc,...ca->...ba", together, units * np.where(usable, inverse, 0.0))
        inverse = np.where(total > 0, sums / np.maximum(total, 1.0), inverse)
    out: FloatArray = np.where(usable, 1 / np.sqrt(inverse), 0.0)
    return out


@quiet
def batched_means(data: Batches) -> BatchedMeans:
    """Each arm's mean reward, batches weighted by h = √e.

    Args:
        data: From `batches`.

    Returns:
        `BatchedMeans`.

    Source:
        Hadad, Hirshberg, Zhan, Wager & Athey (2021), PNAS 118(15), eq. 5 and theorem 2, constant allocation.

    Examples:
        >>> r = batched_means(batches([[2, 2]], [[0.5, 1.0]], [[0.5, 0.0]], [[0.5, 0.5]]))
        >>> print(r.mean, r.se.round(4))
        [0.5 nan] [0.3536    nan]
    """
    s = _scores(data)
    h = _steady(data, 1 / data.share, s.usable)
    weight = (h * s.units).sum(axis=-2)
    mean = (h * (s.units * s.common + s.total)).sum(axis=-2) / weight
    u = s.common - mean[..., None, :]
    variance = (h**2 * (s.units * u**2 + 2 * u * s.total + s.square)).sum(axis=-2) / weight**2
    status = _status(data.n.sum(axis=-2), weight, variance)
    return BatchedMeans(blank(status, mean), blank(status, np.sqrt(variance)), status)


@quiet
def batched_contrast(data: Batches, control: int = 0) -> BatchedContrast:
    """Each arm against a control, inside each batch, batches weighted by h = (1/e(arm) + 1/e(control))^-1/2.

    Args:
        data: From `batches`.
        control: Position of the control.

    Returns:
        `BatchedContrast`; the control's own entry is ``zero_variance``.

    Raises:
        InputError: ``out_of_range`` for an unknown control.

    Source:
        Hadad et al. (2021): scores of a contrast with the weights that keep Σ h² (1/e + 1/e) steady, which is what
        their theorem 2 asks for.

    Examples:
        >>> r = batched_contrast(batches([[2, 2]], [[0.5, 1.0]], [[0.5, 0.5]], [[0.5, 0.5]]))
        >>> print(r.diff, r.var_diff)
        [nan 0.5] [ nan 0.25]
    """
    arms = data.n.shape[-1]
    if not 0 <= control < arms:
        raise refuse("out_of_range", "no such arm", "control", value=control, rule=f"0 to {arms - 1}")
    s = _scores(data)

    def of_control(values: FloatArray) -> FloatArray:
        return values[..., control, None]

    usable = s.usable & s.usable[..., control, None]
    h = _steady(data, 1 / data.share + 1 / of_control(data.share), usable)
    weight = (h * s.units).sum(axis=-2)
    base_total, base_square = of_control(s.total), of_control(s.square)
    base_common = np.broadcast_to(of_control(s.common), s.common.shape)
    gap, gap_total = s.common - base_common, s.total - base_total
    diff = (h * (s.units * gap + gap_total)).sum(axis=-2) / weight
    baseline = (h * (s.units * base_common + base_total)).sum(axis=-2) / weight
    u, v = gap - diff[..., None, :], base_common - baseline[..., None, :]

    def spread(values: FloatArray) -> FloatArray:
        out: FloatArray = (h**2 * values).sum(axis=-2) / weight**2
        return out

    var_diff = spread(s.units * u**2 + 2 * u * gap_total + s.square + base_square)
    var_baseline = spread(s.units * v**2 + 2 * v * base_total + base_square)
    covariance = spread(s.units * u * v + u * base_total + v * gap_total - base_square)
    own = np.arange(arms) == control
    between = _between(s, h, np.where(own, 0.0, u), np.where(own, 0.0, gap_total), base_square) / (
        weight[..., :, None] * weight[..., None, :]
    )
    between = np.where(own[:, None] | own, 0.0, between)
    counted = np.where(usable, data.n, 0.0).sum(axis=-2)
    both = np.minimum(counted, np.where(usable, of_control(data.n), 0.0).sum(axis=-2))
    status = _status(both, weight, np.where(own, 0.0, var_diff))
    return BatchedContrast(
        blank(status, diff),
        blank(status, baseline),
        blank(status, var_diff),
        blank(status, var_baseline),
        blank(status, covariance),
        between,
        status,
    )


def _between(
    s: _Scores, h: FloatArray, u: FloatArray, gap_total: FloatArray, base_square: FloatArray
) -> FloatArray:
    """Weighted sums of the products of two arms' centred scores: they share the control's residuals."""
    h_u, h_total = h * u, h * gap_total
    common = np.einsum("...ba,...bc->...ac", h_u * s.units, h_u)
    crossed = np.einsum("...ba,...bc->...ac", h_u, h_total)
    shared = np.einsum("...ba,...bc->...ac", h * base_square, h)
    own = np.eye(h.shape[-1]) * (h**2 * s.square).sum(axis=-2)[..., None, :]
    out: FloatArray = common + crossed + np.swapaxes(crossed, -1, -2) + shared + own
    return out


def _status(units: FloatArray, weight: FloatArray, variance: FloatArray) -> StatusArray:
    return reasons(
        weight.shape,
        [
            ((units == 0) | (weight == 0), Reason.NO_EXPOSURE),
            (units < 2, Reason.INSUFFICIENT_SAMPLE),
            (variance <= 0, Reason.ZERO_VARIANCE),
        ],
    )
