"""Values that are exported as JSON: what every SDK's language reads alike."""

from __future__ import annotations

import math
from typing import Any, Final

JSON_RULE: Final = "finite numbers, whole ones below 2^53"
_WHOLE: Final = 2**53


def is_json(value: Any) -> bool:
    """Whether a value is one, whatever it holds.

    >>> is_json({"a": [1, 0.5, None, "x", True]}), is_json([float("inf")]), is_json({"n": 2**53})
    (True, False, False)
    """
    if isinstance(value, dict):
        return all(is_json(part) for part in value.values())
    if isinstance(value, list):
        return all(is_json(part) for part in value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return abs(value) < _WHOLE if isinstance(value, int) else math.isfinite(value)
    return value is None or isinstance(value, bool | str)
