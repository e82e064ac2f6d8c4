"""A bandit's figures walked back to the sums of its phases, and its weights as they were published."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING

import pytest
from tests.oracle.bandit_world import ARMS, NAME, REWARD
from typer.testing import CliRunner

from fairsplit.orchestration.cli import app, commands  # noqa: F401
from fairsplit.orchestration.reading.explain import explain
from fairsplit.orchestration.reading.replay import replay
from fairsplit.orchestration.warehouse.opening import reader

if TYPE_CHECKING:
    from tests.oracle.bandit_world import Shop

pytestmark = pytest.mark.integration

LAST = date(2026, 1, 8)
NUMBERS = ("n", "mean", "weight", "p_best", "next_weight")


def test_adaptive_figures_are_reproduced_from_the_sums_of_the_phases(grown: Shop) -> None:
    with reader(grown.driven.home.warehouse) as connection:
        found = explain(connection, grown.driven.definitions(), NAME, REWARD)
    steps = [step for arm in found["steps"].values() for step in arm]
    assert found["disagreements"] == []
    assert [step for step in steps if not step["agrees"]] == []
    published = {step["name"] for step in steps if step["published"] is not None}
    assert published == {"total", "mean", "control's mean", "difference", "relative lift"}
    # Three phases had begun, and the plain mean is another number.
    assert {row["phase"] for row in found["phases"]} == {0, 1, 2}
    arm = found["arms"][2]
    assert arm["published"]["mean"] != pytest.approx(arm["sums"]["sum_y"] / arm["sums"]["n"], rel=1e-6)
    assert [row["variant_id"] for row in found["allocations"]] == list(ARMS)
    assert found["definition"]["definition_hash"] == arm["published"]["definition_hash"]


def test_weights_are_replayed_as_they_were_published(grown: Shop) -> None:
    with reader(grown.driven.home.warehouse) as connection:
        found = replay(connection, NAME, LAST)
    then, now = (
        {row["variant_id"]: {name: row[name] for name in NUMBERS} for row in found[side]["allocations"]}
        for side in ("then", "now")
    )
    # The weights that were in force are history; what the rewards say of them has changed.
    assert {arm: row["weight"] for arm, row in then.items()} == {
        arm: row["weight"] for arm, row in now.items()
    }
    assert then["a"]["mean"] < now["a"]["mean"]
    listed = {
        (row["variant_id"], row["column"]): (row["then"], row["now"])
        for row in found["differences"]
        if row["analysis"] == "allocation" and row["column"] in NUMBERS
    }
    expected = {
        (arm, name): (then[arm][name], now[arm][name])
        for arm in ARMS
        for name in NUMBERS
        if then[arm][name] != now[arm][name]
    }
    assert listed == expected
    assert {tuple(row["because"]) for row in found["differences"]} == {("late events",)}
    journal = grown.driven.query(f"select weights from results.acts where cut_off = '{LAST}'")
    assert {arm: row["next_weight"] for arm, row in then.items()} == json.loads(journal[0][0])


def test_the_commands_tell_the_weights(grown: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIRSPLIT_HOME", str(grown.driven.home.root))
    monkeypatch.setenv("FAIRSPLIT_CATALOG", str(grown.driven.catalog))
    [found] = json.loads(CliRunner().invoke(app, ["results", NAME, "--format", "json"]).output)
    assert [row["variant_id"] for row in found["allocations"]] == list(ARMS)
    assert f"weights by {REWARD}" in CliRunner().invoke(app, ["results", NAME]).output
    text = CliRunner().invoke(app, ["explain", NAME, REWARD]).output
    assert "Exact sums by phase" in text
    assert "score in phase 1 = " in text
    assert "chance of being best" in text
    assert "(published: " not in text
