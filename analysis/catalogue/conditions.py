"""The one condition language of targeting, segments and flags, and its evaluation for one unit.

Three-valued: a test on an attribute that the unit lacks, or whose type does not fit the operator, is
*unknown* (`None`), not false; ``not`` of unknown is unknown; ``all`` is false if any part is false, else
unknown if any is unknown; ``any`` mirrors it. A test of
the time is unknown where no instant is given. Only a condition that is *true* lets a unit in. So
``not: {attribute: country, in: [US]}`` leaves out a unit without country, exactly as ``not_in`` does and as
the SDKs do; say ``is_null: true`` to mean it.

``in``, ``equals`` and their negations compare as text (true is ``true``, 3.0 is ``3``): SDKs send both. A version is
compared only where it is complete: 2.1 and v2.1.0 are none for the SDKs, though a definition may write them.
"""

from __future__ import annotations

import math
import operator
import re
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

import polars as pl
from pydantic import Field

from fairsplit.analysis.catalogue.fields import Items, Name, Slug, Strict
from fairsplit.analysis.catalogue.places import Box, box_faults
from fairsplit.analysis.catalogue.times import When, when_faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

Scalar = str | bool | int | float
Number = int | float
Kind = Literal["all", "any", "not", "segment", "when", "test", "empty"]

# Numbers stay within 64 bits, which is what SQL orders.
_NUMBER = "(?:0|[1-9][0-9]{0,17})"
_LABEL = f"(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_BUILD = r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
COMPLETE_VERSION = rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-({_LABEL}(?:\.{_LABEL})*))?{_BUILD}"
"""A version as semver.org's §2 has it: what the SDKs take for one in an attribute."""
_COMPLETE = re.compile(COMPLETE_VERSION)
_WRITTEN = re.compile(r"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(-[^+]*)?(?:\+.*)?")

#: What Rust's engine reads and RE2, which matches in the warehouse, does not: flags x, u and R, groups named `(?<n>`,
#: `\\u` escapes, operations on classes, a repeated repetition, and 1,000 repeats or more.
_RUST_ALONE = re.compile(r"\(\?[a-zA-Z]*-?[a-zA-Z]*[xuR]|\(\?<|\\[uUN]|\[[^]]*(?:--|&&|~~|\[[^:])")
_ESCAPES = re.compile(r"\\(?:[pPx]\{\w*\}|.)", re.DOTALL)
_CLASSES = re.compile(r"\[\^?\]?(?:\[:\w*:\]|[^\]])*\]")
_REPEATED = re.compile(r"[*+?}][*+{]|[*+?}]\?[*+?{]")
_REPEATS = re.compile(r"\{[0-9,]*[0-9]{4}[0-9,]*\}")

OPERATORS: tuple[str, ...] = (
    "in",
    "not_in",
    "equals",
    "not_equals",
    "gt",
    "gte",
    "lt",
    "lte",
    "between",
    "matches",
    "not_matches",
    "semver_equals",
    "semver_gt",
    "semver_gte",
    "semver_lt",
    "semver_lte",
    "is_null",
)


class Condition(Strict):
    """Exactly one of ``all``, ``any``, ``not``, ``segment``, ``within``, ``when``, or ``attribute`` and its test."""

    all: Annotated[Items[Condition] | None, Field(min_length=1)] = None
    """Every part holds."""
    any: Annotated[Items[Condition] | None, Field(min_length=1)] = None
    """At least one part holds."""
    not_: Annotated[Condition | None, Field(alias="not")] = None
    """The part does not hold."""
    segment: Slug | None = None
    """A named segment of `catalog/segments/`."""
    within: Box | None = None
    """A box on the map; the same as the ``between`` tests of its `parts`."""
    when: When | None = None
    """Local times."""
    attribute: Name | None = None
    """A subject attribute; then one operator."""
    in_: Annotated[Items[Scalar] | None, Field(alias="in", min_length=1)] = None
    not_in: Annotated[Items[Scalar] | None, Field(min_length=1)] = None
    equals: Scalar | None = None
    not_equals: Scalar | None = None
    gt: Number | None = None
    gte: Number | None = None
    lt: Number | None = None
    lte: Number | None = None
    between: Annotated[Items[Number] | None, Field(min_length=2, max_length=2)] = None
    """``[low, high]``, both ends included."""
    matches: str | None = None
    """A regular expression (Rust and RE2 syntax: no look-around, no back-references), found anywhere."""
    not_matches: str | None = None
    semver_equals: str | None = None
    semver_gt: str | None = None
    semver_gte: str | None = None
    semver_lt: str | None = None
    semver_lte: str | None = None
    is_null: bool | None = None
    """True: the attribute is missing; false: it is present."""

    @property
    def kind(self) -> Kind:
        """Which form this is; ``empty`` if none."""
        if self.all is not None or self.within is not None:
            return "all"
        if self.any is not None:
            return "any"
        if self.not_ is not None:
            return "not"
        if self.segment is not None:
            return "segment"
        if self.when is not None:
            return "when"
        return "test" if self.attribute is not None else "empty"

    @property
    def parts(self) -> tuple[Condition, ...]:
        """The conditions directly inside ``all``, ``any`` or ``not``, or that a box stands for."""
        if self.not_ is not None:
            return (self.not_,)
        if self.within is not None:
            return _box_parts(self.within)
        return self.all or self.any or ()

    @property
    def operators(self) -> tuple[str, ...]:
        """The operators given, in the order of `OPERATORS`."""
        return tuple(name for name in OPERATORS if self._operand(name) is not None)

    @property
    def operator(self) -> str:
        """The operator of a test."""
        return self.operators[0]

    @property
    def operand(self) -> Any:
        """What the operator compares with."""
        return self._operand(self.operator)

    def _operand(self, name: str) -> Any:
        return getattr(self, "in_" if name == "in" else name)


@lru_cache(maxsize=1_000)
def _box_parts(box: Box) -> tuple[Condition, ...]:
    parts = []
    for attribute, spans in box.spans:
        tests = tuple(Condition(attribute=attribute, between=span) for span in spans)
        parts.append(tests[0] if len(tests) == 1 else Condition(any=tests))
    return tuple(parts)


def condition_faults(
    condition: Condition, path: tuple[str | int, ...], segments: Iterable[str]
) -> Iterator[tuple[tuple[str | int, ...], str, str, str]]:
    """What a condition's shape cannot say: mixed forms, missing operators, unreadable patterns and versions.

    Args:
        condition: The condition.
        path: Where it stands.
        segments: Names of the declared active segments.

    Yields:
        Path, fault, value and rule.
    """
    forms = [
        name
        for name, value in (
            ("all", condition.all),
            ("any", condition.any),
            ("not", condition.not_),
            ("segment", condition.segment),
            ("within", condition.within),
            ("when", condition.when),
            ("attribute", condition.attribute),
        )
        if value is not None
    ]
    rule = "exactly one of all, any, not, segment, within, when, attribute"
    if len(forms) != 1:
        yield path, "a condition mixes forms" if forms else "a condition says nothing", ", ".join(forms), rule
        return
    if forms[0] == "attribute":
        yield from _test_faults(condition, path)
    elif condition.operators:
        yield path, f"operator '{condition.operators[0]}' has no attribute", "", "attribute and one operator"
    if condition.segment is not None and condition.segment not in set(segments):
        known = ", ".join(sorted(segments)) or "none is declared"
        yield (*path, "segment"), "no active segment of that name", condition.segment, f"one of: {known}"
    for form, key, what, value, wanted in _model_faults(condition):
        yield (*path, form, key), what, value, wanted
    for name in ("all", "any"):
        for position, part in enumerate(getattr(condition, name) or ()):
            yield from condition_faults(part, (*path, name, position), segments)
    if condition.not_ is not None:
        yield from condition_faults(condition.not_, (*path, "not"), segments)


def _model_faults(condition: Condition) -> Iterator[tuple[str, str, str, str, str]]:
    if condition.within is not None:
        yield from (("within", *fault) for fault in box_faults(condition.within))
    if condition.when is not None:
        yield from (("when", *fault) for fault in when_faults(condition.when))


def _test_faults(
    condition: Condition, path: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], str, str, str]]:
    if len(condition.operators) != 1:
        given = ", ".join(condition.operators)
        what = "an attribute test has several operators" if given else "an attribute test has no operator"
        yield path, what, given, f"exactly one of: {', '.join(OPERATORS)}"
        return
    name, operand = condition.operator, condition.operand
    here = (*path, name)
    if name in {"matches", "not_matches"} and not pattern_is_valid(operand):
        yield here, "the pattern is not a regular expression", operand, "Rust/RE2 syntax, without look-around"
    if name.startswith("semver_") and complete_version(operand) is None:
        yield here, "is not a semantic version", operand, "such as 2.10.0 or 2.10.0-beta.1"
    if name == "between" and operand[0] > operand[1]:
        yield here, "the bounds are reversed", f"{operand[0]}, {operand[1]}", "[low, high]"


def segment_names(condition: Condition) -> set[str]:
    """The named segments that a condition looks at."""
    own = {condition.segment} if condition.segment is not None else set()
    return own.union(*(segment_names(part) for part in condition.parts))


def attribute_names(condition: Condition) -> set[str]:
    """The attributes that a condition without named segments looks at."""
    if condition.attribute is not None:
        return {condition.attribute}
    return set().union(*(attribute_names(part) for part in condition.parts))


def evaluate(
    condition: Condition | None,
    attributes: Mapping[str, Any],
    segments: Mapping[str, Condition] | None = None,
    at: datetime | None = None,
) -> bool | None:
    """Whether a unit satisfies a condition.

    Args:
        condition: A checked condition; none at all is satisfied by everybody.
        attributes: The unit's attributes; a null value is a missing one.
        segments: Conditions of the named segments (free of cycles).
        at: The instant, naive UTC; without one, what depends on time is unknown.

    Returns:
        True, False, or None for unknown.
    """
    if condition is None:
        return True
    named = segments or {}
    match condition.kind:
        case "all":
            return _conjunction(evaluate(part, attributes, named, at) for part in condition.parts)
        case "any":
            return _negation(
                _conjunction(_negation(evaluate(part, attributes, named, at)) for part in condition.parts)
            )
        case "not":
            return _negation(evaluate(condition.not_, attributes, named, at))
        case "segment":
            return evaluate(named[str(condition.segment)], attributes, named, at)
        case _:
            return _leaf(condition, attributes, at)


def _leaf(condition: Condition, attributes: Mapping[str, Any], at: datetime | None) -> bool | None:
    if condition.when is not None:
        return None if at is None else condition.when.holds(at)
    return _test(condition.operator, condition.operand, attributes.get(str(condition.attribute)))


def _negation(value: bool | None) -> bool | None:
    return None if value is None else not value


def _conjunction(values: Iterable[bool | None]) -> bool | None:
    seen = list(values)
    if any(value is False for value in seen):
        return False
    return None if any(value is None for value in seen) else True


def _test(name: str, operand: Any, value: Any) -> bool | None:
    if name == "is_null":
        return (value is None) is operand
    if value is None:
        return None
    if name.startswith("not_"):
        return _negation(_test(name.removeprefix("not_"), operand, value))
    return _TESTS[name](value, operand)


def _number_test(compare: Callable[..., bool]) -> Callable[[Any, Any], bool | None]:
    """Numbers compare as the doubles that they are on the wire."""

    def test(value: Any, operand: Any) -> bool | None:
        bounds = operand if isinstance(operand, tuple) else (operand,)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return compare(*map(float, (value, *bounds))) if is_number else None

    return test


def _version_test(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool | None]:
    def test(value: Any, operand: Any) -> bool | None:
        left, right = _version(as_text(value)), _version(complete_version(operand) or "")
        return None if left is None or right is None else compare(left, right)

    return test


def as_text(value: Any) -> str:
    """A scalar as the SDKs write it: ``true``; a number's shortest digits, ``3`` for 3.0, 1e-7 as ``0.0000001``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        # Through the double that it is on the wire: 12345678901234567890 is 12345678901234567000 to an SDK.
        # Zero has no sign, for not every reader of JSON keeps it.
        return format(Decimal(repr(float(value) + 0.0)), "f").removesuffix(".0")
    return str(value)


def as_number(text: str) -> int | float | None:
    """The number that is written as this text, if there is one.

    >>> as_number("3"), as_number("3.0"), as_number("0.5"), as_number("three")
    (3, None, 0.5, None)
    """
    try:
        number = float(text)
    except ValueError:
        return None
    if not math.isfinite(number) or as_text(number) != text:
        return None
    return int(number) if number.is_integer() else number


def complete_version(written: str) -> str | None:
    """A version of a definition with all three numbers and without ``v`` and build, or none if it is no version.

    >>> complete_version("v2.1"), complete_version("2.1.0-rc.1+x"), complete_version("two")
    ('2.1.0', '2.1.0-rc.1', None)
    """
    found = _WRITTEN.fullmatch(written)
    if found is None:
        return None
    version = ".".join(str(int(part or 0)) for part in found.groups()[:3]) + (found[4] or "")
    return version if _COMPLETE.fullmatch(version) else None


def _version(text: str) -> tuple[Any, ...] | None:
    """A key that orders semantic versions (semver.org, §11): a pre-release comes before its release."""
    found = _COMPLETE.fullmatch(text)
    if found is None:
        return None
    core = tuple(int(part) for part in found.groups()[:3])
    if found[4] is None:
        return (*core, (1,))
    labels = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in found[4].split("."))
    return (*core, (0, *labels))


@lru_cache(maxsize=10_000)
def pattern_matches(pattern: str, text: str) -> bool:
    """Whether a sound pattern is found anywhere in a text."""
    # Polars matches with Rust's regex, the engine of the SDKs' core, in linear time whatever the pattern.
    return bool(pl.Series([text]).str.contains(pattern).item())


_TESTS: dict[str, Callable[[Any, Any], bool | None]] = {
    "in": lambda value, operand: as_text(value) in {as_text(item) for item in operand},
    "equals": lambda value, operand: as_text(value) == as_text(operand),
    "matches": lambda value, operand: pattern_matches(operand, as_text(value)),
    "between": _number_test(lambda value, low, high: low <= value <= high),
    "gt": _number_test(operator.gt),
    "gte": _number_test(operator.ge),
    "lt": _number_test(operator.lt),
    "lte": _number_test(operator.le),
    "semver_equals": _version_test(operator.eq),
    "semver_gt": _version_test(operator.gt),
    "semver_gte": _version_test(operator.ge),
    "semver_lt": _version_test(operator.lt),
    "semver_lte": _version_test(operator.le),
}


@lru_cache(maxsize=1_000)
def pattern_is_valid(pattern: str) -> bool:
    """Whether a text is a regular expression of both engines that match here, Rust's and RE2, in linear time."""
    plain = _CLASSES.sub("a", _ESCAPES.sub("a", pattern))
    if _RUST_ALONE.search(pattern) or _REPEATED.search(plain) or _REPEATS.search(plain):
        return False
    try:
        pl.Series([""]).str.contains(pattern, strict=True)
    except pl.exceptions.ComputeError:
        return False
    return True
