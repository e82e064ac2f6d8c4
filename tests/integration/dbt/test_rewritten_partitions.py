"""A file that arrives late rewrites the partitions that its own units' windows touch, and no other."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.oracle.brute_force import DAY
from tests.oracle.edges import at, bought, viewed
from tests.oracle.homes import DrivenHome
from tests.oracle.worlds import EXPERIMENTS, LAST_DAY, MIDNIGHT, LandedFile, hashed, row_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.oracle.brute_force import Event

pytestmark = pytest.mark.integration


def land(home: DrivenHome, name: str, *events: Event) -> None:
    text = "".join(json.dumps(row_of(event)) + "\n" for event in map(hashed, events))
    home.land(LandedFile(name, text, MIDNIGHT + 20 * DAY, events))
    home.ingest()
    home.build(LAST_DAY)


def rewritten(home: DrivenHome) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for model, partition in home.query("select model, partition from fct_rewrites where rows_changed > 0"):
        found.setdefault(model, set()).add(partition)
    return found


def test_a_late_file_rewrites_what_it_touches(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("FAIRSPLIT_HOME", str(tmp_path))
    plain = replace(EXPERIMENTS[0], metrics=("purchases_per_user",), segments=(), cuped_days=0)
    home = DrivenHome(tmp_path, (plain,))
    land(
        home,
        "first.ndjson",
        viewed("v1", at(5, 12), "a", "u1"),
        viewed("v2", at(4, 12), "b", "u2"),
        bought("p1", at(6, 12), "u2"),
    )
    land(home, "late.ndjson", bought("p2", at(7, 12), "u1"))
    assert rewritten(home) == {
        "fct_event_quality": {"2026-01-07"},
        "fct_hourly_activity": {"2026-01-07"},
        "int_effect_ages": {"2026-01-05"},  # the day of the exposure, of which the late event tells an age
        "int_unit_days": {"2026-01-07"},
        "int_unit_values": {"2026-01-12"},
        "int_increments": {"plain/purchases_per_user/2026-01-12"},
        "fct_sufficient_statistics": {f"plain/purchases_per_user/2026-01-{day}" for day in (12, 13, 14)},
    }
    # Eight days after the exposure: the window is closed, nothing but the event itself is new.
    land(home, "later.ndjson", bought("p3", at(13, 12), "u1"))
    assert {model for model in rewritten(home) if "values" in model or "statistics" in model} == set()
