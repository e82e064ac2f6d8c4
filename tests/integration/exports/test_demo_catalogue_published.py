"""The demo catalogue, published and served by the real SDK: equal to the project's own SQL for every unit."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import polars as pl
import pytest
from tests.sdks import python_sdk

from fairsplit.analysis.catalogue import Catalogue, compile_tables, load_catalogue, load_metrics
from fairsplit.assignment_exports.allocation import allocation_of
from fairsplit.assignment_exports.catalogue import assignment_list, export_catalogue
from fairsplit.assignment_exports.families import FAMILIES
from fairsplit.assignment_exports.flags import serve
from fairsplit.assignment_exports.publishing import verify_version
from fairsplit.assignment_exports.release import parquet_bytes

if TYPE_CHECKING:
    from tests.sdks import Serve

    from fairsplit.assignment_exports.publishing import PublishedVersion

ROOT = Path(__file__).resolve().parents[3]
CUT_OFF = datetime(2026, 2, 2)  # noqa: DTZ001 - instants are naive UTC in this project
UNITS = 100_000
COUNTRIES = ["US", "DE", "GB", "FR", "CA", "JP", "BR", None]


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue(ROOT / "catalog", load_metrics(ROOT / "dbt_project"))


@pytest.fixture(scope="module")
def published(catalogue: Catalogue, tmp_path_factory: pytest.TempPathFactory) -> PublishedVersion:
    return export_catalogue(tmp_path_factory.mktemp("exports"), catalogue, CUT_OFF)


@pytest.fixture(scope="module")
def served(published: PublishedVersion) -> Serve:
    return python_sdk("ufc", (published.path / "ufc.json").read_bytes())


def _shard_sql(salt: str, unit: str) -> str:
    """The body of the dbt macro, with its two parameters put in."""
    text = (ROOT / "dbt_project" / "macros" / "events" / "shard.sql").read_text()
    body = re.search(r"macro shard\(salt, unit\)\s*-?%\}(.*?)\{%-? *endmacro", text, re.DOTALL)
    assert body is not None
    return re.sub(
        r"\{\{\s*(salt|unit)\s*\}\}", lambda found: {"salt": salt, "unit": unit}[found[1]], body[1]
    ).strip()


@pytest.mark.integration
def test_the_sdk_serves_what_the_projects_sql_says_for_every_unit(
    catalogue: Catalogue, served: Serve
) -> None:
    numbers = pl.int_range(UNITS, eager=True)
    units = pl.DataFrame(
        {
            "position": numbers,
            "unit_id": pl.select(pl.format("user-ü{}", numbers)).to_series(),
            "country": pl.Series(COUNTRIES)[numbers % len(COUNTRIES)],
        }
    )
    tables = compile_tables(catalogue)
    served_somewhere = 0
    with duckdb.connect() as connection:
        connection.register("units", units.to_arrow())
        for name in ("experiments", "phases", "phase_weights"):
            connection.register(name, tables[name].to_arrow())
        rows = connection.execute(
            f"""
            with latest as (
                select * from phases qualify row_number() over (partition by experiment_id order by phase desc) = 1
            ),
            hashed as (
                select
                    e.experiment_id, u.position, p.phase,
                    {_shard_sql("p.traffic_salt", "u.unit_id")} < p.traffic_shards as in_traffic,
                    e.layer_salt is null
                    or ({_shard_sql("e.layer_salt", "u.unit_id")} >= e.layer_shard_from
                        and {_shard_sql("e.layer_salt", "u.unit_id")} < e.layer_shard_to) as in_layer,
                    {_shard_sql("p.split_salt", "u.unit_id")} as split
                from units u cross join experiments e join latest p using (experiment_id)
                where e.status = 'running'
            )
            select h.experiment_id, list(w.variant_id order by h.position)
            from hashed h left join phase_weights w
                on w.experiment_id = h.experiment_id and w.phase = h.phase and h.in_traffic and h.in_layer
                and h.split >= w.shard_from and h.split < w.shard_to
            group by all order by all
            """
        ).fetchall()
    assert len(rows) >= 16
    everybody = list(zip(units["unit_id"], units["country"], strict=True))
    for experiment, expected in rows:
        targeted = catalogue.experiments[experiment].targeting is not None
        for (unit, country), variant in zip(everybody, expected, strict=True):
            got = served("string", experiment, unit, {"country": country})
            wanted = variant if not targeted or country in {"US", "CA", "DE", "FR", "GB"} else None
            assert got == (wanted or "-"), (experiment, unit)
            served_somewhere += got != "-"
    assert served_somewhere > UNITS


@pytest.mark.integration
def test_states_decide_what_is_served(published: PublishedVersion, served: Serve) -> None:
    assert served("string", "dark_mode", "anybody", {}) == "dark"
    assert served("string", "chat_support", "anybody", {}) == "-"
    assert "gift_cards" not in json.loads((published.path / "ufc.json").read_bytes())["flags"]
    assert served("json", "dark_mode__config", "anybody", {}) == {"theme": "dark"}


@pytest.mark.integration
def test_the_demo_has_flags_of_every_family(catalogue: Catalogue, published: PublishedVersion) -> None:
    assert {entry["change"] for entry in published.manifest["flags"].values()} == {"added"}
    assert {flag.sdk for flag in catalogue.flags.values()} == set(FAMILIES)
    assert any(flag.depends_on for flag in catalogue.flags.values())
    people = [
        ("payments-team", {}),
        ("press-office", {}),
        *((f"user-{number}", {"country": "DE", "platform": "ios"}) for number in range(200)),
    ]
    for flag in catalogue.flags.values():
        payload = (published.path / FAMILIES[flag.sdk].file).read_bytes()
        loaded, values = python_sdk(flag.sdk, payload), set()
        for unit, known in people:
            value = loaded(flag.type, flag.id, unit, known)
            assert value == serve(flag, catalogue.flags, unit, known, catalogue.conditions)
            values.add(json.dumps(value))
        assert len(values) >= 2, flag.id


@pytest.mark.integration
def test_a_broken_definition_keeps_its_last_config_and_says_why(tmp_path: Path) -> None:
    metrics = load_metrics(ROOT / "dbt_project")
    folder = tmp_path / "catalog"
    (folder / "experiments").mkdir(parents=True)
    (folder / "project.yaml").write_text((ROOT / "catalog" / "project.yaml").read_text())
    for name in ("checkout_cta", "platform_check"):
        text = (ROOT / "catalog" / "experiments" / f"{name}.yaml").read_text()
        (folder / "experiments" / f"{name}.yaml").write_text(text)
    exports = tmp_path / "exports"
    first = export_catalogue(exports, load_catalogue(folder, metrics), CUT_OFF)
    file = folder / "experiments" / "checkout_cta.yaml"
    file.write_text(file.read_text().replace("red: 0.5}", "red: 0.49}"))
    gate = {"platform_check": "sample ratio mismatch (p = 2e-9)"}
    catalogue = load_catalogue(folder, metrics)
    results = pl.DataFrame({"experiment_id": ["checkout_cta"]})
    second = export_catalogue(exports, catalogue, CUT_OFF, closed_gates=gate, frames={"results": results})
    one, two = (json.loads((version.path / "ufc.json").read_bytes())["flags"] for version in (first, second))
    assert one == two
    entries = second.manifest["experiments"]
    assert entries["checkout_cta"]["change"] == "kept"
    assert "weights do not sum to 1" in entries["checkout_cta"]["reason"]
    assert entries["platform_check"]["reason"] == "sample ratio mismatch (p = 2e-9)"
    assert verify_version(second.path) == []
    assert (
        export_catalogue(exports, catalogue, CUT_OFF, closed_gates=gate, frames={"results": results}).changed
        is False
    )


@pytest.mark.integration
def test_a_unit_list_is_small_and_says_why(catalogue: Catalogue) -> None:
    allocation = allocation_of(catalogue.experiments["promo_text"], catalogue.project, catalogue.conditions)
    numbers = pl.int_range(20_000, eager=True)
    units = pl.select(pl.format("user-{}", numbers)).to_series()
    listed = assignment_list(
        allocation, units, CUT_OFF, pl.DataFrame({"country": pl.Series(COUNTRIES)[numbers % len(COUNTRIES)]})
    )
    assert listed.columns == ["unit_id", "variant", "attributes", "probability", "reason"]
    assert set(listed["reason"]) == {"assigned"}
    assert set(listed["attributes"].str.json_path_match("$.country")) == {"US", "CA", "DE", "FR", "GB"}
    assert listed["unit_id"].is_sorted()
    assert len(parquet_bytes(listed)) / listed.height < 200
