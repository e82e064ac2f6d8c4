"""dbt's own unit tests, which the daily run leaves out."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from fairsplit.orchestration.project import DBT_PROJECT_DIR as PROJECT

pytestmark = pytest.mark.integration


def test_every_dbt_unit_test_passes(world, viewed) -> None:
    world.experiment(metrics=("checkout_conversion",))
    world.land(viewed("e1", "05 10:00", "a", user_id="u1"))
    world.run("06")
    done = subprocess.run(
        [
            sys.executable, "-m", "dbt.cli.main", "test", "--select", "test_type:unit", "--project-dir", str(PROJECT),
            "--profiles-dir", str(PROJECT), "--target-path", str(world.home / "dbt"), "--log-path",
            str(world.home / "logs"),
        ],
        env={**os.environ, "FAIRSPLIT_HOME": str(world.home)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    assert "PASS=" in done.stdout
    assert "PASS=0" not in done.stdout
