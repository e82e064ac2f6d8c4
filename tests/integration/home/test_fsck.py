"""`fairsplit fsck` names each planted damage; what landing and the rest of the home can give comes back to the byte."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest
from tests.command import ROOT, fairsplit
from tests.oracle.homes import table_hashes

from fairsplit.analysis.lifecycle.log import LOG_NAME, Entry, append
from fairsplit.assignment_exports.publishing import publish
from fairsplit.orchestration.landing.erasure_journal import JOURNAL, note_erasure
from fairsplit.orchestration.lifecycle.unit_lists import note_checksums

pytestmark = pytest.mark.integration

MAIN = "from fairsplit.orchestration.cli import main; main()"
EDIT = "update fct_exposures set unit_id = 'x' where unit_id = (select min(unit_id) from fct_exposures)"
REMOVE = "delete from landing.quarantine where rowid = (select min(rowid) from landing.quarantine)"
NOBODY = [hashlib.sha256(name.encode()).hexdigest() for name in ("user:nobody", "nobody")]


@dataclass(frozen=True)
class Planted:
    """A damage: how it is made, the place that is named, and whether the home can give again what was there."""

    make: Callable[[Path, Path], None]
    where: str
    comes_back: bool = True


def lake(home: Path, number: int) -> Path:
    return sorted((home / "lake").rglob("*.parquet"))[number]


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def scale(path: Path) -> None:
    pl.read_parquet(path).with_columns(pl.col("value") * 1000).write_parquet(path)


def run_sql(statement: str) -> Callable[[Path, Path], None]:
    def make(home: Path, catalog: Path) -> None:
        del catalog
        with duckdb.connect(str(home / "warehouse.duckdb")) as connection:
            connection.execute(statement)

    return make


def relink(name: str, target: str) -> Callable[[Path, Path], None]:
    def make(home: Path, catalog: Path) -> None:
        del catalog
        (home / name).unlink()
        (home / name).symlink_to(target)

    return make


def tear(path: Path) -> None:
    with path.open("a") as file:
        file.write('{"torn')


def middle_of_log(home: Path, catalog: Path) -> None:
    del home
    path = catalog / LOG_NAME
    first, *rest = path.read_text().splitlines()
    path.write_text("\n".join([first.replace("QA passed", "QA failed")[:-9], *rest]) + "\n")


PLANTED = {
    "a bit of a lake file": Planted(lambda home, _: flip(lake(home, 0)), "lake/event_day="),
    "a lake file deleted": Planted(lambda home, _: lake(home, 3).unlink(), "lake/event_day="),
    "a lake file truncated": Planted(
        lambda home, _: lake(home, 4).write_bytes(lake(home, 4).read_bytes()[:-50]), "lake/event_day="
    ),
    "values of a lake file": Planted(lambda home, _: scale(lake(home, 5)), "lake/event_day="),
    "a stray lake file": Planted(
        lambda home, _: (lake(home, 0).parent / "stray.parquet").write_bytes(b"x"), "/stray.parquet"
    ),
    "a mart edited": Planted(run_sql(EDIT), "main.fct_exposures"),
    "a mart dropped": Planted(run_sql("drop table int_unit_days"), "main.int_unit_days"),
    "results edited": Planted(run_sql("update results.decisions set decision = 'ship'"), "results.decisions"),
    "the journal of erasures without a line": Planted(
        lambda home, _: (home / JOURNAL).write_text(""), JOURNAL
    ),
    "the journal of erasures torn": Planted(lambda home, _: tear(home / JOURNAL), JOURNAL),
    "a list edited": Planted(
        lambda home, _: (home / "assignments/mail.parquet").write_bytes(b"PAR1"), "assignments/mail.parquet"
    ),
    "a list deleted": Planted(
        lambda home, _: (home / "assignments/post.parquet").unlink(), "assignments/post.parquet"
    ),
    "the transition log torn": Planted(lambda _, catalog: tear(catalog / LOG_NAME), LOG_NAME),
    "a config edited": Planted(
        lambda home, _: (home / "exports/current/ufc.json").write_bytes(b"{ }"), "/ufc.json"
    ),
    "a manifest torn": Planted(
        lambda home, _: next(home.glob("exports/v000002-*/manifest.json")).write_text('{"v'),
        "exports/v000002-",
    ),
    "a page edited": Planted(
        lambda home, _: (home / "site/current/index.html").write_text("<p>"), "site/versions/"
    ),
    "a page deleted": Planted(lambda home, _: (home / "site/current/flags.html").unlink(), "site/versions/"),
    "a database of Dagster": Planted(
        lambda home, _: next((home / "dagster").rglob("runs.db")).write_bytes(b"garbage" * 999),
        "dagster/history/runs.db",
    ),
    "settings of Dagster": Planted(
        lambda home, _: (home / "dagster/dagster.yaml").write_text("[: }"), "dagster/dagster.yaml"
    ),
    "a folder among the exports": Planted(lambda home, _: (home / "exports/mine").mkdir(), "exports/mine"),
    # What nothing in the home can give is named all the same.
    "an entry of the transition log": Planted(middle_of_log, LOG_NAME, comes_back=False),
    "a refused row deleted": Planted(run_sql(REMOVE), "web/", comes_back=False),
    "what was rolled back": Planted(
        lambda home, _: (home / "exports/withdrawn.json").write_text('["x'),
        "withdrawn.json",
        comes_back=False,
    ),
}


def fsck(home: Path, catalog: Path, *options: str) -> tuple[int, dict[str, list[dict[str, str]]]]:
    done = subprocess.run(
        [sys.executable, "-c", MAIN, "fsck", "--format", "json", *options],
        cwd=ROOT,
        env={**os.environ, "FAIRSPLIT_HOME": str(home), "FAIRSPLIT_CATALOG": str(catalog)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


def contents(home: Path) -> dict[str, str]:
    """Checksums of the files that are to come back to the byte; of the version in force, what stands in it."""
    kept = [*home.glob("lake/*/*.parquet"), *home.glob("assignments/*"), home / JOURNAL]
    served = [*(home / "exports/current/").rglob("*.json"), *(home / "site/current/").rglob("*")]
    return {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in [*kept, *served]
        if path.is_file() and path.name != "manifest.json"
    }


@pytest.fixture
def whole(small: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A published home with lists, an erasure and transitions, in which nothing is damaged; and its catalogue."""
    catalog = tmp_path / "catalog"
    shutil.copytree(ROOT / "catalog", catalog)
    at = datetime(2026, 1, 9, tzinfo=UTC).replace(tzinfo=None)
    started = Entry(at, "a", "start", "draft", "running", at, "QA passed", "")
    append(catalog, [started, started])
    note_erasure(small, [(1, at.isoformat(), *NOBODY)])
    with duckdb.connect(str(small / "warehouse.duckdb")) as connection:
        connection.execute("insert into landing.erasures values (1, ?, ?, ?)", [at, *NOBODY])
    lists = {}
    (small / "assignments").mkdir(exist_ok=True)
    for name in ("mail", "post"):
        path = small / "assignments" / f"{name}.parquet"
        pl.DataFrame({"unit_id": ["a", "b"], "variant": ["x", "y"]}).write_parquet(path)
        note_checksums(path, [hashlib.sha256(path.read_bytes()).hexdigest()])
        lists[f"assignments/{name}.parquet"] = path.read_bytes()
    # An earlier version that has the lists, as the demo's experiments with lists would.
    current = (small / "exports" / "current").resolve()
    publish(small / "exports", {**lists, "ufc.json": b"{}\n"}, {"acts": []})
    fairsplit(small, "export", "--rollback", "--to", current.name)
    assert fsck(small, catalog) == (0, {"damaged": [], "mended": []})
    return small, catalog


def test_each_planted_damage_is_found_and_given_again(whole: tuple[Path, Path]) -> None:
    """Cases lake-damaged, publication-tampered and damaged-or-locked-home."""
    home, catalog = whole
    before = contents(home), table_hashes(home / "warehouse.duckdb")
    planted = {name: one for name, one in PLANTED.items() if one.comes_back}
    assert len(planted) >= 20
    for one in planted.values():
        one.make(home, catalog)
    code, found = fsck(home, catalog)
    assert code == 1
    places = [damage["where"] for damage in found["damaged"]]
    assert {name for name, one in planted.items() if not any(one.where in place for place in places)} == set()
    assert sum(place.startswith("lake/event_day=") for place in places) == 5
    code, told = fsck(home, catalog, "--repair")
    assert (code, told["damaged"]) == (0, [])
    assert (contents(home), table_hashes(home / "warehouse.duckdb")) == before
    assert fsck(home, catalog) == (0, {"damaged": [], "mended": []})


def test_what_nothing_can_give_is_named_and_stays(whole: tuple[Path, Path]) -> None:
    home, catalog = whole
    planted = {name: one for name, one in PLANTED.items() if not one.comes_back}
    for one in planted.values():
        one.make(home, catalog)
    for options in ((), ("--repair",)):
        code, found = fsck(home, catalog, *options)
        assert code == 1
        places = [damage["where"] for damage in found["damaged"]]
        assert {
            name for name, one in planted.items() if not any(one.where in place for place in places)
        } == set()
        assert len(places) >= len(planted)
