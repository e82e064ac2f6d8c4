"""Listed experiments from the population to the scorecard, and their list when a person is erased."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pytest
from tests.built import built
from tests.command import ROOT, fairsplit

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

WORLD = ("--users", "1200", "--days", "6", "--seed", "7")
_SEEN = "select user_id from landing.raw_events where user_id is not null"
EXPERIMENT = """\
id: {name}
name: A mailing
owner: growth@example.com
type: {type}
status: draft
assignment: batch
start: 2026-01-05T00:00:00Z
variants: {variants}
metrics: {{primary: [checkout_conversion]}}
plan: {{min_sample: 50}}
"""
TWO = "[{id: control, control: true, weight: 0.5}, {id: letter, weight: 0.5}]"
THREE = "[{id: control, control: true, weight: 0.5}, {id: letter, weight: 0.25}, {id: card, weight: 0.25}]"


@dataclass(frozen=True)
class Desk:
    """A catalogue and a home."""

    home: Path
    catalog: Path

    def run(self, *words: str) -> str:
        return fairsplit(self.home, *words, catalog=self.catalog)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.home / "warehouse.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def listed(self, name: str) -> pl.DataFrame:
        return pl.read_parquet(self.home / "assignments" / f"{name}.parquet")

    def exported(self, name: str) -> pl.DataFrame:
        return pl.read_parquet(self.home / "exports" / "current" / "assignments" / f"{name}.parquet")

    def checks(self, name: str) -> dict[str, str]:
        return dict(
            self.query(
                f"""select "check", status from results.validity where experiment_id = '{name}' and segment = 'all'
                    and cut_off = (select max(cut_off) from results.validity)"""
            )
        )


def listed(folder: Path) -> None:
    """Population, design, start, events, scorecard: in that order, by the commands alone."""
    desk = Desk(folder / "home", folder / "catalog")
    desk.home.mkdir()
    shutil.copytree(ROOT / "catalog", desk.catalog, ignore=shutil.ignore_patterns("experiments", "flags"))
    (desk.catalog / "experiments").mkdir()
    for name, kind, variants in (("by_country", "ab", TWO), ("in_blocks", "abn", THREE)):
        text = EXPERIMENT.format(name=name, type=kind, variants=variants)
        (desk.catalog / "experiments" / f"{name}.yaml").write_text(text)
    # The population is known before anything runs: a world of drafts tells it.
    desk.run("simulate", *WORLD, "--output", str(folder / "before"))
    people = ("--population", str(folder / "before" / "population.parquet"), "--unit", "user_id")
    desk.run("assign", "by_country", *people, "--design", "stratified", "--stratum", "country")
    desk.run("assign", "in_blocks", *people, "--design", "blocked", "--covariate", "activity")
    for name in ("by_country", "in_blocks"):
        desk.run("experiment", "start", name, "--reason", "listed", "--at", "2026-01-05T00:00:00Z")
    desk.run("simulate", *WORLD)
    desk.run("run")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    folder = built(tmp_path_factory.mktemp("listed") / "desk", listed)
    return Desk(folder / "home", folder / "catalog")


@pytest.fixture
def desk(finished: Desk, tmp_path: Path) -> Desk:
    """The same, free to be spoilt."""
    for folder in ("home", "catalog"):
        shutil.copytree(finished.home.parent / folder, tmp_path / folder, symlinks=True)
    return Desk(tmp_path / "home", tmp_path / "catalog")


def test_a_design_goes_from_the_population_to_the_scorecard(finished: Desk) -> None:
    by_country = finished.listed("by_country").with_columns(
        country=pl.col("attributes").str.json_path_match("$.country")
    )
    assert by_country.height == 1200
    cells = Counter(by_country.select("country", "variant").iter_rows())
    countries = {country for country, _ in cells}
    assert len(countries) == 8
    for country in countries:
        assert abs(cells[country, "control"] - cells[country, "letter"]) <= 1
    # 1200 units in blocks of four: two of the control, one of each other arm.
    assert Counter(finished.listed("in_blocks")["variant"]) == {"control": 600, "letter": 300, "card": 300}

    for name in ("by_country", "in_blocks"):
        checks = finished.checks(name)
        assert (checks["srm"], checks["audit"]) == ("pass", "pass"), checks
        exposed = finished.query(
            f"select unit_id, logged_variant_id, variant_id, reason from fct_assignments where experiment_id = '{name}'"
        )
        assert len(exposed) > 300
        arms = dict(finished.listed(name).select("unit_id", "variant").iter_rows())
        assert all((arms[unit], arms[unit], "list") == tuple(told) for unit, *told in exposed)
        assert finished.exported(name).equals(finished.listed(name))
        assert (finished.home / "site" / "current" / "experiments" / f"{name}.html").exists()
    shown = json.loads(finished.run("results", "by_country", "--format", "json"))
    assert "checkout_conversion" in json.dumps(shown)


@pytest.mark.slow
def test_an_erased_person_leaves_the_list_the_export_and_later_lists(desk: Desk) -> None:
    user = desk.query("select min(unit_id) from fct_assignments where experiment_id = 'by_country'")[0][0]
    silent = min(set(desk.listed("by_country")["unit_id"]) - {one for (one,) in desk.query(_SEEN)})
    others = {name: desk.listed(name) for name in ("by_country", "in_blocks")}
    rest = desk.query(f"select * from fct_exposures where unit_id <> '{user}' order by all")
    for person in (user, silent):
        assert "rows of the unit were erased" in desk.run("erase", person)
    for name, before in others.items():
        left = before.filter(~pl.col("unit_id").is_in([user, silent]))
        assert left.height == before.height - 2
        assert desk.listed(name).equals(left)
        assert desk.exported(name).equals(left)
        checks = desk.checks(name)
        assert (checks["srm"], checks["audit"]) == ("pass", "pass"), checks
    assert desk.query("select * from fct_exposures order by all") == rest
    assert desk.query(
        f"select count(*) from catalog.assigned_units where unit_id in ('{user}', '{silent}')"
    ) == [(0,)]
    for folder in (desk.home / "exports").glob("v*"):
        assert folder == (desk.home / "exports" / "current").resolve()
    # Nobody comes back by a list that is drawn later from a file that still knows them.
    draft = EXPERIMENT.format(name="later", type="ab", variants=TWO)
    (desk.catalog / "experiments" / "later.yaml").write_text(draft)
    people = ("--population", str(desk.home / "population.parquet"), "--unit", "user_id")
    told = json.loads(desk.run("assign", "later", *people, "--format", "json"))
    assert told["left_out"] == {"erased": 2}
    assert not set(desk.listed("later")["unit_id"]) & {user, silent}
