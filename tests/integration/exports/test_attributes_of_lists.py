"""A unit list carries what an SDK needs to serve the same: every attribute of the targeting and the segments."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from tests.definitions import experiment

from fairsplit.analysis.catalogue import Segment
from fairsplit.analysis.catalogue.conditions import evaluate
from fairsplit.orchestration.publishing.assignment_lists import assignment_list

if TYPE_CHECKING:
    from collections.abc import Iterator

WAREHOUSE = """
    create schema catalog; create schema landing;
    create table catalog.phase_weights as select 'cta' as experiment_id, 0 as phase, 'red' as variant_id, 0.5 as weight;
    create table fct_assignments as
        select 'cta' as experiment_id, unnest(['u1', 'u2', 'u3']) as unit_id, 'red' as variant_id, 0 as phase,
            unit_id <> 'u3' as in_traffic, 'ios' as platform, null::varchar as device;
    create table fct_exposures as
        select experiment_id, unit_id, unit_id || '-seen' as exposure_event_id, date '2026-01-06' as exposure_day
        from fct_assignments;
    create table landing.raw_events (
        event_id varchar, event_day date, country varchar, app_version varchar, properties varchar);
    insert into landing.raw_events values
        ('u1-seen', '2026-01-06', 'US', '2.1.0', '{"age":18,"beta":true,"odd.key":"x","plan":"free","unasked":1}'),
        ('u1-later', '2026-01-06', 'DE', '9.9.9', '{"age":99}'),
        ('u2-seen', '2026-01-06', null, null, '{"age":null,"plan":"\\"quoted\\""}'),
        ('u3-seen', '2026-01-06', 'US', '2.1.0', '{}');
"""
TARGETING: dict[str, Any] = {
    "any": [
        {"segment": "grown_up"},
        {"not": {"attribute": "app_version", "semver_lt": "2.0.0"}},
        {"attribute": "odd.key", "is_null": True},
    ]
}


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute(WAREHOUSE)
        yield opened


def test_every_attribute_that_is_asked_for_stands_in_the_list(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    grown_up = {"all": [{"attribute": "age", "gte": 18}, {"attribute": "beta", "equals": True}]}
    named = {
        "grown_up": Segment.model_validate({"id": "grown_up", "name": "x", "condition": grown_up}).membership
    }
    it = experiment("cta", targeting=TARGETING, segments=["country", "properties.plan"])

    listed = assignment_list(connection, it, named)

    rows = {row["unit_id"]: json.loads(row["attributes"]) for row in listed.to_dicts()}
    assert rows == {
        "u1": {
            "age": 18, "app_version": "2.1.0", "beta": True, "country": "US", "odd.key": "x", "plan": "free",
            "platform": "ios",
        },
        "u2": {"plan": '"quoted"', "platform": "ios"},
    }  # fmt: skip
    assert evaluate(it.targeting, rows["u1"], named) is True


def test_what_is_not_asked_for_costs_nothing(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("drop table fct_exposures; drop table landing.raw_events")
    listed = assignment_list(connection, experiment("cta", segments=["platform"]), {})
    assert listed["attributes"].to_list() == ['{"platform":"ios"}'] * 2
