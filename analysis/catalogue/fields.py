"""Field types that the catalogue's models share: slugs, instants, durations, shares, short forms."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

T = TypeVar("T")

SLUG = r"^[a-z0-9](?:_?[a-z0-9-])*$"
VARIANT = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
NAME = r"^[A-Za-z_][A-Za-z0-9_.-]*$"

#: Instants and durations beyond these are slips of the pen, and their sums stay inside every calendar.
FIRST_YEAR, LAST_YEAR = 1970, 2200
LONGEST = timedelta(days=3_650)

_INSTANT = re.compile(
    r"^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?P<zone>Z|[+-]\d{2}:\d{2})?)?$"
)
_DURATION = re.compile(r"^([1-9][0-9]{0,5})(s|m|h|d|w)$")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def fault(what: str, rule: str = "", hint: str = "") -> PydanticCustomError:
    """A validation error that carries the parts of a `Problem`."""
    return PydanticCustomError("fairsplit", "{what}", {"what": what, "rule": rule, "hint": hint})


class Strict(BaseModel):
    """Base of every catalogue model: frozen, unknown keys refused, no silent conversions."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def parse_instant(value: Any) -> datetime:
    """An ISO 8601 instant with its zone, or a date (its midnight UTC), as a naive UTC datetime.

    Raises:
        PydanticCustomError: Not an instant, or a time of day without a zone.
    """
    if isinstance(value, datetime):
        return value
    rule = "an ISO 8601 instant with a zone, such as 2026-01-05T00:00:00Z, or a date"
    found = _INSTANT.match(value) if isinstance(value, str) else None
    if found is None:
        raise fault("is not an instant", rule)
    if len(value) > 10 and found["zone"] is None:
        raise fault("has a time of day without a zone", rule, "end it with Z for UTC")
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError as error:
        raise fault("is not a calendar date", rule) from error
    if not FIRST_YEAR <= parsed.year <= LAST_YEAR:
        raise fault("is out of range", f"a year from {FIRST_YEAR} to {LAST_YEAR}")
    return parsed.astimezone(UTC).replace(tzinfo=None) if parsed.tzinfo else parsed


def parse_day(value: Any) -> date:
    """A calendar day, ``2026-01-05``.

    Raises:
        PydanticCustomError: Anything else.
    """
    try:
        return value if isinstance(value, date) else date.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise fault("is not a day", "a date such as 2026-01-05") from error


def parse_duration(value: Any) -> timedelta:
    """``28d``, ``24h``, ``10m``, ``30s`` or ``4w`` as a timedelta.

    Raises:
        PydanticCustomError: Anything else.
    """
    if isinstance(value, timedelta):
        return value
    found = _DURATION.match(value) if isinstance(value, str) else None
    if found is None:
        raise fault("is not a duration", "a whole number and one of s, m, h, d, w, such as 28d")
    duration = timedelta(**{_UNITS[found[2]]: int(found[1])})
    if duration > LONGEST:
        raise fault("is too long", f"at most {LONGEST.days}d")
    return duration


def duration_text(duration: timedelta) -> str:
    """``7d`` where whole days, ``36h`` where whole hours, else seconds."""
    seconds = int(duration.total_seconds())
    for size, letter in ((86_400, "d"), (3_600, "h")):
        if seconds % size == 0:
            return f"{seconds // size}{letter}"
    return f"{seconds}s"


def _on_shard_grid(value: float) -> float:
    if abs(value * 10_000 - round(value * 10_000)) > 1e-6:
        raise fault("is finer than one shard", "a multiple of 0.0001")
    return value


Items = Annotated[tuple[T, ...], BeforeValidator(_as_tuple)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2_000, strip_whitespace=True)]
Slug = Annotated[str, StringConstraints(pattern=SLUG, max_length=64)]
VariantId = Annotated[str, StringConstraints(pattern=VARIANT, max_length=64)]
UnitId = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Name = Annotated[str, StringConstraints(pattern=NAME, max_length=128)]
Instant = Annotated[
    datetime,
    BeforeValidator(parse_instant),
    PlainSerializer(lambda value: value.isoformat() + "Z", return_type=str, when_used="json"),
    WithJsonSchema(
        {"type": "string", "description": "ISO 8601 instant with a zone, or a date (midnight UTC)"}
    ),
]
Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(lambda value: f"{value.total_seconds():.0f}s", return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": _DURATION.pattern}),
]
Day = Annotated[
    date,
    BeforeValidator(parse_day),
    PlainSerializer(lambda value: value.isoformat(), return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date"}),
]
#: Units or events: as many as there can be, so that no table's integers overflow.
Count = Annotated[int, Field(ge=1, le=10**12)]
Probability = Annotated[float, Field(gt=0, lt=1)]
#: A smaller one cannot be told from none in an interval's level, once arms and metrics share it.
Level = Annotated[float, Field(ge=1e-9, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]
ShardShare = Annotated[float, Field(ge=0, le=1), AfterValidator(_on_shard_grid)]
