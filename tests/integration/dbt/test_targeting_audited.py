"""Exposures of units that the targeting leaves out are counted by the attributes that their exposure event carries."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.oracle.brute_force import Experiment, shard
from tests.oracle.homes import DrivenHome
from tests.oracle.worlds import LandedFile

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.integration,
    # dbt leaves its log file to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"),
]

START, LAST = datetime(2026, 1, 5), date(2026, 1, 11)  # noqa: DTZ001
UNITS = [f"u{number}" for number in range(200)]
GERMANS = {"attribute": "country", "in": ["DE"]}
#: The targeting, and whom it leaves out among a German, an American and a unit of no known country.
TARGETINGS: dict[str, tuple[dict[str, Any] | None, tuple[bool | None, bool | None, bool | None]]] = {
    "germans": (GERMANS, (False, True, None)),
    "others": ({"not": GERMANS}, (True, False, None)),
    "adults": ({"attribute": "age", "gte": 18}, (False, True, None)),
    # A log may lack what the SDK was told.
    "named": ({"attribute": "country", "is_null": False}, (False, False, None)),
    "nameless": ({"attribute": "country", "is_null": True}, (True, True, None)),
    "before": ({"when": {"until": "2026-01-06"}}, (False, True, True)),
    "everybody": (None, (None, None, None)),
}


def arm_of(name: str, unit: str) -> str:
    return "a" if shard(f"{name}-split", unit) < 5_000 else "b"


def viewed(name: str, number: int) -> dict[str, object]:
    kind = number % 3
    at = (START + timedelta(hours=1 if kind == 0 else 30)).isoformat() + "Z"
    event = {
        "event_id": f"{name}-{number}",
        "event_name": "experiment_viewed",
        "occurred_at": at,
        "user_id": UNITS[number],
        "experiment_id": name,
        "variation_id": arm_of(name, UNITS[number]),
    }
    return (
        event
        | [
            {"country": "DE", "properties": {"age": 40}},
            {"country": "US", "properties": {"age": 12}},
            {},
        ][kind]
    )


def declare(home: DrivenHome, name: str, targeting: dict[str, Any] | None) -> None:
    home.declare(Experiment(name, START, None, ("a", "b"), ("purchases_per_user",)))
    path = home.catalog / "experiments" / f"{name}.yaml"
    text = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(text | ({"targeting": targeting} if targeting else {}), sort_keys=False))


def finish(home: DrivenHome) -> None:
    home.ingest()
    home.build(LAST)
    home.judge()


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> tuple[DrivenHome, DrivenHome]:
    """One whose targeting was another until its rows had landed, and one that is built at once."""
    return built(tmp_path_factory.mktemp("late"), late=True), built(
        tmp_path_factory.mktemp("once"), late=False
    )


def built(folder: Path, *, late: bool) -> DrivenHome:
    home = DrivenHome(folder, [])
    events = [viewed(name, number) for name in TARGETINGS for number in range(len(UNITS))]
    text = "".join(json.dumps(event) + "\n" for event in events)
    home.land(LandedFile("all.ndjson", text, START + timedelta(days=6, hours=1), ()))
    if late:
        for name in TARGETINGS:
            declare(home, name, {"attribute": "country", "in": ["FR"]})
        finish(home)
    for name, (targeting, _) in TARGETINGS.items():
        declare(home, name, targeting)
    finish(home)
    return home


@pytest.mark.parametrize("name", sorted(TARGETINGS))
def test_units_that_the_targeting_leaves_out_are_counted_by_arm(
    homes: tuple[DrivenHome, DrivenHome], name: str
) -> None:
    """Case targeting-not-audited."""
    is_out = TARGETINGS[name][1]
    told = [(unit, is_out[number % 3]) for number, unit in enumerate(UNITS) if is_out[number % 3] is not None]
    out = {arm: sum(left for unit, left in told if arm_of(name, unit) == arm) for arm in ("a", "b")}
    found = homes[1].records(
        f"""from results.validity where experiment_id = '{name}' and "check" = 'targeting'
            and cut_off = date '{LAST}'"""
    )
    if not told:
        assert found == []
        return
    (row,) = found
    assert row["observed"] == f"{out['a']} / {out['b']}"
    assert (row["status"] == "pass") == (sum(out.values()) == 0)
    if sum(out.values()):
        assert f"{sum(out.values())} of {len(told)} units" in row["sentence"]


def test_a_targeting_that_changes_after_the_rows_landed_gives_what_a_rebuild_gives(
    homes: tuple[DrivenHome, DrivenHome],
) -> None:
    """Case losses-of-a-late-experiment."""
    left, right = (home.hashes() for home in homes)
    assert {name for name in left if left[name] != right[name]} == set()
