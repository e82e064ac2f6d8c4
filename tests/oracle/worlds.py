"""Small worlds that are full of edges, split into files and landed in any order."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from tests.oracle.brute_force import DAY, Event, Experiment, Metric

FIRST_DAY = date(2026, 1, 1)
LAST_DAY = date(2026, 1, 14)
MIDNIGHT = datetime.combine(FIRST_DAY, time())
QUIET_DAYS = (date(2026, 1, 9), date(2026, 1, 13))
"""Days without any event: windows close on them all the same."""

WEEK = timedelta(days=7)


def named(*names: str):
    return lambda event: event.name in names


METRICS = {
    "checkout_conversion": Metric("proportion", timedelta(), WEEK, named("purchase")),
    "purchases_per_user": Metric("count", timedelta(), WEEK, named("purchase"), cuped=True),
    "revenue_per_user": Metric(
        "revenue",
        timedelta(),
        WEEK,
        named("purchase", "refund"),
        worth=lambda event: event.micros,
        cuped=True,
    ),
    "purchase_conversion_1d": Metric("proportion", timedelta(), DAY, named("purchase")),
    "retention_day_1": Metric("retention", DAY, 2 * DAY, named("session_start", "page_view")),
    "distinct_pages_per_user": Metric(
        "count_distinct", timedelta(), WEEK, named("page_view"), distinct=lambda event: event.url
    ),
    "checkout_funnel": Metric(
        "funnel",
        timedelta(),
        WEEK,
        named("add_to_cart", "checkout_started", "purchase"),
        steps=(named("add_to_cart"), named("checkout_started"), named("purchase")),
    ),
    "time_to_purchase": Metric("time_to_conversion", timedelta(), WEEK, named("purchase")),
    "average_order_value": Metric(
        "ratio",
        timedelta(),
        WEEK,
        named("purchase"),
        worth=lambda event: event.micros,
        denominator=named("purchase"),
    ),
    "checkout_conversion_open": Metric("proportion", timedelta(), None, named("purchase")),
    "revenue_per_user_open": Metric(
        "revenue",
        timedelta(),
        None,
        named("purchase", "refund"),
        worth=lambda event: event.micros,
        cuped=True,
    ),
}

EXPERIMENTS = (
    Experiment(
        "plain",
        MIDNIGHT + 3 * DAY,
        MIDNIGHT + 12 * DAY,
        ("a", "b"),
        tuple(METRICS),
        segments=("platform",),
        cuped_days=3,
    ),
    Experiment(
        "activated",
        MIDNIGHT + 2 * DAY,
        None,
        ("a", "b", "c"),
        ("checkout_conversion", "revenue_per_user_open"),
        activation="checkout_started",
        cuped_days=0,
        pauses=((MIDNIGHT + 5 * DAY, MIDNIGHT + 6 * DAY),),
    ),
)


@dataclass(frozen=True)
class LandedFile:
    name: str
    text: str
    arrived: datetime
    events: tuple[Event, ...]

    @property
    def content_hash(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def _instant(rng: random.Random) -> datetime:
    """Often a midnight, an exact day distance, or an instant that others share."""
    day = rng.choice(
        [d for d in range((LAST_DAY - FIRST_DAY).days + 1) if FIRST_DAY + d * DAY not in QUIET_DAYS]
    )
    clock = rng.choice([0, 0, 3600, 36_000, 36_000, 43_200, rng.randrange(86_400)])
    micros = rng.choice([0, 0, 0, 999_999, rng.randrange(1_000_000)])
    return MIDNIGHT + day * DAY + timedelta(seconds=clock, microseconds=micros)


def make_events(seed: int, size: int = 260) -> list[Event]:
    """Distinct events of about 24 people, some of whom are first seen under an anonymous id."""
    rng = random.Random(seed)  # noqa: S311
    users = [f"u{n}" for n in range(18)]
    strangers = [f"n{n}" for n in range(8)]
    events = []
    for number in range(size):
        name = rng.choice(
            ["experiment_viewed"] * 5
            + ["purchase"] * 4
            + ["page_view"] * 3
            + [
                "add_to_cart",
                "add_to_cart",
                "checkout_started",
                "checkout_started",
                "session_start",
                "refund",
                "identify",
            ]
        )
        user, stranger = rng.choice(users), rng.choice(strangers)
        both = name == "identify" or rng.random() < 0.1
        shown = rng.random() < 0.65
        at = _instant(rng)
        value = (
            str(Decimal(rng.randrange(1, 10_000_000)) / 1_000_000) if name in {"purchase", "refund"} else None
        )
        exposed = name == "experiment_viewed"
        events.append(
            Event(
                event_id=f"e{number}",
                name=name,
                at=at,
                user_id=user if both or shown else None,
                anonymous_id=stranger if both or not shown else None,
                value=f"-{value}" if name == "refund" else value,
                experiment_id=rng.choice(["plain", "plain", "activated"]) if exposed else None,
                variation_id=rng.choice(["a", "b", "b", "c", "??"]) if exposed else None,
                url=rng.choice(["/a", "/b", "/c"]) if name == "page_view" else None,
                context=(("platform", rng.choice(["web", "ios"])),) if rng.random() < 0.8 else (),
            )
        )
    events += [
        Event(f"r{number}", "correction", _instant(rng), retracts=f"e{rng.randrange(size)}")
        for number in range(6)
    ]
    return [hashed(event) for event in events]


def altered(event: Event, rng: random.Random) -> Event:
    """The same key with other content: a conflict."""
    changes = {"session_id": f"s{rng.randrange(3)}"}
    if event.name == "experiment_viewed":
        changes["variation_id"] = rng.choice(["a", "b"])
    if event.value is not None:
        changes["value"] = "1.5"
    return hashed(Event(**{**event.__dict__, **changes}))


def split(seed: int, events: list[Event]) -> list[LandedFile]:
    """Split into files; some rows stand in two files, some again with other content, some twice in one file.

    Some exposures stand in quarantine only, for a text in `value`, under ids that no other event has.
    """
    rng = random.Random(seed + 1_000)  # noqa: S311
    broken = random.Random(seed + 2_000)  # noqa: S311
    count = rng.randrange(4, 9)
    parts: list[list[Event]] = [[] for _ in range(count)]
    for event in events:
        parts[rng.randrange(count)].append(event)
        if rng.random() < 0.08:
            parts[rng.randrange(count)].append(event)
        if rng.random() < 0.05:
            parts[rng.randrange(count)].append(altered(event, rng))
    files = []
    for number, part in enumerate(parts):
        if part:
            rows = [row_of(event) for event in part]
            rows += [
                {**row, "event_id": f"{row['event_id']}-broken", "value": "much"}
                for row in rows
                if row["event_name"] == "experiment_viewed" and broken.random() < 0.2
            ]
            text = "".join(json.dumps(row) + "\n" for row in rows)
            files.append(LandedFile(f"part-{number}.ndjson", text, MIDNIGHT + 20 * DAY, tuple(part)))
    return files


def row_of(event: Event) -> dict:
    row = {
        "event_id": event.event_id,
        "event_name": event.name,
        "occurred_at": event.at.isoformat(timespec="microseconds") + "Z",
        "user_id": event.user_id,
        "anonymous_id": event.anonymous_id,
        "session_id": event.session_id,
        "value": float(event.value) if event.value is not None else None,
        "experiment_id": event.experiment_id,
        "variation_id": event.variation_id,
        "url": event.url,
        **dict(event.context),
    }
    if event.retracts:
        row["properties"] = {"retracts": event.retracts}
    return {name: value for name, value in row.items() if value is not None}


_ORDER = ("event_id", "event_name", "occurred_at", "user_id", "anonymous_id", "session_id", "value", "experiment_id",
          "variation_id", "platform", "url", "properties")  # fmt: skip


def hashed(event: Event) -> Event:
    """With the md5 of its canonical JSON, written by the published rule."""
    row = row_of(event) | {"properties": {"retracts": event.retracts} if event.retracts else {}}
    parts = []
    for name in _ORDER:
        if name not in row:
            continue
        text = json.dumps(row[name], separators=(",", ":"))
        if name == "value":
            text = format(Decimal(event.value or 0).normalize(), "f")
        parts.append(f'"{name}":{text}')
    digest = hashlib.md5(("{" + ",".join(parts) + "}").encode(), usedforsecurity=False).hexdigest()
    return Event(**{**event.__dict__, "row_md5": digest})
