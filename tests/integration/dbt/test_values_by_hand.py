"""Each kind of metric against values worked out by hand; window edges are where the mistakes live."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.integration

KINDS = (
    "checkout_conversion",
    "purchases_per_user",
    "revenue_per_user",
    "revenue_per_user_winsorized",
    "revenue_p90",
    "ctr",
    "retention_day_7",
    "distinct_sessions_per_user",
    "checkout_funnel",
    "time_to_purchase",
    "conversion_rate_open",
    "revenue_per_user_open",
)


def test_every_kind_of_metric(world, viewed):
    world.experiment(metrics=KINDS, cuped_days=2)
    world.land(
        viewed("v1", "05 12:00", "a", user_id="u1"),
        viewed("v2", "06 00:00", "a", user_id="u2"),
        viewed("v3", "05 12:00", "b", user_id="u3"),
        # u1, window [05 12:00, 12 12:00), covariate [03 12:00, 05 12:00).
        {"id": "a1", "name": "purchase", "at": "03 11:59", "user_id": "u1", "value": 100},
        {"id": "a2", "name": "purchase", "at": "03 12:00", "user_id": "u1", "value": 1},
        {"id": "a3", "name": "purchase", "at": "05 11:59", "user_id": "u1", "value": 2},
        {"id": "a4", "name": "purchase", "at": "05 12:00", "user_id": "u1", "value": 10, "session_id": "s1"},
        {"id": "a5", "name": "refund", "at": "08 00:00", "user_id": "u1", "value": -4, "session_id": "s1"},
        {
            "id": "a6",
            "name": "purchase",
            "at": "12 11:59",
            "user_id": "u1",
            "value": 20.5,
            "session_id": "s2",
        },
        {"id": "a7", "name": "purchase", "at": "12 12:00", "user_id": "u1", "value": 1000},
        # u2, exposed at midnight: window [06, 13) closes with the 12th.
        {"id": "b1", "name": "impression", "at": "07 01:00", "user_id": "u2"},
        {"id": "b2", "name": "impression", "at": "07 02:00", "user_id": "u2"},
        {"id": "b3", "name": "click", "at": "07 03:00", "user_id": "u2"},
        {"id": "b4", "name": "page_view", "at": "13 00:00", "user_id": "u2"},
        {"id": "b5", "name": "click", "at": "13 00:00", "user_id": "u2"},
        {"id": "b6", "name": "conversion", "at": "14 10:00", "user_id": "u2"},
        # u3 checks out before the cart, then in order; the purchase comes 1 day and 1 hour after exposure.
        {"id": "c1", "name": "checkout_started", "at": "05 13:00", "user_id": "u3"},
        {"id": "c2", "name": "add_to_cart", "at": "05 14:00", "user_id": "u3"},
        {"id": "c3", "name": "checkout_started", "at": "06 12:00", "user_id": "u3"},
        {"id": "c4", "name": "purchase", "at": "06 13:00", "user_id": "u3", "value": 3},
    )
    world.run("14")

    conversion = world.statistics("checkout_conversion", "12")
    assert (conversion["a"]["n"], conversion["a"]["sum_y"]) == (2, 1)
    assert (conversion["b"]["n"], conversion["b"]["sum_y"]) == (1, 1)
    # On the 11th no window has closed; u2's, from midnight, closes together with the others on the 12th.
    assert (world.statistics("checkout_conversion", "11")["a"]["n_open"]) == 2
    assert world.statistics("purchases_per_user", "12")["a"]["sum_yy"] == 2 * 2

    revenue = world.statistics("revenue_per_user", "12")["a"]
    assert (revenue["sum_y"], revenue["sum_x"]) == (26_500_000, 3_000_000)
    assert (revenue["sum_yx"], revenue["scale_y"]) == (26_500_000 * 3_000_000, 1_000_000)
    capped = world.statistics("revenue_per_user_winsorized", "12")
    assert (capped["a"]["cap_low"], capped["a"]["cap_high"], capped["b"]["sum_y"]) == (
        0,
        26_500_000,
        3_000_000,
    )
    assert world.rows(
        "select variant_id, value, units from fct_value_histograms where metric = 'revenue_p90' "
        "and cut_off = '2026-01-12' order by all"
    ) == [("a", 0, 1), ("a", 26_500_000, 1), ("b", 3_000_000, 1)]

    ctr = world.statistics("ctr", "14")["a"]
    assert (ctr["sum_y"], ctr["sum_d"], ctr["sum_yd"], ctr["sum_dd"]) == (1, 2, 2, 4)
    assert world.statistics("retention_day_7", "14")["a"]["sum_y"] == 1
    assert world.statistics("distinct_sessions_per_user", "14")["a"]["sum_y"] == 2
    assert world.statistics("checkout_funnel", "14")["b"]["sum_y"] == 1
    seconds = world.statistics("time_to_purchase", "14")
    assert (seconds["b"]["sum_y"], seconds["b"]["sum_d"]) == (25 * 3600 * 1_000_000, 1)
    assert (seconds["a"]["sum_y"], seconds["a"]["sum_d"]) == (0, 1)

    assert world.statistics("conversion_rate_open", "13")["a"]["sum_y"] == 0
    assert world.statistics("conversion_rate_open", "14")["a"]["sum_y"] == 1
    assert world.statistics("revenue_per_user_open", "07")["a"]["sum_y"] == 10_000_000
    assert world.statistics("revenue_per_user_open", "12")["a"]["sum_y"] == 1_026_500_000
    assert world.statistics("revenue_per_user_open", "12")["a"]["sum_yy"] == 1_026_500_000**2


def test_history_that_begins_too_late_is_a_status(world, viewed):
    world.experiment(metrics=("revenue_per_user",), cuped_days=5)
    world.land(viewed("v1", "05 12:00", "a", user_id="u1"))
    world.run("12")
    row = world.statistics("revenue_per_user", "12")["a"]
    assert (row["covariate_status"], row["sum_x"], row["n"]) == ("covariate_history_incomplete", None, 1)


def test_crossing_counts_from_its_own_day_on(world, viewed):
    world.experiment(metrics=("checkout_conversion_open",))
    world.land(
        viewed("v1", "05 12:00", "a", user_id="u1"),
        viewed("v2", "08 12:00", "b", user_id="u1"),
        {"id": "p1", "name": "purchase", "at": "06 12:00", "user_id": "u1", "value": 1},
    )
    world.run("09")
    found = world.rows(
        "select day(cut_off), n, sum_y from fct_sufficient_statistics where analysis = 'crossovers_excluded' "
        "and variant_id = 'a' and segment = 'all' order by 1"
    )
    assert found == [(5, 1, 0), (6, 1, 1), (7, 1, 1), (8, 0, 0), (9, 0, 0)]
    assert world.statistics("checkout_conversion_open", "09")["a"]["n"] == 1


def test_late_event_rewrites_only_what_it_touches(world, viewed):
    world.experiment(metrics=("revenue_per_user",))
    world.land(
        viewed("v1", "05 12:00", "a", user_id="u1"),
        viewed("v2", "05 12:00", "a", user_id="u2"),
        viewed("v3", "06 12:00", "b", user_id="u3"),
        {"id": "p1", "name": "purchase", "at": "07 12:00", "user_id": "u2", "value": 1},
    )
    world.run("15")
    world.land({"id": "p2", "name": "purchase", "at": "07 13:00", "user_id": "u1", "value": 5})
    world.run("15")
    rewritten = world.rows(
        "select model, partition, rows_changed from fct_rewrites where rows_changed > 0 order by all"
    )
    statistics = [
        ("fct_sufficient_statistics", f"exp/revenue_per_user/2026-01-{day}", 4) for day in (12, 13, 14, 15)
    ]
    assert rewritten == [
        ("fct_event_quality", "2026-01-07", 1),
        ("fct_hourly_activity", "2026-01-07", 2),
        *statistics,
        ("int_increments", "exp/revenue_per_user/2026-01-12", 2),
        ("int_unit_days", "2026-01-07", 1),
        ("int_unit_values", "2026-01-12", 1),
    ]
    computed = world.rows("select rows_computed from fct_rewrites where model = 'int_unit_values'")
    assert computed == [(1,)]


def test_new_metric_leaves_the_others_alone(world, viewed):
    world.experiment("old", ("revenue_per_user",))
    world.experiment("exp", ("revenue_per_user",))
    world.land(
        viewed("v1", "05 12:00", "a", user_id="u1"),
        {"id": "p1", "name": "purchase", "at": "07 12:00", "user_id": "u1", "value": 1},
    )
    world.run("13")
    world.experiment("exp", ("revenue_per_user", "purchases_per_user"))
    world.run("13")
    assert world.statistics("purchases_per_user", "12")["a"]["sum_y"] == 1
    changed = world.rows(
        "select distinct split_part(partition, '/', 1), split_part(partition, '/', 2) from fct_rewrites "
        "where model = 'fct_sufficient_statistics' and rows_changed > 0"
    )
    assert changed == [("exp", "purchases_per_user")]
    world.experiment("exp", ("purchases_per_user",))
    world.run("13")
    assert world.statistics("revenue_per_user", "12", "experiment_id = 'exp'") == {}
    assert world.rows("select value from work.state where key = 'frontier'") == [("2026-01-13",)]
