"""What units did soon and late after their exposure, added up by hand, and anew where a day's inputs changed."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

pytestmark = pytest.mark.integration

EXPOSED = datetime(2026, 1, 6, 10)  # noqa: DTZ001


def did(unit: str, name: str, after: timedelta, times: int = 1, *, kind: str = "user") -> list[dict]:
    """Events of one instant."""
    when = EXPOSED + after
    return [
        {"id": f"{unit}-{name}-{after}-{n}", "name": name, "at": f"{when:%d %H:%M}", f"{kind}_id": unit}
        for n in range(times)
    ]


def kept(world) -> dict[str, tuple]:
    rows = world.rows(
        "select variant_id, n, active, sum_y, sum_d, sum_yy, sum_yd, sum_dd from fct_effect_ages"
    )
    return {row[0]: row[1:] for row in rows}


def test_clicks_are_added_up_in_halves_of_the_window(world, viewed) -> None:
    """A window of 7 days: the exposure's day from the instant on and days 1 to 3 are early, days 4 to 6 late."""
    world.experiment("exp", ("clicks_per_user",), role="primary")
    for unit in ("a", "b", "idle"):
        world.land(viewed(f"see-{unit}", "06 10:00", "b", user_id=unit))
    world.land(
        viewed("see-c", "06 10:00", "a", user_id="c"),
        *did("a", "click", timedelta(hours=-1), 50),
        *did("a", "click", timedelta(0), 2),
        *did("a", "click", timedelta(days=3), 1),
        *did("a", "click", timedelta(days=4), 4),
        *did("b", "click", timedelta(days=6, hours=13), 1),
        *did("b", "click", timedelta(days=6, hours=14), 70),
    )
    world.run("11")
    assert kept(world) == {}, "the window is not over"
    world.run("12")
    assert kept(world) == {
        # a: late 4 of 7, b: late 1 of 1
        "b": (3, 2, 5, 8, 16 + 1, 28 + 1, 49 + 1),
        "a": (1, 0, 0, 0, 0, 0, 0),
    }


def test_a_share_counts_a_unit_once_a_day(world, viewed) -> None:
    world.experiment("exp", ("checkout_conversion",), role="primary")
    world.land(
        viewed("see", "06 10:00", "b", user_id="a"),
        *did("a", "purchase", timedelta(days=1), 3),
        *did("a", "purchase", timedelta(days=5), 2),
    )
    world.run("12")
    assert kept(world) == {"b": (1, 1, 1, 2, 1, 2, 4)}


def test_late_events_and_links_change_the_sums(world, viewed) -> None:
    world.experiment("exp", ("clicks_per_user",), role="primary")
    world.land(
        viewed("see", "06 10:00", "b", user_id="a"),
        *did("anon", "click", timedelta(days=4), 3, kind="anonymous"),
        *did("anon", "click", timedelta(hours=1), 1, kind="anonymous"),
    )
    world.run("13")
    assert kept(world) == {"b": (1, 0, 0, 0, 0, 0, 0)}
    world.land({"id": "link", "name": "login", "at": "02 10:00", "user_id": "a", "anonymous_id": "anon"})
    world.run("13")
    assert kept(world) == {"b": (1, 1, 3, 4, 9, 12, 16)}
    world.land(*did("a", "click", timedelta(days=2), 1))
    world.run("14")
    assert kept(world) == {"b": (1, 1, 3, 5, 9, 15, 25)}
