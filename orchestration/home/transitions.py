"""A transition is two writes, the definition's file and the log: an intent beside them lets both be done."""

from __future__ import annotations

import fcntl
import json
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from fairsplit.analysis.lifecycle.log import append, entry_of, line_of, read_log
from fairsplit.assignment_exports.durable import replace_durably

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from fairsplit.analysis.lifecycle.log import Entry

#: In the catalogue's folder, beside the log.
INTENT: Final = ".transition.json"
_LOCK: Final = ".transition.lock"


@contextmanager
def one_at_a_time(catalog: Path) -> Iterator[Entry | None]:
    """Read, judge and carry out a transition before anybody else does; moments, so that the others wait.

    Yields:
        The transition that was begun and not ended, and is carried out now.

    Raises:
        LifecycleError: The log is damaged, so that nothing is to be appended to it.
    """
    if not catalog.is_dir():
        yield None  # which reading the definitions tells
        return
    with (catalog / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield _finish(catalog)


def carry_out(catalog: Path, file: Path, text: str, entries: Sequence[Entry]) -> None:
    """Write a definition's text, then append to the log; killed anywhere, `finish_interrupted` does the rest.

    Args:
        catalog: The catalogue's folder.
        file: The definition's file in it, or the one that is to be.
        text: Its new text.
        entries: What the log is to tell; the last one is the transition.
    """
    begun = {
        "file": file.relative_to(catalog).as_posix(),
        "before": file.read_text(encoding="utf-8") if file.exists() else None,
        "text": text,
        "entries": [line_of(entry) for entry in entries],
    }
    replace_durably(catalog / INTENT, json.dumps(begun).encode())
    _do(catalog, file, text, entries)


def finish_interrupted(catalog: Path) -> Entry | None:
    """Carry out the transition that was begun and not ended, and return its entry; none in a catalogue at rest.

    A file that somebody has edited since stays as it is: the next transition logs the edit.

    Raises:
        LifecycleError: The log is damaged, so that nothing is to be appended to it.
    """
    if not is_begun(catalog):
        return None
    with one_at_a_time(catalog) as entry:
        return entry


def is_begun(catalog: Path) -> bool:
    """Whether a transition was begun and not ended."""
    return (catalog / INTENT).exists()


def _finish(catalog: Path) -> Entry | None:
    intent = catalog / INTENT
    if not intent.exists():
        return None
    begun = json.loads(intent.read_text(encoding="utf-8"))
    file = catalog / begun["file"]
    present = file.read_text(encoding="utf-8") if file.exists() else None
    entries = [entry_of(line) for line in begun["entries"]]
    _do(catalog, file, begun["text"] if present == begun["before"] else None, entries)
    return entries[-1]


def _do(catalog: Path, file: Path, text: str | None, entries: Sequence[Entry]) -> None:
    if text is not None:
        partial = file.with_name(f".{file.name}.part")
        partial.write_text(text, encoding="utf-8")
        if file.exists():
            shutil.copymode(file, partial)
        partial.replace(file)
    if read_log(catalog)[-len(entries) :] != list(entries):
        append(catalog, entries)
    (catalog / INTENT).unlink()
