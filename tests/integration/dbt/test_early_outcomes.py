"""Outcomes before the exposure of their session, counted by hand, and counted anew where a day's events changed."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.integration


@pytest.fixture
def asked(world):
    """A world whose experiment has a conversion as its primary metric."""
    world.experiment("exp", ("checkout_conversion",), role="primary")
    return world


def buy(session: str | None, when: str) -> dict:
    return {
        "id": f"buy-{session}-{when}",
        "name": "purchase",
        "at": when,
        "user_id": f"u-{session}",
        "session_id": session,
    }


def counted(world) -> set[tuple]:
    rows = world.rows("select variant_id, day(exposure_day), units, early from fct_early_outcomes")
    return set(rows)


def test_a_unit_counts_once_by_its_first_outcome_in_the_session(asked, viewed) -> None:
    for session, hours in {
        "before": (8, 12),
        "after": (12,),
        "instant": (10,),
        "none": (),
        "other": (),
    }.items():
        asked.land(
            viewed(f"see-{session}", "06 10:00", "b", user_id=f"u-{session}", session_id=session),
            *(buy(session, f"06 {hour:02}:00") for hour in hours),
        )
    asked.land(viewed("alone", "06 10:00", "a", user_id="u-none-at-all"), buy(None, "06 08:00"))
    asked.run("06")
    assert counted(asked) == {("b", 6, 3, 1)}


def test_a_late_outcome_changes_its_own_day_and_a_moved_exposure_too(asked, viewed) -> None:
    for day in ("06", "07"):
        asked.land(
            viewed(f"see-{day}", f"{day} 10:00", "b", user_id=f"u-{day}", session_id=day),
            buy(day, f"{day} 12:00"),
        )
    asked.run("07")
    assert counted(asked) == {("b", 6, 1, 0), ("b", 7, 1, 0)}
    asked.land(buy("06", "06 09:00"))
    asked.run("07")
    assert counted(asked) == {("b", 6, 1, 1), ("b", 7, 1, 0)}
    asked.land(viewed("sooner", "06 07:00", "b", user_id="u-06", session_id="06"))
    asked.run("07")
    assert counted(asked) == {("b", 6, 1, 0), ("b", 7, 1, 0)}
    asked.retract("see-07")
    asked.run("08")
    assert counted(asked) == {("b", 6, 1, 0)}


def test_a_metric_that_is_primary_later_is_asked_of_every_day(asked, viewed) -> None:
    asked.experiment("exp", ("checkout_conversion",))
    asked.land(
        viewed("see", "06 10:00", "b", user_id="u", session_id="s"), buy("s", "06 08:00") | {"user_id": "u"}
    )
    asked.run("07")
    assert counted(asked) == set()
    asked.experiment("exp", ("checkout_conversion",), role="primary")
    asked.run("07")
    assert counted(asked) == {("b", 6, 1, 1)}


def test_an_outcome_is_the_unit_s_own_once_a_link_says_so(asked, viewed) -> None:
    """A session may be shared; whoever is linked later brings what was done under the anonymous id."""
    asked.land(
        viewed("see", "06 10:00", "b", user_id="u", session_id="s"),
        buy("s", "06 07:00") | {"user_id": "somebody else"},
        buy("s", "06 08:00") | {"user_id": None, "anonymous_id": "phone"},
    )
    asked.run("07")
    assert counted(asked) == set()
    link = {"id": "link", "name": "identify", "at": "08 09:00", "user_id": "u", "anonymous_id": "phone"}
    asked.land(link)
    asked.run("08")
    assert counted(asked) == {("b", 6, 1, 1)}
