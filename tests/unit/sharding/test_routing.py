"""Which shards an event belongs to, by hand."""

from __future__ import annotations

import duckdb
import pytest

from fairsplit.orchestration.landing.sql import EVENT_COLUMNS
from fairsplit.orchestration.sharding.routing import Routing, earliest_links

COLUMNS = (*EVENT_COLUMNS, "linked_user_id", "linked_at", "linked_event_id")


def shards_of(routing: Routing, **event: str) -> list[int]:
    values = ", ".join(
        f"'{event[name]}' as {name}" if name in event else f"null as {name}" for name in COLUMNS
    )
    with duckdb.connect() as connection:
        connection.execute(f"create table events as select {values}")
        return [
            row[0] for row in connection.execute(f"select shard from ({routing.select('events')})").fetchall()
        ]


def test_an_anonymous_event_goes_where_the_user_of_its_link_is() -> None:
    routing = Routing(("user",), 1_000_000)
    of_user = shards_of(routing, event_id="e1", user_id="ann")
    # md5 of "ann" begins with 7e0d7f8a: 0x7e0d7f8a = 2,114,813,834, of which the last six digits count.
    assert of_user == [813834]
    linked = {"linked_user_id": "ann", "anonymous_id": "phone"}
    assert shards_of(routing, event_id="e2", **linked) == of_user
    assert shards_of(routing, event_id="e3", user_id="ben", **linked) == shards_of(routing, user_id="ben")
    assert shards_of(routing, event_id="e4", anonymous_id="phone") != of_user


def test_each_kind_of_unit_has_shards_of_its_own() -> None:
    routing = Routing(("user", "session"), 10)
    user, session = shards_of(routing, event_id="e", user_id="ann", session_id="ann")
    assert session == user + 10
    assert (routing.unit_type(user), routing.unit_type(session), routing.total) == ("user", "session", 20)


def test_what_names_no_unit_is_counted_once_and_only_exposures_are_told_together() -> None:
    routing = Routing(("user", "session"), 1_000_000)
    assert len(shards_of(routing, event_id="e1")) == 1
    assert shards_of(routing, event_id="e1") != shards_of(routing, event_id="e2")
    exposures = [shards_of(routing, event_id=name, experiment_id="x") for name in ("e1", "e2")]
    assert exposures[0] == exposures[1]
    assert len(exposures[0]) == 2


@pytest.mark.parametrize("first", ["all", "parts"])
def test_the_earliest_link_wins_and_at_one_instant_the_smaller_event(first: str) -> None:
    rows = """(values ('a', 'late', timestamp '2026-01-02', 'e0'), ('a', 'second', timestamp '2026-01-01', 'e2'),
        ('a', 'first', timestamp '2026-01-01', 'e1'), ('b', 'only', timestamp '2026-01-03', 'e3'))
        as links (anonymous_id, user_id, occurred_at, event_id)"""
    whole = f"select * from {rows}"
    if first == "parts":
        late, early = (f"select * from ({whole}) where event_id {test} 'e1'" for test in ("<>", "="))
        whole = f"{earliest_links(late)} union all {earliest_links(early)}"
    with duckdb.connect() as connection:
        found = connection.execute(f"select anonymous_id, user_id from ({earliest_links(whole)})").fetchall()
    assert sorted(found) == [("a", "first"), ("b", "only")]
