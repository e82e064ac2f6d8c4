"""What is said about an arm's effects, by the interval that its plan may use."""

from __future__ import annotations

from typing import Any

import polars as pl

from fairsplit.analysis.judgement.effect_wording import effect_text
from fairsplit.analysis.judgement.wording import listed, percent, unmet_text

_TEXTS = (
    "experiment_id",
    "variant_id",
    "winner_text",
    "guardrail_text",
    "worse_text",
    "lead_text",
    "unjudged_text",
    "harmed_text",
    "lost_text",
    "barred_text",
    "unfit_text",
)


def arm_texts(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per experiment and treatment arm: its effects in words, by what they are told for.

    Args:
        rows: From `deciding_rows`.
    """
    entries: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows.filter(pl.col("comparison").is_not_null()).iter_rows(named=True):
        entries.setdefault((row["experiment_id"], row["variant_id"]), []).append(row)
    texts = [
        {"experiment_id": experiment, "variant_id": arm, **_texts(of_arm)}
        for (experiment, arm), of_arm in entries.items()
    ]
    return pl.DataFrame(texts, schema=dict.fromkeys(_TEXTS, pl.String))


def _texts(entries: list[dict[str, Any]]) -> dict[str, str]:
    primary = [row for row in entries if row["role"] == "primary"]
    judged = [row for row in primary if row["status"] == "ok"]
    unjudged = [row for row in primary if row["status"] != "ok"]

    def said(flag: str) -> str:
        return listed([effect_text(row) for row in entries if row[flag]] or [""])

    worse = said("worse")
    return {
        "winner_text": listed([_decided(row, "prob_best", "best") for row in primary if row["won"]] or [""]),
        "guardrail_text": _guardrails([row for row in entries if row["role"] == "guardrail"]),
        "worse_text": f"; it does worse, however, in {worse}" if worse else "",
        "lead_text": listed([effect_text(row) for row in (*judged[:1], *unjudged)] or [""]),
        "unjudged_text": listed([effect_text(row) for row in unjudged] or [""]),
        "harmed_text": said("harmed"),
        "lost_text": listed([_decided(row, "prob_beat", "better") for row in primary if row["lost"]] or [""]),
        "barred_text": listed([_barred(row) for row in primary if row["barred"]] or [""]),
        "unfit_text": listed([_unfit(row) for row in judged if row["unfit"]] or [""]),
    }


def _decided(row: dict[str, Any], chance: str, word: str) -> str:
    """An effect with what decided: a Bayesian plan goes by a probability, which no interval shows."""
    if row["plan_method"] != "bayesian" or row[chance] is None:
        return effect_text(row)
    return f"{effect_text(row)}, {word} with a chance of {percent(row[chance], signed=False)}"


def _barred(row: dict[str, Any]) -> str:
    """Which difference shows, and what its test lacks to decide anything."""
    names = {arm["variant_id"]: arm["name"] for arm in row["arm_names"]}
    arm = names.get(row["variant_id"], row["variant_id"])
    return f"{arm} differs in {row['label']}, but its test asks for {unmet_text(row)}"


def _unfit(row: dict[str, Any]) -> str:
    return f"{effect_text(row)}, and its test asks for {unmet_text(row)}"


def _guardrails(rows: list[dict[str, Any]]) -> str:
    """That no guardrail is harmed, and of which that is not known."""
    if not rows:
        return ""
    unknown = [effect_text(row) for row in rows if row["status"] != "ok"]
    if len(unknown) == len(rows):
        return f", but {listed(unknown)}"
    return ", and no guardrail is harmed" + (f", but {listed(unknown)}" if unknown else "")
