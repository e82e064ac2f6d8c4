"""Which units a targeting condition lets in, judged on their attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from fairsplit.analysis.catalogue.conditions import attribute_names, evaluate
from fairsplit.analysis.errors import Problem
from fairsplit.assignment_exports.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from numpy.typing import NDArray

    from fairsplit.analysis.catalogue.conditions import Condition


def inline_segments(condition: Condition, segments: Mapping[str, Condition]) -> Condition:
    """Put the conditions of named segments where they are named, since no SDK knows our names.

    Raises:
        ExportError: A segment is unknown.
    """
    match condition.kind:
        case "segment":
            name = str(condition.segment)
            if name not in segments:
                raise ExportError(
                    Problem(
                        "unknown segment",
                        value=name,
                        rule=f"one of: {', '.join(sorted(segments)) or 'none is declared'}",
                    )
                )
            return inline_segments(segments[name], segments)
        case "all" | "any" as kind if condition.within is None:
            parts = tuple(inline_segments(part, segments) for part in condition.parts)
            return condition.model_copy(update={kind: parts})
        case "not":
            return condition.model_copy(update={"not_": inline_segments(condition.parts[0], segments)})
        case _:
            return condition


def eligible(
    condition: Condition, count: int, attributes: pl.DataFrame | None, at: datetime
) -> NDArray[np.bool_]:
    """Whether each unit's attributes satisfy a condition; each distinct combination is judged once.

    Args:
        condition: Without named segments.
        count: The number of units n.
        attributes: n rows, or none when nothing is known of them.
        at: The instant, naive UTC.

    Returns:
        Shape (n,); unknown is not satisfied.
    """
    wanted = sorted(attribute_names(condition) & set(attributes.columns if attributes is not None else ()))
    if attributes is None or not wanted:
        return np.full(count, evaluate(condition, {}, at=at) is True)
    combinations = attributes.select(wanted).unique()
    verdicts = combinations.with_columns(
        eligible=pl.Series(
            [evaluate(condition, row, at=at) is True for row in combinations.iter_rows(named=True)]
        )
    )
    return (
        attributes.select(wanted)
        .join(verdicts, on=wanted, how="left", nulls_equal=True, maintain_order="left")["eligible"]
        .to_numpy()
    )
