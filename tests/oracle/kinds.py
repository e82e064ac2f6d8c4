"""A world whose rows shards could spoil: three kinds of unit, shared sessions and devices, events of nobody."""

from __future__ import annotations

import json
import random
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from tests.oracle.homes import DrivenHome
from tests.oracle.worlds import EXPERIMENTS, MIDNIGHT, LandedFile

if TYPE_CHECKING:
    from pathlib import Path

LAST_DAY = date(2026, 1, 9)
PROJECT = """\
first_day: 2026-01-01
filters: [{name: odd, kind: other, column: url, equals: /odd}]
holdouts: [{id: year, share: 0.4, salt: q1, experiments: [plain, changed]}]
"""
DEFINITIONS = {
    "joint": """\
id: joint
name: Everything under the holdout
owner: growth@example.com
type: ab
holdout: year
status: running
start: 2026-01-02T00:00:00Z
variants: [{id: rest}, {id: held, control: true}]
exposure: {event: page_view}
metrics: {primary: [purchase_conversion_1d]}
plan: {cuped_days: 0, min_sample: 2}
""",
    "changed": """\
id: changed
name: Weights that change, and units that try it out
owner: growth@example.com
type: ab
status: running
start: 2026-01-02T00:00:00Z
end: 2026-01-08T00:00:00Z
phases:
  - {start: 2026-01-02T00:00:00Z, traffic: 1.0, weights: {a: 0.5, b: 0.5}}
  - {start: 2026-01-04T00:00:00Z, traffic: 1.0, weights: {a: 0.2, b: 0.8}}
variants: [{id: a, control: true}, {id: b}]
targeting: {all: [{attribute: platform, in: [web]}]}
segments: [platform]
overrides: {u1: a, n2: b}
metrics: {primary: [checkout_conversion], secondary: [average_order_value, revenue_per_user_winsorized, revenue_p90]}
plan: {cuped_days: 2, min_sample: 2}
""",
    "visits": """\
id: visits
name: By session
owner: growth@example.com
type: ab
unit: session
status: running
start: 2026-01-02T00:00:00Z
variants: [{id: a, control: true}, {id: b}]
traffic: 1.0
metrics: {primary: [purchase_conversion_1d], secondary: [revenue_per_user_open]}
plan: {cuped_days: 0, min_sample: 2}
""",
    "devices": """\
id: devices
name: By anonymous id
owner: growth@example.com
type: ab
unit: anonymous
status: running
start: 2026-01-02T00:00:00Z
variants: [{id: a, control: true}, {id: b}]
traffic: 1.0
metrics: {primary: [purchase_conversion_1d]}
plan: {cuped_days: 0, min_sample: 2}
""",
}
NAMES = (
    ("experiment_viewed",) * 6
    + ("purchase",) * 4
    + ("page_view", "page_view", "checkout_started", "identify")
)


def make_rows(seed: int, size: int = 420) -> list[dict]:
    """Events of some 30 people whose anonymous ids several of them use, in sessions that are shared."""
    rng = random.Random(seed)  # noqa: S311
    rows = []
    for number in range(size):
        name = rng.choice(NAMES)
        user, stranger = f"u{rng.randrange(24)}", f"n{rng.randrange(9)}"
        both, shown = name == "identify" or rng.random() < 0.1, rng.random() < 0.6
        nobody = rng.random() < 0.06
        at = MIDNIGHT + timedelta(
            seconds=rng.randrange(9 * 24) * 3600 + rng.choice([0, 0, rng.randrange(3600)])
        )
        row = {
            "event_id": f"e{number}",
            "event_name": name,
            "occurred_at": at.isoformat() + "Z",
            "user_id": user if (both or shown) and not nobody else None,
            "anonymous_id": stranger if (both or not shown) and not nobody else None,
            "session_id": f"s{rng.randrange(30)}" if rng.random() < 0.8 else None,
            "platform": rng.choice(["web", "ios", None]),
            "url": rng.choice(["/a", "/b", "/odd"]),
            "value": rng.randrange(1, 10**6) / 1000 if name == "purchase" else None,
        }
        if name == "experiment_viewed":
            row["experiment_id"] = rng.choice(
                ["plain", "changed", "changed", "visits", "devices", "activated", "gone"]
            )
            row["variation_id"] = rng.choice(["a", "b", "b", "??"])
        rows.append({key: value for key, value in row.items() if value is not None})
    rows += [
        {
            "event_id": f"r{number}",
            "event_name": "correction",
            "occurred_at": (MIDNIGHT + timedelta(days=8)).isoformat() + "Z",
            "properties": {"retracts": f"e{rng.randrange(size)}"},
        }
        for number in range(4)
    ]
    return rows


def large_rows(units: int, each: int) -> list[dict]:
    """Purchases of some users of `changed`, so large that the sums of one fit 128 bits and those of all do not."""
    rows = []
    for unit in range(units):
        ids = {"user_id": f"rich{unit}", "platform": "web"}
        start = datetime(2026, 1, 2, 12)  # noqa: DTZ001
        seen = {"experiment_id": "changed", "variation_id": "ab"[unit % 2]}
        rows.append(
            {
                "event_id": f"see{unit}",
                "event_name": "experiment_viewed",
                "occurred_at": f"{start}Z",
                **ids,
                **seen,
            }
        )
        rows += [
            {
                "event_id": f"rich{unit}-{number}",
                "event_name": "purchase",
                "occurred_at": f"{start + timedelta(seconds=number)}Z",
                "value": 10_000_000_000,
                **ids,
            }
            for number in range(1, each + 1)
        ]
    return rows


def kinds_home(
    folder: Path, seed: int, more: list[dict] | None = None, without: tuple[str, ...] = ()
) -> DrivenHome:
    """A home with the world landed and taken, in three files of which some rows stand in two.

    `without` names experiments that are not declared: their exposures are of unknown ones.
    """
    home = DrivenHome(folder, EXPERIMENTS)
    (home.catalog / "project.yaml").write_text(PROJECT)
    for name, text in DEFINITIONS.items():
        if name in without:
            continue
        (home.catalog / "experiments" / f"{name}.yaml").write_text(text)
    rng = random.Random(seed + 1)  # noqa: S311
    parts: list[list[dict]] = [[], [], []]
    for row in make_rows(seed) + (more or []):
        for number in {rng.randrange(3), rng.randrange(3) if rng.random() < 0.1 else 0}:
            parts[number].append(row if rng.random() < 0.95 else {**row, "url": "/b"})
    for number, rows in enumerate(parts):
        text = "".join(json.dumps(row) + "\n" for row in rows)
        home.land(LandedFile(f"part-{number}.ndjson", text, MIDNIGHT + timedelta(days=20), ()))
    home.ingest()
    return home
