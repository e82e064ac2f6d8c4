"""A fault put into the SQL is found by the comparisons that guard it; else they would guard nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest
from tests.oracle.checks import expect_oracle
from tests.oracle.dbt_runs import altered, invoke
from tests.oracle.edges import files, step_by_step

from fairsplit.orchestration.project import DBT_PROJECT_DIR

if TYPE_CHECKING:
    from collections.abc import Iterator
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
    "a window that closes on a new day is looked for a day late": Fault(
        "macros/run/scopes.sql",
        "cast(closing.day - to_microseconds(windows.window_end) as date)",
        "cast(closing.day + 1 - to_microseconds(windows.window_end) as date)",
    ),
    "the row of a unit that comes again is left standing": Fault(
        f"{INTERMEDIATE}/int_touched_exposures.sql",
        "standing.unit_id is not null as may_stand",
        "false as may_stand",
    ),
    "an activation at the instant of exposure does not count": Fault(
        "models/marts/fct_exposures.sql",
        "qualified.occurred_at >= activations.activated_at",
        "qualified.occurred_at > activations.activated_at",
    ),
}
#: Faults of what judging reads beside the statistics, which the brute-force reading does not compute, with the model
#: whose unit tests in dbt find them.
JUDGED_FAULTS = {
    "two exposures of one day are two overlaps": (
        "fct_overlaps",
        Fault(
            "models/marts/fct_overlaps.sql",
            "latest.exposure_day = earlier.exposure_day and latest.experiment_id < earlier.experiment_id",
            "latest.exposure_day = earlier.exposure_day",
        ),
    ),
    "the side of a measured holdout is a partner": (
        "fct_overlaps",
        Fault("macros/events/exposures.sql", " and experiments.holdout_id is null", ""),
    ),
    "a pair counts before its unit is in both": (
        "fct_pair_cells",
        Fault(
            "models/marts/fct_pair_cells.sql",
            "greatest(counted.day, other.exposure_day) as day",
            "counted.day as day",
        ),
    ),
    "old values do not meet a new exposure": (
        "fct_pair_cells",
        Fault("models/marts/fct_pair_cells.sql", "where added.day < {{ first }}", "where false"),
    ),
    "whoever is outside of the traffic is no mismatch": (
        "fct_assignment_audits",
        Fault(
            "models/marts/fct_assignment_audits.sql",
            "where not in_traffic or variant_id is distinct",
            "where variant_id is distinct",
        ),
    ),
    "an outcome at the instant of exposure is early": (
        "fct_early_outcomes",
        Fault(
            "models/marts/fct_early_outcomes.sql",
            "firsts.first_at < exposures.exposed_at",
            "firsts.first_at <= exposures.exposed_at",
        ),
    ),
}
QUICK = "of two exposures at one instant the later id wins"


def expect_caught(fault: Fault, folder: Path) -> None:
    with altered(*fault):
        home = step_by_step(folder)
    with pytest.raises(AssertionError):
        expect_oracle(home, files())


def test_every_fault_names_a_text_that_stands() -> None:
    """A fault whose text has moved is found by the quick tests, not by the slow ones that seed it."""
    judged = {name: fault for name, (_, fault) in JUDGED_FAULTS.items()}
    moved = {
        name
        for name, fault in {**FAULTS, **judged}.items()
        if fault.right not in (DBT_PROJECT_DIR / fault.file).read_text()
    }
    assert moved == set()


def test_without_a_fault_every_edge_is_right(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("FAIRSPLIT_HOME", str(tmp_path))
    expect_oracle(step_by_step(tmp_path), files())


def test_a_seeded_fault_is_caught(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("FAIRSPLIT_HOME", str(tmp_path))
    expect_caught(FAULTS[QUICK], tmp_path)


@pytest.fixture(scope="module")
def built_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home whose tables unit tests take their columns from."""
    with pytest.MonkeyPatch.context() as patched:
        folder = tmp_path_factory.mktemp("built")
        patched.setenv("FAIRSPLIT_HOME", str(folder))
        yield step_by_step(folder).home.root


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(JUDGED_FAULTS))
def test_every_seeded_fault_of_what_judging_reads_fails_a_unit_test(name: str, built_home: Path) -> None:
    model, fault = JUDGED_FAULTS[name]
    with altered(*fault), pytest.raises(AssertionError, match=r"actual differs from expected"):
        invoke(built_home, "test", "--select", f"{model},test_type:unit")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(FAULTS) - {QUICK}))
def test_every_seeded_fault_is_caught(name: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("FAIRSPLIT_HOME", str(tmp_path))
    expect_caught(FAULTS[name], tmp_path)
