"""The rows of bandits: what their arms earned in each phase, weighted by the shares then in force."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from fairsplit.analysis.bandits.batched import batched_contrast, batched_means, batches, with_variance_of_all
from fairsplit.analysis.judgement.pairing import SUMS, has_sums, moments

if TYPE_CHECKING:
    from fairsplit.analysis.bandits.batched import Batches

_PLACE = ["cut_off", "metric", "segment", "segment_level"]


@dataclass(frozen=True, slots=True)
class PhaseSums:
    """One bandit's phases at every cut-off.

    Attributes:
        places: Cut-off, metric, segment and level, one row for each entry of the first axis.
        arms: Variant ids, in declared order: the last axis.
        data: Sums of shape (places, phases, arms).
    """

    places: pl.DataFrame
    arms: tuple[str, ...]
    data: Batches


def phase_sums(rows: pl.DataFrame, sums: pl.DataFrame, weights: pl.DataFrame) -> dict[str, PhaseSums]:
    """The phases of every bandit as arrays.

    Args:
        rows: From `defined_rows`.
        sums: Columns `strata.PHASE_SUMS`, ``n``, ``sum_y`` and ``sum_yy``, what each day added (whole numbers).
        weights: From `weight_frame`.

    Returns:
        By experiment id; an experiment whose sums are missing has none.
    """
    asked = (
        rows.filter((pl.col("type") == "bandit") & has_sums())
        .select("experiment_id", *_PLACE, "scale_y")
        .unique()
    )
    key = ["experiment_id", *_PLACE, "phase", "variant_id"]
    known = (
        asked.join(sums.filter(pl.col("analysis") == "default"), on=["experiment_id", *_PLACE[1:]])
        .filter((pl.col("day") <= pl.col("cut_off")) & (pl.col("phase") >= 0))
        .group_by(*key, "scale_y", maintain_order=True)
        .agg(pl.col("n", "sum_y", "sum_yy").cast(pl.Int128).sum())
        .with_columns(
            *(pl.lit(None, pl.Int128).alias(name) for name in SUMS if name not in {"sum_y", "sum_yy"}),
            pl.col("n").cast(pl.Int64),
            scale_d=pl.lit(1),
        )
    )
    own = moments(known, "y").variable(0)
    known = known.select(key).with_columns(n=own.n, mean=own.mean, m2=own.m2)
    return {
        str(name): _arrays(part.sort(*_PLACE), known, weights)
        for (name,), part in asked.sort("experiment_id").group_by("experiment_id", maintain_order=True)
    }


def _arrays(places: pl.DataFrame, known: pl.DataFrame, weights: pl.DataFrame) -> PhaseSums:
    name = places["experiment_id"][0]
    share = weights.filter(pl.col("experiment_id") == name)
    arms = tuple(share["variant_id"].unique(maintain_order=True))
    # The frame of weights goes phase by phase, each in the order of the arms.
    by_phase = share["weight"].to_numpy().reshape(-1, len(arms))
    period = share["period"].to_numpy()[:: len(arms)]
    shape = (places.height, *by_phase.shape)
    shares, (n, mean, m2) = np.broadcast_to(by_phase, shape), np.zeros((3, *shape))
    at = (
        known.filter(pl.col("phase") < shape[1])
        .join(
            places.with_row_index("place"), on=["experiment_id", *_PLACE], how="inner", maintain_order="left"
        )
        .join(pl.DataFrame({"variant_id": arms}).with_row_index("arm"), on="variant_id")
    )
    where = tuple(at[axis].to_numpy() for axis in ("place", "phase", "arm"))
    for values, column in ((n, "n"), (mean, "mean"), (m2, "m2")):
        values[where] = at[column].to_numpy()
    # Units that were logged in an arm without weight have no score; they fail the check of the split.
    counted = np.where(shares > 0, n, 0.0)
    return PhaseSums(
        places.select("experiment_id", *_PLACE),
        arms,
        with_variance_of_all(batches(counted, mean, m2, shares, period)),
    )


def with_batches(rows: pl.DataFrame, phases: dict[str, PhaseSums]) -> pl.DataFrame:
    """The rows with the adaptively weighted figures of bandits in columns ``bandit_*``; null on other rows.

    Args:
        rows: From `defined_rows`.
        phases: From `phase_sums`.
    """
    parts = []
    for name, found in phases.items():
        control = rows.filter(pl.col("experiment_id") == name)["control_id"][0]
        contrast = batched_contrast(found.data, found.arms.index(control))
        own = batched_means(found.data)
        # A row's mean is the one that its lift compares; the control's is its own, since the arms' weights differ.
        is_control = np.array([arm == control for arm in found.arms])
        of_arm = contrast.var_diff + contrast.var_baseline + 2 * contrast.covariance
        columns: dict[str, Any] = {
            "diff": contrast.diff,
            "baseline": contrast.baseline,
            "var_diff": contrast.var_diff,
            "var_baseline": contrast.var_baseline,
            "covariance": contrast.covariance,
            "status": contrast.status,
            "mean": np.where(is_control, own.mean, contrast.baseline + contrast.diff),
            "std_error": np.where(is_control, own.se, np.sqrt(np.maximum(of_arm, 0.0))),
        }
        parts += [
            found.places.with_columns(
                pl.lit(arm).alias("variant_id"),
                *(pl.Series(f"bandit_{column}", values[:, place]) for column, values in columns.items()),
            )
            for place, arm in enumerate(found.arms)
        ]
    if not parts:
        return rows
    # Units seen in two arms are those whom the updates moved: without them the arms are not comparable.
    kept = rows.filter((pl.col("type") != "bandit") | (pl.col("analysis") == "default"))
    return kept.join(
        pl.concat(parts), on=["experiment_id", *_PLACE, "variant_id"], how="left", maintain_order="left"
    )
