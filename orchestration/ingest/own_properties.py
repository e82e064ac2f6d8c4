"""Properties of files whose columns are named as in the contract: their own JSON, and columns unknown to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration.ingest.cells import EMPTY, ENTRIES, IS_OBJECT, Cell, object_text

if TYPE_CHECKING:
    from orchestration.ingest.cells import Layout


def with_strays(
    layout: Layout, cells: dict[str, Cell], strays: list[str]
) -> tuple[dict[str, Cell], str, list[tuple[str, str]]]:
    """The contract's cells, with columns that it does not know merged into the properties."""
    own = layout.cell("properties")
    properties, wrong = "'{}'", []
    if own != EMPTY:
        text = f"nullif(trim({own.text}), '')"
        # The first character decides before the text is parsed a second time.
        is_object = (
            f"case when {text} is not null then {IS_OBJECT.format(text)} and json_valid({text}) else true end"
        )
        properties = f"case when {is_object} then coalesce({text}, '{{}}') else '{{}}' end"
        wrong = [(f"not {is_object}", "properties")]
    if strays:
        more = ENTRIES.format(layout.object_of(strays, set()))
        fresh = f"list_filter({more}, lambda e: not list_contains(json_keys({properties}), e[1]))"
        properties = object_text(f"list_concat({ENTRIES.format(f'({properties})')}, {fresh})")
    return cells, properties, wrong
