"""Effects inside strata of constant shares: where weights changed, and where units were assigned in strata or blocks.

While a level moves, an arm that got its units later has another level without any effect. Inside a phase the arms'
shares are constant, so the arms are compared there, and a phase weighs as many of the two arms' units as it has. Phases
that split the two arms alike are one stratum; one in which either has no share says nothing about them.

A list that was drawn in strata or matched blocks has the same shares in every one, so neighbours may be taken together
until each arm has units enough for a variance: that leaves the standard error a little larger than the design's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from fairsplit.analysis.catalogue.bands import pieces
from fairsplit.analysis.judgement.comparing import BY_DISTRIBUTION
from fairsplit.analysis.judgement.pairing import CONTROL, GROUP, LETTERS, SUMS, has_sums, moments, over
from fairsplit.analysis.statistics.moments import JointMoments
from fairsplit.analysis.statistics.status import quiet
from fairsplit.analysis.statistics.stratified import over_strata

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairsplit.analysis.catalogue.experiment import Experiment
    from fairsplit.analysis.catalogue.loading import Catalogue
    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray

#: Sums of units by the phase of their first exposure and the day on which they entered the statistics.
PHASE_SUMS = ("experiment_id", "metric", "segment", "segment_level", "analysis", "phase", "variant_id", "day")
_ARM = ["experiment_id", "variant_id"]
#: Units of either arm that a stratum needs to have a variance.
LEAST_UNITS = 2
#: Shares are the same when they differ by floating dust only.
_DECIMALS = 9


@dataclass(frozen=True, slots=True)
class Strata:
    """What a stratified comparison needs beside the plain sums.

    Attributes:
        phases: From `stratum_frame`.
        designs: From `design_frame`.
        common: From `common_frame`.
        sums: Columns `PHASE_SUMS`, ``n`` and `SUMS`: what each day added (whole numbers), of the experiments there.
    """

    phases: pl.DataFrame
    designs: pl.DataFrame
    common: pl.DataFrame
    sums: pl.DataFrame


def strata_of(catalogue: Catalogue, sums: pl.DataFrame) -> Strata:
    """The strata of all experiments.

    Args:
        catalogue: The definitions in force.
        sums: As in `Strata`.
    """
    return Strata(stratum_frame(catalogue), design_frame(catalogue, sums), common_frame(catalogue), sums)


def stratum_frame(catalogue: Catalogue) -> pl.DataFrame:
    """One row per experiment, treatment and phase, with the stratum of the phase; null where either arm has no share.

    Args:
        catalogue: The definitions in force.

    Returns:
        Only treatments whose share beside the control changes. Bandits are left out, for their phases follow the
        rewards, and lists, which no weight moves.
    """
    rows = [row for item in _by_weights(catalogue) for row in _strata(item)]
    schema = {"experiment_id": pl.String, "variant_id": pl.String, "phase": pl.Int32, "stratum": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def common_frame(catalogue: Catalogue) -> pl.DataFrame:
    """One row per experiment and phase, with the stratum in which all arms have the same shares; null without one.

    Args:
        catalogue: The definitions in force.

    Returns:
        Only experiments whose weights change; bandits and lists are left out.
    """
    rows = []
    for item in _by_weights(catalogue):
        by_phase = [
            (piece.number, tuple(round(weight, _DECIMALS) for weight in piece.band.weights.values()))
            for piece in pieces(item)
        ]
        known = sorted({weights for _, weights in by_phase})
        if len(known) > 1:
            rows += [
                (item.id, phase, known.index(weights) if min(weights) > 0 else None)
                for phase, weights in by_phase
            ]
    schema = {"experiment_id": pl.String, "phase": pl.Int32, "stratum": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def design_frame(catalogue: Catalogue, sums: pl.DataFrame) -> pl.DataFrame:
    """As `stratum_frame`, for lists that were drawn in strata or blocks: each of those is a phase of the sums.

    Args:
        catalogue: The definitions in force.
        sums: As in `Strata`.
    """
    arms = [
        (item.id, variant.id)
        for item in catalogue.experiments.values()
        if item.assignment != "hash"
        for variant in item.variants
        if variant.id != item.control.id
    ]
    schema = {"experiment_id": pl.String, "variant_id": pl.String}
    known = sums.select("experiment_id", pl.col("phase").cast(pl.Int32)).unique(maintain_order=True)
    return (
        pl.DataFrame(arms, schema=schema, orient="row")
        .join(known, on="experiment_id", how="inner")
        .with_columns(stratum=pl.col("phase").cast(pl.Int64))
    )


def _by_weights(catalogue: Catalogue) -> Iterator[Experiment]:
    return (
        item for item in catalogue.experiments.values() if item.bandit is None and item.assignment == "hash"
    )


def _strata(experiment: Experiment) -> Iterator[tuple[str, str, int, int | None]]:
    by_phase = [(piece.number, piece.band.weights) for piece in pieces(experiment)]
    control = experiment.control.id
    for arm in (variant.id for variant in experiment.variants if variant.id != control):
        shares = [
            round(weights[arm] / (weights[arm] + weights[control]), _DECIMALS)
            if weights[arm] > 0 and weights[control] > 0
            else None
            for _, weights in by_phase
        ]
        if len(set(shares)) > 1:
            known = sorted({share for share in shares if share is not None})
            numbers = {share: number for number, share in enumerate(known)}
            for (phase, _), share in zip(by_phase, shares, strict=True):
                yield experiment.id, arm, phase, None if share is None else numbers[share]


def with_strata(pairs: pl.DataFrame, strata: Strata) -> pl.DataFrame:
    """The pairs with the sums of their strata combined, wherever the units so far are of more than one share.

    Args:
        pairs: From `paired`.
        strata: Phases and their sums.

    Returns:
        The pairs; where it applies with `stratified_by`, the number of `strata` that count, the units of both arms
        that are `left_out` with the others, the `skew_factor` of the difference, the arms' combined moments as
        `pairing.moments` takes them, and the strata's differences by inverse variance with their error (`precise_diff`,
        `precise_se`).
    """
    numbered = pairs.with_row_index("row").filter(has_sums() & has_sums(CONTROL))
    # What is read from values has no strata: a list's is compared as ever, which errs on the safe side.
    from_sums = ~BY_DISTRIBUTION & pl.col("cap_high").is_null()
    asked = pl.concat(
        [
            numbered.join(strata.phases, on=_ARM, how="inner").with_columns(kind=pl.lit("phase")),
            numbered.filter(from_sums)
            .join(strata.designs, on=_ARM, how="inner")
            .with_columns(kind=pl.lit("design")),
        ]
    )
    if asked.is_empty():
        return pairs
    sides = [
        asked.with_columns(pl.col(arm).alias("variant_id"), side=pl.lit(side))
        for side, arm in enumerate(("control_id", "variant_id"))
    ]
    cells = together(split_cells(pl.concat(sides), strata.sums))
    if cells.is_empty():
        return pairs
    rows, (n, mean, m2) = cell_arrays(cells, sides=2)
    counted, share = stratum_shares(n)
    units = cells.group_by("row", maintain_order=True).agg(pl.col("n").sum())["n"].to_numpy()
    columns = {
        "row": rows,
        "strata": counted.sum(axis=-1),
        "skew_factor": _skew_factor(n, share),
        "left_out": units - np.where(counted, n.sum(axis=-1), 0.0).sum(axis=-1).astype(np.int64),
    }
    parts = [JointMoments(n[..., side], mean[..., side, :], m2[..., side, :, :]) for side in (0, 1)]
    arms = [over_strata(part, share) for part in parts]
    is_ratio = pairs["is_ratio"].to_numpy()[rows.to_numpy()]
    columns |= _by_precision(parts, arms, counted, is_ratio)
    for side, (suffix, arm) in enumerate(zip((CONTROL, ""), arms, strict=True)):
        columns |= over(arm, n[..., side].sum(axis=-1), np.asarray(counted.any(axis=-1)), suffix)
    kinds = cells.group_by("row", maintain_order=True).agg(stratified_by=pl.col("kind").first())
    found = pl.DataFrame(columns).with_columns(kinds["stratified_by"])
    return pairs.with_row_index("row").join(found, on="row", how="left", maintain_order="left").drop("row")


@quiet
def _skew_factor(n: FloatArray, share: FloatArray) -> FloatArray:
    """Skewness of a stratified difference over that of the units' values, as `difference_skewness` has it for one.

    Cumulants of sums add: |Σ s³ (1/n_t² - 1/n_c²)| / (Σ s² (1/n_t + 1/n_c))^(3/2). A stratum with a small arm weighs by
    all its units, so that the whole is more skewed than the arms' totals would tell.
    """
    one_c, one_t = (1.0 / np.maximum(n[..., side], 1.0) for side in (0, 1))
    third = (share**3 * (one_t**2 - one_c**2)).sum(axis=-1)
    return np.asarray(np.abs(third) / (share**2 * (one_t + one_c)).sum(axis=-1) ** 1.5)


@quiet
def _by_precision(
    parts: list[JointMoments], arms: list[JointMoments], counted: BoolArray, is_ratio: BoolArray
) -> dict[str, FloatArray]:
    """The strata's differences by inverse variance, whose information adds: what a likelihood ratio takes."""
    y, d = LETTERS.index("y"), LETTERS.index("d")
    differences, variances = [], []
    for part, arm in zip(parts, arms, strict=True):
        bottom = np.where(is_ratio, arm.mean[:, d], 1.0)[:, None]
        ratio = np.where(is_ratio, arm.mean[:, y] / arm.mean[:, d], 0.0)[:, None]
        squares = (
            part.m2[..., y, y] - 2 * ratio * part.m2[..., y, d] + ratio**2 * part.m2[..., d, d]
        ) / bottom**2
        differences.append((part.mean[..., y] - ratio * part.mean[..., d]) / bottom + ratio)
        variances.append(squares / (part.n - 1.0) / part.n)
    both = variances[0] + variances[1]
    tells = np.where(counted & (both > 0), 1.0 / both, 0.0)
    information = tells.sum(axis=-1)
    diff = np.where(tells > 0, tells * (differences[1] - differences[0]), 0.0).sum(axis=-1) / information
    return {"precise_diff": diff, "precise_se": 1.0 / np.sqrt(information)}


def together(cells: pl.DataFrame) -> pl.DataFrame:
    """The cells with a list's neighbouring strata taken together until each arm has units enough.

    Args:
        cells: From `split_cells`, of two sides.
    """
    designs = cells.filter(pl.col("kind") == "design")
    if designs.is_empty():
        return cells
    rows = designs.select("row").unique(maintain_order=True).with_row_index("at")
    at = designs.join(rows, on="row", how="left", maintain_order="left")
    where = tuple(at[name].to_numpy() for name in ("at", "stratum", "side"))
    units = np.zeros((rows.height, int(where[1].max()) + 1, 2))
    units[where] = at["n"].to_numpy()
    number, so_far = np.zeros(rows.height, dtype=np.int64), np.zeros((rows.height, 2))
    groups = np.zeros(units.shape[:2], dtype=np.int64)
    for stratum in range(units.shape[1]):
        groups[:, stratum] = number
        so_far += units[:, stratum]
        full = (so_far >= LEAST_UNITS).all(axis=1)
        number = number + full
        so_far[full] = 0.0
    # What is left over at the end goes with the last full one.
    groups = np.minimum(groups, np.maximum(number - 1, 0)[:, None])
    merged = at.with_columns(stratum=pl.Series(groups[where[0], where[1]])).drop("at")
    keys = [name for name in cells.columns if name not in {"n", *SUMS}]
    merged = merged.group_by(keys, maintain_order=True).agg(pl.col("n", *SUMS).sum())
    return pl.concat([cells.filter(pl.col("kind") != "design"), merged.select(cells.columns)]).sort(
        "row", "stratum", "side"
    )


def split_cells(asked: pl.DataFrame, sums: pl.DataFrame) -> pl.DataFrame:
    """Counts and sums of each arm in each stratum of every row, up to its cut-off.

    Args:
        asked: Columns `row`, `side`, `GROUP`, `variant_id`, `phase`, `stratum` (null: in no comparison), `kind`,
            `is_share`, `scale_y` and `scale_d`.
        sums: As in `Strata`.

    Returns:
        Columns `row`, `stratum`, `side`, `kind`, `is_share`, the scales, ``n`` and `SUMS`, of rows whose units are of
        more than one stratum, or partly of none; sorted.
    """
    numbers = ("n", *SUMS)
    key = [name for name in PHASE_SUMS if name != "day"]
    so_far = sums.sort("day").with_columns(pl.col(numbers).cast(pl.Int128).cum_sum().over(key))
    # Both sides are sorted by their day, which Polars cannot see where the key comes first.
    wanted = (
        "row",
        "side",
        *GROUP,
        "variant_id",
        "phase",
        "stratum",
        "kind",
        "is_share",
        "scale_y",
        "scale_d",
    )
    found = (
        asked.select(wanted)
        .sort("cut_off")
        .join_asof(
            so_far, left_on="cut_off", right_on="day", by=key, strategy="backward", check_sortedness=False
        )
    )
    cells = (
        found.group_by(
            "row", "stratum", "side", "kind", "is_share", "scale_y", "scale_d", maintain_order=True
        )
        .agg(pl.col(numbers).sum())
        .filter(pl.col("n") > 0)
        .with_columns(pl.col("n").cast(pl.Int64))
    )
    several = (pl.col("stratum").drop_nulls().n_unique() > 1) | pl.col("stratum").is_null().any()
    spread = cells.group_by("row").agg(several=several).filter("several")
    return cells.join(spread.select("row"), on="row", how="inner").sort("row", "stratum", "side")


def cell_arrays(
    cells: pl.DataFrame, *, sides: int
) -> tuple[pl.Series, tuple[FloatArray, FloatArray, FloatArray]]:
    """The rows of `split_cells`, and counts, means and cross-products of `LETTERS`, shape (rows, strata, sides, …)."""
    inside = cells.filter(pl.col("stratum").is_not_null())
    rows = cells["row"].unique(maintain_order=True)
    place = {int(row): at for at, row in enumerate(rows)}
    at = (
        np.array([place[int(row)] for row in inside["row"]], dtype=np.intp),
        inside["stratum"].to_numpy(),
        inside["side"].to_numpy(),
    )
    shape = (rows.len(), max(inside["stratum"].to_list(), default=0) + 1, sides)
    whole, k = moments(inside, LETTERS), len(LETTERS)
    n, mean, m2 = np.zeros(shape), np.zeros((*shape, k)), np.zeros((*shape, k, k))
    n[at], mean[at], m2[at] = whole.n, whole.mean, whole.m2
    is_share = (
        cells.group_by("row", maintain_order=True).agg(pl.col("is_share").first())["is_share"].to_numpy()
    )
    _raise_variance(is_share, n, mean, m2)
    return rows, (n, mean, m2)


def stratum_shares(n: FloatArray, exists: BoolArray | None = None) -> tuple[BoolArray, FloatArray]:
    """Which strata count, those with units enough of every arm, and their shares of the units; shape (rows, strata).

    Args:
        n: Units, shape (rows, strata, sides).
        exists: Sides that a row has, shape (rows, sides); all by default.
    """
    enough = n >= LEAST_UNITS
    if exists is not None:
        enough = enough | ~exists[:, None, :]
    counted: BoolArray = np.asarray(enough.all(axis=-1))
    units = np.where(counted, n.sum(axis=-1), 0.0)
    return counted, units / np.maximum(units.sum(axis=-1, keepdims=True), 1.0)


def _raise_variance(is_share: BoolArray, n: FloatArray, mean: FloatArray, m2: FloatArray) -> None:
    """An arm in which nothing happened does not vary: no share's variance is taken below that of both arms together.

    Both arms together is what there is under no effect; where an arm has few units its own variance is often far too
    small, and never too small for certain in the other direction.
    """
    both = (n * mean[..., 0]).sum(axis=-1) / np.maximum(n.sum(axis=-1), 1.0)
    least = n * (both * (1.0 - both))[..., None]
    m2[..., 0, 0] = np.where(is_share[:, None, None], np.maximum(m2[..., 0, 0], least), m2[..., 0, 0])
