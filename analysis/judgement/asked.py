"""What is asked of a metric, in the metric's own unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from fairsplit.analysis.statistics.status import quiet

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import FloatArray

#: By how much a detectable effect may exceed the one that is asked for, which may be as small as numbers are; what
#: exceeds it more will not be found in any number of days.
LARGEST_RATIO = 1e6
_IS_ABSOLUTE = {"minimum_effect": "minimum_is_absolute", "margin": "margin_is_absolute"}


@quiet
def asked_of(pairs: pl.DataFrame, name: str, control: FloatArray) -> FloatArray:
    """The smallest effect worth finding, or the margin, of every pair: a share of the control's size, or an amount.

    Args:
        pairs: Rows with ``minimum_effect`` and ``margin`` as declared, and whether each is an amount.
        name: ``minimum_effect`` or ``margin``.
        control: The control's value, per pair.

    Returns:
        Sizes above 0; NaN where nothing is asked, or a share of a control that is 0 or unknown.
    """
    declared = pairs[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
    size = np.where(pairs[_IS_ABSOLUTE[name]].to_numpy(), declared, declared * np.abs(control))
    return np.where(size > 0, size, np.nan)
