"""JSON: an array of objects or an object a line, numbers kept as they are written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl

from fairsplit.analysis.catalogue.findings import shown
from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.errors import OrchestrationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def read_objects(content: bytes, path: Path) -> pl.DataFrame:
    """Columns of text in the order in which they first come; nested ones have the type `Object`.

    Args:
        content: The file, unpacked.
        path: Its name, for messages.

    Raises:
        OrchestrationError: What is no JSON, no object, or has a key twice, with its line or place in the array.
    """
    columns: dict[str, list[str | None]] = {}
    nested: set[str] = set()
    count = 0
    for row in _objects(content, path):
        for key, value in row.items():
            cells = columns.setdefault(key, [])
            cells.extend([None] * (count - len(cells)))
            if isinstance(value, dict | list):
                nested.add(key)
            cells.append(_text(value))
        count += 1
    for cells in columns.values():
        cells.extend([None] * (count - len(cells)))
    return pl.DataFrame(
        [
            pl.Series(name, cells, dtype=pl.Object if name in nested else pl.String)
            for name, cells in columns.items()
        ]
    )


def _text(value: Any) -> str | None:
    """Numbers are text already, as the file writes them."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)


def _objects(content: bytes, path: Path) -> Iterator[dict[str, Any]]:
    decoder = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=_pairs)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise OrchestrationError(
            Problem("the text is not UTF-8", shown(path.name), hint="save the file as UTF-8")
        ) from error
    if text.lstrip()[:1] == "[":
        rows = _decoded(decoder, text.strip(), path, "")
        for number, row in enumerate(rows, start=1):
            yield _object(row, path, f"item {number}")
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield _object(_decoded(decoder, line.strip(), path, f"line {number}"), path, f"line {number}")


def _decoded(decoder: json.JSONDecoder, text: str, path: Path, place: str) -> Any:
    try:
        return decoder.decode(text)
    except _KeyTwiceError as error:
        raise OrchestrationError(
            Problem("two columns have one name", _where(path, place), shown(str(error)), "each name once")
        ) from error
    except (ValueError, RecursionError) as error:
        what = "the file cannot be read"
        rule = "an object a line, or one array of objects"
        raise OrchestrationError(Problem(what, _where(path, place), shown(str(error)), rule)) from error


def _object(row: Any, path: Path, place: str) -> dict[str, Any]:
    if not isinstance(row, dict):
        rule = "an object of column names and values"
        raise OrchestrationError(Problem("a row is no object", _where(path, place), shown(_text(row)), rule))
    return row


def _where(path: Path, place: str) -> str:
    return f"{shown(path.name)}, {place}" if place else shown(path.name)


class _KeyTwiceError(ValueError):
    """A key that an object has twice."""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        seen: set[str] = set()
        raise _KeyTwiceError(next(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]
    return row
