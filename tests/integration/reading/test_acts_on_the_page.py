"""What a decision did by itself is in force on the page too, and its history says so."""

from __future__ import annotations

import shutil
from datetime import date
from typing import TYPE_CHECKING

import pytest
from tests.oracle.worlds import EXPERIMENTS

from fairsplit.analysis.scorecards import render_site
from fairsplit.orchestration.catalogue.loading import read_definitions
from fairsplit.orchestration.publishing.site.inputs import site_inputs
from fairsplit.orchestration.warehouse.opening import writer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.oracle.homes import DrivenHome

pytestmark = pytest.mark.integration


def test_an_automatic_stop_shows_as_completed_with_its_reason(home: DrivenHome, tmp_path: Path) -> None:
    warehouse, stopped = tmp_path / "warehouse.duckdb", EXPERIMENTS[0]
    shutil.copy(home.home.warehouse, warehouse)
    catalog = shutil.copytree(home.catalog, tmp_path / "catalog")
    with (catalog / "experiments" / f"{stopped.id}.yaml").open("a") as definition:
        definition.write("stopping: {automatic: true}\n")
    with writer(warehouse) as connection:
        connection.execute(
            """create or replace table results.acts (experiment_id varchar, cut_off date, act varchar,
                                                     variant_id varchar, traffic double, sentence varchar)"""
        )
        sentence = "Ship it: sales <b>rose</b>."
        connection.execute(
            "insert into results.acts values (?, ?, 'stop', ?, null, ?)",
            [stopped.id, date(2026, 1, 12), stopped.variants[1], sentence],
        )
        inputs = site_inputs(connection, read_definitions(catalog), catalog, {})
    view = next(view for view in inputs.experiments if view.id == stopped.id)
    assert view.status == "completed"
    page = next(page.content for page in render_site(inputs) if page.path == f"experiments/{stopped.id}.html")
    assert f"Ended by itself; everybody gets {stopped.variants[1]}. Ship it: sales &lt;b&gt;rose" in page
