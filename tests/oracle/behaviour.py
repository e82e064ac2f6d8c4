"""Behavioural segments in plain Python: what each unit did in the last days, going through its events one by one."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.oracle.brute_force import MICROS, unit_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from tests.oracle.brute_force import Event

Segment = dict[str, Any]

#: Every measure, with and without an event, under both combinations and all tests.
SEGMENTS: dict[str, Segment] = {
    "deeds": {
        "unit": "user",
        "behaviour": {
            "days": 10,
            "all": [
                {"event": "page_view", "as": "views", "gte": 2},
                {"event": "purchase", "measure": "days", "as": "buying_days"},
                {"event": "purchase", "measure": "value", "as": "spent"},
                {"event": "session_start", "measure": "recency", "as": "away", "lt": 6.5},
                {"event": "page_view", "measure": "distinct", "of": "url", "as": "pages", "between": [2, 5]},
                {"event": "page_view", "measure": "top", "of": "url", "as": "page", "in": ["/", "/product"]},
                {"measure": "level", "levels": [12, 30], "as": "activity", "in": ["medium", "high"]},
                {"measure": "sessions", "as": "visits", "gt": 1},
                {"measure": "session_events", "as": "depth"},
                {"measure": "session_minutes", "as": "stay", "lte": 1_000},
            ],
        },
    },
    "buyers": {
        "unit": "user",
        "behaviour": {
            "days": 14,
            "any": [
                {"event": "purchase", "measure": "value", "gte": 40},
                {"event": "purchase", "gt": 1},
                {"event": "refund", "measure": "recency", "lte": 14},
            ],
        },
    },
    "not_buying": {
        "unit": "user",
        "behaviour": {"days": 5, "all": [{"event": "purchase", "lt": 1}, {"measure": "sessions", "gte": 1}]},
    },
    "short_visits": {
        "unit": "session",
        "behaviour": {
            "days": 3,
            "all": [{"measure": "session_minutes", "lt": 10}, {"event": "page_view", "between": [1, 4]}],
        },
    },
}


def subjects(
    events: Iterable[Event], owner: Mapping[str, str], end: datetime, unit: str
) -> dict[str, dict[str, Any]]:
    """By unit with an event in the longest window: its segments as ``segment:<id>``, and its exported measures."""
    declared = {name: one for name, one in SEGMENTS.items() if one["unit"] == unit}
    longest = max(one["behaviour"]["days"] for one in declared.values())
    of_unit: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        name = unit_of(event, owner) if unit == "user" else event.session_id
        if name is not None and end - timedelta(days=longest) <= event.at < end:
            of_unit[name].append(event)
    return {name: _attributes(declared, mine, end) for name, mine in of_unit.items()}


def _attributes(declared: Mapping[str, Segment], mine: list[Event], end: datetime) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, segment in declared.items():
        behaviour = segment["behaviour"]
        since = end - timedelta(days=behaviour["days"])
        verdicts = []
        for rule in behaviour.get("all") or behaviour["any"]:
            value = _measure(rule, [event for event in mine if event.at >= since], end)
            if "as" in rule:
                found[rule["as"]] = value
            verdicts += _tests(rule, value)
        found[f"segment:{name}"] = all(verdicts) if "all" in behaviour else any(verdicts)
    return found


def _measure(rule: Mapping[str, Any], mine: list[Event], end: datetime) -> float | str | None:
    acts = [event for event in mine if rule.get("event") in {None, event.name}]
    sessions: dict[str, list[Event]] = defaultdict(list)
    for event in acts:
        if event.session_id is not None:
            sessions[event.session_id].append(event)
    spans = [max(e.at for e in one) - min(e.at for e in one) for one in sessions.values()]
    times = Counter(event.url for event in acts if event.url)
    medium, high = rule.get("levels", (0, 0))
    return {
        "count": len(acts),
        "days": len({event.day for event in acts}),
        "value": sum(event.micros for event in acts) / MICROS,
        "recency": min(((end - event.at) / timedelta(days=1) for event in acts), default=None),
        "distinct": len(times),
        "top": min(times, key=lambda url: (-times[url], url), default=None),
        "level": "high" if len(acts) >= high else "medium" if len(acts) >= medium else "low",
        "sessions": len(sessions),
        "session_events": sum(map(len, sessions.values())) / len(sessions) if sessions else None,
        "session_minutes": sum(spans, timedelta()) / timedelta(minutes=len(spans)) if spans else None,
    }[rule.get("measure", "count")]


def _tests(rule: Mapping[str, Any], value: Any) -> list[bool]:
    checks = {
        "gt": lambda operand: value > operand,
        "gte": lambda operand: value >= operand,
        "lt": lambda operand: value < operand,
        "lte": lambda operand: value <= operand,
        "between": lambda operand: operand[0] <= value <= operand[1],
        "in": lambda operand: value in operand,
    }
    return [value is not None and check(rule[name]) for name, check in checks.items() if name in rule]
