"""Designs for known populations: counts by hand, chances by repetition, balance recomputed in plain Python."""

from __future__ import annotations

import statistics
from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairsplit.assignment_exports.designs.assigning import Design, Drawn, draw
from fairsplit.assignment_exports.designs.blocked import block_size, matched_blocks
from fairsplit.assignment_exports.designs.complete import complete, largest_remainder, stratified
from fairsplit.assignment_exports.errors import ExportError

HALVES = {"control": 0.5, "red": 0.5}


def population(units: int = 600) -> pl.DataFrame:
    rng = np.random.default_rng(7)
    return pl.DataFrame(
        {
            "unit_id": [f"unit-{number:04}" for number in range(units)],
            "country": [("US", "DE", None)[number % 3] for number in range(units)],
            "spend": rng.lognormal(size=units),
            "visits": rng.poisson(4, size=units),
        }
    )


def largest_gap(drawn: Drawn, known: pl.DataFrame, columns: tuple[str, ...]) -> float:
    """The largest standardised difference between the two arms, without the code under test."""
    arm = dict(drawn.table.select("unit_id", "variant").iter_rows())
    gaps = []
    for column in columns:
        values = dict(known.select("unit_id", column).iter_rows())
        red, control = (
            [value for unit, value in values.items() if arm[unit] == name] for name in ("red", "control")
        )
        spread = statistics.pstdev(values.values())
        gaps.append(abs(statistics.fmean(red) - statistics.fmean(control)) / spread)
    return max(gaps)


def test_a_population_of_which_nothing_else_is_known_is_split():
    drawn = draw("mail", population(10).select("unit_id"), HALVES, Design())
    assert Counter(drawn.table["variant"]) == {"control": 5, "red": 5}
    assert drawn.balance.is_empty()


@pytest.mark.parametrize(
    ("units", "weights", "counts"),
    [
        (1_000, (0.5, 0.3, 0.2), [500, 300, 200]),
        (10, (1 / 3, 1 / 3, 1 / 3), [4, 3, 3]),
        (7, (0.5, 0.5), [4, 3]),
        (11, (0.7, 0.2, 0.1), [8, 2, 1]),
        (5, (1.0, 0.0), [5, 0]),
    ],
)
def test_complete_randomisation_has_the_planned_counts(units, weights, counts):
    assert largest_remainder(units, weights).tolist() == counts
    arms = complete(units, weights, np.random.default_rng(1))
    assert np.bincount(arms, minlength=len(weights)).tolist() == counts


def test_each_stratum_is_split_exactly_where_the_shares_are_whole():
    strata = np.array([0] * 40 + [1] * 20 + [2] * 4)
    arms = stratified(strata, (0.5, 0.25, 0.25), np.random.default_rng(3))
    cells = Counter(zip(strata.tolist(), arms.tolist(), strict=True))
    assert [[cells[stratum, arm] for arm in range(3)] for stratum in range(3)] == [
        [20, 10, 10],
        [10, 5, 5],
        [2, 1, 1],
    ]


@settings(max_examples=100)
@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=20),
    st.lists(st.integers(0, 5), min_size=2, max_size=4).filter(any),
    st.integers(0, 1_000),
)
def test_no_arm_misses_its_share_of_a_stratum_by_a_whole_unit(sizes, weights, seed):
    strata = np.repeat(np.arange(len(sizes)), sizes)
    arms = stratified(strata, weights, np.random.default_rng(seed))
    for number, size in enumerate(sizes):
        found = np.bincount(arms[strata == number], minlength=len(weights))
        assert found.sum() == size
        assert all(
            abs(count - size * weight / sum(weights)) < 1
            for count, weight in zip(found, weights, strict=True)
        )


def test_the_chance_of_an_arm_is_its_weight_though_strata_are_odd():
    strata, weights, times = np.array([0, 0, 0, 1, 1, 1, 1]), (0.5, 0.3, 0.2), 4_000
    drawn = [stratified(strata, weights, np.random.default_rng(seed)) for seed in range(times)]
    for arm, weight in enumerate(weights):
        found = np.mean([arms == arm for arms in drawn], axis=0)
        # Five standard errors of a share over the repetitions.
        assert np.abs(found - weight).max() < 5 * np.sqrt(weight * (1 - weight) / times)


@pytest.mark.parametrize(
    ("weights", "size"), [((0.5, 0.5), 2), ((1 / 3, 1 / 3, 1 / 3), 3), ((0.7, 0.2, 0.1), 10), ((1.0, 0.0), 1)]
)
def test_a_block_is_as_large_as_the_weights_need(weights, size):
    assert block_size(weights) == size


def test_weights_without_small_blocks_are_refused():
    with pytest.raises(ExportError, match="do not divide into small blocks"):
        block_size((0.501, 0.499))


def test_blocks_over_one_covariate_are_neighbours_in_its_order():
    values = np.array([3.0, 90.0, 1.0, 4.0, 91.0, 2.0, 50.0])
    blocks = matched_blocks(values[:, None], 2)
    pairs = sorted(sorted(values[blocks == block].tolist()) for block in set(blocks.tolist()))
    assert pairs == [[1.0, 2.0], [3.0, 4.0], [50.0, 90.0], [91.0]]


def test_matched_blocks_hold_every_arm_in_its_share_and_beat_chance():
    known, weights = population(), {"control": 0.5, "red": 0.25, "blue": 0.25}
    drawn = draw("mail", known, weights, Design("blocked", covariates=("spend", "visits")))
    assert Counter(drawn.table["variant"]) == {"control": 300, "red": 150, "blue": 150}
    halves = draw("mail", known, HALVES, Design("blocked", covariates=("spend", "visits")))
    by_chance = [
        largest_gap(draw(f"mail{n}", known, HALVES, Design()), known, ("spend", "visits")) for n in range(20)
    ]
    assert largest_gap(halves, known, ("spend", "visits")) < statistics.median(by_chance) / 3


def test_covariates_that_do_not_vary_or_repeat_one_another_still_make_blocks():
    columns = np.column_stack([np.ones(12), np.arange(12), 2 * np.arange(12)])
    assert sorted(np.bincount(matched_blocks(columns, 4)).tolist()) == [4, 4, 4]
    assert sorted(np.bincount(matched_blocks(np.ones((5, 1)), 2)).tolist()) == [1, 2, 2]


def test_a_search_takes_the_most_balanced_split_and_says_how_it_compares():
    known = population()
    drawn = draw("mail", known, HALVES, Design(covariates=("spend", "visits"), seeds=25))
    assert drawn.differences[drawn.seed] == min(drawn.differences)
    assert largest_gap(drawn, known, ("spend", "visits")) == pytest.approx(min(drawn.differences))
    assert min(drawn.differences) < statistics.median(drawn.differences)
    first = draw("mail", known, HALVES, Design(covariates=("spend", "visits")))
    assert first.differences == drawn.differences[:1]


def test_a_population_is_assigned_alike_whatever_its_order_and_otherwise_under_another_id():
    known, design = population(), Design("stratified", strata=("country",))
    drawn = draw("mail", known, HALVES, design)
    assert drawn.table.equals(
        draw("mail", known.sample(fraction=1, shuffle=True, seed=5), HALVES, design).table
    )
    assert not drawn.table.equals(draw("other", known, HALVES, design).table)
    cells = Counter(known.join(drawn.table, on="unit_id").select("country", "variant").iter_rows())
    assert cells == {(country, arm): 100 for country in ("US", "DE", None) for arm in HALVES}
    assert set(drawn.table["probability"]) == {0.5}
    assert drawn.balance["feature"].to_list() == ["country = DE", "country = US", "country = unknown"]
    assert drawn.balance["largest_difference"].to_list() == pytest.approx([0, 0, 0])


INTERNAL = (
    "stratum",
    "variant",
    "probability",
    "reason",
    "attributes",
    "feature",
    "unit",
    "index",
    "arm",
    "level",
)


@pytest.mark.parametrize("name", INTERNAL)
def test_a_column_called_like_an_internal_one_is_a_stratum_like_any_other(name):
    """Case column-called-stratum."""
    known = population()
    plain = draw("mail", known, HALVES, Design("stratified", strata=("country",)))
    named = draw("mail", known.rename({"country": name}), HALVES, Design("stratified", strata=(name,)))
    assert named.table.equals(plain.table)
    assert named.balance["feature"].to_list() == [f"{name} = {level}" for level in ("DE", "US", "unknown")]


def test_names_of_levels_and_arms_may_be_those_of_columns():
    """Case column-called-stratum."""
    known = population().with_columns(pl.col("spend").alias("country = US"))
    arms = {"feature": 0.5, "largest_difference": 0.5}
    drawn = draw(
        "mail", known, arms, Design("stratified", strata=("country", "country"), covariates=("country = US",))
    )
    assert drawn.balance["feature"].to_list() == [
        "country = DE",
        "country = US (level)",
        "country = unknown",
        "country = US",
    ]
    assert drawn.balance.columns == [
        "feature",
        "feature (arm)",
        "largest_difference (arm)",
        "largest_difference",
    ]


def test_complete_randomisation_tells_the_share_that_was_drawn():
    table = draw("mail", population(7), HALVES, Design()).table
    assert Counter(table.select("variant", "probability").iter_rows()) == {
        ("control", 4 / 7): 4,
        ("red", 3 / 7): 3,
    }


@pytest.mark.parametrize(
    ("known", "design", "words"),
    [
        (population(0), Design(), "no unit is left"),
        (pl.concat([population(3), population(1)]), Design(), r"a unit stands twice \(unit-0000"),
        (population(3), Design("stratified"), "needs strata"),
        (population(3), Design("blocked"), "needs covariates"),
        (population(3), Design(seeds=5), "needs covariates to balance"),
        (population(3), Design("stratified", strata=("land",)), r"no such column \(land: one of: country"),
        (
            population(3).with_columns(spend=pl.lit(None, pl.Float64)),
            Design(covariates=("spend",), seeds=2),
            "missing or not finite",
        ),
    ],
)
def test_what_a_design_cannot_use_is_refused(known, design, words):
    with pytest.raises(ExportError, match=words):
        draw("mail", known, HALVES, design)
