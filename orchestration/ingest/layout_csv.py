"""CSV in SQL: every cell is text."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.catalogue.events import CONTRACT_COLUMNS
from orchestration.ingest.cells import EMPTY, STRING, Cell, json_pairs
from orchestration.ingest.own_properties import with_strays
from orchestration.ingest.sql import literal


@dataclass
class Delimited:
    """CSV: text cells named by a header.

    Attributes:
        header: Column names in order; the relation calls them ``c0``, ``c1``, ….
    """

    header: list[str]
    texts_are_numbers: bool = True

    def cell(self, column: str) -> Cell:
        """See `Layout`."""
        if column not in self.header:
            return EMPTY
        name = f"c{self.header.index(column)}"
        return Cell(name, literal(STRING))

    def names(self) -> list[str]:
        """See `Layout`."""
        return self.header

    def rows(self, relation: str) -> str:
        """See `Layout`."""
        return f"select * from {relation}"

    def own_events(self) -> tuple[dict[str, Cell], str, list[tuple[str, str]]]:
        """See `Layout`: columns named as in the contract; `properties` holds JSON."""
        cells = {column: self.cell(column) for column in CONTRACT_COLUMNS[:-1]}
        strays = [name for name in self.header if name not in CONTRACT_COLUMNS]
        return with_strays(self, cells, strays)

    def object_of(self, columns: list[str] | None, taken: set[str]) -> str:
        """See `Layout`."""
        names = [name for name in self.header if name not in taken] if columns is None else columns
        cells = [(name, self.cell(name)) for name in names]
        return json_pairs([(name, f"to_json({cell.text})::varchar") for name, cell in cells if cell != EMPTY])
