"""The static read API: what a service would answer, as files under ``api/``.

The shapes are those of the services this project stands in for: an experiment with its variants, per-variant
metrics, statistics, significance, intervals, power. Rates and lifts are fractions, but for ``lift``, which is per
cent as those services say it. What cannot be computed is null, with ``status`` and ``reason`` beside it.
"""

from __future__ import annotations

import json
import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.scorecards import api_details, policies
from fairsplit.analysis.scorecards import format as fmt
from fairsplit.analysis.scorecards.comparisons import metric_view

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from fairsplit.analysis.scorecards.inputs import ExperimentView, FlagView, MetricView, SegmentView
    from fairsplit.analysis.scorecards.portfolio import Summary
    from fairsplit.analysis.scorecards.scorecard import Facts, Scorecard

Row = dict[str, Any]


def dumps(value: object) -> str:
    """JSON with sorted keys, instants as ISO 8601, and a final newline."""
    return json.dumps(_finite(value), ensure_ascii=False, sort_keys=True, indent=1, default=_iso) + "\n"


def _finite(value: Any) -> Any:
    """The same with null for what JSON has no number for: an interval without a bound."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _iso(value: Any) -> str:
    text: str = value.isoformat()
    return f"{text}Z" if "T" in text else text


def experiment_files(
    card: Scorecard, facts: Facts, metrics: Mapping[str, MetricView], cut_off: str
) -> Iterator[tuple[str, str]]:
    """The files of one experiment, as (path behind ``api/experiments/<id>``, content)."""
    rows = [row for row in facts.current if row.get("analysis", "default") == card.experiment.analysis]
    whole = [row for row in rows if row["segment"] == "all"]
    compared = [row for row in whole if row.get("comparison") is not None]
    common = {"experiment_id": card.experiment.id, "computed_at": cut_off}
    answers = {
        "": _experiment(card.experiment) | {"verdict": _verdict(card), "computed_at": cut_off},
        "/stats": common | _stats(card, whole, cut_off),
        "/significance": common | {"tests": [_test(row) for row in compared]},
        "/confidence-intervals": common
        | {"intervals": [_interval(row) for row in rows if row.get("comparison")]},
        "/power-analysis": common | _power(card.experiment, compared),
        "/metrics": common | {"variant_metrics": _variant_metrics(card, metrics, whole)},
        "/funnels": common | {"funnels": api_details.funnels(facts, whole)},
        "/series": common
        | {
            "exposures": api_details.exposures(facts),
            "results": list(api_details.series(facts, card.experiment.analysis)),
        },
        "/sample-size": common
        | {
            "alpha": card.experiment.plan.alpha,
            "power": card.experiment.plan.power,
            "metrics": api_details.sample_sizes(card.experiment, compared),
        },
        "/decisions": common | {"decisions": [_decision(row) for row in facts.decisions]},
        "/next-actions": common | {"next_actions": [_next_action(row) for row in facts.next_actions]},
        "/allocations": common | {"allocations": _allocations(facts)},
        "/policy": common
        | {
            "policy": policies.document(
                facts.policy,
                told=not (facts.decisions and facts.decisions[-1].get("action") == "fix_data"),
            )
        },
    }
    for path, answer in answers.items():
        yield f"{path}.json", dumps(answer)


def index_files(
    experiments: Sequence[ExperimentView], summaries: Sequence[Summary]
) -> Iterator[tuple[str, str]]:
    """All experiments, and the running ones alone, as (path behind ``api/``, content)."""
    by_id = {summary.id: summary for summary in summaries}
    listed = [_experiment(view) | {"verdict": by_id[view.id].code} for view in experiments]
    yield "experiments.json", dumps({"experiments": listed})
    yield "active.json", dumps({"experiments": [item for item in listed if item["status"] == "running"]})


def definition_files(
    flags: Sequence[FlagView], segments: Sequence[SegmentView], cut_off: str
) -> Iterator[tuple[str, str]]:
    """All feature flags and all segments with their sizes, as (path behind ``api/``, content)."""
    yield "flags.json", dumps({"computed_at": cut_off, "flags": [_flag(view) for view in flags]})
    yield "segments.json", dumps({"computed_at": cut_off, "segments": [_segment(view) for view in segments]})


def _flag(view: FlagView) -> Row:
    return {
        "id": view.id,
        "name": view.name,
        "description": view.description,
        "owner": view.owner,
        "type": view.type,
        "sdk": view.sdk,
        "enabled": view.enabled,
        "value": view.served,
        "default": view.default,
        "rollout": view.rollout,
        "ramp": view.ramp or None,
        "targeting": view.targeting or None,
        "depends_on": [{"flag": name, "value": value} for name, value in view.depends_on],
        "overrides": view.overrides,
        "experiment_id": view.experiment or None,
        "history": _history(view.history),
    }


def _segment(view: SegmentView) -> Row:
    return {
        "id": view.id,
        "name": view.name,
        "description": view.description,
        "active": view.active,
        "unit": view.unit,
        "condition": view.condition,
        "first_day": view.first_day,
        "units": view.units,
        "inside": view.inside,
        "unknown": view.unknown,
        "history": _history(view.history),
    }


def _history(lines: Sequence[tuple[datetime, str]]) -> list[Row]:
    return [{"at": at, "what": what} for at, what in lines]


def _experiment(view: ExperimentView) -> Row:
    roles = {
        role: [use.metric for use in view.metrics if use.role == role] for role in ("primary", "secondary")
    }
    return {
        "id": view.id,
        "name": view.name,
        "description": view.description,
        "hypothesis": view.hypothesis,
        "type": view.type,
        "status": view.status,
        "owner": view.owner,
        "tags": list(view.tags),
        "start_date": view.start,
        "end_date": view.end,
        "confidence_level": 1 - view.plan.alpha,
        "variants": [
            {
                "id": arm.id,
                "name": arm.name,
                "is_control": arm.is_control,
                "weight": arm.weight,
                "config": dict(arm.config),
                "metadata": dict(arm.about),
                "label": f"{view.id}:{arm.id}",
            }
            for arm in view.arms
        ],
        "success_metrics": {
            "primary_metric": roles["primary"][0] if roles["primary"] else None,
            "secondary_metrics": [*roles["primary"][1:], *roles["secondary"]],
            "guardrail_metrics": [use.metric for use in view.metrics if use.role == "guardrail"],
            "minimum_sample_size": view.plan.min_sample,
        },
        "definition_hash": view.definition_hash,
    }


def _verdict(card: Scorecard) -> Row:
    head = card.headline
    return {"code": head.code, "words": head.verdict, "effect": head.effect, "validity": head.validity}


def _stats(card: Scorecard, whole: Sequence[Row], cut_off: str) -> Row:
    leading = card.primary.row if card.primary else None
    start = card.experiment.start.date().isoformat()
    return {
        "total_participants": card.units,
        "days": card.days,
        "statistical_significance": None
        if leading is None or card.headline.code == "invalid"
        else leading["p_adjusted"],
        "recommended_action": card.next_step or card.headline.verdict,
        "validity": [
            {"check": check.row["check"], "status": check.status, "p_value": check.row.get("p_value")}
            for check in card.checks
        ],
        "results": [
            {
                "variant": row["variant_id"],
                "metric_name": row["metric"],
                "role": row["role"],
                "sample_size": row["n"],
                "total": row.get("total"),
                "mean_value": row["mean"],
                "variance": row.get("variance"),
                "confidence_interval": _mean_interval(row),
                "p_value": row["p_value"],
                "difference": row["lift_abs"],
                "lift": None if row["lift_rel"] is None else 100 * row["lift_rel"],
                "statistical_power": row.get("power"),
                "status": row["status"],
                "reason": row.get("reason"),
                "data_window": {"start": start, "end": cut_off},
            }
            for row in whole
        ],
    }


def _mean_interval(row: Row) -> Row | None:
    """The arm's own mean with its normal interval at the row's level."""
    mean, error = row.get("mean"), row.get("std_error")
    if mean is None or error is None:
        return None
    reach = NormalDist().inv_cdf(0.5 + (row.get("ci_level") or 0.95) / 2) * error
    return {"lower": mean - reach, "upper": mean + reach}


def _test(row: Row) -> Row:
    return {
        "metric_name": row["metric"],
        "variant": row["variant_id"],
        "control": row["comparison"],
        "test": row.get("method"),
        "statistic": row.get("statistic"),
        "p_value": row["p_value"],
        "p_value_adjusted": row["p_adjusted"],
        "p_value_sequential": row.get("seq_p_value"),
        "effect_size": {"value": row.get("effect_size"), "interpretation": row.get("effect_label")},
        "probability_to_beat_control": row.get("prob_beat"),
        "expected_loss": row.get("expected_loss"),
        "credible_interval": {"lower": row.get("credible_low"), "upper": row.get("credible_high")},
        "requirements_met": row.get("requirements_met"),
        "requirements": row.get("requirements"),
        "status": row["status"],
        "reason": row.get("reason"),
    }


def _interval(row: Row) -> Row:
    def bounds(low: str, high: str) -> Row:
        return {"lower": row.get(low), "upper": row.get(high)}

    return {
        "metric_name": row["metric"],
        "variant": row["variant_id"],
        "segment": row["segment"],
        "segment_level": row["segment_level"],
        "level": row.get("ci_level"),
        "absolute_lift": row["lift_abs"],
        "absolute": bounds("lift_abs_low", "lift_abs_high"),
        "control_mean": row.get("control_mean"),
        "stratified_by": row.get("stratified_by"),
        "pooled_absolute_lift": row.get("pooled_lift_abs"),
        "pooled_relative_lift": row.get("pooled_lift_rel"),
        "relative_lift": row["lift_rel"],
        "relative": bounds("lift_rel_low", "lift_rel_high"),
        "relative_reason": row.get("lift_rel_reason"),
        "sequential_absolute": bounds("seq_low", "seq_high"),
        "sequential_relative": bounds("seq_rel_low", "seq_rel_high"),
        "corrected_absolute_lift": row.get("corrected_lift"),
        "corrected_absolute": bounds("corrected_low", "corrected_high"),
        "corrected_p_value": row.get("corrected_p_value"),
        "heterogeneity": {
            "statistic": row.get("heterogeneity_statistic"),
            "df": row.get("heterogeneity_df"),
            "p_value": row.get("heterogeneity_p_value"),
            "p_value_adjusted": row.get("heterogeneity_p_adjusted"),
        },
        "shrunken_absolute_lift": row.get("shrunken_lift"),
        "shrunken_absolute": bounds("shrunken_low", "shrunken_high"),
        "finding": row.get("finding"),
        "status": row["status"],
    }


def _power(view: ExperimentView, compared: Sequence[Row]) -> Row:
    return {
        "planned_power": view.plan.power,
        "alpha": view.plan.alpha,
        "minimum_sample_size": view.plan.min_sample,
        "comparisons": [
            {
                "metric_name": row["metric"],
                "variant": row["variant_id"],
                "sample_size": row["n"],
                "achieved_power": row.get("power"),
                "minimum_detectable_effect": row.get("mde_rel"),
                "minimum_detectable_difference": row.get("mde_abs"),
                "information_fraction": row.get("information_fraction"),
            }
            for row in compared
        ],
    }


def _variant_metrics(card: Scorecard, metrics: Mapping[str, MetricView], whole: Sequence[Row]) -> Row:
    units = card.units_by_arm
    found: Row = {
        arm.id: {
            "variant_name": arm.name,
            "exposures": units.get(arm.id, 0),
            "unique_users": units.get(arm.id, 0),
            "conversions": {},
        }
        for arm in card.experiment.arms
    }
    for row in whole:
        if row["variant_id"] in found:
            view = metric_view(metrics, row["metric"])
            rate = row["mean"] if fmt.is_rate(view.kind, view.unit) else None
            found[row["variant_id"]]["conversions"][row["metric"]] = {
                "count": row["n"],
                "sum": row.get("total"),
                "mean": row["mean"],
                "conversion_rate": rate,
            }
    return found


def _decision(row: Row) -> Row:
    return {
        "cut_off": row["cut_off"],
        "decision": row["decision"],
        "action": row.get("action"),
        "variant": row.get("variant_id"),
        "reasons": list(row.get("reasons") or ()),
        "also_disable": list(row.get("also_disable") or ()),
        "sentence": row.get("sentence"),
    }


def _next_action(row: Row) -> Row:
    return {
        "action": row["action"],
        "variant": row["variant_id"],
        "traffic": row["traffic"],
        "days": row["days"],
        "end_date": row["end_at"],
        "metric_name": row["metric"],
        "expected_gain": row["gain"],
        "expected_gain_interval": {"lower": row["gain_low"], "upper": row["gain_high"]},
        "expected_improvement": row["gain_rel"],
        "confidence": row["chance"],
        "reason": row["reason"],
        "reasoning": row["sentence"],
    }


def _allocations(facts: Facts) -> list[Row]:
    """A bandit's state at every cut-off; of other experiments none. Through a closed gate only the weights are told."""
    closed = {row["cut_off"] for row in facts.decisions if row.get("action") == "fix_data"}
    days: dict[Any, list[Row]] = {}
    for row in facts.allocations:
        days.setdefault(row["cut_off"], []).append(row)
    return [
        {
            "cut_off": day,
            "metric_name": arms[0]["metric"],
            "reason": "gate_closed" if day in closed else arms[0]["reason"],
            "variants": [_arm_allocation(arm, told=day not in closed) for arm in arms],
        }
        for day, arms in days.items()
    ]


def _arm_allocation(row: Row, *, told: bool) -> Row:
    return {
        "variant": row["variant_id"],
        "sample_size": row["n"],
        "mean_value": row["mean"] if told else None,
        "weight": row["weight"],
        "probability_best": row["p_best"] if told else None,
        "next_weight": row["next_weight"] if told else None,
        "is_best": row["is_best"] and told,
    }
