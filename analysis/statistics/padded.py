"""Arrays that may hold gaps and infinities: bounds, paddings of unequal families, degrees of freedom without end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fairsplit.analysis.statistics.checks import refuse

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import FloatArray


def as_padded(value: Any, name: str) -> FloatArray:
    """Real numbers, NaN for a gap, infinities allowed, as float64 of any shape.

    Args:
        value: Number, sequence or array.
        name: The argument's name, for the message.

    Returns:
        The same shape as float64.

    Raises:
        InputError: ``not_a_number`` for truth values, text and complex numbers; ``ragged`` for nested
            sequences of unequal length.

    Examples:
        >>> as_padded([1, float("inf"), float("nan")], "upper")
        array([ 1., inf, nan])
    """
    try:
        raw = np.asarray(value)
    except ValueError as error:
        raise refuse("ragged", "rows differ in length", name, rule="a rectangular array") from error
    truth = isinstance(value, list | tuple) and any(isinstance(v, bool) for v in value)
    if raw.dtype.kind not in "iuf" or truth:
        raise refuse("not_a_number", "not numeric", name, value=raw.dtype, rule="real numbers")
    return raw.astype(np.float64)
