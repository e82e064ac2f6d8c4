"""A transition as an edit of the experiment's file that leaves every other line as its author wrote it."""

from __future__ import annotations

import difflib
import io
from dataclasses import dataclass
from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.timestamp import TimeStamp

from fairsplit.analysis.lifecycle.states import stage_after

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from fairsplit.analysis.catalogue.experiment import Phase

#: Written as Z, the catalogue's way.
_UTC = timezone(timedelta(), "Z")


@dataclass(frozen=True, slots=True)
class Edit:
    """One transition to write.

    Attributes:
        action: The action.
        status: The status after it.
        at: When it takes effect, naive UTC, whole seconds.
        start: The start that the file declares.
        end: The end that it declares; none for an open one.
        ship: Completed: the variant that everybody gets; none for control.
        phases: Accepted: the phases so far and the one that the act opens.
        new_end: Accepted: the end of an extended experiment.
    """

    action: str
    status: str
    at: datetime
    start: datetime
    end: datetime | None = None
    ship: str | None = None
    phases: Sequence[Phase] = ()
    new_end: datetime | None = None


def edited(text: str, edit: Edit) -> str:
    """The file's text after a transition.

    Starting moves a start that has passed to the instant of the command, for a draft was exposed to nobody; a start
    that is still to come stays. Pausing appends to `pauses`, resuming ends the last pause, and completing or
    cancelling ends the experiment at the instant unless it has ended before. An accepted act appends a phase, and the
    short form without phases becomes the long one; an accepted extension sets the end.

    Args:
        text: The file.
        edit: The transition; legal.

    Returns:
        The new text; comments, order, quoting and layout of everything else are as before.
    """
    return rewritten(text, lambda data: _apply(data, edit))


def _apply(data: CommentedMap, edit: Edit) -> None:
    data["status"] = edit.status
    stage = stage_after(data.get("stage"), edit.status)
    if stage is not None:
        data["stage"] = stage
    if edit.action == "start":
        _start(data, edit)
    elif edit.action == "pause":
        _append_pause(data, edit.at)
    elif edit.action == "accept" and edit.new_end is not None:
        _put(data, "end", stamp(edit.new_end), after=("start",))
        # A declared end says how long the experiment lasts.
        data.get("plan", {}).pop("max_duration", None)
    elif edit.action == "accept":
        _append_phase(data, edit.phases)
    elif edit.action != "archive":
        _end_pause(data, edit.at)
    if edit.action in ("complete", "cancel"):
        _end(data, edit)
    if edit.ship is not None:
        _put(data, "shipped", edit.ship, after=("status",))


def _start(data: CommentedMap, edit: Edit) -> None:
    if edit.start >= edit.at:
        return
    data["start"] = stamp(edit.at)
    phases = data.get("phases")
    if phases:
        phases[0]["start"] = stamp(edit.at)


def _append_phase(data: CommentedMap, phases: Sequence[Phase]) -> None:
    if data.get("phases"):
        data["phases"].append(_flow_phase(phases[-1]))
        return
    _put(data, "phases", CommentedSeq(map(_flow_phase, phases)), after=("traffic", "end", "start"))
    data.pop("traffic", None)
    for variant in data["variants"]:
        variant.pop("weight", None)


def _flow_phase(phase: Phase) -> CommentedMap:
    written = CommentedMap(
        {"start": stamp(phase.start), "traffic": phase.traffic, "weights": CommentedMap(phase.weights)}
    )
    salts = phase.salts.model_dump(exclude_none=True)
    if salts:
        written["salts"] = salts
    if phase.leaves:
        written["leaves"] = [leaf.model_dump(mode="json") for leaf in phase.leaves]
    written.fa.set_flow_style()
    return written


def _append_pause(data: CommentedMap, at: datetime) -> None:
    pause = CommentedMap({"start": stamp(at)})
    pause.fa.set_flow_style()
    if data.get("pauses"):
        data["pauses"].append(pause)
        return
    _put(data, "pauses", CommentedSeq([pause]), after=("phases", "traffic", "end", "start"))


def _end_pause(data: CommentedMap, at: datetime) -> None:
    pauses = data.get("pauses")
    if pauses and pauses[-1].get("end") is None:
        pauses[-1]["end"] = stamp(at)


def _end(data: CommentedMap, edit: Edit) -> None:
    if edit.end is None or edit.end > edit.at:
        # What is called off before its start ends a second after it, for an end lies behind its start.
        at = max(edit.at, edit.start + timedelta(seconds=1))
        _put(data, "end", stamp(at), after=("start",))


def _put(data: CommentedMap, key: str, value: Any, after: Sequence[str]) -> None:
    """Set a key, or insert it behind the first of the given ones that exists."""
    if key in data:
        data[key] = value
        return
    names = list(data)
    place = next(names.index(name) for name in after if name in data)
    data.insert(place + 1, key, value)


def stamp(at: datetime) -> TimeStamp:
    """A naive UTC instant as the catalogue writes it."""
    written = TimeStamp(at.year, at.month, at.day, at.hour, at.minute, at.second, tzinfo=_UTC)
    written._yaml["t"] = True  # noqa: SLF001  (the only way to a T between date and time)
    return written


def rewritten(text: str, change: Callable[[CommentedMap], None]) -> str:
    """Apply a change and take over only the lines that it changed.

    Ruamel keeps comments and order, yet writes a few scalars in its own way (escapes, for one). So the file is
    written twice, without and with the change, and the difference is applied to the author's own lines.
    """
    data = yaml_of().load(text)
    before = _dumped(data)
    change(data)
    after = _dumped(data)
    original = text.splitlines(keepends=True)
    if len(before) != len(original):
        return "".join(after)
    if original and not original[-1].endswith("\n"):
        original[-1] += "\n"
    lines: list[str] = []
    for tag, low, high, new_low, new_high in difflib.SequenceMatcher(
        None, before, after, autojunk=False
    ).get_opcodes():
        lines += original[low:high] if tag == "equal" else after[new_low:new_high]
    return "".join(lines)


def _dumped(data: Any) -> list[str]:
    stream = io.StringIO()
    yaml_of().dump(data, stream)
    return stream.getvalue().splitlines(keepends=True)


def yaml_of() -> YAML:
    """A reader and writer that keeps comments, order and quoting."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1_000_000
    yaml.brace_single_entry_mapping_in_flow_sequence = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml
