"""Sample ratio mismatch: units per arm against the weights that were in force when each was exposed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from scipy import special

from fairsplit.analysis.judgement.wording import count_text, p_text
from fairsplit.analysis.statistics.multiplicity import adjust_p_values
from fairsplit.analysis.statistics.srm import srm_chi_square_phases, srm_fixed, srm_sequential

if TYPE_CHECKING:
    from datetime import date

    from fairsplit.analysis.catalogue.project import Thresholds

#: Sums of the Dirichlet parameters of the sequential test: faults of about 5 %, 1.6 % and half a percent.
CONCENTRATIONS = (100.0, 1_000.0, 10_000.0)

_PLACE = ("experiment_id", "segment", "segment_level")


def split_rows(
    daily: pl.DataFrame,
    weights: pl.DataFrame,
    ended: pl.Series,
    thresholds: Thresholds,
    cut_off: date,
) -> pl.DataFrame:
    """Validity rows ``srm`` (overall and per segment level) and ``srm_chi_square`` (the same units, one look).

    The sequential multinomial test judges where units came on more than one day, chi-square (exact for small
    counts) where not. Levels of one experiment's segments share the error (Holm). A unit in an arm of weight
    zero is a fault by itself.

    From the experiment's end on no unit comes any more and the chi-square is one look, so that it judges beside
    the sequential test, as it does in a flat file. Before the end it warns at most, and of the whole alone: looked
    at daily it would not keep its error rate.

    Args:
        daily: `fct_daily_exposures`.
        weights: From `weight_frame`.
        ended: From `ended_by`.
        thresholds: p-values at which the check warns and fails.
        cut_off: Last day that counts.

    Returns:
        Rows of the schema `VALIDITY` but for the cut-off.
    """
    cells = (
        daily.filter(pl.col("exposure_day") <= cut_off)
        .with_columns(pl.col("phase").cast(pl.Int64), pl.col("units").cast(pl.Float64))
        .group_by(*_PLACE, "exposure_day", "phase", "variant_id", maintain_order=True)
        .agg(pl.col("units").sum())
    )
    # An exposure outside every phase has no expectation; it is counted where it was lost.
    cells = cells.join(weights, on=["experiment_id", "phase"], how="semi")
    if cells.is_empty():
        return pl.DataFrame()
    places = cells.select(_PLACE).unique().sort(_PLACE).with_row_index("place")
    counts, expected, days = _batches(cells, places, weights)
    units, due = counts.sum(axis=1), (counts.sum(axis=-1, keepdims=True) * expected).sum(axis=1)
    sequential_p, bayes_factor = mixed_sequential(counts, expected)
    one_look_p, one_look_statistic = _one_look(counts, expected, units, due)
    single = (counts.sum(axis=-1) > 0).sum(axis=-1) <= 1
    impossible = ((counts > 0) & (expected == 0)).any(axis=(1, 2))
    p_value = np.where(impossible, 0.0, np.where(single, one_look_p, sequential_p[:, -1]))
    statistic = np.where(single, one_look_statistic, bayes_factor[:, -1])
    first = _first_alarm(sequential_p, days, thresholds.srm_fail)
    arms_of = weights.group_by("experiment_id", maintain_order=True).agg(arms=pl.col("variant_id").n_unique())
    declared = places.join(arms_of, on="experiment_id", how="left", maintain_order="left")["arms"].to_list()
    frame = places.with_columns(
        statistic=pl.Series(np.where(np.isfinite(statistic), statistic, np.nan)),
        p_value=pl.Series(p_value),
        one_look=pl.Series(np.where(np.isfinite(one_look_statistic), one_look_statistic, np.nan)),
        one_look_p=pl.Series(one_look_p),
        impossible=pl.Series(impossible),
        single=pl.Series(single),
        first_alarm=first,
        observed=pl.Series([count_text(row[:arms]) for row, arms in zip(units, declared, strict=True)]),
        expected=pl.Series([count_text(row[:arms]) for row, arms in zip(due, declared, strict=True)]),
    )
    frame = frame.with_columns(
        judged=pl.Series(_family_p(frame, "p_value")),
        one_look_p=pl.Series(_family_p(frame, "one_look_p")),
        ended=pl.col("experiment_id").is_in(ended.implode()),
    )
    return pl.concat([_judged(frame, thresholds), _beside(frame, thresholds)], how="vertical")


def _one_look(
    counts: np.ndarray[Any, Any],
    expected: np.ndarray[Any, Any],
    units: np.ndarray[Any, Any],
    due: np.ndarray[Any, Any],
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """p-value and statistic of each place's units taken at once: exact for few units whose weights never changed."""
    by_phase = srm_chi_square_phases(counts, expected)
    p_value, statistic = by_phase.p_value.copy(), by_phase.statistic.copy()
    used = counts.sum(axis=-1, keepdims=True) > 0
    lowest = np.where(used, expected, np.inf).min(axis=1)
    highest = np.where(used, expected, -np.inf).max(axis=1)
    constant = (lowest == highest).all(axis=-1)
    if constant.any():
        fixed = srm_fixed(units[constant], due[constant])
        p_value[constant], statistic[constant] = fixed.p_value, fixed.statistic
    return p_value, statistic


def mixed_sequential(
    counts: np.ndarray[Any, Any], expected: np.ndarray[Any, Any]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The sequential multinomial test averaged over how far the shares may be off.

    One concentration is quick for one size of fault: 10,000 for a percent among many units, 100 for a tenth of
    the units of a small segment. The average of the Bayes factors is itself a martingale under the weights, so
    the p-value keeps its guarantee (Ville's inequality) and is quick for all of them.

    Args:
        counts: Units, shape (places, batches, arms).
        expected: Weights in force, same shape.

    Returns:
        Anytime-valid p-value and log Bayes factor, shape (places, batches).
    """
    logs = [
        srm_sequential(counts, expected, concentration=total).log_bayes_factor for total in CONCENTRATIONS
    ]
    mixed = special.logsumexp(np.stack(logs), axis=0) - np.log(len(CONCENTRATIONS))
    return np.exp(np.minimum(np.minimum.accumulate(-mixed, axis=-1), 0.0)), mixed


def _batches(
    cells: pl.DataFrame, places: pl.DataFrame, weights: pl.DataFrame
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], list[list[date]]]:
    """Counts and weights of shape (places, batches, arms), padded with zeros, and the day of each batch."""
    position = (
        weights.select("experiment_id", "variant_id")
        .unique(maintain_order=True)
        .with_columns(arm=pl.int_range(pl.len()).over("experiment_id"))
    )
    batch = (
        cells.select(*_PLACE, "exposure_day", "phase")
        .unique()
        .sort(*_PLACE, "exposure_day", "phase")
        .with_columns(batch=pl.int_range(pl.len()).over(_PLACE))
        .join(places, on=list(_PLACE), how="left", maintain_order="left")
    )
    shape = (places.height, int(batch["batch"].max() or 0) + 1, int(position["arm"].max() or 0) + 1)  # type: ignore[arg-type]
    counts, expected = np.zeros(shape), np.zeros(shape)
    at = cells.join(batch, on=[*_PLACE, "exposure_day", "phase"]).join(
        position, on=["experiment_id", "variant_id"]
    )
    counts[at["place"].to_numpy(), at["batch"].to_numpy(), at["arm"].to_numpy()] = at["units"].to_numpy()
    in_force = batch.join(weights, on=["experiment_id", "phase"]).join(
        position, on=["experiment_id", "variant_id"]
    )
    expected[in_force["place"].to_numpy(), in_force["batch"].to_numpy(), in_force["arm"].to_numpy()] = (
        in_force["weight"].to_numpy()
    )
    days = (
        batch.group_by("place", maintain_order=True)
        .agg("exposure_day")
        .sort("place")["exposure_day"]
        .to_list()
    )
    return counts, _normalised(expected), days


def _normalised(weights: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    total = weights.sum(axis=-1, keepdims=True)
    out: np.ndarray[Any, Any] = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    return out


def _first_alarm(p_value: np.ndarray[Any, Any], days: list[list[date]], level: float) -> pl.Series:
    """The day on which the sequential p-value first fell below the level."""
    alarmed: np.ndarray[Any, Any] = np.asarray(p_value < level)
    first, ever = alarmed.argmax(axis=-1), np.asarray(alarmed.any(axis=-1))
    values = [
        day[min(place, len(day) - 1)] if hit else None
        for day, place, hit in zip(days, first, ever, strict=True)
    ]
    return pl.Series(values, dtype=pl.Date)


def _family_p(frame: pl.DataFrame, name: str) -> np.ndarray[Any, Any]:
    """p-values after Holm over the segment levels of an experiment; the overall one stands alone."""
    value = frame[name].to_numpy().copy()
    index = np.flatnonzero((frame["segment"] != "all").to_numpy())
    if index.size:
        family = frame["experiment_id"].rank("dense").cast(pl.Int64).to_numpy()[index]
        value[index] = adjust_p_values(value[index], family, method="holm").p_adjusted
    return value


def _judged(frame: pl.DataFrame, thresholds: Thresholds) -> pl.DataFrame:
    status = (
        pl.when(pl.col("impossible") | (pl.col("judged") < thresholds.srm_fail))
        .then(pl.lit("fail"))
        .when(pl.col("judged") < thresholds.srm_warn)
        .then(pl.lit("warn"))
        .otherwise(pl.lit("pass"))
    )
    reason = (
        pl.when("impossible")
        .then(pl.lit("unit_in_zero_weight_arm"))
        .when(pl.col("judged") < thresholds.srm_warn)
        .then(pl.lit("sample_ratio_mismatch"))
    )
    rows = frame.with_columns(status=status, reason=reason, p_value=pl.col("judged"))
    sentences = [_sentence(row) for row in rows.iter_rows(named=True)]
    return rows.select(
        "experiment_id",
        pl.lit("srm").alias("check"),
        "segment",
        "segment_level",
        "status",
        "statistic",
        "p_value",
        "observed",
        "expected",
        "reason",
        pl.Series("sentence", sentences, dtype=pl.String),
    )


def _sentence(row: dict[str, Any]) -> str:
    where = "Units" if row["segment"] == "all" else f"{row['segment']} = {row['segment_level']}: units"
    split = f"{where} split {row['observed']} where {row['expected']} were due"
    if row["impossible"]:
        return f"{split}; an arm of weight zero has units, so the assignment or its log is wrong."
    if row["status"] == "pass":
        return f"{split}: no sign of a faulty split ({p_text(row['p_value'])})."
    since = f", first seen on {row['first_alarm']}" if row["first_alarm"] and not row["single"] else ""
    word = "is faulty" if row["status"] == "fail" else "is suspicious"
    return f"{split}: the split {word} ({p_text(row['p_value'])}{since})."


def _beside(frame: pl.DataFrame, thresholds: Thresholds) -> pl.DataFrame:
    beside = frame.filter(
        ((pl.col("segment") == "all") | pl.col("ended"))
        & ~pl.col("single")
        & pl.col("one_look_p").is_not_nan()
    )
    rows = beside.with_columns(
        status=pl.when(pl.col("ended") & (pl.col("one_look_p") < thresholds.srm_fail))
        .then(pl.lit("fail"))
        .when(pl.col("one_look_p") < thresholds.srm_warn)
        .then(pl.lit("warn"))
        .otherwise(pl.lit("pass"))
    )
    sentences = [_one_look_sentence(row) for row in rows.iter_rows(named=True)]
    return rows.select(
        "experiment_id",
        pl.lit("srm_chi_square").alias("check"),
        "segment",
        "segment_level",
        "status",
        pl.col("one_look").alias("statistic"),
        pl.col("one_look_p").alias("p_value"),
        "observed",
        "expected",
        pl.when(pl.col("status") != "pass").then(pl.lit("sample_ratio_mismatch")).alias("reason"),
        pl.Series("sentence", sentences, dtype=pl.String),
    )


def _one_look_sentence(row: dict[str, Any]) -> str:
    where = "" if row["segment"] == "all" else f"{row['segment']} = {row['segment_level']}: "
    p_value = p_text(row["one_look_p"])
    if not row["ended"]:
        return f"{where}Chi-square of the same units, for a single look: {p_value}."
    verdict = {
        "pass": "no sign of a faulty split",
        "warn": "the split is suspicious",
        "fail": "the split is faulty",
    }
    split = f"units split {row['observed']} where {row['expected']} were due"
    return f"{where}At the experiment's end, looked at once, {split}: {verdict[row['status']]} ({p_value})."
