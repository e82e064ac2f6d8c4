"""Syntheses: effects of several experiments combined, against statsmodels and a likelihood of its own."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from scipy import optimize, stats
from statsmodels.stats.meta_analysis import combine_effects
from tests.unit.judgement.conftest import METRICS

from fairsplit.analysis.catalogue import load_catalogue
from fairsplit.analysis.catalogue.schema import json_schemas
from fairsplit.analysis.judgement.synthesising import synthesis_rows

DAY = date(2026, 1, 25)
MEANS = {"one": (10.0, 11.0), "two": (-3.0, -3.4), "three": (7.0, 9.5), "four": (20.0, 20.2)}
SYNTHESIS = """\
id: {name}
name: Do red buttons help?
owner: growth@example.com
metrics: {metrics}
experiments: {experiments}
"""


def money(values: np.ndarray) -> list[int]:
    return [round(value * 1_000_000) for value in values]


def combine(
    world, name: str = "buttons", metrics: str = "[revenue]", experiments: str = "[one, two, three, four]"
):
    folder = world.folder / "syntheses"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.yaml").write_text(
        SYNTHESIS.format(name=name, metrics=metrics, experiments=experiments)
    )
    return load_catalogue(world.folder, METRICS)


def rows_of(world, catalogue) -> tuple[pl.DataFrame, pl.DataFrame]:
    found = world.judge(DAY)
    units = pl.DataFrame(
        [(metric.name, metric.unit, metric.direction) for metric in METRICS.values()],
        schema=["metric", "unit", "direction"],
        orient="row",
    )
    return synthesis_rows(catalogue, found.comparisons, found.decisions, units, DAY)


@pytest.fixture
def several(world, rng):
    """Four experiments of two arms on revenue, one of them with a negative level."""
    for place, (name, means) in enumerate(MEANS.items()):
        world.define(name)
        for variant, mean in zip(("control", "red"), means, strict=True):
            world.values(variant, money(rng.normal(mean, 5, 400 * (place + 1))), experiment=name)
            world.exposures({variant: 400 * (place + 1)}, experiment=name)
    return world


def restricted(y: np.ndarray, v: np.ndarray) -> float:
    """The between-study variance that maximises the restricted likelihood (Viechtbauer 2005, eq. 8)."""

    def loss(tau2: float) -> float:
        w = 1 / (v + tau2)
        mean = (w * y).sum() / w.sum()
        return float(0.5 * (np.log(v + tau2).sum() + np.log(w.sum()) + (w * (y - mean) ** 2).sum()))

    return float(optimize.minimize_scalar(loss, bounds=(0, 50), method="bounded", options={"xatol": 1e-12}).x)


def test_both_models_are_those_of_a_meta_analysis(several):
    rows, studies = rows_of(several, combine(several))
    y, v = studies["effect"].to_numpy(), studies["std_error"].to_numpy() ** 2
    fixed, random = (rows.filter(model=model).row(0, named=True) for model in ("fixed", "random"))
    expected = combine_effects(y, v, use_t=False)
    assert fixed["estimate"] == pytest.approx(expected.mean_effect_fe)
    assert fixed["std_error"] == pytest.approx(expected.sd_eff_w_fe)
    assert (fixed["ci_low"], fixed["ci_high"]) == pytest.approx(expected.conf_int()[0])
    assert fixed["q"] == pytest.approx(expected.q)
    assert fixed["q_p_value"] == pytest.approx(stats.chi2.sf(expected.q, 3))
    tau2 = restricted(y, v)
    assert random["tau2"] == pytest.approx(tau2, rel=1e-5)
    w = 1 / (v + tau2)
    mean = (w * y).sum() / w.sum()
    error = np.sqrt((w * (y - mean) ** 2).sum() / 3 / w.sum())
    reach = stats.t.isf(0.025, 3) * error
    assert random["estimate"] == pytest.approx(mean, rel=1e-6)
    assert (random["ci_low"], random["ci_high"]) == pytest.approx((mean - reach, mean + reach), rel=1e-5)
    assert random["df"] == 3
    assert studies["weight_random"].to_list() == pytest.approx((w / w.sum()).tolist(), rel=1e-5)
    assert studies["weight_fixed"].sum() == pytest.approx(1)
    assert random["prediction_low"] < random["ci_low"] < random["ci_high"] < random["prediction_high"]


def test_an_experiment_that_tells_nothing_is_listed_and_left_out(several, rng):
    """A faulty split, three units an arm, and nothing yet: the reason stands beside each."""
    for name in ("skewed", "tiny", "draft"):
        several.define(name)
    for variant, units in (("control", 3_000), ("red", 2_000)):
        several.values(variant, money(rng.normal(5, 1, units)), experiment="skewed")
        several.exposures({variant: units}, experiment="skewed")
    for variant in ("control", "red"):
        several.values(variant, money(rng.normal(5, 1, 3)), experiment="tiny")
    rows, studies = rows_of(several, combine(several, experiments="[one, skewed, tiny, draft, three]"))
    assert dict(studies.select("experiment_id", "reason").iter_rows()) == {
        "one": None,
        "skewed": "gate_closed",
        "tiny": "requirements_unmet",
        "draft": "not_judged",
        "three": None,
    }
    left_out = studies.filter(pl.col("status") != "ok")
    assert left_out.select(pl.col("effect", "weight_fixed", "weight_random").count()).row(0) == (0, 0, 0)
    assert rows["studies"].to_list() == [2, 2]
    assert rows["status"].to_list() == ["ok", "ok"]


def test_fewer_than_two_effects_are_not_combined(several):
    several.define("draft")
    rows, _ = rows_of(several, combine(several, experiments="[one, draft]"))
    assert rows["status"].to_list() == ["not_computed"] * 2
    assert rows["reason"].to_list() == ["too_few_experiments"] * 2
    assert rows["estimate"].null_count() == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"experiments": "[one, oen]"}, "unknown experiment (oen"),
        ({"experiments": "[one, one]"}, "an experiment stands twice (one"),
        ({"experiments": "[one]"}, "experiments"),
        (
            {"experiments": "[one, {experiment: two, variant: control}]"},
            "no such treatment (control: one of: red",
        ),
        ({"experiments": "[one, many]"}, "several arms could be meant (many"),
        ({"metrics": "[revenu]"}, "unknown metric (revenu"),
        ({"metrics": "[conversion]"}, "not every experiment uses the metric (conversion: not one, two"),
        ({"metrics": "[revenue_rank]"}, "a test of ranks has no difference to combine"),
        ({"metrics": "[revenue, revenue]"}, "a metric stands twice (revenue"),
        ({"name": "other"}, None),
    ],
)
def test_what_cannot_be_combined_is_refused_with_file_and_line(several, changes, words):
    several.define("many", variants="[{id: control, control: true}, {id: red}, {id: blue}]", type="abn")
    catalogue = combine(several, **changes)
    if words is None:
        assert list(catalogue.syntheses) == ["other"]
        return
    assert catalogue.syntheses == {}
    assert any(
        words in str(problem) and problem.where.startswith("syntheses/buttons.yaml:")
        for problem in catalogue.problems
    ), catalogue.problems


def test_the_shape_of_a_synthesis_is_published_like_the_others():
    schema = json_schemas()["synthesis"]
    assert schema["required"] == ["id", "name", "owner", "metrics", "experiments"]
    assert schema["additionalProperties"] is False
