"""Segment sizes: what the command counts is what going through the events one by one finds."""

from __future__ import annotations

import json
import random
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
import yaml
from typer.testing import CliRunner

from fairsplit.orchestration.cli import app, commands  # noqa: F401

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

LAST, DAYS = date(2026, 1, 20), 7
SEGMENTS: dict[str, dict[str, Any]] = {
    "nordic": {"condition": {"attribute": "country", "in": ["NO", "SE"]}},
    "pro": {"condition": {"attribute": "properties.plan", "equals": "pro"}},
    "grown_up": {"condition": {"attribute": "age", "gte": 18}},
    "not_nordic_pro": {"condition": {"all": [{"not": {"segment": "nordic"}}, {"segment": "pro"}]}},
    "visits": {"unit": "session", "condition": {"attribute": "country", "is_null": False}},
    # A Tuesday evening at 18:00 in UTC is 23:45 in Kathmandu.
    "awake": {
        "condition": {
            "all": [
                {"segment": "nordic"},
                {"when": {"zone": "Asia/Kathmandu", "hours": [7, 23], "weekdays": ["tue"]}},
            ]
        }
    },
    "wish": {"condition": {"attribute": "shoe_size", "gt": 40}, "active": False},
}
# What each says of a unit's newest known attributes: true, false, or none for unknown.
TRUTH = {
    "nordic": lambda unit: unit["country"] in {"NO", "SE"} if "country" in unit else None,
    "pro": lambda unit: unit["plan"] == "pro" if "plan" in unit else None,
    "grown_up": lambda unit: unit["age"] >= 18 if isinstance(unit.get("age"), int) else None,
    "visits": lambda unit: "country" in unit,
    "awake": lambda _: False,  # a Wednesday begins where the newest day ends
    "wish": lambda _: None,
}


def both(left: bool | None, right: bool | None) -> bool | None:
    return False if False in {left, right} else None if None in {left, right} else True


def not_nordic_pro(unit: dict[str, Any]) -> bool | None:
    nordic = TRUTH["nordic"](unit)
    return both(None if nordic is None else not nordic, TRUTH["pro"](unit))


TRUTH["not_nordic_pro"] = not_nordic_pro


def events(rng: random.Random) -> list[dict[str, Any]]:
    found = []
    for number in range(600):
        at = datetime(2026, 1, 10) + timedelta(hours=rng.randrange(12 * 24))  # noqa: DTZ001 - many ties
        user = rng.choice([None, f"u{rng.randrange(60)}"])
        properties = {
            "plan": rng.choice(["pro", "free", None]),
            "age": rng.choice([12, 18, 40, "18", None]),
        }
        found.append(
            {
                "event_id": f"e{number:03}",
                "occurred_at": at,
                "user_id": user,
                "anonymous_id": rng.choice([None, f"a{rng.randrange(40)}"]),
                "session_id": rng.choice([None, f"s{rng.randrange(80)}"]),
                "country": rng.choice(["NO", "SE", "DE", None, None]),
                "properties": rng.choice(
                    [{}, {key: properties[key] for key in rng.sample(["plan", "age"], 1)}]
                ),
            }
        )
    return found


LINKS = {f"a{number}": f"u{number}" for number in range(20)}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A warehouse of random events and a catalogue of segments; the events."""
    rows = events(random.Random(7))  # noqa: S311
    rows.sort(key=lambda row: row["event_id"])
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute("create schema work")
        connection.execute(
            "create table work.state as select 'frontier' as key, ? as value", [LAST.isoformat()]
        )
        connection.execute("create table int_identity_links (anonymous_id varchar, user_id varchar)")
        connection.executemany("insert into int_identity_links values (?, ?)", list(LINKS.items()))
        connection.execute(
            """create table stg_events (event_id varchar, occurred_at timestamp, event_day date, user_id varchar,
               anonymous_id varchar, session_id varchar, country varchar, properties varchar)"""
        )
        connection.executemany(
            "insert into stg_events values (?, ?, ?::timestamp::date, ?, ?, ?, ?, ?)",
            [
                [
                    *list(row.values())[:2],
                    row["occurred_at"],
                    *list(row.values())[2:6],
                    json.dumps(row["properties"]),
                ]
                for row in rows
            ],
        )
    catalog = tmp_path / "catalog"
    (catalog / "segments").mkdir(parents=True)
    (catalog / "project.yaml").write_text("first_day: 2026-01-05\n")
    for name, content in SEGMENTS.items():
        (catalog / "segments" / f"{name}.yaml").write_text(
            yaml.safe_dump({"id": name, "name": name} | content)
        )
    monkeypatch.setenv("FAIRSPLIT_HOME", str(tmp_path))
    monkeypatch.setenv("FAIRSPLIT_CATALOG", str(catalog))
    return rows


def ask(*arguments: str) -> Any:
    done = CliRunner().invoke(app, ["segments", *arguments, "--format", "json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def newest(rows: list[dict[str, Any]], unit: str) -> dict[str, dict[str, Any]]:
    """The newest known attributes of each unit with an event in the days asked for."""
    found: dict[str, dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: (row["occurred_at"], row["event_id"])):
        anonymous = row["anonymous_id"]
        name = row["session_id"] if unit == "session" else row["user_id"] or LINKS.get(anonymous, anonymous)
        if name is None or not LAST - timedelta(days=DAYS) < row["occurred_at"].date() <= LAST:
            continue
        known = {"country": row["country"]} | row["properties"]
        found.setdefault(name, {}).update({key: value for key, value in known.items() if value is not None})
    return found


def test_sizes_are_those_of_the_events(home: list[dict[str, Any]]) -> None:
    counted = {row["segment"]: row for row in ask("--days", str(DAYS))}
    assert list(counted) == sorted(SEGMENTS)
    for name, definition in SEGMENTS.items():
        units = newest(home, definition.get("unit", "user"))
        verdicts = [TRUTH[name](unit) for unit in units.values()]
        row = counted[name]
        assert (row["units"], row["inside"], row["outside"], row["unknown"]) == (
            len(units),
            *(sum(verdict is wanted for verdict in verdicts) for wanted in (True, False, None)),
        )
        assert row["share"] == sum(verdict is True for verdict in verdicts) / len(units)
    assert {name: row["never_seen"] for name, row in counted.items() if row["never_seen"]} == {
        "wish": ["shoe_size"]
    }
    assert (counted["pro"]["first_day"], counted["pro"]["cut_off"]) == ("2026-01-14", "2026-01-20")
    # Each verdict occurs, or the comparison would say little.
    assert min(counted["not_nordic_pro"][word] for word in ("inside", "outside", "unknown")) >= 5


def test_one_segment_is_shown_in_words_too(home: list[dict[str, Any]]) -> None:
    (row,) = ask("wish", "--days", str(DAYS))
    text = CliRunner().invoke(app, ["segments", "wish", "--days", str(DAYS)]).stdout
    units = str(row["units"])
    assert text.splitlines()[2].split() == ["wish", "user", units, "0", "0", units, "0.0%"]
    assert "wish is not active" in text
    assert "nothing is known of shoe_size" in text


@pytest.mark.parametrize(
    ("instant", "meant", "awake"),
    [
        ("2026-01-20T17:00:00Z", "2026-01-20T17:00:00Z", True),
        ("2026-01-20T18:00:00+01:00", "2026-01-20T17:00:00Z", True),
        ("2026-01-20T18:00:00Z", "2026-01-20T18:00:00Z", False),
        ("2026-01-27", "2026-01-27T00:00:00Z", False),
        ("2026-01-27T02:00:00Z", "2026-01-27T02:00:00Z", True),
    ],
)
def test_times_are_asked_at_the_instant_that_is_named(
    home: list[dict[str, Any]], instant: str, meant: str, awake: bool
) -> None:
    (row,) = ask("awake", "--days", str(DAYS), "--at", instant)
    (nordic,) = ask("nordic", "--days", str(DAYS))
    assert (row["at"], nordic["at"]) == (meant, "2026-01-21T00:00:00Z")
    assert row["inside"] == (nordic["inside"] if awake else 0)
    assert row["unknown"] == (nordic["unknown"] if awake else 0)
    text = CliRunner().invoke(app, ["segments", "awake", "--days", str(DAYS), "--at", instant]).stdout
    assert text.splitlines()[0].endswith(f"times as of {meant}")


@pytest.mark.parametrize(
    ("instant", "words"),
    [
        ("noon", "--at: is not an instant (noon: an ISO 8601 instant with a zone"),
        ("2026-01-20T18:00:00", "--at: has a time of day without a zone"),
        ("2026-02-30", "--at: is not a calendar date"),
    ],
)
def test_what_is_no_instant_is_one_clear_message(
    home: list[dict[str, Any]], instant: str, words: str
) -> None:
    done = CliRunner().invoke(app, ["segments", "--at", instant])
    assert done.exit_code == 1
    assert str(done.exception).startswith(words)


def test_an_unknown_segment_is_one_clear_message(home: list[dict[str, Any]]) -> None:
    done = CliRunner().invoke(app, ["segments", "nordik"])
    assert done.exit_code == 1
    assert "did you mean 'nordic'" in str(done.exception)
