"""A flat file's analysis as text for a terminal, as JSON, and as pages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TextIO

import polars as pl

from fairsplit.analysis.scorecards import wording
from fairsplit.analysis.scorecards.brief import TEXT_COLUMNS, brief_of
from fairsplit.analysis.scorecards.naming import safe_name
from fairsplit.orchestration.publishing.site.write import write_folder

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from fairsplit.analysis.flat_files import FlatAnalysis
    from fairsplit.analysis.scorecards.brief import Table

_WIDTH = 120


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
    brief = brief_of(found)
    console.print(_clean(brief.verdict), style="bold")
    for status, sentence in brief.checks:
        console.print(_clean(f"{wording.STATUS_WORDS[status]}: {sentence}" if status else sentence))
    for table in brief.tables:
        _print_table(console, table)
    for note in brief.notes:
        console.print(f"Note: {_clean(note)}.")


def _print_table(console: Console, table: Table) -> None:
    from rich import box
    from rich.table import Table as RichTable

    drawn = RichTable(title=_clean(table.title), title_justify="left", box=box.SIMPLE, pad_edge=False)
    for number, name in enumerate(table.head):
        is_text = number == 0 or name in TEXT_COLUMNS
        drawn.add_column(name, justify="left" if is_text else "right", overflow="fold")
    for line in table.lines:
        drawn.add_row(*(_clean(cell) for cell in line))
    console.print(drawn)
    for note in table.notes:
        console.print(f"  {_clean(note)}")


def _clean(text: str) -> str:
    """Names come from the file: control characters must not reach the terminal."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)
