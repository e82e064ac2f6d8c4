"""Sums that 128 bits cannot hold cost the metric of one experiment its figures, and nothing else anything."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from tests.integration.dbt.test_metric_types import HEAD, metric

pytestmark = pytest.mark.integration

#: 10^10 with six decimals, and as many of them as make one unit's square beyond what is added up.
LARGEST, MANY = 10**16, 720
METRICS = {
    "fixed": metric("fixed", "revenue", "simple", "{measure: paid}"),
    "running": metric("running", "revenue", "simple", "{measure: paid}").replace(
        "window: 7d", "window: open"
    ),
    "adjusted": metric("adjusted", "revenue", "simple", "{measure: paid}", more=", cuped: true"),
    "per_order": metric("per_order", "ratio", "ratio", "{numerator: paid_part, denominator: buys_part}"),
    "capped": metric(
        "capped", "revenue", "simple", "{measure: paid}", more=", winsorize: {lower: 0.0, upper: 0.99}"
    ),
    "ranked": metric("ranked", "revenue", "simple", "{measure: paid}", more=", test: mann_whitney"),
    "orders": metric("orders", "count", "simple", "{measure: buys}"),
}


def purchases(world, unit: str, day: str, number: int, value: str = "10000000000") -> None:
    """Many purchases of one unit on one day of January."""
    world.batch += 1
    with world.connect() as connection:
        connection.execute(
            f"""insert into landing.lake
                (event_id, event_name, occurred_at, event_day, user_id, value, properties, row_md5, file_hash)
            select '{unit}-{day}-' || i, 'purchase', timestamp '2026-01-{day} 13:00' + to_seconds(i),
                date '2026-01-{day}',
                '{unit}', {value}, '{{}}', '', '{world.batch:064x}' from range({number}) as numbers (i)"""
        )
        connection.execute(
            f"insert into landing.touched_units values ({world.batch}, date '2026-01-{day}', 'user', '{unit}')"
        )


@pytest.fixture
def two(make_world, viewed):
    """Two homes alike: one is built day by day, the other at once."""
    homes = SimpleNamespace(by_day=make_world("by_day"), at_once=make_world("at_once"))
    for world in (homes.by_day, homes.at_once):
        world.define(HEAD + "".join(METRICS.values()))
        world.experiment(metrics=tuple(METRICS), cuped_days=2)
        world.experiment("other", metrics=("fixed", "running"))
        for number, arm in ((1, "a"), (2, "b"), (3, "a"), (4, "b")):
            world.land(
                viewed(f"v{number}", f"05 1{number}:00", arm, user_id=f"u{number}"),
                viewed(f"w{number}", f"05 1{number}:30", arm, user_id=f"u{number}", experiment_id="other")
                if number > 2
                else viewed(
                    f"w{number}", f"05 1{number}:30", arm, user_id=f"x{number}", experiment_id="other"
                ),
            )
            purchases(world, f"u{number}", "06", 1, "7.5")
            purchases(world, f"x{number}", "07", 1, "10000000000")
    return homes


def test_a_metric_beyond_128_bits_loses_its_figures_from_the_day_on(two):
    by_day, at_once = two.by_day, two.at_once
    by_day.run("10")
    for world in (by_day, at_once):
        purchases(world, "u1", "08", MANY)
    by_day.run("11")
    by_day.run("14")
    at_once.run("14")
    assert by_day.export() == at_once.export()

    # The unit counts in a window of seven days on the 12th; an open window counts as the events come.
    for name in METRICS:
        known = {
            day: by_day.statistics(name, day, "experiment_id = 'exp'")["a"]
            for day in ("07", "11", "12", "14")
        }
        lost = {day for day, row in known.items() if row["sum_y"] is None}
        beyond = {"fixed", "adjusted", "per_order", "capped", "ranked"}
        assert lost == (
            {"12", "14"} if name in beyond else {"11", "12", "14"} if name == "running" else set()
        )
        assert known["14"]["n"] == 2
        for day in lost:
            assert {value for key, value in known[day].items() if key.startswith("sum_")} == {None}
    # What is beside it is untouched: the other arms' units, the metric in another experiment, another metric.
    other = by_day.statistics("fixed", "14", "experiment_id = 'other'")
    assert (other["a"]["sum_y"], other["a"]["sum_yy"]) == (LARGEST + 7_500_000, LARGEST**2 + 7_500_000**2)
    assert by_day.statistics("orders", "14")["a"]["sum_y"] == MANY + 2

    # Once a few of the events are retracted the sums fit again, and are there to the last digit.
    for number in range(20):
        by_day.retract(f"u1-08-{number}")
    by_day.run("14")
    value = (MANY - 20) * LARGEST + 7_500_000
    for name in ("fixed", "running"):
        row = by_day.statistics(name, "14", "experiment_id = 'exp'")["a"]
        assert (row["sum_y"], row["sum_yy"]) == (value + 7_500_000, value**2 + 7_500_000**2)
