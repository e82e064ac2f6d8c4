"""SQL of measures and filters: parsed as one scalar expression, bound to the event columns, and never run.

The text is parsed as the only item of a SELECT without anything else; every node of it must be of a kind that
looks at one row, and every function on the list below, which holds none that reads files, settings or clocks or
draws at random. What is left is bound against an empty table in memory that has no access to anything outside.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import duckdb

from fairsplit.analysis.catalogue.findings import did_you_mean, shown
from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.landing.sql import EVENT_COLUMNS, EVENT_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fairsplit.analysis.catalogue.measures import Measure, SqlText

_LONGEST: Final = 10_000
_CLASSES: Final = {
    "BETWEEN", "CASE", "CAST", "TYPE", "COLLATE", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT", "FUNCTION",
    "OPERATOR",
}  # fmt: skip
_FUNCTIONS: Final = {
    # arithmetic and comparison
    "+", "-", "*", "/", "//", "%", "**", "^", "abs", "ceil", "ceiling", "floor", "round", "round_even", "trunc",
    "sign", "sqrt", "ln", "log", "log2", "log10", "exp", "pow", "power", "greatest", "least", "isfinite", "isnan",
    "isinf", "add", "subtract", "multiply", "divide", "mod",
    # text
    "||", "concat", "lower", "upper", "lcase", "ucase", "trim", "ltrim", "rtrim", "length", "len", "strlen",
    "substring", "substr", "left", "right", "replace", "starts_with", "ends_with", "prefix", "suffix", "contains",
    "instr", "strpos", "position", "split_part", "translate", "reverse", "md5", "hash", "ascii",
    "~~", "!~~", "~~*", "!~~*", "~~~", "like_escape", "ilike_escape", "not_like_escape", "not_ilike_escape",
    "regexp_matches", "regexp_full_match", "regexp_extract", "regexp_replace", "~", "!~", "~*", "!~*",
    # null and choice
    "coalesce", "ifnull", "nullif", "if", "error_if_null",
    # time
    "date_trunc", "datetrunc", "date_part", "datepart", "date_diff", "datediff", "date_sub", "datesub", "year",
    "quarter", "month", "week", "day", "dayofweek", "isodow", "dayofmonth", "dayofyear", "hour", "minute", "second",
    "epoch", "epoch_ms", "epoch_us", "to_seconds", "to_minutes", "to_hours", "to_days", "to_weeks", "to_months",
    "to_years", "make_date", "make_timestamp", "strftime",
    # JSON
    "->", "->>", "json_extract", "json_extract_string", "json_extract_path", "json_extract_path_text", "json_exists",
    "json_value", "json_type", "json_array_length", "json_contains", "json_valid", "json_keys", "list_contains",
    "struct_extract", "array_extract", "list_value",
}  # fmt: skip
_NUMBERS: Final = (
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT",
    "FLOAT", "DOUBLE", "DECIMAL",
)  # fmt: skip
_WANTED: Final = {"number": "a number", "boolean": "true or false"}
_MORE: Final = "it is more than one expression"
_RULE: Final = "one scalar expression over the columns of stg_events"


def measure_faults(measures: Mapping[str, Measure]) -> dict[str, Problem]:
    """Measures whose SQL is not computed, with the reason; none of it is run.

    One bad expression would fail the model that computes all measures, and with it every experiment.
    """
    with _nothing_outside() as connection:
        verdicts = {text: _fault(connection, text) for one in measures.values() for text in one.texts}
        named = {name: _name_fault(connection, one) for name, one in measures.items()}
    found = {
        name: next((fault for text in one.texts if (fault := verdicts[text])), named[name])
        for name, one in measures.items()
    }
    return {name: fault for name, fault in found.items() if fault is not None}


def _nothing_outside() -> duckdb.DuckDBPyConnection:
    """An empty warehouse in memory that can neither read nor write anything else."""
    columns = ", ".join(f'"{name}" {EVENT_TYPES.get(name, "varchar")}' for name in EVENT_COLUMNS)
    connection = duckdb.connect(config={"enable_external_access": "false", "threads": "1"})
    connection.execute(f"create table events ({columns})")
    connection.execute("pragma disable_optimizer")  # so that no constant is computed
    connection.execute("set lock_configuration = true")
    return connection


def _name_fault(connection: duckdb.DuckDBPyConnection, measure: Measure) -> Problem | None:
    """A reserved word would be a syntax error in every model."""
    if measure.texts and isinstance(_parsed(connection, measure.name), str):
        return Problem(
            "the measure's name is a word of SQL", measure.texts[0].where, measure.name, "another name"
        )
    return None


def _fault(connection: duckdb.DuckDBPyConnection, text: SqlText) -> Problem | None:
    reason = _reason(connection, text)
    if reason is None:
        return None
    rule, hint = (_RULE, reason) if isinstance(reason, str) else (reason[0], reason[1])
    return Problem(
        "the warehouse does not understand the expression", text.where, shown(text.sql), rule, hint
    )


def _reason(connection: duckdb.DuckDBPyConnection, text: SqlText) -> str | tuple[str, str] | None:
    if len(text.sql) > _LONGEST:
        return f"it is longer than {_LONGEST} characters"
    node = _parsed(connection, text.sql)
    if isinstance(node, str):
        return node
    refused = next(_refusals(node), None)
    if refused is not None:
        return refused
    try:
        described = connection.execute(f"describe select (\n{text.sql}\n) from events").fetchall()
    except (duckdb.Error, RecursionError) as error:
        return str(error).splitlines()[0]
    given = str(described[0][1])
    fits = {
        "any": True,
        "boolean": given == "BOOLEAN",
        "number": given.startswith(_NUMBERS),
    }[text.wants]
    return None if fits else (f"an expression that gives {_WANTED[text.wants]}", f"this one gives {given}")


def _parsed(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    """The expression's syntax tree, or why the text is not exactly one expression."""
    trees = []
    for one in (sql, "1"):
        answer = connection.execute("select json_serialize_sql(?)", [f"select (\n{one}\n)"]).fetchall()[0][0]
        tree = json.loads(answer)
        if tree["error"]:
            words = str(tree["error_message"]).splitlines()[0]
            return _MORE if words.startswith("Only SELECT") else words
        trees.append(_placeless(tree["statements"]))
    ours, plain = trees
    if len(ours) != 1 or ours[0]["node"].get("type") != "SELECT_NODE":
        return _MORE
    items, _ = ours[0]["node"].pop("select_list"), plain[0]["node"].pop("select_list")
    if len(items) != 1 or items[0].get("alias") or ours != plain:
        return _MORE
    return items[0]


def _placeless(node: Any) -> Any:
    """The tree without where in the text its parts stood."""
    if isinstance(node, dict):
        return {key: _placeless(value) for key, value in node.items() if not key.startswith("query_location")}
    return [_placeless(one) for one in node] if isinstance(node, list) else node


def _refusals(node: Any) -> Iterator[str]:
    """What in the tree looks beyond one row, or calls what is not on the list."""
    if isinstance(node, list):
        for one in node:
            yield from _refusals(one)
    elif isinstance(node, dict):
        yield from _refusals_at(node)
        for value in node.values():
            yield from _refusals(value)


def _refusals_at(node: dict[str, Any]) -> Iterator[str]:
    kind = node.get("class")
    if kind is not None and kind not in _CLASSES:
        yield f"{str(kind).lower().replace('_', ' ')} is not allowed in it"
    elif kind == "FUNCTION":
        name = str(node.get("function_name")).lower()
        if name not in _FUNCTIONS or node.get("schema") or node.get("catalog"):
            yield _with_hint(f"the function {name} is not allowed in it", name, _FUNCTIONS)
        if node.get("distinct") or node.get("filter") or (node.get("order_bys") or {}).get("orders"):
            yield "aggregation is said by agg, not in the expression"
    elif kind == "COLUMN_REF":
        # Names that are none of a table's stand for the clock and the session.
        *table, column = (str(name).lower() for name in node["column_names"])
        if table not in ([], ["events"]) or column not in EVENT_COLUMNS:
            yield _with_hint(f"{'.'.join((*table, column))} is no column of an event", column, EVENT_COLUMNS)


def _with_hint(what: str, word: str, known: Iterable[str]) -> str:
    near = did_you_mean(word, known)
    return f"{what}; {near}" if near else what
