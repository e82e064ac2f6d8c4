"""`fairsplit analyze`: one flat file to a scorecard at once, without project, catalogue or home."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from analysis.errors import Problem
from orchestration.cli import app
from orchestration.errors import OrchestrationError

if TYPE_CHECKING:
    from analysis.flat_files import FlatAnalysis


class AnalysisFormat(StrEnum):
    """What `analyze` gives back."""

    text = "text"
    json = "json"
    html = "html"


class RowKind(StrEnum):
    """What a row of the file is."""

    unit = "unit"
    event = "event"
    arm = "arm"


@app.command(
    epilog="Example: `fairsplit analyze players.csv --variant version --metric retention_7:proportion "
    "--metric rounds:mean`"
)
def analyze(
    file: Annotated[Path, typer.Argument(help="CSV, TSV, Parquet, JSON, NDJSON or DuckDB.")],
    unit: Annotated[str | None, typer.Option(help="Column of the unit's id.")] = None,
    variant: Annotated[str | None, typer.Option(help="Column of the arm.")] = None,
    control: Annotated[str | None, typer.Option(help="The arm to compare with.")] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="COLUMN[:TYPE][:decrease], repeatable; the first one decides. Types: proportion, z, mean, median, "
            "p90, mann_whitney, ks; NUMERATOR/DENOMINATOR is a ratio, or counts per arm."
        ),
    ] = None,
    covariate: Annotated[list[str] | None, typer.Option(help="Column known before exposure (CUPED).")] = None,
    segment: Annotated[list[str] | None, typer.Option(help="Column to split the results by.")] = None,
    experiment: Annotated[str | None, typer.Option(help="Column that tells experiments apart.")] = None,
    by: Annotated[
        RowKind | None, typer.Option(help="What a row is: a unit, its event, or an arm's counts.")
    ] = None,
    ratio: Annotated[
        str | None, typer.Option(help="The declared split, such as 1:1:2; equal if left out.")
    ] = None,
    alpha: Annotated[float, typer.Option(help="Level of the tests.")] = 0.05,
    table: Annotated[str | None, typer.Option(help="Table of a DuckDB file.")] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Day the results stand for; the file's own if left out."),
    ] = None,
    output_format: Annotated[
        AnalysisFormat, typer.Option("--format", help="What to give back.")
    ] = AnalysisFormat.text,
    output: Annotated[
        Path | None, typer.Option(help="File for text and JSON, folder for HTML; else the terminal.")
    ] = None,
) -> None:
    """Judge one flat file: is the split sound, which arm is better, by how much."""
    from analysis.flat_files import Request, analyse
    from orchestration.code_hash import analysis_hash
    from orchestration.flat_file import read_flat_file

    frame = read_flat_file(file, table)
    request = Request(
        name=file.name.split(".")[0] or file.name,
        cut_off=as_of.date() if as_of else _own_day(file),
        unit=unit,
        variant=variant,
        control=control,
        metrics=metric or (),
        covariates=covariate or (),
        segments=segment or (),
        experiment=experiment,
        by=None if by is None else by.value,
        ratio=_parse_ratio(ratio),
        alpha=alpha,
    )
    found = analyse(frame, request, analysis_hash())
    for guess in found.guesses:
        print(f"assumed: {guess}", file=sys.stderr)
    _give_back(found, output_format, output, file)


def _own_day(file: Path) -> date:
    return datetime.fromtimestamp(file.stat().st_mtime, UTC).date()


def _parse_ratio(text: str | None) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(":")) if text else ()
    except ValueError as error:
        raise OrchestrationError(
            Problem("is not a split", "--ratio", str(text), "numbers such as 1:1:2")
        ) from error


def _give_back(found: FlatAnalysis, kind: AnalysisFormat, output: Path | None, file: Path) -> None:
    from orchestration.cli.analysis_report import json_text, print_summary, write_pages

    if kind is AnalysisFormat.html:
        print(f"writing {len(found.catalogue.experiments):,} scorecards …", file=sys.stderr)
        print(write_pages(found, output or Path(f"{file.name.split('.')[0]}-scorecard")))
    elif output is None:
        if kind is AnalysisFormat.json:
            print(json_text(found))
        else:
            print_summary(found, sys.stdout)
    else:
        with output.open("w", encoding="utf-8") as stream:
            if kind is AnalysisFormat.json:
                stream.write(json_text(found) + "\n")
            else:
                print_summary(found, stream)
        print(output)
