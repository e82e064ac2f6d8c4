"""Which day is complete: the newest with events, or the last one that a finished archive declares."""

from __future__ import annotations

from datetime import date

import duckdb
import pytest

from fairsplit.orchestration.warehouse.outstanding import last_complete_day


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
