"""`fairsplit analyze`: one flat file to a scorecard at once, without project, catalogue or home."""

from __future__ import annotations

import sys
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.cli import app
from fairsplit.orchestration.errors import OrchestrationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairsplit.analysis.flat_files import FlatAnalysis


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


class CrossoverChoice(StrEnum):
    """What becomes of units seen in two arms."""

    include = "include"
    exclude = "exclude"


@app.command(
    epilog="Example: `fairsplit analyze players.csv --variant version --metric retention_7:proportion "
    "--metric rounds:mean`"
)
def analyze(
    file: Annotated[Path, typer.Argument(help="CSV, TSV, Parquet, JSON, NDJSON or DuckDB.")],
    unit: Annotated[str | None, typer.Option(help="Column of the unit's id.")] = None,
    variant: Annotated[str | None, typer.Option(help="Column of the arm.")] = None,
    control: Annotated[
        list[str] | None, typer.Option(help="The arm to compare with. NAME=ARM for one experiment.")
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="COLUMN[:TYPE][:decrease], repeatable; the first one decides. Types: proportion, z, mean, median, "
            "p90, mann_whitney, ks; NUMERATOR/DENOMINATOR is a ratio; of counts per arm SUCCESSES/UNITS or "
            "MEAN/SD/UNITS."
        ),
    ] = None,
    cap: Annotated[
        list[str] | None,
        typer.Option(
            help="[METRIC=][LOWER..]UPPER, repeatable: what means are capped to, quantiles of all arms (p99, p1..p99) "
            "or numbers (0..500); :nonzero takes quantiles of the values that are not 0."
        ),
    ] = None,
    covariate: Annotated[
        list[str] | None, typer.Option(help="Column known before exposure (CUPED), repeatable.")
    ] = None,
    segment: Annotated[
        list[str] | None, typer.Option(help="Column to split the results by, repeatable.")
    ] = None,
    experiment: Annotated[str | None, typer.Option(help="Column that tells experiments apart.")] = None,
    by: Annotated[
        RowKind | None, typer.Option(help="What a row is: a unit, its event, or an arm's counts.")
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(help="Column of the groups by which the arms were drawn, larger than a row.")
    ] = None,
    units: Annotated[
        str | None, typer.Option(help="Column of an arm's units; alone it judges the split of counts.")
    ] = None,
    crossovers: Annotated[
        CrossoverChoice, typer.Option(help="Units seen in two arms: stay in the first one, or are left out.")
    ] = CrossoverChoice.include,
    ratio: Annotated[
        list[str] | None,
        typer.Option(
            help="The declared split, such as 1:1:2; equal if left out. NAME=1:1 for one experiment."
        ),
    ] = None,
    arms_as_written: Annotated[
        bool, typer.Option("--arms-as-written", help="Keep arms apart that differ by case or blanks only.")
    ] = False,
    alpha: Annotated[float, typer.Option(help="Level of the tests.")] = 0.05,
    delimiter: Annotated[
        str | None, typer.Option(help="What separates the cells of text: one character, or tab.")
    ] = None,
    decimal: Annotated[str | None, typer.Option(help="Sign before decimals: . or ,")] = None,
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
    from fairsplit.orchestration.library.analyzing import analyze as judge

    single, several = _parse_ratios(ratio or ())
    general, controls = _parse_controls(control or (), in_experiments=experiment is not None)
    found = judge(
        file,
        metrics=metric or (),
        variant=variant,
        unit=unit,
        control=general,
        caps=cap or (),
        covariates=covariate or (),
        segments=segment or (),
        experiment=experiment,
        by=None if by is None else by.value,
        cluster=cluster,
        units=units,
        crossovers=crossovers.value,
        ratio=single,
        ratios=several,
        controls=controls,
        arms_as_written=arms_as_written,
        alpha=alpha,
        delimiter=delimiter,
        decimal=decimal,
        table=table,
        as_of=as_of.date() if as_of else None,
    )
    for guess in found.assumed:
        print(f"assumed: {guess}", file=sys.stderr)
    _give_back(found.analysis, output_format, output, file)


def _parse_ratios(texts: Sequence[str]) -> tuple[tuple[float, ...], dict[str, tuple[float, ...]]]:
    """The split of all experiments, and those of single ones by name; a name may hold any character."""
    general: tuple[float, ...] = ()
    single: dict[str, tuple[float, ...]] = {}
    for text in texts:
        name, equals, split = text.rpartition("=")
        shares = _parse_ratio(split)
        if (name in single) if equals else general:
            raise OrchestrationError(Problem("two splits for one experiment", "--ratio", text))
        if equals:
            single[name] = shares
        else:
            general = shares
    return general, single


def _parse_controls(texts: Sequence[str], *, in_experiments: bool) -> tuple[str | None, dict[str, str]]:
    """The control of all experiments, and those of single ones by name, where the file holds several."""
    general: str | None = None
    single: dict[str, str] = {}
    for text in texts:
        name, equals, arm = text.partition("=")
        if equals and in_experiments:
            single[name] = arm
        elif general is None:
            general = text
        else:
            raise OrchestrationError(Problem("two controls", "--control", text, "one, or NAME=ARM"))
    return general, single


def _parse_ratio(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(":"))
    except ValueError as error:
        raise OrchestrationError(
            Problem("is not a split", "--ratio", text, "numbers such as 1:1:2")
        ) from error


def _give_back(found: FlatAnalysis, kind: AnalysisFormat, output: Path | None, file: Path) -> None:
    from fairsplit.orchestration.library.flat_report import json_text, print_summary, write_pages

    if kind is AnalysisFormat.html:
        for note in found.notes:
            print(f"note: {note}", file=sys.stderr)
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
