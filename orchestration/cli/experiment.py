"""`fairsplit experiment …`: the transitions of an experiment's life, and its history."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from fairsplit.orchestration.cli import app
from fairsplit.orchestration.cli.formats import FormatOption, ReportFormat, print_json
from fairsplit.orchestration.cli.once import App
from fairsplit.orchestration.project import Home, catalog_dir

if TYPE_CHECKING:
    from fairsplit.analysis.lifecycle.log import Entry

commands = App(help="Move an experiment through its life.", no_args_is_help=True)
app.add_typer(commands, name="experiment")

_Id = Annotated[str, typer.Argument(metavar="ID", help="The experiment.")]
# Not required by the parser, so that a missing reason is told like every other fault.
_Reason = Annotated[str, typer.Option(help="Why; kept in the log and shown on the scorecard. Required.")]
_At = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"], help="When it takes effect, UTC; now if left out."
    ),
]


@commands.command(epilog="Example: `fairsplit experiment start checkout_cta --reason 'QA passed'`")
def start(
    experiment: _Id, reason: _Reason = "", at: _At = None, output: FormatOption = ReportFormat.text
) -> None:
    """Draft to running: freezes the definition by its hash; a start that has passed moves to now.

    With `assignment: batch` or `external` the list must stand already: `fairsplit assign` writes it.
    """
    _move(experiment, "start", reason, at, output)


@commands.command(epilog="Example: `fairsplit experiment pause checkout_cta --reason 'payment outage'`")
def pause(
    experiment: _Id, reason: _Reason = "", at: _At = None, output: FormatOption = ReportFormat.text
) -> None:
    """Running to paused: the flag is off, exposures meanwhile do not qualify, open windows run on."""
    _move(experiment, "pause", reason, at, output)


@commands.command(epilog="Example: `fairsplit experiment resume checkout_cta --reason 'outage is over'`")
def resume(
    experiment: _Id, reason: _Reason = "", at: _At = None, output: FormatOption = ReportFormat.text
) -> None:
    """Paused to running: ends the pause."""
    _move(experiment, "resume", reason, at, output)


@commands.command(epilog="Example: `fairsplit experiment accept checkout_cta --reason 'agreed in review'`")
def accept(
    experiment: _Id,
    reason: _Reason = "",
    action: Annotated[
        str | None,
        typer.Option(
            help="An act that stands among the next actions of the scorecard; the decision's own if left out."
        ),
    ] = None,
    output: FormatOption = ReportFormat.text,
) -> None:
    """Do what the newest decision proposes, or another of the next actions.

    A stop completes; an arm less, weights or traffic are a new phase; an extension is a new end; a modified or a new
    variant is a draft of another experiment.
    """
    from fairsplit.orchestration.catalogue.loading import read_definitions
    from fairsplit.orchestration.home.transitions import one_at_a_time
    from fairsplit.orchestration.lifecycle import accepting
    from fairsplit.orchestration.warehouse.opening import reader

    home = Home.from_environment()
    with one_at_a_time(catalog_dir()) as finished, reader(home.warehouse) as connection:
        if finished is not None and finished.experiment == experiment:
            _tell(finished, output)
            return
        entry = accepting.accept(
            connection,
            home,
            catalog_dir(),
            read_definitions(),
            experiment,
            reason=reason,
            now=datetime.now(UTC).replace(tzinfo=None),
            action=action,
        )
    _tell(entry, output)


@commands.command(epilog="Example: `fairsplit experiment complete checkout_cta --ship red --reason 'it won'`")
def complete(
    experiment: _Id,
    reason: _Reason = "",
    ship: Annotated[
        str | None, typer.Option(help="The variant that everybody gets; control if left out.")
    ] = None,
    against_advice: Annotated[
        bool,
        typer.Option("--against-advice", help="Ship what the newest decision does not; the log says so."),
    ] = False,
    at: _At = None,
    output: FormatOption = ReportFormat.text,
) -> None:
    """Running or paused to completed: ends it, and serves the shipped variant.

    A variant that the newest decision does not ship is refused without --against-advice.
    """
    _move(experiment, "complete", reason, at, output, ship, against_advice=against_advice)


@commands.command(epilog="Example: `fairsplit experiment cancel checkout_cta --reason 'broken tracking'`")
def cancel(
    experiment: _Id, reason: _Reason = "", at: _At = None, output: FormatOption = ReportFormat.text
) -> None:
    """Draft, running or paused to cancelled: ends it without a verdict."""
    _move(experiment, "cancel", reason, at, output)


@commands.command(
    epilog="Example: `fairsplit experiment archive checkout_cta --reason 'shipped a month ago'`"
)
def archive(experiment: _Id, reason: _Reason = "", output: FormatOption = ReportFormat.text) -> None:
    """Completed, cancelled or failed to archived: nothing is served any more."""
    _move(experiment, "archive", reason, None, output)


@commands.command(epilog="Example: `fairsplit experiment history checkout_cta --format json`")
def history(experiment: _Id, output: FormatOption = ReportFormat.text) -> None:
    """Show the transitions, and every edit since the start with what it affects."""
    from fairsplit.orchestration.catalogue.loading import read_definitions
    from fairsplit.orchestration.lifecycle.transitions import histories
    from fairsplit.orchestration.reading.results import require_known
    from fairsplit.orchestration.warehouse.opening import reader

    known = read_definitions().catalogue
    warehouse = Home.from_environment().warehouse
    if warehouse.exists():
        with reader(warehouse) as connection:
            found = histories(catalog_dir(), connection)
    else:
        found = histories(catalog_dir(), None)
    require_known(experiment, {*known.experiments, *found}, "experiment", "ID")
    lines = found.get(experiment, [])
    if output is ReportFormat.json:
        print_json(
            [
                {
                    "at": line.at,
                    "what": line.what,
                    "definition_hash": line.definition_hash,
                    "changed_after_start": line.marks_result,
                }
                for line in lines
            ]
        )
        return
    for line in lines:
        print(f"{line.at:%Y-%m-%d %H:%M:%S} UTC  {line.what}")
    if not lines:
        print("no transition was logged, and no edit was seen")


def _move(
    experiment: str,
    action: str,
    reason: str,
    at: datetime | None,
    output: ReportFormat,
    ship: str | None = None,
    *,
    against_advice: bool = False,
) -> None:
    from fairsplit.analysis.lifecycle.states import TRANSITIONS
    from fairsplit.orchestration.catalogue.loading import read_definitions
    from fairsplit.orchestration.home.transitions import one_at_a_time
    from fairsplit.orchestration.lifecycle.advice import advice_against
    from fairsplit.orchestration.lifecycle.transitions import transition

    with one_at_a_time(catalog_dir()) as finished:
        if finished is not None and (finished.experiment, finished.action) == (experiment, action):
            _tell(finished, output)
            return
        now = datetime.now(UTC).replace(tzinfo=None)
        home, definitions = Home.from_environment(), read_definitions()
        known = definitions.catalogue.experiments.get(experiment)
        advice = ""
        # What cannot be completed, or ships no variant, is told first by the transition.
        if (
            known is not None
            and known.status in TRANSITIONS["complete"]
            and ship in {variant.id for variant in known.variants}
        ):
            advice = advice_against(home, known, str(ship), insisted=against_advice)
        entry = transition(
            home,
            catalog_dir(),
            definitions,
            experiment,
            action,
            reason=reason,
            at=at or now.replace(microsecond=0),
            now=now,
            ship=ship,
            advice=advice,
        )
    _tell(entry, output)


def _tell(entry: Entry, output: ReportFormat) -> None:
    if output is ReportFormat.json:
        print_json(
            {
                "experiment": entry.experiment,
                "action": entry.action,
                "before": entry.before,
                "after": entry.after,
                "effective": entry.effective,
                "definition_hash": entry.definition_hash,
            }
        )
    else:
        print(f"{entry.experiment}: {entry.before} → {entry.after} from {entry.effective.isoformat()}Z on")
