"""Filters, aggregations, derived and conversion metrics against values worked out by hand."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.integration

HEAD = """\
semantic_models:
  - name: events
    model: ref('stg_events')
    defaults: {agg_time_dimension: occurred_at}
    entities:
      - {name: event, type: primary, expr: event_id}
      - {name: user, type: foreign, expr: user_id}
    dimensions:
      - {name: occurred_at, type: time, type_params: {time_granularity: day}}
      - {name: country, type: categorical}
      - {name: size, type: categorical, expr: "properties->>'$.size'"}
    measures:
      - {name: paid, agg: sum, expr: "case when event_name = 'purchase' then value end"}
      - {name: back, agg: sum, expr: "case when event_name = 'refund' then value end", \
config: {meta: {fairsplit: {scale: 100}}}}
      - {name: buys, agg: count, expr: "case when event_name = 'purchase' then 1 end"}
      - {name: clicks, agg: count, expr: "case when event_name = 'click' then 1 end"}
      - {name: large, agg: sum_boolean, expr: value > 10}
      - {name: bad_casts, agg: sum, expr: "cast(url as integer)"}
      - {name: pages, agg: count_distinct, expr: url}
metrics:
  - {name: paid_part, label: Paid, type: simple, type_params: {measure: paid}}
  - {name: back_part, label: Back, type: simple, type_params: {measure: back}}
  - {name: buys_part, label: Buys, type: simple, type_params: {measure: buys}}
"""
META = "config: {{meta: {{fairsplit: {{kind: {kind}, unit: x, direction: increase, window: 7d{more}}}}}}}"


def metric(name: str, kind: str, type_: str, params: str, *, extra: str = "", more: str = "") -> str:
    meta = META.format(kind=kind, more=more)
    return f"  - {{name: {name}, label: x, type: {type_}, type_params: {params}, {extra}{meta}}}\n"


CASES = {
    "in_germany": metric(
        "in_germany", "revenue", "simple", "{measure: paid}",
        extra="""filter: "{{ Dimension('event__country') }} = 'DE'", """,
    ),
    "small_in_germany": metric(
        "small_in_germany", "revenue", "simple",
        """{measure: {name: paid, filter: "{{ Dimension('event__size') }} = 's'"}}""",
        extra="""filter: "{{ Dimension('event__country') }} = 'DE'", """,
    ),
    "bought_small": metric(
        "bought_small", "proportion", "simple", "{measure: buys}",
        extra="""filter: ["{{ Dimension('event__size') }} = 's'"], """,
    ),
    "late_pages": metric(
        "late_pages", "count_distinct", "simple", "{measure: pages}",
        extra="""filter: "{{ TimeDimension('event__occurred_at', 'day') }} > date '2026-01-06'", """,
    ),
    "large_events": metric("large_events", "count", "simple", "{measure: large}"),
    "numbers_in_urls": metric("numbers_in_urls", "count", "simple", "{measure: bad_casts}"),
    "net": metric(
        "net", "revenue", "derived", "{expr: paid_part / 4 + back_part * 0.5, metrics: [paid_part, back_part]}",
        more=", cuped: true",
    ),
    "net_open": metric(
        "net_open", "revenue", "derived", "{expr: paid_part + back_part, metrics: [paid_part, back_part]}",
    ).replace("window: 7d", "window: open"),
    "kept_share": metric(
        "kept_share", "ratio", "derived",
        "{expr: (paid + back_part) / paid, metrics: [{name: paid_part, alias: paid}, back_part]}",
    ),
    "order_in_germany": metric(
        "order_in_germany", "ratio", "ratio",
        """{numerator: {name: paid_part, filter: "{{ Dimension('event__country') }} = 'DE'"}, """
        "denominator: buys_part}",
    ),
    "bought_after_click": metric(
        "bought_after_click", "ratio", "conversion",
        "{conversion_type_params: {entity: user, base_measure: clicks, conversion_measure: buys, window: 1 hour}}",
    ),
    "ever_after_click": metric(
        "ever_after_click", "count", "conversion",
        "{conversion_type_params: {entity: user, calculation: conversions, base_measure: clicks, "
        "conversion_measure: buys}}",
    ),
}  # fmt: skip


def test_filters_sums_and_conversions_by_hand(world, viewed):
    """Cases of point 1: a filter reaches the numbers, and every type gives what its definition says."""
    world.define(HEAD + "".join(CASES.values()))
    world.experiment(metrics=tuple(CASES), cuped_days=2)

    def event(name: str, at: str, value: float | None = None, size: str = "", **more: str) -> dict:
        properties = {"size": size} if size else {}
        return {"id": f"{name}-{at}", "name": name, "at": at, "user_id": "u1", "value": value,
                "properties": properties} | more  # fmt: skip

    world.land(
        viewed("v1", "05 12:00", "a", user_id="u1"),
        viewed("v2", "05 12:00", "a", user_id="u2"),
        event("purchase", "04 12:00", 100, "s", country="DE"),
        event("click", "05 12:30", url="7"),
        event("purchase", "05 13:00", 8, "s", country="DE", url="a"),
        event("purchase", "06 10:00", 20.5, "l", country="DE", url="a"),
        event("click", "06 11:00", url="b"),
        event("purchase", "06 12:00", 1.5, "s", country="US", url="b"),
        event("purchase", "06 12:00:01", 4, "s", country="US", url="3"),
        event("refund", "07 09:00", -10.25, url="c"),
    )
    world.run("13")

    def sums(name: str, *columns: str) -> list:
        row = world.statistics(name, "13")["a"]
        assert row["n"] == 2
        return [row[column] for column in columns]

    millionths, fours = 10**6, 4 * 10**6
    assert sums("in_germany", "sum_y", "sum_yy") == [28_500_000, 28_500_000**2]
    assert sums("small_in_germany", "sum_y") == [8 * millionths]
    assert sums("bought_small", "sum_y") == [1]
    assert sums("late_pages", "sum_y") == [1]
    assert sums("large_events", "sum_y") == [1]
    # Where the cast fails on an event, the event does not count: 7 and 3 are left.
    assert sums("numbers_in_urls", "sum_y") == [10 * millionths]
    # 34 / 4 − 10.25 / 2 = 3.375; before exposure 100 / 4 = 25.
    assert sums("net", "sum_y", "sum_x", "scale_y") == [3.375 * fours, 25 * fours, fours]
    assert sums("net_open", "sum_y", "scale_y") == [23.75 * millionths, millionths]
    assert sums("kept_share", "sum_y", "sum_d") == [23.75 * millionths, 34 * millionths]
    assert sums("order_in_germany", "sum_y", "sum_d", "scale_d") == [28_500_000, 4, 1]
    # Two clicks; of the purchases only that of 13:00 comes within an hour of one, for the hour is half-open.
    assert sums("bought_after_click", "sum_y", "sum_d", "sum_yd") == [1, 2, 2]
    assert sums("ever_after_click", "sum_y", "sum_d") == [4, None]


def test_the_hour_after_a_click_is_half_open(world, viewed):
    """Exactly an hour later is outside, the same instant inside."""
    world.define(HEAD + CASES["bought_after_click"])
    world.experiment(metrics=("bought_after_click",))
    world.land(viewed("v1", "05 12:00", "a", user_id="u1"))
    for at in ("05 13:00", "05 13:59", "05 14:00", "05 15:00"):
        world.land({"id": f"p-{at}", "name": "purchase", "at": at, "user_id": "u1", "value": 1})
    world.land({"id": "c", "name": "click", "at": "05 13:00", "user_id": "u1"})
    world.run("13")
    assert json.dumps(world.statistics("bought_after_click", "13")["a"]["sum_y"]) == "2"
