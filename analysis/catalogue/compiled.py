"""The catalogue as the tables that SQL joins (warehouse schema `catalog`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from fairsplit.analysis.catalogue.bands import pieces
from fairsplit.analysis.catalogue.hashing import experiment_hash, segment_hash
from fairsplit.analysis.catalogue.holding_out import gate_ranges
from fairsplit.analysis.catalogue.metrics import canonical_hash
from fairsplit.analysis.catalogue.serving import holdout_periods, layer_salt, split_salt, traffic_salt
from fairsplit.analysis.catalogue.shards import TOTAL_SHARDS, share_to_shards

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairsplit.analysis.catalogue.behaviour import Behaviour
    from fairsplit.analysis.catalogue.experiment import Experiment, Phase
    from fairsplit.analysis.catalogue.flags import Segment
    from fairsplit.analysis.catalogue.loading import Catalogue
    from fairsplit.analysis.catalogue.project import Project

_INSTANT = pl.Datetime("us")

#: Of each leaf the levels that each named feature may have.
_LEAVES = pl.List(pl.List(pl.Struct({"segment": pl.String, "levels": pl.List(pl.String)})))

#: Strata of a list that are compared inside; matched blocks beyond that are taken together with their neighbours.
MOST_STRATA = 500

SCHEMAS: dict[str, dict[str, Any]] = {
    "settings": {"key": pl.String, "value": pl.String},
    "experiments": {
        "experiment_id": pl.String,
        "name": pl.String,
        "type": pl.String,
        "unit_type": pl.String,
        "sdk": pl.String,
        "status": pl.String,
        "start_at": _INSTANT,
        "end_at": _INSTANT,
        "exposure_event": pl.String,
        "activation_event": pl.String,
        "cuped_days": pl.Int32,
        "traffic_salt": pl.String,
        "split_salt": pl.String,
        "layer_salt": pl.String,
        "layer_from": pl.Float64,
        "layer_to": pl.Float64,
        "layer_shard_from": pl.Int32,
        "layer_shard_to": pl.Int32,
        "crossovers": pl.String,
        "sticky": pl.Boolean,
        "assignment": pl.String,
        "holdout_id": pl.String,
        "definition_hash": pl.String,
        "allocation_hash": pl.String,
    },
    "former_layers": {
        "experiment_id": pl.String,
        "shard_from": pl.Int32,
        "shard_to": pl.Int32,
        "start_at": _INSTANT,
        "end_at": _INSTANT,
    },
    "variants": {
        "experiment_id": pl.String,
        "variant_id": pl.String,
        "is_control": pl.Boolean,
        "position": pl.Int32,
    },
    "phases": {
        "experiment_id": pl.String,
        "phase": pl.Int32,
        "start_at": _INSTANT,
        "end_at": _INSTANT,
        "traffic": pl.Float64,
        "traffic_shards": pl.Int32,
        "traffic_salt": pl.String,
        "split_salt": pl.String,
        "band_from": pl.Int32,
        "band_to": pl.Int32,
        "leaf": pl.Int32,
        "leaves": _LEAVES,
    },
    "phase_weights": {
        "experiment_id": pl.String,
        "phase": pl.Int32,
        "variant_id": pl.String,
        "weight": pl.Float64,
        "shard_from": pl.Int32,
        "shard_to": pl.Int32,
    },
    "periods": {"experiment_id": pl.String, "start_at": _INSTANT, "end_at": _INSTANT},
    "assigned_units": {
        "experiment_id": pl.String,
        "unit_id": pl.String,
        "variant_id": pl.String,
        "stratum": pl.Int64,
    },
    "overrides": {"experiment_id": pl.String, "unit_id": pl.String, "variant_id": pl.String},
    "holdouts": {
        "experiment_id": pl.String,
        "holdout_id": pl.String,
        "salt": pl.String,
        "shards": pl.Int32,
        "start_at": _INSTANT,
        "end_at": _INSTANT,
    },
    "experiment_metrics": {
        "experiment_id": pl.String,
        "metric": pl.String,
        "role": pl.String,
        "minimum_effect": pl.Float64,
        "non_inferiority_margin": pl.Float64,
        "minimum_effect_absolute": pl.Float64,
        "non_inferiority_margin_absolute": pl.Float64,
    },
    "contexts": {"experiment_id": pl.String, "metric": pl.String, "features": pl.List(pl.String)},
    "experiment_segments": {"experiment_id": pl.String, "segment": pl.String},
    "segment_rules": {
        "segment_id": pl.String,
        "unit_type": pl.String,
        "days": pl.Int32,
        "combine": pl.String,
        "rule": pl.Int32,
        "event_name": pl.String,
        "measure": pl.String,
        "of_column": pl.String,
        "from_medium": pl.Float64,
        "from_high": pl.Float64,
        "is_test": pl.Boolean,
        "low": pl.Float64,
        "low_is_out": pl.Boolean,
        "high": pl.Float64,
        "high_is_out": pl.Boolean,
        "texts": pl.List(pl.String),
        "attribute": pl.String,
        "definition_hash": pl.String,
    },
    "filters": {
        "name": pl.String,
        "kind": pl.String,
        "column_name": pl.String,
        "operator": pl.String,
        "operand_values": pl.List(pl.String),
    },
}


def compile_tables(
    catalogue: Catalogue, lists: Mapping[str, pl.DataFrame] | None = None
) -> dict[str, pl.DataFrame]:
    """The contract's `catalog.*` tables, sorted by their keys.

    Args:
        catalogue: The checked catalogue.
        lists: `unit_id` and `variant` of every assigned unit, by experiment, where a list and not the hash decides.

    Returns:
        Table name to frame; every table is present even when empty. Intervals are half-open, instants naive
        UTC; `segment_rules` holds the rules of active behavioural segments, a bound or text that is not asked for
        being null; `filters.operator` is `equals`, `in` or `matches` (RE2, found anywhere).
    """
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in SCHEMAS}
    rows["settings"] = [
        {"key": key, "value": value} for key, value in sorted(_settings(catalogue.project).items())
    ]
    rows["filters"] = [
        {
            "name": rule.name,
            "kind": rule.kind,
            "column_name": rule.column,
            "operator": rule.operator,
            "operand_values": list(rule.values),
        }
        for rule in catalogue.project.filters
    ]
    lists = {
        name: listed.select("unit_id", "variant", _stratum(listed)).sort("unit_id")
        for name, listed in (lists or {}).items()
        if name in catalogue.experiments and catalogue.experiments[name].assignment != "hash"
    }
    for experiment in catalogue.experiments.values():
        _add_experiment(rows, experiment, catalogue.project, lists.get(experiment.id))
    for segment in catalogue.segments.values():
        if segment.active and segment.behaviour is not None:
            rows["segment_rules"] += _segment_rules(segment, segment.behaviour)
    tables = {name: pl.DataFrame(rows[name], schema=schema) for name, schema in SCHEMAS.items()}
    listed_units = [
        listed.select(
            pl.lit(name).alias("experiment_id"), "unit_id", pl.col("variant").alias("variant_id"), "stratum"
        )
        for name, listed in sorted(lists.items())
    ]
    return tables | {"assigned_units": pl.concat([tables["assigned_units"], *listed_units])}


def _stratum(listed: pl.DataFrame) -> pl.Expr:
    """The list's strata, neighbours together where they are many; null where it names none."""
    if "stratum" not in listed.columns:
        return pl.lit(None, pl.Int64).alias("stratum")
    number = pl.col("stratum").cast(pl.Int64)
    several = number.max() + 1
    return (
        pl.when(several > MOST_STRATA)
        .then(number * MOST_STRATA // several)
        .otherwise(number)
        .alias("stratum")
    )


def _settings(project: Project) -> dict[str, str]:
    return {
        "project_name": project.name,
        **({"first_day": project.first_day.isoformat()} if project.first_day else {}),
        **({"last_day": project.last_day.isoformat()} if project.last_day else {}),
        "max_clock_skew_seconds": f"{project.max_clock_skew.total_seconds():.0f}",
        "alpha": repr(project.defaults.alpha),
        "power": repr(project.defaults.power),
        **{name: repr(value) for name, value in project.thresholds},
    }


def _leaf_levels(phase: Phase) -> list[list[dict[str, Any]]]:
    return [
        [{"segment": feature, "levels": list(levels)} for feature, levels in leaf.when.items()]
        for leaf in phase.leaves
    ]


def _segment_rules(segment: Segment, behaviour: Behaviour) -> list[dict[str, Any]]:
    rows = []
    for position, rule in enumerate(behaviour.rules):
        low, low_is_out, high, high_is_out = rule.bounds
        medium, high_level = rule.levels or (None, None)
        rows.append(
            {
                "segment_id": segment.id,
                "unit_type": segment.unit,
                "days": behaviour.days,
                "combine": "all" if behaviour.all is not None else "any",
                "rule": position,
                "event_name": rule.event,
                "measure": rule.measure,
                "of_column": rule.of,
                "from_medium": medium,
                "from_high": high_level,
                "is_test": bool(rule.tests),
                "low": low,
                "low_is_out": low_is_out,
                "high": high,
                "high_is_out": high_is_out,
                "texts": None if rule.in_ is None else list(rule.in_),
                "attribute": rule.as_,
                "definition_hash": segment_hash(segment),
            }
        )
    return rows


def _add_experiment(
    rows: dict[str, list[dict[str, Any]]],
    experiment: Experiment,
    project: Project,
    listed: pl.DataFrame | None,
) -> None:
    key = {"experiment_id": experiment.id}
    first, layer = experiment.history[0], experiment.layer
    rows["overrides"] += [
        {**key, "unit_id": unit, "variant_id": arm} for unit, arm in sorted(experiment.overrides.items())
    ]
    held = holdout_periods(experiment, project)
    rows["holdouts"] += [
        {**key, "holdout_id": name, "salt": salt, "shards": shards, "start_at": start, "end_at": end}
        for name, salt, shards, start, end in held
    ]
    rows["experiments"].append(
        {
            **key,
            "name": experiment.name,
            "type": experiment.type,
            "unit_type": experiment.unit,
            "sdk": experiment.sdk,
            "status": experiment.status,
            "start_at": experiment.start,
            "end_at": experiment.end,
            "exposure_event": experiment.exposure.event,
            "activation_event": experiment.exposure.activation,
            "cuped_days": experiment.plan.cuped_days,
            "traffic_salt": traffic_salt(experiment, first),
            "split_salt": split_salt(experiment, first),
            "layer_salt": layer_salt(experiment, project),
            "layer_from": layer.from_ if layer else None,
            "layer_to": layer.to if layer else None,
            "layer_shard_from": share_to_shards(layer.from_) if layer else None,
            "layer_shard_to": share_to_shards(layer.to) if layer else None,
            "crossovers": experiment.crossovers,
            "sticky": experiment.sticky,
            "assignment": experiment.assignment,
            "holdout_id": experiment.holdout,
            "definition_hash": experiment_hash(experiment),
            # What decides about assignment and stands outside the definition.
            "allocation_hash": canonical_hash(
                {
                    "holdouts": [list(map(str, period)) for period in held],
                    "list": None if listed is None else listed.write_csv(),
                }
            ),
        }
    )
    rows["former_layers"] += [
        {
            **key,
            "shard_from": share_to_shards(low),
            "shard_to": share_to_shards(high),
            "start_at": start,
            "end_at": end,
        }
        for start, end, low, high in (layer.ranges[:-1] if layer else ())
    ]
    rows["variants"] += [
        {**key, "variant_id": variant.id, "is_control": variant.control, "position": position}
        for position, variant in enumerate(experiment.variants)
    ]
    every = pieces(experiment)
    for number, phase, end, band, leaf in every:
        is_last = number + 1 == len(every) or every[number + 1].phase != phase
        rows["phases"].append(
            {
                **key,
                "phase": number,
                "start_at": phase.start,
                "end_at": end,
                "traffic": phase.traffic,
                "traffic_shards": share_to_shards(phase.traffic),
                "traffic_salt": traffic_salt(experiment, phase),
                "split_salt": split_salt(experiment, phase),
                "band_from": band.begin if experiment.sticky else None,
                # Units outside the traffic are told of under the phase's last band.
                "band_to": (TOTAL_SHARDS if is_last else band.end) if experiment.sticky else None,
                "leaf": None if leaf is None else phase.leaves.index(leaf) + 1,
                "leaves": _leaf_levels(phase) if leaf is None and phase.leaves else None,
            }
        )
        rows["phase_weights"] += [
            {
                **key,
                "phase": number,
                "variant_id": arm,
                "weight": band.weights[arm],
                "shard_from": low,
                "shard_to": high,
            }
            for arm, (low, high) in (gate_ranges(experiment, project) or band.ranges).items()
        ]
    rows["periods"] += [{**key, "start_at": start, "end_at": end} for start, end in experiment.periods()]
    rows["experiment_metrics"] += [
        {
            **key,
            "metric": use.metric,
            "role": role,
            **{
                f"{name}{suffix}": None if size is None else getattr(size, kind)
                for name, size in (
                    ("minimum_effect", use.minimum_effect),
                    ("non_inferiority_margin", use.non_inferiority_margin),
                )
                for kind, suffix in (("relative", ""), ("absolute", "_absolute"))
            },
        }
        for role, use in experiment.metric_uses
    ]
    if experiment.bandit is not None and experiment.bandit.algorithm == "contextual":
        rows["contexts"].append(
            {**key, "metric": experiment.bandit.reward, "features": list(experiment.bandit.features)}
        )
    rows["experiment_segments"] += [{**key, "segment": segment} for segment in sorted(experiment.segments)]
