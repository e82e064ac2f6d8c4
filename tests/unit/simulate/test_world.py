"""The demo world: equal bytes from equal seeds, and a truth that plain Python finds again in the landed files."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from scipy import stats

from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.simulate import SimulatedWorld, simulate

ROOT = Path(__file__).resolve().parents[3]
CATALOG, DBT = ROOT / "catalog", ROOT / "dbt_project"
DAYS, USERS = 14, 4_000
END = datetime(2026, 1, 5, tzinfo=UTC) + timedelta(days=DAYS)


@dataclass(frozen=True)
class Landed:
    path: str
    event: dict[str, Any]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> SimulatedWorld:
    return simulate(tmp_path_factory.mktemp("world"), 7, CATALOG, DBT, days=DAYS, users=USERS)


def _read(world: SimulatedWorld) -> list[Landed]:
    """Every whole row of every readable file, by the standard library alone."""
    landed = []
    for path in sorted(world.landing.rglob("*")):
        name = path.relative_to(world.landing).as_posix()
        if not path.is_file() or "cut-off" in name or "resent" in name:
            continue
        if name.endswith(".gz"):
            for line in gzip.decompress(path.read_bytes()).decode().splitlines():
                try:
                    event = json.loads(line)
                except ValueError:
                    continue
                if isinstance(event, dict):
                    event |= event.pop("context", {})
                    landed.append(Landed(name, event))
        elif name.endswith(".csv"):
            landed += [
                Landed(name, {key: value or None for key, value in row.items()} | {"csv": True})
                for row in csv.DictReader(io.StringIO(path.read_text()))
            ]
        else:
            landed += [Landed(name, row) for row in pq.read_table(path).to_pylist()]
    return landed


def _instant(text: Any) -> datetime | None:
    if isinstance(text, datetime):
        return text
    try:
        instant = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return instant if instant.tzinfo else None


@pytest.fixture(scope="module")
def rows(world: SimulatedWorld) -> list[Landed]:
    return _read(world)


@pytest.fixture(scope="module")
def events(rows: list[Landed]) -> list[dict[str, Any]]:
    """Distinct valid events with instant, properties and ids in one place."""
    events: dict[str, dict[str, Any]] = {}
    for row in rows:
        event = dict(row.event)
        at = _instant(event.get("occurred_at"))
        if not str(event.get("event_id") or "").startswith("event-") or at is None:
            continue
        properties = event.get("properties") or {}
        event["properties"] = json.loads(properties) if isinstance(properties, str) else properties
        event["at"] = at
        for key in ("experiment_id", "variation_id"):
            event[key] = event.get(key) or event["properties"].get(key)
        events.setdefault(event["event_id"], event)
    return list(events.values())


def _people(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        event
        for event in events
        if "Bot" not in event["user_agent"] and event["properties"].get("internal") != "true"
    ]


def _digest(folder: Path) -> dict[str, tuple[str, float]]:
    return {
        path.relative_to(folder).as_posix(): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime,
        )
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_equal_seeds_give_equal_bytes_and_arrivals(tmp_path: Path) -> None:
    one = simulate(tmp_path / "one", 3, CATALOG, DBT, days=4, users=300)
    two = simulate(tmp_path / "two", 3, CATALOG, DBT, days=4, users=300)
    other = simulate(tmp_path / "other", 4, CATALOG, DBT, days=4, users=300)
    assert _digest(one.landing) == _digest(two.landing)
    assert one.truth.read_bytes() == two.truth.read_bytes()
    assert _digest(one.landing) != _digest(other.landing)


def test_the_same_world_is_not_written_twice_and_another_is_refused(tmp_path: Path) -> None:
    first = simulate(tmp_path, 3, CATALOG, DBT, days=2, users=300)
    before = {path: path.stat().st_ctime_ns for path in first.landing.rglob("*")}
    again = simulate(tmp_path, 3, CATALOG, DBT, days=2, users=300)
    assert again == first
    assert {path: path.stat().st_ctime_ns for path in first.landing.rglob("*")} == before
    with pytest.raises(OrchestrationError, match="another world is already there"):
        simulate(tmp_path, 4, CATALOG, DBT, days=2, users=300)


def test_a_world_whose_truth_was_never_written_is_written_again(tmp_path: Path) -> None:
    first = simulate(tmp_path, 3, CATALOG, DBT, days=2, users=300)
    digest = _digest(tmp_path)
    first.truth.unlink()
    next(first.landing.rglob("*.csv")).write_text("half a f")
    simulate(tmp_path, 3, CATALOG, DBT, days=2, users=300)
    assert _digest(tmp_path)["landing/shop/2026-01-05.csv"] == digest["landing/shop/2026-01-05.csv"]


def test_real_events_are_not_mixed_with_the_demo(tmp_path: Path) -> None:
    (tmp_path / "landing").mkdir()
    (tmp_path / "landing" / "mine.ndjson").write_text("{}\n")
    with pytest.raises(OrchestrationError, match=r"files of your own \(mine\.ndjson"):
        simulate(tmp_path, 3, CATALOG, DBT, days=2, users=300)


@pytest.mark.parametrize(
    ("option", "values"), [("--seed", (-1, 2, 300)), ("--days", (1, 0, 300)), ("--users", (1, 2, 5))]
)
def test_numbers_out_of_range_are_refused(tmp_path: Path, option: str, values: tuple[int, int, int]) -> None:
    seed, days, users = values
    with pytest.raises(OrchestrationError, match=f"{option}: out of range"):
        simulate(tmp_path, seed, CATALOG, DBT, days=days, users=users)


def test_files_arrive_after_their_last_event(world: SimulatedWorld, rows: list[Landed]) -> None:
    newest: dict[str, datetime] = {}
    for row in rows:
        at = _instant(row.event.get("occurred_at"))
        if at is not None and str(row.event.get("event_id") or "").startswith("event-"):
            newest[row.path] = max(at, newest.get(row.path, at))
    for name, at in newest.items():
        arrival = datetime.fromtimestamp((world.landing / name).stat().st_mtime, UTC)
        assert at <= arrival <= END + timedelta(hours=2), name


def test_rows_and_reasons_are_counted_as_written(world: SimulatedWorld, events: list[dict[str, Any]]) -> None:
    truth = world.content
    lines = 0
    for file in truth["files"]:
        path = world.landing / file["path"]
        if file["status"] != "taken":
            continue
        if path.suffix == ".gz":
            count = len(gzip.decompress(path.read_bytes()).decode().splitlines())
        elif path.suffix == ".csv":
            count = len(path.read_text().splitlines()) - 1
        else:
            count = pq.read_metadata(path).num_rows
        assert count == file["rows"], file["path"]
        lines += count
    assert {path.relative_to(world.landing).as_posix() for path in world.landing.rglob("*.*")} == {
        file["path"] for file in truth["files"]
    }
    counted = truth["rows"]
    assert lines == counted["read"]
    assert len(events) == counted["accepted"]
    assert counted["read"] == counted["accepted"] + counted["duplicates"] + counted["quarantined"]
    assert set(counted["quarantined_by_reason"]) == {
        "unparseable",
        "missing_event_id",
        "missing_occurred_at",
        "invalid_occurred_at",
        "wrong_type",
        "future",
        "before_first_day",
    }


def test_one_day_never_arrives_and_late_events_keep_within_six_days(
    world: SimulatedWorld, rows: list[Landed], events: list[dict[str, Any]]
) -> None:
    by_day = Counter(str(event["at"].astimezone(UTC).date()) for event in events)
    assert by_day == world.content["events"]["by_day"]
    assert world.content["days_that_never_arrive"] == ["2026-01-15"]
    assert "2026-01-15" not in by_day
    assert not any("2026-01-15" in file["path"] for file in world.content["files"])
    assert world.content["events"]["most_days_late"] == 6
    first_seen: dict[str, int] = {}
    for row in rows:
        at = _instant(row.event.get("occurred_at"))
        if at is not None and str(row.event.get("event_id") or "").startswith("event-"):
            arrived = datetime.fromisoformat(row.path.split("/")[-1][:10]).date()
            late = (arrived - at.astimezone(UTC).date()).days
            first_seen[row.event["event_id"]] = min(late, first_seen.get(row.event["event_id"], 99))
    assert sum(late > 0 for late in first_seen.values()) == world.content["events"]["late"]


def test_doubles_and_contradictions_are_there(world: SimulatedWorld, rows: list[Landed]) -> None:
    copies: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if str(row.event.get("event_id") or "").startswith("event-"):
            copies[row.event["event_id"]].append(row.event)
    doubled = [group for group in copies.values() if len(group) > 1]
    assert sum(len(group) - 1 for group in doubled) == world.content["rows"]["duplicates"]
    assert all(len({_instant(event["occurred_at"]) for event in group}) == 1 for group in doubled)
    contradicting = [
        group for group in doubled if any("retry" in (event.get("properties") or "") for event in group)
    ]
    assert len(contradicting) == world.content["events"]["conflicting"] > 0
    assert any("+02:00" in str(event["occurred_at"]) for group in doubled for event in group)


def test_bots_employees_and_refunds_are_counted(world: SimulatedWorld, events: list[dict[str, Any]]) -> None:
    bots = [event for event in events if "Bot" in event["user_agent"]]
    internal = [event for event in events if event["properties"].get("internal") == "true"]
    filtered = world.content["filtered"]
    assert len({event["anonymous_id"] for event in bots}) == filtered["bots"]["units"]
    assert len(bots) == filtered["bots"]["events"] > 0
    assert len(internal) == filtered["internal"]["events"] > 0
    refunds = [event for event in events if event["event_name"] == "refund"]
    assert len(refunds) == world.content["events"]["refunds"] > 0
    assert all(float(event["value"]) < 0 for event in refunds)


def test_hostile_text_lands_unchanged(events: list[dict[str, Any]]) -> None:
    campaigns = {event["properties"].get("campaign") for event in events}
    assert {
        "<script>alert(1)</script>",
        "../../../etc/passwd",
        "🎉🧪 ",
        "\u202egnitseretni\u202c",
    } <= campaigns
    users = {event.get("user_id") or "" for event in events}
    assert any("user-" in user[1:] for user in users)


def _shard(salt: str, unit: str) -> int:
    return int(hashlib.md5(f"{salt}-{unit}".encode()).hexdigest()[:8], 16) % 10_000  # noqa: S324


def test_logged_arms_follow_the_hash_but_for_the_faulty_sdk(events: list[dict[str, Any]]) -> None:
    definitions = {
        path.stem: yaml.safe_load(path.read_text()) for path in (CATALOG / "experiments").glob("*.yaml")
    }
    checked, wrong = 0, Counter()
    for event in events:
        if event["event_name"] != "experiment_viewed":
            continue
        name = event["experiment_id"]
        definition = definitions[name]
        if name in {"search_rollout", "delivery_dates", "headline_copy", "landing_layout", "tile_order"}:
            continue  # not halves; the bucketing itself is tested beside the exports
        unit = event["anonymous_id"] if definition.get("unit") == "anonymous" else event.get("user_id")
        arms = [variant["id"] for variant in definition["variants"]]
        expected = arms[_shard(f"{name}-split", unit or event["anonymous_id"]) >= 5_000]
        checked += 1
        if event["variation_id"] != expected:
            wrong[name, event["sdk_version"]] += 1
    assert checked > 5_000
    assert set(wrong) == {("recommendations", "4.1.0")}


def _arms(events: list[dict[str, Any]], experiment: str) -> tuple[Counter[str], int]:
    """Units by the arm of their first exposure, and units seen in two arms, by plain Python."""
    user_of = {e["anonymous_id"]: e["user_id"] for e in events if e.get("user_id")}
    seen: dict[str, list[tuple[datetime, str, str]]] = defaultdict(list)
    for event in events:
        if event["experiment_id"] == experiment:
            unit = event.get("user_id") or user_of.get(event["anonymous_id"], event["anonymous_id"])
            seen[unit].append((event["at"], event["event_id"], event["variation_id"]))
    firsts = Counter(min(exposures)[2] for exposures in seen.values())
    return firsts, sum(len({arm for *_, arm in exposures}) > 1 for exposures in seen.values())


@pytest.mark.parametrize(
    "experiment", ["checkout_cta", "headline_copy", "guest_checkout", "lazy_images", "promo_text"]
)
def test_units_per_arm_and_crossovers_are_as_the_truth_says(
    world: SimulatedWorld, events: list[dict[str, Any]], experiment: str
) -> None:
    arms, crossovers = _arms(_people(events), experiment)
    truth = world.content["experiments"][experiment]
    assert arms == truth["units"]
    assert crossovers == truth["faults"]["crossovers"]
    assert (crossovers > 0) == (experiment == "guest_checkout")


def test_planted_mismatches_are_there_and_no_others(world: SimulatedWorld) -> None:
    for name, truth in world.content["experiments"].items():
        counts = list(truth["units"].values())
        moving = {"search_rollout", "delivery_dates", "tile_order"}
        if name in moving | {"headline_copy", "onboarding_tips", "ios_paywall"}:
            continue  # other weights, moving ones, not started, or one platform only
        p = stats.chisquare(counts).pvalue
        if truth["faults"]["srm"]:
            assert p < 0.01, name
        else:
            # 15 sound experiments: all above 1e-4 with probability .9985.
            assert p > 1e-4, name


def test_the_app_of_one_platform_loses_an_arm_from_the_tenth_day_on(events: list[dict[str, Any]]) -> None:
    first: dict[str, tuple[datetime, str, str]] = {}
    for event in _people(events):
        if event["experiment_id"] == "ios_paywall":
            entry = (event["at"], event["variation_id"], event["platform"])
            first[event["user_id"]] = min(entry, first.get(event["user_id"], entry))
    fault = datetime(2026, 1, 14, tzinfo=UTC)
    late_ios = Counter(arm for at, arm, platform in first.values() if platform == "ios" and at >= fault)
    sound = Counter(arm for at, arm, platform in first.values() if platform != "ios" or at < fault)
    assert late_ios["plain"] < 0.75 * late_ios["control"]
    assert stats.binomtest(sound["plain"], sound.total()).pvalue > 1e-4


@pytest.mark.simulation
def test_naive_estimates_scatter_around_the_true_lifts(
    world: SimulatedWorld, events: list[dict[str, Any]]
) -> None:
    """z = (estimate - truth) / standard error of the 7-day click, cart and page counts, over all experiments."""
    people = _people(events)
    user_of = {e["anonymous_id"]: e["user_id"] for e in people if e.get("user_id")}
    history: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in people:
        history[user_of.get(event["anonymous_id"], event["anonymous_id"])].append(event)
    counted = {"clicks_per_user": "click", "page_views_per_user": "page_view", "errors_per_user": "error"}
    scores = []
    for name, truth in world.content["experiments"].items():
        for metric, lifts in truth["lifts"].items():
            if metric not in counted:
                continue
            values: dict[str, list[int]] = defaultdict(list)
            for own in history.values():
                shown = [
                    (e["at"], e["event_id"], e["variation_id"]) for e in own if e["experiment_id"] == name
                ]
                if shown and min(shown)[0] + timedelta(days=7) <= END:
                    begin, _, arm = min(shown)
                    values[arm].append(
                        sum(
                            e["event_name"] == counted[metric]
                            and begin <= e["at"] < begin + timedelta(days=7)
                            for e in own
                        )
                    )
            control = values[truth["control"]]
            for arm, lift in lifts.items():
                if lift is None or len(values[arm]) < 100:
                    continue
                mean, base = _mean(values[arm]), _mean(control)
                error = (
                    _variance(values[arm]) / base**2 + (mean / base) ** 2 * _variance(control) / base**2
                ) ** 0.5
                scores.append((mean / base - 1 - lift) / error)
    assert len(scores) >= 8
    assert max(map(abs, scores)) < 4
    assert stats.chi2.sf(sum(z * z for z in scores), len(scores)) > 1e-3


def _mean(values: list[int]) -> float:
    return sum(values) / len(values)


def _variance(values: list[int]) -> float:
    """Of the mean."""
    mean = _mean(values)
    return sum((value - mean) ** 2 for value in values) / (len(values) - 1) / len(values)


def test_arrivals_do_not_depend_on_the_local_zone(world: SimulatedWorld) -> None:
    file = world.landing / "web" / "2026-01-05-am.ndjson.gz"
    assert file.stat().st_mtime == datetime(2026, 1, 5, 12, 10, tzinfo=UTC).timestamp()


def test_the_page_about_the_demo_names_every_experiment_with_its_method(world: SimulatedWorld) -> None:
    page = (ROOT / "docs" / "demo-world.md").read_text()
    rows = {
        cells[1].strip(" `"): [cell.strip() for cell in cells[2:5]]
        for line in page.splitlines()
        if line.startswith("| `") and len(cells := line.split("|")) == 6
    }
    methods = {
        "group_sequential": "group sequential",
        "always_valid": "always valid",
        "bayesian": "Bayesian",
        "sprt": "SPRT",
    }
    for name, truth in world.content["experiments"].items():
        method, shows, said = rows.pop(name)
        assert method == methods.get(truth["method"], truth["method"])
        assert said.startswith("nothing") == (not truth["has_effect"]), name
        assert truth["kind"].split(",")[0].split(" ")[0].lower() in shows.lower(), name
    assert set(rows) == {"gift_cards"}


def test_two_experiments_change_each_others_effect_and_others_do_not(events: list[dict[str, Any]]) -> None:
    """Carts of units in both, by pairs of arms: the difference of differences, against its own standard error."""
    people = _people(events)
    user_of = {e["anonymous_id"]: e["user_id"] for e in people if e.get("user_id")}
    first: dict[str, dict[str, tuple[datetime, str]]] = defaultdict(dict)
    carts: dict[str, list[datetime]] = defaultdict(list)
    for event in people:
        unit = user_of.get(event["anonymous_id"], event["anonymous_id"])
        if event["event_name"] == "add_to_cart":
            carts[unit].append(event["at"])
        elif (name := event["experiment_id"]) is not None:
            seen = (event["at"], event["variation_id"])
            first[unit][name] = min(first[unit].get(name, seen), seen)

    def z_of(one: str, treated: str, other: str, other_treated: str) -> float:
        cells: dict[tuple[bool, bool], list[int]] = defaultdict(list)
        for unit, shown in first.items():
            if one in shown and other in shown:
                since = max(shown[one][0], shown[other][0])
                count = sum(at >= since for at in carts[unit])
                cells[shown[one][1] == treated, shown[other][1] == other_treated].append(count)
        assert min(map(len, cells.values())) > 50
        signs = {(a, b): 1 if a == b else -1 for a, b in cells}
        difference = sum(signs[cell] * _mean(values) for cell, values in cells.items())
        return float(difference / sum(map(_variance, cells.values())) ** 0.5)

    assert z_of("guest_checkout", "guest", "promo_text", "promo") > 3
    assert abs(z_of("guest_checkout", "guest", "platform_check", "b")) < 3
