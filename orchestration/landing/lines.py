"""NDJSON as Arrow batches of lines: no parsing here, only what SQL cannot see (bytes and length)."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from fairsplit.orchestration.landing.content import BOM
from fairsplit.orchestration.landing.limits import CHUNK_BYTES, KEPT_BYTES, MAX_RECORD_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

SCHEMA = pa.schema(
    [("file_index", pa.int32()), ("line_number", pa.int64()), ("line", pa.string()), ("fault", pa.string())]
)

_BLANK_STARTS = np.frombuffer(b" \t\r\n\v\f", dtype=np.uint8)


def line_batches(stream: IO[bytes], file_index: int) -> Iterator[pa.RecordBatch]:
    r"""The stream's non-blank lines, numbered from 1 over all lines, with the faults that bytes alone show.

    Args:
        stream: Unpacked bytes; read in chunks, so that memory does not grow with the file.
        file_index: Repeated in each row.

    Yields:
        Batches of `SCHEMA`. Bytes that are not UTF-8 are kept as ``\xNN``.
    """
    carry, unread, number, first = b"", b"", 1, True
    while chunk := unread or stream.read(CHUNK_BYTES):
        unread = b""
        if first:
            chunk, first = chunk.removeprefix(BOM), False
        cut = chunk.rfind(b"\n") + 1
        if not cut:
            carry += chunk
            if len(carry) > MAX_RECORD_BYTES:
                skipped, unread = _skip_line(stream)
                yield _overlong(carry, skipped, file_index, number)
                carry, number = b"", number + 1
            continue
        end = chunk.find(b"\n")
        if len(carry) + end > MAX_RECORD_BYTES:
            yield _overlong(carry, end, file_index, number)
            carry, unread, number = b"", chunk[end + 1 :], number + 1
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
    texts, faults = _texts(block, starts, ends)
    keep = ~_blank(block, data, starts, ends)
    table = pa.record_batch(
        [
            np.full(len(ends), file_index, dtype=np.int32),
            np.arange(number, number + len(ends), dtype=np.int64),
            texts,
            faults,
        ],
        schema=SCHEMA,
    )
    return (table if keep.all() else table.filter(pa.array(keep))), len(ends)


def _texts(
    block: bytes, starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> tuple[pa.StringArray, pa.StringArray]:
    """The lines with their ends, and which of them are not UTF-8."""
    try:
        block.decode("utf-8")
    except UnicodeDecodeError:
        return _repaired([block[start:end] for start, end in zip(starts, ends, strict=True)])
    offsets = np.concatenate(([0], ends)).astype(np.int32)
    texts = pa.StringArray.from_buffers(len(ends), pa.py_buffer(offsets), pa.py_buffer(block))
    return texts, pa.nulls(len(ends), pa.string())


def _repaired(lines: list[bytes]) -> tuple[pa.StringArray, pa.StringArray]:
    texts, faults = [], []
    for line in lines:
        fault = None
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            text = line.decode("utf-8", "backslashreplace")
            fault = f"not UTF-8 at byte {error.start + 1}"
        texts.append(text)
        faults.append(fault)
    return pa.array(texts, type=pa.string()), pa.array(faults, type=pa.string())


def _blank(
    block: bytes, data: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> NDArray[np.bool_]:
    blank = np.zeros(len(ends), dtype=np.bool_)
    for index in np.flatnonzero(np.isin(data[starts], _BLANK_STARTS)):
        blank[index] = not block[starts[index] : ends[index]].strip()
    return blank
