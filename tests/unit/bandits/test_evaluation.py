"""Adaptively weighted estimates against the definitions of Hadad et al. (2021), written as plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fairsplit.analysis.bandits.evaluation import adaptive_contrasts, adaptive_means, adaptive_scores
from fairsplit.analysis.statistics.checks import InputError
from fairsplit.analysis.statistics.status import names


def _data(units: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(47)
    shares = rng.dirichlet([3, 4, 5], units)
    arms = np.array([rng.choice(3, p=s) for s in shares])
    return arms, rng.normal(1 + arms, 1), shares


def _loop_scores(arms, rewards, shares, *, augmented):
    out = np.zeros(shares.shape)
    for t, (w, y) in enumerate(zip(arms, rewards, strict=True)):
        for a in range(shares.shape[1]):
            before = rewards[:t][arms[:t] == a]
            guess = before.mean() if augmented and before.size else 0.0
            hit = float(w == a) / shares[t, a]
            out[t, a] = hit * y + (1 - hit) * guess
    return out


def _loop_two_point(e):
    """Section 4.2: allocation rates (eq. 18) turned into weights by stick-breaking (eq. 15)."""
    total = len(e)
    h2 = np.zeros(e.shape)
    for a in range(e.shape[1]):
        spent = 0.0
        for t in range(1, total + 1):
            losing = 0.5 / (0.5 + total * (t / total) ** 0.5 - t)
            winning = 1 / (1 + total - t)
            rate = min((1 - e[t - 1, a]) * losing + e[t - 1, a] * winning, 1.0)
            h2[t - 1, a] = rate * (1 - spent) * e[t - 1, a]
            spent += rate * (1 - spent)
    return np.sqrt(h2)


@pytest.mark.parametrize("augmented", [True, False])
def test_scores_follow_their_definition(augmented):
    arms, rewards, shares = _data()
    got = adaptive_scores(arms, rewards, shares, augmented=augmented, weighting="uniform")
    np.testing.assert_allclose(
        got.scores, _loop_scores(arms, rewards, shares, augmented=augmented), atol=1e-12
    )


def test_weights_follow_their_definitions():
    arms, rewards, shares = _data()
    two_point = adaptive_scores(arms, rewards, shares, weighting="two_point").weights
    np.testing.assert_allclose(two_point, _loop_two_point(shares), rtol=1e-10)
    constant = adaptive_scores(arms, rewards, shares, weighting="constant_allocation").weights
    np.testing.assert_allclose(constant, np.sqrt(shares))


@pytest.mark.parametrize("weighting", ["uniform", "constant_allocation", "two_point"])
def test_means_and_contrasts_follow_their_definitions(weighting):
    arms, rewards, shares = _data()
    scores = adaptive_scores(arms, rewards, shares, weighting=weighting)
    h, g = scores.weights, scores.scores
    q = (h * g).sum(0) / h.sum(0)
    means = adaptive_means(scores, alpha=0.1)
    np.testing.assert_allclose(means.estimate, q)
    np.testing.assert_allclose(means.se, np.sqrt((h**2 * (g - q) ** 2).sum(0)) / h.sum(0))
    np.testing.assert_allclose(means.ci_high - q, stats.norm.isf(0.05) * means.se)
    contrast = adaptive_contrasts(scores, control=1)
    parts = h * (g - q) / h.sum(0)
    for arm in (0, 2):
        assert contrast.estimate[arm] == pytest.approx(q[arm] - q[1])
        assert contrast.se[arm] == pytest.approx(np.sqrt(((parts[:, arm] - parts[:, 1]) ** 2).sum()))
    assert names(contrast.status).tolist() == ["ok", "zero_variance", "ok"]


def test_many_bandits_at_once_are_each_alone():
    arms, rewards, shares = _data()
    both = adaptive_means(
        adaptive_scores(
            np.stack([arms, arms[::-1]]), np.stack([rewards, rewards[::-1]]), np.stack([shares, shares[::-1]])
        )
    )
    alone = adaptive_means(adaptive_scores(arms[::-1], rewards[::-1], shares[::-1]))
    np.testing.assert_allclose(both.estimate[1], alone.estimate)
    np.testing.assert_allclose(both.se[1], alone.se)


def test_uncomputable_arms_have_reasons():
    never = adaptive_scores([0, 0, 0], [1.0, 2.0, 3.0], [[1.0, 0.0]] * 3)
    assert names(adaptive_means(never).status).tolist() == ["ok", "no_exposure"]
    assert names(adaptive_contrasts(never, control=1).status).tolist() == ["no_exposure", "no_exposure"]
    one = adaptive_scores([0], [1.0], [[0.5, 0.5]])
    assert names(adaptive_means(one).status).tolist() == ["insufficient_sample"] * 2
    flat = adaptive_scores([0, 1], [0.0, 0.0], [[0.5, 0.5]] * 2)
    assert names(adaptive_means(flat).status).tolist() == ["zero_variance"] * 2


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: adaptive_scores([0, 1], [1.0], [[0.5, 0.5]] * 2), "shape_mismatch"),
        (lambda: adaptive_scores([0, 2], [1.0, 2.0], [[0.5, 0.5]] * 2), "out_of_range"),
        (lambda: adaptive_scores([0, 1], [1.0, 2.0], [[0.5, 0.5], [1.0, 0.0]]), "out_of_range"),
        (lambda: adaptive_scores([0.0, 1.0], [1.0, 2.0], [[0.5, 0.5]] * 2), "not_whole"),
        (lambda: adaptive_scores([0, 1], [1.0, 2.0], [[0.5, 0.4]] * 2), "out_of_range"),
        (lambda: adaptive_scores([0, 1], [1.0, 2.0], [[0.5, 0.5]] * 2, weighting="best"), "unknown_choice"),
        (
            lambda: adaptive_contrasts(adaptive_scores([0, 1], [1.0, 2.0], [[0.5, 0.5]] * 2), control=2),
            "out_of_range",
        ),
    ],
)
def test_impossible_inputs_are_refused(call, code):
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.code == code
