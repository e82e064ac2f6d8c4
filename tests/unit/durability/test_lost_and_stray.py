"""Absence deletes nothing: a lost warehouse takes no lake with it, and whoever was erased stays out."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from fairsplit.orchestration.errors import IngestError
from fairsplit.orchestration.landing import IngestSettings, ingest_landing
from fairsplit.orchestration.landing.erasing import erase
from fairsplit.orchestration.landing.lake import STRAYS, intend
from fairsplit.orchestration.privacy.erasure import take_up
from fairsplit.orchestration.project import Home
from fairsplit.orchestration.warehouse.opening import writer

if TYPE_CHECKING:
    from pathlib import Path

AT = datetime(2026, 2, 1, tzinfo=UTC)


def land(home: Home, name: str, *users: str) -> None:
    rows = [
        {"event_id": f"{name}-{user}", "event_name": "purchase", "occurred_at": "2026-01-05T10:00:00Z", "user_id": user}
        for user in users
    ]  # fmt: skip
    (home.landing / name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def ingest(home: Home) -> list[str]:
    """Take what has landed; the users whose events count then."""
    with writer(home.warehouse) as connection:
        ingest_landing(
            home.root, connection, IngestSettings(date(2026, 1, 1)), [], datetime(2026, 12, 30, tzinfo=UTC)
        )
        found = connection.execute("select user_id from landing.raw_events order by 1").fetchall()
    return [user for (user,) in found]


def lake(home: Home) -> set[str]:
    return {path.relative_to(home.root).as_posix() for path in (home.root / "lake").rglob("*.parquet")}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home").prepare()
    land(made, "a.ndjson", "u1", "u2")
    assert ingest(made) == ["u1", "u2"]
    return made


def test_a_warehouse_that_is_lost_takes_no_lake_with_it(home: Home) -> None:
    """Case warehouse-lost-beside-a-lake."""
    before = lake(home)
    home.warehouse.unlink()
    with pytest.raises(IngestError, match="the lake holds files that this warehouse does not know"):
        ingest(home)
    assert lake(home) == before
    (home.root / "lake").rename(home.root / "lake.aside")
    home.warehouse.unlink()
    assert ingest(home) == ["u1", "u2"]


def test_a_stray_file_is_moved_aside_and_a_killed_change_is_cleared(home: Home) -> None:
    (known,) = lake(home)
    day = (home.root / known).parent
    for name in ("stray.parquet", "begun.parquet"):
        (day / name).write_bytes((home.root / known).read_bytes())
    intend(home.root, [f"lake/{day.name}/begun.parquet", known])
    assert ingest(home) == ["u1", "u2"]
    assert lake(home) == {known}
    assert [path.name for path in (home.root / STRAYS).rglob("*.parquet")] == ["stray.parquet"]


def test_whoever_was_erased_stays_out_when_the_warehouse_is_lost(home: Home) -> None:
    """Case erased-person-comes-back."""
    with writer(home.warehouse) as connection:
        connection.execute("create table int_identity_links (anonymous_id varchar, user_id varchar)")
        assert erase(home.root, connection, "u1", AT.replace(tzinfo=None)).rows == 1
    home.warehouse.unlink()
    (home.root / "lake").rename(home.root / "lake.aside")
    assert ingest(home) == ["u2"]
    assert "u1" not in (home.root / "erasures.ndjson").read_text()


def test_whoever_was_erased_leaves_an_older_home_that_was_put_back_by_hand(
    home: Home, tmp_path: Path
) -> None:
    """Case erased-person-comes-back: a copy that no `fairsplit backup` made, beside the journal of today."""
    with writer(home.warehouse) as connection:
        connection.execute("create table int_identity_links (anonymous_id varchar, user_id varchar)")
    shutil.copytree(home.root, tmp_path / "copy")
    with writer(home.warehouse) as connection:
        assert erase(home.root, connection, "u1", AT.replace(tzinfo=None)).rows == 1
    shutil.rmtree(home.root / "lake")
    shutil.copytree(tmp_path / "copy" / "lake", home.root / "lake")
    shutil.copy(tmp_path / "copy" / "warehouse.duckdb", home.warehouse)
    take_up(home, "the next run")
    assert ingest(home) == ["u2"]


@pytest.mark.parametrize("unit", ["u1", "ü", 'a"b', "a\\b", "a\tb", "x,y", "user_id", "o'k"])
def test_an_erased_id_is_found_in_every_spelling_and_nobody_else(tmp_path: Path, unit: str) -> None:
    """Cases erase-of-escaped-ids and erase-of-common-words."""
    home = Home(tmp_path / "home").prepare()
    refused = {"event_id": "e1", "event_name": "user_id", "occurred_at": "no time"}
    quoted = '"' + unit.replace('"', '""') + '"'
    lines = [
        json.dumps(refused | {"user_id": unit}),
        json.dumps(refused | {"user_id": unit}, ensure_ascii=False),
    ]
    lines += [
        json.dumps(refused | {"user_id": "another", "country": unit}),
        json.dumps(refused | {"user_id": "v"}),
    ]
    (home.landing / "a.ndjson").write_text(
        "\n".join([*lines, json.dumps({"user_id": unit})[:-1] + ', "torn'])
    )
    (home.landing / "b.csv").write_text(
        "event_id,event_name,occurred_at,user_id,country\n"
        f"e2,x,no time,{quoted},\ne3,{quoted},no time,w,{quoted}\n"
    )
    # A mark that only this file has between its cells.
    (home.landing / "c.csv").write_text(
        f"event_id;event_name;occurred_at;user_id;plan\ne4;{quoted};no time;{quoted};\ne5;x,y;no time;w;\n"
    )
    ingest(home)
    with writer(home.warehouse) as connection:
        connection.execute("create table int_identity_links (anonymous_id varchar, user_id varchar)")
        assert erase(home.root, connection, unit, AT.replace(tzinfo=None)).refused == 5
        left = connection.execute(
            "select raw_line from landing.quarantine where raw_line is not null order by 1"
        )
        kept = [line for (line,) in left.fetchall()]
    assert [json.loads(line)["user_id"] for line in kept if line.startswith("{")] == ["another", "v"]
    assert [line for line in kept if not line.startswith("{")] == [
        f"e3,{quoted},no time,w,{quoted}",
        "e5;x,y;no time;w;",
    ]
