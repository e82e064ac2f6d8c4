"""Reading one flat file of any usual format into a frame."""

from __future__ import annotations

import gzip
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
import polars as pl

from fairsplit.analysis.catalogue.findings import did_you_mean, shown
from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.flat_files.databases import read_table
from fairsplit.orchestration.flat_files.delimited import DELIMITERS, read_delimited
from fairsplit.orchestration.flat_files.objects import read_objects

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

_PARQUET = {".parquet", ".pq"}
_OBJECTS = {".json", ".ndjson", ".jsonl"}
_DATABASES = {".duckdb", ".db", ".ddb"}
_PACKINGS = {".zip", ".bz2", ".xz", ".zst", ".7z", ".tar", ".tgz", ".gz"}
_FORMATS = "CSV or TSV, Parquet, JSON, NDJSON (text also .gz) or a DuckDB file with --table"
_GZIP = b"\x1f\x8b"
#: How files begin that are not what their name says.
_MAGIC = {
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"PAR1": "a Parquet file",
    _GZIP: "packed with gzip",
    b"BZh": "packed with bzip2",
    b"\xfd7zXZ": "packed with xz",
    b"\x28\xb5\x2f\xfd": "packed with zstd",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
}


@dataclass(frozen=True, slots=True)
class FlatFile:
    """A file's rows.

    Attributes:
        frame: Columns as the file types them; those of text formats are text, so that no name loses a digit.
            Nested values have the type `Object`.
        guesses: What was assumed about the format, each with the option that overrides it.
    """

    frame: pl.DataFrame
    guesses: tuple[str, ...] = ()


def read_flat_file(path: Path, table: str | None = None, delimiter: str | None = None) -> FlatFile:
    """Read a file; its name's ending tells the format.

    Args:
        path: The file.
        table: Table or view of a DuckDB file, ``schema.name`` where it is not in ``main``.
        delimiter: One character between the cells of a text file; none is found out.

    Raises:
        OrchestrationError: No such file or table, an unknown format, content that does not parse, a name that
            two columns have.
    """
    if not path.is_file():
        near = did_you_mean(
            path.name, [other.name for other in path.parent.glob("*")] if path.parent.is_dir() else []
        )
        raise OrchestrationError(Problem("no such file", "FILE", shown(str(path)), hint=near))
    endings = [ending.lower() for ending in path.suffixes]
    is_packed = endings[-1:] == [".gz"]
    kind = (endings[:-1] if is_packed else endings)[-1:]
    ending = kind[0] if kind else ""
    if table is not None and ending not in _DATABASES:
        raise OrchestrationError(Problem("only a DuckDB file has tables", "--table", shown(table)))
    if delimiter is not None and ending not in DELIMITERS:
        raise OrchestrationError(Problem("only text files have a delimiter", "--delimiter", shown(delimiter)))
    if (ending in _DATABASES or ending in _PARQUET) and not is_packed:
        return FlatFile(_named(path, _tabular(path, ending, table)))
    if ending in DELIMITERS or ending in _OBJECTS:
        content = _unpacked(path) if is_packed else path.read_bytes()
        _require_text(path, content)
        if ending in _OBJECTS:
            return FlatFile(_named(path, read_objects(content, path)))
        frame, guesses = read_delimited(content, path, delimiter, DELIMITERS[ending])
        return FlatFile(_named(path, frame), guesses)
    if endings[-1:] and endings[-1] in _PACKINGS:
        raise OrchestrationError(Problem("this packing is not supported", "FILE", shown(path.name), _FORMATS))
    raise OrchestrationError(Problem("unknown format", "FILE", shown(path.name), _FORMATS))


def _tabular(path: Path, ending: str, table: str | None) -> pl.DataFrame:
    try:
        return read_table(path, table) if ending in _DATABASES else pl.read_parquet(path)
    # A type that Polars does not know ends in a panic, which is no Exception of its own kind.
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, duckdb.Error, OSError) as error:
        lines = str(error).splitlines() or [""]
        told = Problem("the file cannot be read", shown(str(path)), shown(lines[0]))
        raise OrchestrationError((_too_wide(path) if ending in _PARQUET else None) or told) from error


def _too_wide(path: Path) -> Problem | None:
    """Why Polars cannot read a file with decimals of more digits than it knows; it names no column."""
    try:
        wide = duckdb.execute(
            "select name from parquet_schema(?) where precision > 38 order by name", [str(path)]
        ).fetchall()
    except duckdb.Error:
        return None
    if not wide:
        return None
    hint = "store it as decimal(38, …), or leave the column out"
    return Problem(
        "a column's decimals are too wide", shown(path.name), shown(wide[0][0]), "at most 38 digits", hint
    )


def _unpacked(path: Path) -> bytes:
    try:
        return gzip.decompress(path.read_bytes())
    except (OSError, EOFError) as error:
        raise OrchestrationError(
            Problem("the file cannot be read", shown(str(path)), shown(str(error)))
        ) from error


def _require_text(path: Path, content: bytes) -> None:
    for magic, what in _MAGIC.items():
        if content.startswith(magic):
            rule = f"{_FORMATS}, told by the name's ending"
            raise OrchestrationError(Problem(f"the file is {what}", "FILE", shown(path.name), rule))


def _named(path: Path, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with the blanks around its columns' names taken away, and every name there once."""
    names = [name.strip() for name in frame.columns]
    for name, times in Counter(names).items():
        if times > 1:
            raise OrchestrationError(
                Problem("two columns have one name", shown(path.name), shown(name), "each name once")
            )
    return frame.rename(dict(zip(frame.columns, names, strict=True)))


def with_numbers(frame: pl.DataFrame, names: Collection[str]) -> pl.DataFrame:
    """Columns of text that hold nothing but numbers or truth values as such, other than those of names."""
    changed = []
    for name, dtype in frame.schema.items():
        if dtype != pl.String or name in names or frame[name].null_count() == frame.height:
            continue
        text = frame[name].str.strip_chars()
        readings = (
            text.cast(pl.Int64, strict=False),
            text.cast(pl.Float64, strict=False),
            text.str.to_lowercase().replace_strict({"true": True, "false": False}, default=None),
        )
        whole = (values for values in readings if values.null_count() == text.null_count())
        changed += [values.alias(name) for values in list(whole)[:1]]
    return frame.with_columns(changed)
