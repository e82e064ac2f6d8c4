"""The definitions as frames, so that judgement is joins and arrays instead of loops over experiments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from fairsplit.analysis.catalogue.bands import pieces
from fairsplit.analysis.catalogue.fields import duration_text
from fairsplit.analysis.catalogue.metric_rules import SHARES
from fairsplit.analysis.judgement.direction import sign_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from fairsplit.analysis.catalogue.loading import Catalogue
    from fairsplit.analysis.catalogue.metrics import MetricDefinition

_ALTERNATIVES = {"two_sided": "two-sided", "greater": "greater", "less": "less"}


def experiment_frame(catalogue: Catalogue) -> pl.DataFrame:
    """One row per experiment: its plan, dates and rules."""
    rows = [
        {
            "experiment_id": item.id,
            "name": item.name,
            "type": item.type,
            "experiment_status": item.status,
            "start_at": item.start,
            "end_at": item.end,
            "crossovers": item.crossovers,
            "arms": len(item.variants),
            "plan_method": item.plan.method,
            "alpha": item.plan.alpha,
            "target_power": item.plan.power,
            "alternative": _ALTERNATIVES[item.plan.alternative or "two_sided"],
            "correction": item.plan.correction,
            "min_sample": item.plan.min_sample,
            "max_duration": item.plan.max_duration,
            "winner_probability": item.plan.winner_probability,
            "looks": item.plan.looks,
            "spending": item.plan.spending,
            "whole_weeks": item.stopping.whole_weeks,
            "stop_for_harm": item.stopping.harm,
            "stop_for_futility": item.stopping.futility,
            "futility_binds": item.stopping.binding_futility,
            "poor_metric": poor.metric if (poor := item.stopping.poor_performer) else None,
            "poor_threshold": poor.threshold if poor else None,
            "poor_exposures": poor.min_exposures if poor else None,
            "stop_for_efficacy": item.stopping.efficacy,
            "primary_arms": len(item.metrics.primary) * (len(item.variants) - 1),
            "arm_names": [{"variant_id": arm.id, "name": arm.name or arm.id} for arm in item.variants],
        }
        for item in catalogue.experiments.values()
    ]
    schema: dict[str, Any] = {
        "experiment_id": pl.String,
        "name": pl.String,
        "type": pl.String,
        "experiment_status": pl.String,
        "start_at": pl.Datetime("us"),
        "end_at": pl.Datetime("us"),
        "crossovers": pl.String,
        "arms": pl.Int64,
        "plan_method": pl.String,
        "alpha": pl.Float64,
        "target_power": pl.Float64,
        "alternative": pl.String,
        "correction": pl.String,
        "min_sample": pl.Int64,
        "max_duration": pl.Duration("us"),
        "winner_probability": pl.Float64,
        "looks": pl.Int64,
        "spending": pl.String,
        "whole_weeks": pl.Boolean,
        "stop_for_harm": pl.Boolean,
        "stop_for_futility": pl.Boolean,
        "futility_binds": pl.Boolean,
        "poor_metric": pl.String,
        "poor_threshold": pl.Float64,
        "poor_exposures": pl.Int64,
        "stop_for_efficacy": pl.Boolean,
        "primary_arms": pl.Int64,
        "arm_names": pl.List(pl.Struct({"variant_id": pl.String, "name": pl.String})),
    }
    return pl.DataFrame(rows, schema=schema)


def ended_by(experiments: pl.DataFrame, cut_off: date) -> pl.Series:
    """Ids of the experiments that had ended by a cut-off: what is counted of their units then is one look.

    Args:
        experiments: From `experiment_frame`.
        cut_off: The day judged.
    """
    end_of_day = pl.lit(cut_off).cast(pl.Datetime("us")) + pl.duration(days=1)
    return experiments.filter(pl.col("end_at") <= end_of_day)["experiment_id"]


def variant_frame(catalogue: Catalogue) -> pl.DataFrame:
    """One row per experiment and variant, with the control beside it."""
    rows = [
        (item.id, variant.id, item.control.id, position)
        for item in catalogue.experiments.values()
        for position, variant in enumerate(item.variants)
    ]
    schema = {
        "experiment_id": pl.String,
        "variant_id": pl.String,
        "control_id": pl.String,
        "position": pl.Int64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def use_frame(catalogue: Catalogue, metrics: Mapping[str, MetricDefinition]) -> pl.DataFrame:
    """One row per experiment and metric: its role, what is asked of it, and how it is measured."""
    rows = []
    for item in catalogue.experiments.values():
        for role, use in item.metric_uses:
            metric = metrics[use.metric]
            rows.append(
                {
                    "experiment_id": item.id,
                    "metric": metric.name,
                    "label": metric.label,
                    "covariate": metric.covariate or metric.label,
                    "role": role,
                    "minimum_effect": (effect := use.minimum_effect) and effect.value,
                    "minimum_is_absolute": effect is not None and effect.is_absolute,
                    "margin": (margin := use.non_inferiority_margin) and margin.value,
                    "margin_is_absolute": margin is not None and margin.is_absolute,
                    "test": metric.test,
                    "is_share": metric.kind in SHARES,
                    "percentile": metric.percentile,
                    "unit": metric.unit,
                    "direction": metric.direction,
                    "sign": float(sign_of(metric.direction)),
                    "window": metric.window_end,
                    "window_start": duration_text(metric.window_start),
                    "window_end": duration_text(metric.window_end) if metric.window_end else "open",
                }
            )
    schema: dict[str, Any] = {
        "experiment_id": pl.String,
        "metric": pl.String,
        "label": pl.String,
        "covariate": pl.String,
        "role": pl.String,
        "minimum_effect": pl.Float64,
        "minimum_is_absolute": pl.Boolean,
        "margin": pl.Float64,
        "margin_is_absolute": pl.Boolean,
        "test": pl.String,
        "is_share": pl.Boolean,
        "percentile": pl.Float64,
        "unit": pl.String,
        "direction": pl.String,
        "sign": pl.Float64,
        "window": pl.Duration("us"),
        "window_start": pl.String,
        "window_end": pl.String,
    }
    return pl.DataFrame(rows, schema=schema)


def period_frame(catalogue: Catalogue) -> pl.DataFrame:
    """From which days on an experiment's arms have other shares: `experiment_id`, `from_day`, the `period` that begins.

    Days before the first one, and experiments whose weights never change, are of period 0. A phase that begins within a
    day makes that day a period of its own.
    """
    rows: list[tuple[str, date, int]] = []
    for item in catalogue.experiments.values():
        phases = pieces(item)
        if len({tuple(sorted(piece.band.weights.items())) for piece in phases}) < 2:
            continue
        starts = sorted({piece.phase.start for piece in phases})[1:]
        days = {
            start.date() + timedelta(days=later) for start in starts for later in (0, start.time() != time())
        }
        rows += [(item.id, day, number) for number, day in enumerate(sorted(days), start=1)]
    schema = {"experiment_id": pl.String, "from_day": pl.Date, "period": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def weight_frame(catalogue: Catalogue) -> pl.DataFrame:
    """One row per experiment, phase (or band or leaf of a phase) and variant: the weight in force.

    `period` is the number of the phase in time, from 0.
    """
    rows = [
        (item.id, piece.number, variant, weight, item.history.index(piece.phase))
        for item in catalogue.experiments.values()
        for piece in pieces(item)
        for variant, weight in piece.band.weights.items()
    ]
    schema = {
        "experiment_id": pl.String,
        "phase": pl.Int64,
        "variant_id": pl.String,
        "weight": pl.Float64,
        "period": pl.Int64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


@dataclass(frozen=True, slots=True)
class DefinitionFrames:
    """The definitions of all experiments as frames: from `experiment_frame` and its neighbours."""

    experiments: pl.DataFrame
    variants: pl.DataFrame
    uses: pl.DataFrame
    weights: pl.DataFrame
    periods: pl.DataFrame

    @classmethod
    def of(cls, catalogue: Catalogue, metrics: Mapping[str, MetricDefinition]) -> DefinitionFrames:
        """Of a catalogue and its metrics by name."""
        return cls(
            experiment_frame(catalogue),
            variant_frame(catalogue),
            use_frame(catalogue, metrics),
            weight_frame(catalogue),
            period_frame(catalogue),
        )
