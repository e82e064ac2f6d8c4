"""The state machine: statuses, the stages inside them, and the actions that lead from one to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from fairsplit.analysis.catalogue.experiment import Status
from fairsplit.analysis.catalogue.stages import STAGES
from fairsplit.analysis.errors import AnalysisError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

Action = Literal["start", "pause", "resume", "accept", "complete", "cancel", "archive"]

STATUSES: tuple[str, ...] = get_args(Status)

#: Action to {status before: status after}. What dates do without a command is in `clock`.
TRANSITIONS: Mapping[str, Mapping[str, str]] = {
    "start": {"draft": "running"},
    "pause": {"running": "paused"},
    "resume": {"paused": "running"},
    # A proposed arm less or wider traffic; an accepted stop is a completion.
    "accept": {"running": "running"},
    "complete": {"running": "completed", "paused": "completed"},
    "cancel": {"draft": "cancelled", "running": "cancelled", "paused": "cancelled"},
    "archive": {"completed": "archived", "cancelled": "archived", "failed": "archived"},
}


class LifecycleError(AnalysisError):
    """A transition that is not legal, or that the file does not allow."""


def legal_actions(status: str) -> tuple[str, ...]:
    """The actions that a status allows, sorted."""
    return tuple(sorted(action for action, edges in TRANSITIONS.items() if status in edges))


def next_status(experiment: str, status: str, action: str) -> str:
    """The status after an action.

    Args:
        experiment: Its id, for the message.
        status: The status now.
        action: A key of `TRANSITIONS`.

    Raises:
        LifecycleError: The action is not legal from this status; names the legal ones.
    """
    after = TRANSITIONS[action].get(status)
    if after is not None:
        return after
    legal = legal_actions(status)
    raise LifecycleError(
        Problem(
            f"'{experiment}' is {status} and cannot {action}",
            f"experiment {action}",
            rule=f"{action} is legal from {' or '.join(TRANSITIONS[action])}",
            hint=f"legal now: {', '.join(legal)}" if legal else f"{status} is the end",
        )
    )


def is_legal_edge(before: str, after: str) -> bool:
    """Whether some action leads from one status to the other."""
    return any(edges.get(before) == after for edges in TRANSITIONS.values())


def stage_after(stage: str | None, status: str) -> str | None:
    """The declared stage if the status allows it, else the status's first; none where none is declared."""
    if stage is None or stage in STAGES[status]:
        return stage
    return STAGES[status][0]
