"""Text with delimiters: every cell as the text that it is, and the delimiter found where none is said."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from typing import TYPE_CHECKING

import polars as pl

from fairsplit.analysis.catalogue.findings import shown
from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.errors import OrchestrationError

if TYPE_CHECKING:
    from pathlib import Path

#: The delimiter that a name's ending promises.
DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".txt": "\t"}
_CANDIDATES = (",", ";", "\t", "|")
_WORDS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
_NAMES = {"\t": "tab"}
_SAMPLE_BYTES = 65_536
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_BYTE_ORDER_MARKS = {
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
#: What spreadsheets write before the header.
_SAID_BY_FILE = re.compile(rb"\A\s*\"?sep=([,;|\t])\"?[ \t]*\r?\n", re.IGNORECASE)


def read_delimited(
    content: bytes, path: Path, delimiter: str | None, promised: str
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Cells as text, empty ones as null.

    Args:
        content: The file, unpacked.
        path: Its name, for messages.
        delimiter: One character (or ``tab``), or none to find it out.
        promised: What the name's ending promises.

    Returns:
        The frame, and the delimiter as a guess where it is not the promised one.

    Raises:
        OrchestrationError: Text that is not UTF-8 or UTF-16, rows longer than the header, a quote without an end,
            two columns of one name, one column only, a first row that is no header.
    """
    content = _as_utf8(content, path)
    guesses: tuple[str, ...] = ()
    if said := _SAID_BY_FILE.match(content):
        content, delimiter = content[said.end() :], delimiter or said[1].decode()
    if delimiter is None:
        used = found_delimiter(content[:_SAMPLE_BYTES].decode(errors="replace"), promised)
        if used != promised:
            guesses = (f"cells end at {_NAMES.get(used, used)} (override with --delimiter)",)
    else:
        used = _WORDS.get(delimiter, delimiter)
        if len(used.encode()) != 1 or used in '"\r\n':
            raise OrchestrationError(
                Problem("is no delimiter", "--delimiter", shown(delimiter), "one character, or tab")
            )
    if not content.strip():
        raise OrchestrationError(Problem("the file has no rows", "FILE", shown(path.name)))
    _require_names_once(content, path, used)
    try:
        frame = pl.read_csv(io.BytesIO(content), separator=used, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise OrchestrationError(_problem(str(error), path)) from error
    _require_header(frame, path)
    # A blank line is no row.
    return frame.filter(~pl.all_horizontal(pl.all().is_null())), guesses


def _as_utf8(content: bytes, path: Path) -> bytes:
    """UTF-8 without a byte order mark, with line ends that Polars knows."""
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            content = content.decode(encoding, errors="replace").removeprefix("\ufeff").encode()
            break
    content = content.removeprefix(b"\xef\xbb\xbf")
    if b"\0" in content.partition(b"\n")[0]:
        raise OrchestrationError(_problem("utf-8", path))
    return content if b"\n" in content else content.replace(b"\r", b"\n")


def _require_header(frame: pl.DataFrame, path: Path) -> None:
    """Refuse a single column, and a first row of data: all columns of numbers have names that are numbers too.

    The names that a program gives columns without names, 0, 1, 2 …, are a header all the same.
    """
    if frame.width == 1:
        hint = "name the delimiter with --delimiter"
        raise OrchestrationError(
            Problem("the file has one column", shown(path.name), shown(frame.columns[0]), hint=hint)
        )
    numeric = [
        name
        for name in frame.columns
        if _are_numbers(frame[name]).all() and frame[name].null_count() < frame.height
    ]
    names = pl.Series(numeric, dtype=pl.String).str.strip_chars()
    if numeric and _are_numbers(names).all() and frame.columns != [str(i) for i in range(frame.width)]:
        rule = "the names of the columns in the first row"
        raise OrchestrationError(
            Problem("the file has no header", shown(path.name), shown(", ".join(frame.columns)), rule)
        )


def _are_numbers(cells: pl.Series) -> pl.Series:
    filled = cells.drop_nulls()
    return filled.cast(pl.Float64, strict=False).is_not_null()


def found_delimiter(sample: str, promised: str) -> str:
    r"""The delimiter that gives every row of the sample the same number of cells, and the most of them.

    >>> found_delimiter("id;price\n1;2,50\n2;3,10\n", ","), found_delimiter('id,"a;b"\n1,2\n', ",")
    (';', ',')
    """
    lines = [line for line in _QUOTED.sub("", sample).splitlines() if line.strip()]
    # The sample may end within a row.
    lines = lines[:-1] if len(sample.encode()) >= _SAMPLE_BYTES and len(lines) > 1 else lines
    even = {
        candidate: counts.pop()
        for candidate in _CANDIDATES
        if len(counts := {line.count(candidate) for line in lines}) == 1 and counts != {0}
    }
    if not even or promised in even:
        return promised
    return max(even, key=lambda candidate: even[candidate])


def _require_names_once(content: bytes, path: Path, delimiter: str) -> None:
    # Polars renames a second column of a name in silence.
    text = io.StringIO(content[: 16 * _SAMPLE_BYTES].decode(errors="replace"))
    try:
        header = next(csv.reader(text, delimiter=delimiter), [])
    except csv.Error:
        return
    for name, times in Counter(name.strip() for name in header).items():
        if times > 1:
            raise OrchestrationError(
                Problem("two columns have one name", shown(path.name), shown(name), "each name once")
            )


def _problem(error: str, path: Path) -> Problem:
    where = shown(path.name)
    if "utf-8" in error:
        return Problem("the text is not UTF-8", where, hint="save the file as UTF-8")
    if "more fields" in error:
        hint = "name the delimiter with --delimiter, or quote cells that hold it"
        return Problem("a row has more cells than the header", where, hint=hint)
    if "could not parse" in error:
        return Problem("a quote has no end", where, hint="double the quotes inside quoted cells")
    return Problem("the file cannot be read", where, shown(error.splitlines()[0] if error else ""))
