"""A number walked back to its events, and a publication beside what is known now."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from tests.oracle.worlds import EXPERIMENTS, LAST_DAY
from typer.testing import CliRunner

from fairsplit.orchestration.cli import app, commands  # noqa: F401
from fairsplit.orchestration.reading.explain import explain
from fairsplit.orchestration.reading.replay import replay
from fairsplit.orchestration.warehouse.opening import reader, writer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.oracle.homes import DrivenHome

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("experiment", "metric"), [(one.id, metric) for one in EXPERIMENTS for metric in one.metrics]
)
def test_every_metric_is_reproduced_from_the_events(home: DrivenHome, experiment: str, metric: str) -> None:
    with reader(home.home.warehouse) as connection:
        found = explain(connection, home.definitions(), experiment, metric)
    assert found["disagreements"] == []
    assert [step for steps in found["steps"].values() for step in steps if not step["agrees"]] == []
    if experiment == "plain":
        assert min(arm["sums"]["n"] for arm in found["arms"]) > 0


def test_a_wrong_sum_is_found(home: DrivenHome) -> None:
    metric = "purchases_per_user"
    with writer(home.home.warehouse) as connection:
        where = f"experiment_id = 'plain' and metric = '{metric}' and variant_id = 'b'"
        connection.execute(f"update fct_sufficient_statistics set sum_y = sum_y + 1 where {where}")
        found = explain(connection, home.definitions(), "plain", metric)
        connection.execute(f"update fct_sufficient_statistics set sum_y = sum_y - 1 where {where}")
    assert [(one["variant_id"], one["sum"]) for one in found["disagreements"]] == [("b", "sum_y")]


def test_a_late_file_is_named_as_the_cause(home: DrivenHome) -> None:
    with reader(home.home.warehouse) as connection:
        found = replay(connection, "plain", LAST_DAY)
    last = home.query("select max(position) from landing.manifest")[0][0]
    assert found["differences"]
    assert found["explained"]
    assert [one["position"] for one in found["causes"]["late_events"]] == [last]
    assert found["causes"]["definition_changed"] == []
    assert found["causes"]["code_changed"] == []
    assert {tuple(row["because"]) for row in found["differences"]} == {("late events",)}
    published = home.query(
        "select n from journal.published_comparisons where experiment_id = 'plain' and segment = 'all'"
        " and analysis = 'default' and metric = 'purchases_per_user' and variant_id = 'a'"
    )[0][0]
    shown = [
        row["n"]
        for row in found["then"]["comparisons"]
        if (row["metric"], row["segment"], row["analysis"], row["variant_id"])
        == ("purchases_per_user", "all", "default", "a")
    ]
    assert shown == [published]


@pytest.mark.parametrize(
    ("column", "cause"), [("definition_hash", "changed definition"), ("code_hash", "changed code")]
)
def test_a_changed_definition_moves_its_metric_and_changed_code_any(
    home: DrivenHome, column: str, cause: str
) -> None:
    metric = "purchases_per_user"
    with writer(home.home.warehouse) as connection:
        connection.execute("begin")
        # As if no file had come since, and a judgement by another definition or code had doubled the mean.
        connection.execute("update journal.publications set manifest_position = 1000000")
        connection.execute(
            "update journal.published_comparisons set mean = -1, lift_abs = -1 where metric = ?", [metric]
        )
        only = f"where metric = '{metric}'" if column == "definition_hash" else ""
        connection.execute(f"update journal.published_comparisons set {column} = 'before' {only}")
        found = replay(connection, "plain", LAST_DAY)
        connection.execute("rollback")
    moved = {tuple(row["because"]) for row in found["differences"] if row["metric"] == metric}
    others = {tuple(row["because"]) for row in found["differences"] if row["metric"] != metric}
    assert moved == {(cause,)}
    assert others <= ({()} if column == "definition_hash" else {(cause,)})
    assert found["causes"]["late_events"] == []


def command(home: DrivenHome, monkeypatch: pytest.MonkeyPatch, *words: str):
    monkeypatch.setenv("FAIRSPLIT_HOME", str(home.home.root))
    monkeypatch.setenv("FAIRSPLIT_CATALOG", str(home.catalog))
    return CliRunner().invoke(app, words)


def test_commands_print_text_and_json(home: DrivenHome, monkeypatch: pytest.MonkeyPatch) -> None:
    text = command(home, monkeypatch, "explain", "plain", "revenue_per_user").output
    assert "every sum agree with the pipeline exactly" in text
    assert "select variant_id, unit_id" in text
    assert (
        "late events: file" in command(home, monkeypatch, "replay", "plain", "--as-of", "2026-01-14").output
    )
    rows = json.loads(command(home, monkeypatch, "results", "--format", "json").output)
    assert [row["experiment_id"] for row in rows] == sorted(one.id for one in EXPERIMENTS)
    assert rows[0]["cut_off"] == LAST_DAY.isoformat()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("results", "plian"),
            "EXPERIMENT: unknown experiment (plian: one of: {all}). Hint: did you mean 'plain'?",
        ),
        (
            ("replay", "plain", "--as-of", "2026-01-02"),
            "--as-of: nothing was published up to that day (2026-01-02). Hint: the first publication is of 2026-01-14",
        ),
    ],
)
def test_bad_input_is_one_message(
    home: DrivenHome, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], message: str
) -> None:
    done = command(home, monkeypatch, *words)
    assert str(done.exception) == message.format(all=", ".join(sorted(one.id for one in EXPERIMENTS)))


def test_x2_a_publication_is_replayed_by_its_number_and_by_what_was_known(
    home: DrivenHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    with reader(home.home.warehouse) as connection:
        by_day = replay(connection, "plain", LAST_DAY)
        shown = by_day["publication"]
        assert replay(connection, "plain", publication=shown["publication"]) == by_day
        assert replay(connection, "plain", known_at=shown["published_at"]) == by_day
    for words, message in (
        (["--publication", "99"], "--publication: of this experiment nothing stood in it (99)"),
        (["--known-at", "2000-01-01"], "--known-at: nothing was published up to then (2000-01-01"),
        ([], "replay: not one publication is asked for"),
        (
            ["--publication", "1", "--as-of", "2026-01-14"],
            "not one publication is asked for (as-of, publication",
        ),
    ):
        assert message in str(command(home, monkeypatch, "replay", "plain", *words).exception)


def test_nothing_built_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIRSPLIT_HOME", os.fspath(tmp_path))
    done = CliRunner().invoke(app, ["results"])
    assert "nothing has been built yet" in str(done.exception)
