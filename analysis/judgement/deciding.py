"""The plain decision: one row per experiment, by the first rule that applies, with its reasons in words.

An arm that does harm, loses or stays below its floor is set aside and the others are judged without it: harm of one
arm never hides the verdict on another. One decision may so ship an arm and disable another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from fairsplit.analysis.judgement.arms import arm_summary, deciding_rows, timing, with_early_end
from fairsplit.analysis.judgement.asked import LARGEST_RATIO
from fairsplit.analysis.judgement.effect_wording import minimum_text
from fairsplit.analysis.judgement.rules import MAY_STOP, RULES, SET_ASIDE
from fairsplit.analysis.judgement.telling import arm_texts
from fairsplit.analysis.judgement.wording import listed, percent

if TYPE_CHECKING:
    from datetime import date

#: What a sentence names arms by: their ids, told by the names that readers know.
_ARMS = ("winner", "winner_uncleared", "barred_arm", "unfit_arm", "best_arm", "control_id")
_ORDER = {reason: place for place, reason in enumerate(SET_ASIDE)}


def conclusions(
    comparisons: pl.DataFrame,
    experiments: pl.DataFrame,
    uses: pl.DataFrame,
    cut_off: date,
    ramps: pl.DataFrame,
    weights: pl.DataFrame,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """When each experiment may conclude, and the rows that it may conclude from.

    Args:
        comparisons: Result rows, every cut-off up to this one.
        experiments: From `experiment_frame`.
        uses: From `use_frame`.
        cut_off: The day decided about.
        ramps: From `ramp_frame` at that day.
        weights: From `allocation_texts` at that day.

    Returns:
        The frame of `timing` with what ramps and bandits add, and the rows of `deciding_rows`.
    """
    timed = timing(experiments, uses, cut_off).join(ramps, on="experiment_id", how="left")
    timed = with_early_end(timed.join(weights, on="experiment_id", how="left"), comparisons)
    return timed, deciding_rows(comparisons, timed, uses)


def decision_rows(
    rows: pl.DataFrame, timed: pl.DataFrame, validity: pl.DataFrame, stopped: pl.DataFrame, cut_off: date
) -> pl.DataFrame:
    """One decision per experiment.

    Args:
        rows: From `conclusions`.
        timed: From `conclusions`.
        validity: Validity rows at this cut-off; any ``fail`` closes the gate.
        stopped: From `stopped_frame` at that day.
        cut_off: The day decided about.

    Returns:
        Rows of the schema `DECISIONS`, in no particular order.
    """
    situations = _situations(rows, timed, validity, stopped)
    chosen = pl.lit(len(RULES) - 1)
    for number, rule in reversed(list(enumerate(RULES))):
        chosen = pl.when(rule.when.fill_null(value=False)).then(pl.lit(number)).otherwise(chosen)
    done = [
        _row(situation, cut_off) for situation in situations.with_columns(rule=chosen).iter_rows(named=True)
    ]
    return pl.DataFrame(done, infer_schema_length=None) if done else pl.DataFrame()


def _row(situation: dict[str, Any], cut_off: date) -> dict[str, Any]:
    rule = RULES[situation["rule"]]
    names = {arm["variant_id"]: arm["name"] for arm in situation["arm_names"]}
    told = situation | {key: names.get(situation[key], situation[key]) for key in _ARMS}
    row = {
        "experiment_id": situation["experiment_id"],
        "cut_off": cut_off,
        "decision": rule.decision,
        "action": rule.action,
        "variant_id": situation[rule.variant] if rule.variant else None,
        "reasons": [rule.reason, *(situation["failed"] if rule.reason == "invalid" else [])],
        "sentence": rule.sentence.format(**told),
        "also_disable": [],
    }
    return row if rule.alone or not situation["aside"] else row | _beside(row, situation["aside"])


def _beside(row: dict[str, Any], aside: list[dict[str, str]]) -> dict[str, Any]:
    """A verdict on the other arms together with the arms that are set aside.

    What ends the experiment comes first; what only waits, or would change the split too, gives way to disabling.
    """
    arms = [entry["variant_id"] for entry in aside]
    reasons = list(dict.fromkeys(entry["fate"] for entry in aside))
    acts = [f"Disable {entry['arm_name']}: it {entry['clause']}." for entry in aside]
    if row["decision"] == "stop":
        told = " ".join([row["sentence"], *acts])
        return {"reasons": [*row["reasons"], *reasons], "sentence": told, "also_disable": arms}
    concluded = [row["sentence"]] if row["decision"] in {"inconclusive", "extend"} else []
    return {
        "decision": "modify",
        "action": "disable_arm",
        "variant_id": arms[0],
        "reasons": reasons,
        "sentence": " ".join([*acts, *concluded]),
        "also_disable": arms[1:],
    }


def _situations(
    rows: pl.DataFrame, timed: pl.DataFrame, validity: pl.DataFrame, stopped: pl.DataFrame
) -> pl.DataFrame:
    """One row per experiment: every column that a rule or its sentence names."""
    lead = (
        rows.filter(pl.col("role") == "primary")
        .group_by("experiment_id", maintain_order=True)
        .agg(pl.all().first())
        .select("experiment_id", "metric")
    )
    leading = rows.join(lead, on=["experiment_id", "metric"], how="semi").join(
        stopped, on="experiment_id", how="left"
    )
    arms = _with_fate(arm_summary(rows), leading, timed, stopped, arm_texts(rows))
    remaining = ~pl.col("out")
    flags = arms.group_by("experiment_id", maintain_order=True).agg(
        any_showing=(pl.col("showing") & remaining).any(),
        any_lost=pl.col("lost").any(),
        any_judged=(pl.col("judged") & remaining).any(),
        all_accepted=pl.col("accepted").filter(remaining).all() & remaining.any(),
        out=pl.col("variant_id").filter("out"),
        out_reason=pl.col("fate").drop_nulls().sort_by(pl.col("rank").drop_nulls()).first(),
        all_out=(pl.col("out") | pl.col("stopped")).all() & pl.col("out").any(),
        out_text=pl.concat_str("arm_name", pl.lit(" "), "clause").drop_nulls(),
        aside=pl.struct("variant_id", "arm_name", "fate", "clause").filter(
            pl.col("out") & ~pl.col("stopped")
        ),
        # Null where any arm has no chance computed: then nothing is given up.
        success_chance=pl.when(pl.col("success_chance").filter(remaining).is_not_null().all()).then(
            pl.col("success_chance").filter(remaining).max()
        ),
        winner=_best(pl.col("won") & remaining & ~pl.col("harmed") & ~pl.col("uncleared")),
        winner_uncleared=_best(pl.col("won") & remaining & ~pl.col("harmed") & pl.col("uncleared")),
        barred_arm=pl.col("variant_id").filter(pl.col("barred") & remaining).first(),
        barred_text=pl.col("barred_text").filter(pl.col("barred") & remaining).first(),
        unfit_arm=pl.col("variant_id").filter(pl.col("unfit") & remaining).first(),
        unfit_text=pl.col("unfit_text").filter(pl.col("unfit") & remaining).first(),
        lead_text=pl.col("lead_text").filter(remaining).first(),
        unjudged_text=pl.col("unjudged_text").filter(remaining).first(),
    )
    failed = (
        validity.filter(pl.col("status") == "fail")
        .group_by("experiment_id", maintain_order=True)
        .agg(failed=pl.col("check").unique(maintain_order=True), failed_text=pl.col("sentence").first())
    )
    winners = arms.select(
        "experiment_id", "winner_text", "guardrail_text", "worse_text", winner=pl.col("variant_id")
    )
    return (
        timed.join(flags, on="experiment_id", how="left")
        .join(_counts(leading, arms), on="experiment_id", how="left")
        .join(failed, on="experiment_id", how="left")
        .join(winners, on=["experiment_id", "winner"], how="left")
        .with_columns(
            pl.col("failed").fill_null([]),
            pl.col("units", "open_units", "smallest_arm", "smallest_exposed").fill_null(0),
            pl.col("any_lost", "any_judged").fill_null(value=False),
            pl.col("unjudged_text").fill_null("nothing could be compared"),
            out_text=pl.col("out_text").map_elements(_listed, return_dtype=pl.String),
            planned_days=(pl.col("verdict_day") - pl.col("start_at").dt.date()).dt.total_days() + 1,
            extend_days=((pl.col("mde_over_minimum").clip(0, LARGEST_RATIO) ** 2 - 1) * pl.col("days_run"))
            .fill_nan(None)
            .ceil()
            .cast(pl.Int64),
            information_lacking=1 - pl.col("mde_over_minimum").fill_nan(None).clip(1) ** -2,
            chance_text=pl.col("success_chance").map_elements(_chance, return_dtype=pl.String),
            error_text=pl.col("alpha").map_elements(_chance, return_dtype=pl.String),
        )
    )


def _with_fate(
    arms: pl.DataFrame, leading: pl.DataFrame, timed: pl.DataFrame, stopped: pl.DataFrame, texts: pl.DataFrame
) -> pl.DataFrame:
    """Each treatment arm with whether it is set aside (`out`), why, and in which words."""
    harmed = pl.col("stop_for_harm") & pl.col("harmed")
    smallest = _smallest(leading, arms.join(timed, on="experiment_id").filter(harmed))
    sound = (pl.col("smallest_arm") >= pl.col("min_sample")) & (pl.col("type") != "aa")
    waits = (
        pl.col("showing").any().over("experiment_id") & ~pl.col("at_horizon") & (pl.col("type") != "bandit")
    )
    return (
        arms.join(timed.drop("poor_exposures"), on="experiment_id", how="left")
        .join(smallest, on="experiment_id", how="left")
        .join(stopped, on="experiment_id", how="left")
        .join(texts, on=["experiment_id", "variant_id"], how="left")
        .join(_arm_names(timed), on=["experiment_id", "variant_id"], how="left")
        .with_columns(
            arm_name=pl.coalesce("arm_name", "variant_id"),
            fate=pl.when(harmed)
            .then(pl.lit("guardrail_harmed"))
            .when(sound & pl.col("lost") & MAY_STOP)
            .then(pl.lit("primary_harmed"))
            .when(sound & pl.col("poor") & ~pl.col("won") & ~waits)
            .then(pl.lit("poor_performer")),
            stopped=pl.col("stopped").list.contains(pl.col("variant_id")).fill_null(value=False),
        )
        .with_columns(
            out=pl.col("fate").is_not_null(),
            rank=pl.col("fate").replace_strict(_ORDER, default=None, return_dtype=pl.Int64),
            clause=pl.when(pl.col("fate") == "guardrail_harmed")
            .then(pl.format("harms {}", "harmed_text"))
            .when(pl.col("fate") == "primary_harmed")
            .then(pl.format("does worse, {}", "lost_text"))
            .when(pl.col("fate") == "poor_performer")
            .then(
                pl.format(
                    "stays below the floor that the plan sets ({} {})",
                    "poor_metric",
                    pl.col("poor_threshold").map_elements(_short, return_dtype=pl.String),
                )
            ),
        )
    )


def _arm_names(timed: pl.DataFrame) -> pl.DataFrame:
    """What readers call each arm."""
    return (
        timed.select("experiment_id", "arm_names")
        .explode("arm_names")
        .drop_nulls("arm_names")
        .unnest("arm_names")
        .rename({"name": "arm_name"})
    )


def _smallest(leading: pl.DataFrame, harmed: pl.DataFrame) -> pl.DataFrame:
    """Units of the smallest arm that is still in: of arms that were set aside no more are awaited."""
    running = leading.join(harmed, on=["experiment_id", "variant_id"], how="anti").filter(
        ~pl.col("stopped").list.contains(pl.col("variant_id")).fill_null(value=False)
    )
    return running.group_by("experiment_id", maintain_order=True).agg(
        smallest_arm=pl.col("n").min(), smallest_exposed=(pl.col("n") + pl.col("n_open")).min()
    )


def _counts(leading: pl.DataFrame, arms: pl.DataFrame) -> pl.DataFrame:
    """Units of the first primary metric, and what its arms that are still in may yet show."""
    harmed = arms.filter(pl.col("fate") == "guardrail_harmed")
    compared = leading.filter(pl.col("comparison").is_not_null())
    still_in = compared.join(arms.filter("out"), on=["experiment_id", "variant_id"], how="anti")
    totals = leading.group_by("experiment_id", maintain_order=True).agg(
        units=pl.col("n").sum(),
        open_units=pl.col("n_open").sum(),
        control_id=pl.col("comparison").drop_nulls().first(),
        given_up_on=pl.col("given_up_on").first(),
        minimum_text=pl.struct("minimum_effect", "minimum_is_absolute", "unit", "is_share")
        .first()
        .map_elements(minimum_text, return_dtype=pl.String),
    )
    hopes = still_in.group_by("experiment_id", maintain_order=True).agg(
        mde_over_minimum=(pl.col("mde_abs") / pl.col("minimum_abs")).max(),
        too_small=pl.col("below_minimum").fill_null(value=False).all(),
    )
    return totals.join(_smallest(leading, harmed), on="experiment_id", how="left").join(
        hopes, on="experiment_id", how="left"
    )


def _chance(value: float) -> str:
    return percent(value, signed=False)


def _short(value: float) -> str:
    return f"{value:g}"


def _listed(clauses: pl.Series) -> str:
    return listed(clauses.to_list() or [""])


def _best(mask: pl.Expr) -> pl.Expr:
    return (
        pl.col("variant_id")
        .sort_by("gain", descending=True, nulls_last=True)
        .filter(mask.sort_by("gain", descending=True, nulls_last=True))
        .first()
    )
