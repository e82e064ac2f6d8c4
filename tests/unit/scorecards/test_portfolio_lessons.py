from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.scorecards import lessons


def effects(values, error):
    return [lessons.Effect(f"e{i}", "x.html", "2026-01-05", float(v), error) for i, v in enumerate(values)]


def test_the_standard_error_is_the_one_the_interval_was_made_from():
    reach = stats.norm.isf(0.0125)
    row = {"lift_rel_low": 0.05 - reach * 0.013, "lift_rel_high": 0.05 + reach * 0.013, "ci_level": 0.975}
    assert lessons.standard_error(row) == pytest.approx(0.013, rel=1e-9)
    assert lessons.standard_error(row | {"lift_rel_high": float("inf")}) is None


def test_pure_noise_is_pulled_to_the_mean_and_clear_effects_are_not():
    rng = np.random.default_rng(5)
    noise = lessons.build(effects(rng.normal(0, 0.02, 60), 0.02))
    clear = lessons.build(effects(rng.normal(0, 0.2, 60), 0.001))

    def size(text: str) -> float:
        return abs(float(text.strip("%").replace("−", "-")))

    ratio_noise = sum(size(x.shrunken) for x in noise.lines) / sum(size(x.measured) for x in noise.lines)
    ratio_clear = sum(size(x.shrunken) for x in clear.lines) / sum(size(x.measured) for x in clear.lines)
    assert ratio_noise < 0.5
    assert ratio_clear > 0.98


def test_too_few_experiments_teach_nothing():
    assert lessons.build(effects([0.1, 0.2], 0.01)) is None
