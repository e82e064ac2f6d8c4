"""The whole home against its recorded checksums, and what is damaged given again by what else the home has."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

import duckdb

from fairsplit.analysis.errors import FairsplitError
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.home.checking import (
    dagster_storage,
    exports,
    journals,
    lake,
    lists,
    site,
    warehouse,
)
from fairsplit.orchestration.home.damage import Damage
from fairsplit.orchestration.home.migrating import drop_what_is_computed
from fairsplit.orchestration.home.rewriting import salvage
from fairsplit.orchestration.landing import IngestSettings
from fairsplit.orchestration.publishing.exporting import export_configs, proposal
from fairsplit.orchestration.publishing.publication import publish, ready_folders
from fairsplit.orchestration.warehouse.opening import has_table, writer
from fairsplit.orchestration.warehouse.outstanding import frontier, outstanding_days, pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fairsplit.analysis.errors import Problem
    from fairsplit.orchestration.catalogue.loading import Definitions
    from fairsplit.orchestration.project import Home

_Made = TypeVar("_Made")
#: A mended lake lets tables be built, and they let pages be published: each is a round.
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found, in the order in which it is mended.

    Attributes:
        kept: Journals, lake, warehouse, lists, and Dagster's storage.
        served: What is published from them.
        readable: Whether every table of the warehouse can be read.
    """

    kept: list[Damage]
    served: list[Damage]
    readable: bool = True

    @property
    def problems(self) -> list[Problem]:
        """All of them."""
        return [damage.problem for damage in chain(self.kept, self.served)]


def check(home: Home, catalog: Path, definitions: Definitions) -> list[Problem]:
    """Every damage of the home; nothing is changed.

    Raises:
        OrchestrationError: Another process holds the warehouse, or the home is of another schema.
    """
    with _checked(home, catalog, definitions) as found:
        return found.problems


def repair(
    home: Home, catalog: Path, definitions: Definitions, say: Callable[[str], None]
) -> tuple[list[Problem], list[Problem]]:
    """Give again what can be given.

    Args:
        home: Prepared home.
        catalog: The catalogue's folder.
        definitions: The catalogue and its metrics.
        say: Called with a line of progress, and where a repair fails.

    Returns:
        What was damaged and is mended, and what is damaged still.

    Raises:
        OrchestrationError: Another process holds the warehouse, or the home is of another schema.
    """
    seen: dict[tuple[str, str], Problem] = {}
    for _ in range(_ROUNDS):
        damaged = check(home, catalog, definitions)
        if not damaged:
            break
        # dbt opens the warehouse to write its docs, so they are made before it is opened here.
        is_site = any(problem.where.startswith(home.site.name) for problem in damaged)
        folders = _try(partial(ready_folders, home, definitions), say) if is_site else None
        with _checked(home, catalog, definitions, folders) as found:
            for problem in found.problems:
                seen.setdefault((problem.what, problem.where), problem)
            rebuilds = any(damage.rebuilds for damage in found.kept)
            # Pages and configs of tables that are to be built anew are published by that.
            for damage in found.kept if rebuilds else chain(found.kept, found.served):
                if damage.mend is not None:
                    _try(damage.mend, say)
        if rebuilds:
            _try(partial(_rebuild, home, say, readable=found.readable), say)
    left = check(home, catalog, definitions)
    remaining = {(problem.what, problem.where) for problem in left}
    return [problem for key, problem in seen.items() if key not in remaining], left


@contextmanager
def _checked(
    home: Home, catalog: Path, definitions: Definitions, folders: dict[str, Path] | None = None
) -> Iterator[Checked]:
    """What is damaged; the warehouse stays open for who mends it."""
    outside = [*journals.find_transitions(catalog), *lists.find(home), *dagster_storage.find(home)]
    broken: list[Damage] = []
    if home.warehouse.exists():
        try:
            broken = warehouse.of_blocks(warehouse.unreadable_tables(home.warehouse))
        except OrchestrationError as error:
            if error.problem.rule == "one process at a time":
                raise
            broken = [Damage(error.problem)]
    if broken or not home.warehouse.exists():
        kept = [*broken, *journals.find_erasures(home, None), *outside]
        yield Checked(kept, [*exports.find(home, None), *site.find(home, None)], readable=False)
        return
    with writer(home.warehouse) as connection:
        if not has_table(connection, "landing", "manifest"):
            kept = [*journals.find_erasures(home, None), *outside]
            yield Checked(kept, [*exports.find(home, None), *site.find(home, None)])
            return
        project = definitions.catalogue.project
        settings = IngestSettings.of(project)
        sources = list(definitions.catalogue.sources.values())
        kept = [
            *journals.find_erasures(home, connection),
            *journals.find_kept(home, connection),
            *lake.find(home, connection, settings, sources),
            *warehouse.find(home, connection, catalog),
            *outside,
        ]
        is_built = frontier(connection) is not None

        def configs() -> None:
            export_configs(home, connection, proposal(home, connection, definitions))

        pages = partial(publish, home, connection, definitions, folders or {}) if is_built else None
        yield Checked(kept, [*exports.find(home, configs if is_built else None), *site.find(home, pages)])


def _try(mend: Callable[[], _Made], say: Callable[[str], None]) -> _Made | None:
    """Mend one thing; what fails is said, and found again by the next check."""
    try:
        return mend()
    except (FairsplitError, OSError, duckdb.Error, LookupError) as error:
        say(f"not mended: {str(error).splitlines()[0]}")
        return None


def _rebuild(home: Home, say: Callable[[str], None], *, readable: bool) -> None:
    """Build every day anew from the lake."""
    from fairsplit.orchestration.running.runs import execute  # noqa: PLC0415
    from fairsplit.orchestration.warehouse.dbt import ensure_manifest  # noqa: PLC0415  (Dagster's imports cost seconds)

    if readable:
        with writer(home.warehouse) as connection:
            connection.execute("begin")
            drop_what_is_computed(connection)
            connection.execute("commit")
    else:
        salvage(home)
    ensure_manifest(home)
    execute(home, "land")
    with writer(home.warehouse) as connection:
        days = outstanding_days(connection, published=False)
    if days is None:
        return
    for first, last in pieces(days):
        say(f"building {first} to {last}")
        execute(home, "daily", (first, last), after="land")
