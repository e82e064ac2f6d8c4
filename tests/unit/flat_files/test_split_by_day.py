"""A file whose units have a day: the split is tested on each, for itself and all together."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl
import pytest
from scipy import stats

from fairsplit.analysis.flat_files import Request, analyse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FIRST = date(2026, 3, 1)
#: Units of control and treat by day; the whole is 905 to 900.
DRIFTING = [(420, 180), (150, 250), (160, 255), (175, 215)]
#: No day is off by itself, and still they do not follow one split.
SWAYING = [(530, 470), (470, 530)] * 6
EVEN = [(500, 500), (470, 530), (503, 497)]


def units(
    counts: Sequence[tuple[int, int]], cell: Callable[[date], object], column: str = "date"
) -> pl.DataFrame:
    rows = [
        {column: cell(FIRST + timedelta(days=offset)), "arm": arm, "conv": number % 2}
        for offset, day in enumerate(counts)
        for arm, count in zip(("control", "treat"), day, strict=True)
        for number in range(count)
    ]
    return pl.DataFrame(rows).with_row_index("user_id")


def checks(frame: pl.DataFrame, **options: object) -> list[dict]:
    asked = {"name": "drift", "cut_off": date(2026, 4, 1), "variant": "arm", "metrics": ["conv"]}
    found = analyse(frame, Request(**{**asked, **options}))
    return found.judgement.validity.filter(pl.col("check") == "srm_day").to_dicts()


def test_a_split_that_moves_fails_and_names_the_column_and_the_day():
    """Case split-moves-by-day."""
    found = {row["segment_level"]: row for row in checks(units(DRIFTING, str))}
    single = sorted(stats.chisquare(day).pvalue for day in DRIFTING)
    holm = [p * (4 - rank) for rank, p in enumerate(single[:3])]
    faulty = ["2026-03-01", "2026-03-02", "2026-03-03"]
    assert [found[day]["p_value"] for day in faulty] == pytest.approx(holm, rel=1e-9)
    assert {found[day]["status"] for day in faulty} == {"fail"}
    assert set(found) == {*faulty, "all"}
    assert found["2026-03-01"]["sentence"].startswith(
        "date = 2026-03-01: units split 420 / 180 where 300 / 300 were due: the split of that day is faulty"
    )
    together = stats.chi2_contingency(DRIFTING, correction=False)
    assert found["all"]["p_value"] == pytest.approx(together.pvalue, rel=1e-9)


def test_the_whole_stays_sound_and_the_decision_is_withheld():
    """Case split-moves-by-day."""
    request = Request(name="drift", cut_off=date(2026, 4, 1), variant="arm", metrics=["conv"])
    found = analyse(units(DRIFTING, str), request)
    (whole,) = found.judgement.validity.filter(pl.col("check") == "srm").to_dicts()
    assert whole["status"] == "pass"
    (said,) = found.judgement.decisions.to_dicts()
    assert (said["action"], said["reasons"]) == ("fix_data", ["invalid", "srm_day"])
    assert "date = 2026-03-01" in said["sentence"]
    assert any("column date" in guess for guess in found.guesses)


def test_a_segment_of_days_says_nothing_of_a_whole_that_is_sound():
    """Case split-moves-by-day: no word that no part of the traffic explains more."""
    request = Request(
        name="drift", cut_off=date(2026, 4, 1), variant="arm", metrics=["conv"], segments=["date"]
    )
    validity = analyse(units(DRIFTING, str), request).judgement.validity
    assert validity.filter((pl.col("check") == "srm") & (pl.col("status") == "fail")).height == 3
    assert validity.filter(pl.col("check").is_in(["srm_diagnosis", "srm_day"])).is_empty()


def test_a_split_that_sways_a_little_every_day_is_found_over_all_days():
    found = {row["segment_level"]: row["status"] for row in checks(units(SWAYING, str))}
    assert found.pop("all") == "fail"
    assert set(found.values()) == {"pass"}


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("day", lambda day: day),
        ("seen", lambda day: datetime(day.year, day.month, day.day, 13, 5)),  # noqa: DTZ001
        ("ts", lambda day: f"{day}T23:59:59.5Z"),
        ("exposed", lambda day: f"{day} 08:00:00+02:00"),
        ("date", lambda day: f"{day:%Y/%m/%d}"),
        ("date", lambda day: f"{day:%d.%m.%Y}"),
        ("date", lambda day: f"{day:%d-%b-%Y}"),
        ("date", lambda day: f"{day:%b %d, %Y}"),
        ("date", lambda day: f"{day:%d %B %Y}"),
        ("timestamp", lambda day: int(datetime(day.year, day.month, day.day).timestamp())),  # noqa: DTZ001
        ("created_at", lambda day: int(datetime(day.year, day.month, day.day).timestamp()) * 1_000),  # noqa: DTZ001
        ("date", lambda day: int(f"{day:%Y%m%d}")),
        # Whatever it is called, where nothing else tells days.
        ("monday_to_sunday", str),
    ],
)
def test_days_are_found_however_they_are_written(column, cell):
    levels = [row["segment_level"] for row in checks(units(DRIFTING, cell, column))]
    assert levels == ["2026-03-01", "2026-03-02", "2026-03-03", "all"]


@pytest.mark.parametrize("column", ["last_login", "purchased_at", "order_date", "churned"])
def test_days_after_the_exposure_tell_nothing_of_the_split(column):
    assert checks(units(DRIFTING, str, column)) == []


def test_a_column_with_gaps_is_no_day_of_exposure():
    frame = units(DRIFTING, str).with_columns(date=pl.when(pl.col("user_id") > 3).then("date"))
    assert checks(frame) == []


def test_an_even_split_shows_the_day_that_is_least_even():
    rows = checks(units(EVEN, str))
    assert [(row["segment_level"], row["status"]) for row in rows] == [
        ("2026-03-02", "pass"),
        ("all", "pass"),
    ]
    assert rows[0]["p_value"] == pytest.approx(3 * stats.chisquare([470, 530]).pvalue, rel=1e-9)


def test_events_of_a_unit_count_on_its_first_day():
    first = units(DRIFTING, str)
    again = first.with_columns(date=pl.lit("2026-03-09"))
    assert checks(pl.concat([first, again]), by="event", unit="user_id") == checks(first)


def test_counts_per_arm_and_day_are_units():
    frame = pl.DataFrame(
        [
            {"date": str(FIRST + timedelta(days=offset)), "arm": arm, "conv": count // 2, "n": count}
            for offset, day in enumerate(DRIFTING)
            for arm, count in zip(("control", "treat"), day, strict=True)
        ]
    )
    levels = [row["segment_level"] for row in checks(frame, metrics=["conv/n"], by="arm")]
    assert levels == ["2026-03-01", "2026-03-02", "2026-03-03", "all"]
