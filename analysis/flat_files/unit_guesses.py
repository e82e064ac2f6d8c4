"""Which column is the unit's id, and whether rows are units at all: rows that repeat an id are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from fairsplit.analysis.catalogue.findings import shown
from fairsplit.analysis.errors import Problem
from fairsplit.analysis.flat_files.columns import all_distinct, as_names, first_row, names_in
from fairsplit.analysis.flat_files.request import FlatFileError
from fairsplit.analysis.flat_files.words import is_id, is_person, is_unnamed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairsplit.analysis.flat_files.request import MetricColumn, Request

#: Ids that come more than once, below which nothing is concluded from their sharing an arm.
_FEWEST_REPEATED = 10
_SHARED = 0.9
#: Standard errors beyond chance.
_BEYOND_CHANCE = 6.0


def guess_unit(
    frame: pl.DataFrame,
    variant: str,
    metrics: Sequence[MetricColumn],
    request: Request,
    guesses: list[str],
) -> str | None:
    """The column of the unit's id, or none where each row is a unit of its own.

    Args:
        frame: The file.
        variant: Column of the arm.
        metrics: Those that were named.
        request: What was said.
        guesses: Gets the guess, and ids that may be what the arms were drawn by.

    Raises:
        FlatFileError: An id repeats, so that rows are no units, and nothing says what they are.
    """
    taken = {variant, request.unit, request.experiment, request.cluster, *request.covariates}
    taken |= {*request.segments, *(name for metric in metrics for name in metric.columns)}
    once: list[str] = []
    more: list[str] = []
    for name in (name for name in frame.columns if name not in taken and is_id(name)):
        ids = _ids(frame, name, request)
        if ids is None or ids.null_count() == ids.len() or ids.n_unique() == 1:
            continue
        key = [ids] if request.experiment is None else [frame[request.experiment], ids]
        (once if ids.null_count() == 0 and all_distinct(key) else more).append(name)
    once.sort(key=lambda name: not is_person(name))
    drawn_by = [name for name in more if request.by != "event" and follows(frame, name, variant, request)]
    if request.unit is not None or request.cluster is not None:
        if request.cluster is None and request.unit is not None:
            guesses.extend(map(_unseen, drawn_by))
        return None if request.unit == request.cluster else request.unit
    if request.by == "event":
        people = [name for name in [*more, *once] if is_person(name)]
        if len(people) == 1:
            guesses.append(f"the unit's id is in column {shown(people[0])} (override with --unit)")
            return people[0]
        return None
    has_person = any(is_person(name) for name in once)
    alarming = drawn_by or [name for name in more if not has_person and (is_person(name) or not once)]
    if request.by == "unit":
        alarming = drawn_by
    if alarming:
        raise FlatFileError(repeated(frame, alarming[0], once))
    if once:
        guesses.append(f"the unit's id is in column {shown(once[0])} (override with --unit)")
        return once[0]
    guesses.append("each row is a unit of its own (override with --unit, --cluster or --by event)")
    free = [name for name in frame.columns if name not in {*taken, *more}]
    guesses.extend(
        _unseen(name) for name in free if request.by is None and follows(frame, name, variant, request)
    )
    return None


def _ids(frame: pl.DataFrame, name: str, request: Request) -> pl.Series | None:
    """A column of ids as text; one that has none is refused where it may be the unit, since it may repeat."""
    if is_person(name) and request.unit is None:
        return as_names(frame, name, "--unit")
    return names_in(frame[name])


def _unseen(name: str) -> str:
    return (
        f"rows that share their {shown(name)} are independent, although they share their arm too "
        f"(override with --cluster {shown(name)})"
    )


def repeated(frame: pl.DataFrame, name: str, once: Sequence[str] = ()) -> Problem:
    """Rows are no units, with the three ways out; or some of them have no id.

    Args:
        frame: The file.
        name: The id that repeats.
        once: Ids that do not.
    """
    ids = names_in(frame[name])
    ids = frame[name].cast(pl.String) if ids is None else ids
    twice = ids.is_duplicated() & ids.is_not_null()
    if not twice.any():
        value = f"{ids.null_count():,}, first in row {first_row(ids.is_null())}"
        return Problem("empty values", f"--unit {shown(name)}", value, "a value in every row")
    rows = f"{int(twice.sum()):,} rows share their {shown(name)} with another"
    said = shown(name)
    other = shown(once[0]) if once else "COL"
    hint = (
        f"--by event --unit {said} adds the rows of one {said} up; --cluster {said} keeps rows as units and takes "
        f"their dependence into account; --unit {other} names another id"
    )
    value = f"for example {shown(str(ids.filter(twice)[0]))}"
    return Problem(rows, f"--unit {said}", value, "one row a unit", hint)


def follows(frame: pl.DataFrame, name: str, variant: str, request: Request) -> bool:
    """Whether rows that share this column share their arm, far more often than chance would have it."""
    ids, arm = names_in(frame[name]), names_in(frame[variant])
    if ids is None or arm is None:
        return False
    place = pl.Series(["all"] * frame.height) if request.experiment is None else frame[request.experiment]
    rows = pl.DataFrame({"place": place, "id": ids, "arm": arm}).drop_nulls()
    groups = rows.group_by("place", "id").agg(size=pl.len(), arms=pl.col("arm").n_unique())
    groups = groups.filter(pl.col("size") > 1)
    if groups.height < _FEWEST_REPEATED:
        return False
    shares = (arm.drop_nulls().value_counts()["count"] / arm.len()).to_numpy()
    chance = (shares[None, :] ** groups["size"].to_numpy()[:, None]).sum(axis=1)
    alike = float((groups["arms"] == 1).sum())
    beyond = (alike - chance.sum()) / np.sqrt(max((chance * (1 - chance)).sum(), 1e-9))
    return bool(alike >= _SHARED * groups.height and beyond > _BEYOND_CHANCE)


def is_row_number(name: str, values: pl.Series) -> bool:
    """Whether a column counts the rows: whole numbers, all distinct, with hardly a gap."""
    if not values.dtype.is_integer() or values.null_count() or values.len() < _FEWEST_REPEATED:
        return False
    low, high = int(values.min()), int(values.max())  # type: ignore[arg-type]
    dense = high - low < (20 if is_unnamed(name) else 2) * values.len()
    return dense and values.n_unique() == values.len()
