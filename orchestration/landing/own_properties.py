"""Files that follow the contract without a mapping, whatever their format: one rule for what is nested.

`experiment_id` and `variation_id` may stand in `properties` and what is known of the context in `context`: as an
object, a struct, a map, a text of JSON or a column of a dotted name (`properties.experiment_id`). What the contract
does not know is kept in the properties.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairsplit.analysis.catalogue.events import CONTEXT_COLUMNS, CONTRACT_COLUMNS
from fairsplit.orchestration.landing import repeated_keys
from fairsplit.orchestration.landing.cells import (
    EMPTY,
    ENTRIES,
    IS_OBJECT,
    Cell,
    first_of,
    json_pairs,
    merged,
)
from fairsplit.orchestration.landing.sql import literal

if TYPE_CHECKING:
    from fairsplit.orchestration.landing.cells import Layout

IN_PROPERTIES = ("experiment_id", "variation_id")
"""Columns that may stand in `properties`; what is known of the context may stand in `context`."""

READ_AT_TOP = (*CONTRACT_COLUMNS, "context", *(f"context.{column}" for column in CONTEXT_COLUMNS))
"""Names at the top that are no properties."""

_PREFIX = "properties."


def outer_of(column: str) -> str:
    """The object in which a column of the contract may stand; empty for one that stands at the top only."""
    if column in IN_PROPERTIES:
        return "properties"
    return "context" if column in CONTEXT_COLUMNS else ""


def contract_cells(layout: Layout) -> dict[str, Cell]:
    """The contract's columns but properties, each at the top or else where it may be nested."""
    cells = {}
    for column in CONTRACT_COLUMNS[:-1]:
        outer = outer_of(column)
        inner = layout.cell(f"{outer}.{column}") if outer else EMPTY
        cells[column] = first_of(layout.cell(column), inner)
    return cells


def without_moved(layout: Layout, properties: str) -> str:
    """Properties without what was read from them in place of an empty column."""
    moved = [
        f"case when {layout.cell(column).text} is null and {inner.text} is not null then '\"{column}\":null' end"
        for column in IN_PROPERTIES
        if (inner := layout.cell(f"{_PREFIX}{column}")) != EMPTY
    ]
    if not moved:
        return properties
    gone = f"concat_ws(',', {', '.join(moved)})"
    patched = f"json_merge_patch({properties}, '{{' || {gone} || '}}')::varchar"
    return f"case when {gone} <> '' then {patched} else {properties} end"


def columns_as_events(layout: Layout, names: list[str]) -> tuple[dict[str, Cell], str, list[tuple[str, str]]]:
    """`Layout.own_events` of a format whose columns are fixed."""
    cells = contract_cells(layout)
    own, wrong = _own(layout)
    strays = [name for name in names if name not in READ_AT_TOP]
    dotted = [name for name in strays if name.startswith(_PREFIX)]
    others = [name for name in strays if name not in dotted]
    parts = [
        *_context(layout),
        json_pairs([(name, layout.json_of(name)) for name in others]) if others else "",
        json_pairs([(name.removeprefix(_PREFIX), _kept(layout, name)) for name in dotted]) if dotted else "",
        own,
    ]
    given = [part for part in parts if part]
    if len(given) < 2:
        return cells, (given or ["'{}'"])[0], wrong
    return cells, merged([ENTRIES.format(f"({part})") for part in given]), wrong


def _own(layout: Layout) -> tuple[str, list[tuple[str, str]]]:
    """The properties column as an object, and what may be wrong with it; empty where there is none."""
    cell = layout.cell("properties")
    if cell == EMPTY:
        return "", []
    text = f"nullif(trim({cell.text}), '')"
    # The first character decides before the text is parsed a second time.
    is_object = (
        f"case when {text} is not null then {IS_OBJECT.format(text)} and json_valid({text}) else true end"
    )
    twice = (
        f"case when {text} is not null and {is_object} then {repeated_keys.condition(text)} else false end"
    )
    usable = f"case when {is_object} and not {twice} then coalesce({text}, '{{}}') else '{{}}' end"
    wrong = [(f"not {is_object}", "properties"), (twice, "properties: a key stands twice")]
    return without_moved(layout, usable), wrong


def _kept(layout: Layout, name: str) -> str:
    """JSON of a dotted column, null where it stands for an empty column of the contract."""
    column = name.removeprefix(_PREFIX)
    if column not in IN_PROPERTIES:
        return layout.json_of(name)
    return f"case when {layout.cell(column).text} is not null then {layout.json_of(name)} end"


def _context(layout: Layout) -> list[str]:
    """What a context column holds beyond what is known of it; text that is no object is kept as it is."""
    cell = layout.cell("context")
    if cell == EMPTY:
        return []
    is_object = f"case when {IS_OBJECT.format(cell.text)} then json_valid({cell.text}) else false end"
    usable = (
        f"case when {is_object} and not {repeated_keys.condition(cell.text)} then {cell.text} else '{{}}' end"
    )
    known = ", ".join(map(literal, CONTEXT_COLUMNS))
    unknown = f"""list_transform(
        list_filter({ENTRIES.format(f"({usable})")}, lambda e: e[1] not in ({known})),
        lambda e: to_json('context.' || e[1])::varchar || ':' || e[2])"""
    whole = f"""case when {cell.text} is not null and not {is_object}
        then '{{"context":' || to_json({cell.text})::varchar || '}}' end"""
    return [f"coalesce({whole}, '{{' || array_to_string({unknown}, ',') || '}}')"]
