"""An erasure from its first write to its last; killed anywhere, it is taken up again."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fairsplit.orchestration.home.intents import begin, begun, ended
from fairsplit.orchestration.landing.erasing import erase
from fairsplit.orchestration.lifecycle.unit_lists import forget, rows_on_lists
from fairsplit.orchestration.warehouse.opening import writer
from fairsplit.orchestration.warehouse.outstanding import frontier

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date
    from pathlib import Path

    from fairsplit.orchestration.landing.erasing import Person
    from fairsplit.orchestration.project import Home

#: Tables that tell a run which units to compute anew: after it they still name the one that was erased.
_ONE_RUN = ("int_touched_exposures", "int_value_scope", "int_open_scope")
_COMMAND = "erase"


@dataclass(frozen=True, slots=True)
class Erasure:
    """Whom to erase.

    Attributes:
        unit: The id asked for.
        ids: That id and the anonymous ids linked to it: the links go with the first step.
    """

    unit: str
    ids: tuple[str, ...]


def _interrupted(home: Home) -> Erasure | None:
    """The erasure that was begun and not ended; none in a home at rest."""
    facts = begun(home, _COMMAND)
    return None if facts is None else Erasure(facts["unit"], tuple(facts["ids"]))


def finish_interrupted(home: Home, say: Callable[[str], None]) -> Erasure | None:
    """Carry out the erasure that was begun and not ended, and return it; none in a home at rest."""
    erasure = _interrupted(home)
    if erasure is not None:
        say("an erasure was interrupted; it is carried out first")
        carry_out(home, erasure, say)
    return erasure


def carry_out(home: Home, erasure: Erasure, say: Callable[[str], None]) -> tuple[Person, Mapping[Path, int]]:
    """Remove a person from lake, quarantine, lists, facts and exports.

    The ids are written down first, and that note goes last; each step does nothing where it was done before.

    Args:
        home: Where at least one day is built.
        erasure: Whom to erase.
        say: Called with a line of progress.

    Returns:
        What was removed from lake and quarantine, and rows by list.
    """
    begin(home, _COMMAND, asdict(erasure))
    lists = rows_on_lists(home, erasure.ids)
    with writer(home.warehouse) as connection:
        now = datetime.now(UTC).replace(tzinfo=None)
        person = erase(home.root, connection, erasure.unit, now, is_known=bool(lists))
        built = frontier(connection)
    forget(home, erasure.ids)
    say("the rows are removed; rebuilding what they touched")
    if built is not None:
        _rebuild(home, built)
    ended(home, _COMMAND)
    return person, lists


def _rebuild(home: Home, built: date) -> None:
    from fairsplit.orchestration.publishing.exporting import publish_without  # noqa: PLC0415
    from fairsplit.orchestration.running.runs import execute  # noqa: PLC0415
    from fairsplit.orchestration.warehouse.dbt import ensure_manifest  # noqa: PLC0415  (Dagster's imports cost seconds)

    ensure_manifest(home)
    execute(home, "daily", (built, built))
    with writer(home.warehouse) as connection:
        for scratch in _ONE_RUN:
            connection.execute(f"delete from {scratch}")
        publish_without(home, connection)
        connection.execute("checkpoint")
