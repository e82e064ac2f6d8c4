"""A measure whose SQL the warehouse does not understand is refused before dbt would fail on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

from fairsplit.analysis.catalogue.measures import Measure, SqlText
from fairsplit.analysis.catalogue.metrics import read_semantic_layer
from fairsplit.orchestration.catalogue.measure_checks import measure_faults
from fairsplit.orchestration.project import DBT_PROJECT_DIR

if TYPE_CHECKING:
    from pathlib import Path


def test_shipped_measures_bind() -> None:
    assert measure_faults(read_semantic_layer(DBT_PROJECT_DIR).measures) == {}


def fault(sql: str, wants: Literal["any", "number", "boolean"] = "any") -> str:
    measure = Measure("it", "count", sql, 1, (SqlText(sql, "m.yml:3 measures[0].expr", wants),))
    return str(measure_faults({"it": measure}).get("it", ""))


def test_a_misspelt_column_is_named() -> None:
    good = Measure(
        "purchases", "count", "1", 1, (SqlText("case when value > 1 then 1 end", "m.yml:2", "any"),)
    )
    bad = Measure("spent", "sum", "valeu * 2", 1_000_000, (SqlText("valeu * 2", "m.yml:7", "number"),))
    faults = measure_faults({"purchases": good, "spent": bad})
    assert list(faults) == ["spent"]
    assert str(faults["spent"]).startswith(
        "m.yml:7: the warehouse does not understand the expression (valeu * 2: one scalar expression over the "
        "columns of stg_events). Hint: valeu is no column of an event; did you mean 'value'?"
    )


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("1 from events; copy (select 42) to '{0}'; select 1", "syntax error"),
        ("1); copy (select 42) to '{0}'; select (1", "it is more than one expression"),
        ("1), (2", "it is more than one expression"),
        ("1) as a from events where (true", "it is more than one expression"),
        ("1) union all select (2", "it is more than one expression"),
        ("1) limit (1", "it is more than one expression"),
        ("(select count(*) from read_csv('{0}'))", "subquery is not allowed in it"),
        ("exists (select 1 from events)", "subquery is not allowed in it"),
        ("value in (select 1)", "subquery is not allowed in it"),
        ("row_number() over ()", "window is not allowed in it"),
        ("sum(value)", "the function sum is not allowed in it"),
        ("count(*)", "the function count_star is not allowed in it"),
        ("read_text('{0}')", "the function read_text is not allowed in it"),
        ("getenv('HOME')", "the function getenv is not allowed in it"),
        ("current_setting('threads')", "the function current_setting is not allowed in it"),
        ("random()", "the function random is not allowed in it"),
        ("now()", "the function now is not allowed in it"),
        ("current_date", "current_date is no column of an event"),
        ("user", "user is no column of an event"),
        ("repeat('x', 1000000000000)", "the function repeat is not allowed in it"),
        ("list_transform([1], lambda x: x)", "not allowed in it"),
        ("*", "not allowed in it"),
        ("$1", "it is more than one expression"),
        ("'a", "unterminated"),
        ("", "the function row is not allowed in it"),
        ("other.value", "is no column of an event"),
        ("value -- 1\n) from events; drop table events; select (1", "it is more than one expression"),
        ("a" * 10_001, "it is longer than 10000 characters"),
        ("(" * 2_000 + "1" + ")" * 2_000, ""),
    ],
)
def test_nothing_of_a_users_sql_is_run(sql: str, reason: str, tmp_path: Path) -> None:
    """Case measure-that-runs-sql: one scalar expression over the event's columns, or a refusal; no file is touched."""
    target = tmp_path / "written-by-validate.csv"
    said = fault(sql.replace("{0}", str(target)))
    assert "m.yml:3 measures[0].expr: the warehouse does not understand the expression" in said
    assert reason in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "sql",
    [
        "case when event_name = 'purchase' and properties->>'$.size' in ('s', 'm') then value * 2 end",
        "case when event_name like 'p%' and value between 1 and 2 and not coalesce(country = 'DE', false) then 1 end",
        "try_cast(json_extract_string(properties, '$.n') as integer)",
        "value -- money of the event",
        "extract(hour from occurred_at)",
        "date_trunc('day', occurred_at)",
        "regexp_matches(url, '^/shop') or events.url is null",
        "greatest(value, 0) / nullif(abs(value), 0)",
    ],
)
def test_what_looks_at_one_event_is_taken(sql: str) -> None:
    assert fault(sql) == ""


def test_the_type_of_an_expression_is_that_of_its_aggregation() -> None:
    assert "an expression that gives a number" in fault("url", "number")
    assert "this one gives VARCHAR" in fault("url", "number")
    assert "an expression that gives true or false" in fault("value", "boolean")
    assert fault("value > 1", "boolean") == fault("value", "number") == ""
    assert "this one gives BOOLEAN" in fault("value > 1", "number")


def test_a_name_that_is_a_word_of_sql_is_refused() -> None:
    measure = Measure("select", "count", "1", 1, (SqlText("1", "m.yml:3 measures[0].expr", "any"),))
    assert "a word of SQL (select" in str(measure_faults({"select": measure})["select"])
