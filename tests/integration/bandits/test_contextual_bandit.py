"""M36: a contextual bandit through the whole pipeline: learned, served by leaves, audited, the same when rebuilt."""

from __future__ import annotations

import json
import random
from datetime import date, timedelta
from typing import TYPE_CHECKING

import duckdb
import pytest
from tests.built import built
from tests.oracle.bandit_world import DAY, NAME, midnight
from tests.oracle.context_world import FLOOR, ContextShop, platform_of
from tests.oracle.worlds import FIRST_DAY
from tests.sdks import eppo

from fairsplit.analysis.scorecards import render_site
from fairsplit.orchestration.publishing.site.inputs import site_inputs
from fairsplit.orchestration.reading.policies import read_policy
from fairsplit.orchestration.warehouse.opening import writer

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

FIRST_UPDATE, LAST = date(2026, 1, 4), date(2026, 1, 8)


def nine_days(folder: Path) -> None:
    shop = ContextShop(folder)
    for number in range((LAST - FIRST_DAY).days + 1):
        shop.day(FIRST_DAY + timedelta(days=number))
    shop.keep()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> ContextShop:
    return ContextShop.kept(built(tmp_path_factory.mktemp("context") / "shop", nine_days))


def test_m36_the_policy_that_was_planted_is_found_and_served_by_leaves(shop: ContextShop) -> None:
    acts = shop.driven.query("select cut_off, weights, leaves from results.acts order by cut_off")
    assert [day for day, *_ in acts] == [FIRST_UPDATE, FIRST_UPDATE + 3 * DAY]
    for _, weights, leaves in acts:
        # Of the two levels the one with fewer units is named, and everybody else has the weights of the phase.
        assert json.loads(leaves) == [
            {"when": {"platform": ["ios"]}, "weights": {"a": FLOOR, "b": 1 - FLOOR}}
        ]
        assert json.loads(weights) == {"a": 1 - FLOOR, "b": FLOOR}
    flag = shop.config_at(midnight(LAST + 2 * DAY))
    sdk = eppo({"flags": {NAME: flag}, "createdAt": "2026-01-01T00:00:00Z", "format": "SERVER",
                "environment": {"name": "test"}})  # fmt: skip
    for platform, arm in (("ios", "b"), ("web", "a"), ("android", "a"), (None, "a")):
        served = [
            sdk.get_string_assignment(NAME, f"v{number}", {"platform": platform} if platform else {}, "-")
            for number in range(1_000)
        ]
        # A share of .9 of 1,000 units, five standard errors to either side.
        assert 850 < served.count(arm) < 950, platform


def test_m36_every_unit_is_audited_and_weighted_by_the_leaf_that_served_it(shop: ContextShop) -> None:
    [(units, mismatched)] = shop.driven.query("select sum(units), sum(mismatched) from fct_assignment_audits")
    assert (units, mismatched) == (len(shop.shown), 0)
    wrong = shop.driven.query(
        f"""select x.unit_id from fct_exposures as x
            inner join catalog.phase_weights as w using (experiment_id, phase, variant_id)
            where x.experiment_id = '{NAME}' and w.weight is distinct from case
                when x.exposed_at < '{FIRST_UPDATE + 2 * DAY}' then 0.5
                when (x.platform = 'ios') = (x.variant_id = 'b') then {1 - FLOOR} else {FLOOR} end"""
    )
    assert wrong == []
    assert (
        shop.driven.query("select distinct \"check\", status from results.validity where status = 'fail'")
        == []
    )


def test_m36_an_arm_that_is_best_for_everybody_does_not_end_what_is_better_by_context(
    shop: ContextShop,
) -> None:
    # Over everybody a earns .5 and b .4, which is as good as certain by the last day.
    [(chance,)] = shop.driven.query(
        f"select p_best from results.allocations where cut_off = '{LAST}' and variant_id = 'a'"
    )
    assert chance > 0.99
    assert shop.driven.query("select * from results.decisions where decision = 'stop'") == []
    effect = shop.driven.records(
        f"""from results.comparisons where cut_off = '{LAST}' and variant_id = 'b' and segment = 'all'"""
    )[0]
    # .4 * .5 - .6 * .5: an effect over everybody, though b is mostly shown where it is good.
    assert effect["lift_abs"] == pytest.approx(-0.1, abs=4 * effect["lift_std_error"])
    assert effect["lift_std_error"] < 0.05


def test_m36_the_cube_holds_every_closed_window_once(shop: ContextShop) -> None:
    cells = shop.driven.query(
        f"""select context[1], variant_id, sum(n), sum(sum_y), count(distinct fold)
            from fct_context_sums where experiment_id = '{NAME}' group by all"""
    )
    end = midnight(LAST + DAY)
    expected: dict[tuple[str, str], list[int]] = {}
    for one in shop.shown.values():
        if one.at + DAY <= end:
            cell = expected.setdefault((platform_of(one.unit), one.arm), [0, 0])
            cell[0] += 1
            cell[1] += one.unit in shop.bought
    assert {(level, arm): [n, y] for level, arm, n, y, _ in cells} == expected
    assert {folds for *_, folds in cells} == {10}


def test_m57_the_policy_is_told_with_its_worth_and_reasons(shop: ContextShop) -> None:
    with writer(shop.driven.home.warehouse) as connection:
        found = read_policy(connection, NAME)
        inputs = site_inputs(connection, shop.driven.definitions(), shop.driven.catalog, {})
    pages = {page.path: page.content for page in render_site(inputs)}
    policy = found["policy"]
    assert (policy["status"], policy["features"], policy["recommended"]) == ("better", ["platform"], None)
    # Best by platform earns .7 of everybody; the better arm for all at most .6 * .7 + .4 * .2 = .5.
    assert policy["value"] == pytest.approx(0.7, abs=4 * policy["value_se"])
    assert policy["gap"] == pytest.approx(0.2, abs=4 * policy["gap_se"])
    assert 0 < policy["gap_bound"] < policy["gap"]
    assert [leaf["variant_id"] for leaf in found["leaves"]] == ["b", "a"]
    page = str(pages[f"experiments/{NAME}.html"])
    assert "Who gets what" in page
    assert "Beside equal shares" not in page
    # Effects over everybody do not say what shares by context gain.
    gains = shop.driven.query(
        "select distinct gain, reason from results.next_actions where action = 'set_weights'"
    )
    assert gains == [(None, "by_context")]
    assert policy["reasoning"] in page
    document = json.loads(pages[f"api/experiments/{NAME}/policy.json"])["policy"]
    assert document["expected_improvement"] == policy["gap"]
    assert [leaf["conditions"] for leaf in document["leaves"]] == [{"platform": ["ios"]}, {}]


def test_m36_late_data_and_any_order_give_the_bytes_of_a_rebuild(shop: ContextShop, tmp_path: Path) -> None:
    other = shop.fork(tmp_path / "late")
    known = midnight(FIRST_UPDATE)
    poor = [one for one in other.shown.values() if one.at < known and one.unit not in other.bought]
    rows = [
        {"event_id": f"late-{one.unit}", "event_name": "purchase", "user_id": one.unit, "value": 5,
         "occurred_at": f"{(one.at + timedelta(hours=1)).isoformat()}Z", "platform": "web"}
        for one in poor[:40]
    ]  # fmt: skip
    other.land("late.ndjson", LAST + DAY, rows)
    other.judge(LAST)
    again = ContextShop(tmp_path / "again")
    with duckdb.connect(str(again.driven.home.warehouse)) as connection:
        connection.execute(f"attach '{other.driven.home.warehouse}' as before (read_only)")
        connection.execute("create schema results; create table results.acts as from before.results.acts")
    for file in random.Random(7).sample(other.files, len(other.files)):  # noqa: S311
        again.driven.land(file)
    again.judge(LAST)
    assert again.driven.hashes() == other.driven.hashes()
    counts = again.driven.query("select count(*) from results.policies where status = 'better'")
    assert counts[0][0] > 3
