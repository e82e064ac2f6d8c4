"""What a dialect of SQL says in its own way; all else of a condition is the same in every one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Dialect:
    """The expressions of one dialect: SQL from SQL, and from the texts, names, patterns and zones of a definition.

    Attributes:
        literal: A text, quoted so that nothing of it is ever run.
        text: Of the column of attributes and a name: the attribute as text; null where it is missing.
        number: Of the same: the attribute as double; null unless it is a number.
        digits: A double as the SDKs write it: its shortest digits, without exponent and without ``.0``.
        finds: The function that tells whether a text has a match of a pattern.
        pattern: What `finds` takes for a pattern of the catalogue; raises `ExportError` where the dialect's engine
            would read it otherwise.
        labels: Of a dotted text and what to make of a label: all that it makes, with blanks between.
        local: Of an instant and a time zone: what its clocks show, as a timestamp without zone.
        weekday: Of a day: 1 for Monday to 7 for Sunday.
    """

    literal: Callable[[str], str]
    text: Callable[[str, str], str]
    number: Callable[[str, str], str]
    digits: Callable[[str], str]
    finds: str
    pattern: Callable[[str], str]
    labels: Callable[[str, Callable[[str], str]], str]
    local: Callable[[str, str], str]
    weekday: Callable[[str], str]
