"""M37: arms of all batches on one surface, the next batch, when it ends, and the next actions it makes."""

from __future__ import annotations

import json
from datetime import date, datetime

import polars as pl
import pytest

from fairsplit.analysis.judgement.searching import SEARCH, search_at, search_rows
from fairsplit.analysis.lifecycle.follow_up import next_batch_text

SCHEMA = "{type: object, properties: {size: {type: integer}}}"
SEARCH_TEXT = "{{parameters: {{size: {{from: 10, to: 30}}}}, batch: 2{more}}}"
DAY = date(2026, 1, 25)


def define(world, name: str, sizes: dict[str, int], more: str = "", **changes) -> None:
    arms = ", ".join(f"{{id: {arm}, config: {{size: {size}}}}}" for arm, size in sizes.items())
    world.define(
        name, type="abn" if len(sizes) > 1 else "ab", config_schema=SCHEMA,
        search=SEARCH_TEXT.format(more=more),
        variants=f"[{{id: control, control: true, config: {{size: 12}}}}, {arms}]",
        metrics="{primary: [{metric: revenue, minimum_effect: {absolute: 0.5}}]}", **changes,
    )  # fmt: skip


def rows(effects: dict[str, dict[str, float]], error: float = 0.1) -> pl.DataFrame:
    base = {"metric": "revenue", "segment": "all", "analysis": "default", "status": "ok"}
    listed = []
    for experiment, arms in effects.items():
        control = {"lift_abs": None, "lift_std_error": None, "std_error": error / 2**0.5, "mean": 10.0}
        listed.append({**base, "experiment_id": experiment, "variant_id": "control", **control})
        listed += [
            {**base, "experiment_id": experiment, "variant_id": arm, "lift_abs": effect,
             "lift_std_error": error, "std_error": error / 2**0.5, "mean": 10.0 + effect}
            for arm, effect in arms.items()
        ]  # fmt: skip
    return pl.DataFrame(listed, infer_schema_length=None)


def peak(size: int) -> float:
    """Against the control's 12: best at 22."""
    return 2.0 - (size - 22) ** 2 / 50.0


@pytest.fixture
def two_batches(world):
    first, second = {"a": 16, "b": 28}, {"a": 20, "b": 25}
    define(world, "hero", first)
    define(world, "hero_2", second, ", follows: hero")
    found = rows(
        {
            "hero": {arm: peak(size) - peak(12) for arm, size in first.items()},
            "hero_2": {arm: peak(size) - peak(12) for arm, size in second.items()},
        }
    )
    return world.catalogue.experiments, found


def test_m37_batches_are_one_surface_and_the_next_points_are_near_its_top(two_batches) -> None:
    experiments, found = two_batches
    state = search_at(experiments["hero_2"], experiments, found, 1.0, DAY)
    assert [(arm.experiment, arm.variant, arm.batch) for arm in state.tried] == [
        ("hero", "a", 1), ("hero", "b", 1), ("hero_2", "a", 2), ("hero_2", "b", 2),
    ]  # fmt: skip
    assert state.told.mean[0] == 0.0
    # Arms of one batch share their control: its variance is half of that of a difference.
    assert state.told.noise[1, 2] == pytest.approx(0.5 * 0.1**2, rel=0.01)
    assert state.told.noise[1, 3] == 0.0
    assert state.reason is None
    assert any(20 < config["size"] < 25 for config in state.configs)


def test_m37_rows_of_a_search(two_batches) -> None:
    experiments, found = two_batches
    table = search_rows(experiments, found, {"revenue": ("USD", 1.0)}, DAY, "hash")
    assert dict(table.schema) == dict(SEARCH)
    tried, proposed = (table.filter(kind=kind).to_dicts() for kind in ("tried", "proposed"))
    assert [row["search_id"] for row in tried] == ["hero"] * 4
    assert [json.loads(row["parameters"]) for row in tried] == [{"size": size} for size in (16, 28, 20, 25)]
    for row in tried:
        size = json.loads(row["parameters"])["size"]
        assert row["low"] < peak(size) - peak(12) < row["high"]
    assert [row["batch"] for row in proposed] == [3, 3]
    assert all(row["of_minimum"] == pytest.approx(row["expected_improvement"] / 0.5) for row in proposed)


def test_m37_where_less_is_better_the_search_goes_down(two_batches) -> None:
    experiments, found = two_batches
    turned = found.with_columns(lift_abs=-pl.col("lift_abs"))
    up = search_at(experiments["hero_2"], experiments, found, 1.0, DAY)
    down = search_at(experiments["hero_2"], experiments, turned, -1.0, DAY)
    assert up.configs == down.configs
    table = search_rows(experiments, turned, {"revenue": ("USD", -1.0)}, DAY, "").filter(kind="tried")
    assert (table["mean"] * table["observed"] > 0).all()
    assert table["is_best"].to_list() in ([False, False, True, False], [False, False, False, True])


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (", stop_when: {batches: 2}", "batches_done"),
        (", stop_when: {batches: 3}", None),
        (", stop_when: {improvement: {absolute: 50}}", "nothing_to_gain"),
        (", stop_when: {improvement: 5}", "nothing_to_gain"),
        (", method: genetic", None),
    ],
)
def test_m37_a_search_ends_as_it_says(world, more: str, reason: str | None) -> None:
    define(world, "hero", {"a": 16, "b": 28})
    define(world, "hero_2", {"a": 20}, f", follows: hero{more}")
    found = rows({"hero": {"a": 1.0, "b": 1.2}, "hero_2": {"a": 1.9}})
    experiments = world.catalogue.experiments
    assert search_at(experiments["hero_2"], experiments, found, 1.0, DAY).reason == reason


def test_m37_a_batch_that_is_not_measured_proposes_nothing(world) -> None:
    define(world, "hero", {"a": 16, "b": 28})
    define(world, "hero_2", {"a": 20}, ", follows: hero")
    experiments = world.catalogue.experiments
    table = search_rows(experiments, rows({"hero": {"a": 1.0, "b": 1.2}}), {"revenue": ("USD", 1.0)}, DAY, "")
    (proposed,) = table.filter(kind="proposed").to_dicts()
    assert (proposed["status"], proposed["reason"]) == ("not_proposed", "batch_not_measured")


def test_m37_the_next_batch_is_a_draft_that_validates(world) -> None:
    define(world, "hero", {"a": 16, "b": 28})
    source = (world.folder / "experiments" / "hero.yaml").read_text()
    text = next_batch_text(source, "hero_2", datetime(2026, 2, 1), [{"size": 21}, {"size": 23}])  # noqa: DTZ001
    (world.folder / "experiments" / "hero_2.yaml").write_text(text)
    draft = world.catalogue.experiments["hero_2"]
    assert (draft.status, draft.type, draft.search.follows) == ("draft", "abn", "hero")
    assert [arm.config for arm in draft.variants] == [{"size": 12}, {"size": 21}, {"size": 23}]


def test_m37_a_decided_batch_advises_its_proposals(world) -> None:
    define(world, "hero", {"a": 16, "b": 28}, plan="{min_sample: 10}")
    day = date(2026, 1, 25)
    for arm, mean in (("control", 10), ("a", 12), ("b", 12)):
        world.values(
            arm, [1_000_000 * (mean + step % 3 - 1) for step in range(300)], cut_off=day, experiment="hero"
        )
    world.exposures({"control": 300, "a": 300, "b": 300}, experiment="hero")
    acts = world.judge(day).next_actions.filter(pl.col("cut_off") == day)
    made = acts.filter(pl.col("action").is_in(["create_variant", "modify_variant"]))
    assert made.height == 2
    assert made["sentence"].str.contains("fairsplit search propose hero").all()
    assert (made["gain"] > 0).all()
