"""Sample ratio mismatch: do the units fall on the arms as the weights say?

Three tests of one hypothesis: Pearson's chi-square (its generalisation when the weights changed on the way),
the exact multinomial test for small counts, and the sequential multinomial test that may be looked at every
day. Expectations always come as probabilities per batch, so that a ramp is judged under the weights then in
force.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from fairsplit.analysis.statistics.checks import as_counts, as_non_negative, as_positive, refuse, together
from fairsplit.analysis.statistics.chi_square_tail import chi2_log_sf
from fairsplit.analysis.statistics.status import Reason, blank, quiet, reasons
from fairsplit.analysis.statistics.stirling import entropy_term, stirling_remainder

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray, IntArray, StatusArray

#: Dirichlet concentration of the sequential test: it looks for small deviations from the expected shares.
CONCENTRATION = 10_000.0
#: Cochran's rule: below this expected count the chi-square law is not trusted.
SMALL_EXPECTED = 5.0
#: Most outcomes that the exact test lists.
LARGEST_ENUMERATION = 200_000
#: Outcomes whose probability ties with the observed one up to rounding belong to its tail.
_TIE = 1.0 + 1e-7


@dataclass(frozen=True, slots=True)
class SrmTest:
    """Result of a fixed-sample test, arrays of one shape.

    Attributes:
        statistic: Chi-square; NaN for the exact test; infinite where a unit stands in a zero-weight arm.
        df: Degrees of freedom; NaN for the exact test.
        p_value: Probability of such a deviation or a larger one under the weights.
        log_p_value: Its natural logarithm, true where the p-value underflows.
        expected: Expected units per arm (one axis more).
        impossible: A unit was seen in an arm of weight zero: a fault by itself (p = 0).
        exact: The p-value comes from the exact multinomial law.
        status: `Reason` codes: ``no_exposure``, ``infeasible`` (fewer than two arms with weight),
            ``too_large_for_exact``.
    """

    statistic: FloatArray
    df: FloatArray
    p_value: FloatArray
    log_p_value: FloatArray
    expected: FloatArray
    impossible: BoolArray
    exact: BoolArray
    status: StatusArray


@dataclass(frozen=True, slots=True)
class SequentialSrm:
    """Running result of the sequential test; the last axis is time.

    Attributes:
        log_bayes_factor: Log Bayes factor of "some other shares" against "the weights", after each batch.
        p_value: Anytime-valid p-value: min over batches so far of ``min(1, 1 / BF)``.
        log_p_value: Its natural logarithm.
        status: `Reason` codes per experiment (no time axis): ``no_exposure``, ``infeasible``.
    """

    log_bayes_factor: FloatArray
    p_value: FloatArray
    log_p_value: FloatArray
    status: StatusArray


def _shares(weights: FloatArray) -> FloatArray:
    total = weights.sum(axis=-1, keepdims=True)
    out: FloatArray = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    return out


def _checked(counts: ArrayLike, weights: ArrayLike) -> tuple[FloatArray, FloatArray]:
    c, w = together({"counts": as_counts(counts, "counts"), "weights": as_non_negative(weights, "weights")})
    if c.ndim == 0:
        raise refuse(
            "shape_mismatch", "no axis of arms", "counts", value=c.shape, rule="one column for each arm"
        )
    unweighted = (w.sum(axis=-1) == 0) & (c.sum(axis=-1) > 0)
    if unweighted.any():
        raise refuse(
            "out_of_range",
            "units without any weight",
            "weights",
            value=0,
            rule="a positive weight where there are units",
        )
    return c, _shares(w)


@quiet
def srm_chi_square(counts: ArrayLike, weights: ArrayLike) -> SrmTest:
    """Pearson's chi-square of units per arm against one vector of weights.

    Args:
        counts: Units per arm, shape (..., arms). Pad unequal numbers of arms with count 0 and weight 0.
        weights: Expected weights, same shape or one that broadcasts; any scale (``[1, 1]`` or ``[.5, .5]``).

    Returns:
        `SrmTest` of shape (...). Degrees of freedom = arms with weight - 1.

    Raises:
        InputError: ``negative``, ``not_whole``, ``not_finite``, ``shape_mismatch``, or ``out_of_range`` where
            units stand without any weight.

    Source:
        Kohavi, Tang & Xu (2020), Trustworthy Online Controlled Experiments, ch. 21; Fabijan et al. (2019),
        KDD.

    Examples:
        >>> r = srm_chi_square([821588, 815482], [1, 1])
        >>> print(f"{r.statistic:.4f} {r.p_value:.2e}")
        22.7744 1.82e-06
    """
    c, p = _checked(counts, weights)
    n = c.sum(axis=-1)
    expected = n[..., None] * p
    live = p > 0
    arms = live.sum(axis=-1)
    terms = np.divide((c - expected) ** 2, expected, out=np.zeros_like(expected), where=expected > 0)
    return _from_statistic(terms.sum(axis=-1), arms, n, expected, np.asarray((~live & (c > 0)).any(axis=-1)))


@quiet
def srm_chi_square_phases(counts: ArrayLike, weights: ArrayLike) -> SrmTest:
    """Chi-square of the totals when each batch (day, phase) has its own weights.

    With O = Σ counts, E = Σ n_b p_b and V = Σ n_b (diag p_b - p_b p_b'), the statistic (O - E)' V⁻ (O - E) is
    chi-square with as many degrees of freedom as V has rank. For one vector of weights it is Pearson's
    statistic; Pearson's Σ (O - E)² / E itself is too small once weights differ between batches.

    Args:
        counts: Units, shape (..., batches, arms).
        weights: Weights in force in each batch, same shape or one that broadcasts.

    Returns:
        `SrmTest` of shape (...).

    Raises:
        InputError: As `srm_chi_square`.

    Source:
        Covariance of a sum of independent multinomials; quadratic form as in Rao (1973), 6b.2.

    Examples:
        >>> r = srm_chi_square_phases([[900, 100], [480, 520]], [[9, 1], [1, 1]])
        >>> print(f"{r.statistic:.4f} {r.p_value:.4f}")
        1.1765 0.2781
    """
    c, p = _checked(counts, weights)
    if c.ndim < 2:
        raise refuse("shape_mismatch", "no axis of batches", "counts", value=c.shape, rule="(batches, arms)")
    n_batch = c.sum(axis=-1, keepdims=True)
    expected = (n_batch * p).sum(axis=-2)
    deviation = (c - n_batch * p).sum(axis=-2)
    n = n_batch[..., 0].sum(axis=-1)
    impossible = ((p == 0) & (c > 0)).any(axis=(-1, -2))
    # Scaled to unit diagonal so that the rank does not depend on how small an arm is.
    own = (n_batch * p * (1 - p)).sum(axis=-2)
    root = np.sqrt(own)
    scale = np.divide(1.0, root, out=np.zeros_like(root), where=own > 0)
    covariance = -np.einsum("...bi,...bj->...ij", n_batch * p, p)
    arms = covariance.shape[-1]
    covariance[..., range(arms), range(arms)] = own
    values, vectors = np.linalg.eigh(covariance * scale[..., :, None] * scale[..., None, :])
    keep = values > 1e-9
    projected = np.einsum("...ij,...i->...j", vectors, deviation * scale)
    parts = np.divide(projected**2, values, out=np.zeros_like(values), where=keep)
    return _from_statistic(parts.sum(axis=-1), keep.sum(axis=-1) + 1, n, expected, impossible)


def _from_statistic(
    statistic: FloatArray, arms: IntArray, n: FloatArray, expected: FloatArray, impossible: BoolArray
) -> SrmTest:
    status = reasons(n.shape, [(n == 0, Reason.NO_EXPOSURE), ((arms < 2) & ~impossible, Reason.INFEASIBLE)])
    df = (arms - 1).astype(np.float64)
    chi2 = np.where(impossible, np.inf, statistic)
    log_p = np.where(impossible, -np.inf, chi2_log_sf(statistic, np.maximum(df, 1)))
    return SrmTest(
        statistic=blank(status, chi2),
        df=blank(status, df),
        p_value=blank(status, np.exp(log_p)),
        log_p_value=blank(status, log_p),
        expected=expected,
        impossible=impossible,
        exact=np.zeros(n.shape, dtype=np.bool_),
        status=status,
    )


@lru_cache(maxsize=64)
def _outcomes(n: int, arms: int) -> NDArray[np.int64]:
    """All ways to put n units on the arms, shape (C(n + arms - 1, arms - 1), arms)."""
    rows = np.zeros((1, 0), dtype=np.int64)
    left = np.array([n], dtype=np.int64)
    for _ in range(arms - 1):
        repeat = left + 1
        start = np.repeat(np.cumsum(repeat) - repeat, repeat)
        value = np.arange(start.size) - start
        rows = np.column_stack([np.repeat(rows, repeat, axis=0), value])
        left = np.repeat(left, repeat) - value
    return np.column_stack([rows, left])


@quiet
def srm_exact(counts: ArrayLike, weights: ArrayLike, *, largest: int = LARGEST_ENUMERATION) -> SrmTest:
    """Exact multinomial test: probability of all outcomes no more likely than the observed one.

    Experiments with equal totals and numbers of arms are evaluated together on one list of outcomes.

    Args:
        counts: Units per arm, shape (..., arms).
        weights: Expected weights, same shape or one that broadcasts.
        largest: Most outcomes to list for one experiment; beyond it the status is ``too_large_for_exact``.

    Returns:
        `SrmTest` of shape (...), with `exact` true where it answered.

    Raises:
        InputError: As `srm_chi_square`.

    Source:
        Cressie & Read (1989), section 2; for two arms the exact binomial test (Clopper & Pearson's
        hypothesis by minimum likelihood, as R's ``binom.test``).

    Examples:
        >>> print(round(float(srm_exact([2, 9], [1, 1]).p_value), 6))
        0.06543
    """
    c, p = _checked(counts, weights)
    as_positive(largest, "largest")
    shape, k = c.shape[:-1], c.shape[-1]
    # Arms of weight zero are moved to the end and cut off, so that padding costs nothing.
    order = np.argsort(-p, axis=-1, kind="stable").reshape(-1, k)
    flat_p = np.take_along_axis(p.reshape(-1, k), order, axis=-1)
    flat_c = np.take_along_axis(c.reshape(-1, k), order, axis=-1)
    arms = (flat_p > 0).sum(axis=-1)
    impossible = ((flat_p == 0) & (flat_c > 0)).any(axis=-1)
    n = flat_c.sum(axis=-1)
    size = special.binom(n + arms - 1, np.maximum(arms - 1, 0))
    status = reasons(
        n.shape,
        [
            (n == 0, Reason.NO_EXPOSURE),
            ((arms < 2) & ~impossible, Reason.INFEASIBLE),
            ((size > largest) & ~impossible, Reason.TOO_LARGE_FOR_EXACT),
        ],
    )
    p_value = np.where(impossible, 0.0, np.nan)
    todo = (status == Reason.OK) & ~impossible
    kinds, kind_of = np.unique(np.column_stack([n, arms])[todo], axis=0, return_inverse=True)
    positions = np.flatnonzero(todo)
    for index, (total, m) in enumerate(kinds.astype(int)):
        rows = positions[kind_of.ravel() == index]
        table = _outcomes(int(total), int(m))
        combinations = special.gammaln(total + 1) - special.gammaln(table + 1).sum(axis=-1)
        # Batches of rows keep the outcome-by-experiment matrix within some 40 MB.
        for part in np.array_split(rows, max(1, int(rows.size * len(table) / 5e6))):
            log_law = combinations + np.log(flat_p[part, :m]) @ table.T
            seen = _log_multinomial(flat_c[part, :m], flat_p[part, :m])
            tail = np.where(log_law <= seen[:, None] + np.log(_TIE), np.exp(log_law), 0.0)
            p_value[part] = np.minimum(tail.sum(axis=-1), 1.0)
    out_status = status.reshape(shape)
    out_p = blank(out_status, p_value.reshape(shape))
    nothing = np.full(shape, np.nan)
    return SrmTest(
        statistic=nothing,
        df=nothing,
        p_value=out_p,
        log_p_value=np.log(out_p),
        expected=c.sum(axis=-1, keepdims=True) * p,
        impossible=impossible.reshape(shape),
        exact=out_status == Reason.OK,
        status=out_status,
    )


def _log_multinomial(counts: FloatArray, shares: FloatArray) -> FloatArray:
    constant = special.gammaln(counts.sum(axis=-1) + 1) - special.gammaln(counts + 1).sum(axis=-1)
    out: FloatArray = constant + special.xlogy(counts, shares).sum(axis=-1)
    return out


@quiet
def srm_fixed(counts: ArrayLike, weights: ArrayLike, *, largest: int = LARGEST_ENUMERATION) -> SrmTest:
    """Chi-square where every expected count reaches 5, the exact multinomial test below.

    Where the exact test would list more than `largest` outcomes, chi-square answers although an expected
    count is small (`exact` says which one did).

    Args:
        counts: Units per arm, shape (..., arms).
        weights: Expected weights, same shape or one that broadcasts.
        largest: As in `srm_exact`.

    Returns:
        `SrmTest` of shape (...).

    Raises:
        InputError: As `srm_chi_square`.

    Source:
        Cochran (1954), Biometrics 10 (expected counts of at least 5).

    Examples:
        >>> r = srm_fixed([[2, 9], [500, 600]], [1, 1])
        >>> print(r.exact, np.round(r.p_value, 5))
        [False False] [0.03481 0.00257]
        >>> bool(srm_fixed([1, 7], [1, 1]).exact)
        True
    """
    asymptotic = srm_chi_square(counts, weights)
    c, p = _checked(counts, weights)
    small = ((asymptotic.expected < SMALL_EXPECTED) & (p > 0)).any(axis=-1) & (asymptotic.status == Reason.OK)
    if not small.any():
        return asymptotic
    exact = srm_exact(c[small], p[small], largest=largest)
    use = np.zeros(small.shape, dtype=np.bool_)
    use[small] = exact.exact
    p_value, log_p = asymptotic.p_value.copy(), asymptotic.log_p_value.copy()
    p_value[use], log_p[use] = exact.p_value[exact.exact], exact.log_p_value[exact.exact]
    return SrmTest(
        statistic=asymptotic.statistic,
        df=asymptotic.df,
        p_value=p_value,
        log_p_value=log_p,
        expected=asymptotic.expected,
        impossible=asymptotic.impossible,
        exact=use,
        status=asymptotic.status,
    )


@quiet
def srm_sequential(
    counts: ArrayLike,
    weights: ArrayLike,
    *,
    concentration: ArrayLike = CONCENTRATION,
    dirichlet: ArrayLike | None = None,
) -> SequentialSrm:
    """Sequential multinomial test: its p-value may be looked at after every batch, for ever.

    The alternative predicts batch b by a Dirichlet–multinomial with parameters a_b, the weights predict it
    by a multinomial; the product of the ratios is a martingale under the weights whatever a_b is, as long as
    it uses earlier batches only. While the weights stay, a_b = prior + counts so far, which is Lindon &
    Malek's test. When they change, what was learned is carried over as a *tilt*: an arm that held r times
    its expected units is predicted at r times its new weight, with no more certainty than the least observed
    arm gives.

    Args:
        counts: Units that arrived in each batch, shape (..., batches, arms). Batches or arms that an
            experiment does not have are padded with count 0 (an empty batch changes nothing).
        weights: Weights in force in each batch, same shape or one that broadcasts; any scale.
        concentration: Sum of the Dirichlet parameters, broadcastable to (...); default 10,000.
        dirichlet: Dirichlet parameters per arm (..., arms) instead of ``concentration * weights``.

    Returns:
        `SequentialSrm` with arrays of shape (..., batches).

    Raises:
        InputError: As `srm_chi_square`; ``out_of_range`` for Dirichlet parameters that are not positive.

    Source:
        Lindon & Malek (2022), "Anytime-valid inference for multinomial count data", NeurIPS, eq. 4–8;
        https://github.com/optimizely/ssrm. Ville's inequality gives P(any p ≤ α) ≤ α.

    Examples:
        >>> r = srm_sequential([[20, 17, 9], [18, 21, 8]], [0.4, 0.4, 0.2], dirichlet=[1, 1, 1])
        >>> print(np.round(r.log_bayes_factor, 6), r.p_value)
        [-2.950561 -3.681901] [1. 1.]
    """
    c, p = _checked(counts, weights)
    if c.ndim < 2:
        raise refuse("shape_mismatch", "no axis of batches", "counts", value=c.shape, rule="(batches, arms)")
    # A padded batch has no weights of its own; it takes any, for it holds no unit.
    p = np.where(p.sum(axis=-1, keepdims=True) == 0, 1.0 / p.shape[-1], p)
    alpha = _predictive_parameters(c, p, concentration, dirichlet)
    terms = _log_ratio(c, p, alpha)
    impossible = ((p == 0) & (c > 0)).any(axis=-1)
    log_bf = np.cumsum(np.where(impossible, np.inf, terms), axis=-1)
    n = c.sum(axis=(-1, -2))
    status = reasons(n.shape, [(n == 0, Reason.NO_EXPOSURE)])
    log_p = np.minimum(np.minimum.accumulate(-log_bf, axis=-1), 0.0)
    return SequentialSrm(
        log_bayes_factor=blank(status, log_bf),
        p_value=blank(status, np.exp(log_p)),
        log_p_value=blank(status, log_p),
        status=status,
    )


def _predictive_parameters(
    c: FloatArray, p: FloatArray, concentration: ArrayLike, dirichlet: ArrayLike | None
) -> FloatArray:
    """Dirichlet parameters for each batch from the batches before it, shape (..., batches, arms)."""
    first = p[..., :1, :]
    if dirichlet is None:
        total = as_positive(concentration, "concentration")[..., None, None]
        prior = total * p
    else:
        given = as_positive(dirichlet, "dirichlet")[..., None, :]
        total = given.sum(axis=-1, keepdims=True)
        prior_tilt = np.divide(
            given, total * first, out=np.ones(np.broadcast(given, first).shape), where=first > 0
        )
        prior = total * _shares(p * prior_tilt)
    # Before batch b: everything observed and everything expected (exclusive running sums).
    observed = np.cumsum(c, axis=-2) - c
    due = c.sum(axis=-1, keepdims=True) * p
    expected = np.cumsum(due, axis=-2) - due
    learned = np.divide(prior + observed, total * p + expected, out=np.zeros_like(p), where=p > 0)
    evidence = np.divide(expected, p, out=np.full_like(p, np.inf), where=p > 0).min(axis=-1, keepdims=True)
    out: FloatArray = (total + evidence) * _shares(p * learned)
    return out


def _log_ratio(c: FloatArray, p: FloatArray, alpha: FloatArray) -> FloatArray:
    """Log of Dirichlet–multinomial over multinomial, with the large terms cancelled on paper.

    With posterior mean m' = (a + c) / (A + n) and prior mean m = a / A the ratio is
    (A + n) Σ m [(1 + d) log(1 + d) - d], d = m'/m - 1, plus Σ c log(m / p), half a log of the parameters'
    growth, and Stirling's remainders.
    """
    live = alpha > 0
    a = np.where(live, alpha, 1.0)
    count = np.where(live, c, 0.0)
    total = np.where(live, alpha, 0.0).sum(axis=-1, keepdims=True)
    n = count.sum(axis=-1, keepdims=True)
    d = np.where(live, (count * total - n * a) / (a * (total + n)), 0.0)
    divergence = (total + n) * (np.where(live, a / total, 0.0) * entropy_term(d)).sum(axis=-1, keepdims=True)
    tilt = np.where(live, count * np.log(np.where(live, a / (total * p), 1.0)), 0.0)
    growth = np.where(live, np.log(a + count) - np.log(a), 0.0).sum(axis=-1, keepdims=True) - np.log1p(
        n / total
    )
    rest = np.where(live, stirling_remainder(a + count) - stirling_remainder(a), 0.0)
    rest_total = stirling_remainder(total + n) - stirling_remainder(total)
    out: FloatArray = (
        divergence[..., 0] + tilt.sum(axis=-1) - 0.5 * growth[..., 0] + rest.sum(axis=-1) - rest_total[..., 0]
    )
    return out
