"""Behavioural segments: what a unit did in the last days up to the cut-off, as rules over its events.

Each rule measures one thing and may test it. A measure that has no value, such as the time since an event that never
came, makes the rule not hold. Rules are rows to SQL: one query works out all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from fairsplit.analysis.catalogue.events import CONTEXT_COLUMNS
from fairsplit.analysis.catalogue.fields import Items, Name, Strict, Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairsplit.analysis.catalogue.yaml_source import KeyPath

Number = int | float
Measure = Literal[
    "count",
    "days",
    "value",
    "recency",
    "distinct",
    "top",
    "level",
    "sessions",
    "session_events",
    "session_minutes",
]
TEXTUAL: frozenset[Measure] = frozenset({"top", "level"})
LEVELS = ("low", "medium", "high")
_OF_COLUMN: frozenset[Measure] = frozenset({"distinct", "top"})
_TESTS = ("gt", "gte", "lt", "lte", "between", "in")


class Rule(Strict):
    """One measure of one kind of event, with a test, a name to export it under, or both."""

    event: Text | None = None
    """Which events count; all if left out."""
    measure: Measure = "count"
    """
    `count` of events; `days` with one; `value`, the sum; `recency`, days from the last to the cut-off's end;
    `distinct` values and the `top` (most frequent, then alphabetically first) value of a column; `level`: low, medium
    or high by count; `sessions`; `session_events` and `session_minutes`, means over the sessions.
    """
    of: Text | None = None
    """For `distinct` and `top`: an event column, or `properties.<key>`."""
    levels: Annotated[Items[Number] | None, Field(min_length=2, max_length=2)] = None
    """For `level`: from how many events on it is medium, and high."""
    gt: Number | None = None
    gte: Number | None = None
    lt: Number | None = None
    lte: Number | None = None
    between: Annotated[Items[Number] | None, Field(min_length=2, max_length=2)] = None
    """``[low, high]``, both ends included."""
    in_: Annotated[Items[Text] | None, Field(alias="in", min_length=1)] = None
    """For `top` and `level`: one of these."""
    as_: Annotated[Name | None, Field(alias="as")] = None
    """The subject attribute that carries the measured value."""

    @property
    def tests(self) -> dict[str, Any]:
        """The tests that are given, by operator."""
        given = {name: getattr(self, "in_" if name == "in" else name) for name in _TESTS}
        return {name: operand for name, operand in given.items() if operand is not None}

    @property
    def bounds(self) -> tuple[Number | None, bool, Number | None, bool]:
        """Low, whether low itself is out, high, whether high itself is out; no bound is none."""
        if self.between is not None:
            return self.between[0], False, self.between[1], False
        low, high = (self.gte if self.gt is None else self.gt), (self.lte if self.lt is None else self.lt)
        return low, self.gt is not None, high, self.lt is not None


class Behaviour(Strict):
    """Rules over the events of the last days, of which all or any hold."""

    days: Annotated[int, Field(ge=1, le=365)]
    """The events of so many days up to the cut-off count."""
    all: Annotated[Items[Rule] | None, Field(min_length=1)] = None
    any: Annotated[Items[Rule] | None, Field(min_length=1)] = None

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules, in declared order."""
        return self.all or self.any or ()


def behaviour_faults(behaviour: Behaviour) -> Iterator[tuple[KeyPath, str, str, str]]:
    """What the shape cannot say.

    Yields:
        Path inside the behaviour, fault, value and rule.
    """
    forms = [name for name in ("all", "any") if getattr(behaviour, name) is not None]
    if len(forms) != 1:
        yield (), "a behaviour says how its rules combine", ", ".join(forms), "exactly one of all, any"
        return
    if not any(rule.tests for rule in behaviour.rules):
        yield (forms[0],), "no rule has a test", "", f"at least one of: {', '.join(_TESTS)}"
    for position, rule in enumerate(behaviour.rules):
        for field, what, value, wanted in (*_test_faults(rule), *_measure_faults(rule)):
            yield (forms[0], position, *field), what, value, wanted


def _test_faults(rule: Rule) -> Iterator[tuple[KeyPath, str, str, str]]:
    allowed = ("in",) if rule.measure in TEXTUAL else _TESTS[:-1]
    if len(rule.tests) > 1:
        yield (), "a rule has several tests", ", ".join(rule.tests), f"one of: {', '.join(allowed)}"
    elif not rule.tests and rule.as_ is None:
        yield (), "a rule neither tests nor exports its measure", rule.measure, "a test, or as: <attribute>"
    for name in rule.tests:
        if name not in allowed:
            yield (name,), f"does not test a {rule.measure}", "", f"one of: {', '.join(allowed)}"
    if rule.between is not None and rule.between[0] > rule.between[1]:
        yield ("between",), "the bounds are reversed", ", ".join(map(str, rule.between)), "[low, high]"
    if rule.measure == "level" and rule.in_ is not None and not set(rule.in_) <= set(LEVELS):
        yield ("in",), "unknown level", ", ".join(rule.in_), f"one of: {', '.join(LEVELS)}"


def _measure_faults(rule: Rule) -> Iterator[tuple[KeyPath, str, str, str]]:
    if (rule.of is not None) is not (rule.measure in _OF_COLUMN):
        yield ("of",), "distinct and top are of a column, and only they", rule.of or "", "of: <column>"
    elif rule.of is not None and rule.of not in CONTEXT_COLUMNS and not rule.of.startswith("properties."):
        yield (
            ("of",),
            "unknown event column",
            rule.of,
            f"properties.<key> or one of: {', '.join(CONTEXT_COLUMNS)}",
        )
    if (rule.levels is not None) is not (rule.measure == "level"):
        yield ("levels",), "a level has levels, and only it", "", "levels: [from medium, from high]"
    elif rule.levels is not None and rule.levels[0] >= rule.levels[1]:
        yield ("levels",), "the levels are reversed", ", ".join(map(str, rule.levels)), "medium < high"
