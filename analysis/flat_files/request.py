"""What is asked of a flat file: which column plays which part."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from fairsplit.analysis.catalogue.findings import did_you_mean, shown
from fairsplit.analysis.catalogue.part_checks import refused_part
from fairsplit.analysis.errors import AnalysisError, Problem
from fairsplit.analysis.parts.installed import installed, is_custom

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from fairsplit.analysis.flat_files.caps import Caps

By = Literal["unit", "event", "arm"]
Crossovers = Literal["include", "exclude"]

_PERCENTILE = re.compile(r"p([1-9][0-9]?)\Z")
_DIRECTIONS = ("increase", "decrease")
#: Types whose test needs every value and not only sums, as that of a custom part does.
_BY_VALUES = ("percentile", "mann_whitney", "ks")
TYPES = (
    "proportion", "z", "mean", "ratio", "median", "p1 to p99", "mann_whitney", "ks", "a custom part",
)  # fmt: skip


class FlatFileError(AnalysisError):
    """The file or the options do not allow an analysis."""


@dataclass(frozen=True, slots=True)
class MetricColumn:
    """One metric of the file.

    Attributes:
        name: Its name in the results.
        column: The column of the value, or a ratio's numerator.
        denominator: A ratio's denominator, or none. Where rows are counts per arm: the units.
        type: ``proportion``, ``z`` (a proportion by the pooled z-test), ``mean``, ``ratio``, ``percentile``,
            ``mann_whitney``, ``ks`` or the name of a custom part; empty until the values have been seen.
        percentile: The quantile in (0, 1) of a percentile, or none.
        direction: ``increase`` or ``decrease``: which way is better.
        spread: Where rows are an arm's mean, the column of the standard deviation, else none.
        caps: What its values are capped to, or none.
    """

    name: str
    column: str
    denominator: str | None = None
    type: str = ""
    percentile: float | None = None
    direction: str = "increase"
    spread: str | None = None
    caps: Caps | None = None

    @property
    def is_share(self) -> bool:
        """Whether a unit's value is 0 or 1."""
        return self.type in {"proportion", "z"}

    @property
    def is_by_values(self) -> bool:
        """Whether its test needs every value and not only sums."""
        return self.type in _BY_VALUES or is_custom(self.type)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads."""
        return tuple(name for name in (self.column, self.spread, self.denominator) if name is not None)


@dataclass(frozen=True, slots=True)
class Request:
    """The options of one analysis; what is None or empty is guessed or left out.

    Attributes:
        name: What the experiment is called where no column tells experiments apart.
        cut_off: The day that the results stand for.
        unit: Column of the unit's id.
        variant: Column of the arm.
        control: The arm that the others are compared with.
        controls: Controls of single experiments, which go before `control`.
        metrics: ``COLUMN``, ``COLUMN:TYPE``, ``NUMERATOR/DENOMINATOR``, each with ``:decrease`` where less is
            better; of counts per arm ``SUCCESSES/UNITS`` or ``MEAN/SD/UNITS``.
        caps: ``[METRIC=][LOWER..]UPPER`` of means, quantiles such as ``p99`` or numbers.
        covariates: Columns known before the exposure (CUPED).
        segments: Columns to split the results by.
        experiment: Column that tells experiments apart.
        by: What a row is: a unit, an event of a unit, or the counts of an arm.
        cluster: Column of the groups by which the arms were drawn, where those are larger than a unit.
        units: Column of an arm's units, where rows are counts and no metric names it.
        crossovers: Whether a unit seen in two arms stays in its first one or is left out.
        ratio: The declared split in the arms' order; equal where empty.
        ratios: Splits of single experiments, which go before `ratio`.
        decimal: The sign before decimals in text, ``.`` or ``,``; none finds it out.
        arms_as_written: Whether arms that differ by case, blanks or normal form only are arms of their own.
        alpha: Level of the tests, in (0, 1).
    """

    name: str
    cut_off: date
    unit: str | None = None
    variant: str | None = None
    control: str | None = None
    metrics: Sequence[str] = ()
    caps: Sequence[str] = ()
    covariates: Sequence[str] = ()
    segments: Sequence[str] = ()
    experiment: str | None = None
    by: By | None = None
    cluster: str | None = None
    units: str | None = None
    crossovers: Crossovers = "include"
    ratio: Sequence[float] = ()
    ratios: Mapping[str, Sequence[float]] = field(default_factory=dict)
    controls: Mapping[str, str] = field(default_factory=dict)
    decimal: str | None = None
    arms_as_written: bool = False
    alpha: float = 0.05


def require_column(name: str, columns: Iterable[str], option: str) -> None:
    """Refuse a column that the file does not have.

    Raises:
        FlatFileError: With the nearest name, or all of them.
    """
    known = list(columns)
    if name not in known:
        listed = "the columns are " + ", ".join(shown(column) for column in known[:30])
        near = did_you_mean(name, known)
        raise FlatFileError(Problem("no such column", option, shown(name), hint=near or listed))


def parse_metric(text: str, columns: Sequence[str]) -> MetricColumn:
    """Read one ``--metric``; a column's name may itself hold colons and slashes.

    Args:
        text: ``COLUMN[/COLUMN][:TYPE][:increase|decrease]``.
        columns: Of the file.

    Returns:
        The metric, named by its column (or ``a/b``); its type is empty where none is given.

    Raises:
        FlatFileError: For unknown columns and types.
    """
    rest, direction, kind = text, "increase", ""
    if rest not in columns and rest.rpartition(":")[2] in _DIRECTIONS:
        rest, _, direction = rest.rpartition(":")
    if rest not in columns and ":" in rest:
        rest, _, kind = rest.rpartition(":")
    if rest in columns or "/" not in rest:
        require_column(rest, columns, "--metric")
        kind, percentile = _type(kind)
        if kind == "ratio":
            raise FlatFileError(
                Problem("a ratio needs two columns", "--metric", shown(text), "NUMERATOR/DENOMINATOR")
            )
        return MetricColumn(rest, rest, None, kind, percentile, direction)
    parts = _parts(rest, columns)
    kind, _ = _type(kind)
    if len(parts) == 3:
        if kind not in {"", "mean"}:
            raise FlatFileError(Problem("mean, sd and units give a mean", "--metric", shown(text), "mean"))
        mean, spread, units = parts
        return MetricColumn(mean, mean, units, "mean", None, direction, spread)
    if kind not in {"", "ratio", "proportion", "z"}:
        rule = "ratio; for counts per arm proportion or z"
        raise FlatFileError(Problem("this type takes one column", "--metric", shown(text), rule))
    return MetricColumn(rest, parts[0], parts[1], kind, None, direction)


def _parts(text: str, columns: Sequence[str]) -> tuple[str, ...]:
    """The two or three columns between slashes, which may themselves hold slashes."""
    words = text.split("/")
    cuts: list[tuple[int, ...]] = [(at,) for at in range(1, len(words))]
    cuts += [(one, two) for one in range(1, len(words)) for two in range(one + 1, len(words))]
    for cut in cuts:
        edges = (0, *cut, len(words))
        parts = tuple("/".join(words[a:b]) for a, b in itertools.pairwise(edges))
        if all(part in columns for part in parts):
            return parts
    parts = tuple(words) if len(words) == 3 else tuple(text.split("/", 1))
    for part in parts:
        require_column(part, columns, "--metric")
    return parts


def _type(word: str) -> tuple[str, float | None]:
    found = _PERCENTILE.match(word)
    if word == "median":
        return "percentile", 0.5
    if found:
        return "percentile", int(found[1]) / 100
    if word in {"", "proportion", "z", "mean", "ratio", "mann_whitney", "ks"}:
        return word, None
    parts = (*installed("tests"), *installed("metrics"))
    if is_custom(word):
        refusal = refused_part("metrics" if word in installed("metrics") else "tests", word)
        if refusal is None:
            return word, None
        raise FlatFileError(
            Problem(refusal[0], "--metric", shown(word), "a part that is installed", refusal[1])
        )
    hint = did_you_mean(word, ("proportion", "mean", "ratio", "median", "mann_whitney", *parts))
    raise FlatFileError(Problem("unknown type of metric", "--metric", shown(word), ", ".join(TYPES), hint))
