"""What must hold of every fixed-horizon method whatever the data."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fairsplit.analysis.statistics.covariates import cuped
from fairsplit.analysis.statistics.histograms import Histograms
from fairsplit.analysis.statistics.means import welch
from fairsplit.analysis.statistics.moments import JointMoments, Moments
from fairsplit.analysis.statistics.proportions import compare_proportions, score_test, two_proportion_z
from fairsplit.analysis.statistics.quantiles import quantile_difference
from fairsplit.analysis.statistics.ranks import hodges_lehmann, kolmogorov_smirnov, mann_whitney
from fairsplit.analysis.statistics.ratios import linearised, ratio_delta
from fairsplit.analysis.statistics.robust import yuen
from fairsplit.analysis.statistics.score import difference_interval

# Shared machines pause: a slow example is no failure.
unhurried = settings(deadline=None, max_examples=60)

whole = st.integers(-(10**6), 10**6)
samples = st.lists(whole, min_size=2, max_size=30)
levels = st.floats(1e-4, 0.7)
small = st.lists(st.integers(0, 20), min_size=2, max_size=20)


def moments(values: list[int], scale: float = 1.0, shift: float = 0.0) -> Moments:
    return Moments.from_values([v * scale + shift for v in values])


def close(a: Any, b: Any, rtol: float = 1e-9, atol: float = 1e-12) -> None:
    np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


@unhurried
@given(samples, samples, samples)
def test_merging_is_associative_and_commutative(a: list[int], b: list[int], c: list[int]) -> None:
    x, y, z = moments(a), moments(b), moments(c)
    for left, right in (((x + y) + z, x + (y + z)), (x + y, y + x)):
        close(left.n, right.n)
        close(left.mean, right.mean, atol=1e-6)
        close(left.m2, right.m2, rtol=1e-9, atol=1e-3)
    close((x + y).m2, moments(a + b).m2, rtol=1e-9, atol=1e-3)


@unhurried
@given(st.lists(st.integers(-(10**30), 10**30), min_size=1, max_size=20), st.integers(1, 10**12))
def test_sums_of_any_size_give_the_rational_answer(values: list[int], scale: int) -> None:
    mean = Fraction(sum(values), len(values))
    exact = sum((v - mean) ** 2 for v in values) / scale**2
    got = Moments.from_sums(len(values), sum(values), sum(v * v for v in values), scale)
    close(float(got.m2), float(exact), rtol=1e-15)
    close(float(got.mean), float(mean / scale), rtol=1e-15)


@unhurried
@given(samples, samples, levels)
def test_swapping_arms_negates_the_difference(a: list[int], b: list[int], alpha: float) -> None:
    one, other = welch(moments(a), moments(b), alpha), welch(moments(b), moments(a), alpha)
    close(one.diff, -other.diff)
    close(one.p_value, other.p_value)
    close([one.ci_low, one.ci_high], [-other.ci_high, -other.ci_low], atol=1e-6)


@unhurried
@given(samples, samples, st.floats(1e-3, 1e6))
def test_scaling_scales_and_leaves_the_p_value(a: list[int], b: list[int], scale: float) -> None:
    plain, scaled = welch(moments(a), moments(b)), welch(moments(a, scale), moments(b, scale))
    # An arm that is constant only up to rounding of the scaled values is not the same arm.
    assume(len(set(a)) > 1 and len(set(b)) > 1)
    close(scaled.p_value, plain.p_value, rtol=1e-6)
    close(scaled.diff, plain.diff * scale, rtol=1e-9, atol=1e-6 * scale)


@unhurried
@given(samples, samples, levels, st.sampled_from(["two-sided", "less", "greater"]))
def test_test_absolute_and_relative_interval_agree(
    a: list[int], b: list[int], alpha: float, alternative: Any
) -> None:
    r = welch(moments(a), moments(b), alpha, alternative)
    assume(r.status == 0)
    rejects = bool(r.p_value < alpha)
    assume(abs(float(r.p_value) - alpha) > 1e-9 * alpha)
    assert bool(r.ci_low > 0 or r.ci_high < 0) == rejects
    if r.rel.status == 0 and r.rel.bounded:
        assert bool(r.rel.low > 0 or r.rel.high < 0) == rejects
    if r.rel.status == 0 and not r.rel.bounded and alternative == "two-sided":
        assert bool(r.rel.excluded_low < 0 < r.rel.excluded_high) == rejects


@unhurried
@given(samples, samples, levels)
def test_intervals_hold_their_estimates(a: list[int], b: list[int], alpha: float) -> None:
    for relative in ("fieller", "log_delta", "delta"):
        r = welch(moments(a), moments(b), alpha, relative=relative)  # type: ignore[arg-type]
        if r.status == 0:
            assert r.ci_low <= r.diff <= r.ci_high
        if r.rel.status == 0 and r.rel.bounded:
            slack = 1e-9 * (1 + abs(float(r.rel.value)))
            assert r.rel.low - slack <= r.rel.value <= r.rel.high + slack


@unhurried
@given(samples, samples, st.floats(0.01, 10), st.floats(0.01, 10))
def test_a_larger_difference_is_stronger_evidence(
    a: list[int], b: list[int], near: float, far: float
) -> None:
    assume(len(set(a)) > 1)
    up = np.ptp(a) * np.array([near, near + far])
    base = moments(a)
    shifted = [Moments(base.n, base.mean + s, base.m2) for s in up]
    first, second = (welch(base, other) for other in shifted)
    assert second.log_p <= first.log_p


counts = st.tuples(st.integers(1, 400), st.integers(1, 400)).flatmap(
    lambda n: st.tuples(st.integers(0, n[0]), st.just(n[0]), st.integers(0, n[1]), st.just(n[1]))
)


@unhurried
@given(counts, levels)
def test_proportions_agree_swap_and_complement(given_counts: tuple[int, int, int, int], alpha: float) -> None:
    x_c, n_c, x_t, n_t = given_counts
    assume(n_c + n_t > 2)
    r = score_test(x_c, n_c, x_t, n_t, alpha=alpha)
    assume(r.status == 0)
    assume(abs(float(r.p_value) - alpha) > 1e-8)
    rejects = bool(r.p_value < alpha)
    assert bool(r.ci_low > 0 or r.ci_high < 0) == rejects
    if r.rel.status == 0:
        assert bool(r.rel.low > 0 or r.rel.high < 0) == rejects
    swapped = score_test(x_t, n_t, x_c, n_c, alpha=alpha)
    close([r.ci_low, r.ci_high], [-swapped.ci_high, -swapped.ci_low], rtol=1e-7, atol=1e-10)
    failures = score_test(n_c - x_c, n_c, n_t - x_t, n_t, alpha=alpha)
    close([r.ci_low, r.ci_high], [-failures.ci_high, -failures.ci_low], rtol=1e-7, atol=1e-10)
    if x_c > 0 and x_t > 0:
        close(1 + r.rel.low, 1 / (1 + swapped.rel.high), rtol=1e-6)


@unhurried
@given(counts, levels)
def test_the_default_for_proportions_agrees_with_itself(
    given_counts: tuple[int, int, int, int], alpha: float
) -> None:
    r = compare_proportions(*given_counts, alpha=alpha).comparison
    assume(r.status == 0)
    assume(abs(float(r.p_value) - alpha) > 1e-8)
    assert bool(r.ci_low > 0 or r.ci_high < 0) == bool(r.p_value < alpha)


@unhurried
@given(counts)
def test_the_z_test_is_the_chi_square_test(given_counts: tuple[int, int, int, int]) -> None:
    x_c, n_c, x_t, n_t = given_counts
    r = two_proportion_z(*given_counts)
    assume(r.status == 0)
    table = np.array([[x_c, n_c - x_c], [x_t, n_t - x_t]], dtype=float)
    expected = np.outer(table.sum(1), table.sum(0)) / table.sum()
    close(r.statistic**2, ((table - expected) ** 2 / expected).sum(), rtol=1e-8, atol=1e-9)


pairs = st.lists(st.tuples(st.integers(0, 50), st.integers(1, 9)), min_size=3, max_size=25)


@unhurried
@given(pairs, pairs, st.integers(2, 9))
def test_ratios_do_not_see_the_scale_of_their_denominator(
    a: list[tuple[int, int]], b: list[tuple[int, int]], scale: int
) -> None:
    c, t = (np.array(v, dtype=float) for v in (a, b))
    plain = ratio_delta(JointMoments.from_values(c), JointMoments.from_values(t))
    stretched = ratio_delta(
        JointMoments.from_values(c * [1, scale]), JointMoments.from_values(t * [1, scale])
    )
    assert plain.status == stretched.status
    if plain.status == 0:
        close(plain.p_value, stretched.p_value, rtol=1e-6)
        close(plain.diff, stretched.diff * scale, atol=1e-9)
        close(linearised(JointMoments.from_values(c)).mean[0], c[:, 0].sum() / c[:, 1].sum())


@unhurried
@given(pairs, pairs, levels, st.integers(-5, 5), st.floats(0.1, 10))
def test_cuped_ignores_where_and_how_the_covariate_is_measured(
    a: list[tuple[int, int]], b: list[tuple[int, int]], alpha: float, shift: int, scale: float
) -> None:
    c, t = (np.array(v, dtype=float) for v in (a, b))
    plain = cuped(JointMoments.from_values(c), JointMoments.from_values(t), alpha)
    moved_c, moved_t = (np.column_stack([v[:, 0], v[:, 1] * scale + shift]) for v in (c, t))
    moved = cuped(JointMoments.from_values(moved_c), JointMoments.from_values(moved_t), alpha)
    assume(plain.covariate_status == 0 and plain.comparison.status == 0 and moved.comparison.status == 0)
    close(plain.comparison.diff, moved.comparison.diff, rtol=1e-6, atol=1e-6)
    r = plain.comparison
    assume(abs(float(r.p_value) - alpha) > 1e-8)
    if r.rel.status == 0 and r.rel.bounded:
        assert bool(r.rel.low > 0 or r.rel.high < 0) == bool(r.p_value < alpha)


@unhurried
@given(small, small, levels, st.randoms(use_true_random=False))
def test_rank_methods_swap_permute_and_see_only_order(
    a: list[int], b: list[int], alpha: float, random: Any
) -> None:
    h = Histograms.from_values([float(v) for v in a], [float(v) for v in b])
    r, swapped = mann_whitney(h, alpha), mann_whitney(h.flipped(), alpha)
    shuffled = list(a)
    random.shuffle(shuffled)
    again = mann_whitney(
        Histograms.from_values([float(v) ** 3 for v in shuffled], [float(v) ** 3 for v in b]), alpha
    )
    close(r.p_value, again.p_value)
    close(r.p_value, swapped.p_value)
    if r.status[0] == 0:
        close(r.win_probability, 1 - swapped.win_probability)
        close(r.ci_low, 1 - swapped.ci_high, rtol=1e-7, atol=1e-9)
        if abs(float(r.p_value[0]) - alpha) > 1e-8:
            excluded = bool(r.ci_low[0] > 0.5 or r.ci_high[0] < 0.5)
            assert excluded == bool(r.p_value[0] < alpha)
    close(hodges_lehmann(h).shift, -hodges_lehmann(h.flipped()).shift, atol=1e-9)
    ks = kolmogorov_smirnov(h)
    close(ks.d, kolmogorov_smirnov(h.flipped()).d)
    assert 0 <= ks.p_value[0] <= 1


@unhurried
@given(small, small, st.floats(0.05, 0.95), st.integers(-30, 30))
def test_quantiles_and_trimmed_means_move_with_the_data(
    a: list[int], b: list[int], p: float, shift: int
) -> None:
    h = Histograms.from_values([float(v) for v in a], [float(v) for v in b])
    moved = Histograms.from_values([float(v) for v in a], [float(v + shift) for v in b])
    one, other = quantile_difference(h, p), quantile_difference(moved, p)
    assert one.status[0] == other.status[0]
    if one.status[0] == 0:
        close(one.diff + shift, other.diff, atol=1e-9)
        close(one.se, other.se, rtol=1e-6, atol=1e-9)
    first, second = yuen(h, 0.2), yuen(moved, 0.2)
    if first.status[0] == 0 and second.status[0] == 0:
        close(first.diff + shift, second.diff, atol=1e-8)


@unhurried
@given(st.lists(st.tuples(samples, samples), min_size=1, max_size=5))
def test_each_comparison_is_what_it_is_alone(rows: list[tuple[list[int], list[int]]]) -> None:
    def stacked(arm: int) -> Moments:
        parts = [moments(row[arm]) for row in rows]
        return Moments(*(np.array([getattr(m, f) for m in parts]) for f in ("n", "mean", "m2")))

    together = welch(stacked(0), stacked(1))
    for i, (a, b) in enumerate(rows):
        alone = welch(moments(a), moments(b))
        close(together.p_value[i], alone.p_value)
        close(together.rel.low[i], alone.rel.low)


def test_a_score_interval_is_the_same_to_the_bit_alone_and_among_others() -> None:
    rng = np.random.default_rng(3)
    n_c, n_t = (rng.integers(10, 400, 600).astype(float) for _ in range(2))
    x_c, x_t = (np.minimum(rng.integers(0, 30, 600), n).astype(float) for n in (n_c, n_t))
    quantile, wanted = np.full(600, 1.96), np.ones(600, dtype=np.bool_)
    together = difference_interval(x_c, n_c, x_t, n_t, quantile=quantile, wanted=wanted)
    for begin in range(0, 600, 7):
        part = slice(begin, begin + 1 + begin % 3)
        alone = difference_interval(
            x_c[part], n_c[part], x_t[part], n_t[part], quantile=quantile[part], wanted=wanted[part]
        )
        assert [end.tobytes() for end in alone] == [end[part].tobytes() for end in together]
