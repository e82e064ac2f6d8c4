"""NDJSON as Arrow batches of lines: no parsing here, only what SQL cannot see (bytes, length, strictness)."""

from __future__ import annotations

import json
import math
import re
from typing import IO, TYPE_CHECKING, NoReturn

import numpy as np
import pyarrow as pa

from orchestration.ingest.content import BOM, CHUNK_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

MAX_LINE_BYTES = 16 << 20
KEPT_BYTES = 1 << 20
"""Of a line beyond the limit, so much is kept in quarantine."""

NOT_FINITE = "not finite"
"""The fault of a line that parses but for NaN or an infinity."""

SCHEMA = pa.schema(
    [("file_index", pa.int32()), ("line_number", pa.int64()), ("line", pa.string()), ("fault", pa.string())]
)

# DuckDB's reader accepts trailing commas, NaN and infinities; only lines with such a shape are parsed again here.
_SUSPECT = re.compile(rb",\s*[\]}]|[:\[,]\s*[-+]?(?:nan|inf)|\d[eE]\+?\d{3}", re.IGNORECASE)
_BLANK_STARTS = np.frombuffer(b" \t\r\n\v\f", dtype=np.uint8)


class _NotFiniteError(ValueError):
    """A number that JSON cannot hold."""


def _refuse(token: str) -> NoReturn:
    raise _NotFiniteError(token)


def _finite(token: str) -> float:
    number = float(token)
    if not math.isfinite(number):
        _refuse(token)
    return number


def strict_fault(line: bytes) -> str | None:
    """Why a line is not strict JSON: a sentence, `NOT_FINITE`, or none."""
    try:
        json.loads(line, parse_constant=_refuse, parse_float=_finite)
    except _NotFiniteError:
        return NOT_FINITE
    except RecursionError:
        return "nested too deeply"
    except ValueError as error:
        return f"not JSON: {error}"
    return None


def line_batches(stream: IO[bytes], file_index: int) -> Iterator[pa.RecordBatch]:
    """The stream's non-blank lines, numbered from 1 over all lines, with the faults that bytes alone show.

    Args:
        stream: Unpacked bytes; read in chunks, so that memory does not grow with the file.
        file_index: Repeated in each row.

    Yields:
        Batches of `SCHEMA`. Bytes that are not UTF-8 are kept as ``\\xNN``.
    """
    carry, number, first = b"", 1, True
    while chunk := stream.read(CHUNK_BYTES):
        if first:
            chunk, first = chunk.removeprefix(BOM), False
        cut = chunk.rfind(b"\n") + 1
        if not cut:
            carry += chunk
            if len(carry) > MAX_LINE_BYTES:
                skipped = _skip_line(stream)
                yield _overlong(carry, skipped[0], file_index, number)
                carry, number = skipped[1], number + 1
            continue
        block, carry = carry + chunk[:cut], chunk[cut:]
        batch, count = _batch(block, file_index, number)
        number += count
        yield batch
    if carry:
        yield _batch(carry + b"\n", file_index, number)[0]


def _skip_line(stream: IO[bytes]) -> tuple[int, bytes]:
    """Read on to the end of the line; the bytes skipped and what follows the line."""
    skipped = 0
    while chunk := stream.read(CHUNK_BYTES):
        end = chunk.find(b"\n")
        if end >= 0:
            return skipped + end, chunk[end + 1 :]
        skipped += len(chunk)
    return skipped, b""


def _overlong(start: bytes, rest: int, file_index: int, number: int) -> pa.RecordBatch:
    fault = f"a line of {len(start) + rest} bytes, of which the first {KEPT_BYTES} are kept"
    text = start[:KEPT_BYTES].decode("utf-8", "backslashreplace")
    return pa.record_batch([[file_index], [number], [text], [fault]], schema=SCHEMA)


def _batch(block: bytes, file_index: int, number: int) -> tuple[pa.RecordBatch, int]:
    """The batch of a block of whole lines, and how many lines the block has."""
    data = np.frombuffer(block, dtype=np.uint8)
    ends = np.flatnonzero(data == ord("\n")) + 1
    starts = np.concatenate(([0], ends[:-1]))
    faults = {int(np.searchsorted(ends, hit.start(), "right")): "" for hit in _SUSPECT.finditer(block)}
    for index in faults:
        faults[index] = strict_fault(block[starts[index] : ends[index]]) or ""
    lines = _texts(block, starts, ends, faults)
    keep = ~_blank(block, data, starts, ends)
    fault_column: list[str | None] = [None] * len(ends)
    for index, fault in faults.items():
        fault_column[index] = fault or None
    table = pa.record_batch(
        [
            np.full(len(ends), file_index, dtype=np.int32),
            np.arange(number, number + len(ends), dtype=np.int64),
            lines,
            pa.array(fault_column, type=pa.string()),
        ],
        schema=SCHEMA,
    )
    return (table if keep.all() else table.filter(pa.array(keep))), len(ends)


def _texts(
    block: bytes, starts: NDArray[np.int64], ends: NDArray[np.int64], faults: dict[int, str]
) -> pa.StringArray:
    try:
        block.decode("utf-8")
    except UnicodeDecodeError:
        texts = []
        for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
            line = block[start:end]
            try:
                texts.append(line.decode("utf-8"))
            except UnicodeDecodeError as error:
                texts.append(line.decode("utf-8", "backslashreplace"))
                faults[index] = f"not UTF-8 at byte {error.start + 1}"
        return pa.array(texts, type=pa.string())
    offsets = np.concatenate(([0], ends)).astype(np.int32)
    return pa.StringArray.from_buffers(len(ends), pa.py_buffer(offsets), pa.py_buffer(block))


def _blank(
    block: bytes, data: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> NDArray[np.bool_]:
    blank = np.zeros(len(ends), dtype=np.bool_)
    for index in np.flatnonzero(np.isin(data[starts], _BLANK_STARTS)):
        blank[index] = not block[starts[index] : ends[index]].strip()
    return blank
