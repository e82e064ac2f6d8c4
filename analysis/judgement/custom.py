"""What judgement has to know of custom parts beside their answers: whose word counts, and which code they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from fairsplit.analysis.parts.installed import is_custom

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class CustomParts:
    """The custom parts that judge metrics.

    Attributes:
        certified: Metrics whose part has kept its promises on A/A splits of that metric's own units, as it is now;
            of the others no verdict may come.
        code_hashes: By the part's name, the hash that rows judged by it carry: of our code and of its own.
    """

    certified: frozenset[str] = frozenset()
    code_hashes: Mapping[str, str] = field(default_factory=dict)


def with_custom(uses: pl.DataFrame, custom: CustomParts) -> pl.DataFrame:
    """The metrics in use with `certified` (null where no part judges) and `part_code_hash`.

    Args:
        uses: From `use_frame`.
        custom: Of the parts that judge any of them.
    """
    named = [is_custom(test) for test in uses["test"]]
    certified = [metric in custom.certified for metric in uses["metric"]]
    return uses.with_columns(
        certified=pl.Series(
            [known if part else None for part, known in zip(named, certified, strict=True)], dtype=pl.Boolean
        ),
        part_code_hash=pl.Series([custom.code_hashes.get(test) for test in uses["test"]], dtype=pl.String),
    )
