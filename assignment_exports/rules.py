"""Targeting conditions as UFC rules: any of the rules, each with conditions that must all hold.

UFC has neither negation nor nesting, so a condition is first rewritten with the negations at its tests, then
multiplied out. Both steps keep the three-valued meaning: a UFC test on a missing attribute is false, whether
the operator is negative or not, and so is every condition that the catalogue calls unknown.
"""

from __future__ import annotations

from itertools import chain, product
from typing import TYPE_CHECKING, Any, Final

from fairsplit.analysis.catalogue.conditions import Condition, as_text, complete_version
from fairsplit.analysis.errors import Problem
from fairsplit.assignment_exports.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Callable

    UfcCondition = dict[str, Any]
    Alternatives = list[list[UfcCondition]]

MAX_RULES: Final = 200
SUBJECT: Final = "id"
IS_UNIT: Final = {"attribute": SUBJECT, "operator": "NOT_ONE_OF", "value": [""]}
"""Some of Eppo's SDKs take the empty subject key for a unit; it is nobody's."""
_OPPOSITE: Final = {
    "in": "not_in",
    "equals": "not_equals",
    "matches": "not_matches",
    "gt": "lte",
    "gte": "lt",
    "semver_gt": "semver_lte",
    "semver_gte": "semver_lt",
}
NEGATED: Final = {**_OPPOSITE, **{value: key for key, value in _OPPOSITE.items()}}


def rules_of(condition: Condition) -> list[dict[str, list[UfcCondition]]]:
    """Compile a condition without named segments and times.

    Returns:
        UFC rules; a unit is let in when at least one of them holds.

    Raises:
        ExportError: More than `MAX_RULES` rules would be needed.
    """
    return [{"conditions": conditions} for conditions in _alternatives(condition, negated=False)]


def _alternatives(condition: Condition, *, negated: bool) -> Alternatives:
    if condition.kind == "not":
        return _alternatives(condition.parts[0], negated=not negated)
    if condition.kind == "test":
        return _test(condition, negated=negated)
    parts = [_alternatives(part, negated=negated) for part in condition.parts]
    if (condition.kind == "any") is not negated:
        alternatives = [conditions for part in parts for conditions in part]
    else:
        alternatives = []
        count = 1
        for part in parts:
            count *= len(part)
        if count <= MAX_RULES:
            alternatives = [list(chain.from_iterable(choice)) for choice in product(*parts)]
        else:
            _refuse_size(count)
    if len(alternatives) > MAX_RULES:
        _refuse_size(len(alternatives))
    return alternatives


def _refuse_size(count: int) -> None:
    raise ExportError(
        Problem(
            "the targeting is too intricate for UFC",
            value=f"{count} rules once multiplied out",
            rule=f"at most {MAX_RULES} rules",
            hint="compute the condition as one attribute in the warehouse and target that attribute",
        )
    )


def _test(condition: Condition, *, negated: bool) -> Alternatives:
    attribute, operator, operand = str(condition.attribute), condition.operator, condition.operand
    if operator == "between":
        low, high = operand
        if negated:
            return [[_condition(attribute, "lt", low)], [_condition(attribute, "gt", high)]]
        return [[_condition(attribute, "gte", low), _condition(attribute, "lte", high)]]
    if operator == "semver_equals":
        if negated:
            return [
                [_condition(attribute, "semver_lt", operand)],
                [_condition(attribute, "semver_gt", operand)],
            ]
        return [[_condition(attribute, "semver_gte", operand), _condition(attribute, "semver_lte", operand)]]
    if operator == "is_null":
        return [[_condition(attribute, operator, operand is not negated)]]
    return [[_condition(attribute, NEGATED[operator] if negated else operator, operand)]]


def _condition(attribute: str, operator: str, operand: Any) -> UfcCondition:
    if attribute == SUBJECT:
        raise ExportError(
            Problem(
                "UFC keeps the attribute for the unit itself",
                value=attribute,
                rule=f"a name other than {SUBJECT}",
                hint="pass the attribute under another name; a flag's overrides name units",
            )
        )
    name, value = _COMPILED[operator]
    return {"attribute": attribute, "operator": name, "value": value(operand)}


def _texts(operand: Any) -> list[str]:
    items = operand if isinstance(operand, tuple | list) else (operand,)
    return [as_text(item) for item in items]


def _same(operand: Any) -> Any:
    return operand


def three_parts(operand: Any) -> str:
    """SDKs parse versions strictly: 2.1 is not one for them, 2.1.0 is."""
    version = complete_version(str(operand))
    if version is None:
        raise ExportError(
            Problem("not a semantic version", value=str(operand), rule="such as 2.10.0 or 2.10.0-beta.1")
        )
    return version


def _next_version(operand: Any) -> str:
    """The lowest version above one and all its builds, which Eppo's core orders by their build too."""
    version = three_parts(operand)
    if "-" in version:
        return f"{version}.0"
    rest, patch = version.rsplit(".", 1)
    return f"{rest}.{int(patch) + 1}-0"


_COMPILED: Final[dict[str, tuple[str, Callable[[Any], Any]]]] = {
    "in": ("ONE_OF", _texts),
    "not_in": ("NOT_ONE_OF", _texts),
    "equals": ("ONE_OF", _texts),
    "not_equals": ("NOT_ONE_OF", _texts),
    "matches": ("MATCHES", _same),
    "not_matches": ("NOT_MATCHES", _same),
    **{op: (op.upper(), _same) for op in ("gt", "gte", "lt", "lte")},
    "is_null": ("IS_NULL", _same),
    "semver_gte": ("GTE", three_parts),
    "semver_gt": ("GTE", _next_version),
    "semver_lt": ("LT", three_parts),
    "semver_lte": ("LT", _next_version),
}
