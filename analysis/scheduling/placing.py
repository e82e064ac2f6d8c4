"""One week's posts placed by integer programming, then the arms drawn within matched blocks.

Which experiment posts at which slot is optimised; which of its arms does is drawn, so that no arm has better hours. A
block is as many posts of one experiment as it has arms, at hours of the day as alike as can be, and holds each arm
once.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime, timedelta

_GAP = 1e-6
#: Values are compared in millionths; ties go to the earlier slot.
_FINE = 1_000_000


@dataclass(frozen=True, slots=True)
class Slot:
    """A time at which something may be posted.

    Attributes:
        at: Naive UTC.
        day: Local day.
        hour: Local hour of the day, for blocks.
        value: What a post then is worth against another slot, above 0.
    """

    at: datetime
    day: date
    hour: int
    value: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """An experiment that may post.

    Attributes:
        experiment: Id.
        arms: Variants, in declared order.
        priority: What a post of it is worth, above 0.
        taken: Instants at which it posts already, naive UTC.
    """

    experiment: str
    arms: Sequence[str]
    priority: float
    taken: Sequence[datetime] = ()


@dataclass(frozen=True, slots=True)
class Placed:
    """A post: block 0 is the experiment's first in the week."""

    at: datetime
    experiment: str
    variant: str
    block: int


def place(
    slots: Sequence[Slot],
    candidates: Sequence[Candidate],
    room: Mapping[date, int],
    apart: timedelta,
    seed: str,
) -> list[Placed]:
    """The posts of one week, by time.

    Args:
        slots: Free slots, by time.
        candidates: Experiments, by id.
        room: Posts that a local day may still hold.
        apart: Least time between two posts of one experiment.
        seed: Says which draw it is; the same seed gives the same arms.

    Returns:
        Each experiment posts a whole number of blocks.
    """
    chosen = _chosen(slots, candidates, room, apart)
    placed = []
    for candidate in candidates:
        mine = sorted(chosen[candidate.experiment], key=lambda slot: (slot.hour, slot.at))
        size = len(candidate.arms)
        for block in range(len(mine) // size):
            digest = hashlib.sha256(f"{seed}|{candidate.experiment}|{block}".encode()).digest()
            order = np.random.default_rng(int.from_bytes(digest[:8], "big")).permutation(size)
            for slot, arm in zip(mine[block * size : (block + 1) * size], order, strict=True):
                placed.append(Placed(slot.at, candidate.experiment, candidate.arms[int(arm)], block))
    return sorted(placed, key=lambda post: post.at)


def _chosen(
    slots: Sequence[Slot], candidates: Sequence[Candidate], room: Mapping[date, int], apart: timedelta
) -> dict[str, list[Slot]]:
    """The slots of each experiment: the most valuable ones under all constraints."""
    width, count = len(slots), len(candidates)
    if not width or not count:
        return {candidate.experiment: [] for candidate in candidates}
    # One variable a pair of experiment and slot, and for each experiment its number of blocks.
    size = width * count + count
    total = sum(candidate.priority for candidate in candidates)
    cost = np.zeros(size)
    upper = np.ones(size)
    lines: list[tuple[list[int], list[float], float, float]] = []
    for e, candidate in enumerate(candidates):
        own = np.arange(width) + e * width
        values = [round(candidate.priority * slot.value * _FINE) for slot in slots]
        cost[own] = -np.array(values, dtype=np.float64) + np.arange(width)
        # No experiment takes more of the week than its share of all priorities, to the next whole block.
        share = sum(max(posts, 0) for posts in room.values()) * candidate.priority / total
        upper[width * count + e] = math.ceil(share / len(candidate.arms))
        lines.append(([*own, width * count + e], [1.0] * width + [-float(len(candidate.arms))], 0.0, 0.0))
        for s, slot in enumerate(slots):
            if any(abs(slot.at - taken) < apart for taken in candidate.taken):
                upper[e * width + s] = 0
            near = [t for t in range(s, width) if slots[t].at - slot.at < apart]
            if len(near) > 1:
                lines.append(([e * width + t for t in near], [1.0] * len(near), 0.0, 1.0))
    lines += [([e * width + s for e in range(count)], [1.0] * count, 0.0, 1.0) for s in range(width)]
    for day, posts in room.items():
        today = [e * width + s for e in range(count) for s in range(width) if slots[s].day == day]
        lines.append((today, [1.0] * len(today), 0.0, float(max(posts, 0))))
    rows = [number for number, line in enumerate(lines) for _ in line[0]]
    columns = [column for line in lines for column in line[0]]
    numbers = [value for line in lines for value in line[1]]
    matrix = coo_array((numbers, (rows, columns)), shape=(len(lines), size)).tocsr()
    found = milp(
        cost,
        integrality=np.ones(size, dtype=np.int64),
        bounds=Bounds(np.zeros(size), upper),
        constraints=LinearConstraint(matrix, [line[2] for line in lines], [line[3] for line in lines]),
        options={"mip_rel_gap": _GAP},
    )
    taken = np.zeros(size) if found.x is None else np.round(found.x)
    return {
        candidate.experiment: [slots[s] for s in range(width) if taken[e * width + s] == 1]
        for e, candidate in enumerate(candidates)
    }
