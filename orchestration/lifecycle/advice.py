"""Shipping against the newest decision: only with a word that says so, and the log keeps what was advised."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairsplit.analysis.errors import Problem
from fairsplit.analysis.lifecycle.states import LifecycleError
from fairsplit.orchestration.lifecycle.accepting import newest_decision
from fairsplit.orchestration.warehouse.opening import reader

if TYPE_CHECKING:
    from fairsplit.analysis.catalogue.experiment import Experiment
    from fairsplit.orchestration.project import Home


def advice_against(home: Home, experiment: Experiment, ship: str, *, insisted: bool) -> str:
    """The sentence of the newest decision if shipping the variant goes against it, else an empty text.

    The control goes against a decision only where that ships another arm: it is what everybody had before. Before
    anything was judged there is no advice.

    Args:
        home: Where the warehouse lies.
        experiment: Which is completed.
        ship: The variant that everybody is to get.
        insisted: Whether the author said that it is against the advice.

    Raises:
        LifecycleError: It goes against the advice, and nobody said so.
        OrchestrationError: The warehouse is held by a run, or cannot be opened.
    """
    if not home.warehouse.exists():
        return ""
    with reader(home.warehouse) as connection:
        said = newest_decision(connection, experiment.id)
    if said is None:
        return ""
    ships = said["variant_id"] if said["decision"] == "stop" else None
    if ship == ships or (ship == experiment.control.id and ships is None):
        return ""
    sentence = str(said["sentence"])
    if insisted:
        return sentence
    raise LifecycleError(
        Problem(
            f"the newest decision does not ship '{ship}'",
            "experiment complete --ship",
            f"{said['decision']}: {said['action']}" + (f" {ships}" if ships else ""),
            sentence,
            "ship what it says, or add --against-advice: the log then keeps both",
        )
    )
