"""The published file, loaded by the real SDK, serves exactly what Python and SQL say, for every unit."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import eppo_client
import polars as pl
import pytest

from analysis.catalogue.experiment import Experiment
from analysis.catalogue.project import Project
from assignment_exports.allocation import Allocation, allocation_of, assign
from assignment_exports.publishing import publish
from assignment_exports.release import build_release

if TYPE_CHECKING:
    from pathlib import Path

UNITS = 100_000
# The SDK reads the real clock, so the phases lie around it: half a year before and after.
NOW = datetime.now().replace(microsecond=0)  # noqa: DTZ005 - compared only across months
PAST, FUTURE = NOW - timedelta(days=180), NOW + timedelta(days=180)
HELD = ("held", "held_layer", "held_completed", "held_ended")
PROJECT = Project.model_validate(
    {
        "first_day": "2026-01-05",
        "layer_salts": {"checkout": "checkout-2026"},
        "holdouts": [
            {"id": "year", "share": 0.0703, "experiments": list(HELD)},
            {"id": "ads", "share": 0.5, "salt": "ads ü", "experiments": ["held_layer"]},
        ],
    }
)


def _experiment(name: str, weights: dict[str, float], **more: Any) -> Allocation:
    definition = {
        "id": name,
        "name": name,
        "owner": "growth@example.com",
        "type": "abn",
        "status": "running",
        "start": PAST,
        "variants": [
            {"id": variant, "control": position == 0, "config": {"colour": variant, "rank": position}}
            for position, variant in enumerate(weights)
        ],
        "metrics": {"primary": ["checkout_conversion"]},
        "phases": [{"start": PAST, "traffic": 1.0, "weights": weights}],
        **more,
    }
    return allocation_of(Experiment.model_validate(definition), PROJECT)


HALVES = {"control": 0.5, "red": 0.5}
ALLOCATIONS = [
    _experiment("plain", HALVES),
    _experiment("thirds", {"control": 1 / 3, "short": 1 / 3, "long": 1 / 3}),
    _experiment("unequal", {"control": 0.7, "a": 0.2999, "b": 0.0001}),
    _experiment("empty_arm", {"control": 0.5, "off": 0.0, "on": 0.5}),
    _experiment("partial", HALVES, phases=[{"start": PAST, "traffic": 0.1007, "weights": HALVES}]),
    _experiment("left", HALVES, layer={"id": "checkout", "from": 0.0, "to": 0.35}),
    _experiment("right", HALVES, layer={"id": "checkout", "from": 0.35, "to": 1.0}),
    _experiment(
        "ramp",
        {"control": 0.2, "red": 0.8},
        phases=[
            {"start": PAST, "traffic": 0.1, "weights": {"control": 0.9, "red": 0.1}},
            {"start": NOW - timedelta(days=30), "traffic": 0.5, "weights": {"control": 0.2, "red": 0.8}},
            {
                "start": FUTURE,
                "traffic": 1.0,
                "weights": {"control": 0.0, "red": 1.0},
                "salts": {"split": "x"},
            },
        ],
    ),
    _experiment("salted", HALVES, salts={"traffic": "old salt ü", "split": "'; drop table units; --"}),
    _experiment(
        "targeted",
        HALVES,
        targeting={
            "all": [
                {
                    "any": [
                        {"attribute": "country", "in": ["US", "CA"]},
                        {"attribute": "beta", "equals": True},
                    ]
                },
                {"not": {"attribute": "platform", "in": ["bot"]}},
            ]
        },
    ),
    _experiment("paused", HALVES, status="paused"),
    _experiment("paused_by_date", HALVES, pauses=[{"start": NOW - timedelta(days=1), "end": FUTURE}]),
    _experiment("pause_over", HALVES, pauses=[{"start": PAST, "end": NOW - timedelta(days=1)}]),
    _experiment("completed", HALVES, status="completed", shipped="red"),
    _experiment("ended", HALVES, end=NOW - timedelta(days=1)),
    _experiment("held", HALVES),
    _experiment("held_layer", HALVES, layer={"id": "offers", "from": 0.1, "to": 0.9}),
    _experiment("held_completed", HALVES, status="completed", shipped="red"),
    _experiment("held_ended", HALVES, end=NOW - timedelta(days=1)),
    *(
        _experiment(
            f"tried_{name}", HALVES, overrides={"user_1": "red", "user_2": "control", "user_4": "red"}, **more
        )
        for name, more in {
            "targeted": {"targeting": {"attribute": "country", "in": ["US"]}},
            "nobody": {"phases": [{"start": PAST, "traffic": 0.0, "weights": HALVES}]},
            "paused": {"status": "paused"},
            "pause": {"pauses": [{"start": PAST}]},
            "completed": {"status": "completed"},
            "ended": {"end": NOW - timedelta(days=1)},
            "to_come": {"start": FUTURE, "phases": [{"start": FUTURE, "weights": HALVES}]},
            "draft": {"status": "draft"},
        }.items()
    ),
    _experiment(
        "sticky",
        {"control": 0.2, "red": 0.8},
        sticky=True,
        phases=[
            {"start": PAST, "traffic": 0.3, "weights": {"control": 0.9, "red": 0.1}},
            {"start": PAST + timedelta(days=30), "traffic": 0.6, "weights": {"control": 0.5, "red": 0.5}},
            {"start": NOW - timedelta(days=30), "traffic": 0.8, "weights": {"control": 0.2, "red": 0.8}},
        ],
    ),
    _experiment("to_come", HALVES, start=FUTURE, phases=[{"start": FUTURE, "weights": HALVES}]),
    _experiment("draft", HALVES, status="draft"),
]


@pytest.fixture(scope="module")
def units() -> pl.DataFrame:
    numbers = pl.int_range(UNITS, eager=True)
    ids = pl.select(
        pl.when(numbers % 1000 == 7)
        .then(pl.format("ünïcode 😀 {} '\"-", numbers))
        .otherwise(pl.format("user_{}", numbers))
    ).to_series()
    return pl.DataFrame(
        {
            "unit_id": ids,
            "country": pl.Series(["US", "CA", "DE", None])[numbers % 4],
            "platform": pl.Series(["web", "bot", None])[numbers % 3],
            "beta": pl.Series([True, False, None, None, None])[numbers % 5],
        }
    )


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> eppo_client.EppoClient:
    exports: Path = tmp_path_factory.mktemp("exports")
    release = build_release(ALLOCATIONS, NOW)
    published = publish(exports, release.payloads, release.meta)
    payload = (published.path / "ufc.json").read_bytes()
    return eppo_client.init(
        eppo_client.ClientConfig(
            api_key="offline",
            assignment_logger=eppo_client.AssignmentLogger(),
            poll_interval_seconds=None,
            initial_configuration=eppo_client.Configuration(flags_configuration=payload),
        )
    )
    return client


@pytest.mark.integration
@pytest.mark.parametrize("allocation", ALLOCATIONS, ids=lambda allocation: allocation.experiment_id)
def test_every_unit_gets_from_the_sdk_what_python_says(
    allocation: Allocation, units: pl.DataFrame, client: eppo_client.EppoClient
) -> None:
    expected = assign(allocation, units["unit_id"], NOW, units)["variant"].fill_null("-").to_list()
    attributes = units.select("country", "platform", "beta").rows(named=True)
    served = [
        client.get_string_assignment(allocation.experiment_id, unit, values, "-")
        for unit, values in zip(units["unit_id"], attributes, strict=True)
    ]
    assert served == expected


@pytest.mark.integration
@pytest.mark.parametrize("state", ["targeted", "nobody", "paused", "pause", "completed", "ended", "to_come"])
def test_an_override_is_served_whatever_else_is_said(state: str, client: eppo_client.EppoClient) -> None:
    served = [client.get_string_assignment(f"tried_{state}", f"user_{n}", {}, "-") for n in (1, 2, 4)]
    assert served == ["red", "control", "red"]
    config = client.get_json_assignment(f"tried_{state}__config", "user_4", {}, None)
    assert config == {"colour": "red", "rank": 1}


@pytest.mark.integration
def test_held_out_units_get_nothing_of_any_experiment_under_the_holdout(
    units: pl.DataFrame, client: eppo_client.EppoClient
) -> None:
    outside = 0
    for unit in units["unit_id"][:20_000]:
        served = {client.get_string_assignment(name, unit, {}, "-") for name in HELD}
        if int(hashlib.md5(f"year-holdout-{unit}".encode()).hexdigest()[:8], 16) % 10_000 < 703:  # noqa: S324
            outside += 1
            assert served == {"-"}
        else:
            assert client.get_string_assignment("held_completed", unit, {}, "-") == "red"
    assert 1_200 < outside < 1_600


@pytest.mark.integration
@pytest.mark.parametrize("name", ["thirds", "partial", "left", "salted"])
def test_every_unit_gets_from_sql_what_python_says(name: str, units: pl.DataFrame) -> None:
    allocation = next(item for item in ALLOCATIONS if item.experiment_id == name)
    expected = assign(allocation, units["unit_id"], NOW)["variant"].to_list()
    phase, layer = allocation.phase_at(NOW), allocation.layer
    ranges = pl.DataFrame(
        [{"variant": variant, "low": low, "high": high} for variant, (low, high) in phase.ranges.items()]
    )
    shard = "(('0x' || md5(? || '-' || unit_id)[:8])::ubigint % 10000)"
    with duckdb.connect() as connection:
        connection.register("units", units.select("unit_id").with_row_index("position").to_arrow())
        connection.register("ranges", ranges.to_arrow())
        rows = connection.execute(
            f"""
            with hashed as (
                select position, {shard} as traffic, {shard} as layer, {shard} as split from units
            )
            select ranges.variant
            from hashed left join ranges
                on split >= low and split < high and traffic < ? and layer >= ? and layer < ?
            order by position
            """,
            [
                phase.traffic_salt,
                layer.salt if layer else "none",
                phase.split_salt,
                phase.traffic_shards,
                layer.begin if layer else 0,
                layer.end if layer else 10_000,
            ],
        ).fetchall()
    assert [variant for (variant,) in rows] == expected


@pytest.mark.integration
def test_the_config_flag_serves_the_config_of_the_same_variant(
    units: pl.DataFrame, client: eppo_client.EppoClient
) -> None:
    for unit in units["unit_id"][:2_000]:
        variant = client.get_string_assignment("thirds", unit, {}, "-")
        config = client.get_json_assignment("thirds__config", unit, {}, None)
        assert config == {"colour": variant, "rank": ["control", "short", "long"].index(variant)}


@pytest.mark.integration
def test_a_draft_has_no_flag(client: eppo_client.EppoClient) -> None:
    keys = client.get_flag_keys()
    assert "draft" not in keys
    assert {"plain", "plain__config", "paused"} <= keys


@pytest.mark.integration
def test_the_sdk_logs_the_label_of_experiment_and_variant(tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []

    class Logger(eppo_client.AssignmentLogger):  # type: ignore[misc]
        def log_assignment(self, event: dict[str, Any]) -> None:
            events.append(event)

    overridden = _experiment("tried", HALVES, overrides={"user_1": "red"})
    release = build_release([ALLOCATIONS[0], overridden], NOW)
    client = eppo_client.init(
        eppo_client.ClientConfig(
            api_key="offline",
            assignment_logger=Logger(),
            poll_interval_seconds=None,
            initial_configuration=eppo_client.Configuration(flags_configuration=release.payloads["ufc.json"]),
        )
    )
    variant = client.get_string_assignment("plain", "user_1", {}, "-")
    logged = json.loads(json.dumps(events[0]))
    assert (logged["featureFlag"], logged["variation"], logged["subject"]) == ("plain", variant, "user_1")
    assert f"plain:{variant}" in json.dumps(logged)
    assert client.get_string_assignment("tried", "user_1", {}, "-") == "red"
    assert len(events) == 1
