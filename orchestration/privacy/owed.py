"""What killed commands owe: whoever writes to the home next carries it out first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairsplit.orchestration.privacy import erasure, pruning

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairsplit.orchestration.privacy.erasure import Erasure
    from fairsplit.orchestration.project import Home


def pay(home: Home, say: Callable[[str], None]) -> Erasure | None:
    """Carry out a pruning and an erasure that were begun and not ended; returns the erasure."""
    if pruning.finish_interrupted(home):
        say("a pruning was interrupted; it was carried out first")
    return erasure.finish_interrupted(home, say)
