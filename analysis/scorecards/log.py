"""The decision log: days in a row that say the same share a line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.scorecards import format as fmt
from fairsplit.analysis.scorecards import wording

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line of the decision log or of the definition's history."""

    when: str
    what: str
    detail: str = ""


def decision_log(decisions: Sequence[Row]) -> list[LogEntry]:
    """The decisions, newest first; days in a row with the same decision for the same reason share a line."""
    runs: list[list[Row]] = []
    for row in decisions:
        if runs and _said(row) == _said(runs[-1][-1]):
            runs[-1].append(row)
        else:
            runs.append([row])
    return [
        LogEntry(
            fmt.day_range(run[0]["cut_off"], run[-1]["cut_off"]),
            _decision_words(run[-1]),
            run[-1].get("sentence") or _reasons(run[-1]),
        )
        for run in reversed(runs)
    ]


def _said(row: Row) -> tuple[Any, ...]:
    return row["decision"], row.get("action"), list(row.get("reasons") or ()), row.get("variant_id")


def _decision_words(row: Row) -> str:
    decision = wording.words(row["decision"], {})
    action = wording.words(row["action"], {}) if row.get("action") else ""
    return f"{decision}: {action.lower()}" if action and action != decision else decision


def _reasons(row: Row) -> str:
    reasons = row.get("reasons")
    if not isinstance(reasons, (list, tuple)):
        return ""
    return "; ".join(wording.words(str(code), wording.REASONS) for code in reasons)
