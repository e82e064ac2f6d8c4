"""The append-only log of transitions: one JSON object a line, beside the definitions it is about."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.catalogue.yaml_source import read_regular
from fairsplit.analysis.errors import Problem
from fairsplit.analysis.lifecycle.changes import changes
from fairsplit.analysis.lifecycle.states import LifecycleError, is_legal_edge
from fairsplit.analysis.lines import append_lines, split_torn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

LOG_NAME = "transitions.ndjson"
EDITED = "edited"


@dataclass(frozen=True, slots=True)
class Entry:
    """One transition, or one edit that no command made.

    Attributes:
        at: When it was logged, naive UTC.
        experiment: Id.
        action: An action of the state machine, ``create`` of a draft that follows another, or ``edited``.
        before: Status before.
        after: Status after.
        effective: When it takes effect, naive UTC.
        reason: The author's words.
        definition_hash: `experiment_hash` of the file after it.
        definition: `experiment_facts` after it, so that later changes can be listed.
        advice: The sentence of the decision that it goes against; empty where it goes against none.
    """

    at: datetime
    experiment: str
    action: str
    before: str
    after: str
    effective: datetime
    reason: str
    definition_hash: str
    definition: Mapping[str, Any] = field(default_factory=dict)
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """A state of a definition that a run has seen.

    Attributes:
        at: When it was first seen, naive UTC.
        experiment: Id.
        status: Status.
        definition_hash: Hash.
        definition: Facts.
    """

    at: datetime
    experiment: str
    status: str
    definition_hash: str
    definition: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One line of an experiment's history.

    Attributes:
        at: When, naive UTC.
        what: In words.
        definition_hash: The definition after it.
        marks_result: Whether the result must be read as changed after the start.
    """

    at: datetime
    what: str
    definition_hash: str
    marks_result: bool


def read_log(folder: Path) -> list[Entry]:
    """All entries in the order in which they were appended; none where there is no log.

    Args:
        folder: The catalogue's folder.

    Raises:
        LifecycleError: A line is not an entry: nothing is to be appended to such a log. A torn last line never was one:
            the next append leaves it out.
    """
    entries, problems, _ = _read(folder)
    if problems:
        raise LifecycleError(problems[0])
    return entries


def read_sound(folder: Path) -> tuple[list[Entry], list[Problem]]:
    """The entries of a log that may be damaged, and each line that is none, a torn last one too."""
    entries, problems, torn = _read(folder)
    return entries, [*problems, *torn]


def _read(folder: Path) -> tuple[list[Entry], list[Problem], list[Problem]]:
    """The entries, the lines that are none, and the last one where it was torn off while it was written."""
    try:
        content = read_regular(folder / LOG_NAME)
    except FileNotFoundError:
        return [], [], []
    except OSError as error:
        return [], [Problem("the transition log cannot be read", LOG_NAME, error.strerror or "")], []
    entries: list[Entry] = []
    problems: list[Problem] = []
    lines, tail = split_torn(content.decode("utf-8", "replace"))
    for number, line in enumerate(lines, start=1):
        try:
            entries.append(entry_of(line))
        except (ValueError, TypeError, KeyError, AttributeError):
            problems.append(_no_entry(number))
    return entries, problems, [_no_entry(len(lines) + 1)] if tail else []


def _no_entry(number: int) -> Problem:
    return Problem(
        "not an entry of the transition log",
        f"{LOG_NAME}:{number}",
        hint="the log is append-only: restore the line from version control",
    )


def append(folder: Path, entries: Sequence[Entry]) -> None:
    """Append entries, durably: all of them or none."""
    append_lines(folder / LOG_NAME, [line_of(entry) for entry in entries])


def line_of(entry: Entry) -> str:
    """An entry as a line of the log."""
    return json.dumps(asdict(entry), ensure_ascii=False, sort_keys=True, default=_iso)


def entry_of(line: str) -> Entry:
    """The entry of a line.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: It is none.
    """
    row = json.loads(line)
    times = {name: datetime.fromisoformat(row[name].removesuffix("Z")) for name in ("at", "effective")}
    return Entry(**{**row, **times})


def _iso(value: datetime) -> str:
    return value.isoformat() + "Z"


def edit_entry(last: Entry | None, now: Observed) -> Entry | None:
    """The entry for an edit that no command logged; none where the file is as the log left it, or has no log yet."""
    if last is None or (last.after, last.definition_hash) == (now.status, now.definition_hash):
        return None
    return Entry(
        now.at,
        now.experiment,
        EDITED,
        last.after,
        now.status,
        now.at,
        "the file was edited without a command",
        now.definition_hash,
        now.definition,
    )


def history(entries: Sequence[Entry], observed: Sequence[Observed] = ()) -> list[HistoryLine]:
    """The history of one experiment: its logged transitions, and the edits that runs saw without a log entry.

    Args:
        entries: Its entries, oldest first.
        observed: States that runs saw, oldest first; the first is what was registered and makes no line.
    """
    edits = []
    for before, now in pairwise(observed):
        logged = any(
            entry.at >= before.at
            and (entry.after, entry.definition_hash) == (now.status, now.definition_hash)
            for entry in entries
        )
        if not logged:
            edits.append((before, now))
    lines = [
        _line(entry.at, entry, earlier) for earlier, entry in zip((None, *entries), entries, strict=False)
    ]
    for before, now in edits:
        entry = Entry(
            now.at,
            now.experiment,
            EDITED,
            before.status,
            now.status,
            now.at,
            "",
            now.definition_hash,
            now.definition,
        )
        earlier = Entry(
            before.at, now.experiment, EDITED, "", before.status, before.at, "", "", before.definition
        )
        lines.append(_line(now.at, entry, earlier))
    return sorted(lines, key=lambda line: line.at)


def _line(at: datetime, entry: Entry, earlier: Entry | None) -> HistoryLine:
    """A command's own effects are its sentence; of an edit every change is listed with what it affects."""
    moved = f"{entry.before} → {entry.after}" if entry.before != entry.after else entry.after
    reason = f": {entry.reason}" if entry.reason else ""
    if entry.action != EDITED:
        against = f" (against the advice: {entry.advice})" if entry.advice else ""
        what = f"{entry.action} ({moved}){reason}{against}"
        return HistoryLine(at, what, entry.definition_hash, marks_result=False)
    found = changes(earlier.definition, entry.definition) if earlier and earlier.definition else ()
    words = [str(change) for change in found]
    if entry.before != entry.after:
        legal = "" if is_legal_edge(entry.before, entry.after) else ", which no command allows"
        words.insert(0, f"status: {moved}{legal}")
    # Before the start nothing is frozen: a draft may change.
    marks = entry.before != "draft" and any(change.marks_result for change in found)
    text = "; ".join(words) or "nothing that affects a number"
    return HistoryLine(at, f"{EDITED}{reason}: {text}", entry.definition_hash, marks)
