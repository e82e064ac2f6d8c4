"""Nothing is silent: sources that give nothing, files that cannot be read, and rows refused in bulk."""

from __future__ import annotations

import json
import os
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import duckdb
import pytest

from fairsplit.analysis.catalogue.sources import Source
from fairsplit.orchestration.cli import pipeline
from fairsplit.orchestration.defs.landing.checks import files_are_readable
from fairsplit.orchestration.landing import IngestSettings, ingest_landing, landing_findings
from fairsplit.orchestration.project import Home
from fairsplit.orchestration.running.resources.home import HomeResource

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ARRIVED = datetime(2026, 2, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 1, tzinfo=UTC)
SETTINGS = IngestSettings(first_day=date(2026, 1, 1))
BOUND = 0.05


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    (tmp_path / "landing").mkdir()
    catalog = tmp_path / "catalog"
    catalog.mkdir()
    (catalog / "project.yaml").write_text("name: Shop\nfirst_day: 2026-01-01\n")
    monkeypatch.setenv("FAIRSPLIT_HOME", str(tmp_path))
    monkeypatch.setenv("FAIRSPLIT_CATALOG", str(catalog))
    return Home(tmp_path)


def orders(table: str = "shop.orders") -> Source:
    columns = {"event_id": "id", "occurred_at": "made_at"}
    return Source.model_validate(
        {"id": "orders", "table": table, "columns": columns, "constants": {"event_name": "order"}}
    )


def lines(good: int, bad: int, start: int = 0) -> str:
    rows = [{"event_id": f"e{start + n}", "occurred_at": "2026-01-02T00:00:00Z"} for n in range(good + bad)]
    return "".join(
        json.dumps(row | ({"value": "much"} if n < bad else {})) + "\n" for n, row in enumerate(rows)
    )


def land(home: Home, name: str, text: str, at: datetime = ARRIVED) -> None:
    path = home.landing / name
    path.write_text(text)
    os.utime(path, (at.timestamp(), at.timestamp()))


def found(home: Home, sources: Sequence[Source] = (), before: str = "") -> list[str]:
    """The findings of one more ingest, after a statement on its own connection."""
    with duckdb.connect(str(home.warehouse)) as connection:
        for statement in filter(None, before.split(";")):
            connection.execute(statement)
        ingest_landing(home.root, connection, SETTINGS, list(sources), NOW)
        return [str(finding) for finding in landing_findings(connection, BOUND)]


def test_a_table_that_gives_nothing_is_named_with_the_engines_words(home: Home) -> None:
    """Case table-source-that-is-missing: absent, empty, filled, dropped, behind a detached database."""
    name = "source orders (table shop.orders): "
    absent = found(home, [orders()])
    empty = found(
        home, [orders()], "create schema shop; create table shop.orders (id int, made_at timestamptz)"
    )
    filled = found(home, [orders()], "insert into shop.orders values (1, '2026-01-02 00:00:00Z')")
    again = found(home, [orders()])
    emptied = found(home, [orders()], "delete from shop.orders")
    dropped = found(home, [orders()], "drop table shop.orders")
    view = f"""attach '{home.root}/other.db' as other; create table other.o (id int, made_at timestamptz);
        create view shop.orders as from other.main.o; detach other"""
    detached = found(home, [orders()], view)

    assert [text.startswith(name + "Catalog Error: Table with name") for text in absent] == [True]
    assert empty == emptied == [name + "the table is empty"]
    assert filled == again == []
    assert [text.startswith(name + "Catalog Error") and "orders" in text for text in dropped] == [True]
    assert [text.startswith(name) and "other" in text for text in detached] == [True]


def test_a_table_may_be_named_with_its_database(home: Home) -> None:
    """Case table-source-that-is-missing, varied: three parts, as the warehouse itself is called."""
    row = "select 1 as id, timestamptz '2026-01-02 00:00:00Z' as made_at"
    made = f"create schema shop; create table shop.orders as {row}"
    assert found(home, [orders("warehouse.shop.orders")], made) == []
    with duckdb.connect(str(home.warehouse)) as connection:
        assert connection.execute("select event_id from landing.raw_events").fetchall() == [("1",)]


def test_a_missing_table_fails_the_check_and_stands_on_the_command_line(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """Case table-source-that-is-missing: check and command; a file's fault alone only warns."""
    land(home, "notes.csv", "name,colour\nann,red\n")
    found(home, [orders()])
    result = files_are_readable(HomeResource())
    pipeline._say_findings(home)

    assert (result.passed, result.severity.value) == (False, "ERROR")
    text = result.metadata["findings"].value
    assert "source orders (table shop.orders): Catalog Error" in text
    assert "notes.csv: no event column (found: name, colour)" in text
    said = capsys.readouterr().err.splitlines()
    assert [line[: len("warning: source orders")] for line in said[:1]] == ["warning: source orders"]
    assert said[1].startswith("warning: notes.csv: no event column")

    found(home)
    assert files_are_readable(HomeResource()).severity.value == "WARN"
    (home.landing / "notes.csv").unlink()
    found(home)
    assert files_are_readable(HomeResource()).passed


def test_a_file_whose_rows_are_refused_says_so(home: Home) -> None:
    """Case rows-all-refused-unsaid: all rows, or more than the declared share; not fewer, and no erased ones."""
    land(home, "all.ndjson", lines(0, 3))
    land(home, "most.ndjson", lines(94, 6, 100))
    land(home, "few.ndjson", lines(95, 5, 300))
    land(home, "erased.ndjson", lines(2, 0, 500))
    found(home)
    with duckdb.connect(str(home.warehouse)) as connection:
        connection.execute(
            "insert into landing.quarantine select file_hash, 0, 'erased', null, null from landing.manifest"
            " where path = 'erased.ndjson'"
        )
    texts = found(home)

    assert texts == [
        "most.ndjson: 6 of 100 rows are in quarantine, most as wrong_type (value)",
        "all.ndjson: all 3 rows are in quarantine, most as wrong_type (value)",
    ]
    with duckdb.connect(str(home.warehouse)) as connection:
        assert [finding.subject for finding in landing_findings(connection, 1.0)] == ["all.ndjson"]


def test_a_wrong_time_of_a_file_is_named_with_the_way_out(home: Home) -> None:
    """Case file-time-wrong: before its events, and ahead of the clock."""
    land(home, "old.ndjson", lines(2, 0), datetime(1970, 1, 1, tzinfo=UTC))
    land(home, "ahead.ndjson", lines(2, 0, 10), datetime(2031, 5, 1, tzinfo=UTC))
    texts = found(home)

    assert texts[0] == (
        "ahead.ndjson: its time, 2031-05-01 00:00:00 UTC, lies ahead of the clock; correct it with `touch`"
    )
    assert "all 2 rows are in quarantine, most as future" in texts[1]
    assert "its arrival, 1970-01-01 00:00 UTC" in texts[1]
    assert "`fairsplit run --again old.ndjson`" in texts[1]
    land(home, "ahead.ndjson", lines(2, 0, 10))
    assert [text[:10] for text in found(home)] == ["old.ndjson"]
