"""The arms of every experiment, the control first; spellings of one arm are one arm, unless said otherwise."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import polars as pl

from fairsplit.analysis.catalogue.findings import did_you_mean, shown
from fairsplit.analysis.errors import Problem
from fairsplit.analysis.flat_files.arm_guesses import control_of
from fairsplit.analysis.flat_files.request import FlatFileError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairsplit.analysis.flat_files.request import Request

MAX_ARMS = 100


def _folded(name: str) -> str:
    """What spellings of one name share: case, blanks and Unicode's normal form do not count."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def one_spelling(experiment: pl.Series, arm: pl.Series, guesses: list[str]) -> pl.Series:
    """Arms of an experiment that differ by case, blanks or normal form only, under their commonest spelling.

    Args:
        experiment: Per row.
        arm: Per row.
        guesses: Gets what was merged.

    Returns:
        The arm per row.
    """
    rows = pl.DataFrame({"experiment": experiment, "arm": arm}).with_row_index("row")
    spelt = rows.group_by("experiment", "arm").agg(rows=pl.len().cast(pl.Int64))
    folded = {name: _folded(name) for name in spelt["arm"].unique().to_list()}
    spelt = spelt.with_columns(
        folded=pl.col("arm").replace_strict(folded, return_dtype=pl.String),
        padded=pl.col("arm") != pl.col("arm").str.strip_chars(),
    ).sort("experiment", "folded", "padded", -pl.col("rows"), "arm")
    # Where spellings are all that tells the arms apart, they are arms.
    several_arms = pl.col("folded").n_unique().over("experiment") > 1
    spelt = spelt.with_columns(folded=pl.when(several_arms).then("folded").otherwise("arm"))
    chosen = spelt.with_columns(chosen=pl.col("arm").first().str.strip_chars().over("experiment", "folded"))
    several = chosen.filter(pl.len().over("experiment", "folded") > 1)
    for (_, one), part in list(several.group_by("experiment", "chosen", maintain_order=True))[:3]:
        listed = " and ".join(repr(name) for name in part["arm"].to_list())
        guesses.append(f"the arms {listed} are one, {one} (override with --arms-as-written)")
    return (
        rows.join(chosen.select("experiment", "arm", "chosen"), on=["experiment", "arm"], how="left")
        .sort("row")["chosen"]
        .alias(arm.name)
    )


def arms_of(places: pl.DataFrame, column: str, request: Request, guesses: list[str]) -> dict[str, list[str]]:
    """Arms per experiment, the control first, the others in the order of their names.

    Args:
        places: Columns experiment_id and variant_id.
        column: The arm's column.
        request: What was said.
        guesses: Gets the control, the ratio, and experiments left out.

    Raises:
        FlatFileError: One arm only, too many, options that do not fit the arms.
    """
    listed = (
        places.select("experiment_id", "variant_id")
        .unique()
        .sort("experiment_id", pl.col("variant_id").cast(pl.Float64, strict=False), "variant_id")
        .group_by("experiment_id", maintain_order=True)
        .agg("variant_id")
    )
    arms = {name: its for name, its in listed.iter_rows() if len(its) > 1}
    where = f"--variant {shown(column)}"
    if not arms:
        only = shown(listed["variant_id"][0][0])
        raise FlatFileError(Problem("there is one arm only", where, only, "two arms or more"))
    if len(arms) < listed.height:
        guesses.append(f"{listed.height - len(arms):,} experiments with one arm only were left out")
    largest = max(arms, key=lambda name: len(arms[name]))
    if len(arms[largest]) > MAX_ARMS:
        rule = f"at most {MAX_ARMS}"
        hint = (
            "is this the unit's id? If the file holds many experiments, name their column with --experiment"
        )
        raise FlatFileError(Problem("too many arms", where, f"{len(arms[largest]):,}", rule, hint))
    _require_experiments(arms, request)
    controls = _controls(arms, request, guesses)
    result = {
        name: [controls[name], *(arm for arm in its if arm != controls[name])] for name, its in arms.items()
    }
    _check_ratios(result, request)
    if not request.ratio and len(request.ratios) < len(result):
        guesses.append(
            "the arms were meant to be equally large (override with --ratio, in the order of the arms)"
        )
    return result


def _require_experiments(arms: Mapping[str, Sequence[str]], request: Request) -> None:
    for option, names in (("--ratio", request.ratios), ("--control", request.controls)):
        for name in names:
            if name not in arms:
                near = did_you_mean(name, arms)
                listed = "the experiments are " + ", ".join(map(shown, list(arms)[:10]))
                raise FlatFileError(Problem("no such experiment", option, shown(name), hint=near or listed))


def _controls(arms: Mapping[str, Sequence[str]], request: Request, guesses: list[str]) -> dict[str, str]:
    """The control of each experiment: its own as said, the general one as said, else the best of its names."""
    said = _said_control({name: its for name, its in arms.items() if name not in request.controls}, request)
    controls, unnamed = {}, 0
    for name, its in arms.items():
        own = request.controls.get(name)
        if own is not None and own not in its:
            hint = did_you_mean(own, its) or "the arms are " + ", ".join(map(shown, its[:20]))
            raise FlatFileError(Problem("no such arm", f"--control {shown(f'{name}={own}')}", hint=hint))
        try:
            controls[name] = control_of(its, own or said)
        except FlatFileError:
            # Nobody answers for thousands of experiments one by one; the sign of a difference is all that changes.
            if len(arms) == 1:
                raise
            controls[name], unnamed = its[0], unnamed + 1
    if said is None and len(request.controls) < len(arms):
        example = shown(next(iter(controls.values())))
        place = "" if len(arms) == 1 else " in the first experiment"
        guesses.append(f"the control is {example}{place} (override with --control)")
    if unnamed:
        guesses.append(
            f"in {unnamed:,} experiments no arm is called like a control: the first in the order of the names is taken "
            "(override with --control NAME=ARM)"
        )
    return controls


def _said_control(arms: Mapping[str, Sequence[str]], request: Request) -> str | None:
    if request.control is None:
        return None
    without = [its for its in arms.values() if request.control not in its]
    if not without:
        return request.control
    like = {arm for its in arms.values() for arm in its if _folded(arm) == _folded(request.control)}
    if len(like) == 1 and not request.arms_as_written and all(like & set(its) for its in arms.values()):
        return like.pop()
    hint = did_you_mean(request.control, without[0]) or "the arms are " + ", ".join(
        map(shown, without[0][:20])
    )
    where = f"--control {shown(request.control)}"
    rule = "" if len(arms) == 1 else f"in {len(without):,} of {len(arms):,} experiments"
    raise FlatFileError(Problem("no such arm", where, rule=rule, hint=hint))


def ratio_of(name: str, request: Request) -> Sequence[float]:
    """The declared split of an experiment, empty where none is."""
    return request.ratios.get(name, request.ratio)


def _check_ratios(arms: Mapping[str, Sequence[str]], request: Request) -> None:
    for name, its in arms.items():
        ratio = ratio_of(name, request)
        value = ":".join(f"{share:g}" for share in ratio)
        if ratio and len(its) != len(ratio):
            raise FlatFileError(
                Problem("the ratio does not fit the arms", "--ratio", value, f"{len(its)} numbers")
            )
        if not all(0 < share < float("inf") for share in ratio):
            raise FlatFileError(
                Problem("a share of the ratio is not above 0", "--ratio", rule="such as 1:1:2")
            )
