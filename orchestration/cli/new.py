"""`fairsplit new`: asks what an experiment needs and writes its file."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.cli import app
from fairsplit.orchestration.errors import OrchestrationError

if TYPE_CHECKING:
    from pathlib import Path

_EFFECT = 0.05


@app.command(
    epilog="Example: `fairsplit new checkout_hint --yes --owner growth@example.com --metric checkout_conversion`"
)
def new(
    identity: Annotated[str | None, typer.Argument(metavar="ID", help="Slug; the file's name.")] = None,
    name: Annotated[str | None, typer.Option(help="What readers call it.")] = None,
    owner: Annotated[str | None, typer.Option(help="Who answers for it; a mailbox.")] = None,
    hypothesis: Annotated[str | None, typer.Option(help="What should move, and why.")] = None,
    metric: Annotated[str | None, typer.Option(help="The primary metric.")] = None,
    guardrail: Annotated[list[str] | None, typer.Option(help="A metric that must not be harmed.")] = None,
    variant: Annotated[
        list[str] | None, typer.Option(help="Arms, the control first; control and treatment if left out.")
    ] = None,
    effect: Annotated[str | None, typer.Option(help="Smallest relative effect of interest.")] = None,
    start: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day (UTC); tomorrow.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Ask nothing; what is not given takes its default.")
    ] = False,
) -> None:
    """Write a new experiment to the catalogue, as a draft; nothing runs before it is started.

    The file is checked before it is kept. It is never written over an existing one.
    """
    from fairsplit.analysis.catalogue.drafting import draft_yaml
    from fairsplit.analysis.planning.reading import share
    from fairsplit.orchestration.catalogue.loading import read_definitions

    known = sorted(read_definitions().metrics)

    def answer(question: str, given: str | None, default: str | None) -> str:
        if given is not None:
            return given
        if not yes:
            return str(typer.prompt(question, default=default, err=True))
        if default is None:
            raise OrchestrationError(Problem("not given", where="new --yes", value=question, rule="needed"))
        return default

    slug = answer("Id, such as checkout_hint", identity, None)
    title = answer("Name", name, re.sub(r"[_-]+", " ", slug).capitalize())
    mailbox = answer("Owner, a mailbox", owner, None)
    why = answer("Hypothesis", hypothesis, f"{title} changes what we measure.")
    primary = answer(f"Primary metric ({', '.join(known)})", metric, None)
    arms = variant or [
        arm.strip() for arm in answer("Arms, the control first", None, "control, treatment").split(",")
    ]
    wanted = share(answer("Smallest relative effect of interest", effect, f"{_EFFECT:.0%}"), "effect")
    begin = start or datetime.now(UTC).replace(tzinfo=None) + timedelta(days=1)
    text = draft_yaml(
        slug,
        title,
        owner=mailbox,
        hypothesis=why,
        start=begin.date(),
        arms=arms,
        primary=primary,
        guardrails=guardrail or [],
        minimum_effect=wanted,
    )
    print(_keep(slug, text))


def _keep(slug: str, text: str) -> Path:
    """Write the file, and take it back if the catalogue finds it wrong."""
    from fairsplit.analysis.catalogue.fields import SLUG
    from fairsplit.orchestration.catalogue.loading import read_definitions
    from fairsplit.orchestration.project import catalog_dir

    if not re.match(SLUG, slug):
        raise OrchestrationError(
            Problem("not a slug", where="ID", value=slug, rule="lower-case letters, digits, _ and -")
        )
    path = catalog_dir() / "experiments" / f"{slug}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise OrchestrationError(
            Problem("exists already", where=str(path), hint="choose another id")
        ) from error
    catalogue = read_definitions().catalogue
    problems = catalogue.broken.get(slug, ())
    if slug not in catalogue.experiments:
        path.unlink()
        raise OrchestrationError(
            problems[0] if problems else Problem("the experiment would not be valid", where=str(path))
        )
    return path
