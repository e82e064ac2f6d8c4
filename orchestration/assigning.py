"""Lists of assigned units in the home: drawn from a population by a design, or taken from elsewhere."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from analysis.catalogue.findings import did_you_mean, shown
from analysis.errors import Problem
from assignment_exports.allocation import LIVE, allocation_of, assign
from assignment_exports.designs.assigning import Design, Drawn, draw
from assignment_exports.release import parquet_bytes
from orchestration.errors import OrchestrationError
from orchestration.reading.results import require_known

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from analysis.catalogue import Catalogue, Experiment
    from orchestration.paths import Home


_LOG = logging.getLogger("fairsplit.assigning")


@dataclass(frozen=True, slots=True)
class Assigned:
    """What was written.

    Attributes:
        table: The list: `unit_id`, `variant`, `attributes` (JSON text), `probability`, `reason`.
        left_out: Units of the population without a variant, by reason.
        drawn: The design's balance and search; none for a list from elsewhere.
    """

    table: pl.DataFrame
    left_out: Mapping[str, int]
    drawn: Drawn | None


def read_lists(home: Home, catalogue: Catalogue) -> dict[str, pl.DataFrame]:
    """The lists of live experiments that have one, by id.

    A list that cannot be used is told in the log and left out: its units count as not listed, which closes
    the gate of that experiment alone.
    """
    lists = {}
    for name, experiment in catalogue.experiments.items():
        path = home.assignments / f"{name}.parquet"
        if experiment.assignment != "hash" and experiment.status in LIVE and path.exists():
            try:
                listed = pl.read_parquet(path).cast({"unit_id": pl.String, "variant": pl.String})
            except (pl.exceptions.PolarsError, OSError) as error:
                _LOG.warning("the list of %s cannot be read: %s", name, shown(str(error)))
                continue
            if listed["unit_id"].is_unique().all() and not listed["unit_id"].null_count():
                lists[name] = listed
            else:
                _LOG.warning("the list of %s names a unit twice, or one without an id", name)
    return lists


def assign_population(
    home: Home,
    catalogue: Catalogue,
    experiment_id: str,
    population: pl.DataFrame,
    *,
    unit: str = "unit_id",
    design: Design | None = None,
    variant: str | None = None,
) -> Assigned:
    """Write who is in which arm of an experiment, once for all.

    Args:
        home: The home.
        catalogue: The definitions.
        experiment_id: An experiment with ``assignment: batch`` (a design) or ``external`` (a column of variants).
        population: A row a unit.
        unit: The column of the ids.
        design: How to draw.
        variant: The column of variants that were drawn elsewhere.

    Returns:
        What was written to `assignments/<experiment>.parquet` in the home. Units that a holdout, the layer or the
        targeting keeps out are not drawn.

    Raises:
        OrchestrationError: A list stands already and would change under units that are in the experiment, or the
            population does not fit the definition.
        ExportError: The design cannot use the population.
    """
    require_known(experiment_id, [*catalogue.experiments, *catalogue.broken], "experiment", "EXPERIMENT")
    experiment = catalogue.experiments.get(experiment_id)
    if experiment is None:
        raise OrchestrationError(catalogue.broken[experiment_id][0])
    _fits(experiment, population, unit, variant)
    units = population.rename({unit: "unit_id"}).with_columns(pl.col("unit_id").cast(pl.String))
    if units["unit_id"].null_count():
        raise OrchestrationError(Problem("a unit has no id", "--unit", unit, "an id for every row"))
    told = _reasons(experiment, catalogue, units)
    left_out = dict(told.filter(told != "assigned").value_counts(sort=True, name="units").iter_rows())
    if variant is None:
        weights = {arm.id: experiment.history[0].weights[arm.id] for arm in experiment.variants}
        ordered = {experiment.control.id: weights[experiment.control.id], **weights}
        drawn = draw(experiment_id, units.filter(told == "assigned"), ordered, design or Design())
        listed = drawn.table
    else:
        drawn = None
        listed = _taken(experiment, units, variant, left_out)
    table = _table(listed, units.drop([variant] if variant else []))
    _write(home, experiment, table)
    return Assigned(table, left_out, drawn)


def forget(home: Home, units: Collection[str]) -> int:
    """Take units off every list.

    Returns:
        Rows removed.
    """
    removed = 0
    for path in sorted(home.assignments.glob("*.parquet")):
        listed = pl.read_parquet(path)
        kept = listed.filter(~pl.col("unit_id").is_in(list(units)))
        if kept.height < listed.height:
            removed += listed.height - kept.height
            _replace(path, kept)
    return removed


def _fits(experiment: Experiment, population: pl.DataFrame, unit: str, variant: str | None) -> None:
    wanted = "batch" if variant is None else "external"
    if experiment.assignment != wanted:
        hint = "--variant goes with assignment: external, a design with assignment: batch"
        raise OrchestrationError(
            Problem(
                "the definition says otherwise who decides",
                experiment.id,
                f"assignment: {experiment.assignment}",
                f"assignment: {wanted}",
                hint,
            )
        )
    for option, column in (("--unit", unit), ("--variant", variant)):
        if column is not None and column not in population.columns:
            near = did_you_mean(column, population.columns)
            rule = f"one of: {', '.join(population.columns)}"
            raise OrchestrationError(
                Problem("the file has no such column", option, shown(column), rule, near)
            )
    taken = {"unit_id"} & set(population.columns) - {unit}
    if taken:
        raise OrchestrationError(
            Problem("the file has a column unit_id beside --unit", "--unit", shown(unit))
        )


def _reasons(experiment: Experiment, catalogue: Catalogue, units: pl.DataFrame) -> pl.Series:
    """Whether each unit may take part, as the hash would have it with all traffic, and if not, why not."""
    hashed = experiment.model_copy(update={"assignment": "hash", "status": "running", "pauses": ()})
    allocation = allocation_of(hashed, catalogue.project, catalogue.conditions)
    return assign(allocation, units["unit_id"], experiment.start, units)["reason"].alias("reason")


def _taken(
    experiment: Experiment, units: pl.DataFrame, variant: str, left_out: Mapping[str, int]
) -> pl.DataFrame:
    barred = {reason: count for reason, count in left_out.items() if reason != "not_targeted"}
    if barred:
        said = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in sorted(barred.items()))
        raise OrchestrationError(
            Problem(
                "the list holds units that may not take part", experiment.id, said, "leave them out of it"
            )
        )
    known = [arm.id for arm in experiment.variants]
    odd = units.filter(~pl.col(variant).cast(pl.String).is_in(known).fill_null(value=False))
    if odd.height:
        value, rule = str(odd[variant][0]), f"one of: {', '.join(known)}"
        raise OrchestrationError(
            Problem("unknown variant", "--variant", shown(value), rule, did_you_mean(value, known))
        )
    twice = units.filter(pl.col("unit_id").is_duplicated())
    if twice.height:
        raise OrchestrationError(
            Problem("a unit stands twice", "--unit", shown(twice["unit_id"][0]), "each unit once")
        )
    return units.select(
        "unit_id", pl.col(variant).cast(pl.String).alias("variant"), probability=pl.lit(None, pl.Float64)
    ).sort("unit_id")


def _table(listed: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    told = known.drop("unit_id")
    attributes = (
        told.to_struct("attributes").struct.json_encode()
        if told.width
        else pl.Series("attributes", [None] * known.height, dtype=pl.String)
    )
    return listed.join(
        known.select("unit_id").with_columns(attributes), on="unit_id", how="left", maintain_order="left"
    ).select("unit_id", "variant", "attributes", "probability", pl.lit("assigned").alias("reason"))


def _write(home: Home, experiment: Experiment, table: pl.DataFrame) -> None:
    path = home.assignments / f"{experiment.id}.parquet"
    if path.exists() and experiment.status != "draft" and not pl.read_parquet(path).equals(table):
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


def _replace(path: Path, table: pl.DataFrame) -> None:
    partial = path.with_name(f".{path.name}.part")
    partial.write_bytes(parquet_bytes(table))
    partial.replace(path)
