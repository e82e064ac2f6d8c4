"""The data page: events by day on an axis, and as many files as a page can hold."""

from __future__ import annotations

import datetime as dt
import json
import re

import polars as pl
import pytest
from tests.unit.scorecards import site_world

from fairsplit.analysis.scorecards import quality, render_site

FIRST = dt.date(2026, 1, 1)


def days(count: int, rows: int = 1_000, without: tuple[int, ...] = ()) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"event_day": FIRST + dt.timedelta(days=i), "rows": rows + i}
            for i in range(count)
            if i not in without
        ]
    )


def chart(frame: pl.DataFrame) -> quality.DayChart:
    found = quality.build(site_world.World().inputs(days=frame)).days
    assert found is not None
    return found


def test_bars_and_marks_stand_on_one_axis() -> None:
    found = chart(days(10, rows=41_000))
    assert [label for _, label in found.upwards] == ["0", "10,000", "20,000", "30,000", "40,000", "50,000"]
    assert found.upwards[0][0] == 100
    assert found.upwards[-1][0] == 0
    assert found.bars[0].height == pytest.approx(82.0)
    assert found.bars[9].left == pytest.approx(90.0)


def test_many_days_are_weeks_and_every_gap_is_named() -> None:
    found = chart(days(364, without=(3, 200)))
    assert (found.each, len(found.bars)) == (7, 52)
    assert sum(bar.rows or 0 for bar in found.bars) == sum(1_000 + i for i in range(364) if i not in {3, 200})
    assert list(found.gaps) == ["4 Jan 2026", "20 Jul 2026"]
    assert found.bars[0].day == "1 – 7 Jan 2026"


@pytest.mark.parametrize(("count", "beside"), [(50, False), (51, True), (4_000, True)])
def test_a_page_holds_fifty_files_and_a_script_the_rest(count: int, beside: bool) -> None:
    accounts = pl.DataFrame(
        [
            {
                "file_hash": f"{i:064x}",
                "path": f"events-{i:04d}.ndjson",
                "rows_read": 10 + i,
                "accepted": 9 + i,
                "duplicates": 1 if i != 3 else 0,
                "quarantined": 0,
                "conflicts": 0,
                "arrived_at": dt.datetime(2026, 1, 6) + dt.timedelta(hours=i),  # noqa: DTZ001 - naive and in UTC
            }
            for i in range(count)
        ]
    )
    pages = {
        page.path: page.content for page in render_site(site_world.World().inputs(file_accounts=accounts))
    }
    page = pages["quality.html"]
    assert len(page.encode()) < 100_000
    names = re.findall(r"<th scope=\"row\">(events-\d+)", page)
    assert names[:2] == ["events-0003", f"events-{count - 1:04d}"], "what does not add up, then the newest"
    assert len(names) == 50
    assert ("assets/landed-files.js" in pages) == beside
    if beside:
        rows = json.loads(pages["assets/landed-files.js"].partition("= ")[2].rstrip(";\n"))
        assert len(rows) == count
        assert sum(row[2] for row in rows) == sum(10 + i for i in range(count))
