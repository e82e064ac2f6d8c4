from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fairsplit.analysis.statistics.checks import InputError
from fairsplit.analysis.statistics.sprt import (
    Verdict,
    sprt_asn_bernoulli,
    sprt_asn_normal,
    sprt_bernoulli,
    sprt_bernoulli_decisions,
    sprt_boundaries,
    sprt_comparison,
    sprt_normal,
)
from fairsplit.analysis.statistics.status import names


def test_sampling_plan_of_the_nist_handbook():
    # NIST/SEMATECH e-Handbook 6.2.6: x_a = -0.939 + 0.0397 n, x_r = 1.205 + 0.0397 n; its table of decisions
    lines = sprt_bernoulli(0.01, 0.1, 0.05, 0.1)
    assert (round(float(lines.h_lower), 3), round(float(lines.h_upper), 3)) == (-0.939, 1.205)
    table = sprt_bernoulli_decisions(0.01, 0.1, 0.05, 0.1, [2, 23, 24, 25, 46, 49, 50])
    np.testing.assert_array_equal(table.reject_at, [2, 3, 3, 3, 4, 4, 4])
    np.testing.assert_array_equal(table.accept_at, [-1, -1, 0, 0, 0, 1, 1])


def test_decision_numbers_decide_by_the_log_likelihood_ratio():
    n = np.arange(1, 200)
    for p0, p1 in ((0.2, 0.35), (0.35, 0.2)):
        d = sprt_bernoulli_decisions(p0, p1, 0.05, 0.1, n)
        bounds = sprt_boundaries(0.05, 0.1)

        def llr(x: np.ndarray, low: float = p0, high: float = p1) -> np.ndarray:
            return x * np.log(high / low) + (n - x) * np.log((1 - high) / (1 - low))

        step = np.sign(p1 - p0)
        reach = (d.reject_at >= 1) & (d.reject_at <= n - 1)
        assert np.all(llr(d.reject_at)[reach] >= bounds.log_upper)
        assert np.all(llr(d.reject_at - step)[reach] < bounds.log_upper)
        reach = (d.accept_at >= 1) & (d.accept_at <= n - 1)
        assert np.all(llr(d.accept_at)[reach] <= bounds.log_lower)
        assert np.all(llr(d.accept_at + step)[reach] > bounds.log_lower)


def test_normal_path_is_the_log_likelihood_ratio_and_keeps_its_verdict():
    x = np.random.default_rng(6).normal(0.6, 1.5, (3, 80))
    r = sprt_normal(x, 0.0, 0.7, 1.5, 0.05, 0.2)
    terms = stats.norm.logpdf(x, 0.7, 1.5) - stats.norm.logpdf(x, 0.0, 1.5)
    np.testing.assert_allclose(r.llr, np.cumsum(terms, axis=1), rtol=1e-9, atol=1e-9)
    for row in range(3):
        decided = np.flatnonzero(r.verdict[row])
        if decided.size:
            assert len(set(r.verdict[row, decided[0] :])) == 1
    # the lines cut the running sum where the ratio cuts its bounds
    over = np.cumsum(x, axis=1) >= r.slope * np.arange(1, 81) + r.h_upper
    np.testing.assert_array_equal(over, r.llr >= sprt_boundaries(0.05, 0.2).log_upper)


def test_average_sample_numbers():
    # Wald (1947), section 3.5: the errors weigh the bounds, divided by the mean step
    r = sprt_asn_bernoulli(0.05, 0.15, 0.05, 0.1)
    step = 0.05 * np.log(3) + 0.95 * np.log(0.85 / 0.95)
    assert r.asn_h0 == pytest.approx((0.95 * np.log(0.1 / 0.95) + 0.05 * np.log(0.9 / 0.05)) / step)
    assert sprt_asn_normal(0.0, 1.0, 1.0, 0.05, 0.05).asn_h0 == pytest.approx(2 * 0.9 * np.log(19))


def test_comparison_verdicts():
    r = sprt_comparison([0.0, 0.3, -0.3, 0.12, 0.2], [0.05, 0.05, 0.05, 0.1, 0.0], 0.2, 0.05, 0.1)
    expected = [
        Verdict.ACCEPT_NULL,
        Verdict.REJECT_NULL,
        Verdict.REJECT_NULL,
        Verdict.CONTINUE,
        Verdict.CONTINUE,
    ]
    assert r.verdict.tolist() == expected
    assert names(r.status).tolist() == ["ok"] * 4 + ["zero_variance"]
    one = sprt_comparison([0.3, -0.3], 0.05, -0.2, sides=1)
    assert one.verdict.tolist() == [Verdict.ACCEPT_NULL, Verdict.REJECT_NULL]


def test_refuses():
    for bad in ((0.5, 0.5), (0.0, 0.1)):
        with pytest.raises(InputError):
            sprt_boundaries(*bad)
    with pytest.raises(InputError):
        sprt_bernoulli(0.1, 0.1, 0.05, 0.1)
    with pytest.raises(InputError):
        sprt_normal([1.0], 0.0, 0.0, 1.0, 0.05, 0.1)
    with pytest.raises(InputError):
        sprt_normal(1.0, 0.0, 1.0, 1.0, 0.05, 0.1)
    with pytest.raises(InputError):
        sprt_asn_normal(0.0, 0.0, 1.0, 0.05, 0.1)
    with pytest.raises(InputError):
        sprt_comparison(0.0, 1.0, 0.0)
