"""Digests tell each change once, and text only as text."""

import datetime as dt

import duckdb
import pytest

from fairsplit.orchestration.notices.digests import write_digest

AT = dt.datetime(2026, 1, 20)  # noqa: DTZ001 - instants of the warehouse are naive and in UTC


@pytest.fixture
def warehouse():
    with duckdb.connect() as connection:
        connection.execute("create schema results")
        connection.execute(
            """create table results.decisions (experiment_id varchar, cut_off date, decision varchar,
               action varchar, variant_id varchar, reasons varchar[], sentence varchar)"""
        )
        connection.execute(
            """create table results.validity (experiment_id varchar, cut_off date, "check" varchar,
               segment varchar, segment_level varchar, status varchar, sentence varchar)"""
        )
        connection.execute(
            """create table results.programme (figure varchar, scope varchar, level varchar, value double,
               low double, high double, n double, base double)"""
        )
        yield connection


def say(warehouse, day: int, decision: str, status: str = "pass") -> None:
    cut_off = dt.date(2026, 1, day)
    warehouse.execute(
        "insert into results.decisions values ('a', ?, ?, null, 'red', ['won'], '<b>It *won*</b>')",
        [cut_off, decision],
    )
    warehouse.execute(
        "insert into results.validity values ('a', ?, 'srm', 'all', 'all', ?, 'Counts differ.')",
        [cut_off, status],
    )


def test_nothing_to_tell_writes_nothing(warehouse, tmp_path) -> None:
    say(warehouse, 5, "continue")
    assert write_digest(warehouse, tmp_path / "notices", AT) == []
    assert not (tmp_path / "notices").exists()


def test_each_change_is_told_once(warehouse, tmp_path) -> None:
    told = []
    for day, decision, status in [
        (5, "continue", "pass"), (6, "stop", "pass"), (7, "stop", "fail"), (8, "stop", "fail"),
        (9, "continue", "pass"), (10, "stop", "pass"),
    ]:  # fmt: skip
        say(warehouse, day, decision, status)
        told.append([notice.what for notice in write_digest(warehouse, tmp_path, AT)])
        assert write_digest(warehouse, tmp_path, AT) == []
    assert told == [
        [], ["stop (red)"], ["failed: srm"], [], ["continue (red)", "no longer fails: srm"], ["stop (red)"],
    ]  # fmt: skip
    assert len(list(tmp_path.glob("digest-*.md"))) == len(list(tmp_path.glob("digest-*.html"))) == 4


def test_text_is_only_text(warehouse, tmp_path) -> None:
    say(warehouse, 6, "stop")
    write_digest(warehouse, tmp_path, AT)
    assert "&lt;b&gt;It *won*&lt;/b&gt;" in (tmp_path / "digest-000001.html").read_text()
    assert r"\<b>It \*won\*\</b>" in (tmp_path / "digest-000001.md").read_text()


def test_a_digest_ends_with_the_programme(warehouse, tmp_path) -> None:
    say(warehouse, 6, "stop")
    warehouse.execute(
        """insert into results.programme values ('days_to_decision', 'all', 'all', 21, 14, null, 5, 9),
           ('win_rate', 'all', 'all', 0.4, 0.118, 0.769, 2, 5), ('win_rate', 'owner', 'a', 1, 0.2, 1, 1, 1)"""
    )
    write_digest(warehouse, tmp_path, AT)
    last = (tmp_path / "digest-000001.md").read_text().splitlines()[-1]
    assert last == (
        "- **programme**: 5 decided so far, half of all experiments within 21 days; win rate 40% (11.8% to 76.9%)."
    )
