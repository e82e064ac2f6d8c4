"""A shop whose bandit runs by itself: each day's units are served by the SDK from the config that was published."""

from __future__ import annotations

import json
import pickle
import random
import shutil
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import yaml

from tests.oracle.homes import DrivenHome
from tests.oracle.worlds import LandedFile
from tests.sdks import eppo

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NAME, REWARD = "tiles", "purchase_conversion_1d"
ARMS = ("a", "b", "c")
RATES = {"a": 0.2, "b": 0.35, "c": 0.42}
EQUAL = {"a": 0.3334, "b": 0.3333, "c": 0.3333}
FLOOR, MAX_STEP = 0.1, 0.2
START = date(2026, 1, 2)
UNITS = 240
DAY = timedelta(days=1)
EXPERIMENT = {
    "id": NAME,
    "name": "Tiles",
    "owner": "content@example.com",
    "type": "bandit",
    "status": "running",
    "start": f"{START}T00:00:00Z",
    "phases": [{"start": f"{START}T00:00:00Z", "traffic": 1.0, "weights": EQUAL}],
    "bandit": {
        "algorithm": "thompson",
        "reward": REWARD,
        "floor": FLOOR,
        "max_step": MAX_STEP,
        "warm_up": "4d",
        "update_every": 2,
    },
    "variants": [{"id": arm, "control": arm == "a"} for arm in ARMS],
    "segments": ["platform"],
    "metrics": {"primary": [REWARD], "secondary": ["purchases_per_user"]},
    "plan": {"min_sample": 30, "max_duration": "42d"},
    "stopping": {"automatic": True},
}


def midnight(day: date) -> datetime:
    return datetime.combine(day, time())


@dataclass(frozen=True)
class Shown:
    """A unit's exposure as the SDK answered it, and the shares that the config held at that instant."""

    unit: str
    at: datetime
    arm: str
    shares: dict[str, float]


class Shop:
    """A home, what its users were shown, and the rewards to come.

    Attributes:
        shown: First exposures by unit.
        bought: Instant of each unit's purchase.
        files: What has landed, a file a day.
        judged: The cut-offs that each day's run judged anew.
    """

    def __init__(self, folder: Path) -> None:
        self.driven = DrivenHome(folder, ())
        (self.driven.catalog / "experiments" / f"{NAME}.yaml").write_text(yaml.safe_dump(EXPERIMENT))
        self.shown: dict[str, Shown] = {}
        self.bought: dict[str, datetime] = {}
        self.files: list[LandedFile] = []
        self.judged: dict[date, list[date]] = {}
        self._to_come: dict[date, list[dict[str, Any]]] = {}

    def fork(self, folder: Path) -> Shop:
        """The same shop in a folder of its own, free to go on otherwise."""
        self.keep()
        shutil.copytree(self.driven.home.root.parent, folder, symlinks=True)
        return Shop.kept(folder)

    def keep(self) -> None:
        """Write down beside the home what the home does not know."""
        state = {name: value for name, value in vars(self).items() if name != "driven"}
        (self.driven.home.root.parent / "shop.pickle").write_bytes(pickle.dumps(state))

    @classmethod
    def kept(cls, folder: Path) -> Shop:
        """A shop as it was kept, in this folder or a copy of it."""
        shop = cls.__new__(cls)
        vars(shop).update(pickle.loads((folder / "shop.pickle").read_bytes()))  # noqa: S301
        shop.driven = DrivenHome(folder, ())
        return shop

    def day(self, day: date, *, lost: float = 0.0) -> None:
        """A day's traffic, and the night's run over it.

        Args:
            day: Without gaps from the day before the start.
            lost: Share of the exposures of arm b whose events never arrive.
        """
        self.land(f"{day}.ndjson", day, self.live(day, lost=lost))
        self.judge(day)
        self.driven.export()

    def judge(self, day: date) -> None:
        """The night's run as far as the results."""
        self.driven.ingest()
        self.driven.build(day)
        self.judged[day] = self.driven.judge()

    def land(self, name: str, day: date, rows: Iterable[dict[str, Any]]) -> None:
        """A file that arrives at 05:00 after a day."""
        text = "".join(json.dumps(row) + "\n" for row in rows)
        self.files.append(LandedFile(name, text, midnight(day) + timedelta(hours=29), ()))
        self.driven.land(self.files[-1])

    def live(self, day: date, *, lost: float = 0.0) -> list[dict[str, Any]]:
        """The events of a day: exposures as the published config has it, and rewards of earlier ones."""
        self._event(midnight(day), f"stranger-{day}", "page_view")
        if day >= START:
            self._visits(day, lost)
        return self._to_come.pop(day)

    def _visits(self, day: date, lost: float) -> None:
        flag = self.config_at(midnight(day))
        shares = shares_of(flag)
        sdk = eppo({"flags": {NAME: flag}, "createdAt": "2026-01-01T00:00:00Z", "format": "SERVER",
                    "environment": {"name": "test"}})  # fmt: skip
        # A unit in twenty comes back the day after, and may be shown another arm.
        again = [(f"u-{day - DAY}-{number}", 22 * 60 + number / 20) for number in range(0, UNITS, 20)]
        units = [(f"u-{day}-{number}", 5 * number) for number in range(UNITS)]
        for unit, minutes in units + (again if day > START else []):
            at = midnight(day) + timedelta(minutes=minutes)
            arm = sdk.get_string_assignment(NAME, unit, {}, "nobody")
            fate = random.Random(unit)  # noqa: S311
            if unit not in self.shown and arm == "b" and fate.random() < lost:
                continue
            self._event(at, unit, "experiment_viewed", experiment_id=NAME, variation_id=arm)
            if unit not in self.shown:
                self.shown[unit] = Shown(unit, at, arm, shares)
                self._reward(unit, at, converts=fate.random() < RATES[arm])

    def _reward(self, unit: str, at: datetime, *, converts: bool) -> None:
        """Most rewards come on the next day; of the units without one, some buy when the window has closed."""
        if converts:
            self.bought[unit] = at + timedelta(hours=20)
            self._event(self.bought[unit], unit, "purchase", value=10)
        elif unit.endswith("7"):
            self._event(at + timedelta(hours=24), unit, "purchase", value=10)

    def _event(self, at: datetime, unit: str, name: str, **more: Any) -> None:
        row = {"event_id": f"{name}-{unit}-{at:%d%H%M%S}", "event_name": name, "user_id": unit,
               "occurred_at": f"{at.isoformat()}Z", "platform": "web", **more}  # fmt: skip
        self._to_come.setdefault(at.date(), []).append(row)

    def config_at(self, instant: datetime) -> dict[str, Any]:
        """The published flag with what is open at an instant, undated: the SDK reads the real clock."""
        payload = json.loads((self.driven.home.exports / "current" / "ufc.json").read_bytes())
        flag = payload["flags"][NAME]
        open_now = [
            {**one, "startAt": None, "endAt": None}
            for one in flag["allocations"]
            if _instant(one["startAt"]) <= instant < _instant(one["endAt"] or "9999-01-01T00:00:00Z")
        ]
        return {**flag, "allocations": open_now}

    def closed(self, cut_off: date) -> dict[str, tuple[int, int]]:
        """Rewarded units and units of each arm whose window of a day had closed by the end of a cut-off."""
        end = midnight(cut_off + DAY)
        known = [one for one in self.shown.values() if one.at + DAY <= end]
        n = Counter(one.arm for one in known)
        good = Counter(one.arm for one in known if one.unit in self.bought)
        return {arm: (good[arm], n[arm]) for arm in ARMS}


def shares_of(flag: dict[str, Any]) -> dict[str, float]:
    """The width of each variant's shards, out of the 10,000 of the format."""
    [allocation] = flag["allocations"]
    return {
        split["variationKey"]: sum(r["end"] - r["start"] for r in split["shards"][-1]["ranges"]) / 10_000
        for split in allocation["splits"]
    }


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=None)
