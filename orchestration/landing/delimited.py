"""CSV and TSV as Arrow batches of text cells; a record that does not fit its header keeps its raw text.

Each line is looked at a bounded number of times, whatever it holds. Where a quoted cell never closes, only the line on
which it opens is at fault and the lines after it are read again; that they cannot close it either is known by then,
because how a line that begins inside a quoted cell ends does not depend on where the cell opened.
"""

from __future__ import annotations

import csv
import io
import re
from collections import deque
from itertools import chain
from typing import IO, TYPE_CHECKING, NamedTuple

import pyarrow as pa  # type: ignore[import-untyped]

from fairsplit.orchestration.landing.content import BOM
from fairsplit.orchestration.landing.limits import (
    CHUNK_BYTES,
    KEPT_BYTES,
    MAX_COLUMNS,
    MAX_RECORD_BYTES,
    MAX_RECORD_LINES,
    SNIFF_BYTES,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

BATCH_ROWS = 20_000
DELIMITERS = ",\t;|"

_QUOTED = re.compile(r'"[^"]*"')
_LINE_END = re.compile(rb"\r\n?|\n")


def header_of(head: bytes, delimiter: str | None) -> tuple[list[str], str]:
    """The column names and the delimiter, told by the first record.

    Args:
        head: The file's first bytes.
        delimiter: As declared; else the one among comma, tab, semicolon and bar that stands most often in the first
            record, outside quotes.

    Raises:
        OSError: A name stands twice, there are too many, or the header does not end within `SNIFF_BYTES`.
    """
    text = head.removeprefix(BOM).decode("utf-8", "backslashreplace").lstrip("\r\n")
    bare = _QUOTED.sub(lambda quoted: "_" * len(quoted.group()), text)
    end = next((place for place, mark in enumerate(bare) if mark in "\r\n"), len(bare))
    if end == len(bare) and len(head) >= SNIFF_BYTES:
        raise OSError(f"the header does not end within {SNIFF_BYTES:,} bytes; is this a file of CSV?")
    mark = delimiter or max(DELIMITERS, key=bare[:end].count)
    names = [
        name.strip() for name in next(csv.reader(io.StringIO(text[:end], newline=""), delimiter=mark), [])
    ]
    refuse_columns(names)
    return names, mark


def refuse_columns(names: list[str]) -> None:
    """Raise where columns cannot be told apart by name, or are too many.

    Raises:
        OSError: With the name and the places where it stands.
    """
    for name in names:
        places = [str(place) for place, other in enumerate(names, start=1) if other == name]
        if len(places) > 1:
            raise OSError(
                f"the column name {name!r} stands {len(places)} times (columns {', '.join(places[:5])});"
                " give each column a name of its own"
            )
        if len(names) > MAX_COLUMNS:
            raise OSError(f"{len(names):,} columns, at most {MAX_COLUMNS:,} are read")


def schema(width: int) -> pa.Schema:
    """The batches' columns: the cells are ``c0``, ``c1``, … because a header may hold any text."""
    cells = [(f"c{index}", pa.string()) for index in range(width)]
    return pa.schema(
        [
            ("file_index", pa.int32()),
            ("line_number", pa.int64()),
            ("line", pa.string()),
            ("fault", pa.string()),
            ("is_ended", pa.bool_()),
            *cells,
        ]
    )


def row_batches(stream: IO[bytes], file_index: int, width: int, delimiter: str) -> Iterator[pa.RecordBatch]:
    """The records after the header; empty cells are null, blank lines are no records.

    Args:
        stream: Unpacked bytes; read in pieces.
        file_index: Repeated in each row.
        width: Cells of a whole record.
        delimiter: One character.

    Yields:
        Batches of `schema`; `line_number` is the record's first line, `line` its text, `is_ended` whether a line end
        follows: a last record without one may have been cut off.
    """
    rows: list[tuple[object, ...]] = []
    size, empty, header = 0, [None] * width, True
    for number, raw, fault, cells in _records(_lines(stream), delimiter):
        if header:
            header = raw.isspace()
            continue
        fits = len(cells) == width and bool(raw.strip(b"\r\n"))
        if fault is None and not fits and raw.isspace():
            continue
        misfit = None if fits else f"{len(cells)} cells where the header has {width}"
        text, why = _decoded(raw, fault or misfit)
        filled = [cell or None for cell in cells] if why is None else empty
        rows.append((file_index, number, text.rstrip("\r\n"), why, raw.endswith((b"\n", b"\r")), *filled))
        size += len(raw)
        if len(rows) == BATCH_ROWS or size > CHUNK_BYTES:
            yield _batch(rows, width)
            rows, size = [], 0
    if rows:
        yield _batch(rows, width)


def _decoded(raw: bytes, fault: str | None) -> tuple[str, str | None]:
    try:
        return raw.decode("utf-8"), fault
    except UnicodeDecodeError as error:
        return raw.decode("utf-8", "backslashreplace"), fault or f"not UTF-8 at byte {error.start + 1}"


def _batch(rows: list[tuple[object, ...]], width: int) -> pa.RecordBatch:
    wanted = schema(width)
    columns = [
        pa.array(column, type=field.type)
        for column, field in zip(zip(*rows, strict=True), wanted, strict=True)
    ]
    return pa.record_batch(columns, schema=wanted)


class _Line(NamedTuple):
    """A line with its end; of one beyond the limit only the beginning, and its size."""

    raw: bytes
    size: int

    @property
    def fault(self) -> str | None:
        if self.size <= MAX_RECORD_BYTES:
            return None
        return f"a line of {self.size} bytes, of which the first {len(self.raw)} are kept"


def _lines(stream: IO[bytes]) -> Iterator[_Line]:
    """The lines, ended by CR, LF or both; of a long one no more than the limit and a chunk is ever held."""
    carry, first = b"", True
    while chunk := stream.read(CHUNK_BYTES >> 2):
        if first:
            chunk, first = chunk.removeprefix(BOM), False
        lines = (carry + chunk).splitlines(keepends=True)
        # A carriage return at the end may be the first half of a line end.
        carry = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        for raw in lines:
            size = len(raw)
            yield _Line(raw if size <= MAX_RECORD_BYTES else raw[:KEPT_BYTES], size)
        if len(carry) > MAX_RECORD_BYTES and not carry.endswith(b"\r"):
            skipped, rest = _skip_line(stream)
            yield _Line(carry[:KEPT_BYTES], len(carry) + skipped)
            carry = rest
    for raw in carry.splitlines(keepends=True):
        yield _Line(raw if len(raw) <= MAX_RECORD_BYTES else raw[:KEPT_BYTES], len(raw))


def _skip_line(stream: IO[bytes]) -> tuple[int, bytes]:
    """Read on to the end of the line; the bytes skipped and what follows the line."""
    skipped = 0
    while chunk := stream.read(CHUNK_BYTES >> 2):
        end = _LINE_END.search(chunk)
        if end:
            rest = chunk[end.end() :]
            if not rest and chunk.endswith(b"\r"):
                rest = stream.read(1).removeprefix(b"\n")
            return skipped + end.start(), rest
        skipped += len(chunk)
    return skipped, b""


class _Waiting:
    """Lines read ahead because a quoted cell was open before the first of them, and still is after the last."""

    def __init__(self, lines: Iterator[_Line], delimiter: str) -> None:
        self._lines = lines
        self._delimiter = delimiter
        self._queue: deque[_Line] = deque()
        self._bytes = 0
        self._never_closes = False

    def pop(self) -> _Line | None:
        """The next line of the file."""
        if not self._queue:
            return next(self._lines, None)
        line = self._queue.popleft()
        self._bytes -= line.size
        return line

    def rest_of_cell(self, start: _Line) -> list[bytes] | None:
        """The lines up to the one that ends the record which `start` leaves open, taken; none where none does."""
        if not self._queue:
            self._never_closes = False
        while not self._never_closes:
            if start.size + self._bytes > MAX_RECORD_BYTES or len(self._queue) >= MAX_RECORD_LINES:
                return None
            line = next(self._lines, None)
            if line is None:
                self._never_closes = True
                return None
            self._queue.append(line)
            self._bytes += line.size
            if line.fault:
                self._never_closes = True
                return None
            if b'"' not in line.raw:
                continue
            cells, is_open, _ = _cells([b'"' + line.raw], self._delimiter)
            if cells is not None:
                taken = [one.raw for one in self._queue]
                self._queue.clear()
                self._bytes = 0
                return taken
            self._never_closes = not is_open
        return None


def _records(lines: Iterator[_Line], delimiter: str) -> Iterator[tuple[int, bytes, str | None, list[str]]]:
    """(first line's number, raw text, fault, cells) of each record, blank lines too."""
    csv.field_size_limit(2 * MAX_RECORD_BYTES)
    waiting = _Waiting(lines, delimiter)
    number = 1
    while line := waiting.pop():
        raw, fault, cells, count = line.raw, line.fault, None, 1
        if fault is None and b'"' not in raw:
            cells = raw.decode("utf-8", "backslashreplace").rstrip("\r\n").split(delimiter)
        elif fault is None:
            cells, is_open, fault = _cells([raw], delimiter)
            rest = waiting.rest_of_cell(line) if is_open else None
            if rest is not None:
                cells, _, fault = _cells([raw, *rest], delimiter)
                raw, count = b"".join(chain((raw,), rest)), 1 + len(rest)
        yield number, raw, fault, cells or []
        number += count


def _cells(lines: list[bytes], delimiter: str) -> tuple[list[str] | None, bool, str | None]:
    """The cells of one record, or none; whether a quoted cell is open at the end; and what is wrong."""
    wanted_more = False

    def tape() -> Iterator[str]:
        nonlocal wanted_more
        for line in lines:
            yield line.decode("utf-8", "backslashreplace")
        wanted_more = True

    try:
        return next(csv.reader(tape(), delimiter=delimiter, strict=True)), False, None
    except csv.Error as error:
        return None, wanted_more, "a quoted cell does not end" if wanted_more else str(error)
