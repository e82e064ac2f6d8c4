"""A measure whose SQL the warehouse does not understand is refused before dbt would fail on it."""

from __future__ import annotations

from analysis.catalogue.metrics import Measure, load_measures
from orchestration.loading import measure_faults
from orchestration.paths import DBT_PROJECT_DIR


def test_shipped_measures_bind() -> None:
    assert measure_faults(load_measures(DBT_PROJECT_DIR)) == {}


def test_a_misspelt_column_is_named() -> None:
    good = Measure("purchases", "count", "case when event_name = 'purchase' then 1 end", 1)
    bad = Measure("spent", "sum", "valeu * 2", 1_000_000)
    faults = measure_faults({"purchases": good, "spent": bad})
    assert list(faults) == ["spent"]
    assert str(faults["spent"]).startswith(
        "measure spent: the warehouse does not understand the measure (valeu * 2: SQL over the columns of stg_events)"
    )
