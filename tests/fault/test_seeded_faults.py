"""A fault put into the SQL is found by the comparisons that guard it; else they would guard nothing."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, NamedTuple

import pytest
from tests.oracle.checks import expect_oracle
from tests.oracle.edges import files, step_by_step

from fairsplit.orchestration.project import DBT_PROJECT_DIR

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.integration,
    pytest.mark.fault,
]


class Fault(NamedTuple):
    """Replace a text, which must be there, in one file of the dbt project."""

    file: str
    right: str
    wrong: str


INTERMEDIATE = "models/intermediate"
FAULTS = {
    "an exposure that moved keeps its old values": Fault(
        f"{INTERMEDIATE}/int_value_scope.sql",
        "or (experiment_id, unit_id) in (select c.experiment_id",
        "or false and (experiment_id, unit_id) in (select c.experiment_id",
    ),
    "the day an exposure moved away from is not aggregated anew": Fault(
        "macros/run/scopes.sql",
        "select experiment_id, unit_id, variant_id, exposed_at, second_arm_at from {{ gone }}",
        "select experiment_id, unit_id, variant_id, exposed_at, second_arm_at from {{ gone }} where false",
    ),
    "a window that ends at midnight closes a day late": Fault(
        f"{INTERMEDIATE}/int_value_scope.sql",
        "to_microseconds(windows.window_end - 1) as date) as entry_day",
        "to_microseconds(windows.window_end) as date) as entry_day",
    ),
    "of two exposures at one instant the later id wins": Fault(
        "models/marts/fct_exposures.sql",
        "order by occurred_at, event_id) = 1",
        "order by occurred_at, event_id desc) = 1",
    ),
    "an exposure taken back still counts": Fault(
        f"{INTERMEDIATE}/int_touched_exposures.sql",
        "where exposures.event_day <= {{ frontier_before() }}",
        "where exposures.event_day <= {{ frontier_before() }} and not exposures.shrunk",
    ),
    "the covariate sees the instant of exposure": Fault(
        f"{INTERMEDIATE}/int_unit_values.sql",
        "exposed_at - to_days(cuped_days), exposed_at\n",
        "exposed_at - to_days(cuped_days), exposed_at + to_microseconds(1)\n",
    ),
    "the covariate begins a day late": Fault(
        f"{INTERMEDIATE}/int_unit_values.sql",
        "exposed_at - to_days(cuped_days), exposed_at\n",
        "exposed_at - to_days(cuped_days - 1), exposed_at\n",
    ),
    "a second arm on a later day goes unseen": Fault(
        f"{INTERMEDIATE}/int_touched_exposures.sql",
        "standing.variant_id <> new_events.variant_id",
        "false",
    ),
    "a crossover counts from the day of entry": Fault(
        "macros/definitions/moments.sql",
        "'greatest(day, cast(second_arm_at as date))'",
        "'day'",
    ),
    "a window holds its end": Fault(
        f"{INTERMEDIATE}/int_unit_values.sql",
        "and edge_events.occurred_at < edges.to_at",
        "and edge_events.occurred_at <= edges.to_at",
    ),
    "an anonymous id belongs to its latest user": Fault(
        f"{INTERMEDIATE}/int_identity_links.sql",
        "arg_min(user_id, linked) as user_id",
        "arg_max(user_id, linked) as user_id",
    ),
    "a link that arrives last moves no values": Fault(
        f"{INTERMEDIATE}/int_value_scope.sql",
        "or (unit_type = 'user' and unit_id in (select moved.unit_id",
        "or (false and unit_id in (select moved.unit_id",
    ),
    "a link that arrives last moves no exposure": Fault(
        f"{INTERMEDIATE}/int_touched_exposures.sql",
        "where experiments.unit_type = 'user'\n",
        "where false\n",
    ),
    "no unit enters on a day without events": Fault(
        f"{INTERMEDIATE}/int_touched_partitions.sql",
        "from windows cross join days\n",
        "from windows cross join days where days.day in (select landed.event_day from landing.days as landed)\n",
    ),
    "a late outcome is not counted": Fault(
        f"{INTERMEDIATE}/int_value_scope.sql",
        "where event_day <= {{ frontier_before() }}",
        "where false and event_day <= {{ frontier_before() }}",
    ),
    "a late event before the exposure is not counted": Fault(
        f"{INTERMEDIATE}/int_value_scope.sql",
        "and touched.event_day between cast(closed.exposed_at - to_days(closed.cuped_days) as date)",
        "and touched.event_day between cast(closed.exposed_at as date)",
    ),
    "an exposure whose window is about to close is left unread": Fault(
        "macros/run/scopes.sql",
        "select coalesce(max(window_end) // 86400000000, 0)::int + 1 as days from",
        "select 0 as days from",
    ),
    "an activation at the instant of exposure does not count": Fault(
        "models/marts/fct_exposures.sql",
        "qualified.occurred_at >= activations.activated_at",
        "qualified.occurred_at > activations.activated_at",
    ),
}
QUICK = "of two exposures at one instant the later id wins"


def project_with(fault: Fault, folder: Path) -> Path:
    project = folder / "dbt_project"
    shutil.copytree(DBT_PROJECT_DIR, project, ignore=shutil.ignore_patterns("target", "logs"))
    path = project / fault.file
    text = path.read_text()
    assert fault.right in text, f"{fault.file} no longer says {fault.right!r}: seed the fault anew"
    path.write_text(text.replace(fault.right, fault.wrong))
    return project


def expect_caught(name: str, folder: Path) -> None:
    project = project_with(FAULTS[name], folder)
    home = step_by_step(folder / "home", project)
    with pytest.raises(AssertionError):
        expect_oracle(home, files())


def test_every_fault_names_a_text_that_stands() -> None:
    """A fault whose text has moved is found by the quick tests, not by the slow ones that seed it."""
    moved = {
        name
        for name, fault in FAULTS.items()
        if fault.right not in (DBT_PROJECT_DIR / fault.file).read_text()
    }
    assert moved == set()


def test_without_a_fault_every_edge_is_right(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("FAIRSPLIT_HOME", str(tmp_path))
    expect_oracle(step_by_step(tmp_path), files())


def test_a_seeded_fault_is_caught(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("FAIRSPLIT_HOME", str(tmp_path))
    expect_caught(QUICK, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(FAULTS) - {QUICK}))
def test_every_seeded_fault_is_caught(name: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("FAIRSPLIT_HOME", str(tmp_path))
    expect_caught(name, tmp_path)
