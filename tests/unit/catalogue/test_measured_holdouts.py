"""Experiments that measure a holdout: what follows from the gate, and what cannot be said beside it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime

import polars as pl
import pytest
from tests.problems import told

from fairsplit.analysis.catalogue import CatalogueError, compile_tables, load_catalogue
from fairsplit.analysis.catalogue.hashing import experiment_hash
from fairsplit.assignment_exports.allocation import allocation_of, assign
from fairsplit.assignment_exports.catalogue import export_catalogue

EXPERIMENT = """\
id: joint
name: Everything under the holdout
owner: growth@example.com
type: ab
holdout: year
status: running
start: 2026-01-05
variants: [{id: rest}, {id: held, control: true}]
exposure: {event: session_start}
metrics: {primary: [ctr]}
"""
OTHER = """\
id: other
name: One of those under it
owner: growth@example.com
type: ab
status: running
start: 2026-01-05
variants: [{id: control, control: true}, {id: red}]
metrics: {primary: [ctr]}
"""
HOLDOUT = "{id: year, share: 0.05, salt: q1}"


def catalogue(folder, metrics, text=EXPERIMENT, holdout=HOLDOUT, other=OTHER):
    (folder / "experiments").mkdir(exist_ok=True)
    (folder / "project.yaml").write_text(f"first_day: 2026-01-01\nholdouts: [{holdout}]\n")
    (folder / "experiments" / "joint.yaml").write_text(text)
    (folder / "experiments" / "other.yaml").write_text(other)
    return load_catalogue(folder, metrics)


def test_its_sides_are_those_of_the_gate_over_the_others(tmp_path, metric_catalogue):
    loaded = catalogue(tmp_path, metric_catalogue)
    assert loaded.problems == ()
    units = [f"user-{number}" for number in range(4_000)]
    shards = [int(hashlib.md5(f"q1-{unit}".encode()).hexdigest()[:8], 16) % 10_000 for unit in units]  # noqa: S324
    start = loaded.experiments["joint"].start
    ids = pl.Series(units)
    served = {
        name: assign(allocation_of(loaded.experiments[name], loaded.project), ids, start)["variant"].to_list()
        for name in ("joint", "other")
    }
    assert served["joint"] == ["held" if shard < 500 else "rest" for shard in shards]
    assert [side == "held" for side in served["joint"]] == [variant is None for variant in served["other"]]


def test_it_is_under_no_holdout_itself_and_nothing_of_it_is_served(tmp_path, metric_catalogue):
    loaded = catalogue(tmp_path, metric_catalogue)
    tables = compile_tables(loaded)
    assert tables["holdouts"]["experiment_id"].to_list() == ["other"]
    told = tables["experiments"].select("experiment_id", "holdout_id", "exposure_event").rows()
    assert told == [("joint", "year", "session_start"), ("other", None, "experiment_viewed")]
    version = export_catalogue(
        tmp_path / "exports", loaded, loaded.experiments["joint"].start, closed_gates={}
    )
    assert list(version.manifest["experiments"]) == ["other"]


def test_another_share_or_salt_is_another_definition(tmp_path, metric_catalogue):
    hashes = {
        experiment_hash(catalogue(tmp_path, metric_catalogue, holdout=holdout).experiments["joint"])
        for holdout in (HOLDOUT, HOLDOUT.replace("0.05", "0.1"), HOLDOUT.replace("q1", "q2"))
    }
    assert len(hashes) == 3


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "holdout: year",
            "holdout: yaer",
            "experiments/joint.yaml:5 holdout: unknown holdout (yaer: one of: year). Hint: did you mean 'year'?",
        ),
        (
            "status: running",
            "status: running\nunit: session",
            (
                "experiments/joint.yaml:7 unit: the holdout holds out another kind of unit "
                "(session: user, as holdout 'year')"
            ),
        ),
        (
            "type: ab",
            "type: aa",
            "experiments/joint.yaml:4 type: a holdout has two sides (aa: type: ab)",
        ),
        (
            "status: running",
            "status: running\ntraffic: 1.0",
            (
                "experiments/joint.yaml:7 traffic: the holdout decides who is in which arm, and serves nothing "
                "(1.0: no such key beside holdout)"
            ),
        ),
        (
            "status: running",
            "status: running\nassignment: batch",
            (
                "experiments/joint.yaml:7 assignment: the holdout decides who is in which arm, and serves nothing "
                "(batch: no such key beside holdout)"
            ),
        ),
        (
            "{id: rest}",
            "{id: rest, config: {color: red}}",
            (
                "experiments/joint.yaml:8 variants[0].config: the holdout's share is the weight, and nothing is "
                'served ({"color": "red"}: no such key)'
            ),
        ),
        (
            "exposure: {event: session_start}\n",
            "",
            (
                "experiments/joint.yaml:1 exposure: nothing says when a unit is seen (experiment_viewed: exposure: "
                "{event: an event that held-out units have as well, such as session_start})"
            ),
        ),
        (
            "{event: session_start}",
            "{event: session_start, activation: page_view}",
            (
                "experiments/joint.yaml:9 exposure.activation: the event that exposes needs no other before it "
                "(page_view: exposure.event alone)"
            ),
        ),
        (
            "status: running",
            "status: running\nstopping: {automatic: true}",
            (
                "experiments/joint.yaml:7 stopping.automatic: a holdout's sides cannot be changed by a decision "
                "(true: taking the holdout out of project.yaml releases its units)"
            ),
        ),
        (
            "status: running",
            "status: running\nsdk: flagd",
            (
                "experiments/joint.yaml:7 sdk: a holdout has one SDK family "
                "(flagd: ufc, as 'other' of holdout 'year': two hashes hold out others)"
            ),
        ),
    ],
)
def test_what_cannot_stand_beside_a_holdout_is_refused(old, new, problem, tmp_path, metric_catalogue):
    loaded = catalogue(tmp_path, metric_catalogue, EXPERIMENT.replace(old, new))
    assert [told(found) for found in loaded.problems] == [problem]


@pytest.mark.parametrize(
    ("holdout", "problem"),
    [
        (
            "{id: year, share: 0.05, start: 2026-01-06}",
            "joint.yaml:7 start: nobody was held out yet (2026-01-05T00:00:00Z: 2026-01-06T00:00:00Z or later)",
        ),
        (
            "{id: year, share: 0.05, experiments: [joint, other]}",
            (
                "joint.yaml:5 holdout: the holdout would hold units out of its own measurement "
                "(year: holdout 'year' without it)"
            ),
        ),
    ],
)
def test_what_the_holdout_says_otherwise_is_refused(holdout, problem, tmp_path, metric_catalogue):
    loaded = catalogue(tmp_path, metric_catalogue, holdout=holdout)
    assert [told(found) for found in loaded.problems] == [f"experiments/{problem}"]


SHIPPED = OTHER.replace("status: running", "status: completed\nend: 2026-02-01\nshipped: red")


@pytest.mark.parametrize(
    ("text", "other", "start", "cuped_days"),
    [
        (EXPERIMENT, OTHER, datetime(2026, 1, 5), 14),  # noqa: DTZ001
        (EXPERIMENT, SHIPPED, datetime(2026, 2, 1), 0),  # noqa: DTZ001
        (EXPERIMENT, SHIPPED.replace("shipped: red", "shipped: control"), datetime(2026, 1, 5), 14),  # noqa: DTZ001
        (EXPERIMENT.replace("01-05", "02-05"), SHIPPED, datetime(2026, 2, 5), 14),  # noqa: DTZ001
        (
            EXPERIMENT.replace("[ctr]", "[lasting]") + "since: start\n",
            SHIPPED,
            datetime(2026, 1, 5),  # noqa: DTZ001
            14,
        ),
    ],
)
def test_a_read_out_counts_units_seen_since_the_last_ship(
    tmp_path, metric_catalogue, text, other, start, cuped_days
):
    """Case holdout-in-exposure-time."""
    metrics = {
        **metric_catalogue,
        "lasting": replace(metric_catalogue["ctr"], name="lasting", window_end=None),
    }
    loaded = catalogue(tmp_path, metrics, text, other=other)
    assert loaded.problems == ()
    joint = loaded.experiments["joint"]
    assert (joint.start, joint.history[0].start) == (start, start)
    assert joint.plan.cuped_days == cuped_days


THIRD = SHIPPED.replace("id: other", "id: third").replace("2026-02-01", "2026-03-01")


@pytest.mark.parametrize(
    ("since", "start", "end"),
    [
        ("other", datetime(2026, 2, 1), datetime(2026, 3, 1)),  # noqa: DTZ001
        ("third", datetime(2026, 3, 1), None),  # noqa: DTZ001
    ],
)
def test_each_ship_has_a_read_out_of_its_own_until_the_next(tmp_path, metric_catalogue, since, start, end):
    """Case holdout-in-exposure-time: effects in calendar time since each ship."""
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "third.yaml").write_text(THIRD)
    loaded = catalogue(tmp_path, metric_catalogue, EXPERIMENT + f"since: {since}\n", other=SHIPPED)
    assert loaded.problems == ()
    joint = loaded.experiments["joint"]
    assert (joint.start, joint.end, joint.history[0].start) == (start, end, start)
    assert joint.plan.cuped_days == 0


@pytest.mark.parametrize(
    ("since", "other", "rule"),
    [
        ("othr", SHIPPED, "(othr: last_ship, start, other)"),
        ("other", OTHER, "(other: last_ship, start)"),
        ("other", SHIPPED.replace("shipped: red", "shipped: control"), "(other: last_ship, start)"),
    ],
)
def test_a_read_out_since_what_has_not_shipped_is_refused(tmp_path, metric_catalogue, since, other, rule):
    (problem,) = catalogue(tmp_path, metric_catalogue, EXPERIMENT + f"since: {since}\n", other=other).problems
    assert "no experiment under the holdout with this id has shipped since its start" in str(problem)
    assert rule in str(problem)


def test_windows_cannot_tell_what_a_read_out_since_the_start_asks(tmp_path, metric_catalogue):
    """Case holdout-in-exposure-time."""
    text = EXPERIMENT.replace("[ctr]", "[checkout_conversion]") + "since: start\n"
    (problem,) = catalogue(tmp_path, metric_catalogue, text).problems
    assert "its window closes before what ships later" in str(problem)
    assert "checkout_conversion: 7d" in str(problem)
    (problem,) = catalogue(
        tmp_path, metric_catalogue, OTHER.replace("other", "joint") + "since: start\n"
    ).problems
    assert "says from when on a holdout is measured" in str(problem)


def test_a_share_has_history_and_both_sides_are_those_throughout(tmp_path, metric_catalogue):
    """Case holdout-leak-and-growth."""
    former = "[{until: 2026-01-03, share: 0.6}, {until: 2026-01-09, share: 0.1}]"
    grown = f"{{id: year, share: 0.4, salt: q1, history: {former}}}"
    loaded = catalogue(tmp_path, metric_catalogue, holdout=grown)
    assert loaded.problems == ()
    tables = compile_tables(loaded)
    first, second = datetime(2026, 1, 3), datetime(2026, 1, 9)  # noqa: DTZ001
    assert tables["holdouts"].select("shards", "start_at", "end_at").rows() == [
        (6_000, None, first),
        (1_000, first, second),
        (4_000, second, None),
    ]
    sides = tables["phase_weights"].filter(pl.col("experiment_id") == "joint")
    # The share before the measurement's start does not matter to it.
    assert sides.select("variant_id", "shard_from", "shard_to").rows() == [
        ("held", 0, 1_000),
        ("rest", 4_000, 10_000),
    ]
    assert sides["weight"].to_list() == pytest.approx([1 / 7, 6 / 7])


def test_former_shares_out_of_order_are_refused(tmp_path, metric_catalogue):
    holdout = (
        "{id: year, share: 0.4, history: [{until: 2026-01-09, share: 0.1}, {until: 2026-01-03, share: 0.2}]}"
    )
    with pytest.raises(CatalogueError, match="has former shares out of order"):
        catalogue(tmp_path, metric_catalogue, holdout=holdout)
