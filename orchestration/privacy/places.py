"""Every place of the home that may hold a person, and how much of them it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import duckdb

from fairsplit.assignment_exports.publishing import list_versions
from fairsplit.orchestration.home.damage import STRAYS
from fairsplit.orchestration.home.migrating import COPIES
from fairsplit.orchestration.landing.erasing import Person, find, rows_in_file, strip_file
from fairsplit.orchestration.lifecycle.unit_lists import rows_on_lists

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from fairsplit.orchestration.project import Home

#: Databases pack what they hold: nobody can say that an id is in none of their bytes.
_DATABASES: Final = frozenset({".duckdb", ".wal"})


@dataclass(frozen=True, slots=True)
class Places:
    """What was found of a person.

    Attributes:
        person: In the lake and in quarantine.
        lists: Rows by list of assigned units.
        strays: By file of `strays/` that holds the person: rows of events, or 1 for a file that goes as a whole.
        versions: Of the exports: the one in force is published without the person, the others go.
        copies: Files of `copies/`, which go whatever they hold: older homes and warehouses.
    """

    person: Person
    lists: Mapping[Path, int]
    strays: Mapping[Path, int]
    versions: int
    copies: int

    @property
    def is_empty(self) -> bool:
        """Nothing is known of the person; copies are not asked."""
        return not (self.person.rows or self.lists or self.strays)


def find_places(home: Home, connection: duckdb.DuckDBPyConnection, unit: str) -> Places:
    """Where a person is.

    Args:
        home: The home.
        connection: On the warehouse, may be read-only; at least one day is built.
        unit: The id.
    """
    person = find(connection, home.root, unit)
    strays = {path: count for path, count in _in_strays(home, connection, person.ids, erased=False) if count}
    return places_of(home, person, rows_on_lists(home, person.ids), strays)


def places_of(home: Home, person: Person, lists: Mapping[Path, int], strays: Mapping[Path, int]) -> Places:
    """What was found, with what goes whatever it holds."""
    copies = sum(path.is_file() for path in (home.root / COPIES).rglob("*"))
    return Places(person, lists, strays, len(list_versions(home.exports)), copies)


def clear_strays(home: Home, connection: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> Mapping[Path, int]:
    """Strip files of events of whoever was erased, and remove other files that hold one of the ids.

    Args:
        home: The home.
        connection: A writer on the warehouse, which knows the person as erased.
        ids: The person's.

    Returns:
        As `Places.strays`.
    """
    found = {}
    for path, count in _in_strays(home, connection, ids, erased=True):
        if count:
            found[path] = count
        if not strip_file(connection, path) and count:
            path.unlink()
    return found


def _in_strays(
    home: Home, connection: duckdb.DuckDBPyConnection, ids: Sequence[str], *, erased: bool
) -> Iterator[tuple[Path, int]]:
    needles = [one.encode() for one in ids]
    for path in sorted(path for path in (home.root / STRAYS).rglob("*") if path.is_file()):
        rows = rows_in_file(connection, path, erased=erased)
        if rows is None:
            rows = int(path.suffix in _DATABASES or _names(connection, path, ids) or _holds(path, needles))
        yield path, rows


def _names(connection: duckdb.DuckDBPyConnection, path: Path, ids: Sequence[str]) -> bool:
    """Whether a Parquet file of other columns, as lists and results have them, has one of the ids in a cell."""
    try:
        columns = connection.execute("describe from read_parquet(?)", [str(path)]).fetchall()
        cells = " or ".join(f'list_contains($2, "{name}"::varchar)' for name, *_ in columns)
        query = f"select 1 from read_parquet($1) where {cells} limit 1"
        return bool(connection.execute(query, [str(path), list(ids)]).fetchall())
    except duckdb.Error:
        return False


def _holds(path: Path, needles: Sequence[bytes]) -> bool:
    content = path.read_bytes()
    return any(needle in content for needle in needles)
