"""Estimates from the sums of batches equal those from every unit's own score, written out unit by unit."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fairsplit.analysis.bandits.batched import batched_contrast, batched_means, batches, with_variance_of_all
from fairsplit.analysis.statistics.checks import InputError
from fairsplit.analysis.statistics.status import Reason

SHARES = [[0.5, 0.3, 0.2], [0.7, 0.29, 0.01], [0.2, 0.1, 0.7]]
SIZES = [40, 60, 50]


def units(seed: int = 5):
    """Batches of (arm, reward), with a level that moves from batch to batch."""
    rng = np.random.default_rng(seed)
    return [
        [(arm, float(rng.normal(3 + 2 * number + arm, 1.0))) for arm in rng.choice(3, size, p=share)]
        for number, (size, share) in enumerate(zip(SIZES, SHARES, strict=True))
    ]


def summed(log):
    n, mean, m2 = np.zeros((3, len(log), 3))
    for batch, rows in enumerate(log):
        for arm in range(3):
            y = np.array([reward for one, reward in rows if one == arm])
            n[batch, arm] = y.size
            if y.size:
                mean[batch, arm], m2[batch, arm] = y.mean(), ((y - y.mean()) ** 2).sum()
    return batches(n, mean, m2, SHARES)


def scored(log):
    """Per batch, the score of every unit for every arm; the arm's mean so far stands in where it was not served."""
    seen: dict[int, list[float]] = {0: [], 1: [], 2: []}
    out = []
    for rows, share in zip(log, SHARES, strict=True):
        model = {}
        for arm in range(3):
            own = seen[arm] or [reward for one, reward in rows if one == arm]
            model[arm] = sum(own) / len(own) if own else None
        out.append(
            [
                [
                    None
                    if model[arm] is None
                    else model[arm] + ((reward - model[arm]) / share[arm] if one == arm else 0.0)
                    for arm in range(3)
                ]
                for one, reward in rows
            ]
        )
        for one, reward in rows:
            seen[one].append(reward)
    return out


def weighted(pairs):
    """Σ h Γ / Σ h and Σ h² (Γ - Q)² / (Σ h)², over (h, Γ) of every unit."""
    total = math.fsum(h for h, _ in pairs)
    value = math.fsum(h * score for h, score in pairs) / total
    return value, math.fsum((h * (score - value)) ** 2 for h, score in pairs) / total**2


def test_means_are_those_of_the_units_scores():
    log = units()
    found = batched_means(summed(log))
    for arm in range(3):
        pairs = [
            (math.sqrt(share[arm]), row[arm])
            for rows, share in zip(scored(log), SHARES, strict=True)
            for row in rows
            if row[arm] is not None
        ]
        value, variance = weighted(pairs)
        assert found.mean[arm] == pytest.approx(value, rel=1e-12)
        assert found.se[arm] == pytest.approx(math.sqrt(variance), rel=1e-12)


@pytest.mark.parametrize("control", [0, 1])
def test_contrasts_are_those_of_the_units_scores(control):
    log = units()
    found = batched_contrast(summed(log), control)
    assert found.status[control] == Reason.ZERO_VARIANCE
    for arm in {0, 1, 2} - {control}:
        rows = [
            ((1 / share[arm] + 1 / share[control]) ** -0.5, row[arm], row[control])
            for rows, share in zip(scored(log), SHARES, strict=True)
            for row in rows
            if row[arm] is not None and row[control] is not None
        ]
        diff, var_diff = weighted([(h, a - c) for h, a, c in rows])
        base, var_base = weighted([(h, c) for h, _, c in rows])
        total = math.fsum(h for h, _, _ in rows)
        covariance = math.fsum(h**2 * (a - c - diff) * (c - base) for h, a, c in rows) / total**2
        got = (found.diff[arm], found.baseline[arm], found.var_diff[arm], found.var_baseline[arm])
        assert got == pytest.approx((diff, base, var_diff, var_base), rel=1e-11)
        assert found.covariance[arm] == pytest.approx(covariance, rel=1e-9)


def test_one_batch_with_equal_shares_is_the_plain_comparison():
    log = units()[:1]
    rows = log[0]
    y = [np.array([reward for one, reward in rows if one == arm]) for arm in range(3)]
    n, mean = [[[one.size for one in y]], [[one.mean() for one in y]]]
    m2 = [[((one - one.mean()) ** 2).sum() for one in y]]
    share = [[one.size / len(rows) for one in y]]
    found = batched_contrast(batches(n, mean, m2, share))
    assert found.diff[1] == pytest.approx(y[1].mean() - y[0].mean(), rel=1e-12)
    # Dividing by n instead of n - 1 is all that separates it from Welch's standard error.
    assert found.var_diff[1] == pytest.approx(y[0].var() / y[0].size + y[1].var() / y[1].size, rel=1e-12)


def test_an_arm_that_comes_in_later_is_compared_over_the_batches_that_it_shared():
    n, mean, m2 = [[50, 0], [25, 25]], [[9.0, 0.0], [1.0, 3.0]], [[5.0, 0.0], [5.0, 5.0]]
    found = batched_contrast(batches(n, mean, m2, [[1.0, 0.0], [0.5, 0.5]]))
    # The control's 9 of the first batch is a model at most: scores correct it by what the second batch shows.
    assert found.diff[1] == pytest.approx(3.0 - (9.0 + (1.0 - 9.0) * 25 / 0.5 / 50), rel=1e-12)


def test_arms_without_units_have_a_reason_instead_of_a_number():
    found = batched_contrast(batches([[5, 0]], [[1.0, 0.0]], [[2.0, 0.0]], [[0.5, 0.5]]))
    assert found.status[1] == Reason.NO_EXPOSURE
    assert math.isnan(found.diff[1])
    few = batched_means(batches([[5, 1]], [[1.0, 2.0]], [[2.0, 0.0]], [[0.5, 0.5]]))
    assert few.status.tolist() == [Reason.OK, Reason.INSUFFICIENT_SAMPLE]


def test_a_unit_in_an_arm_without_share_is_refused():
    with pytest.raises(InputError, match="units in an arm of share 0"):
        batches([[5, 1]], [[1.0, 2.0]], [[2.0, 0.0]], [[1.0, 0.0]])


def test_two_arms_share_the_controls_residuals():
    log = units()
    found = batched_contrast(summed(log), 0)
    rows = [
        (share, row)
        for rows, share in zip(scored(log), SHARES, strict=True)
        for row in rows
        if all(score is not None for score in row)
    ]
    h = {arm: [(1 / share[arm] + 1 / share[0]) ** -0.5 for share, _ in rows] for arm in (1, 2)}
    gaps = {arm: [row[arm] - row[0] - found.diff[arm] for _, row in rows] for arm in (1, 2)}
    product = math.fsum(p * q * u * v for p, q, u, v in zip(h[1], h[2], gaps[1], gaps[2], strict=True))
    assert found.between[1, 2] == pytest.approx(product / math.fsum(h[1]) / math.fsum(h[2]), rel=1e-9)
    assert found.between[2, 1] == pytest.approx(found.between[1, 2], rel=1e-12)
    assert found.between[1, 1] == pytest.approx(found.var_diff[1], rel=1e-12)
    assert found.between[0].tolist() == [0.0, 0.0, 0.0]


def test_no_arm_varies_less_than_its_batch():
    """Case `bandit-empty-arm`: 18 of 1,800 and none of 100 are 18 of 1,900 together."""
    found = with_variance_of_all(batches([[1800, 100]], [[0.01, 0.0]], [[17.82, 0.0]], [[0.9, 0.1]]))
    rate = 18 / 1900
    assert found.m2[0] == pytest.approx([17.82, 100 * rate * (1 - rate)], rel=1e-12)


def test_contexts_of_one_period_count_by_their_units_whatever_their_shares():
    # An effect of 1 on half of the units, shared 1:1, and of 0 on the other half, shared 9:1: over everybody it is .5.
    n = [[100, 100], [180, 20]]
    mean = [[0.0, 1.0], [0.0, 0.0]]
    share = [[0.5, 0.5], [0.9, 0.1]]
    together = batched_contrast(batches(n, mean, np.ones((2, 2)), share, np.array([0, 0])))
    assert together.diff[1] == pytest.approx(0.5)
    # Periods of their own are averaged by h = (1/e + 1/e)^-1/2: .5 and .3, for their effects are taken to be one.
    apart = batched_contrast(batches(n, mean, np.ones((2, 2)), share))
    assert apart.diff[1] == pytest.approx(0.5 / 0.8)
    means = batched_means(batches(n, mean, np.ones((2, 2)), share, np.array([0, 0])))
    np.testing.assert_allclose(means.mean, [0.0, 0.5], atol=1e-12)
