"""CSV in SQL: every cell is text."""

from __future__ import annotations

from dataclasses import dataclass

from fairsplit.orchestration.landing.cells import EMPTY, STRING, Cell, inside, json_pairs
from fairsplit.orchestration.landing.own_properties import columns_as_events
from fairsplit.orchestration.landing.sql import literal


@dataclass
class Delimited:
    """CSV: text cells named by a header.

    Attributes:
        header: Column names in order; the relation calls them ``c0``, ``c1``, ….
    """

    header: list[str]
    texts_are_numbers: bool = True

    def cell(self, column: str) -> Cell:
        """See `Layout`; a name with dots reaches into cells that hold JSON."""
        if column in self.header:
            return Cell(self._place(column), literal(STRING))
        steps = column.split(".")
        for length in range(len(steps) - 1, 0, -1):
            outer = ".".join(steps[:length])
            if outer in self.header:
                return inside(self._place(outer), steps[length:])
        return EMPTY

    def _place(self, column: str) -> str:
        return f"c{self.header.index(column)}"

    def names(self) -> list[str]:
        """See `Layout`."""
        return self.header

    def rows(self, relation: str) -> str:
        """See `Layout`."""
        return f"select * from {relation}"

    def own_events(self) -> tuple[dict[str, Cell], str, list[tuple[str, str]]]:
        """See `Layout`: columns named as in the contract; `properties` and `context` hold JSON."""
        return columns_as_events(self, self.header)

    def json_of(self, column: str) -> str:
        """See `Layout`."""
        cell = self.cell(column)
        return f"to_json({cell.text})::varchar" if cell != EMPTY else "null::varchar"

    def object_of(self, columns: list[str] | None, taken: set[str]) -> str:
        """See `Layout`."""
        names = [name for name in self.header if name not in taken] if columns is None else columns
        return json_pairs([(name, self.json_of(name)) for name in names if self.cell(name) != EMPTY])
