"""A run whose process is gone is told apart from one that goes on."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from fairsplit.orchestration.project import Home
from fairsplit.orchestration.running.dead_runs import LOCK_TAG, alive, release_dead_runs

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration


def started(instance: dg.DagsterInstance, tags: dict[str, str]) -> str:
    run = dg.DagsterRun(
        job_name="daily", run_id=str(uuid.uuid4()), status=dg.DagsterRunStatus.STARTED, tags=tags
    )
    return instance.add_run(run).run_id


def test_only_the_run_without_a_living_process_is_released(tmp_path: Path) -> None:
    home = Home(tmp_path).prepare()
    with dg.DagsterInstance.from_config(str(home.dagster)) as instance, alive(home) as tags:
        going = started(instance, tags)
        foreign = started(instance, {})
        killed = started(instance, {LOCK_TAG: "0" * 32})
        assert release_dead_runs(home, instance) == [killed]
        assert instance.get_run_by_id(killed).status is dg.DagsterRunStatus.FAILURE
        for other in (going, foreign):
            assert instance.get_run_by_id(other).status is dg.DagsterRunStatus.STARTED
        assert release_dead_runs(home, instance) == []
