"""Transitions on the user's catalogue: the file edited, the log appended, and what runs see of definitions noted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from fairsplit.analysis.catalogue import Experiment, experiment_hash
from fairsplit.analysis.catalogue.checks import experiment_findings
from fairsplit.analysis.catalogue.findings import parse_model
from fairsplit.analysis.catalogue.hashing import experiment_facts
from fairsplit.analysis.catalogue.holding_out import measured
from fairsplit.analysis.catalogue.together import joint_findings
from fairsplit.analysis.catalogue.yaml_source import parse_yaml
from fairsplit.analysis.errors import Problem
from fairsplit.analysis.lifecycle.clock import starts_by_itself
from fairsplit.analysis.lifecycle.editing import Edit, edited
from fairsplit.analysis.lifecycle.log import (
    Entry,
    HistoryLine,
    Observed,
    edit_entry,
    history,
    read_log,
    read_sound,
)
from fairsplit.analysis.lifecycle.states import LifecycleError, next_status
from fairsplit.orchestration.home.transitions import carry_out
from fairsplit.orchestration.lifecycle.unit_lists import usable_list
from fairsplit.orchestration.reading.results import require_known, rows_of
from fairsplit.orchestration.warehouse.opening import has_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    import duckdb

    from fairsplit.analysis.catalogue import Catalogue
    from fairsplit.analysis.catalogue.experiment import Phase
    from fairsplit.orchestration.catalogue.loading import Definitions
    from fairsplit.orchestration.project import Home


def transition(
    home: Home,
    catalog: Path,
    definitions: Definitions,
    experiment_id: str,
    action: str,
    *,
    reason: str,
    at: datetime,
    now: datetime,
    ship: str | None = None,
    phases: Sequence[Phase] = (),
    end: datetime | None = None,
    advice: str = "",
) -> Entry:
    """Carry out one transition: the new text is checked first, then written, then logged.

    An edit that no command made since the last entry is appended first, as ``edited``.

    Args:
        home: Holds the list of an experiment that is not hashed.
        catalog: The catalogue's folder.
        definitions: The catalogue as it is now.
        experiment_id: The experiment.
        action: A key of `TRANSITIONS`.
        reason: The author's words.
        at: When it takes effect, naive UTC, whole seconds.
        now: The clock, naive UTC.
        ship: With ``complete``: the variant that everybody gets.
        phases: With ``accept``: all phases, the new one last.
        end: With ``accept``: the new end, naive UTC.
        advice: The sentence of the newest decision where the transition goes against it.

    Returns:
        The entry that was appended.

    Raises:
        LifecycleError: The action is not legal, has no reason, ships what is no variant, or would leave a file that
            is not a valid definition.
        OrchestrationError: The experiment names nothing, or a list is to decide and there is none to start with.
    """
    catalogue = definitions.catalogue
    if experiment_id in catalogue.broken:
        raise LifecycleError(catalogue.broken[experiment_id][0])
    require_known(experiment_id, catalogue.experiments, "experiment", "ID")
    require_reason(reason, action)
    experiment = catalogue.experiments[experiment_id]
    before = experiment.status
    if starts_by_itself(experiment) and experiment.start <= now:
        before = "running"
    status = next_status(experiment_id, before, action)
    if action == "start" and experiment.assignment != "hash":
        usable_list(home, experiment)
    if ship is not None:
        require_known(ship, [variant.id for variant in experiment.variants], "variant", "--ship")
    path = next((catalog / "experiments").rglob(f"{experiment_id}.yaml"))
    text = edited(
        path.read_text(encoding="utf-8"),
        Edit(action, status, at, experiment.start, experiment.end, ship, phases, end),
    )
    after = checked(text, path.relative_to(catalog).as_posix(), experiment_id, definitions)
    entries = [entry for entry in read_log(catalog) if entry.experiment == experiment_id]
    slipped = edit_entry(entries[-1] if entries else None, _observe(experiment, now))
    entry = Entry(
        now,
        experiment_id,
        action,
        before,
        status,
        at,
        reason.strip(),
        experiment_hash(after),
        experiment_facts(after),
        advice,
    )
    carry_out(catalog, path, text, [entry] if slipped is None else [slipped, entry])
    return entry


def require_reason(reason: str, action: str) -> None:
    """Refuse a transition that says not why.

    Raises:
        LifecycleError: The reason is empty.
    """
    if not reason.strip():
        raise LifecycleError(
            Problem(
                "a transition needs a reason",
                f"experiment {action}",
                rule="--reason TEXT",
                hint="the reason stands in the log and on the scorecard",
            )
        )


def checked(text: str, name: str, experiment_id: str, definitions: Definitions) -> Experiment:
    """The new text as a sound experiment that fits beside the others.

    Raises:
        LifecycleError: It is none.
    """
    catalogue = definitions.catalogue
    document = parse_yaml(text, name)
    parsed = parse_model(Experiment, document)
    if isinstance(parsed, list):
        raise LifecycleError(parsed[0])
    findings = experiment_findings(
        parsed,
        experiment_id,
        catalogue.project,
        definitions.metrics,
        definitions.refused_metrics,
        catalogue.conditions,
    )
    sound = measured(
        parsed.with_defaults(catalogue.project.defaults), catalogue.project, catalogue.experiments.values()
    )
    beside = {**catalogue.experiments, experiment_id: sound}.values()
    findings += joint_findings(beside, catalogue.project).values()
    if findings:
        raise LifecycleError(findings[0].problem(document))
    return sound


def note_definitions(connection: duckdb.DuckDBPyConnection, catalogue: Catalogue, now: datetime) -> int:
    """Append every definition that differs from what was last seen of it to ``journal.definitions``.

    Args:
        connection: A writer.
        catalogue: The catalogue as it is now.
        now: The clock, naive UTC.

    Returns:
        How many rows were appended.
    """
    connection.execute("create schema if not exists journal")
    connection.execute(
        """create table if not exists journal.definitions (
               seen_at timestamp, experiment_id varchar, status varchar, definition_hash varchar, definition varchar)"""
    )
    last = {
        row[0]: row[1:]
        for row in connection.execute(
            """select experiment_id, arg_max(status, rowid), arg_max(definition_hash, rowid)
               from journal.definitions group by all"""
        ).fetchall()
    }
    new = [
        [now, item.id, item.status, experiment_hash(item), json.dumps(experiment_facts(item), sort_keys=True)]
        for item in catalogue.experiments.values()
        if last.get(item.id) != (item.status, experiment_hash(item))
    ]
    if new:
        connection.executemany("insert into journal.definitions values (?, ?, ?, ?, ?)", new)
    return len(new)


def histories(catalog: Path, connection: duckdb.DuckDBPyConnection | None) -> dict[str, list[HistoryLine]]:
    """Each experiment's history from the transition log, damaged lines left out, and from what runs have seen.

    Args:
        catalog: The catalogue's folder.
        connection: On the warehouse; none before the first run.
    """
    logged: dict[str, list[Entry]] = {}
    for entry in read_sound(catalog)[0]:
        logged.setdefault(entry.experiment, []).append(entry)
    seen: dict[str, list[Observed]] = {}
    if connection is not None and has_table(connection, "journal", "definitions"):
        for row in rows_of(connection, "from journal.definitions order by rowid"):
            state = Observed(
                row["seen_at"],
                row["experiment_id"],
                row["status"],
                row["definition_hash"],
                json.loads(row["definition"]),
            )
            seen.setdefault(state.experiment, []).append(state)
    return {
        name: history(logged.get(name, ()), seen.get(name, ()))
        for name in sorted(logged.keys() | seen.keys())
    }


def _observe(experiment: Experiment, now: datetime) -> Observed:
    return Observed(
        now, experiment.id, experiment.status, experiment_hash(experiment), experiment_facts(experiment)
    )
