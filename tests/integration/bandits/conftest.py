"""A week of a bandit that runs by itself; each test goes on from there in a copy of its own."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.built import built
from tests.oracle.bandit_world import DAY, NAME, Shop, midnight
from tests.oracle.worlds import FIRST_DAY

from fairsplit.orchestration.publishing.ledger import record_publication
from fairsplit.orchestration.warehouse.opening import writer

if TYPE_CHECKING:
    from pathlib import Path

LAST_QUIET, LAST = date(2026, 1, 7), date(2026, 1, 8)
FIRST_UPDATE = date(2026, 1, 4)


def quiet_week(folder: Path) -> None:
    """Run day by day up to the day before the third update is due."""
    shop = Shop(folder)
    for number in range((LAST_QUIET - FIRST_DAY).days + 1):
        shop.day(FIRST_DAY + timedelta(days=number))
    shop.keep()


@pytest.fixture(scope="session")
def week(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop.kept(built(tmp_path_factory.mktemp("bandit") / "shop", quiet_week))


def late_rows(shop: Shop) -> list[dict[str, Any]]:
    """Rewards of arm a before the first update, and an exposure that puts a unit into an earlier phase."""
    known = midnight(FIRST_UPDATE + DAY)
    poor = [
        one
        for one in shop.shown.values()
        if one.arm == "a" and one.at + DAY <= known and one.unit not in shop.bought
    ]
    rows = [
        {"event_id": f"late-{one.unit}", "event_name": "purchase", "user_id": one.unit, "value": 5,
         "occurred_at": f"{(one.at + timedelta(hours=1)).isoformat()}Z"}
        for one in poor
    ]  # fmt: skip
    moved = next(one for one in shop.shown.values() if one.at.date() == LAST and one.arm == "a")
    first = {"event_name": "experiment_viewed", "experiment_id": NAME, "variation_id": "a", "platform": "web"}
    at = f"{datetime(2026, 1, 5, 12).isoformat()}Z"  # noqa: DTZ001
    return [*rows, {"event_id": "late-first", "user_id": moved.unit, "occurred_at": at, **first}]


def grown_week(folder: Path) -> None:
    """The third update is set and published; then late rows and a file that repeats a day are worked off."""
    shop = Shop.kept(built(folder / "shop", quiet_week))
    shop.day(LAST)
    with writer(shop.driven.home.warehouse) as connection:
        record_publication(connection, shop.driven.catalog, midnight(LAST + DAY), "v8", "s8")
    again = [json.loads(line) for line in shop.files[4].text.splitlines()]
    shop.land("late.ndjson", LAST, late_rows(shop))
    shop.land("again.ndjson", LAST, reversed(again))
    shop.judge(LAST)
    shop.driven.export()
    shop.keep()


@pytest.fixture(scope="session")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop.kept(built(tmp_path_factory.mktemp("grown") / "week", grown_week) / "shop")
