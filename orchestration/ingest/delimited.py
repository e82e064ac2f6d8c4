"""CSV and TSV as Arrow batches of text cells; a record that does not fit its header keeps its raw text."""

from __future__ import annotations

import csv
import io
from collections import deque
from typing import IO, TYPE_CHECKING

import pyarrow as pa  # type: ignore[import-untyped]

from orchestration.ingest.content import BOM

if TYPE_CHECKING:
    from collections.abc import Iterator

BATCH_ROWS = 20_000
MAX_CELL_CHARACTERS = 1 << 20
DELIMITERS = ",\t;|"


class _Tape:
    """Lines to read, remembering those that the current record consumed so that they can be put back."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._again: deque[str] = deque()
        self.record: list[str] = []

    def __iter__(self) -> _Tape:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self.record.append(line)
        return line

    def back_to_second_line(self) -> None:
        self._again.extendleft(reversed(self.record[1:]))
        del self.record[1:]


def header_of(head: bytes, delimiter: str | None) -> tuple[list[str], str]:
    """The column names and the delimiter, told by the first line.

    Args:
        head: The file's first bytes.
        delimiter: As declared; else the one among comma, tab, semicolon and bar that the first line has most of.
    """
    text = head.removeprefix(BOM).decode("utf-8", "backslashreplace")
    first = next(iter(text.splitlines()), "")
    mark = delimiter or max(DELIMITERS, key=first.count)
    names = next(csv.reader(io.StringIO(text, newline=""), delimiter=mark), [])
    return [name.strip() for name in names], mark


def schema(width: int) -> pa.Schema:
    """The batches' columns: the cells are ``c0``, ``c1``, … because a header may hold any text."""
    cells = [(f"c{index}", pa.string()) for index in range(width)]
    return pa.schema(
        [
            ("file_index", pa.int32()),
            ("line_number", pa.int64()),
            ("line", pa.string()),
            ("fault", pa.string()),
            *cells,
        ]
    )


def row_batches(stream: IO[bytes], file_index: int, width: int, delimiter: str) -> Iterator[pa.RecordBatch]:
    """The records after the header; empty cells are null, blank lines are no records.

    Args:
        stream: Unpacked bytes.
        file_index: Repeated in each row.
        width: Cells of a whole record.
        delimiter: One character.

    Yields:
        Batches of `schema`; `line_number` is the record's first line, `line` its text.
    """
    text = io.TextIOWrapper(stream, "utf-8-sig", errors="backslashreplace", newline="")
    rows: list[tuple[object, ...]] = []
    for number, line, fault, cells in _records(_Tape(iter(text)), width, delimiter):
        rows.append((file_index, number, line, fault, *cells))
        if len(rows) == BATCH_ROWS:
            yield _batch(rows, width)
            rows = []
    if rows:
        yield _batch(rows, width)
    text.detach()


def _batch(rows: list[tuple[object, ...]], width: int) -> pa.RecordBatch:
    wanted = schema(width)
    columns = [
        pa.array(column, type=field.type)
        for column, field in zip(zip(*rows, strict=True), wanted, strict=True)
    ]
    return pa.record_batch(columns, schema=wanted)


def _records(
    tape: _Tape, width: int, delimiter: str
) -> Iterator[tuple[int, str, str | None, list[str | None]]]:
    csv.field_size_limit(MAX_CELL_CHARACTERS)
    reader = csv.reader(tape, delimiter=delimiter, strict=True)
    empty: list[str | None] = [None] * width
    number, header = 1, True
    while True:
        tape.record.clear()
        fault, cells = None, []
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            # A stray quote swallows what follows: only its own line is at fault, the rest is read again.
            tape.back_to_second_line()
            fault = str(error)
        start, number = number, number + len(tape.record)
        line = "".join(tape.record).rstrip("\r\n")
        if header:
            header = False
        elif fault is None and len(cells) == width:
            yield start, line, None, [cell or None for cell in cells]
        elif fault is not None or line.strip():
            yield start, line, fault or f"{len(cells)} cells where the header has {width}", empty
