"""The state machine, edge by edge, and the exact words of a refusal."""

from __future__ import annotations

import pytest

from fairsplit.analysis.catalogue.stages import STAGES
from fairsplit.analysis.lifecycle.states import (
    STATUSES,
    TRANSITIONS,
    LifecycleError,
    is_legal_edge,
    legal_actions,
    next_status,
    stage_after,
)

# Written out by hand from the product's own page on lifecycles; what is not here is illegal.
LEGAL = {
    ("draft", "start"): "running",
    ("draft", "cancel"): "cancelled",
    ("running", "accept"): "running",
    ("running", "pause"): "paused",
    ("running", "complete"): "completed",
    ("running", "cancel"): "cancelled",
    ("paused", "resume"): "running",
    ("paused", "complete"): "completed",
    ("paused", "cancel"): "cancelled",
    ("completed", "archive"): "archived",
    ("cancelled", "archive"): "archived",
    ("failed", "archive"): "archived",
}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("action", TRANSITIONS)
def test_every_status_allows_exactly_its_actions(status: str, action: str) -> None:
    if (status, action) in LEGAL:
        assert next_status("x", status, action) == LEGAL[status, action]
        assert is_legal_edge(status, LEGAL[status, action])
    else:
        with pytest.raises(LifecycleError):
            next_status("x", status, action)


@pytest.mark.parametrize(
    ("status", "action", "message"),
    [
        (
            "running",
            "start",
            (
                "experiment start: 'x' is running and cannot start (start is legal from draft)."
                " Hint: legal now: accept, cancel, complete, pause"
            ),
        ),
        (
            "draft",
            "complete",
            (
                "experiment complete: 'x' is draft and cannot complete (complete is legal from running or paused)."
                " Hint: legal now: cancel, start"
            ),
        ),
        (
            "archived",
            "resume",
            (
                "experiment resume: 'x' is archived and cannot resume (resume is legal from paused)."
                " Hint: archived is the end"
            ),
        ),
    ],
)
def test_a_refusal_names_the_legal_actions(status: str, action: str, message: str) -> None:
    with pytest.raises(LifecycleError) as error:
        next_status("x", status, action)
    assert str(error.value) == message


def test_every_status_has_actions_or_is_the_end() -> None:
    assert set(STAGES) == set(STATUSES)
    assert [status for status in STATUSES if not legal_actions(status)] == ["archived"]


def test_a_stage_follows_its_status() -> None:
    assert stage_after(None, "running") is None
    assert stage_after("validation", "running") == "running"
    assert stage_after("decision", "completed") == "decision"
