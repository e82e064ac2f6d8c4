"""Users of the demo world and their sessions: who they are, how active, when they come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from fairsplit.orchestration.simulate.randomness import stream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from numpy.typing import NDArray

SECOND: Final = 1_000_000
DAY: Final = 86_400 * SECOND
SESSION_SECONDS: Final = 600

_COUNTRIES: Final = {
    "US": 0.36,
    "DE": 0.16,
    "GB": 0.12,
    "FR": 0.1,
    "CA": 0.1,
    "JP": 0.08,
    "BR": 0.06,
    "IN": 0.02,
}
_LANGUAGES: Final = {
    "US": "en",
    "DE": "de",
    "GB": "en",
    "FR": "fr",
    "CA": "en",
    "JP": "ja",
    "BR": "pt",
    "IN": "en",
}
_PLATFORMS: Final = {"web": 0.55, "ios": 0.25, "android": 0.20}
_SDK_VERSIONS: Final[Mapping[str, Mapping[str, float]]] = {
    "web": {"5.0.1": 0.7, "5.1.0": 0.3},
    "ios": {"4.0.2": 0.6, "4.2.0": 0.4},
    "android": {"4.0.0": 0.65, "4.1.0": 0.35},
}
_AGENTS: Final = {
    "web": "Mozilla/5.0 Firefox/146.0",
    "ios": "DemoShop/7.3 (iOS)",
    "android": "DemoShop/7.1 (Android)",
}
_BOT_AGENT: Final = "Mozilla/5.0 (compatible; PriceBot/2.1; +http://example.com/bot)"
# Fewer people shop on the first working days; the pattern only has to be uneven.
_WEEKDAY: Final = (0.9, 0.9, 0.95, 1.0, 1.1, 1.2, 1.15)
_BOT_SHARE: Final = 0.004
_HOSTILE_SHARE: Final = 0.001
HOSTILE_TEXTS: Final = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert('x')>",
    '=HYPERLINK("http://example.com","here")',
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "'; drop table raw_events; --",
    "../../../etc/passwd",
    "{{ 7 * 7 }}{% raw %}",
    "🎉🧪 ",
    "\u202egnitseretni\u202c",
    "a,b;c\td",
)
_INTERNAL_SHARE: Final = 0.002
_BOT_ACTIVITY: Final = 0.9
_MEAN_ACTIVITY: Final = 0.16


@dataclass(frozen=True, slots=True)
class Population:
    """Everybody in the world.

    Attributes:
        users: One row a user: ``user_id``, ``anonymous_id``, context columns, ``internal``.
        kind: 0 for people, 1 for bots, 2 for employees, shape (users,).
        activity: Probability of a session on an average day, shape (users,).
        appetite: Mean-one factor of a person's inclination to put things into the cart, shape (users,).
        curiosity: Mean-one factor of pages looked at, shape (users,).
        spending: Mean-one factor of the value of an order, shape (users,).
    """

    users: pl.DataFrame
    kind: NDArray[np.int8]
    activity: NDArray[np.float64]
    appetite: NDArray[np.float64]
    curiosity: NDArray[np.float64]
    spending: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sessions:
    """All sessions, sorted by user and time.

    Attributes:
        user: Position of the user, shape (sessions,).
        start: Microseconds since the world's first midnight.
        day: Day of the world on which it starts.
    """

    user: NDArray[np.int64]
    start: NDArray[np.int64]
    day: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.user)


def draw_population(seed: int, count: int) -> Population:
    """Draw the users.

    Args:
        seed: The world's seed.
        count: How many.
    """
    rng = stream(seed, "population")
    numbers = rng.choice(16**8, size=count, replace=False)
    platform = _pick(rng, _PLATFORMS, count)
    country = _pick(rng, _COUNTRIES, count)
    kind = np.zeros(count, dtype=np.int8)
    fate = rng.random(count)
    kind[fate < _BOT_SHARE] = 1
    kind[fate > 1 - _INTERNAL_SHARE] = 2
    platform[kind == 1] = "web"
    sdk_version = np.empty(count, dtype=object)
    for name, versions in _SDK_VERSIONS.items():
        here = platform == name
        sdk_version[here] = _pick(rng, versions, int(here.sum()))
    agent = np.array([_AGENTS[name] for name in platform], dtype=object)
    agent[kind == 1] = _BOT_AGENT
    user_ids = [f"user-{number:08x}" for number in numbers]
    for position in np.flatnonzero(rng.random(count) < _HOSTILE_SHARE):
        user_ids[position] = HOSTILE_TEXTS[position % len(HOSTILE_TEXTS)] + user_ids[position]
    users = pl.DataFrame(
        {
            "user_id": user_ids,
            "anonymous_id": [f"device-{number ^ 0x5BD1E995:08x}" for number in numbers],
            "country": pl.Series(country.tolist(), dtype=pl.String),
            "platform": pl.Series(platform.tolist(), dtype=pl.String),
            "language": pl.Series([_LANGUAGES[name] for name in country]),
            "sdk_name": pl.Series([f"demo-{name}-sdk" for name in platform]),
            "sdk_version": pl.Series(sdk_version.tolist(), dtype=pl.String),
            "user_agent": pl.Series(agent.tolist(), dtype=pl.String),
        }
    )
    activity = np.minimum(rng.gamma(1.5, _MEAN_ACTIVITY / 1.5, count) + 0.01, 0.8)
    activity[kind == 1] = _BOT_ACTIVITY
    return Population(
        users=users,
        kind=kind,
        activity=activity,
        appetite=np.minimum(rng.gamma(2.0, 0.5, count), 4.0),
        curiosity=rng.gamma(1.0, 1.0, count),
        spending=np.exp(rng.normal(-0.32, 0.8, count)),
    )


def draw_sessions(
    seed: int, population: Population, first_day: date, days: int, empty_days: Sequence[int]
) -> Sessions:
    """Draw who comes when: at most one session a user and day, its start anywhere in the day.

    Args:
        seed: The world's seed.
        population: The users.
        first_day: For the weekdays.
        days: Length of the world.
        empty_days: Days of the world that nobody's events ever arrive from.
    """
    rng = stream(seed, "sessions")
    weekday = np.array([_WEEKDAY[(first_day.weekday() + day) % 7] for day in range(days)])
    weekday[[day for day in empty_days if day < days]] = 0.0
    coming = rng.random((len(population.activity), days)) < population.activity[:, None] * weekday[None, :]
    user, day = np.nonzero(coming)
    # Whole milliseconds, as trackers write them.
    within = (rng.beta(2.2, 1.8, len(user)) * (DAY - SECOND)).astype(np.int64) // 1_000 * 1_000
    return Sessions(user, day.astype(np.int64) * DAY + within, day.astype(np.int64))


def _pick(rng: np.random.Generator, shares: Mapping[str, float], count: int) -> NDArray[np.object_]:
    names = np.array(list(shares), dtype=object)
    weights = np.array(list(shares.values()))
    chosen: NDArray[np.object_] = names[rng.choice(len(names), size=count, p=weights / weights.sum())]
    return chosen
