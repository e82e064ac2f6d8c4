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
_BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


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
            two columns of one name.
    """
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            content = content.decode(encoding, errors="replace").encode()
    content = content.removeprefix(b"\xef\xbb\xbf")
    if b"\n" not in content:
        content = content.replace(b"\r", b"\n")
    guesses: tuple[str, ...] = ()
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
    return frame, guesses


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
