"""The change history of flags and segments (mission row M54)."""

# ruff: noqa: DTZ001 - instants of the warehouse are naive and in UTC

from __future__ import annotations

import shutil
from datetime import datetime

import duckdb

from fairsplit.analysis.catalogue import load_catalogue, load_metrics
from fairsplit.orchestration.lifecycle.noted import named_histories, note_named
from fairsplit.orchestration.project import DBT_PROJECT_DIR, PROJECT_ROOT


def test_m54_each_state_of_a_flag_and_a_segment_is_noted_once(tmp_path) -> None:
    folder = tmp_path / "catalog"
    shutil.copytree(PROJECT_ROOT / "catalog", folder)
    metrics = load_metrics(DBT_PROJECT_DIR)
    flag = folder / "flags" / "one_tap_checkout.yaml"
    segment = folder / "segments" / "north_america.yaml"

    def note(connection: duckdb.DuckDBPyConnection, day: int) -> int:
        return note_named(connection, load_catalogue(folder, metrics), datetime(2026, 1, day))

    with duckdb.connect() as connection:
        assert named_histories(connection) == {}
        assert note(connection, 5) == 7
        assert note(connection, 6) == 0
        flag.write_text(flag.read_text() + "enabled: false\n")
        segment.write_text(segment.read_text() + "active: false\n")
        assert note(connection, 7) == 2
        flag.unlink()
        segment.write_text("nonsense: true\n")
        # One that is gone is told; one that is broken is not gone.
        assert note(connection, 8) == 1
        found = named_histories(connection)
    assert found["flag", "one_tap_checkout"] == [
        (datetime(2026, 1, 5), "first seen"),
        (datetime(2026, 1, 7), "enabled: default → false"),
        (datetime(2026, 1, 8), "removed"),
    ]
    assert found["segment", "north_america"][1:] == [(datetime(2026, 1, 7), "active: default → false")]
