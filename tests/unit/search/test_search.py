"""M37: the Gaussian process against its closed form, proposals on the grid, and the genetic search."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from tests.simulation.surfaces import SURFACES, best_of_random, searched

from fairsplit.analysis.search.asking import Told, ask, expected_improvement, sobol
from fairsplit.analysis.search.gaussian import conditioned, fitted, matern
from fairsplit.analysis.search.genetic import breed, shrunken
from fairsplit.analysis.search.space import Axis, Space

SPACE = Space(
    (
        Axis("size", low=10.0, high=24.0, step=2.0, is_whole=True),
        Axis("colour", choices=("red", "blue", "green")),
        Axis("delay", low=0.1, high=10.0, is_log=True),
    )
)


def test_m37_parameters_go_to_the_box_and_back_on_their_grid() -> None:
    config = {"size": 16, "colour": "blue", "delay": 1.0}
    point = SPACE.point(config)
    # (16 − 10) / 14; the middle of the second third; the logarithm of 1 half way between those of 0.1 and 10.
    assert point == pytest.approx([6 / 14, 0.5, 0.5])
    assert SPACE.config(point) == config
    found = [SPACE.config(one) for one in sobol(SPACE, 64, seed=1)]
    assert {one["colour"] for one in found} == {"red", "blue", "green"}
    assert {one["size"] for one in found} == {10, 12, 14, 16, 18, 20, 22, 24}
    assert all(isinstance(one["size"], int) and 0.1 <= one["delay"] <= 10 for one in found)


def test_m37_a_grid_that_does_not_end_at_the_bound_stays_inside() -> None:
    axis = Axis("share", low=0.0, high=1.0, step=0.3)
    assert sorted({axis.value(share) for share in np.linspace(0, 1, 101)}) == [0.0, 0.3, 0.6, 0.9]


def test_m37_choices_are_equally_far_apart() -> None:
    points = np.array(
        [SPACE.point({"size": 10, "colour": one, "delay": 1.0}) for one in ("red", "blue", "green")]
    )
    features, owner = SPACE.features(points)
    assert owner.tolist() == [0, 1, 1, 1, 2]
    gaps = [np.linalg.norm(features[i] - features[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    assert gaps == pytest.approx([1.0, 1.0, 1.0])


def test_m37_matern_five_halves_by_hand() -> None:
    """At r = 1: (1 + √5 + 5/3) exp(-√5)."""
    found = matern(np.array([[0.0]]), np.array([[0.5]]), np.array([0.5]))
    assert found[0, 0] == pytest.approx((1 + 5**0.5 + 5 / 3) * np.exp(-(5**0.5)))


def test_m37_the_posterior_is_the_conditional_normal() -> None:
    """From the joint covariance by the textbook's formula, with an explicit inverse, and the density by SciPy."""
    rng = np.random.default_rng(4)
    x, new = rng.random((6, 2)), rng.random((3, 2))
    y, noise = rng.normal(size=6), np.diag(rng.uniform(0.1, 0.4, 6))
    noise[0, 1] = noise[1, 0] = 0.05
    lengths, signal = np.array([0.4, 0.7]), 1.3
    surface = conditioned(x, y, noise, lengths, signal)

    def covariance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        r = np.sqrt((((one[:, None] - other[None]) / lengths) ** 2).sum(-1))
        return signal**2 * (1 + np.sqrt(5) * r + 5 * r**2 / 3) * np.exp(-np.sqrt(5) * r)

    inverse = np.linalg.inv(covariance(x, x) + noise)
    centre = inverse.sum(axis=0) @ y / inverse.sum()
    mean = centre + covariance(new, x) @ inverse @ (y - centre)
    spread = np.sqrt(np.diag(covariance(new, new) - covariance(new, x) @ inverse @ covariance(x, new)))
    found = surface.at(new)
    assert found[0] == pytest.approx(mean, rel=1e-6)
    assert found[1] == pytest.approx(spread, rel=1e-6)
    density = stats.multivariate_normal(np.full(6, centre), covariance(x, x) + noise).logpdf(y)
    assert surface.log_likelihood == pytest.approx(density, rel=1e-6)


def test_m37_an_axis_without_influence_gets_the_longer_length() -> None:
    x = np.random.default_rng(2).random((40, 2))
    y = np.sin(6 * x[:, 0])
    surface = fitted(x, np.array([0, 1]), y, np.eye(40) * 1e-4, seed=3)
    assert surface.lengths[1] > 3 * surface.lengths[0]


def test_m37_expected_improvement_is_the_integral() -> None:
    drawn = np.random.default_rng(1).normal(0.2, 0.7, 1_000_000)
    expected = np.maximum(drawn - 0.5, 0).mean()
    assert expected_improvement(np.array([0.2]), np.array([0.7]), 0.5)[0] == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("method", ["bayesian", "genetic"])
def test_m37_a_batch_is_on_the_grid_new_and_the_same_every_time(method: str) -> None:
    points = sobol(SPACE, 6, seed=5)
    told = Told(points, np.arange(6.0), np.eye(6))

    def propose() -> np.ndarray:
        return ask(SPACE, told, 4, 7).points if method == "bayesian" else breed(SPACE, told, 4, 7)

    found = propose()
    assert found.tolist() == propose().tolist()
    configs = [tuple(SPACE.config(point).values()) for point in found]
    assert len(set(configs)) == 4
    assert not set(configs) & {tuple(SPACE.config(point).values()) for point in points}


def test_m37_a_grid_that_is_tried_out_has_no_next_point() -> None:
    space = Space((Axis("colour", choices=("red", "blue")),))
    told = Told(np.array([[0.25], [0.75]]), np.array([0.0, 1.0]), np.eye(2) * 0.01)
    assert len(ask(space, told, 3, 1).points) == 0
    assert len(breed(space, told, 3, 1)) == 0


def test_m37_what_is_measured_badly_is_shrunk_to_the_mean() -> None:
    told = Told(np.zeros((4, 1)), np.array([0.0, 1.0, 2.0, 3.0]), np.diag([0.01, 0.01, 0.01, 100.0]))
    found = shrunken(told)
    assert found[:3] == pytest.approx([0.0, 1.0, 2.0], abs=0.05)
    assert abs(found[3] - 1.0) < 0.2


@pytest.mark.parametrize("name", SURFACES)
def test_m37_a_quarter_of_the_batches_beats_random_search(name: str) -> None:
    """Mean regret over three seeds; `tests/simulation/test_search_regret.py` has more of them."""
    regrets = np.array([(searched(name, "bayesian", seed), best_of_random(name, seed)) for seed in range(3)])
    assert regrets[:, 0].mean() <= regrets[:, 1].mean()
