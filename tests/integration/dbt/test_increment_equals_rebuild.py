"""Promise 2: whatever the order of files, runs and kills, every derived table equals one full rebuild."""

from __future__ import annotations

import random
import time

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.slow]

METRICS = (
    "checkout_conversion",
    "revenue_per_user",
    "ctr",
    "retention_day_1",
    "purchase_conversion_1d",
    "conversion_rate_open",
    "revenue_per_user_open",
    "distinct_sessions_per_user",
    "checkout_funnel",
    "time_to_purchase",
    "revenue_p90",
    "revenue_per_user_winsorized",
)
NAMES = (
    "purchase",
    "purchase",
    "add_to_cart",
    "checkout_started",
    "click",
    "impression",
    "page_view",
    "conversion",
    "refund",
    "experiment_viewed",
    "experiment_viewed",
    "experiment_viewed",
)


def random_events(rng: random.Random, count: int) -> list[dict]:
    """Few units and many midnights and ties, so that rules meet."""
    events = []
    for number in range(count):
        clock = rng.choice(
            ["00:00", "00:00", "23:59", "12:00", "12:00", f"{rng.randrange(24):02}:{rng.randrange(60):02}"]
        )
        event = {"id": f"e{number:03}", "name": rng.choice(NAMES), "at": f"{rng.randint(1, 13):02} {clock}"}
        ids = rng.random()
        if ids < 0.5 or 0.75 <= ids < 0.97:
            event["user_id"] = f"u{rng.randint(1, 5)}"
        if 0.5 <= ids < 0.97:
            event["anonymous_id"] = f"a{rng.randint(1, 5)}"
        if rng.random() < 0.6:
            event["session_id"] = f"s{rng.randint(1, 6)}"
        if event["name"] == "experiment_viewed":
            event["experiment_id"] = rng.choice(["exp", "exp", "two", "three", "unknown"])
            event["variation_id"] = rng.choice(["a", "a", "b", "b", "b", "undeclared"])
            event["country"] = rng.choice(["US", "DE", None])
        if event["name"] in {"purchase", "refund"}:
            event["value"] = rng.choice([1, 2.5, 1000.123456]) * (-1 if event["name"] == "refund" else 1)
        events.append(event)
    rng.shuffle(events)
    return events


def declare(world, at, *, complete: bool = True) -> None:
    """Three experiments; the second has half its metrics until it is complete."""
    world.experiment("exp", METRICS, cuped_days=3, segments=("country",), crossovers="exclude")
    world.experiment(
        "two", METRICS if complete else METRICS[:6], unit="anonymous", start=at("04"), end=at("09")
    )
    world.experiment(
        "three",
        ("revenue_per_user", "conversion_rate_open"),
        activation="page_view",
        start=at("03"),
        cuped_days=2,
    )


def assert_same(left, right) -> None:
    for table, rows in right.export().items():
        assert left.export()[table] == rows, table


@pytest.mark.parametrize("seed", range(4))
def test_any_order_of_files_and_runs(make_world, at, seed):
    rng = random.Random(seed)  # noqa: S311
    events = random_events(rng, 100)
    retracted = [event["id"] for event in rng.sample(events, 3)]
    pieces = [events[start::3] for start in range(3)]
    stepwise, rebuilt = make_world("stepwise"), make_world("rebuilt")
    declare(stepwise, at, complete=False)
    for position, piece in enumerate(pieces):
        stepwise.land(*piece)
        stepwise.run(f"{rng.randint(4, 14):02}")
        if position == 1:
            declare(stepwise, at)
    for event_id in retracted:
        stepwise.retract(event_id)
    stepwise.run("14")

    declare(rebuilt, at)
    rebuilt.land(*events)
    for event_id in retracted:
        rebuilt.retract(event_id)
    rebuilt.run("14")
    assert_same(stepwise, rebuilt)
    before = stepwise.export()
    stepwise.run("12")
    assert stepwise.export() == before


@pytest.mark.fault
@pytest.mark.parametrize("seed", range(2))
def test_killed_anywhere_and_run_again(make_world, at, seed):
    rng = random.Random(seed)  # noqa: S311
    events = random_events(rng, 100)
    killed, rebuilt = make_world("killed"), make_world("rebuilt")
    declare(killed, at, complete=False)
    killed.land(*events[:40])
    killed.run("08")
    declare(killed, at)
    killed.land(*events[40:70])
    for attempt in range(3):
        process = killed.start("14")
        time.sleep(rng.uniform(1.5, 4.5))
        killed.kill(process)
        if attempt == 0:
            killed.retract(events[5]["id"])
        if attempt == 1:
            killed.land(*events[70:])
    killed.run("14")

    declare(rebuilt, at)
    rebuilt.land(*events)
    rebuilt.retract(events[5]["id"])
    rebuilt.run("14")
    assert_same(killed, rebuilt)
