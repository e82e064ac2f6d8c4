"""Units that are set aside for what their log says, and losses of an experiment that is declared after they landed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from tests.oracle.brute_force import Experiment, shard
from tests.oracle.homes import DrivenHome
from tests.oracle.worlds import LandedFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

pytestmark = [
    pytest.mark.integration,
    # dbt leaves its log file to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"),
]

START, LAST = datetime(2026, 1, 5), date(2026, 1, 11)  # noqa: DTZ001
METRICS = ("purchases_per_user",)


def experiment(name: str) -> Experiment:
    return Experiment(name, START, None, ("a", "b"), METRICS)


def arm_of(name: str, unit: str) -> str:
    return "a" if shard(f"{name}-split", unit) < 5_000 else "b"


def viewed(name: str, unit: str, says: str | None, hour: float = 1, **more: object) -> dict[str, object]:
    at = (START + timedelta(hours=hour)).isoformat() + "Z"
    return {
        "event_id": f"{name}-{unit}-{hour}",
        "event_name": "experiment_viewed",
        "occurred_at": at,
        "user_id": unit,
        "experiment_id": name,
        "variation_id": says,
        **more,
    }


def file(name: str, events: Iterable[dict[str, object]]) -> LandedFile:
    text = "".join(json.dumps(event) + "\n" for event in events)
    return LandedFile(name, text, START + timedelta(days=6, hours=1), ())


#: What the log says for the arm of the n-th unit.
NAMES: dict[str, Callable[[str, int], str | None]] = {
    "mixednames": lambda arm, n: arm.upper() if n % 2 else arm,
    "otherids": lambda arm, n: {"a": "0", "b": "1"}[arm] if n % 2 else arm,
    "renamed": lambda arm, n: "treatment" if arm == "b" and n % 2 else arm,
    "silent": lambda arm, n: None if arm == "b" and n % 2 else arm,
    "nobody": lambda arm, _: f"variant-{arm}",
}
UNITS = [f"m{number}" for number in range(400)]


def aside(name: str) -> list[str]:
    """Units whose log says something else, from the rule above."""
    return [unit for n, unit in enumerate(UNITS) if NAMES[name](arm_of(name, unit), n) != arm_of(name, unit)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> DrivenHome:
    driven = DrivenHome(tmp_path_factory.mktemp("names"), [experiment(name) for name in NAMES])
    events = [
        viewed(name, unit, says(arm_of(name, unit), n))
        for name, says in NAMES.items()
        for n, unit in enumerate(UNITS)
    ]
    # A log that heals: the day after, the unit says its arm, and so it is not lost.
    events += [viewed("otherids", unit, arm_of("otherids", unit), 30) for unit in aside("otherids")[:20]]
    driven.land(file("all.ndjson", events))
    driven.ingest()
    driven.build(LAST)
    driven.judge()
    return driven


def check(home: DrivenHome, name: str, day: date = LAST) -> dict[str, str]:
    (found,) = home.records(
        f"""from results.validity where experiment_id = '{name}' and "check" = 'loss:invalid_variation'
            and cut_off = date '{day}'"""
    )
    return found


def by_arm(name: str, units: list[str]) -> str:
    arms = [arm_of(name, unit) for unit in units]
    return f"{arms.count('a')} / {arms.count('b')}"


@pytest.mark.parametrize(
    ("name", "status", "says"),
    [
        ("mixednames", "warn", "A / B"),
        ("renamed", "fail", "treatment"),
        ("silent", "fail", "nothing"),
        ("nobody", "fail", "variant-a / variant-b"),
    ],
)
def test_a_loss_by_the_name_is_told_and_judged_by_the_arm(
    home: DrivenHome, name: str, status: str, says: str
) -> None:
    """Case undeclared-variation: typo, renamed arm, empty name, everybody."""
    found = check(home, name)
    assert (found["status"], found["observed"]) == (status, by_arm(name, aside(name)))
    said = {part for part in says.split(" / ") if part in found["sentence"]}
    assert said == set(says.split(" / "))
    assert f"{len(aside(name))} of 400 units" in found["sentence"]


def test_a_unit_that_says_its_arm_later_is_lost_no_more(home: DrivenHome) -> None:
    """Case undeclared-variation: another SDK's ids for a day."""
    first, last = (check(home, "otherids", day) for day in (START.date(), LAST))
    assert first["observed"] == by_arm("otherids", aside("otherids"))
    assert last["observed"] == by_arm("otherids", aside("otherids")[20:])


def test_where_everybody_is_set_aside_the_decision_says_so(home: DrivenHome) -> None:
    (said,) = home.records(
        f"from results.decisions where experiment_id = 'nobody' and cut_off = date '{LAST}'"
    )
    assert said["reasons"] == ["invalid", "loss:invalid_variation"]
    assert "variant-a" in said["sentence"]


def rows_of(name: str) -> list[dict[str, object]]:
    """The first sixty units of one arm have a text for a value and land in quarantine."""
    events, lost = [], 0
    for unit in UNITS:
        arm = arm_of(name, unit)
        broken = arm == "b" and lost < 60
        lost += broken
        events.append(viewed(name, unit, arm, **({"value": "much"} if broken else {})))
    return events


def finish(home: DrivenHome) -> None:
    home.ingest()
    home.build(LAST)
    home.judge()


@pytest.mark.parametrize(
    "change",
    [
        "declared",
        pytest.param("restored", marks=pytest.mark.slow),
        pytest.param("re-pointed", marks=pytest.mark.slow),
    ],
)
def test_losses_of_a_late_experiment_are_those_of_a_rebuild(tmp_path: Path, change: str) -> None:
    """Case losses-of-a-late-experiment."""
    other, late = experiment("other"), experiment("x")
    home = DrivenHome(tmp_path / "late", [other])
    if change == "re-pointed":
        home.declare(replace(late, activation="checkout_started"))
    if change == "restored":
        home.declare(late)
    home.land(file("rows.ndjson", rows_of("x")))
    finish(home)
    if change == "restored":
        home.withdraw(late)
        finish(home)
        assert home.query("select * from fct_landing_losses") == []
    home.declare(late)
    finish(home)

    afresh = DrivenHome(tmp_path / "afresh", [other, late])
    afresh.land(file("rows.ndjson", rows_of("x")))
    finish(afresh)
    left, right = home.hashes(), afresh.hashes()
    assert {name for name in left if left[name] != right[name]} == set()
    (found,) = home.records(
        f"""from results.validity where experiment_id = 'x' and "check" = 'loss:quarantine'
            and cut_off = date '{LAST}'"""
    )
    assert (found["status"], found["observed"]) == ("fail", "0 / 60")
