"""What a measured holdout answers: since the last ship, by the share's history, with its leaks."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta

import pytest
from tests.oracle.brute_force import shard
from tests.oracle.homes import DrivenHome
from tests.oracle.worlds import LandedFile

pytestmark = [
    pytest.mark.integration,
    # dbt leaves its log file to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"),
]

START, LAST = datetime(2026, 1, 5), date(2026, 1, 14)  # noqa: DTZ001
SHIP, GROWN = START + timedelta(days=4), START + timedelta(days=2)
UNITS = [f"u{number}" for number in range(600)]
FEATURE = """\
id: {name}
name: A feature
owner: growth@example.com
type: feature
status: {status}
start: 2026-01-01
{more}variants: [{{id: off, control: true}}, {{id: on}}]
metrics: {{primary: [purchase_conversion_1d]}}
"""
JOINT = """\
id: {name}
name: Everything under the holdout
owner: growth@example.com
type: ab
holdout: {holdout}
status: running
start: 2026-01-05
variants: [{{id: held, control: true}}, {{id: rest}}]
exposure: {{event: session_start}}
metrics: {{primary: [purchase_conversion_1d]}}
plan: {{cuped_days: 0, min_sample: 2}}
"""
PROJECT = f"""\
first_day: 2026-01-01
holdouts:
  - {{id: kept, share: 0.2, salt: k, experiments: [shipped]}}
  - {{id: grown, share: 0.4, salt: g, history: [{{until: {GROWN.isoformat()}Z, share: 0.1}}], experiments: [running]}}
"""


def event(name: str, unit: str, at: datetime, **more: object) -> dict[str, object]:
    said = {"event_id": f"{name}-{unit}-{at}-{len(more)}", "event_name": name, "user_id": unit}
    return said | {"occurred_at": at.isoformat() + "Z"} | more


def is_held(unit: str) -> bool:
    return shard("k", unit) < 2_000


#: Every fourth held-out unit buys after the ship, and every second of the others; before it everybody does.
BUYERS = [unit for number, unit in enumerate(UNITS) if number % (4 if is_held(unit) else 2) == 0]
LEAKED = [unit for unit in UNITS if is_held(unit)][:30]
#: Logged after the end, where no exposure counts.
STALE = [unit for unit in UNITS if is_held(unit)][20:40]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> DrivenHome:
    driven = DrivenHome(tmp_path_factory.mktemp("holdout"), [])
    (driven.catalog / "project.yaml").write_text(PROJECT)
    ended = f"end: {SHIP.isoformat()}Z\nshipped: on\n"
    for name, text in {
        "shipped": FEATURE.format(name="shipped", status="completed", more=ended),
        "running": FEATURE.format(name="running", status="running", more=""),
        "joint": JOINT.format(name="joint", holdout="kept"),
        "growing": JOINT.format(name="growing", holdout="grown"),
    }.items():
        (driven.catalog / "experiments" / f"{name}.yaml").write_text(text)
    hour = timedelta(hours=1)
    events = [event("session_start", unit, START + hour) for unit in UNITS]
    events += [event("purchase", unit, START + 2 * hour, value=1) for unit in UNITS]
    events += [event("session_start", unit, SHIP + hour) for unit in UNITS]
    events += [event("purchase", unit, SHIP + 2 * hour, value=1) for unit in BUYERS]
    shown = {"experiment_id": "shipped", "variation_id": "on"}
    events += [event("experiment_viewed", unit, SHIP - hour, **shown) for unit in LEAKED]
    events += [event("experiment_viewed", unit, SHIP + 3 * hour, **shown) for unit in STALE]
    for at in (GROWN - hour, GROWN + hour):
        again = {"experiment_id": "running", "variation_id": "on", "sdk_version": str(at.day)}
        events += [event("experiment_viewed", f"{unit}-{at.day}", at, **again) for unit in UNITS]
    text = "".join(json.dumps(one) + "\n" for one in events)
    driven.land(LandedFile("all.ndjson", text, START + timedelta(days=9, hours=2), ()))
    driven.ingest()
    driven.build(LAST)
    driven.judge()
    return driven


def test_units_seen_since_the_ship_are_measured_from_then_on(home: DrivenHome) -> None:
    """Case holdout-in-exposure-time."""
    rows = home.records(
        f"""from results.comparisons where experiment_id = 'joint' and segment = 'all' and analysis = 'default'
            and metric = 'purchase_conversion_1d' and cut_off = date '{LAST}'"""
    )
    means = {row["variant_id"]: (row["n"], row["mean"]) for row in rows}
    for arm, inside in (("held", True), ("rest", False)):
        units = [unit for unit in UNITS if is_held(unit) == inside]
        bought = [unit for unit in units if unit in set(BUYERS)]
        assert means[arm] == (len(units), pytest.approx(len(bought) / len(units)))


def check(home: DrivenHome, experiment: str, name: str) -> dict:
    (row,) = home.records(
        f"""from results.validity where experiment_id = '{experiment}' and "check" = '{name}' and segment = 'all'
            and cut_off = date '{LAST}'"""
    )
    return row


def test_held_out_units_that_were_served_close_the_read_out(home: DrivenHome) -> None:
    """Case holdout-leak-and-growth: those of the running experiment, and those logged after it had shipped."""
    held = sum(map(is_held, UNITS))
    row = check(home, "joint", "holdout_leak")
    assert (row["status"], row["observed"]) == ("fail", "40")
    assert f"40 of {held} held-out units" in row["sentence"]
    assert home.query("""from results.validity where experiment_id = 'joint' and "check" = 'audit'""") == []
    (said,) = home.records(
        f"from results.decisions where experiment_id = 'joint' and cut_off = date '{LAST}'"
    )
    assert said["reasons"] == ["invalid", "holdout_leak"]


def test_only_units_on_one_side_throughout_are_measured_where_the_share_grew(home: DrivenHome) -> None:
    """Case holdout-leak-and-growth."""
    sides = dict(home.query("select unit_id, variant_id from fct_exposures where experiment_id = 'growing'"))
    places = {unit: shard("g", unit) for unit in UNITS}
    expected = {unit: "held" for unit, place in places.items() if place < 1_000}
    expected |= {unit: "rest" for unit, place in places.items() if place >= 4_000}
    assert sides == expected
    assert check(home, "growing", "srm")["expected"] is not None
    assert check(home, "growing", "holdout_leak")["status"] == "pass"


def test_the_audit_expects_the_share_that_was_in_force(home: DrivenHome) -> None:
    """Case holdout-leak-and-growth: nobody is held out before the share had them."""
    found = dict(
        home.query("select unit_id, reason = 'holdout' from fct_assignments where experiment_id = 'running'")
    )
    for at, shards in ((GROWN - timedelta(hours=1), 1_000), (GROWN + timedelta(hours=1), 4_000)):
        for unit in UNITS:
            named = f"{unit}-{at.day}"
            assert found[named] == (shard("g", named) < shards)
