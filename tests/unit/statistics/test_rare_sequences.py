"""Few events under many looks: e-values of the events' split (case rare-guardrail-under-looks)."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fairsplit.analysis.statistics.rare_sequences import CONCENTRATION, rare_e_value, rare_sequence
from fairsplit.analysis.statistics.srm import srm_sequential


def test_the_e_value_is_the_sequential_test_of_a_split_of_events() -> None:
    events = np.array([[0, 1], [3, 0], [2, 2], [9, 1]])
    share = np.array([9_000.0, 1_000.0])
    factor = srm_sequential(events, share, concentration=CONCENTRATION).log_bayes_factor
    so_far = events.cumsum(axis=0)
    found = rare_e_value(so_far[:, 0], 9_000, so_far[:, 1], 1_000)
    np.testing.assert_allclose(found, factor, rtol=1e-10, atol=1e-14)


def test_one_sided_e_values_weigh_their_side_of_the_mixture() -> None:
    """By adding up the mixture on a fine grid of shares beyond q."""
    x_c, x_t, q = 12, 9, 0.2
    prior = stats.beta(CONCENTRATION * q, CONCENTRATION * (1 - q))
    for alternative, low, high in (("greater", q, 1.0), ("less", 0.0, q)):
        share = low + (high - low) * (np.arange(200_000) + 0.5) / 200_000
        weight = prior.pdf(share) / prior.pdf(share).sum()
        ratio = (share / q) ** x_t * ((1 - share) / (1 - q)) ** x_c
        found = rare_e_value(x_c, 800, x_t, 200, alternative)  # type: ignore[arg-type]
        assert np.exp(found) == pytest.approx((weight * ratio).sum(), rel=1e-4)


def test_intervals_leave_out_the_null_where_the_e_value_reaches_its_bound() -> None:
    x_t = np.arange(0, 60)
    r = rare_sequence(60, 9_000, x_t, 1_000, alpha=0.05)
    clear = np.abs(r.log_e - np.log(20)) > 0.05
    outside = (r.low > 0) | (r.high < 0)
    np.testing.assert_array_equal(outside[clear], (r.log_e >= np.log(20))[clear])
    apart = (r.ratio_low > 1) | (r.ratio_high < 1)
    np.testing.assert_array_equal(apart[clear], outside[clear])
    assert np.all((r.low <= x_t / 1_000 - 60 / 9_000) & (r.high >= x_t / 1_000 - 60 / 9_000))


@pytest.mark.parametrize(
    ("control", "treatment", "rate"), [(990, 10, 0.002), (9_900, 100, 0.0005), (900, 100, 0.002)]
)
@pytest.mark.simulation
def test_false_alarms_over_28_looks(control: int, treatment: int, rate: float) -> None:
    """Case rare-guardrail-under-looks: the confidence sequence alarmed in 9.8 % and 8.0 % of null runs; at most 5 %."""
    rng, runs, looks = np.random.default_rng(6), 2_000, 28
    x_c, x_t = (rng.binomial(n, rate, (runs, looks)).cumsum(axis=1) for n in (control, treatment))
    days = np.arange(1, looks + 1)
    log_e = rare_e_value(x_c, control * days, x_t, treatment * days)
    alarms = (log_e.max(axis=1) >= np.log(20)).mean()
    # Ville's inequality is far from sharp for a mixture over 28 looks; three Monte-Carlo errors above it.
    assert alarms <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)
    assert alarms > 0


@pytest.mark.simulation
def test_a_threefold_rate_is_found() -> None:
    rng, runs, looks = np.random.default_rng(7), 500, 28
    x_c = rng.binomial(9_000, 5e-4, (runs, looks)).cumsum(axis=1)
    x_t = rng.binomial(1_000, 15e-4, (runs, looks)).cumsum(axis=1)
    days = np.arange(1, looks + 1)
    found = rare_e_value(x_c, 9_000 * days, x_t, 1_000 * days).max(axis=1) >= np.log(20)
    assert found.mean() > 0.95
