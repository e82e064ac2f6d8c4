"""`fairsplit erase` as a user runs it: the person is gone from every table, file and export; the rest stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

from tests.command import fairsplit

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("demo")]

_TEXT_COLUMNS = """
    select schema_name, table_name, column_name from duckdb_columns()
    where data_type = 'VARCHAR' and not internal and table_name in (select table_name from duckdb_tables())
"""


def places_of(home: Path, ids: set[str]) -> set[str]:
    """Tables of the warehouse and Parquet files of lake and exports that hold any of the ids."""
    found = set()
    wanted = sorted(ids)
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        for schema, table, column in connection.execute(_TEXT_COLUMNS).fetchall():
            query = f'select count(*) from "{schema}"."{table}" where list_contains($1, "{column}")'
            if connection.execute(query, [wanted]).fetchall()[0][0]:
                found.add(f"{schema}.{table}")
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


def test_a_person_is_removed_everywhere_and_nobody_else(tmp_path: Path) -> None:
    fairsplit(tmp_path, "simulate", "--users", "200", "--days", "4", "--output", str(tmp_path))
    fairsplit(tmp_path, "run")
    with duckdb.connect(str(tmp_path / "warehouse.duckdb"), read_only=True) as connection:
        user = connection.execute(
            """select unit_id from fct_exposures where unit_id in (select user_id from int_identity_links)
               group by unit_id order by count(*) desc, unit_id limit 1"""
        ).fetchall()[0][0]
        devices = connection.execute(
            "select anonymous_id from int_identity_links where user_id = ?", [user]
        ).fetchall()
    ids = {user, *(device for (device,) in devices)}
    before = places_of(tmp_path, ids)
    assert {"main.fct_exposures", "main.int_unit_days"} <= before
    assert any(place.startswith("exports/") for place in before)
    others = exposures_but_of(tmp_path, ids)

    assert "rows of the unit were erased" in fairsplit(tmp_path, "erase", user)
    assert places_of(tmp_path, {user}) == set()
    assert exposures_but_of(tmp_path, ids) == others
    assert (tmp_path / "exports" / "current" / "manifest.json").exists()

    with pytest.raises(RuntimeError, match="nothing of that unit is in the lake, in quarantine or on a list"):
        fairsplit(tmp_path, "erase", user)
