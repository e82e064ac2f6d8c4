"""M56: a custom part is computed and shown, and decides only once it is certified."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy import stats
from tests.unit.judgement import conftest as worlds

from fairsplit.analysis.judgement.custom import CustomParts
from fairsplit.analysis.judgement.wording import unmet_text

pytestmark = pytest.mark.usefixtures("example_parts")


@pytest.fixture
def judged(world, monkeypatch):
    """A clear difference of trimmed means, by the metric `trimmed`, under what is known of its part."""
    monkeypatch.setitem(worlds.METRICS, "trimmed", worlds.metric("trimmed", test="robust.trimmed_mean"))
    world.define(metrics="{primary: [trimmed]}", plan="{min_sample: 500}")
    rng = np.random.default_rng(17)
    arms = {
        "control": np.round(rng.lognormal(1.0, 1.0, 900), 2),
        "red": np.round(rng.lognormal(1.4, 1.0, 900), 2),
    }
    for name, values in arms.items():
        world.histogram(name, values, "trimmed")
    world.exposures({"control": 900, "red": 900})

    def judge(**known):
        return world.judge(value_histograms=pl.DataFrame(world.histograms), **known)

    return judge, arms


def test_m56_an_uncertified_test_is_shown_and_decides_nothing(judged) -> None:
    judge, arms = judged
    found = judge()
    (row,) = found.comparisons.filter(variant_id="red").to_dicts()
    expected = stats.ttest_ind(arms["red"], arms["control"], equal_var=False, trim=0.2)
    assert row["method"] == "robust.trimmed_mean"
    assert row["p_value"] == pytest.approx(expected.pvalue, rel=1e-6)
    assert row["requirements_met"] is False
    assert "certificate of A/A splits" in unmet_text(row)
    (decision,) = found.decisions.to_dicts()
    assert decision["action"] != "ship"


def test_m56_a_certified_test_decides_and_its_rows_carry_its_code(judged) -> None:
    judge, _ = judged
    found = judge(
        code_hash="ours", custom=CustomParts(frozenset({"trimmed"}), {"robust.trimmed_mean": "its"})
    )
    rows = found.comparisons
    assert rows.filter(variant_id="red")["requirements_met"].to_list() == [True]
    assert set(rows["code_hash"]) == {"its"}
    (decision,) = found.decisions.to_dicts()
    assert (decision["action"], decision["variant_id"]) == ("ship", "red")
