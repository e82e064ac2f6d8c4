"""Where a faulty split comes from: the part of the traffic or the step that explains the most with the fewest units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from fairsplit.analysis.judgement.wording import count_text, percent

if TYPE_CHECKING:
    from datetime import date

#: Likelihood ratio by which a later first day must fit better than "from the beginning".
LEAST_GAIN = 10.0
#: Explained share beyond the part's own share of the units, from which on a part is named.
LEAST_EXCESS = 0.2
#: Parts named at most.
MOST_NAMED = 3

_PART = ("experiment_id", "segment", "segment_level")
_LOG = 2.0


def diagnosis_rows(
    daily: pl.DataFrame,
    weights: pl.DataFrame,
    split: pl.DataFrame,
    cut_off: date,
    *,
    audits: pl.DataFrame | None = None,
    losses: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Validity rows ``srm_diagnosis`` of every experiment whose split fails or is suspicious.

    A part is a segment level, an SDK version or a platform, from its best first day on; or a step that set units
    aside. It explains the share of the imbalance (likelihood ratio against the weights in force) that vanishes
    once its units are left out, or put back. Parts are ranked by that share less their share of the units: a fault
    everywhere gives every part just its own share.

    Args:
        daily: `fct_daily_exposures` up to the cut-off.
        weights: From `weight_frame`.
        split: From `split_rows`.
        cut_off: Last day that counts.
        audits: Units per experiment_id, assigned_day, phase, logged variant_id, sdk_version and platform.
        losses: From `with_arms`, up to the cut-off.

    Returns:
        Rows of the schema `VALIDITY` but for the cut-off, the best explanation first per experiment.
    """
    if split.is_empty():
        return pl.DataFrame()
    # Where only a part is off, its own row says so, and there is no imbalance of the whole to be explained.
    ids = split.filter(_is_off() & (pl.col("segment") == "all"))["experiment_id"].unique().to_list()
    cells = [_cells(daily, "exposure_day", ids)]
    if audits is not None and {"phase", "variant_id"} <= set(audits.columns):
        known = audits.filter(pl.col("assigned_day") <= cut_off)
        cells += [
            _cells(_as_segment(known, name), "assigned_day", ids) for name in ("sdk_version", "platform")
        ]
    observed = pl.concat(cells).unique([*_PART, "day", "phase", "variant_id"], keep="first")
    due = _against_weights(observed, weights)
    if due.is_empty():
        return pl.DataFrame()
    total = (
        due.filter(pl.col("segment") == "all")
        .group_by("experiment_id", "variant_id", maintain_order=True)
        .agg(all_units=pl.col("units").sum(), all_due=pl.col("due").sum(), begin=pl.col("day").min())
    )
    found = [_parts(due, total)]
    if losses is not None:
        found.append(_steps(losses, total))
    ranked = _ranked(pl.concat(found), total)
    return _rows(ranked, ids)


def with_location(split: pl.DataFrame, diagnosis: pl.DataFrame) -> pl.DataFrame:
    """The sentence of a faulty overall split, followed by where it comes from."""
    if diagnosis.is_empty():
        return split
    named = diagnosis.filter(pl.col("status") == "warn")
    best = named.group_by("experiment_id", maintain_order=True).agg(where=pl.col("sentence").first())
    said = pl.when((pl.col("segment") == "all") & _is_off() & pl.col("where").is_not_null()).then(
        pl.concat_str("sentence", pl.lit(" "), "where")
    )
    return (
        split.join(best, on="experiment_id", how="left", maintain_order="left")
        .with_columns(sentence=said.otherwise("sentence"))
        .select(split.columns)
    )


def _is_off() -> pl.Expr:
    """The test that may be looked at daily has doubts, or the one look after the end fails."""
    doubted = (pl.col("check") == "srm") & pl.col("status").is_in(["fail", "warn"])
    return doubted | ((pl.col("check") == "srm_chi_square") & (pl.col("status") == "fail"))


def _cells(frame: pl.DataFrame, day: str, ids: list[str]) -> pl.DataFrame:
    return (
        frame.filter(pl.col("experiment_id").is_in(ids))
        .group_by(
            *_PART,
            pl.col(day).alias("day"),
            pl.col("phase").cast(pl.Int64),
            "variant_id",
            maintain_order=True,
        )
        .agg(pl.col("units").sum().cast(pl.Float64))
    )


def _as_segment(audits: pl.DataFrame, name: str) -> pl.DataFrame:
    return audits.with_columns(
        segment=pl.lit(name), segment_level=pl.col(name).cast(pl.String).fill_null("unknown")
    )


def _against_weights(observed: pl.DataFrame, weights: pl.DataFrame) -> pl.DataFrame:
    """Units beside those due per part, day and variant, with a row for variants that had none."""
    place = [*_PART, "day", "phase"]
    total = observed.group_by(place, maintain_order=True).agg(total=pl.col("units").sum())
    share = pl.col("weight") / pl.col("weight").sum().over("experiment_id", "phase")
    grid = total.join(weights.with_columns(share=share), on=["experiment_id", "phase"])
    return (
        grid.join(observed, on=[*place, "variant_id"], how="left")
        .group_by(*_PART, "day", "variant_id", maintain_order=True)
        .agg(
            units=pl.col("units").fill_null(0.0).sum(),
            due=(pl.col("total") * pl.col("share")).sum(),
        )
    )


def _likelihood_ratio(units: str, due: str) -> pl.Expr:
    """Twice the log-likelihood ratio of the counts against those due; an empty cell adds nothing."""
    counted = pl.col(units) * (pl.col(units) / pl.col(due)).log()
    return (_LOG * pl.when((pl.col(units) > 0) & (pl.col(due) > 0)).then(counted).otherwise(0.0)).sum()


def _parts(due: pl.DataFrame, total: pl.DataFrame) -> pl.DataFrame:
    """Every segment level from its best first day on: its counts, and what is left without them."""
    place = [*_PART, "variant_id"]
    since = due.sort(*place, "day", descending=[False] * len(place) + [True]).with_columns(
        units=pl.col("units").cum_sum().over(place), due=pl.col("due").cum_sum().over(place)
    )
    gain = (
        since.group_by(*_PART, "day", maintain_order=True)
        .agg(gain=_likelihood_ratio("units", "due"))
        .with_columns(whole=pl.col("gain").sort_by("day").first().over(_PART))
        .with_columns(
            worth=pl.when(pl.col("day") == pl.col("day").min().over(_PART))
            .then(pl.col("whole") + LEAST_GAIN)
            .otherwise("gain")
        )
        .sort(*_PART, "worth", "day", descending=[False, False, False, True, False])
        .group_by(_PART, maintain_order=True)
        .first()
    )
    chosen = since.join(gain.select(*_PART, "day"), on=[*_PART, "day"])
    return (
        chosen.join(total, on=["experiment_id", "variant_id"])
        .with_columns(
            rest=(pl.col("all_units") - pl.col("units")).clip(0), rest_due=pl.col("all_due") - pl.col("due")
        )
        .sort(*place)
        .group_by(_PART, maintain_order=True)
        .agg(
            left=_likelihood_ratio("rest", "rest_due"),
            size=pl.col("units").sum() / pl.col("all_units").sum(),
            since=pl.when(pl.col("day").first() > pl.col("begin").min()).then(pl.col("day").first()),
            counts="units",
            counts_due="due",
        )
        .filter((pl.col("segment") != "all") | pl.col("since").is_not_null())
    )


def _steps(losses: pl.DataFrame, total: pl.DataFrame) -> pl.DataFrame:
    """Every step that set units aside: how far putting them back restores the split."""
    lost = (
        losses.drop_nulls("variant_id")
        .group_by("experiment_id", "step", "variant_id", maintain_order=True)
        .agg(lost=pl.col("units").sum().cast(pl.Float64))
    )
    steps = lost.select("experiment_id", "step").unique().join(total, on="experiment_id")
    whole = (
        pl.col("all_units").sum().over("experiment_id", "step")
        + pl.col("lost").sum().over("experiment_id", "step")
    ) / pl.col("all_units").sum().over("experiment_id", "step")
    return (
        steps.join(lost, on=["experiment_id", "step", "variant_id"], how="left")
        .with_columns(pl.col("lost").fill_null(0.0))
        .with_columns(rest=pl.col("all_units") + pl.col("lost"), rest_due=pl.col("all_due") * whole)
        .sort("experiment_id", "step", "variant_id")
        .group_by("experiment_id", "step", maintain_order=True)
        .agg(
            left=_likelihood_ratio("rest", "rest_due"),
            size=pl.col("lost").sum() / pl.col("rest").sum(),
            counts="lost",
            counts_due=pl.col("lost").sum() * pl.col("all_due") / pl.col("all_due").sum(),
        )
        .select(
            "experiment_id",
            pl.lit("step").alias("segment"),
            pl.col("step").alias("segment_level"),
            "left",
            "size",
            pl.lit(None, pl.Date).alias("since"),
            "counts",
            "counts_due",
        )
    )


def _ranked(parts: pl.DataFrame, total: pl.DataFrame) -> pl.DataFrame:
    imbalance = total.group_by("experiment_id", maintain_order=True).agg(
        imbalance=_likelihood_ratio("all_units", "all_due")
    )
    explained = (1 - pl.col("left") / pl.col("imbalance")).clip(0, 1)
    return (
        parts.join(imbalance, on="experiment_id")
        .filter(pl.col("imbalance") > 0)
        .with_columns(explained=explained)
        .with_columns(excess=pl.col("explained") - pl.col("size"))
        .filter(pl.col("excess") > LEAST_EXCESS)
        .sort("experiment_id", "excess", "segment", "segment_level", descending=[False, True, False, False])
        .group_by("experiment_id", maintain_order=True)
        .head(MOST_NAMED)
    )


def _rows(ranked: pl.DataFrame, ids: list[str]) -> pl.DataFrame:
    nowhere = sorted(set(ids) - set(ranked["experiment_id"]))
    named = [_row(part, _sentence(part)) for part in ranked.iter_rows(named=True)]
    spread: dict[str, Any] = {
        "segment": "all",
        "segment_level": "all",
        "explained": None,
        "counts": [],
        "counts_due": [],
    }
    even = "No part of the traffic and no step explains more of the imbalance than its share of the units."
    rows = [*named, *(_row({**spread, "experiment_id": name}, even) for name in nowhere)]
    schema = {"statistic": pl.Float64, "p_value": pl.Float64, "reason": pl.String}
    return pl.DataFrame(rows, schema_overrides=schema, infer_schema_length=None)


def _row(part: dict[str, Any], sentence: str) -> dict[str, Any]:
    located = part["explained"] is not None
    return {
        "experiment_id": part["experiment_id"],
        "check": "srm_diagnosis",
        "segment": part["segment"],
        "segment_level": part["segment_level"],
        "status": "warn" if located else "not_applicable",
        "statistic": part["explained"],
        "p_value": None,
        "observed": count_text(part["counts"]),
        "expected": count_text([round(value, 1) for value in part["counts_due"]]),
        "reason": "imbalance_located" if located else None,
        "sentence": sentence,
    }


def _sentence(part: dict[str, Any]) -> str:
    since = f"from {part['since']} on" if part["since"] else ""
    place = "" if part["segment"] == "all" else f"{part['segment']} = {part['segment_level']}"
    where = " ".join(word for word in (place, since) if word)
    if part["segment"] == "step":
        where = f"the units lost at step {part['segment_level']}"
    share, size = percent(part["explained"], signed=False), percent(part["size"], signed=False)
    return f"{share} of the imbalance comes from {where} ({size} of the units)."
