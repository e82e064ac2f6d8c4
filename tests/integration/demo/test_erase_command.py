"""`fairsplit erase` as a user runs it: the person is gone from every table, file and export; the rest stays."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pytest
from tests.command import ROOT, fairsplit

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

_TEXT_COLUMNS = """
    select schema_name, table_name, column_name from duckdb_columns()
    where data_type = 'VARCHAR' and not internal and table_name in (select table_name from duckdb_tables())
"""


def places_of(home: Path, ids: set[str]) -> set[str]:
    """Tables of the warehouse, Parquet files of lake and exports, and snapshots that hold any of the ids."""
    found = set()
    wanted = sorted(ids)
    for path in [home / "warehouse.duckdb", *home.glob("exports/v*/*.duckdb")]:
        with duckdb.connect(str(path), read_only=True) as connection:
            for schema, table, column in connection.execute(_TEXT_COLUMNS).fetchall():
                query = f'select count(*) from "{schema}"."{table}" where list_contains($1, "{column}")'
                if connection.execute(query, [wanted]).fetchall()[0][0]:
                    found.add(f"{schema}.{table}" if path.parent == home else str(path.relative_to(home)))
    with duckdb.connect() as connection:
        for path in [*home.glob("lake/**/*.parquet"), *home.glob("exports/*/*/*.parquet")]:
            columns = connection.execute("describe from read_parquet(?)", [str(path)]).fetchall()
            ids_in = [name for name, *_ in columns if name in {"user_id", "anonymous_id", "unit_id"}]
            asked = " or ".join(f"list_contains($2, {name})" for name in ids_in)
            query = f"select count(*) from read_parquet($1) where {asked}"
            if connection.execute(query, [str(path), wanted]).fetchall()[0][0]:
                found.add(str(path.relative_to(home)))
    return found


def exposures_but_of(home: Path, ids: set[str]) -> list[tuple]:
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(
            "select * from fct_exposures where not list_contains($1, unit_id) order by all", [sorted(ids)]
        ).fetchall()


def lake_rows_of(home: Path, user: str, devices: set[str]) -> list[dict[str, Any]]:
    """Rows of the lake by owner: the user's where one is named, else the device's; the simulator names one of both."""
    lake = pl.concat([pl.read_parquet(path) for path in home.glob("lake/**/*.parquet")], how="diagonal")
    owned = [("user", user, lake.filter(pl.col("user_id") == user).height)]
    anonymous = lake.filter(pl.col("user_id").is_null())
    owned += [
        ("anonymous", device, anonymous.filter(pl.col("anonymous_id") == device).height)
        for device in sorted(devices)
    ]
    return [{"kind": kind, "id": one, "rows": rows} for kind, one, rows in owned]


def bytes_of(home: Path) -> dict[str, str]:
    return {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in home.rglob("*")
        if path.is_file()
    }


def somebody(home: Path) -> tuple[str, set[str]]:
    """The user with most exposures who has a device linked, and all of their ids."""
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        user = connection.execute(
            """select unit_id from fct_exposures where unit_id in (select user_id from int_identity_links)
               group by unit_id order by count(*) desc, unit_id limit 1"""
        ).fetchall()[0][0]
        devices = connection.execute(
            "select anonymous_id from int_identity_links where user_id = ?", [user]
        ).fetchall()
    return user, {user, *(device for (device,) in devices)}


def test_a_person_is_removed_everywhere_and_nobody_else(small: Path) -> None:
    user, ids = somebody(small)
    before = places_of(small, ids)
    assert {"main.fct_exposures", "main.int_unit_days"} <= before
    assert {path.rpartition(".")[2] for path in before if path.startswith("exports/")} == {
        "parquet",
        "duckdb",
    }
    others = exposures_but_of(small, ids)

    # A list names the user, and one of somebody else does not.
    (small / "assignments").mkdir(exist_ok=True)
    for name, unit in (("mail", user), ("other", "stranger")):
        pl.DataFrame({"unit_id": [unit, "third"], "variant": ["a", "b"]}).write_parquet(
            small / "assignments" / f"{name}.parquet"
        )
    # Files that belong to nothing: events, a list of units that no event file is, and somebody else's.
    (small / "copies").mkdir()
    (small / "copies" / "older").write_text("an older home")
    strays = small / "strays"
    strays.mkdir()
    events = pl.concat([pl.read_parquet(path) for path in small.glob("lake/**/*.parquet")], how="diagonal")
    events.write_parquet(strays / "all.parquet")
    pl.DataFrame({"unit": [user] * 9}).write_parquet(strays / "list.parquet", compression="zstd")
    pl.DataFrame({"unit": ["stranger"]}).write_parquet(strays / "other.parquet")
    lake = lake_rows_of(small, user, ids - {user})
    expected = {
        "lake": lake,
        "quarantine": 0,
        "lists": [{"experiment_id": "mail", "rows": 1}],
        "strays": [
            {"path": "strays/all.parquet", "rows": sum(row["rows"] for row in lake)},
            {"path": "strays/list.parquet", "rows": 1},
        ],
        "exports": 1,
        "copies": 1,
        "rows": 2 * sum(row["rows"] for row in lake) + 2,
    }
    whole = bytes_of(small)
    dry = json.loads(fairsplit(small, "erase", user, "--dry-run", "--format", "json"))
    assert dry == {"erased": False, **expected}
    assert "dry run: nothing was erased" in fairsplit(small, "erase", user, "--dry-run")
    assert bytes_of(small) == whole

    assert json.loads(fairsplit(small, "erase", user, "--format", "json")) == {"erased": True, **expected}
    assert places_of(small, {user}) == set()
    assert exposures_but_of(small, ids) == others
    assert (small / "exports" / "current" / "manifest.json").exists()
    assert {path.name for path in strays.iterdir()} == {"all.parquet", "other.parquet"}
    assert pl.read_parquet(strays / "all.parquet").height == events.height - sum(row["rows"] for row in lake)

    for words in ([user], [user, "--dry-run"]):
        with pytest.raises(
            RuntimeError,
            match="nothing of that unit is in the lake, in quarantine, on a list or among the strays",
        ):
            fairsplit(small, "erase", *words)


#: An erasure whose process is killed when the lake's transaction is over and the rebuild has not begun.
KILLED = """
import os, signal, sys
from pathlib import Path
from fairsplit.orchestration.privacy.erasure import Erasure, carry_out
from fairsplit.orchestration.project import Home
carry_out(Home(Path(sys.argv[1])), Erasure(sys.argv[2], (sys.argv[2],)), lambda _: os.kill(os.getpid(), signal.SIGKILL))
"""


#: The tick of the schedule on a morning on which nothing else is owed, and the run that it asks for.
NIGHTLY = """
from datetime import UTC, date, datetime
import dagster as dg
from fairsplit.orchestration.project import Home
from fairsplit.orchestration.running.runs import execute
from fairsplit.orchestration.warehouse.dbt import ensure_manifest
home = Home.from_environment()
ensure_manifest(home)
from fairsplit.orchestration.definitions import defs
repository = defs().get_repository_def()
with dg.DagsterInstance.from_config(str(home.dagster)) as instance:
    context = dg.build_schedule_context(
        instance=instance,
        scheduled_execution_time=datetime(2026, 1, 10, 1, 30, tzinfo=UTC),
        repository_def=repository,
    )
    (request,) = repository.get_schedule_def("nightly").evaluate_tick(context).run_requests
day = date.fromisoformat(request.partition_key)
execute(home, "daily", (day, day))
"""


@pytest.mark.fault
@pytest.mark.parametrize("command", [pytest.param("erase", marks=pytest.mark.slow), "nightly"])
def test_a_killed_erasure_is_finished_by_whoever_comes_next(small: Path, command: str) -> None:
    """Case erase-killed-after-its-transaction."""
    user, ids = somebody(small)
    others = exposures_but_of(small, ids)
    done = subprocess.run([sys.executable, "-c", KILLED, str(small), user], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert "main.fct_exposures" in places_of(small, {user})
    assert "erase was begun and not finished" in fairsplit(small, "status")
    if command == "erase":
        fairsplit(small, "erase", user)
    else:
        environment = {**os.environ, "FAIRSPLIT_HOME": str(small)}
        subprocess.run([sys.executable, "-c", NIGHTLY], cwd=ROOT, env=environment, check=True)
    assert places_of(small, {user}) == set()
    assert exposures_but_of(small, ids) == others
    assert not (small / "begun" / "erase.json").exists()


def test_no_byte_of_the_person_is_left_where_the_database_is_written_anew(small: Path) -> None:
    """Case ids-in-database-bytes; what belongs to nothing and older copies are searched too."""
    user, _ = somebody(small)
    strays = small / "strays"
    (small / "copies").mkdir()
    strays.mkdir()
    (small / "copies" / "older.duckdb").write_bytes((small / "warehouse.duckdb").read_bytes())
    (strays / "note.txt").write_text(f"who is {user}?")
    lake = pl.concat([pl.read_parquet(path) for path in small.glob("lake/**/*.parquet")], how="diagonal")
    lake.write_parquet(strays / "all.parquet")
    assert user.encode() in (small / "warehouse.duckdb").read_bytes()
    fairsplit(small, "erase", user, "--compact")
    assert places_of(small, {user}) == set()
    holding = [
        path.relative_to(small)
        for path in small.rglob("*")
        if path.is_file() and "landing" not in path.parts and user.encode() in path.read_bytes()
    ]
    assert [path for path in holding if path.parts[0] != "truth.json"] == []
    assert not (small / "copies").exists()
    left = pl.read_parquet(strays / "all.parquet")
    assert 0 < left.height < lake.height
    assert user not in left["user_id"].to_list()
    fairsplit(small, "results")
