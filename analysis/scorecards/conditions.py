"""Conditions and behaviours in plain words, for readers who do not write them."""

from __future__ import annotations

from calendar import month_name
from typing import TYPE_CHECKING, Any, Final

from fairsplit.analysis.catalogue.conditions import as_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fairsplit.analysis.catalogue.behaviour import Behaviour, Rule
    from fairsplit.analysis.catalogue.conditions import Condition
    from fairsplit.analysis.catalogue.places import Box
    from fairsplit.analysis.catalogue.times import When

_TESTS: Final = {
    "in": "is {}",
    "not_in": "is not {}",
    "equals": "is {}",
    "not_equals": "is not {}",
    "gt": "is more than {}",
    "gte": "is at least {}",
    "lt": "is less than {}",
    "lte": "is at most {}",
    "between": "is from {}",
    "matches": "contains a match of {}",
    "not_matches": "contains no match of {}",
    "semver_equals": "is version {}",
    "semver_gt": "is a later version than {}",
    "semver_gte": "is at least version {}",
    "semver_lt": "is an earlier version than {}",
    "semver_lte": "is at most version {}",
}
_BOUNDS: Final = {
    "gt": "more than {}",
    "gte": "at least {}",
    "lt": "less than {}",
    "lte": "at most {}",
    "between": "{}",
    "in": "{}",
}
_MEASURES: Final = {
    "count": "{bound} {events}",
    "days": "{events} on {bound} days",
    "value": "values of {events} that sum to {bound}",
    "recency": "the last of {events} {bound} days ago",
    "distinct": "{bound} different values of {of} in {events}",
    "top": "{of} most often {bound} in {events}",
    "level": "a {bound} level of {events} (medium from {levels[0]}, high from {levels[1]})",
    "sessions": "{bound} sessions with {events}",
    "session_events": "{bound} {events} in a session on average",
    "session_minutes": "{bound} minutes a session with {events} on average",
}


def condition_words(condition: Condition, segments: Mapping[str, str]) -> str:
    """What a condition asks of a unit.

    Args:
        condition: A checked condition.
        segments: Names of the named segments, by id.
    """
    if condition.segment is not None:
        return f"in “{segments[condition.segment]}”"
    if condition.within is not None:
        return _box(condition.within)
    if condition.when is not None:
        return _time(condition.when)
    if condition.not_ is not None:
        words = condition_words(condition.not_, segments)
        return f"not {words}" if condition.not_.segment is not None else f"not ({words})"
    if condition.attribute is None:
        return f" {'and' if condition.kind == 'all' else 'or'} ".join(
            f"({condition_words(part, segments)})"
            if len(part.all or part.any or ()) > 1
            else condition_words(part, segments)
            for part in condition.parts
        )
    return f"{condition.attribute} {_test(condition.operator, condition.operand)}"


def behaviour_words(behaviour: Behaviour) -> str:
    """What a behavioural segment asks of a unit; rules that only export a measure ask nothing."""
    word = " and " if behaviour.all is not None else " or "
    return f"in the last {behaviour.days} days: {word.join(_rule(rule) for rule in behaviour.rules if rule.tests)}"


def _test(operator: str, operand: Any) -> str:
    if operator == "is_null":
        return "is not known" if operand else "is known"
    return _TESTS[operator].format(_operand(operator, operand, "nor" if operator == "not_in" else "or"))


def _rule(rule: Rule) -> str:
    ((operator, operand),) = rule.tests.items()
    return _MEASURES[rule.measure].format(
        events=f"“{rule.event}” events" if rule.event is not None else "events",
        bound=_BOUNDS[operator].format(_operand(operator, operand)),
        of=(rule.of or "").removeprefix("properties."),
        levels=[as_text(level) for level in rule.levels or (0, 0)],
    )


def _operand(operator: str, operand: Any, last: str = "or") -> str:
    if operator == "between":
        return " to ".join(map(as_text, operand))
    return _listed(map(as_text, operand), last) if isinstance(operand, tuple) else as_text(operand)


def _listed(words: Iterable[str], last: str = "or") -> str:
    """``a, b or c``."""
    *before, end = words
    return f"{', '.join(before)} {last} {end}" if before else end


def _box(box: Box) -> str:
    (south, north), (west, east) = box.latitude, box.longitude
    return f"within latitude {south:g}° to {north:g}° and longitude {west:g}° to {east:g}°"


def _time(when: When) -> str:
    parts = []
    if when.from_ is not None:
        parts.append(f"from {when.from_} on")
    if when.until is not None:
        parts.append(f"before {when.until}")
    if when.hours is not None:
        parts.append("from {:02}:00 to {:02}:00".format(*when.hours))
    if when.weekdays is not None:
        parts.append(f"on {_listed(day.capitalize() for day in when.weekdays)}")
    if when.months is not None:
        parts.append(f"in {_listed(month_name[month] for month in when.months)}")
    if when.seasons is not None:
        parts.append(f"in {_listed(when.seasons)} of the {when.hemisphere}")
    if when.holidays is not None:
        parts.append(f"on public holidays of {_listed(when.holidays)}")
    return f"{', '.join(parts)} ({when.zone} time)"
