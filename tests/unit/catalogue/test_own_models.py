"""Metrics on a team's own dbt models (issue 18, point 2): several files, packages, `ref`, the shipped library."""

from __future__ import annotations

import json
import textwrap
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from fairsplit.orchestration.catalogue.loading import Definitions, read_definitions
from fairsplit.orchestration.landing.sql import EVENT_COLUMNS, EVENT_TYPES

SOURCE = """\
id: orders
table: analytics.fct_orders
model: fct_orders
from: {driver: duckdb, uri_from: SHOP}
columns: {event_id: order_id, user_id: customer_id, occurred_at: ordered_at, value: Total}
properties: [status, items, gift, margin]
"""
MODEL = """\
semantic_models:
  - name: orders
    model: ref('shop', "fct_orders")
    defaults: {agg_time_dimension: ordered}
    entities: [{name: order, type: primary, expr: order_id}, {name: customer, type: foreign, expr: customer_id}]
    dimensions:
      - {name: ordered, type: time, expr: ordered_at, type_params: {time_granularity: day}}
      - {name: state, type: categorical, expr: status}
    measures:
      - {name: paid, agg: sum, expr: "case when status = 'paid' then total end"}
      - {name: many, agg: count, expr: "case when items > 9 then 1 end"}
      - {name: gifts, agg: sum_boolean, expr: gift}
      - {name: margin, agg: sum}
"""
METRICS = """\
metrics:
  - {name: order_revenue, label: Revenue, type: simple, type_params: {measure: paid}, config: {meta: {fairsplit:
      {kind: revenue, unit: euro, direction: increase, window: 7d}}}}
  - {name: big_orders, label: Big, type: simple, type_params: {measure: many}, config: {meta: {fairsplit:
      {kind: count, unit: orders, direction: increase, window: 7d}}},
     filter: "{{ Dimension('order__state') }} <> 'draft' and {{ TimeDimension('metric_time', 'day') }} > '2026-01-01'"}
  - {name: gift_orders, label: Gifts, type: simple, type_params: {measure: gifts}, config: {meta: {fairsplit:
      {kind: proportion, unit: share, direction: increase, window: 7d}}}}
  - {name: margins, label: Margin, type: simple, type_params: {measure: margin}, config: {meta: {fairsplit:
      {kind: revenue, unit: euro, direction: increase, window: 7d}}}}
"""
COLUMNS = """\
models:
  - name: fct_orders
    columns:
      - {name: items, data_type: integer}
      - {name: gift, data_type: boolean}
      - {name: margin, data_type: "numeric(18,2)"}
      - {name: total, data_type: decimal}
"""


def project(folder: Path, dbt: dict[str, str], source: str = SOURCE) -> Definitions:
    for name, text in {"dbt/dbt_project.yml": "name: shop\nmodel-paths: [models, more]\n", **dbt}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(textwrap.dedent(text))
    (folder / "catalog" / "sources").mkdir(parents=True, exist_ok=True)
    (folder / "catalog" / "sources" / "orders.yaml").write_text(source)
    (folder / "catalog" / "project.yaml").write_text("name: x\n")
    return read_definitions(folder / "catalog", folder / "dbt")


def worth(found: Definitions, metric: str) -> list[object]:
    """What the metric's measure gives on four events: three orders, and one of another source."""
    rows = [
        ("fct_orders", "19.90", {"status": "paid", "items": 10, "gift": True, "margin": 1.25}),
        ("fct_orders", "5.00", {"status": "draft", "items": 12, "gift": False, "margin": -0.5}),
        ("fct_orders", "7.00", {"status": "paid", "items": "9"}),
        ("purchase", "1000", {"status": "paid", "items": 99, "gift": True, "margin": 99}),
    ]
    with duckdb.connect() as connection:
        columns = ", ".join(f'"{name}" {EVENT_TYPES.get(name, "varchar")}' for name in EVENT_COLUMNS)
        connection.execute(f"create table events ({columns})")
        for number, (name, value, kept) in enumerate(rows):
            connection.execute(
                "insert into events by name select ? as event_id, ? as event_name, timestamp '2026-01-02' as "
                "occurred_at, ?::decimal(18, 6) as value, ? as properties",
                [str(number), name, value, json.dumps(kept)],
            )
        measure = found.measures[found.metrics[metric].numerator]
        return [
            row
            for (row,) in connection.execute(
                f"select ({measure.expr}) from events order by event_id"
            ).fetchall()
        ]


def test_measures_over_columns_of_the_teams_own_model(tmp_path: Path) -> None:
    """In three files of two folders; by hand: text by translation, numbers by declared type, filters, and nothing of
    another source's events."""
    found = project(
        tmp_path,
        {
            "dbt/models/marts/orders.yml": MODEL,
            "dbt/more/metrics.yaml": METRICS,
            "dbt/models/columns.yml": COLUMNS,
        },
    )
    assert found.metric_problems == ()
    assert worth(found, "order_revenue") == [Decimal("19.90"), None, Decimal(7), None]
    assert worth(found, "big_orders") == [1, None, None, None]
    assert worth(found, "gift_orders") == [1, None, None, None]
    assert worth(found, "margins") == [Decimal("1.25"), Decimal("-0.5"), None, None]


def test_another_mapping_is_another_definition(tmp_path: Path) -> None:
    """Else values that rest on another column would stand."""
    files = {"dbt/models/orders.yml": MODEL + METRICS, "dbt/models/columns.yml": COLUMNS}
    before = project(tmp_path / "a", files).metrics
    after = project(tmp_path / "b", files, SOURCE.replace("value: Total", "value: net")
                    .replace("[status", "[total, status")).metrics  # fmt: skip
    assert before["order_revenue"].definition_hash != after["order_revenue"].definition_hash
    assert before["big_orders"].definition_hash == after["big_orders"].definition_hash


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            ("model: fct_orders\n", "constants: {event_name: order}\n"),
            "a source of the catalogue with `model: fct_orders`",
        ),
        (
            ("[status, items", "[state, items"),
            "is no column that source orders gives (status: one of: customer_id, gift",
        ),
        (
            ("occurred_at: ordered_at", "occurred_at: written_at"),
            "events count by the time they occurred at (ordered: written_at)",
        ),
    ],
)
def test_what_the_source_does_not_give_is_told(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    assert change[0] in SOURCE
    found = project(
        tmp_path, {"dbt/models/a.yml": MODEL + METRICS, "dbt/models/b.yml": COLUMNS}, SOURCE.replace(*change)
    )
    assert "order_revenue" in found.refused_metrics
    assert said in "\n".join(str(problem) for problem in found.metric_problems)


def test_all_properties_are_those_that_dbt_declares(tmp_path: Path) -> None:
    """Else a column written wrong would be a property that no event has: a metric of zeros."""
    source = SOURCE.replace("[status, items, gift, margin]", '"*"')
    found = project(tmp_path, {"dbt/models/a.yml": MODEL + METRICS, "dbt/models/b.yml": COLUMNS}, source)
    assert sorted(found.refused_metrics) == ["big_orders", "order_revenue"]
    assert "declare it below `columns` of the model" in str(found.metric_problems)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (SOURCE + "events: [{name: a}]\n", "a row of a model is one event of one name"),
        (SOURCE.replace("model: fct_orders", "model: a b"), "model"),
    ],
)
def test_a_source_that_cannot_be_a_models_is_refused(tmp_path: Path, source: str, said: str) -> None:
    found = project(tmp_path, {}, source)
    assert found.catalogue.sources == {}
    assert said in str(found.catalogue.problems)


def test_events_of_two_sources_are_told_apart(tmp_path: Path) -> None:
    other = "id: more\nfiles: x.csv\ncolumns: {event_id: a, occurred_at: b}\nconstants: {event_name: fct_orders}\n"
    (tmp_path / "catalog" / "sources").mkdir(parents=True)
    (tmp_path / "catalog" / "sources" / "more.yaml").write_text(other)
    found = project(tmp_path, {})
    assert list(found.catalogue.sources) == ["more"]
    assert "another source gives events of the name that the model's rows have" in str(
        found.catalogue.problems
    )


def test_metrics_of_packages_and_not_of_fairsplits_own(tmp_path: Path) -> None:
    files = {
        "dbt/dbt_packages/pack/dbt_project.yml": "name: pack\nmodel-paths: [deep]\n",
        "dbt/dbt_packages/pack/deep/down/m.yml": MODEL + METRICS,
        "dbt/dbt_packages/fairsplit/dbt_project.yml": "name: fairsplit\n",
        "dbt/dbt_packages/fairsplit/models/semantic/m.yml": METRICS.replace("order_revenue", "shipped"),
        "dbt/models/columns.yml": COLUMNS,
    }
    found = project(tmp_path, files)
    assert found.metric_problems == ()
    assert sorted(found.metrics) == ["big_orders", "gift_orders", "margins", "order_revenue"]


EVENTS = """\
semantic_models:
  - {name: events, model: ref('stg_events'), defaults: {agg_time_dimension: occurred_at}, entities: [{name: event,
     type: primary, expr: event_id}], dimensions: [{name: occurred_at, type: time, type_params:
     {time_granularity: day}}], measures: [{name: NAME, agg: count, expr: "case when event_name = 'buy' then 1 end"}]}
metrics: []
"""


@pytest.mark.parametrize(
    ("measure", "library", "names", "said"),
    [
        ("buys", "[ctr, checkout_funnel]", ["checkout_funnel", "ctr"], ""),
        (
            "buys",
            "[chekout_funnel]",
            [],
            "is no metric that is shipped (chekout_funnel: the name of a shipped metric). Hint: did you mean",
        ),
        (
            "purchases",
            "[checkout_conversion]",
            ["checkout_conversion"],
            "a measure of the library has the name too",
        ),
    ],
)
def test_shipped_metrics_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, measure: str, library: str, names: list[str], said: str
) -> None:
    monkeypatch.delenv("FAIRSPLIT_CATALOG", raising=False)
    monkeypatch.setenv("FAIRSPLIT_PROJECT", str(tmp_path))
    (tmp_path / "fairsplit.yaml").write_text("catalog: catalog\ndbt: dbt\n")
    project(tmp_path, {"dbt/models/m.yml": EVENTS.replace("NAME", measure)})
    (tmp_path / "fairsplit.yaml").write_text(f"catalog: catalog\ndbt: dbt\nlibrary: {library}\n")
    found = read_definitions()
    taken = sorted(name for name, metric in found.metrics.items())
    assert [name for name in taken if name in names] == names
    assert said in "\n".join(str(problem) for problem in found.metric_problems)
    assert len(found.metrics) < 10
