"""What a landed file holds: packing and format told by its bytes, streamed unpacked, identified by their hash."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import json
import lzma
import re
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, cast

import pyarrow as pa  # type: ignore[import-untyped]

from fairsplit.orchestration.landing.limits import CHUNK_BYTES, SNIFF_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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
READ_ERRORS = (OSError, EOFError, lzma.LZMAError, zlib.error)
"""What reading a damaged or forbidden file raises."""

_PACK_IT = "unpack it, or pack it with gzip, bz2, xz or zstd"
_NOT_READ = (
    (rb"PK(\x03\x04|\x05\x06)", "ZIP is not supported (a spreadsheet of Excel is one too)", _PACK_IT),
    (rb"7z\xbc\xaf\x27\x1c", "7z is not supported", _PACK_IT),
    (rb"Rar!\x1a", "RAR is not supported", _PACK_IT),
    (rb"\x04\x22\x4d\x18", "LZ4 is not supported", _PACK_IT),
    (rb"\xff\x06\x00\x00sNaPpY", "Snappy is not supported", _PACK_IT),
    (rb"\x1f\x9d", "compress (.Z) is not supported", _PACK_IT),
    (rb"(?s).{257}ustar", "an archive (tar) is not supported", "land its files one by one"),
    (rb"Obj\x01", "Avro is not read", "write Parquet or NDJSON"),
    (rb"ARROW1|\xff\xff\xff\xff", "Arrow and Feather files are not read", "write Parquet"),
    (rb"(?s)ORC.{0,200}\x00", "ORC is not read", "write Parquet"),
    (rb"(?s)SQLite format 3\x00|.{8}DUCK", "a database is not read as a file", "export its table as Parquet"),
    (rb"\xd0\xcf\x11\xe0", "a spreadsheet is not read", "save it as CSV in UTF-8"),
    (rb"%PDF", "PDF is not read", "land NDJSON, CSV or Parquet"),
    (rb"\xff\xfe|\xfe\xff", "UTF-16 is not read", "save it as UTF-8"),
)
"""Beginnings of contents that are not read: what they are, and the way out."""

_ONE_OBJECT_A_LINE = "one object a line is wanted (NDJSON); `jq -c '.[]'` or `jq -c .` writes it so"
_ARRAY = re.compile(rb"\s*\[\s*(\{|\]\s*$)")
_PRETTY = re.compile(rb'\s*[{\[][^\n]*\n\s*"(?:[^"\\\n]|\\.)*"\s*:')


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

    def read_as(self, format_: str) -> Content:
        """The same in this format; what holds nothing but blanks is NDJSON without lines, whatever its name says."""
        is_blank = self.size_bytes <= len(self.head) and not self.head.removeprefix(BOM).strip()
        return self if is_blank else replace(self, format=format_)

    def refuse_what_is_not_read(self) -> None:
        """Raise where the beginning shows a packing or a layout that is not read.

        Raises:
            OSError: What it is, and the way out.
        """
        inner = _packing_of(self.head)
        if inner:
            raise OSError(f"packed twice ({inner} in {self.packing}); pack it once")
        for beginning, what, way_out in _NOT_READ:
            if re.match(beginning, self.head):
                raise OSError(f"{what}; {way_out}")
        if self.format == "parquet" and self.packing:
            raise OSError(f"Parquet packed with {self.packing}; unpack it: Parquet packs its columns itself")
        if self.format == "ndjson":
            text = self.head.removeprefix(BOM)
            if _ARRAY.match(text):
                raise OSError(f"a JSON array; {_ONE_OBJECT_A_LINE}")
            if _PRETTY.match(text) and not _is_json(text.lstrip().splitlines()[0]):
                raise OSError(f"JSON over several lines; {_ONE_OBJECT_A_LINE}")


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def packing_of(path: Path) -> str:
    """The compression told by the first bytes; empty for none."""
    with path.open("rb") as file:
        return _packing_of(file.read(6))


def _packing_of(head: bytes) -> str:
    return next((name for prefix, name in _PACKINGS if head.startswith(prefix)), "")


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
        OSError, EOFError, lzma.LZMAError, zlib.error: The file cannot be read or its packing is damaged.
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
        OSError, EOFError, lzma.LZMAError, zlib.error: The file cannot be read or its packing is damaged.
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
    content = Content(digest.hexdigest(), "ndjson", packing, size, head)
    return content.read_as(format_of(path.name, head))


def format_of(name: str, head: bytes) -> str:
    """The format told by magic bytes, else by an extension anywhere in the name, else by the first character."""
    if head.startswith(b"PAR1"):
        return "parquet"
    parts = name.lower().split(".")[1:]
    for part in reversed(parts):
        if f".{part}" in _EXTENSIONS:
            return _EXTENSIONS[f".{part}"]
    return "ndjson" if head.removeprefix(BOM).lstrip()[:1] in (b"{", b"[") else "csv"
