from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fairsplit.analysis.statistics.checks import InputError
from fairsplit.analysis.statistics.dunnett import dunnett, many_to_one
from fairsplit.analysis.statistics.many_to_one import many_to_one_critical, many_to_one_p
from fairsplit.analysis.statistics.status import names

HALF = 0.5**0.5


@pytest.mark.parametrize(
    ("df", "sides", "expected"),
    [
        # Dunnett (1955, 1964), tables for alpha = 0.05 and equal arms, k = 1 to 5
        (10.0, 2, [2.23, 2.57, 2.76, 2.89, 2.99]),
        (np.inf, 2, [1.96, 2.21, 2.35, 2.44, 2.51]),
        (np.inf, 1, [1.64, 1.92, 2.06, 2.16, 2.23]),
    ],
)
def test_published_tables(df: float, sides: int, expected: list[float]):
    table = np.where(np.arange(5) <= np.arange(5)[:, None], HALF, np.nan)
    critical = many_to_one_critical(table, np.full(5, df), 0.05, sides=sides)
    np.testing.assert_allclose(critical, expected, atol=0.0055)


def test_one_comparison_is_student_into_the_far_tail():
    for df in (1.0, 3.0, 17.0, 250.0, 1e5):
        t = np.array([0.0, 0.7, 2.0, 6.0, 30.0])
        p = many_to_one_p(t, np.full((5, 1), 0.6), np.full(5, df))
        np.testing.assert_allclose(p, 2 * stats.t.sf(t, df), rtol=1e-6)


def test_equals_the_multivariate_t_of_scipy():
    loading = np.array([0.3, 0.6, 0.85])
    shape = np.outer(loading, loading)
    np.fill_diagonal(shape, 1.0)
    inside = stats.multivariate_t(shape=shape, df=8).cdf(
        np.full(3, 2.4), lower_limit=np.full(3, -2.4), maxpts=400_000, random_state=7
    )
    assert many_to_one_p([2.4], loading[None], [8.0])[0] == pytest.approx(1 - inside, abs=2e-4)


@pytest.mark.parametrize("alternative", ["two-sided", "greater"])
def test_equals_scipy_dunnett(alternative: str):
    rng = np.random.default_rng(8)
    control, *arms = (rng.normal(m, 2, n) for m, n in ((0, 25), (0.5, 10), (1.5, 18), (-1, 40)))
    theirs = stats.dunnett(*arms, control=control, alternative=alternative, random_state=9)
    everyone = [control, *arms]
    ours = dunnett(
        [a.size for a in everyone],
        [a.mean() for a in everyone],
        [a.var(ddof=1) for a in everyone],
        [True, False, False, False],
        sides=2 if alternative == "two-sided" else 1,
    )
    np.testing.assert_allclose(ours.statistic[1:], theirs.statistic, rtol=1e-12)
    np.testing.assert_allclose(ours.p_adjusted[1:], theirs.pvalue, atol=5e-4)
    interval = theirs.confidence_interval(0.95)
    np.testing.assert_allclose(ours.low[1:], interval.low, atol=0.02)


def test_families_are_apart_and_p_agrees_with_the_interval():
    rng = np.random.default_rng(10)
    family = rng.integers(0, 6, 60)
    est, se = rng.normal(0, 0.25, 60), rng.uniform(0.05, 0.15, 60)
    share, df = rng.uniform(0.2, 0.8, 60), rng.uniform(5, 500, 60)
    r = many_to_one(est, se, share, df, family)
    np.testing.assert_array_equal(r.p_adjusted <= 0.05, (r.low > 0) | (r.high < 0))
    inside = family == 3
    alone = many_to_one(est[inside], se[inside], share[inside], df[inside])
    np.testing.assert_allclose(r.p_adjusted[inside], alone.p_adjusted, rtol=1e-9)


def test_an_arm_much_larger_than_the_control():
    # the loading tends to 1: all comparisons move together and one test's error is the family's
    p = many_to_one_p([1.96], np.full((1, 4), np.sqrt(1 - 1e-5)), [np.inf])
    assert p[0] == pytest.approx(0.05, abs=1e-3)


def test_uncomputable_is_typed_and_leaves_its_family():
    r = many_to_one([0.2, 0.2, 0.3], [0.1, 0.0, 0.1], 0.5, np.inf)
    assert names(r.status).tolist() == ["ok", "zero_variance", "ok"]
    alone = many_to_one([0.2, 0.3], [0.1, 0.1], 0.5, np.inf)
    np.testing.assert_allclose(r.p_adjusted[[0, 2]], alone.p_adjusted, rtol=1e-12)
    r = dunnett([5, 0, 5], [1.0, 0.0, 2.0], [1.0, 0.0, 1.0], [True, False, False])
    assert names(r.status).tolist() == ["ok", "insufficient_sample", "ok"]


def test_refuses():
    with pytest.raises(InputError):
        dunnett([5, 5], [1.0, 1.0], [1.0, 1.0], [False, False])
    with pytest.raises(InputError):
        many_to_one([0.1], [0.1], 1.0, 5.0)
    with pytest.raises(InputError):
        many_to_one([0.1], [0.1], 0.5, 0.0)
    with pytest.raises(InputError):
        many_to_one(0.1, 0.1, 0.5, 5.0)
    with pytest.raises(InputError):
        many_to_one_p([0.1], [[1.0]], [5.0])
    with pytest.raises(InputError):
        many_to_one_p([0.1, 0.2], [[0.5]], [5.0])


def test_independent_comparisons_are_sidaks():
    p = many_to_one_p([2.5, 0.3], np.zeros((2, 3)), [np.inf, np.inf])
    np.testing.assert_allclose(p, 1 - (1 - 2 * stats.norm.sf([2.5, 0.3])) ** 3, rtol=1e-12)
