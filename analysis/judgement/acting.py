"""What a decision does by itself where `stopping.automatic` is set, and the definitions that are then in force."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from fairsplit.analysis.catalogue.experiment import Pause, Phase
from fairsplit.analysis.catalogue.leaves import Leaf
from fairsplit.analysis.catalogue.shards import without_arm
from fairsplit.analysis.judgement.known import begin_of_weights
from fairsplit.analysis.judgement.wording import percent

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from fairsplit.analysis.catalogue.experiment import Experiment
    from fairsplit.analysis.catalogue.loading import Catalogue

#: The journal of acts: what was done on which cut-off's word, and the sentence that was its reason.
ACTS: Mapping[str, pl.DataType] = {
    "experiment_id": pl.String(),
    "cut_off": pl.Date(),
    "act": pl.String(),
    "variant_id": pl.String(),
    "traffic": pl.Float64(),
    "sentence": pl.String(),
    # A JSON object of every variant's share.
    "weights": pl.String(),
    # Of the exports that carried it first; none while it is only proposed.
    "version": pl.String(),
    # A JSON list of the contexts with weights of their own.
    "leaves": pl.String(),
}

#: Decision and action to act. Anything else is said and not done.
ACT_OF = {
    ("stop", "ship"): "stop",
    ("stop", "roll_back"): "stop",
    ("stop", "keep_control"): "stop",
    ("modify", "disable_arm"): "disable_arm",
    ("modify", "widen_traffic"): "widen_traffic",
    ("modify", "set_weights"): "set_weights",
}


def new_acts(
    decisions: pl.DataFrame,
    catalogue: Catalogue,
    ramps: pl.DataFrame,
    allocations: pl.DataFrame,
    known_to: datetime | None = None,
) -> pl.DataFrame:
    """The acts that follow from the newest decisions.

    Only running experiments with `stopping.automatic` act. A closed gate never acts: its decision is to fix the
    data, which is no act. The definitions already hold what was done before, so nothing is done twice: a stopped
    experiment is completed, a disabled arm has no weight, a ramp on its way has no next step, and weights that are
    set have their phase.

    Args:
        decisions: Rows of `DECISIONS` at one cut-off.
        catalogue: The definitions in force.
        ramps: From `ramp_frame` at that cut-off.
        allocations: Rows of `ALLOCATIONS` at that cut-off.
        known_to: When the newest file arrived, naive UTC.

    Returns:
        Rows of `ACTS`, by experiment.
    """
    widths = dict(ramps.select("experiment_id", "ramp_to").iter_rows())
    weights, leaves = next_weights(allocations), next_leaves(allocations)
    rows = []
    for said in decisions.iter_rows(named=True):
        experiment = catalogue.experiments.get(said["experiment_id"])
        act = ACT_OF.get((said["decision"], said["action"]))
        if experiment is None or act is None or not _may_act(experiment, act, said, known_to):
            continue
        rows.append(
            {
                "experiment_id": experiment.id,
                "cut_off": said["cut_off"],
                "act": act,
                "variant_id": said["variant_id"],
                "traffic": widths.get(experiment.id) if act == "widen_traffic" else None,
                "sentence": said["sentence"],
                "weights": json.dumps(weights[experiment.id]) if act == "set_weights" else None,
                "leaves": leaves.get(experiment.id) if act == "set_weights" else None,
            }
        )
    return pl.DataFrame(rows, schema=dict(ACTS)).sort("experiment_id")


def next_weights(allocations: pl.DataFrame) -> dict[str, dict[str, float]]:
    """Variant to share of each bandit whose weights move, by experiment id.

    Args:
        allocations: Rows of `ALLOCATIONS` at one cut-off.
    """
    moving = allocations.filter(pl.col("next_weight").is_not_null())
    found: dict[str, dict[str, float]] = {}
    for name, arm, share in moving.select("experiment_id", "variant_id", "next_weight").iter_rows():
        found.setdefault(name, {})[arm] = share
    return found


def next_leaves(allocations: pl.DataFrame) -> dict[str, str]:
    """The leaves of each contextual bandit whose weights move, as JSON, by experiment id.

    Args:
        allocations: Rows of `ALLOCATIONS` at one cut-off.
    """
    if "next_leaves" not in allocations.columns:  # Judged by an earlier version, until the next run.
        return {}
    moving = allocations.filter(pl.col("next_leaves").is_not_null())
    return dict(moving.select("experiment_id", "next_leaves").iter_rows())


def act_text(act: Mapping[str, Any]) -> str:
    """What was done, and why, for people.

    Args:
        act: A row of `ACTS`.
    """
    done = {
        "stop": f"Ended by itself; everybody gets {act['variant_id']}",
        "disable_arm": f"Disabled {act['variant_id']} by itself",
        "widen_traffic": f"Widened the traffic to {percent(act['traffic'] or 0.0, signed=False)} by itself",
        "set_weights": "Set the weights by itself",
    }
    return f"{done[act['act']]}. {act['sentence']}"


def in_force(catalogue: Catalogue, acts: pl.DataFrame) -> Catalogue:
    """The definitions with everything that was done automatically.

    A stop takes effect at the end of its cut-off: from then on everybody gets the variant, and exposures no longer
    qualify. A disabled arm or wider traffic is a new phase from the midnight after, so that every exposure has one
    weight: the config announces it, and the SDKs change at that instant. Phases that were opened stay history whatever
    is edited later, since units were split by them; a later phase in the file follows them, and a status other than
    running wins over a stop.

    Args:
        catalogue: The user's definitions.
        acts: The journal, any order.

    Returns:
        A catalogue whose experiments differ by their status, pauses and phases alone.
    """
    experiments = dict(catalogue.experiments)
    for act in acts.sort("cut_off", "experiment_id", "act").iter_rows(named=True):
        experiment = experiments.get(act["experiment_id"])
        if experiment is not None:
            experiments[experiment.id] = _done(experiment, act["act"], act)
    return replace(catalogue, experiments=experiments)


def _may_act(experiment: Experiment, act: str, said: Mapping[str, Any], known_to: datetime | None) -> bool:
    if experiment.status != "running" or not experiment.stopping.automatic:
        return False
    if act != "stop" and known_to is not None and known_to >= begin_of_weights(said["cut_off"]):
        return False
    if act == "set_weights":
        return experiment.history[-1].start < begin_of_weights(said["cut_off"])
    variant, weights = said["variant_id"], experiment.history[-1].weights
    others = [share for name, share in weights.items() if name != variant and share > 0]
    return act != "disable_arm" or (variant is not None and weights[variant] > 0 and bool(others))


def _done(experiment: Experiment, act: str, row: dict[str, object]) -> Experiment:
    day: date = row["cut_off"]  # type: ignore[assignment]
    if act == "stop":
        if experiment.status != "running" or not experiment.stopping.automatic:
            return experiment
        pauses = (*experiment.pauses, Pause(start=_midnight(day, 1)))
        changes = {"status": "completed", "shipped": row["variant_id"], "pauses": pauses}
        return experiment.model_copy(update=changes)
    start = begin_of_weights(day)
    before = [phase for phase in experiment.history if phase.start < start]
    after = [phase for phase in experiment.history if phase.start >= start]
    weights = json.loads(str(row["weights"])) if act == "set_weights" else None
    edited = not before or (after and after[0].start == start)
    if edited or (weights is not None and weights.keys() != before[-1].weights.keys()):
        return experiment
    phase = phase_after(before[-1], act, {**row, "weights": weights}, start)
    return experiment.model_copy(update={"phases": (*before, phase, *after)})


def phase_after(last: Phase, act: str, row: Mapping[str, Any], start: datetime) -> Phase:
    """The phase that an act opens: the one before with an arm less, with other weights, or with wider traffic.

    Args:
        last: The phase before.
        act: ``disable_arm``, ``set_weights`` or ``widen_traffic``.
        row: Holds ``variant_id``, ``weights`` (a mapping) and ``leaves`` (JSON, none for none), or ``traffic``.
        start: When it begins, naive UTC.
    """
    weights, leaves = dict(last.weights), last.leaves
    if act == "disable_arm":
        arm = str(row["variant_id"])
        weights = without_arm(weights, arm)
        leaves = tuple(Leaf(when=leaf.when, weights=without_arm(leaf.weights, arm)) for leaf in leaves)
    if act == "set_weights":
        weights = {name: row["weights"][name] for name in weights}
        leaves = tuple(map(Leaf.model_validate, json.loads(row.get("leaves") or "[]")))
    traffic = row["traffic"] if act == "widen_traffic" else last.traffic
    return Phase.model_construct(
        start=start, traffic=traffic, weights=weights, salts=last.salts, leaves=leaves
    )


def _midnight(day: date, after: int) -> datetime:
    return datetime.combine(day + timedelta(days=after), time())
