"""M37: over twenty seeds, searches against random search with four times the batches."""

from __future__ import annotations

import numpy as np
import pytest
from tests.simulation.surfaces import SURFACES, best_of_random, searched

pytestmark = pytest.mark.slow
SEEDS = range(20)


@pytest.mark.parametrize("name", SURFACES)
def test_m37_regret_of_the_bayesian_search(name: str) -> None:
    found = np.mean([searched(name, "bayesian", seed) for seed in SEEDS])
    assert found <= np.mean([best_of_random(name, seed) for seed in SEEDS])


def test_m37_regret_of_the_genetic_search_on_three_axes() -> None:
    found = np.mean([searched("hartmann_3", "genetic", seed) for seed in SEEDS])
    assert found <= np.mean([best_of_random("hartmann_3", seed) for seed in SEEDS])
