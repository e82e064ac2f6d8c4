"""What changed between two states of a definition, and what each change affects."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_NEW_PHASE = "opens a new phase: the expected split follows it, and units that are in stay where they are"
_REWRITTEN = "rewrites the history of traffic and weights: past exposures are expected under other weights"
_RESULT = "the result counts as changed after the start"
_EFFECTS = {
    "hypothesis": "what is tested is told anew: the result counts as changed after the start",
    "metrics": f"other metrics are judged: {_RESULT}",
    "plan": f"the error rates that were promised no longer hold as planned: {_RESULT}",
    "stopping": f"other rules may end it: {_RESULT}",
    "start": "exposures qualify from another instant on: every cut-off is computed anew",
    "end": "exposures qualify until another instant",
    "pauses": "exposures inside the pause do not qualify",
    "exposure": f"other events expose a unit: {_RESULT}",
    "overrides": "other units are shown a variant on purpose: those no longer count, or count again",
    "targeting": "other units are eligible from now on; the population changes",
    "segments": "results are split by other segments",
    "crossovers": f"units of two arms are treated differently: {_RESULT}",
    "variants": "arms or their configs differ: units before and after saw different things",
    "unit": f"another unit is counted: {_RESULT}",
    "layer": "another share of the layer's units takes part",
    "assignment": "something else says who is in which arm: units change their arm",
    "sticky": "units keep their arm through changed weights, or no longer do: some change their arm",
    "salts": "everybody is hashed anew: units change their arm",
}
_MARKS_RESULT = {
    "hypothesis",
    "metrics",
    "plan",
    "stopping",
    "exposure",
    "crossovers",
    "unit",
    "variants",
    "assignment",
    "sticky",
    "salts",
}
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Change:
    """One field that differs.

    Attributes:
        field: Name of the top-level key.
        before: Its value as JSON; ``null`` where there was none.
        after: The same now.
        effect: What the change does to the experiment.
        marks_result: Whether the result must be read as changed after the start.
    """

    field: str
    before: str
    after: str
    effect: str
    marks_result: bool

    def __str__(self) -> str:
        """One line."""
        return f"{self.field}: {_short(self.before)} → {_short(self.after)} ({self.effect})"


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """The fields that differ between two `experiment_facts`, by name.

    Args:
        before: The older facts.
        after: The newer ones.
    """
    found = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        effect, marks = _EFFECTS.get(name, "the definition differs"), name in _MARKS_RESULT
        if name == "phases":
            appended = isinstance(old, list) and isinstance(new, list) and new[: len(old)] == old
            effect, marks = (_NEW_PHASE, False) if appended else (_REWRITTEN, True)
        found.append(Change(name, _json(old), _json(new), effect, marks))
    return tuple(found)


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
