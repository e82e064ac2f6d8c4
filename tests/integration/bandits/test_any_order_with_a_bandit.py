"""Promise 2 with a bandit: with the same files and the same journal, any order and any rebuild give the same bytes."""

from __future__ import annotations

import json
import random
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from tests.oracle.bandit_world import ARMS, DAY, EQUAL, NAME, Shop, midnight, shares_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.integration,
    pytest.mark.xdist_group("warehouse"),
    # dbt leaves its log file to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"),
]

UPDATE, LAST = date(2026, 1, 4), date(2026, 1, 8)
JOURNAL = "from results.acts order by all"
HISTORY = f"""select phase, variant_id, weight from catalog.phase_weights where experiment_id = '{NAME}' order by all"""


def late_rows(shop: Shop) -> list[dict[str, Any]]:
    """Rewards of arm a before the first update, and an exposure that puts a unit into an earlier phase."""
    known = midnight(UPDATE + DAY)
    poor = [
        one
        for one in shop.shown.values()
        if one.arm == "a" and one.at + DAY <= known and one.unit not in shop.bought
    ]
    rows = [
        {"event_id": f"late-{one.unit}", "event_name": "purchase", "user_id": one.unit, "value": 5,
         "occurred_at": f"{(one.at + timedelta(hours=1)).isoformat()}Z"}
        for one in poor
    ]  # fmt: skip
    moved = next(one for one in shop.shown.values() if one.at.date() == LAST and one.arm == "a")
    first = {"event_name": "experiment_viewed", "experiment_id": NAME, "variation_id": "a", "platform": "web"}
    at = f"{datetime(2026, 1, 5, 12).isoformat()}Z"  # noqa: DTZ001
    return [*rows, {"event_id": "late-first", "user_id": moved.unit, "occurred_at": at, **first}]


@pytest.fixture(scope="module")
def grown(week: Shop, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The third update is set; then late rows and a file that repeats a day arrive, and all is worked off."""
    shop = week.fork(tmp_path_factory.mktemp("grown") / "shop")
    shop.day(LAST)
    again = [json.loads(line) for line in shop.files[4].text.splitlines()]
    shop.land("late.ndjson", LAST, late_rows(shop))
    shop.land("again.ndjson", LAST, reversed(again))
    shop.judge(LAST)
    shop.driven.export()
    return shop


def test_weights_that_were_served_stay_though_late_data_would_set_others(week: Shop, grown: Shop) -> None:
    journal = {
        day: json.loads(weights)
        for day, weights in grown.driven.query("select cut_off, weights from results.acts")
    }
    assert len(journal) == 3
    before = week.driven.query(
        f"select variant_id, n, mean from results.allocations where cut_off = '{UPDATE}'"
    )
    after = grown.driven.query(
        f"select variant_id, n, mean, next_weight from results.allocations where cut_off = '{UPDATE}'"
    )
    means = {arm: mean for arm, _, mean in before}, {arm: mean for arm, _, mean, _ in after}
    assert means[1]["a"] == 1.0 > means[0]["a"]
    # Arm a would now be set to more than it was given, and history says what it was given.
    assert {arm: weight for arm, _, _, weight in after}["a"] > journal[UPDATE]["a"] + 0.2
    expected = [
        (phase, arm, weights[arm])
        for phase, weights in enumerate([EQUAL, *map(journal.get, sorted(journal))])
        for arm in ARMS
    ]
    assert grown.driven.query(HISTORY) == expected
    assert shares_of(grown.config_at(midnight(LAST + 2 * DAY))) == journal[LAST]
    # A unit whose first exposure came late has the share of that earlier time.
    moved = next(row["user_id"] for row in late_rows(grown) if row["event_id"] == "late-first")
    assert grown.driven.query(f"select phase from fct_exposures where unit_id = '{moved}'") == [(0,)]


def test_another_order_and_a_rebuild_with_the_same_journal_give_the_same_bytes(
    grown: Shop, tmp_path: Path
) -> None:
    other = Shop(tmp_path / "other")
    with duckdb.connect(str(other.driven.home.warehouse)) as connection:
        connection.execute(f"attach '{grown.driven.home.warehouse}' as before (read_only)")
        connection.execute("create schema results; create table results.acts as from before.results.acts")
    files = random.Random(5).sample(grown.files, len(grown.files))  # noqa: S311
    for number, file in enumerate(files):
        other.driven.land(file)
        if number == 3:
            other.driven.ingest()
            other.driven.build(date(2026, 1, 5))
            other.driven.judge()
    other.judge(LAST)
    assert other.driven.hashes() == grown.driven.hashes()
    other.driven.export()
    assert other.driven.query(JOURNAL) == grown.driven.query(JOURNAL)
    ufc = [(shop.driven.home.exports / "current" / "ufc.json").read_bytes() for shop in (other, grown)]
    assert ufc[0] == ufc[1]
    # Adaptively weighted figures are there to be compared.
    [(rows,)] = grown.driven.query(
        "select count(*) from results.comparisons where method = 'adaptive_weights' and status = 'ok'"
    )
    assert rows > 10


def test_a_full_refresh_in_place_changes_nothing(grown: Shop, tmp_path: Path) -> None:
    shop = grown.fork(tmp_path / "refreshed")
    shop.driven.query("delete from work.state where key in ('frontier', 'target')")
    shop.driven.query("delete from results.judged")
    shop.judge(LAST)
    assert shop.driven.hashes() == grown.driven.hashes()
