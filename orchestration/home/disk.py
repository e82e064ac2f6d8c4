"""Whether the disk of a home is full: engines say so in words of their own, or name what failed because of it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from fairsplit.analysis.errors import Problem

if TYPE_CHECKING:
    from pathlib import Path

#: Below it a database cannot even write its log: whatever fails, fails for it.
_NEEDED_BYTES: Final = 4 * 2**20
_WORDS: Final = ("no space left on device", "disk is full", "disk quota exceeded")
HINT: Final = "make room; what was landed is kept, and the next run goes on"


def of_a_full_disk(place: Path, words: str) -> Problem | None:
    """The fault of a disk without room; none where something else is at fault.

    Args:
        place: A folder on the disk.
        words: What the engine that failed has said.
    """
    is_said = any(known in words.lower() for known in _WORDS)
    if not is_said and (not place.is_dir() or shutil.disk_usage(place).free >= _NEEDED_BYTES):
        return None
    return Problem("the disk is full", str(place), words, hint=HINT)
