"""A home whose semantic layer dbt refuses: that is told, results are computed; conversions explained and replayed."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.integration.starting.test_projects import call

# A whole run of a new project with four commands on it.
pytestmark = [pytest.mark.integration, pytest.mark.slow]

UNITS = 40
SEEN = datetime(2026, 1, 5, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
#: Minutes after a unit's exposure at which it views a page, by the unit's number, and at which it buys.
VIEWS, BUYS = (2, -30, 90, 4), {0: 4, 1: 95, 2: 1_500}
METRICS = """
  - name: bought_per_view
    label: Bought per view
    type: conversion
    type_params:
      conversion_type_params: {entity: user, base_measure: views, conversion_measure: purchases, window: 1 hour}
    config: {meta: {fairsplit: {kind: ratio, unit: purchases per view, direction: increase, window: 1d}}}
  - name: bought_after_view
    label: Bought after a view
    type: conversion
    type_params:
      conversion_type_params:
        {entity: user, calculation: conversions, base_measure: views, conversion_measure: purchases}
    config: {meta: {fairsplit: {kind: count, unit: purchases, direction: increase, window: 1d}}}
  # Another tool's: dbt refuses it, for there is no such measure.
  - {name: lost, label: Lost, type: simple, type_params: {measure: nowhere}}
"""
VIEW = "case when event_name = 'page_view' then 1 end"


def arm(unit: str) -> str:
    digest = hashlib.md5(f"first_experiment-split-{unit}".encode(), usedforsecurity=False).hexdigest()
    return "control" if int(digest[:8], 16) % 10_000 < 5_000 else "treatment"


def events() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {
            "event_id": "last",
            "event_name": "session_start",
            "user_id": "nobody",
            "occurred_at": SEEN + 2 * DAY,
        }
    ]
    for number in range(UNITS):
        unit, seen = f"user-{number}", SEEN + timedelta(minutes=10 * number)
        rows = [("experiment_viewed", 0), *(("page_view", at) for at in VIEWS[: number % 5])]
        rows += [("purchase", BUYS[number % 4])] if number % 4 in BUYS else []
        found += [
            {"event_id": f"{unit}-{place}", "event_name": name, "user_id": unit,
             "occurred_at": seen + timedelta(minutes=at)}
            | ({"experiment_id": "first_experiment", "variation_id": arm(unit)} if place == 0 else {})
            for place, (name, at) in enumerate(rows)
        ]  # fmt: skip
    return found


def by_hand(within: timedelta) -> dict[str, tuple[int, int]]:
    """Of each arm, the purchases that came so soon after a view, both within a day of the exposure, and the views."""
    sums = {"control": (0, 0), "treatment": (0, 0)}
    for number in range(UNITS):
        unit = f"user-{number}"
        after = [
            (row["event_name"], row["occurred_at"] - SEEN - timedelta(minutes=10 * number))
            for row in events()
            if row["user_id"] == unit
        ]
        views = [at for name, at in after if name == "page_view" and timedelta() <= at < DAY]
        bought = [at for name, at in after if name == "purchase" and timedelta() <= at < DAY]
        followed = sum(any(timedelta() <= at - view < within for view in views) for at in bought)
        sums[arm(unit)] = (sums[arm(unit)][0] + followed, sums[arm(unit)][1] + len(views))
    return sums


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("refused")
    assert call(folder, "init", "team").returncode == 0
    team = folder / "team"
    layer = team / "dbt" / "models" / "semantic" / "metrics.yml"
    text = layer.read_text()
    measures = "    measures:\n"
    layer.write_text(
        text.replace(measures, f'{measures}      - {{name: views, agg: count, expr: "{VIEW}"}}\n') + METRICS
    )
    experiment = team / "catalog" / "experiments" / "first_experiment.yaml"
    primary = "  primary: [{metric: purchase_conversion, minimum_effect: 0.1}]\n"
    secondary = "  secondary: [bought_per_view, bought_after_view]\n"
    assert primary in experiment.read_text()
    experiment.write_text(experiment.read_text().replace(primary, primary + secondary))
    landed = team / ".fairsplit" / "landing" / "events.ndjson"
    landed.parent.mkdir(parents=True, exist_ok=True)
    landed.write_text("".join(json.dumps(row, default=lambda at: at.isoformat()) + "\n" for row in events()))
    arrived = (SEEN + 4 * DAY).timestamp()
    os.utime(landed, (arrived, arrived))
    return team


def test_what_dbt_refuses_is_told_and_conversions_are_computed_explained_and_replayed(project: Path) -> None:
    told = call(project, "validate")
    assert told.returncode == 1
    assert "dbt refuses the semantic layer" in told.stdout
    assert "A semantic model having a measure `nowhere` does not exist" in told.stdout
    assert "until then results are computed" in told.stdout

    done = call(project, "run")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (found,) = json.loads(call(project, "results", "first_experiment", "--format", "json").stdout)
    place = {"analysis": "default", "segment": "all"}
    rows = {
        (row["metric"], row["variant_id"]): row
        for row in found["comparisons"]
        if place.items() <= row.items()
    }
    soon, ever = by_hand(HOUR), by_hand(DAY)
    assert min(*soon["control"], *soon["treatment"]) > 0
    assert soon != ever
    for name in ("control", "treatment"):
        rate, count = rows["bought_per_view", name], rows["bought_after_view", name]
        assert (rate["total"], rate["mean"]) == (soon[name][0], pytest.approx(soon[name][0] / soon[name][1]))
        assert (count["total"], count["mean"]) == (ever[name][0], pytest.approx(ever[name][0] / count["n"]))
    assert sum(rows["bought_after_view", name]["n"] for name in ever) == UNITS

    for metric in ("bought_per_view", "bought_after_view"):
        explained = call(project, "explain", "first_experiment", metric)
        assert explained.returncode == 0, explained.stderr
        assert "number of units and every sum agree with the pipeline exactly" in explained.stdout
    replayed = call(project, "replay", "first_experiment", "--as-of", "2026-01-07")
    assert "Nothing differs" in replayed.stdout, replayed.stdout + replayed.stderr
