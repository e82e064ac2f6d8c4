"""What a landed file holds: packing and format told by its bytes, streamed unpacked, identified by their hash."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, cast

import pyarrow as pa  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHUNK_BYTES = 4 << 20
SNIFF_BYTES = 64 << 10

_PACKINGS = ((b"\x1f\x8b", "gzip"), (b"BZh", "bz2"), (b"\xfd7zXZ\x00", "xz"), (b"\x28\xb5\x2f\xfd", "zstd"))
_EXTENSIONS = {
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "ndjson",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
}
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Content:
    """The unpacked bytes of a file.

    Attributes:
        file_hash: SHA-256 of the unpacked bytes, in hexadecimal.
        format: ``ndjson``, ``csv`` or ``parquet``.
        packing: ``gzip``, ``bz2``, ``xz``, ``zstd``, or empty.
        size_bytes: Unpacked size.
        head: The first bytes, for telling a header.
    """

    file_hash: str
    format: str
    packing: str
    size_bytes: int
    head: bytes


def packing_of(path: Path) -> str:
    """The compression told by the first bytes; empty for none."""
    with path.open("rb") as file:
        magic = file.read(6)
    return next((name for prefix, name in _PACKINGS if magic.startswith(prefix)), "")


def _open(path: Path, packing: str) -> IO[bytes]:
    if packing == "gzip":
        return cast("IO[bytes]", gzip.open(path, "rb"))
    if packing == "bz2":
        return cast("IO[bytes]", bz2.open(path, "rb"))
    if packing == "xz":
        return cast("IO[bytes]", lzma.open(path, "rb"))
    return path.open("rb")


@contextmanager
def unpacked(path: Path, packing: str) -> Iterator[IO[bytes]]:
    """A stream of the file's unpacked bytes.

    Raises:
        OSError, EOFError, lzma.LZMAError: The file cannot be read or its packing is damaged.
    """
    if packing == "zstd":
        with pa.OSFile(str(path)) as raw, pa.CompressedInputStream(raw, "zstd") as stream:
            yield cast("IO[bytes]", stream)
        return
    with _open(path, packing) as stream:
        yield stream


def identify(path: Path) -> Content:
    """Hash the unpacked bytes and tell the format, in one pass.

    Raises:
        OSError, EOFError, lzma.LZMAError: The file cannot be read or its packing is damaged.
    """
    packing = packing_of(path)
    digest = hashlib.sha256()
    head, size = b"", 0
    with unpacked(path, packing) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
            if len(head) < SNIFF_BYTES:
                head += chunk[: SNIFF_BYTES - len(head)]
    return Content(digest.hexdigest(), format_of(path.name, head), packing, size, head)


def format_of(name: str, head: bytes) -> str:
    """The format told by magic bytes, else by an extension anywhere in the name, else by the first character."""
    if head.startswith(b"PAR1"):
        return "parquet"
    parts = name.lower().split(".")[1:]
    for part in reversed(parts):
        if f".{part}" in _EXTENSIONS:
            return _EXTENSIONS[f".{part}"]
    return "ndjson" if head.removeprefix(BOM).lstrip()[:1] in (b"{", b"") else "csv"
