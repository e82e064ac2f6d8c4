"""An independent reading of the rules: plain Python over lists of events, no code shared with the project.

It is slow on purpose: every figure is found by going through all events again. Instants are naive UTC datetimes, values
integers in micro-units. What it returns is what the warehouse must hold, to the last digit.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

MICROS = 1_000_000
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Event:
    event_id: str
    name: str
    at: datetime
    user_id: str | None = None
    anonymous_id: str | None = None
    session_id: str | None = None
    value: str | None = None
    experiment_id: str | None = None
    variation_id: str | None = None
    url: str | None = None
    context: tuple[tuple[str, str], ...] = ()
    retracts: str | None = None
    row_md5: str = ""

    @property
    def day(self) -> date:
        return self.at.date()

    @property
    def micros(self) -> int:
        scaled = Decimal(self.value or 0) * MICROS
        return int(scaled.to_integral_value(rounding=ROUND_HALF_EVEN))


@dataclass(frozen=True)
class Metric:
    """`counts` says which events count, `worth` what one is worth; `end` none means open."""

    kind: str
    start: timedelta
    end: timedelta | None
    counts: Callable[[Event], bool]
    worth: Callable[[Event], int] = lambda _: 1
    denominator: Callable[[Event], bool] | None = None
    steps: tuple[Callable[[Event], bool], ...] = ()
    distinct: Callable[[Event], str | None] | None = None
    cuped: bool = False


@dataclass(frozen=True)
class Experiment:
    id: str
    start: datetime
    end: datetime | None
    variants: tuple[str, ...]
    metrics: tuple[str, ...]
    segments: tuple[str, ...] = ()
    activation: str | None = None
    cuped_days: int = 14
    pauses: tuple[tuple[datetime, datetime], ...] = ()


@dataclass(frozen=True)
class Exposure:
    experiment: str
    unit: str
    variant: str
    at: datetime
    event_id: str
    second_arm_at: datetime | None
    context: Mapping[str, str] = field(default_factory=dict, hash=False, compare=False)


def accepted(files: Mapping[str, Iterable[Event]]) -> tuple[list[Event], dict[str, dict[str, int]]]:
    """The events that count, and per file how many rows were accepted, duplicate and in conflict.

    `files` maps content hashes to the valid rows of each file.
    """
    copies: dict[tuple[date, str], list[tuple[str, str, Event]]] = defaultdict(list)
    accounts = {name: {"accepted": 0, "duplicates": 0} for name in files}
    for name, rows in files.items():
        for event in rows:
            copies[event.day, event.event_id].append((event.row_md5, name, event))
    winners = []
    for group in copies.values():
        best_md5 = min(md5 for md5, _, _ in group)
        credited = min(name for md5, name, _ in group if md5 == best_md5)
        winners.append(next(event for md5, name, event in group if (md5, name) == (best_md5, credited)))
        taken = False
        for md5, name, _ in group:
            if (md5, name) == (best_md5, credited) and not taken:
                accounts[name]["accepted"] += 1
                taken = True
            else:
                accounts[name]["duplicates"] += 1
    retracted = {event.retracts for event in winners if event.retracts}
    kept = [event for event in winners if event.retracts or event.event_id not in retracted]
    return kept, accounts


def links(events: Iterable[Event]) -> dict[str, str]:
    """The user each anonymous id belongs to: that of its earliest event with both ids."""
    earliest: dict[str, tuple[datetime, str, str]] = {}
    for event in events:
        if event.anonymous_id and event.user_id:
            candidate = (event.at, event.event_id, event.user_id)
            if event.anonymous_id not in earliest or candidate < earliest[event.anonymous_id]:
                earliest[event.anonymous_id] = candidate
    return {anonymous: user for anonymous, (_, _, user) in earliest.items()}


def unit_of(event: Event, owner: Mapping[str, str]) -> str | None:
    if event.user_id:
        return event.user_id
    if event.anonymous_id:
        return owner.get(event.anonymous_id, event.anonymous_id)
    return None


def exposures(experiment: Experiment, events: list[Event], owner: Mapping[str, str]) -> dict[str, Exposure]:
    """First qualifying exposure per unit, with the instant of the first one in another arm."""

    def inside(event: Event) -> bool:
        return event.at >= experiment.start and (experiment.end is None or event.at < experiment.end)

    viewed: dict[str, list[Event]] = defaultdict(list)
    activated: dict[str, datetime] = {}
    for event in events:
        unit = unit_of(event, owner)
        if unit is None:
            continue
        if experiment.activation and event.name == experiment.activation and inside(event):
            activated[unit] = min(activated.get(unit, event.at), event.at)
        if (
            event.name == "experiment_viewed"
            and event.experiment_id == experiment.id
            and event.variation_id in experiment.variants
            and inside(event)
            and not any(begin <= event.at < end for begin, end in experiment.pauses)
        ):
            viewed[unit].append(event)
    found = {}
    for unit, shown in viewed.items():
        seen = shown
        if experiment.activation:
            seen = [event for event in shown if unit in activated and event.at >= activated[unit]]
        if not seen:
            continue
        seen.sort(key=lambda event: (event.at, event.event_id))
        first = seen[0]
        other = [event.at for event in seen if event.variation_id != first.variation_id]
        found[unit] = Exposure(
            experiment.id,
            unit,
            first.variation_id or "",
            first.at,
            first.event_id,
            min(other, default=None),
            dict(first.context),
        )
    return found


def unit_values(  # noqa: PLR0911  (one return a kind)
    metric: Metric, mine: list[Event], begin: datetime, end: datetime, origin: datetime
) -> tuple[int, int]:
    """Numerator and denominator of one unit over the half-open window [begin, end)."""
    inside = sorted((e for e in mine if begin <= e.at < end), key=lambda e: (e.at, e.event_id))
    counted = [event for event in inside if metric.counts(event)]
    if metric.kind in {"proportion", "retention"}:
        return int(bool(counted)), 0
    if metric.kind == "count_distinct":
        assert metric.distinct is not None
        return len({metric.distinct(event) for event in counted} - {None}), 0
    if metric.kind == "funnel":
        reached_at: datetime | None = begin
        for step in metric.steps:
            reached_at = min((e.at for e in inside if step(e) and e.at >= reached_at), default=None)
            if reached_at is None:
                return 0, 0
        return 1, 0
    if metric.kind == "time_to_conversion":
        if not counted:
            return 0, 0
        return (counted[0].at - origin) // timedelta(microseconds=1), 1
    total = sum(metric.worth(event) for event in counted)
    if metric.kind == "ratio":
        assert metric.denominator is not None
        return total, sum(1 for event in inside if metric.denominator(event))
    return total, 0


def statistics(
    experiment: Experiment,
    metrics: Mapping[str, Metric],
    events: list[Event],
    first_day: date,
    frontier: date,
) -> dict[tuple, dict[str, int | str | None]]:
    """Every cell of the cube, keyed by (cut-off, metric, segment, level, variant, analysis)."""
    known = [event for event in events if event.day <= frontier]
    owner = links(known)
    exposed = exposures(experiment, known, owner)
    by_unit: dict[str, list[Event]] = defaultdict(list)
    for event in known:
        unit = unit_of(event, owner)
        if unit is not None:
            by_unit[unit].append(event)
    cells: dict[tuple, dict[str, int | str | None]] = {}
    cut_off = first_day
    while cut_off <= frontier:
        limit = datetime.combine(cut_off + DAY, time())
        for name in experiment.metrics:
            metric = metrics[name]
            for exposure in exposed.values():
                if exposure.at >= limit:
                    continue
                end = None if metric.end is None else exposure.at + metric.end
                closed = end is None or end <= limit
                row = _unit_row(
                    metric, by_unit[exposure.unit], exposure, min(end or limit, limit), experiment
                )
                crossed = exposure.second_arm_at is not None and exposure.second_arm_at < limit
                for analysis in ("default", "crossovers_excluded"):
                    if analysis == "crossovers_excluded" and crossed:
                        continue
                    levels = [("all", "all")]
                    levels += [(key, exposure.context.get(key) or "unknown") for key in experiment.segments]
                    for segment, level in levels:
                        key = (cut_off, name, segment, level, exposure.variant, analysis)
                        _add(cells.setdefault(key, _empty()), row if closed else None)
        cut_off += DAY
    return cells


def _unit_row(
    metric: Metric, mine: list[Event], exposure: Exposure, end: datetime, experiment: Experiment
) -> tuple[int, int, int, int]:
    y, d = unit_values(metric, mine, exposure.at + metric.start, end, exposure.at)
    x = w = 0
    if metric.cuped:
        begin = exposure.at - timedelta(days=experiment.cuped_days)
        x, w = unit_values(metric, mine, begin, exposure.at, exposure.at)
    return y, d, x, w


_NAMES = ("y", "d", "x", "w")
PRODUCTS = [(a, b) for i, a in enumerate(_NAMES) for b in _NAMES[i:]]


def _empty() -> dict[str, int | str | None]:
    sums = {f"sum_{a}": 0 for a in _NAMES} | {f"sum_{a}{b}": 0 for a, b in PRODUCTS}
    return {"n": 0, "n_open": 0, **sums}


def _add(cell: dict, row: tuple[int, int, int, int] | None) -> None:
    if row is None:
        cell["n_open"] += 1
        return
    cell["n"] += 1
    values = dict(zip(_NAMES, row, strict=True))
    for name, value in values.items():
        cell[f"sum_{name}"] += value
    for a, b in PRODUCTS:
        cell[f"sum_{a}{b}"] += values[a] * values[b]


def shard(salt: str, unit: str) -> int:
    return int(hashlib.md5(f"{salt}-{unit}".encode(), usedforsecurity=False).hexdigest()[:8], 16) % 10_000
