"""Accepting what the newest decision proposes, where the experiment does not act by itself."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.errors import Problem
from fairsplit.analysis.judgement.acting import ACT_OF, next_weights, phase_after
from fairsplit.analysis.judgement.ramping import ramp_frame
from fairsplit.analysis.lifecycle.states import LifecycleError
from fairsplit.orchestration.lifecycle.transitions import transition
from fairsplit.orchestration.reading.results import require_known, rows_of
from fairsplit.orchestration.warehouse.opening import has_table

if TYPE_CHECKING:
    from datetime import date, datetime
    from pathlib import Path

    import duckdb
    import polars as pl

    from fairsplit.analysis.lifecycle.log import Entry
    from fairsplit.orchestration.catalogue.loading import Definitions
    from fairsplit.orchestration.project import Home


def accept(
    connection: duckdb.DuckDBPyConnection,
    home: Home,
    catalog: Path,
    definitions: Definitions,
    experiment_id: str,
    *,
    reason: str,
    now: datetime,
) -> Entry:
    """Carry out the newest decision's proposal: a stop completes, anything else opens a phase at the next midnight.

    The midnight is the one that an automatic act would take: the config announces it, and the SDKs change together.

    Args:
        connection: A reader of the judged warehouse.
        home: Where the warehouse lies.
        catalog: The catalogue's folder.
        definitions: The catalogue as it is now.
        experiment_id: The experiment.
        reason: The author's words.
        now: The clock, naive UTC.

    Returns:
        The entry of the transition log.

    Raises:
        LifecycleError: Nothing is proposed, the experiment acts by itself, or the transition is refused.
        OrchestrationError: The experiment names nothing.
    """
    catalogue = definitions.catalogue
    require_known(experiment_id, [*catalogue.experiments, *catalogue.broken], "experiment", "ID")
    experiment = catalogue.experiments.get(experiment_id)
    if experiment is not None and experiment.stopping.automatic:
        raise LifecycleError(
            Problem(
                f"'{experiment_id}' acts by itself",
                "experiment accept",
                "stopping.automatic: true",
                "only a proposal can be accepted",
            )
        )
    said = _newest_decision(connection, experiment_id)
    act = ACT_OF.get((said["decision"], said["action"])) if said else None
    if said is None or act is None:
        raise LifecycleError(
            Problem(
                f"nothing is proposed for '{experiment_id}'",
                "experiment accept",
                f"{said['decision']}: {said['action']}" if said else "no decision yet",
                "the newest decision must propose a stop, an arm less, other weights, or wider traffic",
                said["sentence"] if said else "run the pipeline first",
            )
        )
    at = now.replace(microsecond=0)
    if experiment is None or act == "stop":
        return transition(
            home,
            catalog,
            definitions,
            experiment_id,
            "complete",
            reason=reason,
            at=at,
            now=now,
            ship=said["variant_id"],
        )
    ramps = ramp_frame(catalogue, said["cut_off"])
    widths: dict[str, float] = dict(ramps.select("experiment_id", "ramp_to").iter_rows())
    midnight = at.replace(hour=0, minute=0, second=0) + timedelta(days=1)
    row = {
        "variant_id": said["variant_id"],
        "traffic": widths.get(experiment_id),
        "weights": _weights(connection, experiment_id, said["cut_off"]) if act == "set_weights" else None,
    }
    phases = (*experiment.history, phase_after(experiment.history[-1], act, row, midnight))
    return transition(
        home,
        catalog,
        definitions,
        experiment_id,
        "accept",
        reason=reason,
        at=midnight,
        now=now,
        phases=phases,
    )


def _weights(
    connection: duckdb.DuckDBPyConnection, experiment_id: str, cut_off: date
) -> dict[str, float] | None:
    rows: pl.DataFrame = connection.sql("from results.allocations where cut_off = ?", params=[cut_off]).pl()
    return next_weights(rows).get(experiment_id)


def _newest_decision(connection: duckdb.DuckDBPyConnection, experiment_id: str) -> dict[str, Any] | None:
    if not has_table(connection, "results", "decisions"):
        return None
    rows = rows_of(
        connection,
        """select decision, action, variant_id, sentence, cut_off from results.decisions
           where experiment_id = ? order by cut_off desc limit 1""",
        [experiment_id],
    )
    return rows[0] if rows else None
