"""Meta-analysis against metafor's printed results for the BCG trials, statsmodels, and a likelihood grid."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats
from statsmodels.stats.meta_analysis import combine_effects

from fairsplit.analysis.statistics.checks import InputError
from fairsplit.analysis.statistics.combining import between_study_variance, meta_fixed, meta_random
from fairsplit.analysis.statistics.portfolio import shrink_effects
from fairsplit.analysis.statistics.status import names

# Colditz et al. (1994), as metafor's dat.bcg: tuberculosis cases and others, vaccinated and control.
BCG = np.array(
    [
        [4, 119, 11, 128], [6, 300, 29, 274], [3, 228, 11, 209], [62, 13536, 248, 12619],
        [33, 5036, 47, 5761], [180, 1361, 372, 1079], [8, 2537, 10, 619], [505, 87886, 499, 87892],
        [29, 7470, 45, 7232], [17, 1699, 65, 1600], [186, 50448, 141, 27197], [5, 2493, 3, 2338],
        [27, 16886, 29, 17825],
    ],
    dtype=float,
)  # fmt: skip
TP, TN, CP, CN = BCG.T
YI = np.log(TP / (TP + TN)) - np.log(CP / (CP + CN))
VI = 1 / TP - 1 / (TP + TN) + 1 / CP - 1 / (CP + CN)


# Printed by metafor's rma() for measure "RR" (Viechtbauer 2010 and the package's documentation), four decimals.
@pytest.mark.parametrize(
    ("method", "estimate", "se", "tau2", "i2"),
    [
        ("dersimonian_laird", -0.7141, 0.1787, 0.3088, 92.12),
        ("reml", -0.7145, 0.1798, 0.3132, 92.22),
        ("paule_mandel", -0.7150, 0.1809, 0.3181, 92.33),
    ],
)
def test_random_effects_of_the_bcg_trials(method, estimate, se, tau2, i2):
    got = meta_random(YI, VI, method=method)
    assert got.estimate == pytest.approx(estimate, abs=5e-5)
    assert got.se == pytest.approx(se, abs=5e-5)
    assert got.tau2 == pytest.approx(tau2, abs=5e-5)
    assert got.i2_percent == pytest.approx(i2, abs=5e-3)
    assert got.q == pytest.approx(152.2330, abs=5e-5)


def test_fixed_effect_of_the_bcg_trials():
    got = meta_fixed(YI, VI)
    assert got.estimate == pytest.approx(-0.4303, abs=5e-5)
    assert got.se == pytest.approx(0.0405, abs=5e-5)
    assert (got.ci_low, got.ci_high) == pytest.approx((-0.5097, -0.3509), abs=5e-5)
    assert got.i2_percent == pytest.approx(92.12, abs=5e-3)


def test_statsmodels_agrees_where_it_overlaps():
    rng = np.random.default_rng(11)
    y, v = rng.normal(0.1, 0.9, (6, 9)), rng.uniform(0.01, 0.2, (6, 9))
    dl = meta_random(y, v)
    pm = meta_random(y, v, method="paule_mandel", hartung_knapp=True)
    # statsmodels does not truncate tau² at 0, so only sets with a positive one can be compared.
    assert (dl.tau2 > 0).all()
    for i in range(6):
        moments = combine_effects(y[i], v[i], method_re="chi2")
        iterated = combine_effects(y[i], v[i], method_re="iterated", use_t=True)
        assert dl.tau2[i] == pytest.approx(moments.tau2, abs=1e-10)
        assert dl.estimate[i] == pytest.approx(moments.mean_effect_re, rel=1e-9)
        assert dl.se[i] == pytest.approx(moments.sd_eff_w_re, rel=1e-9)
        assert pm.tau2[i] == pytest.approx(iterated.tau2, abs=1e-5)
        assert pm.se[i] == pytest.approx(iterated.sd_eff_w_re_hksj, rel=1e-4)


def _minus_restricted_log_likelihood(tau2: float, y: np.ndarray, v: np.ndarray) -> float:
    w = 1 / (v + tau2)
    mean = (w * y).sum() / w.sum()
    return 0.5 * (np.log(v + tau2).sum() + np.log(w.sum()) + (w * (y - mean) ** 2).sum())


def test_reml_maximises_the_restricted_likelihood():
    rng = np.random.default_rng(13)
    y, v = rng.normal(0, 0.4, (20, 6)), rng.uniform(0.01, 0.4, (20, 6))
    tau2, settled = between_study_variance(y, v, method="reml")
    assert settled.all()
    for i in range(20):
        best = optimize.minimize_scalar(
            _minus_restricted_log_likelihood, bounds=(0, 3), args=(y[i], v[i]), method="bounded",
            options={"xatol": 1e-10},
        )  # fmt: skip
        reached = _minus_restricted_log_likelihood(float(tau2[i]), y[i], v[i])
        assert reached <= best.fun + 1e-9


def test_unequal_sets_share_an_array_by_mask():
    y = np.array([YI, np.where(np.arange(13) < 5, YI, np.nan)])
    v = np.array([VI, np.where(np.arange(13) < 5, VI, np.nan)])
    got = meta_random(y, v, present=np.isfinite(y), method="reml")
    alone = meta_random(YI[:5], VI[:5], method="reml")
    assert got.studies.tolist() == [13, 5]
    for field in ("estimate", "se", "tau2", "q", "i2_percent", "prediction_low"):
        assert getattr(got, field)[1] == pytest.approx(float(getattr(alone, field)), rel=1e-9)


def test_prediction_interval_is_higgins():
    got = meta_random(YI, VI)
    reach = stats.t.ppf(0.975, 11) * np.sqrt(got.tau2 + got.se**2)
    assert got.prediction_high - got.estimate == pytest.approx(reach)


def test_degenerate_sets_have_reasons_or_plain_answers():
    one = meta_random([0.3], [0.04])
    assert (one.estimate, one.se, one.tau2) == pytest.approx((0.3, 0.2, 0.0))
    assert np.isnan(one.prediction_low)
    assert names(meta_random([0.3], [0.04], hartung_knapp=True).status) == "insufficient_sample"
    none = meta_fixed([np.nan], [np.nan], present=[False])
    assert names(none.status) == "no_exposure"
    assert np.isnan(none.estimate)
    alike = meta_random([0.2, 0.2, 0.2], [0.1, 0.2, 0.3], method="reml")
    assert alike.tau2 == 0
    assert alike.i2_percent == 0


def test_shrinkage_is_metafors_blup():
    got = shrink_effects(YI, VI, method="reml")
    pooled = meta_random(YI, VI, method="reml")
    keep = pooled.tau2 / (pooled.tau2 + VI)
    np.testing.assert_allclose(got.effect, keep * YI + (1 - keep) * pooled.estimate, rtol=1e-12)
    np.testing.assert_allclose(got.sd**2, keep * VI + (1 - keep) ** 2 * pooled.se**2, rtol=1e-12)


def test_shrinkage_beats_the_raw_estimates_on_average():
    rng = np.random.default_rng(17)
    truth = rng.normal(0.0, 0.1, (200, 30))
    v = rng.uniform(0.005, 0.05, truth.shape)
    y = rng.normal(truth, np.sqrt(v))
    got = shrink_effects(y, v)
    assert ((got.effect - truth) ** 2).mean() < 0.6 * ((y - truth) ** 2).mean()
    # The winner's raw estimate is too good; its shrunken one is not, up to Monte-Carlo error.
    rows, winner = np.arange(200), y.argmax(axis=1)
    regret = got.effect[rows, winner] - truth[rows, winner]
    assert abs(regret.mean()) < 4 * regret.std() / np.sqrt(200)
    assert (y[rows, winner] - truth[rows, winner]).mean() > 0.1


def test_a_known_mean_is_used():
    got = shrink_effects([0.3, 0.1, -0.2, 0.2], 0.03, known_mean=0.0)
    np.testing.assert_allclose(got.mean, 0)
    assert names(shrink_effects([0.3, 0.1], 0.03).status) == "insufficient_sample"


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: meta_fixed([0.1, np.inf], [1, 1]), "not_finite"),
        (lambda: meta_fixed([0.1, 0.2], [1, 0]), "out_of_range"),
        (lambda: meta_fixed(0.1, 0.2), "shape_mismatch"),
        (lambda: meta_random([0.1], [0.2], method="best"), "unknown_choice"),
        (lambda: meta_random([0.1], [0.2], present=[1]), "not_a_flag"),
        (lambda: meta_random([0.1], [0.2], alpha=0), "out_of_range"),
    ],
)
def test_impossible_inputs_are_refused(call, code):
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.code == code


def test_reml_settles_on_studies_of_very_unequal_size():
    rng = np.random.default_rng(5)
    v = np.exp(rng.normal(0, 3, (2000, 20)))
    y = rng.normal(size=v.shape) * np.sqrt(v + np.exp(rng.normal(0, 3, (2000, 1))))
    _, settled = between_study_variance(y, v, method="reml")
    assert settled.mean() > 0.999
