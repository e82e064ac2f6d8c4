"""A source's declarations as SQL: which events a row gives, and where each event column comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairsplit.analysis.catalogue.events import CONTRACT_COLUMNS
from fairsplit.orchestration.landing.cells import EMPTY, STRING, Cell, Layout, constant
from fairsplit.orchestration.landing.sql import array, literal

if TYPE_CHECKING:
    from fairsplit.analysis.catalogue.sources import Condition, Mapped, Scalar, Source


@dataclass(frozen=True, slots=True)
class EventSql:
    """One event of a row.

    Attributes:
        cells: Event column → cell, for all columns but properties.
        properties: SQL of the properties as JSON object text.
        wrong: (SQL condition, name of what is wrong) pairs beyond the columns' own types.
        when: SQL condition under which the row gives this event.
        suffix: Appended to the event id.
        formats: How `occurred_at` is written.
        numeric_text: Whether `value` may be numeric text.
        any_scalar: Columns that take numbers and booleans as text.
    """

    cells: dict[str, Cell]
    properties: str
    wrong: list[tuple[str, str]]
    when: str = "true"
    suffix: str = ""
    time_format: str = "iso"
    numeric_text: bool = False
    any_scalar: frozenset[str] = frozenset()


def events_of(layout: Layout, source: Source | None) -> list[EventSql]:
    """The events that a row of this layout gives, by the source's mapping or else by the contract's names."""
    if source is None:
        cells, properties, wrong = layout.own_events()
        return [EventSql(cells, properties, wrong, numeric_text=layout.texts_are_numbers)]
    plain = [(None, "", None, source.columns, source.fixed)]
    declared = [
        (
            event.name,
            event.suffix,
            event.when,
            source.columns | event.columns,
            source.fixed | event.constants,
        )
        for event in source.events
    ]
    events = []
    for name, suffix, when, columns, constants in declared or plain:
        fixed: dict[str, Scalar] = constants | ({"event_name": name} if name else {})
        events.append(_event(layout, source, (columns, fixed), when, suffix))
    return events


def _event(
    layout: Layout,
    source: Source,
    origin: tuple[dict[str, Mapped], dict[str, Scalar]],
    when: Condition | None,
    suffix: str,
) -> EventSql:
    columns, constants = origin
    cells = dict.fromkeys(CONTRACT_COLUMNS[:-1], EMPTY)
    cells |= {column: _mapped(layout, mapped) for column, mapped in columns.items() if column != "properties"}
    cells |= {column: constant(value) for column, value in constants.items() if column != "properties"}
    conditions = [condition(layout, test) for test in (source.when, when) if test is not None]
    occurred = columns.get("occurred_at")
    value = columns.get("value")
    scalars = {name for name, mapped in columns.items() if mapped.cast == "text"} | set(constants)
    return EventSql(
        cells=cells,
        properties=_properties(layout, source, columns),
        wrong=[],
        when=f"({' and '.join(conditions)})" if conditions else "true",
        suffix=suffix,
        time_format=occurred.format if occurred and "occurred_at" not in constants else "iso",
        numeric_text=layout.texts_are_numbers
        or (value is not None and (value.cast == "number" or value.values is not None)),
        any_scalar=frozenset(scalars),
    )


def _properties(layout: Layout, source: Source, columns: dict[str, Mapped]) -> str:
    if source.properties != "*":
        return layout.object_of(list(source.properties), set())
    used = set()
    for mapped in columns.values():
        used |= {mapped.column} if mapped.column else set(mapped.columns or [])
    return layout.object_of(None, used)


def _mapped(layout: Layout, mapped: Mapped) -> Cell:
    if mapped.columns is not None:
        texts = [f"nullif({layout.cell(name).text}, '')" for name in mapped.columns]
        text = "(" + f" || {literal(mapped.separator)} || ".join(texts) + ")"
        cell = Cell(text, f"case when {text} is not null then '{STRING}' end")
    else:
        cell = layout.cell(mapped.column or "")
    if not mapped.values:
        return cell
    arms = " ".join(f"when {literal(old)} then {literal(new)}" for old, new in mapped.values.items())
    kind = f"case when {cell.text} in ({', '.join(map(literal, mapped.values))}) then '{STRING}' else {cell.kind} end"
    return Cell(f"case {cell.text} {arms} else {cell.text} end", kind)


def condition(layout: Layout, test: Condition) -> str:
    """The SQL of a condition; an empty cell makes it false unless it asks for that."""
    inner = [condition(layout, one) for one in test.all or test.any or []]
    if inner:
        return "(" + (" and " if test.all else " or ").join(inner) + ")"
    return _single(layout, test)


def _single(layout: Layout, test: Condition) -> str:
    cell = layout.cell(test.column or "")
    text = f"nullif({cell.text}, '')"
    number = f"try_cast({text} as double)"
    if test.present is not None:
        return f"({text} is {'not ' if test.present else ''}null)"
    if test.above is not None:
        return f"coalesce({number} > {test.above!r}, false)"
    if test.at_least is not None:
        return f"coalesce({number} >= {test.at_least!r}, false)"
    if test.equals is not None or test.in_ is not None:
        return _is_one_of(text, number, [test.equals, *(test.in_ or [])])
    return f"(not {_is_one_of(text, number, [test.not_equals, *(test.not_in or [])])})"


def _is_one_of(text: str, number: str, values: list[Scalar | None]) -> str:
    texts = [str(value) for value in values if isinstance(value, str)]
    flags = [str(value).lower() for value in values if isinstance(value, bool)]
    numbers = [value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)]
    tests = []
    if texts:
        tests.append(f"list_contains({array(texts)}, {text})")
    if flags:
        tests.append(f"list_contains({array(flags)}, lower({text}))")
    if numbers:
        tests.append(f"{number} in ({', '.join(repr(value) for value in numbers)})")
    return f"coalesce({' or '.join(tests)}, false)"
