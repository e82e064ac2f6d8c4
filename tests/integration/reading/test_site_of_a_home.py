"""The site of a home that was really built: its numbers are the warehouse's, and it names no unit."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING

import duckdb
import pytest

from fairsplit.analysis.scorecards import render_site
from fairsplit.orchestration.publishing.site.inputs import site_inputs
from fairsplit.orchestration.warehouse.opening import reader

if TYPE_CHECKING:
    from pathlib import Path

    from tests.oracle.homes import DrivenHome

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def site(home: DrivenHome) -> dict[str, str]:
    with reader(home.home.warehouse) as connection:
        inputs = site_inputs(connection, home.definitions(), home.catalog, {})
        return {page.path: page.content for page in render_site(inputs)}


def test_no_unit_is_named_anywhere(home: DrivenHome, site: dict[str, str]) -> None:
    units = {
        text
        for (text,) in home.query(
            """select unit_id from fct_exposures union select raw_id from int_exposure_events
               union select unnest([user_id, anonymous_id, session_id]) from landing.raw_events"""
        )
        if text
    }
    assert len(units) > 20
    words = {
        path: set(re.findall(r"[^\s\"'<>,;(){}\[\]]+", text))
        for path, text in site.items()
        if path != "assets/vega.js"
    }
    assert {path: found & units for path, found in words.items() if found & units} == {}


def test_numbers_are_those_of_the_warehouse(home: DrivenHome, site: dict[str, str]) -> None:
    rows = home.query(
        """select experiment_id, metric, variant_id, n, mean, lift_abs, lift_rel, p_value, p_adjusted
           from results.comparisons
           where comparison is not null and status = 'ok' and segment = 'all' and analysis = 'default'
               and cut_off = (select max(cut_off) from results.comparisons)"""
    )
    assert rows
    compared = 0
    for experiment, metric, variant, *numbers in rows:
        shown = re.findall(
            rf'data-metric="{metric}" data-variant="{variant}" data-segment="all"([^>]*)>',
            site[f"experiments/{experiment}.html"],
        )
        if not shown:
            continue
        cells = dict(re.findall(r'data-([a-z-]+)="([^"]*)"', shown[0]))
        for name, value in zip(
            ("n", "mean", "lift-abs", "lift-rel", "p-value", "p-adjusted"), numbers, strict=True
        ):
            if value is not None:
                assert float(cells[name]) == value, (experiment, metric, name)
                compared += 1
    assert compared > 20


def test_the_funnel_of_units_narrows(home: DrivenHome, site: dict[str, str]) -> None:
    exposed = dict(
        home.query("select experiment_id, count(*) from fct_exposures group by experiment_id order by all")
    )
    for experiment, units in exposed.items():
        page = site[f"experiments/{experiment}.html"]
        kept = page[page.index("Units kept, per arm") :]
        table = kept[: kept.index("</table>")]
        totals = {
            step: sum(int(number.replace(",", "")) for number in re.findall(r"<span>([\d,]+)</span>", cells))
            for step, cells in re.findall(r'<tr><th scope="row">([^<]*)</th>(.*?)</tr>', table, re.DOTALL)
        }
        sizes = list(totals.values())
        assert next(iter(totals)) == "Landed, without duplicates"
        assert totals.get("Exposed", totals.get("Exposed after activation")) == units
        assert sizes == sorted(sizes, reverse=True), (experiment, totals)


def test_the_api_says_the_same(site: dict[str, str]) -> None:
    listed = json.loads(site["api/experiments.json"])["experiments"]
    assert {f"experiments/{item['id']}.html" for item in listed} <= site.keys()


def test_the_segment_holds_who_is_a_member_of_it(home: DrivenHome, site: dict[str, str]) -> None:
    (busy,) = json.loads(site["api/segments.json"])["segments"]
    # Its five days lie within the seven of the page, so every member was seen.
    ((members,),) = home.query("select count(*) from fct_subject_attributes where is_member")
    assert (busy["id"], busy["inside"]) == ("busy", members)
    assert 0 < members < busy["units"]
    assert f"<td><b>{members:,}</b></td>" in site["flags.html"]


def test_a_home_that_an_earlier_version_judged_has_its_pages(home: DrivenHome, tmp_path: Path) -> None:
    earlier = tmp_path / "warehouse.duckdb"
    shutil.copy(home.home.warehouse, earlier)
    later = [
        "next_actions",
        "schedule",
        "interactions",
        "interaction_effects",
        "programme",
        "programme_experiments",
    ]
    with duckdb.connect(str(earlier)) as connection:
        for name in [*later, "syntheses", "synthesis_studies"]:
            connection.execute(f"drop table results.{name}")
    with reader(earlier) as connection:
        inputs = site_inputs(connection, home.definitions(), home.catalog, {})
    pages = {page.path for page in render_site(inputs)}
    assert {f"experiments/{name}.html" for name in home.definitions().catalogue.experiments} <= pages
