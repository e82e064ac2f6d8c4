"""`fairsplit export`: publish the allocation configs of what is built, or go back to an earlier version."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.cli import app
from fairsplit.orchestration.cli.formats import ReportFormat, say
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.project import Home

if TYPE_CHECKING:
    from fairsplit.assignment_exports.publishing import PublishedVersion


@app.command(epilog="Example: `fairsplit export --rollback --to v000002-8f14e45fceea`")
def export(
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Switch back to an earlier version instead of publishing.")
    ] = False,
    to: Annotated[
        str | None, typer.Option(help="With --rollback: the version; the one before if left out.")
    ] = None,
    output: Annotated[
        ReportFormat, typer.Option("--format", help="For people or for machines.")
    ] = ReportFormat.text,
) -> None:
    """Publish `exports/current` from the catalogue and the days that are built; say what changed, in words.

    Before the first day is built, what the catalogue says is published, so that arms can be served before events come.
    Nothing is recomputed: `fairsplit run` builds, judges and renders the pages, which stay as they are here. Going back
    takes them along. A rolled-back content is not published again until
    something changes, so the next scheduled run does not bring it back.
    """
    from fairsplit.orchestration.privacy.owed import pay
    from fairsplit.orchestration.publishing.publication import go_back

    home = Home.from_environment()
    # No version is to come into force with somebody who was to be gone from all of them.
    pay(home, say)
    if rollback:
        version = go_back(home, to)
    elif to is not None:
        raise OrchestrationError(
            Problem("nothing to switch to", where="--to", value=to, rule="--to goes with --rollback")
        )
    else:
        version = _publish(home)
    print(json.dumps(_report(version), indent=1) if output is ReportFormat.json else _text(version))


def _publish(home: Home) -> PublishedVersion:
    from fairsplit.orchestration.catalogue.loading import read_definitions
    from fairsplit.orchestration.publishing.exporting import export_configs, export_first, proposal
    from fairsplit.orchestration.warehouse.opening import writer
    from fairsplit.orchestration.warehouse.outstanding import frontier

    definitions = read_definitions()
    if not home.warehouse.exists():
        return export_first(home.prepare(), definitions)
    with writer(home.warehouse) as connection:
        if frontier(connection) is None:
            return export_first(home, definitions)
        return export_configs(home, connection, proposal(home, connection, definitions))


def _report(version: PublishedVersion) -> dict[str, Any]:
    return {
        "version": version.version,
        "previous": version.previous,
        "changed": version.changed,
        "path": str(version.path),
        "experiments": dict(version.manifest.get("experiments", {})),
        "flags": dict(version.manifest.get("flags", {})),
    }


def _text(version: PublishedVersion) -> str:
    lines = []
    for part in ("experiments", "flags"):
        for name, entry in sorted(version.manifest.get(part, {}).items()):
            if entry["change"] != "unchanged":
                why = f" ({entry['reason']})" if entry["reason"] else ""
                lines.append(f"{name}: {entry['change']}{why}; {'; '.join(entry['diff'])}".rstrip("; "))
    if not version.changed:
        print("nothing changed: the version stays in force", file=sys.stderr)
    return "\n".join([*lines, str(version.path)])
