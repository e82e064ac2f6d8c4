"""Which column is the arm, and which arm the control: the best match, and a question where two are as good."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fairsplit.analysis.catalogue.findings import shown
from fairsplit.analysis.errors import Problem
from fairsplit.analysis.flat_files.columns import names_in
from fairsplit.analysis.flat_files.request import FlatFileError
from fairsplit.analysis.flat_files.values import numbers_in
from fairsplit.analysis.flat_files.words import words_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from fairsplit.analysis.flat_files.request import Request

_GUESSED_ARMS = 20

#: Names of the arm's column, the better ones first: exact, then a word of it, then names that mean other things too.
_EXACT = {"variant", "variation", "arm", "treatment", "condition", "group", "bucket", "ab", "assignment"}
_TWO_WORDS = {"experiment", "test", "ab", "variant", "variation", "treatment", "arm", "study"}
_ENDS = {"id", "name", "group", "arm", "variant", "variation", "assignment", "key"}
_LOOSE = {"cohort", "version", "test", "segment", "experiment", "split", "design", "policy"}

#: Names of a control, the better ones first.
_CONTROLS = (
    re.compile(r"(?:control|ctrl|controls|control[ _-]group|placebo|baseline|kontrolle)\Z", re.IGNORECASE),
    re.compile(
        r"(?:original|default|off|none|old|base|holdout|champion|existing|current|status[ _-]quo|untreated"
        r"|a|0|00|false|no)\Z",
        re.IGNORECASE,
    ),
    re.compile(
        r"(?:control|ctrl|baseline|placebo|original|default|holdout|old)[ _.:-].*|no[ _-].+"
        r"|.*[ _.:-](?:control|ctrl)\Z",
        re.IGNORECASE,
    ),
    re.compile(r".*(?<![^\W_])(?:control|ctrl|placebo|baseline)(?![^\W_]).*", re.IGNORECASE),
)
#: Arms in a series, such as gate_30 and gate_40, A and B, v1 and v2.
_SERIES = re.compile(r"(.*?)([0-9]+(?:\.[0-9]+)?|[A-Za-z])\Z")


def guess_variant(frame: pl.DataFrame, request: Request, guesses: list[str]) -> str:
    """The column of the arm.

    Raises:
        FlatFileError: None looks like it, or several do.
    """
    taken = {request.unit, request.experiment, request.cluster, *request.covariates, *request.segments}
    few: dict[str, pl.Series] = {}
    for name in frame.columns:
        text = None if name in taken else names_in(frame[name])
        if text is not None and 2 <= text.drop_nulls().n_unique() <= _GUESSED_ARMS:
            few[name] = text
    scores = {name: _score(name, text, request.control) for name, text in few.items()}
    best = max(scores.values(), default=0)
    found = [name for name, score in scores.items() if score == best > 0]
    if not found:
        found = [name for name, text in few.items() if _is_text(frame[name])]
        found = found if len(found) == 1 else []
    if len(found) != 1:
        could = found or list(few)[:8]
        hint = f"it might be {' or '.join(shown(name) for name in could)}" if could else ""
        raise FlatFileError(Problem("which column is the arm?", "--variant", rule="name it", hint=hint))
    guesses.append(f"the arm is in column {shown(found[0])} (override with --variant)")
    return found[0]


def _is_text(column: pl.Series) -> bool:
    found = numbers_in(column)
    return found is not None and bool(found.bad.all())


def _score(name: str, text: pl.Series, control: str | None) -> int:
    """Its name counts most, then whether an arm is called like a control; 0 where neither speaks for it."""
    words = words_of(name)
    values = text.drop_nulls().unique().to_list()
    called = 0
    if "".join(words) in _EXACT or (len(words) == 2 and words[0] in _EXACT and words[1] in _ENDS):
        called = 6
    elif len(words) == 2 and words[0] in _TWO_WORDS and words[1] in _ENDS:
        called = 5
    elif len(words) > 1 and words[-1] in _EXACT - {"group", "bucket", "condition"}:
        called = 4
    elif "".join(words) in _LOOSE or (len(words) == 2 and words[0] in _LOOSE and words[1] in _ENDS):
        called = 2
    if control is not None:
        return called + 7 if control in values else 0
    named = any(_CONTROLS[0].match(value.strip()) for value in values)
    return called + (3 if named else 0)


def control_of(arms: Sequence[str], said: str | None) -> str:
    """The control among an experiment's arms: as said, by the best of its names, else the first of a series.

    Args:
        arms: In the order of their values.
        said: The control's name, if it was said.

    Raises:
        FlatFileError: Two arms are called as well like a control, or none is and the arms are no series.

    >>> control_of(["gate_30", "gate_40"], None), control_of(["Mens E-Mail", "No E-Mail"], None)
    ('gate_30', 'No E-Mail')
    >>> control_of(["a new design", "control"], None)
    'control'
    """
    if said is not None:
        return said
    for names in _CONTROLS:
        found = [arm for arm in arms if names.match(arm.strip())]
        if len(found) == 1:
            return found[0]
        if found:
            break
    else:
        found = list(arms)
        if (first := _first_of_series(arms)) is not None:
            return first
    listed = " or ".join(shown(arm) for arm in found[:8])
    raise FlatFileError(
        Problem("which arm is the control?", "--control", rule="name it", hint=f"it might be {listed}")
    )


def _first_of_series(arms: Sequence[str]) -> str | None:
    """The first of arms that differ in a number or a letter at the end only."""
    parts = [_SERIES.match(arm) for arm in arms]
    if any(part is None for part in parts):
        return None
    whole = [(part[1], part[2]) for part in parts if part is not None]
    stems, ends = {stem.casefold() for stem, _ in whole}, [end for _, end in whole]
    if len(stems) > 1:
        return None
    if all(end[0].isdigit() for end in ends):
        return min(zip((float(end) for end in ends), arms, strict=True))[1]
    return min(arms) if all(end.isalpha() for end in ends) else None
