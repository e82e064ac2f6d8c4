"""`fairsplit experiment accept`: a proposal becomes an edit of the file, and nothing else does."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest
from typer.testing import CliRunner

from fairsplit.analysis.catalogue import load_catalogue, load_metrics
from fairsplit.analysis.catalogue.shards import shard_ranges
from fairsplit.analysis.lifecycle.log import read_log
from fairsplit.orchestration.cli import app, commands  # noqa: F401
from fairsplit.orchestration.project import DBT_PROJECT_DIR, PROJECT_ROOT, Home

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairsplit.analysis.catalogue import Experiment

Said = tuple[str, str, str, str | None]
ARM_LESS: Said = ("headline_copy", "modify", "disable_arm", "long")
WIDER: Said = ("platform_check", "modify", "widen_traffic", None)
SHIP: Said = ("checkout_cta", "stop", "ship", "red")


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "catalog"
    shutil.copytree(PROJECT_ROOT / "catalog", folder)
    (folder / "transitions.ndjson").unlink(missing_ok=True)
    # The short form of a definition, with a ramp.
    file = folder / "experiments" / "platform_check.yaml"
    lines = [line for line in file.read_text().splitlines() if "phases" not in line and "weights" not in line]
    file.write_text(
        "\n".join([*lines, "traffic: 0.2", "ramp: {steps: [{traffic: 0.5, after: 2d}]}  # careful", ""])
    )
    monkeypatch.setenv("FAIRSPLIT_CATALOG", str(folder))
    monkeypatch.setenv("FAIRSPLIT_HOME", str(tmp_path / "home"))
    return folder


@pytest.fixture
def decided(catalog: Path) -> Callable[..., None]:
    home = Home(catalog.parent / "home").prepare()

    def write(*rows: Said) -> None:
        with duckdb.connect(str(home.warehouse)) as connection:
            connection.execute("create schema results")
            connection.execute(
                "create table results.decisions (experiment_id varchar, cut_off date, decision varchar,"
                " action varchar, variant_id varchar, sentence varchar)"
            )
            for name, decision, action, variant in rows:
                # An older proposal is no longer one.
                for day, *said in (
                    ("2026-01-20", "continue", "none", None),
                    ("2026-01-21", decision, action, variant),
                ):
                    connection.execute(
                        "insert into results.decisions values (?, ?, ?, ?, ?, 'The sentence.')",
                        [name, day, *said],
                    )

    return write


def accept(name: str, *words: str):
    return CliRunner().invoke(app, ["experiment", "accept", name, *(words or ("--reason", "agreed"))])


def read(catalog: Path, name: str) -> Experiment:
    loaded = load_catalogue(catalog, load_metrics(DBT_PROJECT_DIR))
    assert loaded.problems == ()
    return loaded.experiments[name]


def test_an_accepted_stop_completes_and_ships(catalog, decided) -> None:
    decided(SHIP)
    done = accept("checkout_cta")
    assert done.exit_code == 0, done.exception
    after = read(catalog, "checkout_cta")
    assert (after.status, after.shipped) == ("completed", "red")
    assert [(entry.action, entry.reason) for entry in read_log(catalog)] == [("complete", "agreed")]


def test_an_accepted_arm_less_is_a_phase_from_the_next_midnight_that_moves_nobody_else(
    catalog, decided
) -> None:
    decided(ARM_LESS)
    done = accept("headline_copy")
    assert done.exit_code == 0, done.exception
    first, last = read(catalog, "headline_copy").phases
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    assert (last.start.date(), last.start.hour, last.traffic) == (tomorrow, 0, first.traffic)
    assert last.weights == {"control": 0.5, "short": 0.5, "long": 0.0}
    before, after = shard_ranges(first.weights), shard_ranges(last.weights)
    assert before["control"] == after["control"]
    assert before["short"][0] == after["short"][0]
    assert [(entry.action, entry.before, entry.after) for entry in read_log(catalog)] == [
        ("accept", "running", "running")
    ]


def test_accepted_weights_are_those_that_the_cut_off_proposed(catalog, decided) -> None:
    decided(("headline_copy", "modify", "set_weights", None))
    shares = (("control", 0.2), ("short", 0.7123), ("long", 0.0877))
    with duckdb.connect(str(Home(catalog.parent / "home").warehouse)) as connection:
        connection.execute(
            "create table results.allocations (experiment_id varchar, cut_off date, variant_id varchar,"
            " next_weight double)"
        )
        for arm, share in shares:
            connection.execute(
                "insert into results.allocations values ('headline_copy', '2026-01-20', ?, 1),"
                " ('headline_copy', '2026-01-21', ?, ?)",
                [arm, arm, share],
            )
    done = accept("headline_copy")
    assert done.exit_code == 0, done.exception
    first, last = read(catalog, "headline_copy").phases
    assert last.weights == dict(shares)
    assert (last.traffic, last.salts) == (first.traffic, first.salts)


def test_accepted_traffic_turns_the_short_form_into_phases(catalog, decided) -> None:
    decided(WIDER)
    done = accept("platform_check")
    assert done.exit_code == 0, done.exception
    after = read(catalog, "platform_check")
    assert [phase.traffic for phase in after.phases] == [0.2, 0.5]
    assert [phase.weights for phase in after.phases] == [{"a": 0.5, "b": 0.5}] * 2
    assert after.phases[0].start == after.start
    assert "# careful" in (catalog / "experiments" / "platform_check.yaml").read_text()


@pytest.mark.parametrize(
    ("rows", "words", "message"),
    [
        (
            (("checkout_cta", "continue", "none", None),),
            ("checkout_cta",),
            (
                "experiment accept: nothing is proposed for 'checkout_cta' (continue: none: the newest decision must"
                " propose a stop, an arm less, other weights, wider traffic or an extension). Hint: The sentence."
            ),
        ),
        (
            (("checkout_cta", "modify", "fix_data", None),),
            ("checkout_cta",),
            (
                "experiment accept: nothing is proposed for 'checkout_cta' (modify: fix_data: the newest decision must"
                " propose a stop, an arm less, other weights, wider traffic or an extension). Hint: The sentence."
            ),
        ),
        (
            (),
            ("checkout_cta",),
            (
                "experiment accept: nothing is proposed for 'checkout_cta' (no decision yet: the newest decision must"
                " propose a stop, an arm less, other weights, wider traffic or an extension). Hint: run the pipeline"
                " first"
            ),
        ),
        (
            (SHIP,),
            ("checkout_cta", "--reason", " "),
            (
                "experiment complete: a transition needs a reason (--reason TEXT). Hint: the reason stands in the log"
                " and on the scorecard"
            ),
        ),
    ],
)
def test_a_refusal_changes_nothing(catalog, decided, rows, words, message: str) -> None:
    decided(*rows)
    before = (catalog / "experiments" / "checkout_cta.yaml").read_bytes()
    done = accept(*words)
    assert (done.exit_code, str(done.exception)) == (1, message)
    assert (catalog / "experiments" / "checkout_cta.yaml").read_bytes() == before
    assert read_log(catalog) == []


def test_what_acts_by_itself_proposes_nothing(catalog, decided) -> None:
    decided(SHIP)
    file = catalog / "experiments" / "checkout_cta.yaml"
    file.write_text(file.read_text().replace("harm: true,", "harm: true, automatic: true,"))
    done = accept("checkout_cta")
    assert "'checkout_cta' acts by itself" in str(done.exception)


def offer(catalog: Path, name: str, action: str, **what: object) -> None:
    with duckdb.connect(str(Home(catalog.parent / "home").warehouse)) as connection:
        connection.execute(
            "create table if not exists results.next_actions (experiment_id varchar, cut_off date, position bigint,"
            " action varchar, variant_id varchar, traffic double, end_at timestamp)"
        )
        connection.execute(
            "insert into results.next_actions values (?, '2026-01-21', 1, ?, ?, ?, ?)",
            [name, action, what.get("variant"), what.get("traffic"), what.get("end")],
        )


def test_m33_an_accepted_extension_is_a_new_end(catalog, decided) -> None:
    decided(("checkout_cta", "extend", "extend", None))
    later = read(catalog, "checkout_cta").start + timedelta(days=60)
    offer(catalog, "checkout_cta", "extend", end=later)
    done = accept("checkout_cta")
    assert done.exit_code == 0, done.exception
    assert read(catalog, "checkout_cta").end == later
    assert [(entry.action, entry.after) for entry in read_log(catalog)] == [("accept", "running")]


@pytest.mark.parametrize(("action", "traffic"), [("decrease_traffic", 0.1), ("increase_traffic", 0.4)])
def test_m33_traffic_is_changed_from_the_next_midnight_on(catalog, decided, action, traffic) -> None:
    decided(("platform_check", "continue", "wait", None))
    offer(catalog, "platform_check", action, traffic=traffic)
    done = accept("platform_check", "--action", action, "--reason", "agreed")
    assert done.exit_code == 0, done.exception
    assert [phase.traffic for phase in read(catalog, "platform_check").phases] == [0.2, traffic]


@pytest.mark.parametrize(
    ("action", "variant", "arms"),
    [
        ("modify_variant", "red", ["control", "red_2"]),
        ("create_variant", None, ["control", "new"]),
    ],
)
def test_m33_a_changed_or_new_variant_is_a_draft_that_validates(
    catalog, decided, action, variant, arms
) -> None:
    decided(("checkout_cta", "stop", "keep_control", "control"))
    offer(catalog, "checkout_cta", action, variant=variant)
    before = (catalog / "experiments" / "checkout_cta.yaml").read_bytes()
    done = accept("checkout_cta", "--action", action, "--reason", "another colour")
    assert done.exit_code == 0, done.exception
    assert (catalog / "experiments" / "checkout_cta.yaml").read_bytes() == before
    origin, draft = read(catalog, "checkout_cta"), read(catalog, "checkout_cta_2")
    assert (draft.status, draft.stage, draft.metrics) == ("draft", "design", origin.metrics)
    assert [arm.id for arm in draft.variants] == arms
    assert draft.variants[1].config == next(
        arm.config for arm in origin.variants if arm.id == (variant or "control")
    )
    (entry,) = read_log(catalog)
    assert (entry.experiment, entry.action) == ("checkout_cta_2", "create")
    assert entry.reason == f"{action} of checkout_cta: another colour"


def test_m33_an_act_that_is_not_open_is_refused(catalog, decided) -> None:
    decided(("checkout_cta", "continue", "wait", None))
    offer(catalog, "checkout_cta", "increase_traffic", traffic=1.0)
    done = accept("checkout_cta", "--action", "extend", "--reason", "agreed")
    assert done.exit_code == 1
    assert "unknown action" in str(done.exception)
    assert "increase_traffic" in str(done.exception)


def complete(*words: str):
    return CliRunner().invoke(app, ["experiment", "complete", "checkout_cta", *words, "--reason", "agreed"])


@pytest.mark.parametrize(
    ("said", "ship", "refused"),
    [
        (("stop", "ship", "red"), "red", False),
        (("stop", "ship", "red"), "control", True),
        (("stop", "roll_back", "control"), "red", True),
        (("continue", "wait", None), "red", True),
        (("continue", "wait", None), "control", False),
        (("modify", "fix_data", None), "red", True),
        (("inconclusive", "keep_control", "control"), "red", True),
    ],
)
def test_m03_shipping_against_the_newest_decision_needs_a_word_and_is_logged(
    catalog, decided, said, ship, refused
) -> None:
    decided(("checkout_cta", *said))
    done = complete("--ship", ship)
    assert done.exit_code == int(refused), done.exception
    if refused:
        assert "--against-advice" in str(done.exception)
        assert read_log(catalog) == []
        done = complete("--ship", ship, "--against-advice")
        assert done.exit_code == 0, done.exception
    (entry,) = read_log(catalog)
    assert entry.advice == ("The sentence." if refused else "")
    assert read(catalog, "checkout_cta").shipped == ship


def test_m03_before_anything_was_judged_there_is_no_advice_to_go_against(catalog) -> None:
    done = complete("--ship", "red")
    assert done.exit_code == 0, done.exception
