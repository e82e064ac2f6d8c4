"""Metrics drawn from the JSON Schemas, together in one home: what is accepted runs through dbt and is judged."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.integration.dbt.test_every_accepted_pair import CUPED_DAYS, judged
from tests.property.test_definitions_drawn import metrics_drawn, semantic_text

from fairsplit.orchestration.catalogue.loading import read_metrics_that_bind

pytestmark = pytest.mark.integration

#: Most draws are refused; so many leave several dozen that run.
DRAWN = 600
#: Events of every sort that the drawn expressions and filters tell apart, the ends of the range among them.
EVENTS = [
    {"name": name, "url": url, "country": country, "value": value}
    for name in ("a", "b")
    for url, country, value in (
        ("x", "DE", 9_999_999_999.999999),
        ("7", "DE", -10_000_000_000),
        (None, "US", 1.5),
        ("1e400", None, None),
        ("", "DE", 0),
    )
]
UNITS = ("u1", "u2", "u3", "u4")


def drawn() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Measures and metrics, each draw's under names of its own."""
    measures: list[dict[str, Any]] = []
    metrics: list[dict[str, Any]] = []

    @settings(max_examples=DRAWN, deadline=None, database=None, phases=[Phase.generate])
    @given(st.data())
    def draw(data: st.DataObject) -> None:
        of, over = data.draw(metrics_drawn(f"m{len(metrics) // 3}"))
        measures.extend(of)
        metrics.extend(over)

    draw()
    return measures, metrics


def test_what_is_accepted_of_drawn_metrics_runs_through_dbt_together(world, viewed, tmp_path):
    folder = tmp_path / "drawn" / "models" / "semantic"
    folder.mkdir(parents=True)
    (folder / "metrics.yml").write_text(semantic_text(*drawn()))
    world.semantics = read_metrics_that_bind(tmp_path / "drawn")
    accepted = sorted(world.semantics.metrics)
    # Hypothesis draws constants of the modules that are loaded, so the number moves with the tests that ran before.
    assert len(accepted) > 20
    world.experiment(metrics=tuple(accepted), cuped_days=CUPED_DAYS)
    world.land(
        *(viewed(f"v-{unit}", "05 12:00", "ab"[place % 2], user_id=unit) for place, unit in enumerate(UNITS)),
        *(
            event | {"id": f"{unit}-{number}", "user_id": unit, "at": f"0{5 + number % 3} 1{number}:00"}
            for place, unit in enumerate(UNITS)
            for number, event in enumerate(EVENTS[place:])
        ),
    )
    world.run("14")
    rows = judged(world, accepted, date(2026, 1, 14))
    assert set(rows) == set(accepted)
    assert {row["n"] for row in rows.values()} <= {2}
    assert all(row["status"] == "ok" or row["reason"] for row in rows.values())
