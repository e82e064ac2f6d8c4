"""A flat file's judgement in a few lines: what a terminal prints and what a notebook shows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import jinja2
import polars as pl

from fairsplit.analysis.judgement.effects import effect_of
from fairsplit.analysis.judgement.wording import unmet_text
from fairsplit.analysis.scorecards import format as fmt
from fairsplit.analysis.scorecards import wording
from fairsplit.analysis.scorecards.headline import effect_figures
from fairsplit.analysis.scorecards.views import metric_view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairsplit.analysis.catalogue.metrics import MetricDefinition
    from fairsplit.analysis.flat_files import FlatAnalysis

Row = dict[str, Any]
_SHOWN_EXPERIMENTS = 20
#: Columns of words; the others are figures and stand to the right.
TEXT_COLUMNS = frozenset({"level", "metric", "arm", "against", "why"})


@dataclass(frozen=True, slots=True)
class Table:
    """Figures under one title.

    Attributes:
        title: What they are.
        head: The columns' names.
        lines: Cells as text, a tuple a row.
        notes: Sentences below them.
    """

    title: str
    head: tuple[str, ...]
    lines: list[tuple[str, ...]]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Brief:
    """What is said first, the checks, the figures. All of it is text and none of it is markup.

    Attributes:
        verdict: The decision; of several experiments how many there are.
        checks: (status, sentence) of what was checked; an empty status is none.
        tables: The figures.
        notes: What was asked for and has no part in them.
    """

    verdict: str
    checks: list[tuple[str, str]]
    tables: list[Table]
    notes: tuple[str, ...]


def brief_of(found: FlatAnalysis) -> Brief:
    """One experiment in full; of many the counts and the clearest.

    Args:
        found: The analysis of a file.
    """
    return _of_one(found) if len(found.catalogue.experiments) == 1 else _of_many(found)


def brief_html(brief: Brief, assumed: tuple[str, ...] = ()) -> str:
    """The same as one HTML element with its style, for a notebook's cell.

    Args:
        brief: What is said.
        assumed: What was assumed, shown below.
    """
    return _template().render(
        brief=brief, assumed=assumed, text_columns=TEXT_COLUMNS, words=wording.STATUS_WORDS
    )


@cache
def _template() -> jinja2.Template:
    loader = jinja2.PackageLoader("fairsplit.analysis.scorecards")
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("brief.html.j2")


def _of_one(found: FlatAnalysis) -> Brief:
    rows = found.judgement.comparisons
    checks = [
        (check["status"], check["sentence"])
        for check in found.judgement.validity.iter_rows(named=True)
        if check["segment"] == "all" or check["status"] != "pass"
    ]
    tables = [
        _metric_table(
            metric, rows.filter((pl.col("metric") == metric.name) & (pl.col("segment") == "all")), found
        )
        for metric in found.metrics.values()
    ]
    segments = rows.filter(pl.col("segment") != "all", pl.col("comparison").is_not_null())
    if segments.height:
        tables.append(
            Table(
                "Segments: they inform and never decide",
                ("segment", "level", "metric", "arm", "units", "lift", "interval", "p adjusted"),
                [
                    (row["segment"], row["segment_level"], row["metric"], row["variant_id"], fmt.count(row["n"]),
                     *_lift(row, found.metrics[row["metric"]]), fmt.p_value(row["p_adjusted"]))
                    for row in segments.iter_rows(named=True)
                ],
            )
        )  # fmt: skip
    return Brief(found.judgement.decisions["sentence"][0], checks, tables, found.notes)


def _metric_table(metric: MetricDefinition, rows: pl.DataFrame, found: FlatAnalysis) -> Table:
    experiment = next(iter(found.catalogue.experiments.values()))
    order = {variant.id: at for at, variant in enumerate(experiment.variants)}
    in_order = sorted(rows.iter_rows(named=True), key=lambda row: order[row["variant_id"]])
    method = ", ".join(word.replace("_", " ") for word in rows["method"].drop_nulls().unique().sort())
    better = "less" if metric.direction == "decrease" else "more"
    return Table(
        f"{metric.name} ({rows['role'][0]}; {method}; {better} is better)",
        ("arm", "units", "value", "lift", "interval", "difference", "its interval", "p", "p adjusted"),
        [_metric_line(row, metric) for row in in_order],
        tuple(_metric_notes(metric, rows, found)),
    )


def _metric_line(row: Row, metric: MetricDefinition) -> tuple[str, ...]:
    start = row["variant_id"], fmt.count(row["n"]), fmt.amount(row["mean"], metric.unit, metric.kind)
    if row["status"] != "ok":
        return (*start, wording.reason(row["reason"]), "", "", "", "", "")
    if row["comparison"] is None:
        return (*start, "control", "", "", "", "", "")
    difference, low, high = (
        _difference(row, end, metric) for end in ("lift_abs", "lift_abs_low", "lift_abs_high")
    )
    absolute = fmt.MISSING if fmt.MISSING in {low, high} else f"{low} to {high}"
    p = fmt.p_value(row["p_value"]), fmt.p_value(row["p_adjusted"])
    return (*start, *_lift(row, metric), difference, absolute, *p)


def _metric_notes(metric: MetricDefinition, rows: pl.DataFrame, found: FlatAnalysis) -> Iterator[str]:
    for row in rows.iter_rows(named=True):
        if unmet := unmet_text(row):
            yield f"{row['variant_id']} decides nothing here: the test asks for {unmet}"
    several = found.differences.filter((pl.col("metric") == metric.name) & (pl.col("arms") > 2))
    for row in several.iter_rows(named=True):
        test = row["method"].replace("_", " ")
        told = f"p {fmt.p_value(row['p_value'])} ({test})"
        if row["reason"] is not None:
            told = f"not tested by {test} ({row['reason'].replace('_', ' ')})"
        yield f"any difference among {row['arms']} arms: {told}"


def _difference(row: Row, end: str, metric: MetricDefinition) -> str:
    """The absolute difference, or an end of its interval."""
    if row[end] is None:
        return fmt.MISSING
    if row["method"] == "mann_whitney":
        return fmt.points(row[end])
    return fmt.amount(row[end], metric.unit, metric.kind, signed=True)


def _lift(row: Row, metric: MetricDefinition) -> tuple[str, str]:
    """The lift and its interval, in the metric's unit where it has no relative form."""
    return effect_figures(effect_of(row, lasting=False), metric_view(metric))


def _of_many(found: FlatAnalysis) -> Brief:
    decisions, validity = found.judgement.decisions, found.judgement.validity
    split = validity.filter((pl.col("check") == "srm") & (pl.col("segment") == "all"))
    status = dict(split["status"].value_counts().iter_rows())
    counted = ", ".join(f"{status.get(word, 0):,} {word}" for word in ("pass", "warn", "fail"))
    said = [f"Split of the units: {counted} (fail: p < .001, warn: p < .01)"]
    alpha = next(iter(found.catalogue.experiments.values())).plan.alpha or 0.05
    for (metric,), part in found.differences.group_by("metric", maintain_order=True):
        plain, kept = (int((part[name] <= alpha).sum()) for name in ("p_value", "p_adjusted"))
        said.append(
            f"{metric}: any difference among the arms (p ≤ {alpha:g}) in {plain:,}, "
            f"{kept:,} after Benjamini-Hochberg"
        )
    counts = (
        decisions.group_by("action", pl.col("reasons").list.first().alias("reason"))
        .len()
        .sort("len", descending=True)
    )
    chosen = Table(
        "Decisions",
        ("what to do", "why", "experiments"),
        [
            (wording.words(action, {}), wording.words(why, {}), fmt.count(number))
            for action, why, number in counts.iter_rows()
        ],
    )
    tables = [chosen, _clearest(found, split)]
    return Brief(f"{decisions.height:,} experiments", [("", line) for line in said], tables, found.notes)


def _clearest(found: FlatAnalysis, split: pl.DataFrame) -> Table:
    first = next(iter(found.metrics))
    rows = (
        found.judgement.comparisons.filter(
            (pl.col("metric") == first)
            & (pl.col("segment") == "all")
            & pl.col("p_value").is_not_null()
            & pl.col("requirements_met")
        )
        .join(split.filter(pl.col("status") == "fail"), on="experiment_id", how="anti")
        .sort("p_value", "experiment_id", "variant_id")
        .head(_SHOWN_EXPERIMENTS)
    )
    return Table(
        f"Clearest differences of {first} where the split is sound (all rows: --format json)",
        ("experiment", "arm", "against", "units", "lift", "interval", "p"),
        [
            (row["experiment_id"], row["variant_id"], row["comparison"], fmt.count(row["n"]),
             *_lift(row, found.metrics[first]), fmt.p_value(row["p_value"]))
            for row in rows.iter_rows(named=True)
        ],
    )  # fmt: skip
