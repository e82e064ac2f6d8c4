"""Accepting what the newest decision proposes, where the experiment does not act by itself."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.errors import Problem
from fairsplit.analysis.judgement.acting import ACT_OF, next_leaves, next_weights, phase_after
from fairsplit.analysis.judgement.ramping import ramp_frame
from fairsplit.analysis.lifecycle.states import LifecycleError
from fairsplit.orchestration.lifecycle.following import follow_up
from fairsplit.orchestration.lifecycle.transitions import transition
from fairsplit.orchestration.reading.results import require_known, rows_of
from fairsplit.orchestration.warehouse.opening import has_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime
    from pathlib import Path

    import duckdb
    import polars as pl

    from fairsplit.analysis.lifecycle.log import Entry
    from fairsplit.orchestration.catalogue.loading import Definitions
    from fairsplit.orchestration.project import Home


#: Acts that begin another experiment.
_FOLLOW_UPS = {"modify_variant", "create_variant"}


def accept(
    connection: duckdb.DuckDBPyConnection,
    home: Home,
    catalog: Path,
    definitions: Definitions,
    experiment_id: str,
    *,
    reason: str,
    now: datetime,
    action: str | None = None,
) -> Entry:
    """Carry out what the newest decision proposes, or another of the acts that stand in `results.next_actions`.

    A stop completes, an extension is a new end, a modified or new variant is a draft of another experiment, anything
    else opens a phase at the next midnight. That is the one that an automatic act would take: the config announces it,
    and the SDKs change together.

    Args:
        connection: A reader of the judged warehouse.
        home: Where the warehouse lies.
        catalog: The catalogue's folder.
        definitions: The catalogue as it is now.
        experiment_id: The experiment.
        reason: The author's words.
        now: The clock, naive UTC.
        action: The act; the decision's own if left out.

    Returns:
        The entry of the transition log.

    Raises:
        LifecycleError: Nothing is proposed, the experiment acts by itself, or the transition is refused.
        OrchestrationError: The experiment or the act names nothing.
    """
    catalogue = definitions.catalogue
    require_known(experiment_id, [*catalogue.experiments, *catalogue.broken], "experiment", "ID")
    experiment = catalogue.experiments.get(experiment_id)
    said = newest_decision(connection, experiment_id)
    offers = _offers(connection, experiment_id)
    own = _own_act(said, offers)
    if experiment is not None and experiment.stopping.automatic and (action is None or action == own):
        raise LifecycleError(
            Problem(
                f"'{experiment_id}' acts by itself",
                "experiment accept",
                "stopping.automatic: true",
                "only a proposal can be accepted",
            )
        )
    if action is not None:
        require_known(action, {*offers, *([own] if own else [])}, "action", "--action")
    act = action or own
    if said is None or act is None:
        open_acts = ", ".join(offers)
        raise LifecycleError(
            Problem(
                f"nothing is proposed for '{experiment_id}'",
                "experiment accept",
                f"{said['decision']}: {said['action']}" if said else "no decision yet",
                "the newest decision must propose a stop, an arm less, other weights, wider traffic or an extension",
                f"--action takes what else is open: {open_acts}"
                if open_acts
                else said["sentence"]
                if said
                else "run the pipeline first",
            )
        )
    at = now.replace(microsecond=0)
    offer = offers.get(act, {})
    move = partial(transition, home, catalog, definitions, experiment_id, reason=reason, now=now)
    if experiment is None or act == "stop":
        return move("complete", at=at, ship=said["variant_id"])
    if act == "extend":
        return move("accept", at=at, end=offer["end_at"])
    if act in _FOLLOW_UPS:
        return follow_up(catalog, definitions, experiment, act, offer["variant_id"], reason=reason, now=now)
    midnight = at.replace(hour=0, minute=0, second=0) + timedelta(days=1)
    row = {
        "variant_id": offer.get("variant_id") or said["variant_id"],
        "traffic": offer.get("traffic") or _ramp_width(definitions, experiment_id, said["cut_off"]),
        **(_weights(connection, experiment_id, said["cut_off"]) if act == "set_weights" else {}),
    }
    kind = "widen_traffic" if act.endswith("_traffic") else act
    phases = (*experiment.history, phase_after(experiment.history[-1], kind, row, midnight))
    return move("accept", at=midnight, phases=phases)


def _own_act(said: dict[str, Any] | None, offers: Mapping[str, dict[str, Any]]) -> str | None:
    """What the decision itself proposes, by the name that `results.next_actions` gives it."""
    if said is None:
        return None
    act = ACT_OF.get((said["decision"], said["action"]))
    if act is None and said["action"] == "extend" and "extend" in offers:
        return "extend"
    return "increase_traffic" if act == "widen_traffic" else act


def _ramp_width(definitions: Definitions, experiment_id: str, cut_off: date) -> float | None:
    ramps = ramp_frame(definitions.catalogue, cut_off)
    widths: dict[str, float] = dict(ramps.select("experiment_id", "ramp_to").iter_rows())
    return widths.get(experiment_id)


def _offers(connection: duckdb.DuckDBPyConnection, experiment_id: str) -> dict[str, dict[str, Any]]:
    """The acts that are open at the newest cut-off, by name, in the order of advice."""
    if not has_table(connection, "results", "next_actions"):
        return {}
    rows = rows_of(
        connection,
        """select action, variant_id, traffic, end_at from results.next_actions
           where experiment_id = ? and cut_off = (select max(cut_off) from results.decisions)
           order by position""",
        [experiment_id],
    )
    return {row["action"]: row for row in rows}


def _weights(connection: duckdb.DuckDBPyConnection, experiment_id: str, cut_off: date) -> dict[str, Any]:
    rows: pl.DataFrame = connection.sql("from results.allocations where cut_off = ?", params=[cut_off]).pl()
    return {
        "weights": next_weights(rows).get(experiment_id),
        "leaves": next_leaves(rows).get(experiment_id),
    }


def newest_decision(connection: duckdb.DuckDBPyConnection, experiment_id: str) -> dict[str, Any] | None:
    """What was said last of an experiment; none before anything was."""
    if not has_table(connection, "results", "decisions"):
        return None
    rows = rows_of(
        connection,
        """select decision, action, variant_id, sentence, cut_off from results.decisions
           where experiment_id = ? order by cut_off desc limit 1""",
        [experiment_id],
    )
    return rows[0] if rows else None
