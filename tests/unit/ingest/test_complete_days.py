"""Which day is complete: the newest with events, or the last one that a finished archive declares."""

from __future__ import annotations

from datetime import date

import duckdb
import pytest

from fairsplit.orchestration.warehouse.outstanding import (
    first_day,
    last_complete_day,
    note_first_day,
    outstanding_days,
)


@pytest.mark.parametrize(
    ("declared", "arrived", "complete"),
    [
        (None, "2026-01-20 00:00", date(2026, 1, 5)),
        # Case value-of-a-million: all events on one day, whose windows close a week later.
        (date(2026, 1, 13), "2026-01-20 00:00", date(2026, 1, 13)),
        (date(2026, 1, 13), "2026-01-14 00:00", date(2026, 1, 13)),
        # The archive is not finished yet.
        (date(2026, 1, 13), "2026-01-13 23:00", date(2026, 1, 5)),
        (date(2026, 1, 13), "2026-01-05 12:00", None),
    ],
)
def test_an_archive_is_complete_up_to_its_last_day(
    declared: date | None, arrived: str, complete: date | None
) -> None:
    with duckdb.connect() as connection:
        connection.execute("create schema landing; create schema catalog")
        connection.execute("create table landing.manifest (arrived_at timestamp, status varchar)")
        connection.execute("insert into landing.manifest values (?, 'taken')", [arrived])
        connection.execute("create table landing.days as select date '2026-01-05' as event_day")
        connection.execute("create table catalog.settings (key varchar, value varchar)")
        if declared:
            connection.execute("insert into catalog.settings values ('last_day', ?)", [declared.isoformat()])
        assert last_complete_day(connection) == complete


def test_a_home_without_the_catalogues_tables_is_outstanding_all_the_same() -> None:
    """As a repair or a migration that was killed leaves it; `fairsplit status` answers there too."""
    with duckdb.connect() as connection:
        connection.execute("create schema landing")
        connection.execute("create table landing.manifest (arrived_at timestamp, status varchar)")
        connection.execute("insert into landing.manifest values ('2026-01-20', 'taken')")
        connection.execute("create table landing.days as select date '2026-01-05' as event_day, 1 as rows")
        assert first_day(connection) is None
        day = date(2026, 1, 5)
        assert outstanding_days(connection, published=False) == (day, day)


def test_an_undeclared_first_day_is_that_of_the_first_event() -> None:
    with duckdb.connect() as connection:
        connection.execute("create schema landing; create schema catalog")
        connection.execute("create table catalog.settings (key varchar, value varchar)")
        note_first_day(connection, None)
        assert first_day(connection) is None
        connection.execute("create table landing.days (event_day date, rows bigint)")
        # Whatever lands later; a day whose rows all went counts for nothing.
        for landed, first in (("2026-01-07", "2026-01-07"), ("2025-12-30", "2025-12-30")):
            connection.execute("insert into landing.days values (?, 3), ('2025-01-01', 0)", [landed])
            note_first_day(connection, None)
            assert first_day(connection) == date.fromisoformat(first)
        note_first_day(connection, date(2026, 1, 1))
        assert connection.execute("select count(*) from catalog.settings").fetchall() == [(1,)]
