"""`fairsplit validate`: check every definition."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from fairsplit.analysis.catalogue import validate_catalogue, write_schemas
from fairsplit.analysis.lifecycle.log import read_sound
from fairsplit.orchestration.catalogue.examples import failed_examples
from fairsplit.orchestration.catalogue.loading import read_metrics_that_bind
from fairsplit.orchestration.cli import app
from fairsplit.orchestration.cli.formats import FormatOption, ReportFormat
from fairsplit.orchestration.project import Home, catalog_dir, metrics_dir
from fairsplit.orchestration.warehouse.dbt import semantic_layer_fault


@app.command(epilog="Example: `fairsplit validate --format json`")
def validate(
    output: FormatOption = ReportFormat.text,
    write_schema: Annotated[
        bool, typer.Option("--write-schema", help="Also write the JSON Schemas that editors use.")
    ] = False,
) -> None:
    """Check experiments, flags, segments and metrics; each fault names file, line, field, rule and hint."""
    if write_schema:
        for path in write_schemas(catalog_dir()):
            print(path)
    layer = read_metrics_that_bind(metrics_dir(), catalog_dir())
    if not layer.problems and (fault := semantic_layer_fault(Home.from_environment())):
        layer = replace(layer, problems=(fault,))
    report = validate_catalogue(catalog_dir(), layer)
    tested = failed_examples(catalog_dir(), layer) if report.experiments else ()
    report = replace(report, problems=(*report.problems, *tested, *read_sound(catalog_dir())[1]))
    print(report.json() if output is ReportFormat.json else report.text())
    if not report.ok:
        raise typer.Exit(1)
