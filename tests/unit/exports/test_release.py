from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from fairsplit.analysis.catalogue.conditions import Condition
from fairsplit.analysis.catalogue.shards import shard_ranges
from fairsplit.assignment_exports.allocation import (
    Allocation,
    AllocationBand,
    AllocationHoldout,
    AllocationPhase,
    assign,
)
from fairsplit.assignment_exports.eligibility import inline_segments
from fairsplit.assignment_exports.errors import ExportError
from fairsplit.assignment_exports.publishing import PublishedVersion, current_version, publish
from fairsplit.assignment_exports.release import build_release, differences, parquet_bytes

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2026, 1, 5)  # noqa: DTZ001 - instants are naive UTC in this project
CUT_OFF = datetime(2026, 1, 20)  # noqa: DTZ001


def _allocation(name: str, traffic: int = 10_000, red: float = 0.5, **more: Any) -> Allocation:
    ranges = shard_ranges({"control": 1 - red, "red": red})
    phase = AllocationPhase(START, None, traffic, f"{name}-traffic", f"{name}-split", ranges)
    configs = {"control": {"colour": "blue"}, "red": {"colour": "red"}}
    return replace(Allocation(name, "running", (phase,), None, None, configs, "control", None), **more)


def _publish(exports: Path, *allocations: Allocation, held: dict[str, str] | None = None) -> PublishedVersion:
    previous = current_version(exports) if exports.exists() else None
    release = build_release(allocations, CUT_OFF, held=held, previous=previous)
    return publish(exports, release.payloads, release.meta)


def _flags(version: PublishedVersion) -> dict[str, Any]:
    flags: dict[str, Any] = json.loads((version.path / "ufc.json").read_bytes())["flags"]
    return flags


def test_a_changed_experiment_says_in_words_what_changed(tmp_path: Path) -> None:
    _publish(tmp_path, _allocation("cta", traffic=1_000), _allocation("still"))
    second = _publish(tmp_path, _allocation("cta", traffic=5_000, red=0.2), _allocation("still"))
    entries = second.manifest["experiments"]
    assert entries["cta"]["change"] == "changed"
    assert entries["cta"]["diff"] == [
        "traffic 10 % -> 50 %",
        "weight of control 50 % -> 80 %",
        "weight of red 50 % -> 20 %",
    ]
    assert (entries["still"]["change"], entries["still"]["diff"]) == ("unchanged", [])


def test_an_overridden_unit_has_no_probability_and_others_are_drawn_as_before() -> None:
    units = pl.Series([f"user-{number}" for number in range(1_000)])
    drawn = assign(_allocation("cta", traffic=4_000), units, CUT_OFF)
    tried = assign(_allocation("cta", traffic=4_000, overrides={"user-7": "red"}), units, CUT_OFF)
    assert tried.row(7) == ("user-7", "red", "override", None)
    others = pl.col("unit_id") != "user-7"
    assert tried.filter(others).equals(drawn.filter(others))
    draft = assign(_allocation("cta", status="draft", overrides={"user-7": "red"}), units, CUT_OFF)
    assert set(draft["reason"]) == {"not_live"}


def test_holdouts_overrides_and_bands_are_told_once_and_unchanged_thereafter(tmp_path: Path) -> None:
    plain = _allocation("cta", traffic=5_000)
    bands = tuple(
        AllocationBand(begin, end, shard_ranges({"control": share, "red": 1 - share}))
        for begin, end, share in ((0, 2_000, 0.9), (2_000, 5_000, 0.5))
    )
    more = replace(
        plain,
        phases=(replace(plain.phases[0], sticky=bands),),
        holdouts=(AllocationHoldout("year", "year-holdout", 500),),
        overrides={"user-1": "red"},
    )
    _publish(tmp_path, plain)
    told = _publish(tmp_path, more).manifest["experiments"]["cta"]
    assert [line.split(" ")[0] for line in told["diff"]] == ["holdouts", "overrides", "sticky"]
    again = _publish(tmp_path, more)
    assert (again.changed, again.manifest["experiments"]["cta"]["change"]) == (False, "changed")
    other = _publish(tmp_path, more, _allocation("other"))
    assert other.manifest["experiments"]["cta"]["change"] == "unchanged"


def test_a_closed_gate_keeps_the_last_good_config_and_touches_nobody_else(tmp_path: Path) -> None:
    first = _publish(tmp_path, _allocation("cta", traffic=1_000), _allocation("other", traffic=1_000))
    held = {"cta": "sample ratio mismatch, p < 0.001"}
    second = _publish(
        tmp_path, _allocation("cta", traffic=9_000), _allocation("other", traffic=9_000), held=held
    )
    assert _flags(second)["cta"] == _flags(first)["cta"]
    assert _flags(second)["cta__config"] == _flags(first)["cta__config"]
    assert _flags(second)["other"] != _flags(first)["other"]
    entry = second.manifest["experiments"]["cta"]
    assert (entry["change"], entry["reason"]) == ("kept", "sample ratio mismatch, p < 0.001")
    assert entry["allocation"]["traffic"] == 0.1
    third = _publish(tmp_path, _allocation("cta", traffic=9_000), _allocation("other", traffic=9_000))
    assert third.manifest["experiments"]["cta"]["diff"] == ["traffic 10 % -> 90 %"]


def test_a_closed_gate_without_an_earlier_config_freezes_the_phase_in_force(tmp_path: Path) -> None:
    now = _allocation("cta", traffic=1_000).phases[0]
    to_come = replace(now, start=datetime(2026, 1, 25), traffic_shards=10_000)  # noqa: DTZ001
    ramp = _allocation("cta", phases=(replace(now, end=to_come.start), to_come))
    version = _publish(tmp_path, ramp, _allocation("good"), held={"cta": "SRM"})
    allocations = _flags(version)["cta"]["allocations"]
    assert [(allocation["startAt"][:10], allocation["endAt"]) for allocation in allocations] == [
        ("2026-01-05", None)
    ]
    entry = version.manifest["experiments"]["cta"]
    assert (entry["change"], entry["reason"], entry["allocation"]["traffic"]) == ("frozen", "SRM", 0.1)
    assert version.manifest["experiments"]["good"]["change"] == "added"
    again = _publish(tmp_path, ramp, _allocation("good", red=0.4), held={"cta": "SRM"})
    assert again.manifest["experiments"]["cta"]["change"] == "kept"
    opened = _publish(tmp_path, ramp, _allocation("good"))
    assert len(_flags(opened)["cta"]["allocations"]) == 2


def test_a_broken_definition_that_was_never_good_is_withheld(tmp_path: Path) -> None:
    version = _publish(tmp_path, _allocation("good"), held={"cta": "weights do not sum to 1"})
    assert set(_flags(version)) == {"good", "good__config"}
    assert version.manifest["experiments"]["cta"]["change"] == "withheld"


@pytest.mark.parametrize("status", ["paused", "completed"])
def test_a_closed_gate_never_prevents_stopping(tmp_path: Path, status: str) -> None:
    _publish(tmp_path, _allocation("cta"))
    stopped = _publish(tmp_path, _allocation("cta", status=status), held={"cta": "SRM"})
    assert f"status running -> {status}" in stopped.manifest["experiments"]["cta"]["diff"]


def test_a_broken_definition_keeps_its_last_config(tmp_path: Path) -> None:
    first = _publish(tmp_path, _allocation("cta"), _allocation("other"))
    second = _publish(tmp_path, _allocation("other", red=0.1), held={"cta": "weights do not sum to 1"})
    assert _flags(second)["cta"] == _flags(first)["cta"]


def test_a_removed_experiment_is_named_once(tmp_path: Path) -> None:
    _publish(tmp_path, _allocation("cta"), _allocation("other"))
    second = _publish(tmp_path, _allocation("other"))
    assert "cta" not in _flags(second)
    assert second.manifest["experiments"]["cta"]["change"] == "removed"
    third = _publish(tmp_path, _allocation("other", red=0.1))
    assert "cta" not in third.manifest["experiments"]


def test_targeting_that_ufc_cannot_hold_stops_that_experiment_alone(tmp_path: Path) -> None:
    either = {"any": [{"attribute": f"a{i}", "equals": "1"} for i in range(6)]}
    intricate = Condition.model_validate({"all": [either] * 3})
    version = _publish(tmp_path, _allocation("cta", targeting=intricate), _allocation("good"))
    assert set(_flags(version)) == {"good", "good__config"}
    assert version.manifest["experiments"]["cta"]["reason"] == (
        "the targeting is too intricate for UFC (216 rules once multiplied out: at most 200 rules)."
        " Hint: compute the condition as one attribute in the warehouse and target that attribute"
    )


def test_the_same_release_is_the_same_bytes() -> None:
    frame = pl.DataFrame({"experiment_id": ["cta"] * 1_000, "lift_rel": [0.1] * 1_000})
    one = build_release([_allocation("a"), _allocation("b")], CUT_OFF, frames={"results": frame})
    two = build_release([_allocation("b"), _allocation("a")], CUT_OFF, frames={"results": frame.clone()})
    assert one.payloads == two.payloads
    assert set(one.payloads) == {"ufc.json", "flagd.json", "growthbook.json", "results.parquet"}
    assert pl.read_parquet(parquet_bytes(frame)).equals(frame)


def test_a_prefix_goes_before_the_flag_keys_only() -> None:
    flags = json.loads(build_release([_allocation("cta")], CUT_OFF, prefix="shop-").payloads["ufc.json"])[
        "flags"
    ]
    assert set(flags) == {"shop-cta", "shop-cta__config"}
    assert flags["shop-cta"]["allocations"][0]["splits"][0]["shards"][0]["salt"] == "cta-traffic"


def test_differences_in_nested_values_are_told_by_part() -> None:
    before = {"configs": {"red": {"size": 1}}, "targeting": None}
    after = {"configs": {"red": {"size": 2}}, "targeting": {"attribute": "country", "in": ["US"]}}
    assert differences(before, after) == [
        'config of red {"size": 1} -> {"size": 2}',
        'targeting none -> {"attribute": "country", "in": ["US"]}',
    ]


def test_assignments_carry_reason_and_probability() -> None:
    german = Condition.model_validate({"attribute": "country", "in": ["DE"]})
    units = pl.Series([f"u{number}" for number in range(400)])
    attributes = pl.DataFrame({"country": ["DE", "US", None, "DE"] * 100})
    drawn = assign(_allocation("cta", traffic=5_000, red=0.25, targeting=german), units, CUT_OFF, attributes)
    assert drawn.columns == ["unit_id", "variant", "reason", "probability"]
    assert set(drawn.filter(attributes["country"] != "DE")["reason"]) == {"not_targeted"}
    assert set(drawn["reason"]) == {"not_targeted", "outside_traffic", "assigned"}
    taking_part = drawn.filter(reason="assigned")
    assert set(zip(taking_part["variant"], taking_part["probability"], strict=True)) == {
        ("control", 0.75),
        ("red", 0.25),
    }
    assert drawn.filter(pl.col("reason") != "assigned")["variant"].null_count() == 400 - taking_part.height
    with pytest.raises(ExportError, match="attributes do not fit the units"):
        assign(_allocation("cta"), units, CUT_OFF, attributes[:3])


def test_named_segments_are_put_in_place_at_any_depth() -> None:
    named = {
        "north": Condition.model_validate({"attribute": "country", "in": ["US", "CA"]}),
        "core": Condition.model_validate({"not": {"segment": "north"}}),
    }
    tree = Condition.model_validate({"all": [{"segment": "core"}, {"attribute": "age", "gt": 17}]})
    assert inline_segments(tree, named) == Condition.model_validate(
        {"all": [{"not": {"attribute": "country", "in": ["US", "CA"]}}, {"attribute": "age", "gt": 17}]}
    )
    with pytest.raises(ExportError, match="unknown segment"):
        inline_segments(Condition.model_validate({"segment": "south"}), named)


def test_a_pause_cuts_a_phase_into_open_stretches() -> None:
    days = [datetime(2026, 1, day) for day in range(1, 31)]  # noqa: DTZ001
    allocation = _allocation("cta", pauses=((days[9], days[11]), (days[19], None)))
    assert allocation.open_stretches(allocation.phases[0]) == [(START, days[9]), (days[11], days[19])]
    assert [allocation.state_at(days[i]) for i in (0, 8, 9, 11, 19)] == [
        "not_live",
        "open",
        "paused",
        "open",
        "paused",
    ]
