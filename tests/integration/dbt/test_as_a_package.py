"""The project inside somebody else's: its hooks touch nothing while none of its models are asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
import yaml

from fairsplit.orchestration.project import DBT_PROJECT_DIR

pytestmark = pytest.mark.integration


def test_an_own_model_is_built_beside_the_package(tmp_path: Path) -> None:
    """Case package-of-dbt."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "orders.sql").write_text("select 1 as order_id\n")
    files = {
        "dbt_project.yml": {"name": "shop", "version": "1.0", "profile": "shop", "model-paths": ["models"]},
        "packages.yml": {"packages": [{"local": str(DBT_PROJECT_DIR)}]},
        "profiles.yml": {
            "shop": {
                "target": "dev",
                "outputs": {
                    "dev": {"type": "duckdb", "path": str(tmp_path / "shop.duckdb"), "schema": "main"}
                },
            }
        },
    }
    for name, content in files.items():
        (tmp_path / name).write_text(yaml.safe_dump(content))
    for command in (["deps"], ["build", "--select", "orders"]):
        done = subprocess.run(
            [sys.executable, "-m", "dbt.cli.main", *command, "--project-dir", ".", "--profiles-dir", "."],
            cwd=tmp_path,
            env={**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:]
    with duckdb.connect(str(tmp_path / "shop.duckdb"), read_only=True) as connection:
        made = connection.execute(
            "select table_schema, table_name from information_schema.tables order by all"
        ).fetchall()
        functions = connection.execute(
            "select count(*) from duckdb_functions() where not internal"
        ).fetchall()
    assert (made, functions) == ([("main", "orders")], [(0,)])
