"""What is published for each SDK family, loaded by its real SDK, serves what Python and SQL say, for every unit."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import duckdb
import jinja2
import numpy as np
import polars as pl
import pytest
from tests.definitions import HELD, NOW, catalogue, units
from tests.sdks import flagd_provider, node_sdk, python_sdk

from fairsplit.analysis.catalogue import compile_tables
from fairsplit.analysis.catalogue.hashes import Sdk
from fairsplit.analysis.catalogue.serving import eligible_variant
from fairsplit.analysis.catalogue.shards import shard
from fairsplit.assignment_exports.allocation import LIVE, allocation_of, assign
from fairsplit.assignment_exports.bucketing import shards
from fairsplit.assignment_exports.catalogue import export_catalogue
from fairsplit.assignment_exports.condition_sql import condition_sql
from fairsplit.assignment_exports.eligibility import eligible, inline_segments
from fairsplit.assignment_exports.families import FAMILIES
from fairsplit.assignment_exports.flags import serve

if TYPE_CHECKING:
    from fairsplit.analysis.catalogue import Catalogue, Flag

MACROS = Path(__file__).resolve().parents[3] / "dbt_project" / "macros"
# Eppo's core is compiled; the evaluators in Python take a hundred times as long.
FAST = {"ufc": 100_000, "flagd": 2_000, "growthbook": 5_000}
COUNTS = [
    *(pytest.param(sdk, count, id=f"{sdk}-{count}") for sdk, count in FAST.items()),
    *(
        pytest.param(sdk, 100_000, marks=pytest.mark.slow, id=f"{sdk}-100000")
        for sdk in ("flagd", "growthbook")
    ),
]


@pytest.fixture(scope="module")
def payloads(tmp_path_factory: pytest.TempPathFactory) -> dict[Sdk, bytes]:
    """The file of each family as `export_catalogue` publishes it."""
    found: dict[Sdk, bytes] = {}
    for sdk in get_args(Sdk):
        version = export_catalogue(tmp_path_factory.mktemp(sdk), catalogue(sdk), NOW)
        entries = {**version.manifest["experiments"], **version.manifest["flags"]}
        assert len(entries) >= 20
        assert {entry["change"] for entry in entries.values()} == {"added"}
        found[sdk] = (version.path / FAMILIES[sdk].file).read_bytes()
    return found


def _live(found: Catalogue) -> list[str]:
    return [name for name, item in found.experiments.items() if item.status in LIVE]


@cache
def _expected(sdk: Sdk, count: int) -> dict[tuple[str, str], list[Any]]:
    """What each unit gets, by type and key."""
    found, everybody = catalogue(sdk), units(count)
    expected: dict[tuple[str, str], list[Any]] = {}
    for name in _live(found):
        allocation = allocation_of(found.experiments[name], found.project, found.conditions)
        drawn = assign(allocation, everybody["unit_id"], NOW, everybody)["variant"]
        expected["string", name] = drawn.fill_null("-").to_list()
    for flag in found.flags.values():
        expected[flag.type, flag.id] = _all_values(flag, found, everybody)
    return expected


def _all_values(flag: Flag, found: Catalogue, everybody: pl.DataFrame) -> list[Any]:
    """What a flag serves to each unit, worked out for all of them at once."""
    inside = shards(f"{flag.id}-rollout", everybody["unit_id"], flag.sdk) < round(flag.rollout * 10_000)
    if flag.targeting is not None:
        inside &= eligible(
            inline_segments(flag.targeting, found.conditions), everybody.height, everybody, NOW
        )
    for need in flag.depends_on:
        values = _all_values(found.flags[need.flag], found, everybody)
        inside &= np.array([value == need.value for value in values])
    value = flag.value if flag.value is not None else not flag.default
    drawn = [value if into and flag.enabled else flag.default for into in inside]
    return [flag.overrides.get(unit, other) for unit, other in zip(everybody["unit_id"], drawn, strict=True)]


@pytest.mark.integration
@pytest.mark.parametrize(("sdk", "count"), COUNTS)
def test_every_unit_gets_from_the_sdk_what_python_says(
    sdk: Sdk, count: int, payloads: dict[Sdk, bytes]
) -> None:
    everybody = units(count)
    attributes = everybody.drop("unit_id").rows(named=True)
    served = python_sdk(sdk, payloads[sdk])
    for (kind, key), expected in _expected(sdk, count).items():
        values = [
            served(kind, key, unit, known)
            for unit, known in zip(everybody["unit_id"], attributes, strict=True)
        ]
        assert values == expected, key


@pytest.mark.integration
@pytest.mark.parametrize("sdk", ["ufc", "growthbook"])
@pytest.mark.parametrize("count", [5_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_every_unit_gets_from_the_node_sdk_what_python_says(
    sdk: Literal["ufc", "growthbook"], count: int, payloads: dict[Sdk, bytes]
) -> None:
    everybody = units(count)
    subjects = list(zip(everybody["unit_id"], everybody.drop("unit_id").rows(named=True), strict=True))
    expected = _expected(sdk, count)
    for (_, key), values, served in zip(
        expected, expected.values(), node_sdk(sdk, payloads[sdk], list(expected), subjects), strict=True
    ):
        assert served == values, key


@pytest.mark.integration
def test_every_unit_gets_from_flagds_own_provider_what_python_says(tmp_path: Path) -> None:
    everybody = units(300)
    subjects = list(zip(everybody["unit_id"], everybody.drop("unit_id").rows(named=True), strict=True))
    expected = _expected("flagd", 300)
    export_catalogue(tmp_path, catalogue("flagd"), NOW)
    with flagd_provider(tmp_path / "current" / "flagd.json") as serve_all:
        served = serve_all(list(expected), subjects)
    for (_, key), values, drawn in zip(expected, expected.values(), served, strict=True):
        assert drawn == values, key


@pytest.mark.integration
@pytest.mark.parametrize(("sdk", "count"), COUNTS)
def test_every_unit_gets_from_sql_what_python_says(sdk: Sdk, count: int) -> None:
    found, everybody = catalogue(sdk), units(count)
    allocations = {
        name: allocation_of(found.experiments[name], found.project, found.conditions) for name in _live(found)
    }
    running = {name: item for name, item in allocations.items() if item.state_at(NOW) == "open"}
    assert len(running) >= 10
    attributes = [json.dumps(row) for row in everybody.drop("unit_id").rows(named=True)]
    numbered = everybody.select("unit_id").with_columns(a=pl.Series(attributes)).with_row_index("position")
    with duckdb.connect() as connection:
        connection.execute(_hashes())
        connection.register("units", numbered.to_arrow())
        for name, table in compile_tables(found).items():
            connection.register(name, table.to_arrow())
        for name, allocation in running.items():
            targeting = allocation.targeting
            rows = connection.execute(
                f"""
                with phase as (
                    from phases join experiments using (experiment_id)
                    select phases.*, sdk, layer_salt, layer_shard_from, layer_shard_to
                    where experiment_id = $name and phases.start_at <= $now and phases.leaf is null
                    qualify phases.start_at = max(phases.start_at) over ()
                ),
                hashed as materialized (
                    select units.*, phase.*, family_shard(sdk, split_salt, unit_id) as split,
                        family_shard(sdk, traffic_salt, unit_id) as traffic_shard,
                        case when layer_salt is null then null else family_shard(sdk, layer_salt, unit_id) end
                            as layer_shard
                    from units cross join phase
                )
                select coalesce(o.variant_id, w.variant_id)
                from hashed h
                left join overrides o on o.experiment_id = h.experiment_id and o.unit_id = h.unit_id
                left join phase_weights w
                    on w.experiment_id = h.experiment_id and w.phase = h.phase + {_leaf_of()}
                    and split >= w.shard_from and split < w.shard_to
                    and traffic_shard < traffic_shards
                    and (layer_salt is null or layer_shard >= layer_shard_from and layer_shard < layer_shard_to)
                    and not exists (from holdouts where experiment_id = $name
                        and family_shard(h.sdk, holdouts.salt, h.unit_id) < holdouts.shards)
                    and {"true" if targeting is None else condition_sql(targeting, "a::json")}
                where band_from is null or traffic_shard >= band_from and traffic_shard < band_to
                order by position
                """,
                {"name": name, "now": NOW},
            ).fetchall()
            assert [variant or "-" for (variant,) in rows] == _expected(sdk, count)["string", name], name


@pytest.mark.parametrize("sdk", get_args(Sdk))
def test_the_evaluators_of_one_unit_say_the_same(sdk: Sdk) -> None:
    found, everybody = catalogue(sdk), units(1_500)
    expected = _expected(sdk, 1_500)
    for position, row in enumerate(everybody.rows(named=True)):
        unit, known = row["unit_id"], row
        for name in ("partial", "right", "salted", "targeted", "ramp", "sticky", "held_layer", "contextual"):
            drawn = eligible_variant(
                found.experiments[name], found.project, unit, known, found.conditions, NOW
            )
            assert (drawn or "-") == expected["string", name][position]
        for flag in found.flags.values():
            value = serve(flag, found.flags, unit, known, found.conditions, NOW)
            assert value == expected[flag.type, flag.id][position], flag.id


@pytest.mark.integration
@pytest.mark.parametrize("sdk", get_args(Sdk))
def test_overrides_are_served_in_every_state_and_held_out_units_get_nothing(
    sdk: Sdk, payloads: dict[Sdk, bytes]
) -> None:
    served = python_sdk(sdk, payloads[sdk])
    for state in ("targeted", "nobody", "paused", "completed", "ended"):
        drawn = [served("string", f"tried_{state}", f"user_{n}", {}) for n in (1, 2, 4)]
        assert drawn == ["red", "control", "red"], state
    outside = 0
    for unit in units(2_000)["unit_id"]:
        arms = [served("string", name, unit, {}) for name in HELD]
        if shard("year-holdout", unit, sdk) < 703:
            outside += 1
            assert set(arms) == {"-"}
        else:
            assert arms[HELD.index("held_completed")] == "red"
    assert 90 < outside < 195


@pytest.mark.integration
@pytest.mark.parametrize("sdk", get_args(Sdk))
def test_every_value_is_served_to_somebody(sdk: Sdk) -> None:
    expected = _expected(sdk, 5_000)
    seen = {
        key: {json.dumps(value, sort_keys=True) for value in values} for (_, key), values in expected.items()
    }
    assert seen["express"] == {'"classic"', '"express"', '"debug"'}
    assert seen["wallet"] == seen["dark"] == {"true", "false"}
    assert seen["coupons"] == {"0", "12.5", "1"}
    assert seen["half_price"] == {"1", "0.5"}
    assert len(seen["theme"]) == 4
    assert sum(expected["boolean", "off"]) == 1
    assert sum(expected["boolean", "after_off"]) == 4_999
    assert 0.27 < sum(expected["boolean", "dark"]) / 5_000 < 0.33


@pytest.mark.integration
@pytest.mark.parametrize("sdk", get_args(Sdk))
def test_the_config_flag_serves_the_config_of_the_same_variant(sdk: Sdk, payloads: dict[Sdk, bytes]) -> None:
    served = python_sdk(sdk, payloads[sdk])
    for unit in units(500)["unit_id"]:
        variant = served("string", "thirds", unit, {})
        config = served("json", "thirds__config", unit, {})
        assert config == {"colour": variant, "rank": ["control", "short", "long"].index(variant)}


def _leaf_of() -> str:
    """The warehouse's own choice of the leaf, of levels as an exposure has them."""
    levels = ", ".join(
        f"{{segment: '{name}', level: coalesce(a::json ->> '{name}', 'unknown')}}"
        for name in ("country", "platform")
    )
    text = (MACROS / "events/segments.sql").read_text()
    call = "{{ leaf_of('h.leaves', levels) }}"
    template = jinja2.Environment(autoescape=False).from_string(text + call)  # noqa: S701 - SQL
    return template.render(levels=f"[{levels}]")


@cache
def _hashes() -> str:
    """The warehouse's own hash functions, as a dbt run defines them."""
    texts = [(MACROS / name).read_text() for name in ("events/shard.sql", "run/family_shards.sql")]
    call = "{{ define_family_shards() }}"
    return jinja2.Environment(autoescape=False).from_string("".join(texts) + call).render()  # noqa: S701 - SQL
