"""What the flagd and GrowthBook targets share in compiling conditions: negation at the tests, values in every form.

Both targets nest *and* and *or* but are two-valued, so a negation is carried down to the tests, where a missing
attribute can be refused whichever way the test is asked: the catalogue's *unknown* lets nobody in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from fairsplit.analysis.catalogue.conditions import as_number, as_text
from fairsplit.analysis.errors import Problem
from fairsplit.assignment_exports.errors import ExportError
from fairsplit.assignment_exports.rules import NEGATED
from fairsplit.assignment_exports.times import refuse_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairsplit.analysis.catalogue.conditions import Condition, Scalar

Compiled = TypeVar("Compiled")


def lower(
    condition: Condition,
    test: Callable[[str, str, Any], Compiled],
    every: Callable[[list[Compiled]], Compiled],
    some: Callable[[list[Compiled]], Compiled],
    *,
    negated: bool = False,
) -> Compiled:
    """Compile a condition without named segments.

    Args:
        condition: The condition.
        test: Attribute, operator and operand to the target's test. ``between``, ``semver_equals`` and their
            negations arrive taken apart; ``is_null`` arrives with the operand already turned.
        every: All parts hold.
        some: At least one part holds.
        negated: Compile the opposite.
    """
    if condition.kind == "not":
        return lower(condition.parts[0], test, every, some, negated=not negated)
    if condition.kind == "when":
        refuse_time("an SDK without a clock")
    if condition.kind != "test":
        parts = [lower(part, test, every, some, negated=negated) for part in condition.parts]
        return some(parts) if (condition.kind == "any") is not negated else every(parts)
    attribute, operator, operand = str(condition.attribute), condition.operator, condition.operand
    if operator == "is_null":
        return test(attribute, operator, operand is not negated)
    if operator in {"between", "semver_equals"}:
        low, high = operand if operator == "between" else (operand, operand)
        kind = "" if operator == "between" else "semver_"
        if negated:
            return some([test(attribute, f"{kind}lt", low), test(attribute, f"{kind}gt", high)])
        return every([test(attribute, f"{kind}gte", low), test(attribute, f"{kind}lte", high)])
    return test(attribute, NEGATED[operator] if negated else operator, operand)


def forms(operand: Any) -> list[Scalar]:
    """Every JSON value that compares as the operand's texts: ``"3"`` and ``3``, ``"true"`` and ``true``."""
    found: list[Scalar] = []
    items = operand if isinstance(operand, tuple | list) else (operand,)
    for text in dict.fromkeys(as_text(item) for item in items):
        found.append(text)
        if text in {"true", "false"}:
            found.append(text == "true")
        number = as_number(text)
        if number is not None:
            found.append(number)
    return found


def plain_attribute(attribute: str, target: str, reserved: tuple[str, ...] = ()) -> str:
    """The attribute's name, if the target can look it up.

    Raises:
        ExportError: The target would read the name as a path, or keeps it for itself.
    """
    if "." in attribute or attribute.startswith("$") or attribute in reserved or not attribute:
        raise ExportError(
            Problem(
                f"{target} cannot look up the attribute",
                value=attribute,
                rule="a name without dots that does not begin with $"
                + (f", and not {', '.join(reserved)}" if reserved else ""),
                hint="pass the attribute under a plain name, or serve it with sdk: ufc",
            )
        )
    return attribute


def refuse_pattern(attribute: str, pattern: str, target: str) -> NoReturn:
    """Say that the target has no regular expressions that mean the same in every language.

    Raises:
        ExportError: Always.
    """
    raise ExportError(
        Problem(
            f"{target} cannot match a regular expression the same way in every language",
            where=attribute,
            value=pattern,
            rule="in, equals, comparisons, versions and null",
            hint="list the values with `in`, compute the condition as one attribute in the warehouse, "
            "or serve it with sdk: ufc",
        )
    )
