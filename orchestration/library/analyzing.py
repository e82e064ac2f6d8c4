"""One flat table of an experiment judged at once: `fairsplit.analyze`, and the command of the same name."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.flat_files import Request, analyse
from fairsplit.analysis.scorecards.brief import brief_html, brief_of
from fairsplit.orchestration.flat_files import FlatFile, read_flat_file
from fairsplit.orchestration.library.any_table import as_polars
from fairsplit.orchestration.library.flat_report import json_text, print_summary, write_pages
from fairsplit.orchestration.provenance.code_hash import analysis_hash
from fairsplit.orchestration.provenance.part_hash import part_rows_hashes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from fairsplit.analysis.flat_files import FlatAnalysis
    from fairsplit.analysis.flat_files.request import By, Crossovers


@dataclass(frozen=True, slots=True)
class Scorecard:
    """What a table says, as frames and for people; a notebook shows it as a scorecard.

    Attributes:
        analysis: Everything that was computed.
        assumed: What was assumed, each with the option that overrides it.
    """

    analysis: FlatAnalysis
    assumed: tuple[str, ...]

    @property
    def comparisons(self) -> pl.DataFrame:
        """One row per metric, segment level and arm: estimates, intervals, tests; columns of `results.comparisons`."""
        return self.analysis.judgement.comparisons

    @property
    def validity(self) -> pl.DataFrame:
        """One row per check and place; columns of `results.validity`."""
        return self.analysis.judgement.validity

    @property
    def decisions(self) -> pl.DataFrame:
        """One row per experiment: what to do, and why; columns of `results.decisions`."""
        return self.analysis.judgement.decisions

    @property
    def differences(self) -> pl.DataFrame:
        """One row per experiment and metric: does any arm differ."""
        return self.analysis.differences

    @property
    def notes(self) -> tuple[str, ...]:
        """What was asked for and could not be used."""
        return self.analysis.notes

    def to_dict(self) -> dict[str, Any]:
        """All rows, as `fairsplit analyze --format json` prints them."""
        found: dict[str, Any] = json.loads(json_text(self.analysis))
        return found

    def write_html(self, folder: str | Path) -> Path:
        """Write the scorecard's pages, which need no server.

        Args:
            folder: Is made where it does not exist.

        Returns:
            The page to open.
        """
        return write_pages(self.analysis, Path(folder))

    def _repr_html_(self) -> str:
        return brief_html(brief_of(self.analysis), self.assumed)

    def __str__(self) -> str:
        """The lines that the command prints."""
        stream = StringIO()
        print_summary(self.analysis, stream)
        return stream.getvalue().rstrip("\n")


def analyze(
    data: object,
    *,
    metrics: Sequence[str] | str = (),
    variant: str | None = None,
    unit: str | None = None,
    control: str | None = None,
    caps: Sequence[str] | str = (),
    covariates: Sequence[str] | str = (),
    segments: Sequence[str] | str = (),
    experiment: str | None = None,
    by: By | None = None,
    cluster: str | None = None,
    units: str | None = None,
    crossovers: Crossovers = "include",
    ratio: Sequence[float] = (),
    ratios: Mapping[str, Sequence[float]] | None = None,
    controls: Mapping[str, str] | None = None,
    arms_as_written: bool = False,
    alpha: float = 0.05,
    delimiter: str | None = None,
    decimal: str | None = None,
    table: str | None = None,
    as_of: date | None = None,
    name: str | None = None,
) -> Scorecard:
    """Judge one flat table: is the split sound, which arm is better, by how much.

    Args:
        data: One row a unit, an event of a unit, or an arm's counts: a table of Polars, pandas or PyArrow, a DuckDB
            relation, or the path of a file.
        metrics: ``COLUMN[:TYPE][:decrease]``; the first one decides. Types: proportion, z, mean, median, p90,
            mann_whitney, ks; ``NUMERATOR/DENOMINATOR`` is a ratio; of counts per arm ``SUCCESSES/UNITS`` or
            ``MEAN/SD/UNITS``.
        variant: Column of the arm.
        unit: Column of the unit's id.
        control: The arm that the others are compared with.
        caps: ``[METRIC=][LOWER..]UPPER``: what means are capped to, quantiles of all arms such as ``p99`` or numbers.
        covariates: Columns known before exposure (CUPED).
        segments: Columns to split the results by.
        experiment: Column that tells experiments apart.
        by: What a row is: ``unit``, ``event`` or ``arm``.
        cluster: Column of the groups by which the arms were drawn, where those are larger than a row.
        units: Column of an arm's units, where rows are counts and no metric names it.
        crossovers: ``include`` or ``exclude`` units seen in two arms.
        ratio: The declared split in the arms' order; equal where empty.
        ratios: Splits of single experiments, by name.
        controls: Controls of single experiments, by name.
        arms_as_written: Whether arms that differ by case or blanks only are arms of their own.
        alpha: Level of the tests, in (0, 1).
        delimiter: What separates the cells of a text file.
        decimal: The sign before decimals in text, ``.`` or ``,``.
        table: Table of a DuckDB file.
        as_of: Day that the results stand for: else the file's own, and today (UTC) of a table in memory.
        name: What the experiment is called; else the file's name, or ``table``.

    Returns:
        The scorecard. What is left out is guessed, and the guess is in its ``assumed``.

    Raises:
        FairsplitError: The first thing that is wrong with data or options, which are named as on the command line.
    """
    path = Path(data) if isinstance(data, str | Path) else None
    read = FlatFile(as_polars(data)) if path is None else read_flat_file(path, table, delimiter)
    request = Request(
        name=name or ("table" if path is None else path.name.split(".")[0] or path.name),
        cut_off=as_of or _own_day(path),
        unit=unit,
        variant=variant,
        control=control,
        controls=controls or {},
        metrics=_listed(metrics),
        caps=_listed(caps),
        covariates=_listed(covariates),
        segments=_listed(segments),
        experiment=experiment,
        by=by,
        cluster=cluster,
        units=units,
        crossovers=crossovers,
        ratio=ratio,
        ratios=ratios or {},
        decimal=decimal,
        arms_as_written=arms_as_written,
        alpha=alpha,
    )
    found = analyse(read.frame, request, analysis_hash(), part_rows_hashes(analysis_hash()))
    return Scorecard(found, (*read.guesses, *found.guesses))


def _listed(names: Sequence[str] | str) -> Sequence[str]:
    """A single name is a list of one, and not of its letters."""
    return [names] if isinstance(names, str) else names


def _own_day(path: Path | None) -> date:
    now = datetime.now(UTC) if path is None else datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return now.date()
