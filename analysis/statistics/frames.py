"""Results as Polars frames: one row per comparison, statuses as words."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import polars as pl

from fairsplit.analysis.statistics.checks import refuse
from fairsplit.analysis.statistics.status import names


def to_frame(result: Any, prefix: str = "") -> pl.DataFrame:
    """Turn a result of this package into a frame.

    Args:
        result: A frozen dataclass of arrays over one axis of comparisons; results inside it are spread out
            under their field's name, status codes become words, blanks (NaN) become nulls.
        prefix: Put before every column's name.

    Returns:
        One row per comparison; fields that are not one-dimensional arrays of that length are left out.

    Raises:
        InputError: ``not_a_result`` for anything but a dataclass of arrays.

    Examples:
        >>> from fairsplit.analysis.statistics.means import welch
        >>> from fairsplit.analysis.statistics.moments import Moments
        >>> c, t = Moments.from_summary([9, 0], [1.0, 0.0], [1.0, 0.0]), Moments.from_summary(9, 2.0, 1.0)
        >>> to_frame(welch(c, t)).select("diff", "status", "rel_value")
        shape: (2, 3)
        ┌──────┬─────────────┬───────────┐
        │ diff ┆ status      ┆ rel_value │
        │ ---  ┆ ---         ┆ ---       │
        │ f64  ┆ str         ┆ f64       │
        ╞══════╪═════════════╪═══════════╡
        │ 1.0  ┆ ok          ┆ 1.0       │
        │ null ┆ no_exposure ┆ null      │
        └──────┴─────────────┴───────────┘
    """
    columns = _columns(result, prefix)
    if not columns:
        raise refuse("not_a_result", "not a result with comparisons", "result", value=type(result).__name__)
    longest = max(column.size for column in columns.values())
    kept = {name: column for name, column in columns.items() if column.size == longest}
    return pl.DataFrame(kept).with_columns(pl.selectors.float().fill_nan(None))


def _columns(result: Any, prefix: str) -> dict[str, Any]:
    if not is_dataclass(result):
        return {}
    out: dict[str, Any] = {}
    for field in fields(result):
        value = getattr(result, field.name)
        if is_dataclass(value):
            out |= _columns(value, f"{prefix}{field.name}_")
        elif isinstance(value, np.ndarray) and value.ndim == 1:
            is_status = field.name.endswith("status") and value.dtype == np.int8
            out[f"{prefix}{field.name}"] = names(value) if is_status else np.array(value)
    return out
