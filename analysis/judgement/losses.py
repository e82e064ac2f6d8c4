"""Units lost on the way from exposure to analysis, and units seen in two arms: equal in every arm, or not?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from fairsplit.analysis.judgement.split import mixed_sequential
from fairsplit.analysis.judgement.undeclared import names_said
from fairsplit.analysis.judgement.wording import count_text, p_text, percent
from fairsplit.analysis.statistics.srm import srm_fixed

if TYPE_CHECKING:
    from datetime import date

    from fairsplit.analysis.catalogue.project import Thresholds

#: Undeclared names that a sentence quotes, and characters of each.
MOST_NAMES, LONGEST_NAME = 4, 40


@dataclass(frozen=True, slots=True)
class _Share:
    """A share of the exposed units that should be small and alike in the arms.

    Attributes:
        check: Name of the validity check.
        counted: Column with the units that are counted.
        if_unequal: Reason where the arms' shares differ.
        if_many: Reason where the share itself is large.
        what: What is said of the units.
    """

    check: str
    counted: str
    if_unequal: str
    if_many: str
    what: str


_EARLY = _Share(
    "exposure_order",
    "early",
    "differential_early_outcomes",
    "exposure_after_outcome",
    "with an outcome in the session of their exposure had it before",
)
_INELIGIBLE = _Share(
    "targeting",
    "ineligible",
    "differential_targeting",
    "targeting_not_kept",
    "exposed though the targeting leaves them out",
)


def crossover_rows(
    daily: pl.DataFrame,
    experiments: pl.DataFrame,
    periods: pl.DataFrame,
    ended: pl.Series,
    thresholds: Thresholds,
    cut_off: date,
) -> pl.DataFrame:
    """Validity row ``crossovers``: the share of units seen in two arms, and whether it differs between arms.

    A share above the threshold warns. Unequal shares fail an experiment that excludes such units, since then
    the arms are no longer comparable; where they stay in (the default) unequal shares only warn.
    """
    arms = (
        _with_period(
            daily.filter((pl.col("exposure_day") <= cut_off) & (pl.col("segment") == "all")),
            periods,
            "exposure_day",
        )
        .group_by("experiment_id", "variant_id", "period", maintain_order=True)
        .agg(kept=pl.col("units").sum().cast(pl.Float64), lost=pl.col("crossovers").sum().cast(pl.Float64))
        .with_columns(kept=pl.col("kept") - pl.col("lost"))
    )
    totals = _by_place(arms, ["experiment_id"], ended).join(
        experiments.select("experiment_id", "crossovers"), on="experiment_id", how="inner"
    )
    share = pl.col("lost") / pl.col("all")
    unequal = pl.col("p_value") < thresholds.loss_warn
    status = (
        pl.when((pl.col("crossovers") == "exclude") & (pl.col("p_value") < thresholds.loss_fail))
        .then(pl.lit("fail"))
        .when(unequal | (share > thresholds.crossover_warn))
        .then(pl.lit("warn"))
        .otherwise(pl.lit("pass"))
    )
    reason = (
        pl.when(unequal)
        .then(pl.lit("differential_crossovers"))
        .when(share > thresholds.crossover_warn)
        .then(pl.lit("many_crossovers"))
    )
    rows = totals.with_columns(status=status, reason=reason, share=share)
    return _finished(rows, "crossovers", "seen in two arms")


def exposure_order_rows(
    early_outcomes: pl.DataFrame,
    periods: pl.DataFrame,
    ended: pl.Series,
    thresholds: Thresholds,
    cut_off: date,
) -> pl.DataFrame:
    """Validity row ``exposure_order``: outcomes that came before the exposure in the same session.

    An exposure that is logged after what it should have caused takes the outcome out of the window. A share above
    the threshold warns; unequal shares fail, since then the arms lose their outcomes differently.

    Args:
        early_outcomes: Per experiment, variant and exposure day `units` with an outcome in the session, and `early`
            ones among them.
        periods: From `period_frame`.
        ended: From `ended_by`.
        thresholds: The share at which it warns, the p-values of equal shares at which it warns and fails.
        cut_off: Last day that counts.

    Returns:
        Rows of the schema `VALIDITY` but for the cut-off.
    """
    early = _with_period(early_outcomes, periods, "exposure_day")
    return _share_rows(early, _EARLY, thresholds.early_outcome_warn, ended, thresholds, cut_off)


def targeting_rows(
    audits: pl.DataFrame, periods: pl.DataFrame, ended: pl.Series, thresholds: Thresholds, cut_off: date
) -> pl.DataFrame:
    """Validity row ``targeting``: units that were exposed though the targeting in force leaves them out.

    They count all the same, since leaving them out would depend on what was logged. More of them than the audit lets
    pass warn; unequal shares fail, since then the arms hold different people.

    Args:
        audits: Per experiment, variant and exposure day `units` whose exposure tells whether they are eligible, and
            `ineligible` ones among them.
        periods: From `period_frame`.
        ended: From `ended_by`.
        thresholds: The share at which it warns, the p-values of equal shares at which it warns and fails.
        cut_off: Last day that counts.

    Returns:
        Rows of the schema `VALIDITY` but for the cut-off.
    """
    audits = _with_period(audits, periods, "exposure_day")
    return _share_rows(audits, _INELIGIBLE, thresholds.audit_warn, ended, thresholds, cut_off)


def _share_rows(
    counts: pl.DataFrame, share: _Share, most: float, ended: pl.Series, thresholds: Thresholds, cut_off: date
) -> pl.DataFrame:
    """The counted units among all of each experiment: more than `most` warn, unequal shares of the arms fail."""
    lost = pl.col(share.counted)
    arms = (
        counts.filter(pl.col("exposure_day") <= cut_off)
        .group_by("experiment_id", "variant_id", "period", maintain_order=True)
        .agg(
            lost=lost.sum().cast(pl.Float64),
            kept=(pl.col("units") - lost).sum().cast(pl.Float64),
        )
    )
    if arms.is_empty():
        return pl.DataFrame()
    p_value, part = pl.col("p_value"), pl.col("lost") / pl.col("all")
    unequal, many = (p_value < thresholds.loss_warn).fill_null(value=False), part > most
    rows = _by_place(arms, ["experiment_id"], ended).with_columns(
        share=part,
        status=pl.when(p_value < thresholds.loss_fail)
        .then(pl.lit("fail"))
        .when(unequal | many)
        .then(pl.lit("warn"))
        .otherwise(pl.lit("pass")),
        reason=pl.when(unequal).then(pl.lit(share.if_unequal)).when(many).then(pl.lit(share.if_many)),
    )
    return _finished(rows, share.check, share.what)


def loss_rows(
    losses: pl.DataFrame,
    daily: pl.DataFrame,
    variants: pl.DataFrame,
    periods: pl.DataFrame,
    ended: pl.Series,
    thresholds: Thresholds,
    cut_off: date,
) -> pl.DataFrame:
    """Validity rows ``loss:<step>``: units lost per arm at each step, tested for equal shares.

    Units that say an undeclared variation are lost like any other, from the arm that they were in. More of them than
    the audit lets pass warn, whatever the arms; a step that leaves nobody fails.

    Args:
        losses: From `with_arms`: units lost per experiment, arm and step; where no arm can be told, they count as
            lost but take no part in the test.
        daily: `fct_daily_exposures`, for the units kept.
        variants: From `variant_frame`.
        periods: From `period_frame`.
        ended: From `ended_by`.
        thresholds: p-values at which the check warns and fails, and the share of logged variants that may be off.
        cut_off: Last day that counts.

    Returns:
        Rows of the schema `VALIDITY` but for the cut-off.
    """
    declared = variants.select("experiment_id", "variant_id")
    kept = (
        _with_period(
            daily.filter((pl.col("exposure_day") <= cut_off) & (pl.col("segment") == "all")),
            periods,
            "exposure_day",
        )
        .group_by("experiment_id", "variant_id", "period", maintain_order=True)
        .agg(kept=pl.col("units").sum().cast(pl.Float64))
    )
    place = ["experiment_id", "step"]
    losses = losses.join(declared.select("experiment_id").unique(), on="experiment_id", how="semi").join(
        declared.select("experiment_id", logged="variant_id", undeclared=pl.lit(value=False)),
        on=["experiment_id", "logged"],
        how="left",
    )
    losses = losses.with_columns(pl.col("undeclared").fill_null(value=True))
    lost = (
        # A unit that is exposed after all is taken back where it was lost, whatever the weights are by then.
        _with_period(losses, periods, "lost_day" if "lost_day" in losses.columns else "event_day")
        .group_by(*place, "variant_id", "period", maintain_order=True)
        .agg(lost=pl.col("units").sum().cast(pl.Float64))
    )
    of_any = pl.concat(
        [kept.select("experiment_id", "period"), lost.select("experiment_id", "period")]
    ).unique()
    arms = (
        lost.select(place)
        .unique()
        .join(declared, on="experiment_id")
        .join(of_any, on="experiment_id")
        .join(kept, on=["experiment_id", "variant_id", "period"], how="left")
        .join(lost, on=[*place, "variant_id", "period"], how="left")
        .with_columns(pl.col("kept").fill_null(0.0), pl.col("lost").fill_null(0.0))
    )
    nowhere = (
        lost.filter(pl.col("variant_id").is_null())
        .group_by(place, maintain_order=True)
        .agg(nowhere=pl.col("lost").sum())
    )
    rows = (
        _by_place(arms, place, ended)
        .join(nowhere, on=place, how="left", maintain_order="left")
        .join(names_said(losses), on=place, how="left", maintain_order="left")
        .with_columns(pl.col("nowhere", "said").fill_null(0))
        .with_columns(lost=pl.col("lost") + pl.col("nowhere"), all=pl.col("all") + pl.col("nowhere"))
    )
    unequal = pl.col("p_value") < thresholds.loss_warn
    nobody = (pl.col("lost") > 0) & (pl.col("lost") == pl.col("all"))
    undeclared = pl.col("said") > thresholds.audit_warn * pl.col("all")
    rows = rows.with_columns(
        status=pl.when((pl.col("p_value") < thresholds.loss_fail) | (nobody & undeclared))
        .then(pl.lit("fail"))
        .when(unequal | undeclared)
        .then(pl.lit("warn"))
        .otherwise(pl.lit("pass")),
        reason=pl.when(unequal)
        .then(pl.lit("differential_loss"))
        .when(undeclared)
        .then(pl.lit("undeclared_variation")),
        share=pl.col("lost") / pl.col("all"),
    )
    if rows.is_empty():
        return pl.DataFrame()
    done = _finished(rows, "loss", "lost")
    said = pl.Series([_named(row) for row in rows.iter_rows(named=True)], dtype=pl.String)
    return done.with_columns(
        check=pl.concat_str(pl.lit("loss:"), rows["step"]),
        sentence=pl.concat_str(
            rows["step"].str.replace_all("_", " "), pl.lit(": "), pl.col("sentence"), said
        ),
    )


def _with_period(counts: pl.DataFrame, periods: pl.DataFrame, day: str) -> pl.DataFrame:
    """Each row with the `period` of unchanged weights in which its day lies."""
    return (
        counts.sort(day)
        .join_asof(
            periods.sort("from_day"),
            left_on=day,
            right_on="from_day",
            by="experiment_id",
            strategy="backward",
            check_sortedness=False,
        )
        .with_columns(pl.col("period").fill_null(0))
        .drop("from_day")
    )


def _by_place(arms: pl.DataFrame, place: list[str], ended: pl.Series) -> pl.DataFrame:
    """Units lost per arm of each place against the arms' shares of all units, in each period of unchanged weights.

    Given that a unit was lost, equal loss gives it to an arm with that arm's share of all units of the time: where
    weights changed while the share of lost units moved, the arms' totals differ without a fault. The mixture of
    Dirichlet-multinomial Bayes factors depends on the counts so far alone, so the test may be repeated every day. An
    experiment that has ended is looked at once: chi-square, or exactly where few are lost; periods averaged by their
    losses vary no less than they do one by one.
    """
    of_time = [*place, "period"]
    arms = arms.sort(*of_time, "variant_id").with_columns(
        all=pl.col("lost") + pl.col("kept"),
        arm=pl.col("variant_id").rank("dense").over(place) - 1,
        batch=pl.col("period").rank("dense").over(place) - 1,
    )
    due = pl.col("lost").sum().over(of_time) * pl.col("all") / pl.col("all").sum().over(of_time)
    totals = (
        arms.with_columns(due=due.fill_nan(0.0))
        .group_by(*place, "variant_id")
        .agg(pl.col("lost", "all", "due").sum())
        .sort(*place, "variant_id")
        .group_by(place, maintain_order=True)
        .agg(pl.col("lost", "all").sum(), per_arm="lost", due_per_arm="due")
    )
    at = arms.join(totals.select(place).with_row_index("place"), on=place, how="left", maintain_order="left")
    size = [int(at[name].max() or 0) + 1 for name in ("batch", "arm")]  # type: ignore[arg-type]
    counts, weights = (np.zeros((totals.height, *size)) for _ in range(2))
    where = tuple(at[name].to_numpy() for name in ("place", "batch", "arm"))
    counts[where], weights[where] = at["lost"].to_numpy(), at["all"].to_numpy()
    p_value, log_bayes_factor = mixed_sequential(counts, weights)
    found, statistic = p_value[:, -1].copy(), log_bayes_factor[:, -1].copy()
    once = totals["experiment_id"].is_in(ended.implode()).to_numpy() & ~np.isnan(found)
    if once.any():
        expected = np.zeros((totals.height, size[1]))
        for row, shares in enumerate(totals["due_per_arm"]):
            expected[row, : len(shares)] = shares
        fixed = srm_fixed(counts[once].sum(axis=1), expected[once])
        found[once], statistic[once] = fixed.p_value, fixed.statistic
    return totals.with_columns(
        p_value=pl.Series(found).fill_nan(None), statistic=pl.Series(statistic).fill_nan(None)
    )


def _finished(rows: pl.DataFrame, check: str, what: str) -> pl.DataFrame:
    observed = [count_text(arms) for arms in rows["per_arm"]]
    expected = [count_text([round(value, 1) for value in arms]) for arms in rows["due_per_arm"]]
    sentences = [_sentence(row, what) for row in rows.iter_rows(named=True)]
    return rows.select(
        "experiment_id",
        pl.lit(check).alias("check"),
        pl.lit("all").alias("segment"),
        pl.lit("all").alias("segment_level"),
        "status",
        pl.when(pl.col("p_value").is_not_null()).then("statistic").alias("statistic"),
        "p_value",
        pl.Series("observed", observed, dtype=pl.String),
        pl.Series("expected", expected, dtype=pl.String),
        "reason",
        pl.Series("sentence", sentences, dtype=pl.String),
    )


def _named(row: dict[str, Any]) -> str:
    """What the units of a step say that no variant is called, with the counts by the arm that they were in."""
    if not row["said"]:
        return ""
    names = [_name(name) for name in row["names"][:MOST_NAMES]]
    more = f" and {len(row['names']) - MOST_NAMES} more" if len(row["names"]) > MOST_NAMES else ""
    arms = f" (by arm {count_text(row['per_arm'])})" if sum(row["per_arm"]) else ""
    return (
        f" {row['said']:,.0f} of {row['all']:,.0f} units{arms} say {' / '.join(names)}{more}, as no variant is called,"
        " and are set aside: declare the name, or mend the log."
    )


def _name(name: str | None) -> str:
    if not (name or "").strip():
        return "nothing"
    text = str(name)
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}…"


def _sentence(row: dict[str, Any], what: str) -> str:
    units = (
        f"{row['lost']:,.0f} of {row['all']:,.0f} units ({percent(row['share'] or 0.0, signed=False)}) {what}"
    )
    if row["p_value"] is None:
        return f"{units}; of which arms cannot be told." if row["lost"] else f"No unit {what}."
    verdict = (
        "unequally in the arms"
        if row["reason"] and "differential" in row["reason"]
        else "equally in the arms"
    )
    return f"{units}, {verdict} ({p_text(row['p_value'])})."
