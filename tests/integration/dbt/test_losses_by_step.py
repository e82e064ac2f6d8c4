"""Units lost between the landed row and the exposure that counts, step by step, counted by hand."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta

import pytest
from tests.oracle.brute_force import Experiment
from tests.oracle.homes import DrivenHome
from tests.oracle.worlds import LandedFile

pytestmark = pytest.mark.integration

START = datetime(2026, 1, 5)  # noqa: DTZ001


def viewed(event_id: str | None, hour: float, variant: str, **ids: str) -> dict[str, str]:
    at = (START + timedelta(hours=hour)).isoformat() + "Z"
    named = {} if event_id is None else {"event_id": event_id}
    event = {
        "event_name": "experiment_viewed",
        "occurred_at": at,
        "experiment_id": "one",
        "variation_id": variant,
    }
    return {**named, **event, **ids}


def file(name: str, day: int, events: list[dict[str, str]]) -> LandedFile:
    text = "".join(json.dumps(event) + "\n" for event in events)
    return LandedFile(name, text, START + timedelta(days=day, hours=1), ())


def test_each_step_loses_the_units_that_it_should(tmp_path) -> None:
    home = DrivenHome(tmp_path, [Experiment("one", START, None, ("a", "b"), ("clicks_per_user",))])
    link = {"event_id": "link", "event_name": "login", "user_id": "u1", "anonymous_id": "phone"}
    first = [
        viewed("e1", 1, "a", user_id="u1"),
        viewed("same", 2, "a", user_id="u2"),
        viewed("clash", 3, "a", user_id="u3"),
        # The same person on a phone, unknown until the link.
        viewed("e4", 4, "b", anonymous_id="phone"),
        viewed("e5", 5, "b", user_id="u5"),
        # No event id, and nothing that could be told apart.
        viewed(None, 6, "b", user_id="u6"),
        viewed(None, 7, "b", user_id="u7"),
        {"event_name": "click", "user_id": "u5"},
    ]
    second = [
        # The same row again is no loss; another unit and variant under an id that is taken is one.
        viewed("same", 2, "a", user_id="u2"),
        viewed("clash", 3, "b", user_id="u8"),
        {**link, "occurred_at": (START + timedelta(days=1, hours=2)).isoformat() + "Z"},
    ]
    home.land(file("first.ndjson", 1, first))
    home.land(file("second.ndjson", 2, second))
    home.ingest()
    home.build(date(2026, 1, 6))
    home.judge()
    lost = {
        (step, variant, day.day): units
        for variant, step, day, units in home.query(
            "select variant_id, step, event_day, units from fct_losses"
        )
    }
    [(won,)] = home.query("select variation_id from landing.raw_events where event_id = 'clash'")
    assert lost == {
        ("deduplication", "b" if won == "a" else "a", 5): 1,
        ("identity", "b", 6): 1,
        ("quarantine", "b", 6): 2,
    }
    checks = {
        row[0] for row in home.query("""select "check" from results.validity where "check" like 'loss:%'""")
    }
    assert checks == {"loss:deduplication", "loss:identity", "loss:quarantine"}
