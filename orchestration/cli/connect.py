"""`fairsplit connect`: a table of a database as a source, from its first rows to a file that has been tried."""

from __future__ import annotations

from typing import Annotated

import typer

from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.cli import app
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.project import catalog_dir

_TRIED_ROWS = 1_000
_SHOWN_ROWS = 5


@app.command(
    epilog="Example: `fairsplit connect orders --table public.orders --from postgresql:SHOP_DATABASE`"
)
def connect(
    identity: Annotated[str, typer.Argument(metavar="ID", help="Slug; the file's name.")],
    table: Annotated[
        str | None, typer.Option(help="The table: name, schema.name or database.schema.name.")
    ] = None,
    from_: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="DRIVER:VARIABLE", help="The driver, and the variable with path or address."
        ),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="EVENT=COLUMN", help="Where an event column comes from, if not guessed."),
    ] = None,
    watermark: Annotated[
        str | None, typer.Option(help="A column that grows, such as when a row was written.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing: write what was guessed.")] = False,
) -> None:
    """Show a table's first rows, guess how they become events, try that on them, and write the source file.

    It is never written over an existing one. Nothing is landed before the next `fairsplit run`.
    """
    import yaml

    from fairsplit.analysis.catalogue.findings import shown
    from fairsplit.analysis.catalogue.loading import read_source
    from fairsplit.analysis.catalogue.mapping_guesses import guess_mapping
    from fairsplit.orchestration.catalogue.loading import read_definitions
    from fairsplit.orchestration.cli.formats import table as cells
    from fairsplit.orchestration.landing.databases import NotReadError, named_database
    from fairsplit.orchestration.landing.settings import IngestSettings
    from fairsplit.orchestration.landing.trying import first_rows, try_source

    path = catalog_dir() / "sources" / f"{identity}.yaml"
    if path.exists():
        raise OrchestrationError(Problem("the source is there already", str(path), hint="another ID"))
    place = from_ or str(typer.prompt("Driver and variable, as postgresql:SHOP_DATABASE", err=True))
    name = table or str(typer.prompt("Table", err=True))
    database = named_database(place, "--from")
    try:
        rows = first_rows(database, name, _TRIED_ROWS)
    except NotReadError as error:
        raise OrchestrationError(Problem("the table cannot be read", name, str(error))) from error
    if rows.is_empty():
        raise OrchestrationError(Problem("the table is empty", name, hint="connect it when it has rows"))
    print(
        cells(
            rows.columns, [[shown(str(cell)) for cell in row] for row in rows.head(_SHOWN_ROWS).iter_rows()]
        )
    )
    given = dict(part.partition("=")[::2] for part in column or [])
    source = {
        "id": identity,
        "table": name,
        "from": {"driver": database.driver, "uri_from": database.uri_from},
        **({"watermark": {"column": watermark, "look_back": "2d"}} if watermark else {}),
        **guess_mapping(rows, name, given),
    }
    text = yaml.safe_dump(source, sort_keys=False, allow_unicode=True)
    print(f"\n{text}")
    tried = try_source(
        read_source(text, identity), rows, IngestSettings.of(read_definitions().catalogue.project)
    )
    print(f"{tried.rows:,} rows give {tried.events:,} events")
    for reason, count in tried.refused.items():
        print(f"  {count:,} rows are set aside: {reason}")
    for event in tried.example:
        print("  " + ", ".join(f"{key}={shown(value)}" for key, value in event.items()))
    if not yes and not typer.confirm(f"Write {path}?", err=True):
        raise typer.Exit(1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(path)
