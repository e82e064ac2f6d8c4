"""What could be done next with a running experiment, and what each act is expected to gain.

A gain is in the metric's unit per eligible unit, positive where the metric improves, against going on as now. Acts that
change who gets what (stop, an arm less, other weights, less traffic) gain a weighted sum of the arms' effects, with its
interval. Acts that only inform (extend, more traffic) gain what a later choice is better than a choice now: the
knowledge gradient. A new or a modified arm gains by how far the effects of the programme's own experiments reach.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from scipy import special

from fairsplit.analysis.catalogue.shards import without_arm
from fairsplit.analysis.judgement.acting import ACT_OF, next_leaves, next_weights
from fairsplit.analysis.judgement.asked import LARGEST_RATIO
from fairsplit.analysis.judgement.gains import effects_of, improvement, leaning_worse, learned, prior_of
from fairsplit.analysis.judgement.wording import percent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import date

    from fairsplit.analysis.catalogue.experiment import Experiment
    from fairsplit.analysis.catalogue.loading import Catalogue
    from fairsplit.analysis.judgement.gains import ArmEffects
    from fairsplit.analysis.judgement.searching import Searched

_TEXT, _REAL = pl.String(), pl.Float64()

#: `results.next_actions`: what may be done next, in the order in which it is advised; the first of a decision that
#: proposes something is that proposal. `gain` lies between `gain_low` and `gain_high` at the level of the plan, which
#: are null where it is an expectation over what is not known yet; `chance` is that of a gain above zero, from a flat
#: prior. Where nothing can be computed `reason` says why.
NEXT_ACTIONS: Mapping[str, pl.DataType] = {
    "experiment_id": _TEXT,
    "cut_off": pl.Date(),
    "position": pl.Int64(),
    "action": _TEXT,
    "variant_id": _TEXT,
    "traffic": _REAL,
    "days": pl.Int64(),
    "end_at": pl.Datetime("us"),
    "metric": _TEXT,
    "unit": _TEXT,
    "gain": _REAL,
    "gain_low": _REAL,
    "gain_high": _REAL,
    "gain_rel": _REAL,
    "chance": _REAL,
    "reason": _TEXT,
    "sentence": _TEXT,
}
NEXT_ACTIONS_KEY = ("experiment_id", "cut_off", "position")

#: What a decision's act is called here.
_NAMES = {"widen_traffic": "increase_traffic"}


@dataclass(frozen=True, slots=True)
class _Situation:
    experiment: Experiment
    said: Mapping[str, Any]
    effects: ArmEffects | None
    others: Sequence[ArmEffects]
    days_run: int
    days_left: int
    at_horizon: bool
    fraction: float | None
    needed_days: int | None
    weights: Mapping[str, float] | None
    by_context: bool
    ramp_to: float | None
    metric: str
    unit: str
    searched: Callable[[Experiment], Searched] | None


def next_action_rows(
    rows: pl.DataFrame,
    timed: pl.DataFrame,
    decisions: pl.DataFrame,
    allocations: pl.DataFrame,
    catalogue: Catalogue,
    cut_off: date,
    searched: Callable[[Experiment], Searched] | None = None,
) -> pl.DataFrame:
    """The acts that are open to each running experiment at a cut-off.

    Through a closed gate nothing is advised, and an A/A experiment has nothing to gain.

    Args:
        rows: From `deciding_rows` at the cut-off.
        timed: From `timing`, with `ramp_to`.
        decisions: Rows of `DECISIONS` at the cut-off.
        allocations: Rows of `ALLOCATIONS` at the cut-off.
        catalogue: The definitions in force.
        cut_off: The day decided about.
        searched: Where the search of an experiment stands, asked once a batch is decided.

    Returns:
        Rows of the schema `NEXT_ACTIONS`, in no particular order.
    """
    timings = {row["experiment_id"]: row for row in timed.iter_rows(named=True)}
    weights, leaves = next_weights(allocations), next_leaves(allocations)
    leads = {
        name: item.metrics.primary[0].metric
        for name, item in catalogue.experiments.items()
        if item.metrics.primary
    }
    leading: dict[str, list[dict[str, Any]]] = {}
    for row in rows.filter(pl.col("role") == "primary").iter_rows(named=True):
        if row["metric"] == leads.get(row["experiment_id"]):
            leading.setdefault(row["experiment_id"], []).append(row)
    effects = {name: effects_of(own) for name, own in leading.items()}
    invalid = set(decisions.filter(pl.col("action") == "fix_data")["experiment_id"])
    by_metric: dict[str, dict[str, ArmEffects]] = {}
    for name, its in effects.items():
        if its is not None and name not in invalid:
            by_metric.setdefault(leads[name], {})[name] = its
    found: list[dict[str, Any]] = []
    for said in decisions.iter_rows(named=True):
        experiment = catalogue.experiments[said["experiment_id"]]
        if (
            experiment.id not in leads
            or experiment.status != "running"
            or experiment.type == "aa"
            or experiment.id in invalid
        ):
            continue
        own, timing = leading.get(experiment.id, []), timings[experiment.id]
        alike = by_metric.get(leads[experiment.id], {})
        situation = _Situation(
            experiment=experiment,
            said=said,
            effects=effects.get(experiment.id),
            others=[its for name, its in sorted(alike.items()) if name != experiment.id],
            days_run=max(timing["days_run"], 1),
            days_left=max((timing["verdict_day"] - cut_off).days, 0),
            at_horizon=bool(timing["at_horizon"]),
            fraction=_least(row["information_fraction"] for row in own if row["comparison"] is not None),
            needed_days=_needed_days(own, max(timing["days_run"], 1)),
            weights=weights.get(experiment.id),
            by_context=bool(experiment.history[-1].leaves) or experiment.id in leaves,
            ramp_to=timing["ramp_to"],
            metric=leads[experiment.id],
            unit=own[0]["unit"] if own else "",
            searched=searched,
        )
        found += [
            {"experiment_id": experiment.id, "cut_off": cut_off, "position": position, **act}
            for position, act in enumerate(_acts(situation), start=1)
        ]
    return pl.DataFrame(found, schema=dict(NEXT_ACTIONS))


def _acts(s: _Situation) -> Iterator[dict[str, Any]]:
    proposed = _proposed(s)
    if proposed is not None:
        yield proposed
    concluded = s.said["decision"] == "stop"
    waiting = s.said["decision"] == "continue"
    movable = s.experiment.assignment == "hash" and s.experiment.bandit is None and s.experiment.ramp is None
    leaning = None if s.effects is None else leaning_worse(s.effects)
    if waiting and movable and leaning is not None and not s.experiment.sticky:
        yield _less_traffic(s, leaning)
    if waiting and movable and leaning is None and not s.at_horizon and s.experiment.history[-1].traffic < 1:
        yield _more_traffic(s)
    if s.said["action"] in {"extend", "keep_control"} and not concluded:
        yield _longer(s)
    gained = s.said["action"] == "ship"
    if s.experiment.search is not None and s.searched is not None and (concluded or s.at_horizon):
        yield from _searched(s, s.searched(s.experiment))
        return
    if (concluded and not gained) or (s.said["decision"] in {"inconclusive", "extend"} and s.at_horizon):
        prior = prior_of(s.others)
        if s.effects is not None:
            yield _modified(s, s.effects, prior)
        yield _new_variant(s, prior)


def _proposed(s: _Situation) -> dict[str, Any] | None:
    """The decision's own act."""
    act = ACT_OF.get((s.said["decision"], s.said["action"]))
    if act is None:
        return None
    phase = s.experiment.history[-1]
    before, traffic, after = dict(phase.weights), phase.traffic, phase.traffic
    arm = s.said["variant_id"]
    weights = before
    if act == "stop":
        weights, after = {name: float(name == arm) for name in before}, 1.0
    elif act == "disable_arm" and arm is not None and sum(share > 0 for share in before.values()) > 1:
        weights = without_arm(before, arm)
    elif act == "set_weights" and s.weights is not None:
        weights = dict(s.weights)
    elif act == "widen_traffic":
        after = s.ramp_to or traffic
    change = {name: after * weights[name] - traffic * before[name] for name in before}
    return {
        "action": _NAMES.get(act, act),
        "variant_id": arm,
        "traffic": s.ramp_to if act == "widen_traffic" else None,
        "sentence": s.said["sentence"],
        **_moved(s, change),
    }


def _less_traffic(s: _Situation, arm: str) -> dict[str, Any]:
    phase = s.experiment.history[-1]
    half = max(round(phase.traffic / 2, 4), 0.0001)
    change = {name: (half - phase.traffic) * share for name, share in phase.weights.items()}
    return {
        "action": "decrease_traffic",
        "variant_id": arm,
        "traffic": half,
        "sentence": f"Lower the traffic from {percent(phase.traffic, signed=False)} to {percent(half, signed=False)}:"
        f" {_name(s.experiment, arm)} leans to the worse, and nothing may be concluded yet.",
        **_moved(s, change),
    }


def _more_traffic(s: _Situation) -> dict[str, Any]:
    now = s.experiment.history[-1].traffic
    more = min(1.0, round(2 * now, 4))
    sooner = None
    if s.fraction is not None and 0 < s.fraction < 1:
        left = s.days_run * (1 / s.fraction - 1)
        sooner = math.floor(left * (1 - now / more))
    ahead = s.days_left / s.days_run
    gain = (
        learned(s.effects, 1 + ahead * more / now) - learned(s.effects, 1 + ahead)
        if s.effects is not None
        else None
    )
    how = (
        f"the planned information would be in about {sooner} days sooner"
        if sooner
        else "more is known by the end"
    )
    return {
        "action": "increase_traffic",
        "traffic": more,
        "days": sooner,
        "sentence": f"Raise the traffic from {percent(now, signed=False)} to {percent(more, signed=False)}: {how}.",
        **_expected(s, gain, "nothing_compared"),
    }


def _longer(s: _Situation) -> dict[str, Any]:
    days = s.needed_days if s.needed_days is not None and s.needed_days <= s.days_run else s.days_run
    # The end is exclusive; what is planned to the day stays so.
    end = s.experiment.end or s.experiment.start + (
        s.experiment.plan.max_duration or timedelta(days=s.days_run)
    )
    until = max(end, datetime.combine(s.said["cut_off"] + timedelta(days=1), time())) + timedelta(days=days)
    gain = learned(s.effects, 1 + days / s.days_run) if s.effects is not None else None
    return {
        "action": "extend",
        "days": days,
        "end_at": until,
        "sentence": f"Run {days} more days, to {until:%Y-%m-%d}, and decide then; it is one more look at the data.",
        **_expected(s, gain, "nothing_compared"),
    }


def _modified(s: _Situation, effects: ArmEffects, prior: tuple[float, float] | None) -> dict[str, Any]:
    said, control = s.said["variant_id"], s.experiment.control.id
    arm = said if said in effects.arms else effects.arms[int(np.argmax(effects.gain))]
    at = list(effects.arms).index(arm)
    gain = None
    if prior is not None:
        spread = math.hypot(prior[1], float(effects.error[at]))
        gain = improvement(float(effects.gain[at]), spread, 0.0)
    return {
        "action": "modify_variant",
        "variant_id": arm,
        "sentence": f"Change {_name(s.experiment, arm)} and test it anew against {_name(s.experiment, control)}.",
        **_expected(s, gain, "few_effects"),
    }


def _new_variant(s: _Situation, prior: tuple[float, float] | None) -> dict[str, Any]:
    gain = None if prior is None else improvement(*prior, 0.0)
    return {
        "action": "create_variant",
        "sentence": f"Test another variant against {_name(s.experiment, s.experiment.control.id)}.",
        **_expected(s, gain, "few_effects"),
    }


def _searched(s: _Situation, state: Searched) -> Iterator[dict[str, Any]]:
    """The next arms of a search: the best arm changed where a proposal is close to it, else new ones."""
    best = state.best_arm
    if state.reason is not None or state.asked is None:
        return
    for at, config in enumerate(state.configs):
        gain = float(state.asked.improvement[at])
        changed = (
            [] if best is None else [name for name, value in config.items() if best.config[name] != value]
        )
        is_near = best is not None and best.experiment == s.experiment.id and len(changed) * 2 <= len(config)
        words = ", ".join(f"{name} {value}" for name, value in config.items())
        yield {
            "action": "modify_variant" if is_near else "create_variant",
            "variant_id": best.variant if best is not None and is_near else None,
            "sentence": f"Test {words}: point {at + 1} of the next batch, which `fairsplit search propose "
            f"{s.experiment.id}` writes.",
            **_expected(s, gain if math.isfinite(gain) else None, "nothing_measured"),
        }


def _moved(s: _Situation, change: Mapping[str, float]) -> dict[str, Any]:
    """What another share for each arm gains, in what is known of them now."""
    if s.by_context:
        # The arms' effects are those over everybody, and these shares are not everybody's.
        return _expected(s, None, "by_context")
    if s.effects is None:
        return _expected(s, None, "nothing_compared")
    gain, error = s.effects.of(change)
    return {
        **_expected(s, gain, ""),
        "gain_low": gain - s.effects.z * error,
        "gain_high": gain + s.effects.z * error,
        "chance": float(special.ndtr(gain / error)) if error > 0 else None,
    }


def _expected(s: _Situation, gain: float | None, reason: str) -> dict[str, Any]:
    base = abs(s.effects.control_mean) if s.effects is not None else 0.0
    return {
        "metric": s.metric,
        "unit": s.unit,
        "gain": gain,
        "gain_rel": gain / base if gain is not None and base > 0 else None,
        "reason": reason if gain is None else None,
    }


def _needed_days(rows: Sequence[Mapping[str, Any]], days_run: int) -> int | None:
    """Days until the plan's information is in at this intake; none where it is, or where the plan states no effect."""
    ratios = [
        row["mde_abs"] / row["minimum_abs"]
        for row in rows
        if row["comparison"] is not None and row["mde_abs"] and row["minimum_abs"]
    ]
    days = math.ceil((min(max(ratios), LARGEST_RATIO) ** 2 - 1) * days_run) if ratios else 0
    return days if days > 0 else None


def _least(values: Iterator[float | None]) -> float | None:
    known = [value for value in values if value is not None and math.isfinite(value)]
    return min(known) if known else None


def _name(experiment: Experiment, arm: str) -> str:
    return next((item.name or item.id for item in experiment.variants if item.id == arm), arm)
