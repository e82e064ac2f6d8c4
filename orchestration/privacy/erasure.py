"""An erasure from its first write to its last; killed anywhere, it is taken up again."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fairsplit.orchestration.home.intents import begin, begun, ended, in_hand, is_in_other_hands
from fairsplit.orchestration.home.migrating import COPIES
from fairsplit.orchestration.home.rewriting import compact
from fairsplit.orchestration.landing.erasing import erase, sha
from fairsplit.orchestration.landing.erasure_journal import read_erasures
from fairsplit.orchestration.lifecycle.unit_lists import forget, rows_on_lists, units_on_lists
from fairsplit.orchestration.privacy.places import Places, clear_strays, places_of
from fairsplit.orchestration.warehouse.opening import has_table, writer
from fairsplit.orchestration.warehouse.outstanding import frontier

if TYPE_CHECKING:
    from collections.abc import Callable

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
        hashes: In place of both: rows of the journal that another state of this home knew (`owe`).
        compacts: The database is written anew at the end, so that no byte of its deleted rows is left.
    """

    unit: str
    ids: tuple[str, ...]
    hashes: tuple[tuple[str, str], ...] = ()
    compacts: bool = False


def _interrupted(home: Home) -> Erasure | None:
    """The erasure that was begun and not ended; none in a home at rest."""
    facts = begun(home, _COMMAND)
    return (
        None
        if facts is None
        else Erasure(
            facts["unit"],
            tuple(facts["ids"]),
            tuple((one, other) for one, other in facts["hashes"]),
            facts["compacts"],
        )
    )


def finish_interrupted(home: Home, say: Callable[[str], None]) -> Erasure | None:
    """Carry out the erasure that was begun and not ended, or that is owed; none in a home at rest."""
    owe(home)
    erasure = _interrupted(home)
    if erasure is not None:
        say("an erasure was interrupted; it is carried out first")
        carry_out(home, erasure, say)
    return erasure


def owe(home: Home) -> None:
    """Write down what the journal of erasures knows and the warehouse does not: an older warehouse stands beside it."""
    rows = read_erasures(home.root)[0]
    if not rows or not home.warehouse.exists():
        return
    with writer(home.warehouse) as connection:
        if not has_table(connection, "landing", "erasures"):
            return
        known = set(connection.execute("select id_hash, token_hash from landing.erasures").fetchall())
    hashes = tuple(row[2:] for row in rows if row[2:] not in known)
    if hashes and _interrupted(home) is None:
        begin(home, _COMMAND, asdict(Erasure("", (), hashes)))


def carry_out(home: Home, erasure: Erasure, say: Callable[[str], None]) -> Places:
    """Remove a person from lake, quarantine, strays, lists, facts and exports.

    The ids are written down first, and that note goes last; each step does nothing where it was done before.

    Args:
        home: Where at least one day is built.
        erasure: Whom to erase.
        say: Called with a line of progress.

    Returns:
        What was found, and is gone.

    Raises:
        OrchestrationError: Another process carries an erasure out, or the rebuild failed: the next run goes on.
    """
    with in_hand(home, _COMMAND):
        begin(home, _COMMAND, asdict(erasure))
        removed = _remove(home, erasure)
        with writer(home.warehouse) as connection:
            built = frontier(connection)
        if built is None:
            ended(home, _COMMAND)
            return removed
        say("the rows are removed; rebuilding what they touched")
        from fairsplit.orchestration.running.runs import execute  # noqa: PLC0415  (Dagster's imports cost seconds)
        from fairsplit.orchestration.warehouse.dbt import ensure_manifest  # noqa: PLC0415

        ensure_manifest(home)
        execute(home, "daily", (built, built))
    return removed


def take_up(home: Home, run_id: str) -> None:
    """Begin a run of the pipeline: of whoever was to be erased no row is left to build from.

    Whoever started the run, it carries out what a killed command had begun; `leave_no_trace` is its last step.
    """
    owe(home)
    erasure = _interrupted(home)
    if erasure is not None and not is_in_other_hands(home, _COMMAND):
        _remove(home, erasure)
        begin(home, _COMMAND, asdict(erasure) | {"run_id": run_id})


def leave_no_trace(home: Home, run_id: str) -> None:
    """End a run that took an erasure up: what is built is published once more, and nothing older is left."""
    from fairsplit.orchestration.publishing.exporting import publish_without  # noqa: PLC0415  (half a second)

    facts, erasure = begun(home, _COMMAND), _interrupted(home)
    if facts is None or erasure is None or facts.get("run_id") != run_id:
        return
    with writer(home.warehouse) as connection:
        for scratch in _ONE_RUN:
            connection.execute(f"delete from {scratch}")
        publish_without(home, connection)
        connection.execute("checkpoint")
    if not erasure.hashes:
        # Those of persons known by their hashes alone were erased there before.
        shutil.rmtree(home.root / COPIES, ignore_errors=True)
    if erasure.compacts:
        compact(home.warehouse)
    ended(home, _COMMAND)


def _remove(home: Home, erasure: Erasure) -> Places:
    """Remove a person from lake, quarantine, strays and lists."""
    tokens = {token for _, token in erasure.hashes}
    units = [unit for unit in units_on_lists(home) if sha(unit) in tokens] if tokens else erasure.ids
    lists = rows_on_lists(home, units)
    with writer(home.warehouse) as connection:
        now = datetime.now(UTC).replace(tzinfo=None)
        person = erase(
            home.root, connection, erasure.unit, now, is_known=bool(lists or tokens), hashes=erasure.hashes
        )
        strays = clear_strays(home, connection, erasure.ids)
    forget(home, units)
    return places_of(home, person, lists, strays)
