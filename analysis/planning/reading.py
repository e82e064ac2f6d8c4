"""Numbers as people write them on a command line."""

from __future__ import annotations

import math

from fairsplit.analysis.statistics.checks import refuse


def share(text: str, where: str) -> float:
    """A share: ``20%``, ``0.2`` or ``.2``.

    Args:
        text: What was written.
        where: The option, for the message.

    Raises:
        InputError: ``not_finite`` for anything else.

    Examples:
        >>> share("20%", "--effect"), share(".1", "--baseline")
        (0.2, 0.1)
    """
    written = text.strip()
    try:
        value = float(written.removesuffix("%")) / (100.0 if written.endswith("%") else 1.0)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise refuse("not_finite", "not a number", where, value=text, rule="such as 0.2 or 20%")
    return value
