"""A flat file's analysis as text for a terminal, as JSON, and as pages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TextIO

import polars as pl

from fairsplit.analysis.judgement.wording import unmet_text
from fairsplit.analysis.scorecards import format as fmt
from fairsplit.analysis.scorecards import wording
from fairsplit.analysis.scorecards.naming import safe_name
from fairsplit.orchestration.publishing.site.write import write_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console

    from fairsplit.analysis.catalogue.metrics import MetricDefinition
    from fairsplit.analysis.flat_files import FlatAnalysis

Row = dict[str, Any]
_WIDTH = 120
_SHOWN_EXPERIMENTS = 20


def json_text(found: FlatAnalysis) -> str:
    """All rows, numbers in full; what cannot be computed is null beside its reason."""
    tables = {
        "comparisons": found.judgement.comparisons,
        "validity": found.judgement.validity,
        "decisions": found.judgement.decisions,
        "differences": found.differences,
    }
    # Polars writes a table of thousands of experiments many times faster than Python's own encoder.
    finite = pl.when(pl.col(pl.Float64).is_finite()).then(pl.col(pl.Float64))
    said = {"assumed": found.guesses, "notes": found.notes}
    parts = [f'"{name}": {json.dumps(lines, ensure_ascii=False)}' for name, lines in said.items()]
    parts += [f'"{name}": {frame.with_columns(finite).write_json()}' for name, frame in tables.items()]
    return "{" + ",\n ".join(parts) + "}"


def write_pages(found: FlatAnalysis, folder: Path) -> Path:
    """Write the scorecards into a folder and return the page to open."""
    from fairsplit.analysis.scorecards import Provenance, SiteInputs, render_site
    from fairsplit.analysis.scorecards.views import experiment_view, metric_view

    comparisons = found.judgement.comparisons
    inputs = SiteInputs(
        cut_off=found.judgement.decisions["cut_off"][0],
        experiments=[experiment_view(item, "") for item in found.catalogue.experiments.values()],
        metrics={name: metric_view(metric) for name, metric in found.metrics.items()},
        comparisons=comparisons,
        validity=found.judgement.validity,
        decisions=found.judgement.decisions,
        daily_exposures=found.exposures,
        histograms=pl.DataFrame() if found.histograms is None else found.histograms,
        provenance=Provenance(code_hash=next(iter(comparisons["code_hash"]), None) or ""),
    )
    write_folder(folder, render_site(inputs))
    names = [safe_name(name) for name in found.catalogue.experiments]
    return folder / "experiments" / f"{names[0]}.html" if len(names) == 1 else folder / "index.html"


def print_summary(found: FlatAnalysis, stream: TextIO) -> None:
    """One experiment in full; of many the counts and the clearest."""
    from rich.console import Console

    terminal = stream.isatty()
    console = Console(file=stream, markup=False, highlight=False, width=None if terminal else _WIDTH)
    if len(found.catalogue.experiments) == 1:
        _print_one(found, console)
    else:
        _print_many(found, console)
    for note in found.notes:
        console.print(f"Note: {_clean(note)}.")


def _print_one(found: FlatAnalysis, console: Console) -> None:
    decision = found.judgement.decisions.row(0, named=True)
    console.print(_clean(decision["sentence"]), style="bold")
    for check in found.judgement.validity.iter_rows(named=True):
        if check["segment"] == "all" or check["status"] != "pass":
            console.print(f"{wording.STATUS_WORDS[check['status']]}: {_clean(check['sentence'])}")
    rows = found.judgement.comparisons
    for metric in found.metrics.values():
        its = rows.filter((pl.col("metric") == metric.name) & (pl.col("segment") == "all"))
        _print_metric(metric, its, found, console)
    segments = rows.filter(pl.col("segment") != "all", pl.col("comparison").is_not_null())
    if segments.height:
        _table(
            console,
            "Segments: they inform and never decide",
            ("segment", "level", "metric", "arm", "units", "lift", "interval", "p adjusted"),
            [
                (row["segment"], row["segment_level"], row["metric"], row["variant_id"], fmt.count(row["n"]),
                 *_lift(row, found.metrics[row["metric"]]), fmt.p_value(row["p_adjusted"]))
                for row in segments.iter_rows(named=True)
            ],
        )  # fmt: skip


def _print_metric(
    metric: MetricDefinition, rows: pl.DataFrame, found: FlatAnalysis, console: Console
) -> None:
    order = {
        variant.id: at for at, variant in enumerate(next(iter(found.catalogue.experiments.values())).variants)
    }
    lines = []
    for row in sorted(rows.iter_rows(named=True), key=lambda row: order[row["variant_id"]]):
        value = fmt.amount(row["mean"], metric.unit, metric.kind)
        name, units = row["variant_id"], fmt.count(row["n"])
        if row["comparison"] is None and row["status"] == "ok":
            lines.append((name, units, value, "control", "", "", "", "", ""))
        elif row["status"] != "ok":
            lines.append((name, units, value, wording.reason(row["reason"]), "", "", "", "", ""))
        else:
            difference, low, high = (
                _difference(row, end, metric) for end in ("lift_abs", "lift_abs_low", "lift_abs_high")
            )
            absolute = fmt.MISSING if fmt.MISSING in {low, high} else f"{low} to {high}"
            lift, interval = _lift(row, metric)
            p = fmt.p_value(row["p_value"]), fmt.p_value(row["p_adjusted"])
            lines.append((name, units, value, lift, interval, difference, absolute, *p))
    role = rows["role"][0]
    method = ", ".join(word.replace("_", " ") for word in rows["method"].drop_nulls().unique().sort())
    better = "less" if metric.direction == "decrease" else "more"
    title = f"{metric.name} ({role}; {method}; {better} is better)"
    head = ("arm", "units", "value", "lift", "interval", "difference", "its interval", "p", "p adjusted")
    _table(console, title, head, lines)
    for row in rows.iter_rows(named=True):
        if unmet := unmet_text(row):
            console.print(f"  {_clean(row['variant_id'])} decides nothing here: the test asks for {unmet}")
    several = found.differences.filter((pl.col("metric") == metric.name) & (pl.col("arms") > 2))
    for row in several.iter_rows(named=True):
        test = row["method"].replace("_", " ")
        console.print(f"  any difference among {row['arms']} arms: p {fmt.p_value(row['p_value'])} ({test})")


def _difference(row: Row, end: str, metric: MetricDefinition) -> str:
    """The absolute difference, or an end of its interval."""
    if row[end] is None:
        return fmt.MISSING
    if row["method"] == "mann_whitney":
        return fmt.points(row[end])
    return fmt.amount(row[end], metric.unit, metric.kind, signed=True)


def _lift(row: Row, metric: MetricDefinition) -> tuple[str, str]:
    """The lift and its interval, in the metric's unit where it has no relative form."""
    from fairsplit.analysis.judgement.effects import effect_of
    from fairsplit.analysis.scorecards.headline import effect_figures
    from fairsplit.analysis.scorecards.views import metric_view

    return effect_figures(effect_of(row, lasting=False), metric_view(metric))


def _print_many(found: FlatAnalysis, console: Console) -> None:
    decisions, validity = found.judgement.decisions, found.judgement.validity
    split = validity.filter((pl.col("check") == "srm") & (pl.col("segment") == "all"))
    console.print(f"{decisions.height:,} experiments", style="bold")
    status = dict(split["status"].value_counts().iter_rows())
    console.print(
        f"Split of the units: {status.get('pass', 0):,} pass, {status.get('warn', 0):,} warn, "
        f"{status.get('fail', 0):,} fail (fail: p < .001, warn: p < .01)"
    )
    alpha = next(iter(found.catalogue.experiments.values())).plan.alpha or 0.05
    for (metric,), part in found.differences.group_by("metric", maintain_order=True):
        plain, kept = (int((part[name] <= alpha).sum()) for name in ("p_value", "p_adjusted"))
        console.print(
            f"{_clean(str(metric))}: any difference among the arms (p ≤ {alpha:g}) in {plain:,}, "
            f"{kept:,} after Benjamini-Hochberg"
        )
    counts = (
        decisions.group_by("action", pl.col("reasons").list.first().alias("reason"))
        .len()
        .sort("len", descending=True)
    )
    _table(
        console,
        "Decisions",
        ("what to do", "why", "experiments"),
        [
            (wording.words(action, {}), wording.words(why, {}), fmt.count(number))
            for action, why, number in counts.iter_rows()
        ],
    )
    first = next(iter(found.metrics))
    clearest = (
        found.judgement.comparisons.filter(
            (pl.col("metric") == first) & (pl.col("segment") == "all") & pl.col("p_value").is_not_null()
        )
        .join(split.filter(pl.col("status") == "fail"), on="experiment_id", how="anti")
        .sort("p_value", "experiment_id", "variant_id")
        .head(_SHOWN_EXPERIMENTS)
    )
    _table(
        console,
        f"Clearest differences of {first} where the split is sound (all rows: --format json)",
        ("experiment", "arm", "against", "units", "lift", "interval", "p"),
        [
            (row["experiment_id"], row["variant_id"], row["comparison"], fmt.count(row["n"]),
             *_lift(row, found.metrics[first]), fmt.p_value(row["p_value"]))
            for row in clearest.iter_rows(named=True)
        ],
    )  # fmt: skip


def _table(console: Console, title: str, head: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.table import Table

    table = Table(title=_clean(title), title_justify="left", box=box.SIMPLE, pad_edge=False)
    for number, name in enumerate(head):
        is_text = number == 0 or name in {"level", "metric", "arm", "against", "why"}
        table.add_column(name, justify="left" if is_text else "right", overflow="fold")
    for line in lines:
        table.add_row(*(_clean(cell) for cell in line))
    console.print(table)


def _clean(text: str) -> str:
    """Names come from the file: control characters must not reach the terminal."""
    return "".join(character if character.isprintable() else "�" for character in text)
