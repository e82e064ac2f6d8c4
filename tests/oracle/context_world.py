"""A shop whose best arm depends on the platform: served by the SDK from the config that was published, day by day."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import yaml

from tests.oracle.bandit_world import DAY, NAME, REWARD, START, UNITS, Shop, Shown, midnight
from tests.sdks import eppo

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

ARMS = ("a", "b")
RATES = {("ios", "a"): 0.2, ("ios", "b"): 0.7, ("web", "a"): 0.7, ("web", "b"): 0.2}
FLOOR = 0.1
EXPERIMENT = {
    "id": NAME,
    "name": "Tiles",
    "owner": "content@example.com",
    "type": "bandit",
    "status": "running",
    "start": f"{START}T00:00:00Z",
    "phases": [{"start": f"{START}T00:00:00Z", "traffic": 1.0, "weights": {"a": 0.5, "b": 0.5}}],
    "bandit": {
        "algorithm": "contextual",
        "features": ["platform"],
        "reward": REWARD,
        "floor": FLOOR,
        "warm_up": "4d",
        "update_every": 3,
    },
    "variants": [{"id": arm, "control": arm == "a"} for arm in ARMS],
    "segments": ["platform"],
    "metrics": {"primary": [REWARD]},
    "plan": {"min_sample": 30, "max_duration": "42d"},
    "stopping": {"automatic": True},
}


def platform_of(unit: str) -> str:
    """Two units in five are on iOS."""
    return random.Random(f"{unit}-platform").choice(["ios", "ios", "web", "web", "web"])  # noqa: S311


class ContextShop(Shop):
    """As `Shop`, with attributes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (self.driven.catalog / "experiments" / f"{NAME}.yaml").write_text(yaml.safe_dump(EXPERIMENT))

    def _visits(self, day: date, _lost: float) -> None:
        flag = self.config_at(midnight(day))
        sdk = eppo({"flags": {NAME: flag}, "createdAt": "2026-01-01T00:00:00Z", "format": "SERVER",
                    "environment": {"name": "test"}})  # fmt: skip
        again = [(f"u-{day - DAY}-{number}", 22 * 60 + number / 20) for number in range(0, UNITS, 20)]
        units = [(f"u-{day}-{number}", 5 * number) for number in range(UNITS)]
        for unit, minutes in units + (again if day > START else []):
            at, platform = midnight(day) + timedelta(minutes=minutes), platform_of(unit)
            arm = sdk.get_string_assignment(NAME, unit, {"platform": platform}, "nobody")
            self._event(at, unit, "experiment_viewed", experiment_id=NAME, variation_id=arm)
            if unit not in self.shown:
                self.shown[unit] = Shown(unit, at, arm, {})
                fate = random.Random(unit)  # noqa: S311
                self._reward(unit, at, converts=fate.random() < RATES[platform, arm])

    def _event(self, at: Any, unit: str, name: str, **more: Any) -> None:
        super()._event(at, unit, name, **{"platform": platform_of(unit), **more})
