from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fairsplit.analysis.statistics.confidence_sequences import confidence_sequence, running_minimum
from fairsplit.analysis.statistics.dunnett import many_to_one
from fairsplit.analysis.statistics.group_sequential import crossing_probabilities, lan_demets_bounds
from fairsplit.analysis.statistics.group_sequential_inference import repeated_intervals, repeated_p_values
from fairsplit.analysis.statistics.mixture import mixture_ratio
from fairsplit.analysis.statistics.multiplicity import METHODS, adjust_p_values
from fairsplit.analysis.statistics.planning import power_two_proportions, sample_size_two_proportions
from fairsplit.analysis.statistics.spending import FAMILIES, SpendingFunction, spending_function
from fairsplit.analysis.statistics.sprt import sprt_comparison

#: Two cores shared with other work say nothing about the code's own speed.
relaxed = settings(deadline=None)
effects = hnp.arrays(np.float64, 12, elements=st.floats(-1e3, 1e3).filter(lambda v: v == 0 or abs(v) > 1e-6))
errors = hnp.arrays(np.float64, 12, elements=st.floats(1e-3, 1e2))
alphas = st.floats(1e-6, 0.4)
scales = st.floats(1e-3, 1e3)
p_values = hnp.arrays(np.float64, st.integers(1, 40), elements=st.floats(0, 1))


def spendings() -> st.SearchStrategy[SpendingFunction]:
    def build(name: str, parameter: float) -> SpendingFunction:
        return spending_function(name, parameter if name in {"power", "hwang_shih_decani"} else None)

    return st.builds(build, st.sampled_from(FAMILIES), st.floats(0.3, 4))


@st.composite
def fractions(draw: st.DrawFn) -> np.ndarray:
    steps = draw(hnp.arrays(np.float64, st.integers(1, 8), elements=st.floats(0.1, 1)))
    return np.cumsum(steps) / steps.sum()


@relaxed
@given(effects, errors, alphas, scales)
def test_swapping_arms_negates_and_scaling_scales(d: np.ndarray, se: np.ndarray, alpha: float, scale: float):
    r = confidence_sequence(d, se, 500, 1000, alpha)
    swapped = confidence_sequence(-d, se, 500, 1000, alpha)
    np.testing.assert_array_equal(r.low, -swapped.high)
    np.testing.assert_array_equal(r.p_value, swapped.p_value)
    scaled = confidence_sequence(d * scale, se * scale, 500, 1000, alpha)
    np.testing.assert_allclose(scaled.low, r.low * scale, rtol=1e-9, atol=1e-9 * scale * 1e3)
    np.testing.assert_allclose(scaled.log_p_value, r.log_p_value, rtol=1e-9, atol=1e-9)
    m, ms = mixture_ratio(d, se, 0.5), mixture_ratio(-d * scale, se * scale, 0.5 * scale)
    np.testing.assert_allclose(m.log_ratio, ms.log_ratio, rtol=1e-9, atol=1e-9)


@relaxed
@given(effects, errors, alphas, st.floats(0.01, 10))
def test_more_evidence_never_weakens(d: np.ndarray, se: np.ndarray, alpha: float, more: float):
    further = d * (1 + more)
    for one, two in (
        (confidence_sequence(d, se, 500, 1000, alpha), confidence_sequence(further, se, 500, 1000, alpha)),
        (mixture_ratio(d, se, 0.5, alpha=alpha), mixture_ratio(further, se, 0.5, alpha=alpha)),
    ):
        assert np.all(two.p_value <= one.p_value)
    assert np.all(sprt_comparison(further, se, 1.0).llr >= sprt_comparison(d, se, 1.0).llr)


@relaxed
@given(effects, errors, st.floats(1e-4, 0.4))
def test_dunnett_lies_between_no_correction_and_bonferroni(d: np.ndarray, se: np.ndarray, alpha: float):
    d = d / 100
    r = many_to_one(d, se, 0.5, 30.0, alpha=alpha)
    one = many_to_one(d, se, 0.5, 30.0, family=np.arange(12), alpha=alpha)
    slack = 1e-6
    assert np.all(r.p_adjusted >= one.p_adjusted * (1 - slack))
    assert np.all(r.p_adjusted <= np.minimum(12 * one.p_adjusted, 1.0) * (1 + slack))
    order = np.random.default_rng(0).permutation(12)
    again = many_to_one(d[order], se[order], 0.5, 30.0, alpha=alpha)
    np.testing.assert_allclose(again.p_adjusted, r.p_adjusted[order], rtol=1e-8)


@relaxed
@given(p_values, st.sampled_from(METHODS), st.floats(0.001, 0.5))
def test_corrections(p: np.ndarray, method: str, alpha: float):
    r = adjust_p_values(p, method=method, alpha=alpha)
    assert np.all((r.p_adjusted >= p * (1 - 1e-12)) & (r.p_adjusted <= 1))
    order = np.random.default_rng(1).permutation(p.size)
    again = adjust_p_values(p[order], method=method, alpha=alpha)
    np.testing.assert_allclose(again.p_adjusted, r.p_adjusted[order], rtol=1e-12)
    # a smaller p-value never gets the larger adjusted one
    by_size = np.argsort(p, kind="stable")
    assert np.all(np.diff(r.p_adjusted[by_size]) >= 0)


@settings(deadline=None, max_examples=40)
@given(fractions(), st.floats(1e-4, 0.3), spendings(), st.sampled_from([1, 2]))
def test_bounds_spend_exactly_what_they_may(t: np.ndarray, alpha: float, spend: SpendingFunction, sides: int):
    bounds = lan_demets_bounds(t, alpha, sides=sides, spending=spend)
    crossed = crossing_probabilities(bounds.upper, bounds.lower, t)
    np.testing.assert_allclose(np.cumsum(crossed.upper), bounds.cumulative_alpha, atol=2e-6)
    assert np.all(np.diff(bounds.cumulative_alpha) >= -1e-15)
    # looking costs: the last bound is never below the fixed one
    fixed = lan_demets_bounds([1.0], alpha, sides=sides).upper[0]
    assert bounds.upper[-1] >= fixed - 1e-6
    # what came before a look does not change when looks are added after it
    if t.size > 1:
        before = lan_demets_bounds(t[:-1], alpha, sides=sides, spending=spend)
        np.testing.assert_allclose(before.upper, bounds.upper[:-1], rtol=1e-6)


@settings(deadline=None, max_examples=25)
@given(fractions(), hnp.arrays(np.float64, 6, elements=st.floats(-8, 8)), st.floats(1e-3, 0.3))
def test_repeated_p_value_and_interval_agree(t: np.ndarray, z: np.ndarray, alpha: float):
    zero = np.zeros(z.size, dtype=int)
    r = repeated_intervals(z, 1.0, t[None], zero, alpha)
    p = repeated_p_values(z, t[None], zero, alpha=alpha)
    clear = np.abs(np.abs(z) - r.bound) > 1e-9
    np.testing.assert_array_equal((p <= alpha)[clear], ((r.low > 0) | (r.high < 0))[clear])
    np.testing.assert_allclose(p, repeated_p_values(-z, t[None], zero, alpha=alpha), rtol=1e-12)


@relaxed
@given(st.floats(1e-6, 0.9), st.floats(1.01, 2), st.floats(0.3, 0.99), st.floats(0.2, 5))
def test_sample_size_and_power_are_inverse(p1: float, lift: float, power: float, ratio: float):
    p2 = min(p1 * lift, 0.5 + p1 / 2)
    n = sample_size_two_proportions(p1, p2, power, ratio=ratio)
    np.testing.assert_allclose(power_two_proportions(p1, p2, n, n * ratio), power, rtol=1e-6)


@relaxed
@given(hnp.arrays(np.float64, (3, 9), elements=st.floats(0, 1) | st.just(float("nan"))))
def test_running_minimum_never_rises(p: np.ndarray):
    best = running_minimum(p)
    seen = ~np.isnan(best)
    assert np.all(np.diff(np.where(seen, best, 1.0)) <= 0)
    assert np.all((best <= p) | np.isnan(p))
