"""Error rates of the sequential methods when every look counts: seeded, with binomial tolerances.

Each tolerance is the binomial quantile that a correct method crosses once in a million runs.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fairsplit.analysis.statistics.confidence_sequences import confidence_path, confidence_sequence
from fairsplit.analysis.statistics.dunnett import many_to_one
from fairsplit.analysis.statistics.group_sequential import crossing_probabilities, lan_demets_bounds
from fairsplit.analysis.statistics.group_sequential_design import design_properties, futility_design
from fairsplit.analysis.statistics.group_sequential_inference import (
    final_inference,
    repeated_intervals,
    repeated_p_values,
)
from fairsplit.analysis.statistics.mixture import msprt_bernoulli, msprt_normal
from fairsplit.analysis.statistics.multiplicity import adjust_p_values
from fairsplit.analysis.statistics.planning import (
    power_two_sample_t,
    sample_size_two_proportions,
    sample_size_two_sample_t,
)
from fairsplit.analysis.statistics.planning_designs import plan_always_valid
from fairsplit.analysis.statistics.spending import spending_function
from fairsplit.analysis.statistics.sprt import Verdict, sprt_asn_normal, sprt_normal

pytestmark = pytest.mark.simulation


def at_most(count: int, runs: int, rate: float) -> bool:
    return bool(count <= stats.binom.isf(1e-6, runs, rate))


def close_to(count: int, runs: int, rate: float) -> bool:
    return bool(stats.binom.ppf(1e-6, runs, rate) <= count <= stats.binom.isf(1e-6, runs, rate))


def z_paths(rng: np.random.Generator, fractions: np.ndarray, drift: float, runs: int) -> np.ndarray:
    """Z at each look: a Brownian motion with drift, over the square root of time."""
    steps = np.diff(fractions, prepend=0.0)
    score = np.cumsum(drift * steps + rng.normal(size=(runs, fractions.size)) * np.sqrt(steps), axis=1)
    return score / np.sqrt(fractions)


DRAWS = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "exponential": lambda rng, shape: rng.exponential(size=shape) - 1,
    "rare": lambda rng, shape: rng.binomial(1, 0.02, shape) - 0.02,
}


@pytest.mark.parametrize("kind", DRAWS)
def test_confidence_sequence_of_a_mean_under_continuous_monitoring(kind: str):
    rng = np.random.default_rng(100)
    runs, length, alpha = 1500, 2000, 0.1
    x = DRAWS[kind](rng, (runs, length))
    path = confidence_path(x, 1000, alpha)
    # asymptotic: watched from where the mean of the skewed values is near normal
    start = {"normal": 50, "exponential": 200, "rare": 500}[kind]
    missed = ((path.low > 0) | (path.high < 0))[:, start:].any(axis=1).sum()
    assert at_most(missed, runs, alpha)


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_confidence_sequence_of_a_comparison_at_every_day(alternative: str):
    rng = np.random.default_rng(101)
    runs, days = 4000, 60
    n = np.arange(1, days + 1) * 100.0
    z = z_paths(rng, n / n[-1], 0.0, runs)
    se = 1 / np.sqrt(n)
    r = confidence_sequence(z * se, se, n, 3000, 0.05, alternative=alternative)
    assert at_most((r.p_value <= 0.05).any(axis=1).sum(), runs, 0.05)


def test_mixture_sprt_of_normal_and_binary_streams():
    rng = np.random.default_rng(102)
    runs, length = 1500, 1500
    path = msprt_normal(rng.normal(size=(runs, length)), rng.normal(size=(runs, length)), 1.0, 0.2)
    assert at_most((path.always_valid_p[:, -1] <= 0.05).sum(), runs, 0.05)
    x, y = rng.binomial(1, 0.3, (2, runs, length))
    binary = msprt_bernoulli(x, y, 0.1)
    # the plug-in variance is asymptotic: watched from 50 pairs on
    assert at_most((binary.ratio[:, 50:] >= 20).any(axis=1).sum(), runs, 0.05)


@pytest.mark.parametrize("family", ["obrien_fleming", "pocock"])
@pytest.mark.parametrize("sides", [1, 2])
def test_spending_bounds_spend_alpha_at_looks_nobody_planned(family: str, sides: int):
    rng = np.random.default_rng(103)
    runs = 40_000
    fractions = np.sort(rng.uniform(0.05, 1, 12))
    fractions[-1] = 1.0
    bounds = lan_demets_bounds(fractions, 0.05, sides=sides, spending=spending_function(family))
    z = z_paths(rng, fractions, 0.0, runs)
    crossed = (z > bounds.upper) | ((z < bounds.lower) if sides == 2 else False)
    assert close_to(crossed.any(axis=1).sum(), runs, 0.05)


def test_repeated_intervals_cover_together_and_p_values_hold_over_looks():
    rng = np.random.default_rng(104)
    runs, truth = 4000, 1.7
    fractions = np.array([0.15, 0.4, 0.55, 0.8, 1.0])
    z = z_paths(rng, fractions, truth, runs)
    null = z_paths(rng, fractions, 0.0, runs)
    missed = np.zeros(runs, dtype=bool)
    smallest = np.ones(runs)
    for k in range(5):
        so_far = fractions[None, : k + 1]
        se = 1 / np.sqrt(fractions[k])
        zero = np.zeros(runs, dtype=int)
        r = repeated_intervals(z[:, k] * se, se, so_far, zero)
        missed |= (r.low > truth) | (r.high < truth)
        smallest = np.minimum(smallest, repeated_p_values(null[:, k], so_far, zero))
    assert close_to(missed.sum(), runs, 0.05)
    assert close_to((smallest <= 0.05).sum(), runs, 0.05)
    assert close_to((smallest <= 0.2).sum(), runs, 0.2)


@pytest.mark.parametrize("truth", [0.0, 2.5])
def test_final_inference_is_median_unbiased_and_covers(truth: float):
    rng = np.random.default_rng(105)
    runs = 4000
    fractions = np.array([0.3, 0.6, 1.0])
    bounds = lan_demets_bounds(fractions, 0.1, spending=spending_function("pocock"))
    z = z_paths(rng, fractions, truth, runs)
    crossed = np.abs(z) >= bounds.upper
    stage = np.where(crossed.any(axis=1), crossed.argmax(axis=1), 2)
    info = np.where(np.arange(3) <= stage[:, None], fractions, np.nan)
    seen = z[np.arange(runs), stage]
    r = final_inference(seen, info, np.tile(bounds.upper, (runs, 1)), np.tile(bounds.lower, (runs, 1)), 0.1)
    assert close_to((r.estimate > truth).sum(), runs, 0.5)
    assert close_to(((r.low > truth) | (r.high < truth)).sum(), runs, 0.1)
    # what the correction is for: the ordinary estimate overshoots
    if truth:
        assert not close_to((r.naive > truth).sum(), runs, 0.5)


@pytest.mark.parametrize("binding", [False, True])
def test_futility_designs_keep_both_errors(binding: bool):
    rng = np.random.default_rng(106)
    runs = 40_000
    fractions = np.array([0.25, 0.5, 0.75, 1.0])
    d = futility_design(fractions, 0.025, 0.2, binding=binding)
    for drift, rate in ((0.0, 0.025), (float(d.drift), 0.8)):
        z = z_paths(rng, fractions, drift, runs)
        up, down = z >= d.upper, z < d.lower
        first = (up | down).argmax(axis=1)
        rejected = up[np.arange(runs), first].sum()
        if drift == 0 and not binding:
            assert at_most(rejected, runs, rate)
        else:
            assert close_to(rejected, runs, rate)


def test_wald_keeps_both_errors_and_its_average_sample_number():
    rng = np.random.default_rng(107)
    runs, length, gap = 4000, 3000, 0.2
    for truth, wrong, rate in ((0.0, Verdict.REJECT_NULL, 0.05), (gap, Verdict.ACCEPT_NULL, 0.1)):
        r = sprt_normal(rng.normal(truth, 1, (runs, length)), 0.0, gap, 1.0, 0.05, 0.1)
        last = r.verdict[:, -1]
        assert np.all(last != Verdict.CONTINUE)
        assert at_most((last == wrong).sum(), runs, rate)
        stopped = (r.verdict == Verdict.CONTINUE).sum(axis=1) + 1
        wald = sprt_asn_normal(0.0, gap, 1.0, 0.05, 0.1)
        expected = wald.asn_h0 if truth == 0 else wald.asn_h1
        # Wald neglects the overshoot, about 0.58 standard deviations of a step at each end
        overshoot = 0.583 / (gap / 2)
        slack = 6 * stopped.std() / np.sqrt(runs)
        assert expected - slack <= stopped.mean() <= expected + 2 * overshoot + slack


def test_planned_power_of_proportions_and_means_is_reached():
    rng = np.random.default_rng(108)
    runs = 20_000
    p1, p2 = 0.1, 0.13
    n = int(np.ceil(sample_size_two_proportions(p1, p2, 0.85)))
    a, b = rng.binomial(n, p1, runs) / n, rng.binomial(n, p2, runs) / n
    pooled = (a + b) / 2
    z = (b - a) / np.sqrt(2 * pooled * (1 - pooled) / n)
    # the formula is asymptotic: within one per cent, and the Monte-Carlo error
    assert abs((np.abs(z) > 1.959964).mean() - 0.85) < 0.01 + 5 * np.sqrt(0.85 * 0.15 / runs)
    m = int(np.ceil(sample_size_two_sample_t(0.8, 1.0, 0.85)))
    x, y = rng.normal(0, 1, (runs, m)), rng.normal(0.8, 1, (runs, m))
    rejected = (stats.ttest_ind(x, y, axis=1).pvalue <= 0.05).sum()
    assert close_to(rejected, runs, float(power_two_sample_t(0.8, 1.0, m)))


def test_planned_power_of_sequential_plans_is_reached():
    rng = np.random.default_rng(109)
    runs = 20_000
    fractions = np.arange(1, 11) / 10
    fixed = (stats.norm.isf(0.025) + stats.norm.ppf(0.8)) ** 2
    plan = plan_always_valid(fractions)
    z = z_paths(rng, fractions, float(np.sqrt(plan.maximum * fixed)), runs)
    r = confidence_sequence(z, 1.0, np.arange(1, 11) * 100, 1000)
    assert close_to((r.low > 0).any(axis=1).sum(), runs, 0.8)
    bounds = lan_demets_bounds(fractions)
    design = design_properties(bounds.upper, fractions)
    z = z_paths(rng, fractions, float(design.drift), runs)
    crossed = z >= bounds.upper
    assert close_to(crossed.any(axis=1).sum(), runs, 0.8)
    stopped = np.where(crossed.any(axis=1), fractions[crossed.argmax(axis=1)], 1.0)
    expected = float(design.expected_alternative / design.inflation)
    assert abs(stopped.mean() - expected) < 6 * stopped.std() / np.sqrt(runs)


def test_crossing_probabilities_are_frequencies():
    rng = np.random.default_rng(110)
    runs = 40_000
    t = np.array([0.2, 0.7, 1.0])
    upper, lower = np.array([2.5, 2.2, 2.0]), np.array([-1.0, 0.1, 1.5])
    p = crossing_probabilities(upper, lower, t, 1.5)
    z = z_paths(rng, t, 1.5, runs)
    out = (z > upper) | (z < lower)
    first = np.where(out.any(axis=1), out.argmax(axis=1), 9)
    for k in range(3):
        assert close_to(((first == k) & (z[:, k] > upper[k])).sum(), runs, p.upper[k])
        assert close_to(((first == k) & (z[:, k] < lower[k])).sum(), runs, p.lower[k])


@pytest.mark.parametrize("method", ["bonferroni", "holm", "hochberg"])
def test_family_wise_error_with_effects_in_the_family(method: str):
    rng = np.random.default_rng(111)
    runs, true_nulls = 6000, 4
    z = rng.normal(size=(runs, 7))
    z[:, true_nulls:] += 3
    p = 2 * stats.norm.sf(np.abs(z))
    r = adjust_p_values(p.ravel(), np.repeat(np.arange(runs), 7), method=method)
    wrong = r.rejected.reshape(p.shape)[:, :true_nulls].any(axis=1).sum()
    assert at_most(wrong, runs, 0.05)


@pytest.mark.parametrize("method", ["bh", "by"])
def test_false_discovery_rate_and_false_coverage_rate(method: str):
    rng = np.random.default_rng(112)
    runs, m = 4000, 10
    effect = np.where(np.arange(m) < 6, 0.0, 3.0)
    z = rng.normal(size=(runs, m)) + effect
    p = 2 * stats.norm.sf(np.abs(z))
    r = adjust_p_values(p.ravel(), np.repeat(np.arange(runs), m), method=method)
    found = r.rejected.reshape(p.shape)
    half = stats.norm.isf(r.interval_alpha.reshape(p.shape) / 2)
    chosen = np.maximum(found.sum(axis=1), 1)
    false_discoveries = (found & (effect == 0)).sum(axis=1) / chosen
    false_coverage = (found & (np.abs(z - effect) > half)).sum(axis=1) / chosen
    for share in (false_discoveries, false_coverage):
        assert share.mean() <= 0.05 + 5 * share.std() / np.sqrt(runs)


def test_dunnett_covers_together_and_rejects_at_alpha():
    rng = np.random.default_rng(113)
    runs, arms = 5000, 4
    control = rng.normal(0, 0.1, (runs, 1))
    spread = np.array([0.05, 0.1, 0.2, 0.1])
    truth = np.array([0.0, 0.3, -0.2, 0.0])
    est = rng.normal(truth, spread, (runs, arms)) - control
    se = np.sqrt(spread**2 + 0.1**2)
    share = 0.1**2 / se**2
    r = many_to_one(
        est.ravel(), np.tile(se, runs), np.tile(share, runs), np.inf, np.repeat(np.arange(runs), arms)
    )
    low, high = r.low.reshape(est.shape), r.high.reshape(est.shape)
    missed = ((low > truth) | (high < truth)).any(axis=1).sum()
    assert close_to(missed, runs, 0.05)
