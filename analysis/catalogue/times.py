"""When a condition holds: dates, hours, weekdays, months, seasons and public holidays in a named time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from fairsplit.analysis.catalogue.fields import Day, Items, Strict, fault

if TYPE_CHECKING:
    from collections.abc import Iterator

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Season = Literal["spring", "summer", "autumn", "winter"]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)
_SEASON_MONTHS: dict[Season, tuple[int, ...]] = {
    "spring": (3, 4, 5),
    "summer": (6, 7, 8),
    "autumn": (9, 10, 11),
    "winter": (12, 1, 2),
}
#: Years whose holidays are known; in any other year a test on holidays is unknown.
HOLIDAY_YEARS = range(2000, 2051)


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError) as error:
        raise fault("unknown time zone", "a name of the IANA database, such as Europe/Berlin") from error
    return name


#: A time zone's name.
Zone = Annotated[str, AfterValidator(_known_zone)]


class When(Strict):
    """Local times at which all of what is given holds."""

    zone: Zone = "UTC"
    """An IANA time zone; all the rest is local to it."""
    from_: Annotated[Day | None, Field(alias="from")] = None
    """The first day."""
    until: Day | None = None
    """The day after the last."""
    hours: Annotated[Items[Annotated[int, Field(ge=0, le=24)]] | None, Field(min_length=2, max_length=2)] = (
        None
    )
    """``[from, until)``; over midnight where the first is greater."""
    weekdays: Annotated[Items[Weekday] | None, Field(min_length=1)] = None
    months: Annotated[Items[Annotated[int, Field(ge=1, le=12)]] | None, Field(min_length=1)] = None
    seasons: Annotated[Items[Season] | None, Field(min_length=1)] = None
    """Whole months: spring is March to May in the north, September to November in the south."""
    hemisphere: Literal["north", "south"] = "north"
    holidays: Annotated[Items[Country] | None, Field(min_length=1)] = None
    """On a public holiday of one of these countries (``DE``) or of their parts (``DE-BY``)."""

    @property
    def all_months(self) -> tuple[frozenset[int], ...]:
        """The sets of months in each of which the local month must lie."""
        shift = 6 if self.hemisphere == "south" else 0
        seasons = None if self.seasons is None else [m for name in self.seasons for m in _SEASON_MONTHS[name]]
        shifted = None if seasons is None else frozenset((month + shift - 1) % 12 + 1 for month in seasons)
        declared = None if self.months is None else frozenset(self.months)
        return tuple(months for months in (declared, shifted) if months is not None)

    @property
    def days_off(self) -> frozenset[date] | None:
        """The holidays asked for, in `HOLIDAY_YEARS`; none when none are asked for."""
        return None if self.holidays is None else frozenset().union(*map(public_holidays, self.holidays))

    def holds(self, at: datetime) -> bool | None:
        """Whether it holds.

        Args:
            at: A naive UTC instant.

        Returns:
            True, false, or none for unknown: a test on holidays in a year that is not in `HOLIDAY_YEARS`.
        """
        local = at.replace(tzinfo=UTC).astimezone(ZoneInfo(self.zone))
        day = local.date()
        plain = (
            (self.from_ is None or day >= self.from_)
            and (self.until is None or day < self.until)
            and (self.hours is None or _in_hours(local.hour, *self.hours))
            and (self.weekdays is None or WEEKDAYS[local.weekday()] in self.weekdays)
            and all(local.month in months for months in self.all_months)
        )
        days_off = self.days_off
        if not plain or days_off is None:
            return plain
        return day in days_off if day.year in HOLIDAY_YEARS else None


def _in_hours(hour: int, first: int, end: int) -> bool:
    return first <= hour < end if first <= end else hour >= first or hour < end


@lru_cache(maxsize=1_000)
def public_holidays(place: str) -> frozenset[date]:
    """Public holidays of a country or of one of its parts in `HOLIDAY_YEARS`, with their observed days.

    Raises:
        NotImplementedError: The library does not know the place.
    """
    import holidays  # noqa: PLC0415 - it takes a second to load, and few catalogues need it

    country, _, part = place.partition("-")
    return frozenset(holidays.country_holidays(country, subdiv=part or None, years=HOLIDAY_YEARS))


def when_faults(when: When) -> Iterator[tuple[str, str, str, str]]:
    """What the shape cannot say.

    Yields:
        Field, fault, value and rule.
    """
    given = ("from_", "until", "hours", "weekdays", "months", "seasons", "holidays")
    if all(getattr(when, name) is None for name in given):
        rule = f"at least one of {', '.join(name.rstrip('_') for name in given)}"
        yield "zone", "a time says nothing", when.zone, rule
    if when.from_ is not None and when.until is not None and when.from_ >= when.until:
        yield (
            "until",
            "the dates are reversed",
            f"{when.from_}, {when.until}",
            "until is the day after the last",
        )
    if when.hours is not None and when.hours[0] == when.hours[1]:
        yield "hours", "the hours are empty", str(when.hours[0]), "[from, until), such as [9, 17]"
    for place in when.holidays or ():
        try:
            public_holidays(place)
        except NotImplementedError:
            yield "holidays", "unknown country or part", place, "ISO 3166, such as DE or DE-BY"
