"""`fairsplit share`: one experiment's published page as a file to send."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.cli import app
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.project import Home


@app.command(epilog="Example: `fairsplit share checkout_cta --output checkout_cta.html`")
def share(
    experiment: Annotated[str, typer.Argument(help="Id of the experiment.")],
    output: Annotated[
        Path | None, typer.Option(help="The file to write; `<experiment>.html` here if left out.")
    ] = None,
) -> None:
    """Write one experiment's published page as a single file that asks for nothing beside itself.

    What is shared is what was published last: nothing is computed. The file holds results and the definition, no
    unit's id.
    """
    from fairsplit.analysis.scorecards.naming import safe_name
    from fairsplit.orchestration.publishing.site.share import shared_page

    text = shared_page(Home.from_environment().site, experiment)
    target = output or Path(f"{safe_name(experiment)}.html")
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OrchestrationError(
            Problem(
                "the file cannot be written",
                where=str(target),
                value=error.strerror or str(error),
                rule="a path to write to",
            )
        ) from error
    print(target)
