"""An expression of SQL with its columns as other SQL, by the parser of the warehouse."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import duckdb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_BEFORE = b"select (\n"


def with_columns(sql: str, written: Callable[[str], str]) -> str:
    """The expression with each column in other words; what the parser refuses stays as it is.

    Args:
        sql: One expression.
        written: SQL for a column, asked for by its name; of a column of a table by `table.column`.
    """
    text = _BEFORE + sql.encode() + b"\n)"
    tree = json.loads(_parser().execute("select json_serialize_sql(?)", [text.decode()]).fetchall()[0][0])
    pieces, end = [], len(text)
    for start, length, name in sorted(_columns(tree), reverse=True):
        pieces += [text[start + length : end], f"({written(name)})".encode()]
        end = start
    pieces.append(text[:end])
    return b"".join(reversed(pieces))[len(_BEFORE) : -2].decode()


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"enable_external_access": "false", "threads": "1"})


def _columns(node: Any) -> Iterator[tuple[int, int, str]]:
    """Where in the text, in bytes, which columns stand."""
    if isinstance(node, list):
        for one in node:
            yield from _columns(one)
    elif isinstance(node, dict):
        if node.get("class") == "COLUMN_REF":
            yield node["query_location"], node["query_location_length"], ".".join(node["column_names"])
        for value in node.values():
            yield from _columns(value)
