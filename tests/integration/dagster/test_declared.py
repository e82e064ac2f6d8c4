"""What Dagster is told there is: a change of these names is a change for everyone who operates it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import dagster as dg
import pytest
import yaml

from fairsplit.orchestration.project import DBT_PROJECT_DIR, Home
from fairsplit.orchestration.warehouse.dbt import ensure_manifest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

ASSETS = {
    "aa_certification",
    "catalogue",
    "landed_files",
    "raw_events",
    "sample_ratio",
    "significance",
    "stopping",
    "interactions",
    "programme",
    "content_schedule",
    "syntheses",
    "searches",
    "publication",
}
BLOCKING = {
    "landed_files:rows_are_conserved",
    "raw_events:days_meet_expectations",
    "raw_events:requested_day_is_complete",
    "stopping:result_invariants",
}


@pytest.fixture
def definitions(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("FAIRSPLIT_HOME", str(tmp_path))
    ensure_manifest(Home(tmp_path).prepare())
    from fairsplit.orchestration.definitions import defs  # noqa: PLC0415  (needs dbt's manifest)

    return defs()


def test_names_of_assets_jobs_schedules_and_sensors(definitions) -> None:
    graph = definitions.resolve_asset_graph()
    models = {path.stem for path in (DBT_PROJECT_DIR / "models").rglob("*.sql")}
    assert {key.to_user_string() for key in graph.executable_asset_keys} == ASSETS | models
    assert {job.name for job in definitions.jobs} == {"land", "daily", "certification"}
    assert {schedule.name for schedule in definitions.schedules} == {"nightly", "weekly_certification"}
    assert {sensor.name for sensor in definitions.sensors} == {
        "new_landed_files",
        "outstanding_days",
        "failed_runs",
    }
    # The job selects groups by name, for a host has assets of its own: a new group is one more name.
    built = definitions.resolve_job_def("daily").asset_layer.selected_asset_keys
    assert {key.to_user_string() for key in built} == (ASSETS | models) - {"aa_certification"}


#: The asset that writes a table of `results`.
WRITER = {
    "validity": "sample_ratio",
    "comparisons": "significance",
    "decisions": "stopping",
    "allocations": "stopping",
    "next_actions": "stopping",
    "policies": "stopping",
    "policy_leaves": "stopping",
    "policy_coefficients": "stopping",
    "schedule": "content_schedule",
    "interaction_effects": "interactions",
    "programme_experiments": "programme",
    "synthesis_studies": "syntheses",
    "search": "searches",
}


def test_assets_depend_on_what_their_exposures_name(definitions) -> None:
    """Dagster's graph and dbt's lineage tell one story; architecture tests hold the latter to the code."""
    graph = definitions.resolve_asset_graph()
    told = yaml.safe_load((DBT_PROJECT_DIR / "models" / "marts" / "exposures.yml").read_text())
    for exposure in told["exposures"]:
        found = [re.findall(r"'(\w+)'", one) for one in exposure["depends_on"]]
        expected = {WRITER.get(names[-1], names[-1]) for names in found}
        parents = graph.get(dg.AssetKey(exposure["name"])).parent_keys
        assert {key.to_user_string() for key in parents} == expected, exposure["name"]


def test_what_people_and_sdks_read_goes_stale_when_no_night_publishes(definitions) -> None:
    policies = {
        spec.key.to_user_string(): spec.freshness_policy
        for spec in definitions.resolve_all_asset_specs()
        if spec.freshness_policy is not None
    }
    assert set(policies) == {"publication"}
    assert {policy.deadline_cron for policy in policies.values()} == {"0 6 * * *"}


def test_system_checks_block_and_experiment_checks_warn(definitions) -> None:
    graph = definitions.resolve_asset_graph()
    checks = {
        key.to_user_string() for key in graph.asset_check_keys if key.asset_key.to_user_string() in ASSETS
    }
    blocking = {
        key.to_user_string()
        for key in graph.asset_check_keys
        if key.asset_key.to_user_string() in ASSETS and graph.get_check_spec(key).blocking
    }
    assert blocking == BLOCKING
    assert checks - blocking == {
        "aa_certification:metrics_are_certified",
        "catalogue:definitions_are_sound",
        "landed_files:files_are_readable",
        "sample_ratio:experiments_are_valid",
        "interactions:experiments_do_not_interact",
    }


def test_every_step_of_every_job_is_repeated_with_growing_pauses(definitions) -> None:
    for job in definitions.jobs:
        resolved = definitions.resolve_job_def(job.name)
        own = [node.name for node in resolved.nodes if node.definition.retry_policy is not None]
        policy = resolved.op_retry_policy
        assert (policy.max_retries, policy.delay, policy.backoff) == (2, 5, dg.Backoff.EXPONENTIAL)
        assert own == [], "a step's own policy would come before the job's"
