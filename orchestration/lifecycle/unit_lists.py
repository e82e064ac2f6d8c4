"""Stored lists of assigned units, a file an experiment: who is in which arm where no hash says so."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING

import polars as pl

from fairsplit.analysis.catalogue.findings import did_you_mean, shown
from fairsplit.analysis.errors import Problem
from fairsplit.assignment_exports.durable import replace_durably
from fairsplit.assignment_exports.release import parquet_bytes
from fairsplit.orchestration.errors import OrchestrationError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from fairsplit.analysis.catalogue import Catalogue, Experiment
    from fairsplit.orchestration.project import Home

_LOG = logging.getLogger("fairsplit.unit_lists")


def list_path(home: Home, experiment_id: str) -> Path:
    """Where an experiment's list lies, whether or not there is one."""
    return home.assignments / f"{experiment_id}.parquet"


def usable_list(home: Home, experiment: Experiment) -> pl.DataFrame:
    """The list that says who is in which arm of an experiment.

    Args:
        home: The home.
        experiment: With ``assignment: batch`` or ``external``.

    Returns:
        Columns `unit_id` (text, each once) and `variant` (of the definition), and what else was written.

    Raises:
        OrchestrationError: There is no list, or none that could be used; the hint is the command that writes one.
    """
    path = list_path(home, experiment.id)
    column = " --variant COLUMN" if experiment.assignment == "external" else ""
    hint = f"run `fairsplit assign {experiment.id} --population FILE{column}`"
    if not path.exists():
        rule = f"a list at assignments/{path.name} in the home"
        raise OrchestrationError(
            Problem(
                "no list says who is in which arm",
                experiment.id,
                f"assignment: {experiment.assignment}",
                rule,
                hint,
            )
        )
    listed = _read(path, hint)
    if listed["unit_id"].null_count() or not listed["unit_id"].is_unique().all():
        raise OrchestrationError(
            Problem("the list names a unit twice, or one without an id", path.name, hint=hint)
        )
    known = [arm.id for arm in experiment.variants]
    odd = listed.filter(~pl.col("variant").is_in(known).fill_null(value=False))
    if odd.height:
        value, rule = str(odd["variant"][0]), f"one of: {', '.join(known)}"
        near = did_you_mean(value, known) or hint
        raise OrchestrationError(
            Problem("the list names an unknown variant", path.name, shown(value), rule, near)
        )
    return listed


def usable_lists(home: Home, catalogue: Catalogue) -> dict[str, pl.DataFrame]:
    """The lists of experiments that have begun and have one, by id; the end of an experiment does not end its list.

    A list that cannot be used is told in the log and left out: its units count as not listed, which closes
    the gate of that experiment alone.
    """
    lists = {}
    for name, experiment in catalogue.experiments.items():
        if (
            experiment.assignment != "hash"
            and experiment.status != "draft"
            and list_path(home, name).exists()
        ):
            try:
                lists[name] = usable_list(home, experiment)
            except OrchestrationError as error:
                _LOG.warning("the list of %s cannot be used: %s", name, error)
    return lists


def write_list(home: Home, experiment: Experiment, table: pl.DataFrame) -> None:
    """Store a list.

    Raises:
        OrchestrationError: The experiment has begun and the list would change under its units.
    """
    path = list_path(home, experiment.id)
    if path.exists() and experiment.status != "draft" and not _same(_read(path), table):
        raise OrchestrationError(
            Problem(
                "its units are assigned already and this list differs",
                experiment.id,
                f"status: {experiment.status}",
                "only a draft is assigned anew, so that nobody changes arms",
            )
        )
    home.assignments.mkdir(parents=True, exist_ok=True)
    _replace(path, table)


def drop_list(home: Home, experiment_id: str) -> None:
    """Remove a list and its checksum."""
    path = list_path(home, experiment_id)
    path.unlink(missing_ok=True)
    path.with_suffix(".sha256").unlink(missing_ok=True)


def _same(before: pl.DataFrame, table: pl.DataFrame) -> bool:
    """Whether a list says what the one that stands says; columns that an earlier version did not write may be added."""
    return set(before.columns) <= set(table.columns) and before.equals(table.select(before.columns))


def units_listed(home: Home, experiment_id: str) -> int:
    """How many units the list of an experiment has; 0 without one.

    Raises:
        OrchestrationError: The list cannot be read.
    """
    path = list_path(home, experiment_id)
    return _read(path).height if path.exists() else 0


def rows_on_lists(home: Home, units: Collection[str]) -> Mapping[Path, int]:
    """How many rows each list has about any of the units; lists without one are left out.

    Raises:
        OrchestrationError: A list cannot be read, so that nobody can say whom it names.
    """
    counts = {path: rows_on_list(path, units) for path in sorted(home.assignments.glob("*.parquet"))}
    return {path: count for path, count in counts.items() if count}


def units_on_lists(home: Home) -> set[str]:
    """Every unit that a list names.

    Raises:
        OrchestrationError: A list cannot be read.
    """
    paths = sorted(home.assignments.glob("*.parquet"))
    return {unit for path in paths for unit in _read(path, "remove the file, or restore it")["unit_id"]}


def rows_on_list(path: Path, units: Collection[str]) -> int:
    """How many rows one list has about any of the units.

    Raises:
        OrchestrationError: It cannot be read.
    """
    listed = _read(path, "remove the file, or restore it")
    return listed.filter(pl.col("unit_id").is_in(list(units))).height


def forget(home: Home, units: Collection[str]) -> Mapping[Path, int]:
    """Take units off every list.

    Returns:
        Rows removed, by list.

    Raises:
        OrchestrationError: A list cannot be read.
    """
    found = rows_on_lists(home, units)
    for path in found:
        _replace(path, _read(path).filter(~pl.col("unit_id").is_in(list(units))))
    return found


def _read(path: Path, hint: str = "") -> pl.DataFrame:
    try:
        return pl.read_parquet(path).with_columns(pl.col("unit_id", "variant").cast(pl.String))
    except (pl.exceptions.PolarsError, OSError) as error:
        why = shown(str(error).partition("\n")[0])
        rule = "Parquet with unit_id and variant"
        raise OrchestrationError(Problem("the list cannot be read", path.name, why, rule, hint)) from error


def _replace(path: Path, table: pl.DataFrame) -> None:
    """Between the first write and the last both contents have their checksum noted: a kill leaves one of them."""
    content = parquet_bytes(table)
    digest = hashlib.sha256(content).hexdigest()
    note_checksums(path, [*noted_checksums(path), digest])
    replace_durably(path, content)
    note_checksums(path, [digest])


def noted_checksums(path: Path) -> list[str]:
    """The SHA-256 that a list may have: one, or two where its change was interrupted; none where none was noted."""
    note = path.with_suffix(".sha256")
    return [line.split(" ")[0] for line in note.read_text().splitlines()] if note.exists() else []


def note_checksums(path: Path, digests: Iterable[str]) -> None:
    """Note what a list's bytes are to be, in the format of sha256sum."""
    text = "".join(f"{digest}  {path.name}\n" for digest in digests)
    replace_durably(path.with_suffix(".sha256"), text.encode())
