"""Rates with few events: Fisher's exact test, its intervals, its size (cases rare-events-unequal-split)."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import integrate, stats

from fairsplit.analysis.statistics import proportions
from fairsplit.analysis.statistics.fisher import fisher_tails
from fairsplit.analysis.statistics.melded import credible_interval, melded_interval
from fairsplit.analysis.statistics.proportions import compare_proportions, exact_test


def _tables(count: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    n_t, n_c = rng.integers(1, 60, count), rng.integers(1, 600, count)
    x_t, x_c = rng.binomial(n_t, rng.random(count) * 0.3), rng.binomial(n_c, rng.random(count) * 0.1)
    return [v.astype(np.float64) for v in (x_c, n_c, x_t, n_t)]


def test_exact_p_values_equal_scipy() -> None:
    x_c, n_c, x_t, n_t = _tables(300, 1)
    found = fisher_tails(x_c, n_c, x_t, n_t)
    for i in range(300):
        table = [[int(x_t[i]), int(n_t[i] - x_t[i])], [int(x_c[i]), int(n_c[i] - x_c[i])]]
        for sided, got in (
            ("two-sided", found.log_two_sided),
            ("greater", found.log_upper),
            ("less", found.log_lower),
        ):
            expected = stats.fisher_exact(table, alternative=sided).pvalue
            assert np.exp(got[i]) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [((0, 99_000, 1, 1_000), 0.010), ((0, 9_900, 1, 100), 0.010), ((2, 90_000, 5, 10_000), 1.76355e-4)],
)
def test_case_rare_events_unequal_split(counts: tuple[int, ...], expected: float) -> None:
    x_c, n_c, x_t, n_t = counts
    found = compare_proportions(x_c, n_c, x_t, n_t)
    assert found.exact_used
    assert found.comparison.p_value.item() == pytest.approx(expected, rel=1e-5)
    # The same table read the other way round.
    back = compare_proportions(x_t, n_t, x_c, n_c).comparison
    assert back.p_value.item() == pytest.approx(expected, rel=1e-5)
    assert back.ci_low.item() == pytest.approx(-found.comparison.ci_high.item(), rel=1e-9)


@pytest.mark.parametrize("alternative", ["two-sided", "less", "greater"])
@pytest.mark.parametrize("alpha", [0.05, 0.001])
def test_p_and_both_intervals_agree(alpha: float, alternative: str) -> None:
    x_c, n_c, x_t, n_t = _tables(80, 5)
    r = exact_test(x_c, n_c, x_t, n_t, alpha=alpha, alternative=alternative)  # type: ignore[arg-type]
    known = (r.status == 0) & (np.abs(r.p_value / alpha - 1) > 1e-6)
    outside = (r.ci_low > 0) | (r.ci_high < 0)
    np.testing.assert_array_equal(outside[known], (r.p_value < alpha)[known])
    lifted = known & (r.rel.status == 0)
    outside = (r.rel.low > 0) | (r.rel.high < 0)
    np.testing.assert_array_equal(outside[lifted], (r.p_value < alpha)[lifted])
    assert np.all((r.ci_low <= r.diff + 1e-12)[known] & (r.diff <= r.ci_high + 1e-12)[known])


@pytest.mark.parametrize("table", [(1, 50, 8, 52), (2, 90_000, 5, 10_000), (7, 900, 0, 100), (3, 20, 19, 20)])
def test_ends_hold_the_melded_tails_by_adaptive_quadrature(table: tuple[int, ...]) -> None:
    x_c, n_c, x_t, n_t = table
    given = [np.array([float(v)]) for v in table]
    (low, high), (ratio_low, ratio_high) = melded_interval(*given, (np.array([0.02]), np.array([0.03])))

    def below(of_control, lower_t: bool) -> float:  # type: ignore[no-untyped-def]
        """P(T <= of_control(C)) for one pair of Clopper-Pearson distributions."""
        t = (x_t, n_t - x_t + 1) if lower_t else (x_t + 1, n_t - x_t)
        c = (x_c + 1, n_c - x_c) if lower_t else (x_c, n_c - x_c + 1)
        t_cdf = (lambda v: float(v >= 0)) if t[0] == 0 else stats.beta(*t).cdf
        law = stats.beta(*c)
        marks = law.ppf([1e-12, 0.01, 0.3, 0.7, 0.99, 1 - 1e-12])
        return sum(
            integrate.quad(lambda u: law.pdf(u) * t_cdf(of_control(u)), a, b, epsabs=1e-12)[0]
            for a, b in itertools.pairwise(marks)
        )

    def mixed(of_control) -> float:  # type: ignore[no-untyped-def]
        return 0.5 * (below(of_control, lower_t=True) + below(of_control, lower_t=False))

    assert mixed(lambda u: u + low[0]) == pytest.approx(0.02, rel=5e-3)
    assert mixed(lambda u: u + high[0]) == pytest.approx(0.97, abs=1e-4)
    if x_t:
        assert mixed(lambda u: u * ratio_low[0]) == pytest.approx(0.02, rel=5e-3)
    else:
        assert ratio_low[0] == 0
    assert mixed(lambda u: u * ratio_high[0]) == pytest.approx(0.97, abs=1e-4)


ALPHAS = np.array([0.05, 0.01, 0.001])


def _sizes(monkeypatch: pytest.MonkeyPatch, ratio: int, units: int, rate: float) -> np.ndarray:
    """Probability that the default test rejects a true null, by enumeration of all likely outcomes."""
    monkeypatch.setattr(
        proportions, "melded_interval", lambda x, *_: ((0 * x, 0 * x), (1 + 0 * x, 1 + 0 * x))
    )
    laws = [stats.binom(n, rate) for n in (ratio * units, units)]
    counts = [np.arange(law.ppf(1e-9), law.isf(1e-9) + 1) for law in laws]
    x_c, x_t = (v.reshape(-1) for v in np.meshgrid(*counts, indexing="ij"))
    chance = laws[0].pmf(x_c) * laws[1].pmf(x_t)
    size = np.full(x_c.size, float(units))
    p = compare_proportions(x_c, ratio * size, x_t, size).comparison.p_value
    return np.array([chance[p <= alpha].sum() for alpha in ALPHAS])


@pytest.mark.parametrize("ratio", [1, 2, 4, 9, 99])
@pytest.mark.parametrize(
    ("units", "rate"), [(30_000, 1e-5), (100_000, 1e-5), (500, 1e-3), (500, 0.01), (60, 0.05)]
)
def test_size_by_enumeration(monkeypatch: pytest.MonkeyPatch, ratio: int, units: int, rate: float) -> None:
    """Case rare-events-unequal-split: at most alpha at every split, a tenth more where the score test is used."""
    assert np.all(_sizes(monkeypatch, ratio, units, rate) <= ALPHAS * (1.1 if ratio <= 2 else 1.0))


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [1, 2, 3, 4, 9, 19, 99])
@pytest.mark.parametrize("expected", [0.1, 0.3, 1.0, 3.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 400.0])
def test_size_by_enumeration_for_many_expected_counts(
    monkeypatch: pytest.MonkeyPatch, ratio: int, expected: float
) -> None:
    """As above over the seams between the tests: exact, score and Welch."""
    assert np.all(_sizes(monkeypatch, ratio, 100_000, expected / 100_000) <= ALPHAS * 1.1)


@pytest.mark.parametrize(("ratio", "rate"), [(9, 5e-4), (99, 1e-3), (4, 3e-3)])
def test_intervals_cover_by_enumeration(ratio: int, rate: float) -> None:
    """Difference and ratio, with the treatment's rate doubled: 95 % or more of the outcomes' probability."""
    units = 1_000
    laws = (stats.binom(ratio * units, rate), stats.binom(units, 2 * rate))
    counts = [np.arange(law.ppf(1e-4), law.isf(1e-4) + 1) for law in laws]
    x_c, x_t = (v.reshape(-1) for v in np.meshgrid(*counts, indexing="ij"))
    chance = laws[0].pmf(x_c) * laws[1].pmf(x_t)
    size = np.full(x_c.size, float(units))
    (low, high), (ratio_low, ratio_high) = melded_interval(
        x_c, ratio * size, x_t, size, (np.full(x_c.size, 0.025), np.full(x_c.size, 0.025))
    )
    assert chance[(low <= rate) & (rate <= high)].sum() >= 0.94
    assert chance[(ratio_low <= 2) & (ratio_high >= 2)].sum() >= 0.94


@pytest.mark.parametrize(
    ("x_c", "n_c", "x_t", "n_t"), [(10, 100, 20, 100), (2, 900, 0, 100), (300, 1_000, 340, 1_000)]
)
def test_a_credible_interval_of_a_difference_leaves_the_tails_of_two_beta_posteriors(x_c, n_c, x_t, n_t):
    control, treatment = stats.beta(1 + x_c, 1 + n_c - x_c), stats.beta(1 + x_t, 1 + n_t - x_t)
    given = [np.array([float(v)]) for v in (x_c, n_c, x_t, n_t)]
    low, high = (end.item() for end in credible_interval(*given, np.array([0.1])))
    # P(T - C <= d) by the middle of 20,000 pieces of the control's distribution.
    rates = control.ppf((np.arange(20_000) + 0.5) / 20_000)
    assert treatment.cdf(rates + low).mean() == pytest.approx(0.05, abs=2e-4)
    assert treatment.sf(rates + high).mean() == pytest.approx(0.05, abs=2e-4)
