"""How the newest figures would move: a copy of the warehouse is built and judged by the definitions that are to be."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fairsplit.orchestration.judging.cut_offs import judge_outstanding
from fairsplit.orchestration.lifecycle.acting import write_catalogue
from fairsplit.orchestration.project import Home
from fairsplit.orchestration.reading.results import read_newest
from fairsplit.orchestration.warehouse.dbt import ask_for, ensure_manifest, run_dbt
from fairsplit.orchestration.warehouse.opening import reader, writer
from fairsplit.orchestration.warehouse.outstanding import built_day

if TYPE_CHECKING:
    from pathlib import Path

    from fairsplit.orchestration.catalogue.loading import Definitions

_KEY = ("experiment_id", "metric", "variant_id")
_SHOWN = ("n", "mean", "lift_rel", "p_value")


@dataclass(frozen=True, slots=True)
class Moved:
    """A row of the newest results that would be another.

    Attributes:
        experiment: The experiment.
        metric: The metric; empty for the decision.
        variant: The variant; empty for the decision.
        before: What stands: units, mean, relative lift and p-value, or the decision's sentence; none where there is
            nothing.
        now: What would stand.
    """

    experiment: str
    metric: str
    variant: str
    before: tuple[Any, ...] | None
    now: tuple[Any, ...] | None


def moved_figures(home: Home, definitions: Definitions, scratch: Path) -> list[Moved]:
    """What of the newest results differs when the definitions are those given.

    Nothing in the home is changed: events are read where they lie, everything else happens in a copy of the warehouse.
    Results as they stand are what the last run computed.

    Args:
        home: Where days were built.
        definitions: What is to be.
        scratch: An empty folder, with room for the warehouse.

    Raises:
        LookupError: No day has been built.
        OrchestrationError: A run holds the warehouse, or dbt refuses the definitions.
    """
    copy = Home(scratch)
    for folder in (copy.dbt_target, copy.exports):
        folder.mkdir(parents=True)
    with reader(home.warehouse) as connection:
        before, built = _newest(connection), built_day(connection)
        shutil.copyfile(home.warehouse, copy.warehouse)
    if home.assignments.exists():
        copy.assignments.symlink_to(home.assignments)
    with writer(copy.warehouse) as connection:
        write_catalogue(connection, copy, definitions)
        ask_for(connection, built)
    ensure_manifest(copy)
    run_dbt(copy, "dbt cannot build", "run", "--no-write-json", "--target-path", str(copy.dbt_target))
    with writer(copy.warehouse) as connection:
        judge_outstanding(connection, definitions)
        now = _newest(connection)
    return [
        Moved(*key, before.get(key), now.get(key))
        for key in sorted({*before, *now})
        if before.get(key) != now.get(key)
    ]


def _newest(connection: Any) -> dict[tuple[str, str, str], tuple[Any, ...]]:
    """Figures of the newest cut-offs by experiment, metric and variant; under no metric the decision's sentence."""
    rows = read_newest(connection, "comparisons", None, None)
    found = {
        tuple(row[name] for name in _KEY): tuple(row[name] for name in _SHOWN)
        for row in rows.to_dicts()
        if (row["analysis"], row["segment"]) == ("default", "all")
    }
    for row in read_newest(connection, "decisions", None, None).to_dicts():
        found[row["experiment_id"], "", ""] = (row["sentence"],)
    return found
