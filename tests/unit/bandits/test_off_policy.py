"""Off-policy values against their definitions, and without bias over many logs."""

from __future__ import annotations

import numpy as np
import pytest

from fairsplit.analysis.bandits.off_policy import off_policy_value
from fairsplit.analysis.statistics.checks import InputError
from fairsplit.analysis.statistics.status import names


def _logs(runs: int = 1, units: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(61)
    shares = rng.dirichlet([4, 4, 4], (runs, units)) * 0.7 + 0.1
    arms = (rng.random((runs, units, 1)) > np.cumsum(shares, axis=-1)[..., :-1]).sum(axis=-1)
    return arms, rng.normal(1.0 + arms, 1.0), shares


TARGET = np.array([0.2, 0.2, 0.6])
TRUTH = float(TARGET @ [1.0, 2.0, 3.0])


def test_values_follow_their_definitions():
    arms, y, e = (part[0] for part in _logs())
    w = TARGET[arms] / e[np.arange(400), arms]
    ips = off_policy_value(arms, y, e, TARGET, method="ips")
    assert ips.estimate == pytest.approx((w * y).mean())
    assert ips.se == pytest.approx((w * y).std(ddof=1) / 20)
    snips = off_policy_value(arms, y, e, TARGET, method="snips")
    value = (w * y).sum() / w.sum()
    assert snips.estimate == pytest.approx(value)
    assert snips.se == pytest.approx(np.sqrt((w**2 * (y - value) ** 2).sum()) / w.sum())
    model = np.array([0.9, 2.2, 3.0])
    robust = off_policy_value(arms, y, e, TARGET, model=model)
    score = TARGET @ model + w * (y - model[arms])
    assert robust.estimate == pytest.approx(score.mean())
    assert robust.se == pytest.approx(score.std(ddof=1) / 20)
    assert robust.effective_units == pytest.approx(w.sum() ** 2 / (w**2).sum())
    assert robust.largest_weight == pytest.approx(w.max())


@pytest.mark.parametrize("method", ["ips", "snips", "doubly_robust"])
def test_intervals_cover_the_truth(method):
    runs = 1500
    arms, y, e = _logs(runs)
    r = off_policy_value(arms, y, e, TARGET, method=method, model=[0.0, 5.0, 1.0])
    covered = ((r.ci_low <= TRUTH) & (r.ci_high >= TRUTH)).mean()
    assert covered == pytest.approx(0.95, abs=4 * np.sqrt(0.05 * 0.95 / runs) + 0.01)
    assert r.estimate.mean() == pytest.approx(TRUTH, abs=4 * r.estimate.std() / np.sqrt(runs) + 0.005)


def test_a_good_model_helps_and_a_bad_one_does_not_hurt_the_mean():
    arms, y, e = _logs(200)
    good = off_policy_value(arms, y, e, TARGET, model=[1.0, 2.0, 3.0])
    none = off_policy_value(arms, y, e, TARGET, method="ips")
    assert good.se.mean() < 0.6 * none.se.mean()


def test_uncomputable_and_refused():
    never = off_policy_value([0, 0], [1.0, 2.0], [[0.5, 0.5]] * 2, [0.0, 1.0], method="ips")
    assert names(never.status) == "no_exposure"
    assert np.isnan(never.estimate)
    for call, code in (
        (
            lambda: off_policy_value([0, 0], [1.0, 2.0], [[1.0, 0.0]] * 2, [0.5, 0.5], method="ips"),
            "out_of_range",
        ),
        (lambda: off_policy_value([0, 1], [1.0, 2.0], [[0.5, 0.5]] * 2, [0.5, 0.5]), "missing_argument"),
        (lambda: off_policy_value([0], [1.0], [[0.5, 0.5]], [0.5, 0.5], method="magic"), "unknown_choice"),
    ):
        with pytest.raises(InputError) as caught:
            call()
        assert caught.value.code == code
