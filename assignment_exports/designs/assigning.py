"""One population assigned by one design: the table that is stored, and how well it is balanced."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from fairsplit.analysis.catalogue.findings import did_you_mean
from fairsplit.analysis.catalogue.part_checks import refused_part
from fairsplit.analysis.errors import Problem
from fairsplit.analysis.parts.installed import is_custom, part_of
from fairsplit.analysis.parts.running import FAILURES
from fairsplit.assignment_exports.designs.balance import (
    MOST_LEVELS,
    balance_table,
    features,
    level_names,
    standardised_differences,
)
from fairsplit.assignment_exports.designs.blocked import block_size, matched_blocks
from fairsplit.assignment_exports.designs.complete import complete, largest_remainder, stratified
from fairsplit.assignment_exports.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

KINDS: Final = ("complete", "stratified", "blocked")


@dataclass(frozen=True, slots=True)
class Design:
    """How a population is assigned.

    Attributes:
        kind: ``complete``; ``stratified`` by `strata`; ``blocked`` in matched blocks by `covariates`; or the name of a
            custom part.
        strata: Columns whose combinations of values are the strata.
        covariates: Columns that the blocks match, or that the search balances.
        seeds: Splits to try; the one with the least largest standardised difference is taken. One tries nothing.
    """

    kind: str = "complete"
    strata: Sequence[str] = ()
    covariates: Sequence[str] = ()
    seeds: int = 1


@dataclass(frozen=True, slots=True)
class Drawn:
    """An assigned population.

    Attributes:
        table: `unit_id`, `variant`, `probability` and `stratum` (number of the stratum or block, neighbours beside each
            other; null for complete randomisation) of each unit, sorted by unit.
        balance: From `balance_table`, over the design's columns, or all others where it names none.
        seed: Which of the tried splits was taken.
        differences: The largest standardised difference of every split tried.
    """

    table: pl.DataFrame
    balance: pl.DataFrame
    seed: int
    differences: tuple[float, ...]


def draw(experiment_id: str, population: pl.DataFrame, weights: Mapping[str, float], design: Design) -> Drawn:
    """Assign every unit of a population.

    Chance is seeded by the experiment's id alone, and units are taken in the order of their ids, so that the same
    population is assigned alike whatever the order of its rows.

    Args:
        experiment_id: Seeds the design.
        population: Column ``unit_id`` (text, each once) and what else is known of the units.
        weights: By variant, the first one being what the others are compared with.
        design: How.

    Returns:
        The assignment. The probability is the arm's exact share of the units for complete randomisation and the
        arm's weight otherwise; a search over seeds keeps it for equal weights, where arms can be exchanged.

    Raises:
        ExportError: No unit, an id that is missing or stands twice, or a column that the design cannot use.
    """
    design = replace(
        design, strata=tuple(dict.fromkeys(design.strata)), covariates=tuple(dict.fromkeys(design.covariates))
    )
    units = _checked(population, design).sort("unit_id")
    columns = list(dict.fromkeys([*design.strata, *design.covariates])) or _describing(units)
    strata = [level_names(units[name]) for name in design.strata if name not in design.covariates]
    many = {levels.name for levels in strata if levels.n_unique() > MOST_LEVELS}
    described = features(units.with_columns(strata), [name for name in columns if name not in many])
    groups = _groups(units, list(weights.values()), design)
    arms, seed, tried = _search(experiment_id, units, groups, list(weights.values()), described, design)
    share = np.array(list(weights.values())) / sum(weights.values())
    if groups is None and not is_custom(design.kind):
        share = largest_remainder(units.height, list(weights.values())) / units.height
    table = pl.DataFrame(
        {
            "unit_id": units["unit_id"],
            "variant": pl.Series(list(weights), dtype=pl.String)[arms],
            "probability": share[arms],
            "stratum": pl.Series([None] * units.height if groups is None else groups, dtype=pl.Int64),
        }
    )
    balance = balance_table(described, arms, list(weights)) if described.width else pl.DataFrame()
    return Drawn(table, balance, seed, tried)


def _search(
    experiment_id: str,
    units: pl.DataFrame,
    groups: NDArray[np.int64] | None,
    weights: list[float],
    described: pl.DataFrame,
    design: Design,
) -> tuple[NDArray[np.int64], int, tuple[float, ...]]:
    values = described.to_numpy() if described.width else np.zeros((len(units), 0))
    tried = []
    for number in range(design.seeds):
        arms = _split(experiment_id, number, units, groups, weights, design.kind)
        gaps = np.abs(standardised_differences(values, arms, len(weights)))
        tried.append(float(np.nanmax(gaps, initial=0.0)))
    taken = int(np.argmin(tried))
    return _split(experiment_id, taken, units, groups, weights, design.kind), taken, tuple(tried)


def _split(
    experiment_id: str,
    number: int,
    units: pl.DataFrame,
    groups: NDArray[np.int64] | None,
    weights: Sequence[float],
    kind: str,
) -> NDArray[np.int64]:
    digest = hashlib.sha256(f"{experiment_id}-design-{number}".encode()).digest()
    seed = int.from_bytes(digest[:16])
    if is_custom(kind):
        return _custom(kind, units, weights, seed)
    rng = np.random.default_rng(seed)
    return complete(len(units), weights, rng) if groups is None else stratified(groups, weights, rng)


def _custom(name: str, units: pl.DataFrame, weights: Sequence[float], seed: int) -> NDArray[np.int64]:
    """The arms that a custom design gives, which are positions in the weights, one for each unit."""
    shares = np.array(weights) / sum(weights)
    try:
        arms = np.asarray(part_of("randomisation", name)(units.to_dict(as_series=False), shares, seed))
    except FAILURES as error:
        raise ExportError(
            Problem(f"the design {name} refuses the population", "--design", str(error))
        ) from error
    known = (
        arms.shape == (len(units),)
        and arms.dtype.kind in "iu"
        and bool(((arms >= 0) & (arms < shares.size)).all())
    )
    if not known or bool((shares[arms] == 0).any()):
        rule = f"{len(units)} whole numbers from 0 to {shares.size - 1}, of arms with a weight"
        raise ExportError(Problem(f"the design {name} gives no arm to each unit", "--design", rule=rule))
    return arms.astype(np.int64)


def _groups(units: pl.DataFrame, weights: list[float], design: Design) -> NDArray[np.int64] | None:
    if design.kind == "stratified":
        levels = units.select(level_names(units[name]) for name in design.strata)
        combined = levels.select(pl.struct(pl.all()).rank("dense") - 1).to_series()
        return combined.cast(pl.Int64).to_numpy()
    if design.kind == "blocked":
        return matched_blocks(features(units, design.covariates).to_numpy(), block_size(weights))
    return None


def _checked(population: pl.DataFrame, design: Design) -> pl.DataFrame:
    ids = population["unit_id"]
    if ids.is_empty():
        raise ExportError(Problem("no unit is left to assign", "population", rule="at least one"))
    if ids.null_count() or not ids.is_unique().all():
        twice = ids.filter(ids.is_duplicated()).drop_nulls()
        what = "a unit stands twice" if len(twice) else "a unit has no id"
        raise ExportError(Problem(what, "unit_id", str(twice[0]) if len(twice) else "", "each unit once"))
    if is_custom(design.kind):
        refusal = refused_part("randomisation", design.kind)
    else:
        refusal = None if design.kind in KINDS else ("no such design", did_you_mean(design.kind, KINDS))
    if refusal is not None:
        rule = f"one of: {', '.join(KINDS)}, or a part that is installed"
        raise ExportError(Problem(refusal[0], "--design", design.kind, rule, refusal[1]))
    needed = {"stratified": ("strata", design.strata), "blocked": ("covariates", design.covariates)}
    name, given = needed.get(design.kind, ("", ("-",)))
    if not given:
        raise ExportError(
            Problem(f"a {design.kind} design needs {name}", "design", rule="at least one column")
        )
    if design.seeds > 1 and not (design.strata or design.covariates):
        raise ExportError(Problem("a search over seeds needs covariates to balance", "design"))
    for column in (*design.strata, *design.covariates):
        if column not in population.columns or column == "unit_id":
            known = ", ".join(name for name in population.columns if name != "unit_id")
            raise ExportError(
                Problem("the population has no such column", "design", column, f"one of: {known}")
            )
    return population


def _describing(units: pl.DataFrame) -> list[str]:
    """Columns that can be compared between arms without being asked to."""
    return [
        name
        for name in units.columns
        if name != "unit_id"
        and (
            bool(units[name].is_finite().fill_null(value=False).all())
            if units[name].dtype.is_numeric()
            else units[name].n_unique() <= 20
        )
    ]
