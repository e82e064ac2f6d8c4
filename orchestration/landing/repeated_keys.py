"""Whether a key stands twice in an object of a JSON text, at any depth: DuckDB reads such objects without a word."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

_FUNCTION = "fairsplit_repeats_a_key"
_TOKEN = re.compile(r'("(?:[^"\\]|\\.)*")(\s*:)?|[{}\[\]]')


class _RepeatedKeyError(Exception):
    pass


def repeats_a_key(text: str) -> bool:
    """Whether an object of the text, which is JSON, holds a key twice.

    >>> repeats_a_key('{"a": {"b": 1, "b": 2}}'), repeats_a_key('[{"a": 1}, {"a": 2}]')
    (True, False)
    """
    try:
        _DECODER.decode(text)
    except _RepeatedKeyError:
        return True
    except (ValueError, RecursionError):
        # Wider than the standard, a number of thousands of digits, or very deep: token by token.
        return _repeats_by_token(text)
    return False


def _unique(pairs: list[tuple[str, Any]]) -> None:
    if len({key for key, _ in pairs}) < len(pairs):
        raise _RepeatedKeyError


_DECODER = json.JSONDecoder(object_pairs_hook=_unique)


def _repeats_by_token(text: str) -> bool:
    open_objects: list[set[str]] = []
    for token in _TOKEN.finditer(text):
        string, colon = token.groups()
        if string and colon and open_objects:
            key = json.loads(string, strict=False)
            if key in open_objects[-1]:
                return True
            open_objects[-1].add(key)
        elif token.group() in "{[":
            open_objects.append(set())
        elif token.group() in "}]" and open_objects:
            open_objects.pop()
    return False


@contextmanager
def in_sql(cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Make `condition` known to a connection for a while."""
    cursor.create_function(_FUNCTION, repeats_a_key, ["VARCHAR"], "BOOLEAN")
    try:
        yield
    finally:
        cursor.remove_function(_FUNCTION)


def condition(text: str, objects: str = "1") -> str:
    """SQL of whether a key stands twice in an object of a JSON text.

    Args:
        text: SQL of JSON text, or null.
        objects: SQL of how many of its objects were looked at already beside itself; text with more is read in Python.
    """
    keys = f"json_keys({text})"
    braces = f"length({text}) - length(replace({text}, '{{', ''))"
    return f"""case when left({text}, 1) = '{{' and list_unique({keys}) < len({keys}) then true
        when {braces} > {objects} then {_FUNCTION}({text}) else false end"""
