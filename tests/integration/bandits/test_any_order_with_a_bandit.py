"""Promise 2 with a bandit: with the same files and the same journal, any order and any rebuild give the same bytes."""

from __future__ import annotations

import json
import random
from datetime import date
from typing import TYPE_CHECKING

import duckdb
import pytest
from tests.oracle.bandit_world import ARMS, DAY, EQUAL, NAME, Shop, midnight, shares_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

UPDATE, LAST = date(2026, 1, 4), date(2026, 1, 8)
JOURNAL = "from results.acts order by all"
HISTORY = f"""select phase, variant_id, weight from catalog.phase_weights where experiment_id = '{NAME}' order by all"""


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
    moved = "(select user_id from landing.raw_events where event_id = 'late-first')"
    assert grown.driven.query(f"select phase from fct_exposures where unit_id = {moved}") == [(0,)]


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
