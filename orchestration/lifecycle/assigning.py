"""Units assigned at once: drawn from a population by a design, or taken from a list from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from fairsplit.analysis.catalogue.findings import did_you_mean, shown
from fairsplit.analysis.errors import Problem
from fairsplit.assignment_exports.allocation import allocation_of, assign
from fairsplit.assignment_exports.designs.assigning import Design, Drawn, draw
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.landing.erasing import erased_of
from fairsplit.orchestration.lifecycle.unit_lists import list_path, write_list
from fairsplit.orchestration.reading.results import require_known
from fairsplit.orchestration.warehouse.opening import has_table, reader

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from fairsplit.analysis.catalogue import Catalogue, Experiment
    from fairsplit.orchestration.project import Home


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
        targeting keeps out are not drawn, nor are persons who were erased.

    Raises:
        OrchestrationError: A list stands already, or is lost, and this one would change the variant of units that are
            in the experiment, or the population does not fit the definition.
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
    told = _reasons(experiment, catalogue, units, _erased(home, experiment.unit, units["unit_id"]))
    if variant is not None:
        # What is not known of a unit that was drawn elsewhere does not keep it out.
        told = told.replace("not_targeted", "assigned")
    left_out = dict(told.filter(told != "assigned").value_counts(sort=True, name="units").iter_rows())
    if variant is None:
        weights = {arm.id: experiment.history[0].weights[arm.id] for arm in experiment.variants}
        ordered = {experiment.control.id: weights[experiment.control.id], **weights}
        drawn = draw(experiment_id, units.filter(told == "assigned"), ordered, design or Design())
        listed = drawn.table
    else:
        drawn = None
        listed = _taken(experiment, units.filter(told != "erased"), variant, left_out)
    table = _table(listed, units.drop([variant] if variant else []))
    if experiment.status != "draft" and not list_path(home, experiment_id).exists():
        _agrees_with_the_warehouse(home, experiment, catalogue.project.thresholds.audit_fail, table)
    write_list(home, experiment, table)
    return Assigned(table, left_out, drawn)


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


def _erased(home: Home, kind: str, ids: pl.Series) -> list[str]:
    if not home.warehouse.exists():
        return []
    with reader(home.warehouse) as connection:
        return erased_of(connection, kind, ids) if has_table(connection, "landing", "erasures") else []


def _agrees_with_the_warehouse(
    home: Home, experiment: Experiment, tolerated: float, listed: pl.DataFrame
) -> None:
    """Refuse a list in place of a lost one where it tells another variant than the warehouse.

    Until a run misses the lost list, `fct_assignments` still has its variants, and each must come back. Afterwards only
    logged variants are left, of which the audit tolerates a share that is wrong.
    """
    if not home.warehouse.exists():
        return
    with reader(home.warehouse) as connection:
        if not has_table(connection, "main", "fct_assignments"):
            return
        told = connection.sql(
            """select logged_id as unit_id, variant_id is not null as was_listed,
                   coalesce(variant_id, logged_variant_id) as told
               from fct_assignments where experiment_id = ? and told is not null order by all""",
            params=[experiment.id],
        ).pl()
    told = told.join(listed.select("unit_id", "variant"), on="unit_id", how="left", maintain_order="left")
    told = told.filter(pl.col("was_listed") | pl.col("variant").is_not_null())
    other = told.filter(pl.col("variant").ne_missing(pl.col("told")))
    listed_other = other.filter("was_listed")
    if listed_other.height or other.height > tolerated * told.height:
        first = (listed_other if listed_other.height else other).row(0, named=True)
        variant = "no variant" if first["variant"] is None else first["variant"]
        raise OrchestrationError(
            Problem(
                f"the lost list had other variants: this one contradicts {other.height:,} assignments of the warehouse",
                experiment.id,
                f"{shown(first['unit_id'])}: {variant} here, {first['told']} there",
                "a running experiment's units keep their variants",
                "put the lost file back, or assign the very population and design that it was drawn from",
            )
        )


def _reasons(
    experiment: Experiment, catalogue: Catalogue, units: pl.DataFrame, erased: Collection[str]
) -> pl.Series:
    """Whether each unit may take part, as the hash would have it with all traffic, and if not, why not."""
    hashed = experiment.model_copy(update={"assignment": "hash", "status": "running", "pauses": ()})
    allocation = allocation_of(hashed, catalogue.project, catalogue.conditions)
    told = assign(allocation, units["unit_id"], experiment.start, units)["reason"]
    gone = units["unit_id"].is_in(list(erased))
    return told.set(gone, "erased").alias("reason")


def _taken(
    experiment: Experiment, units: pl.DataFrame, variant: str, left_out: Mapping[str, int]
) -> pl.DataFrame:
    barred = {reason: count for reason, count in left_out.items() if reason not in {"not_targeted", "erased"}}
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
    ).select(
        "unit_id",
        "variant",
        "attributes",
        "probability",
        pl.lit("assigned").alias("reason"),
        *(name for name in ("stratum",) if name in listed.columns),
    )
