"""What a refusal says, as tests compare it."""

from __future__ import annotations

import re


def told(problem: object) -> str:
    """A problem as it is printed, without the hint that names the documentation where nothing better is known."""
    return re.sub(r"\. Hint: docs/definitions\.md describes every key( under .*)?$", "", str(problem))
