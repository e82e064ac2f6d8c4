"""Journals of one JSON object a line: an append leaves the old file or the new one, and a torn last line is told."""

from __future__ import annotations

import json
import logging
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_LOG = logging.getLogger("fairsplit.journals")


def split_torn(content: str) -> tuple[list[str], str]:
    r"""The lines of a journal, and the last one apart where it was torn off while it was written.

    >>> split_torn('{"a": 1}\n{"b"')
    (['{"a": 1}'], '{"b"')
    >>> split_torn('{"a": 1}')
    (['{"a": 1}'], '')
    """
    *lines, tail = content.split("\n")
    if not tail:
        return lines, ""
    try:
        json.loads(tail)
    except ValueError:
        return lines, tail
    return [*lines, tail], ""


def append_lines(path: Path, rows: Iterable[str]) -> None:
    """Append lines to a journal, durably: whoever is killed leaves all of them or none.

    A torn last line, which was never an entry, is left out; a warning says so.

    Args:
        path: The journal; begun where there is none.
        rows: Each a JSON object, without the end of the line.
    """
    content = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    lines, torn = split_torn(content)
    if torn:
        _LOG.warning("%s: the last line was torn and is left out: %s", path.name, torn)
    write_lines(path, [*lines, *rows])


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Put a journal's whole content in place of what stands there, by one rename."""
    partial = path.with_name(f".{path.name}.part")
    with partial.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)
        file.flush()
        os.fsync(file.fileno())
    if path.exists():
        partial.chmod(path.stat().st_mode & 0o777)
    partial.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
