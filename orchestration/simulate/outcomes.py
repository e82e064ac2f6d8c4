"""What people do in their sessions, and what can be expected of them under any arm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from fairsplit.orchestration.simulate.population import DAY, SECOND, SESSION_SECONDS
from fairsplit.orchestration.simulate.randomness import stream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from fairsplit.orchestration.simulate.population import Population, Sessions
    from fairsplit.orchestration.simulate.scenarios import Lever

IMPRESSIONS: Final = 1.2
EXTRA_PAGES: Final = 0.7
CLICK: Final = 0.2
CART: Final = 0.16
CHECKOUT_OF_CART: Final = 0.6
PURCHASE_OF_CHECKOUT: Final = 0.7
ORDER_VALUE: Final = 40.0
ENGAGEMENT_SECONDS: Final = 60.0
BOUNCE: Final = 0.3
ERROR: Final = 0.04
SIGNUP: Final = 0.05
REFUND: Final = 0.08
_BOT_FACTOR: Final = 5.0
_PAGES: Final = ("/", "/search", "/product/4711", "/product/0815", "/cart", "/help", "/profile")


@dataclass(frozen=True, slots=True)
class Rates:
    """What each session can be expected to hold, given everybody's arms; each of shape (sessions,).

    Attributes:
        extra_pages: Mean number of pages beyond the first.
        clicks: Mean number of clicks.
        cart: Probability of putting something into the cart.
        value: Mean value of an order.
        engagement: Mean seconds of engagement.
        error: Probability of an error.
        signup: Probability of a sign-up.
    """

    extra_pages: NDArray[np.float64]
    clicks: NDArray[np.float64]
    cart: NDArray[np.float64]
    value: NDArray[np.float64]
    engagement: NDArray[np.float64]
    error: NDArray[np.float64]
    signup: NDArray[np.float64]

    @property
    def purchase(self) -> NDArray[np.float64]:
        """Probability of a purchase."""
        return self.cart * CHECKOUT_OF_CART * PURCHASE_OF_CHECKOUT


def rates(population: Population, sessions: Sessions, factors: Mapping[Lever, NDArray[np.float64]]) -> Rates:
    """Expected behaviour by session.

    Args:
        population: The users.
        sessions: Their sessions.
        factors: Product of all experiments' multipliers by lever, each of shape (sessions,).
    """
    who = sessions.user
    return Rates(
        extra_pages=EXTRA_PAGES * population.curiosity[who] * factors["page_views"],
        clicks=IMPRESSIONS * CLICK * factors["click"],
        cart=CART * population.appetite[who] * factors["cart"],
        value=ORDER_VALUE * population.spending[who] * factors["value"],
        engagement=ENGAGEMENT_SECONDS * factors["engagement"],
        error=ERROR * factors["error"],
        signup=SIGNUP * factors["signup"],
    )


def draw_outcomes(
    seed: int, population: Population, sessions: Sessions, expected: Rates, days: int
) -> pl.DataFrame:
    """Draw all events but exposures.

    Args:
        seed: The world's seed.
        population: The users.
        sessions: Their sessions.
        expected: Their rates.
        days: Length of the world; refunds beyond it never happen.

    Returns:
        Columns ``session``, ``offset`` (microseconds after the session's start), ``event_name``, ``value``
        and ``url``; sorted by kind of event, then session.
    """
    rng = stream(seed, "outcomes")
    count = len(sessions)
    every = np.arange(count)
    bot = np.where(population.kind[sessions.user] == 1, _BOT_FACTOR, 1.0)
    pages = np.repeat(every, 1 + rng.poisson(expected.extra_pages * bot))
    seen = rng.poisson(IMPRESSIONS * bot, count)
    # Clicks are drawn by impression so that a click never outnumbers what was shown.
    impressions = np.repeat(every, seen)
    chance = np.minimum(expected.clicks / IMPRESSIONS, 1.0)
    clicks = impressions[rng.random(len(impressions)) < chance[impressions]]
    carts = np.flatnonzero(rng.random(count) < np.minimum(expected.cart, 0.98))
    checkouts = carts[rng.random(len(carts)) < CHECKOUT_OF_CART]
    purchases = checkouts[rng.random(len(checkouts)) < PURCHASE_OF_CHECKOUT]
    # Log-normal with mean one: a few orders are twenty times the usual.
    spread = np.exp(rng.normal(-0.5, 1.0, len(purchases)))
    prices = np.round(expected.value[purchases] * spread, 2)
    refunded = rng.random(len(purchases)) < REFUND
    delay = (rng.uniform(1.0, 5.0, len(purchases)) * DAY).astype(np.int64) // 1_000 * 1_000
    refunded &= sessions.start[purchases] + 400 * SECOND + delay < days * DAY
    bounces = np.flatnonzero(rng.random(count) < BOUNCE)
    errors = np.flatnonzero(rng.random(count) < np.minimum(expected.error, 1.0))
    signups = np.flatnonzero(rng.random(count) < np.minimum(expected.signup, 1.0))
    seconds = np.round(rng.gamma(1.2, expected.engagement / 1.2), 1)

    def events(
        name: str, session: NDArray[np.int64], low: int, high: int, value: NDArray[np.float64] | None = None
    ) -> pl.DataFrame:
        offset = rng.integers(low * 1_000, high * 1_000, len(session)) * 1_000
        return pl.DataFrame(
            {
                "session": session,
                "offset": offset,
                "event_name": pl.repeat(name, len(session), eager=True),
                "value": pl.Series(value if value is not None else [None] * len(session), dtype=pl.Float64),
            }
        )

    frames = [
        # The tracker starts once the page with its flags stands, so the exposing session counts as a session.
        events("session_start", every, 3, 5),
        events("page_view", pages, 5, 200),
        events("impression", impressions, 5, 200),
        events("click", clicks, 200, 250),
        events("bounce", bounces, 5, 6),
        events("error", errors, 5, SESSION_SECONDS - 20),
        events("signup", signups, 20, 250),
        events("add_to_cart", carts, 250, 300),
        events("checkout_started", checkouts, 300, 350),
        events("purchase", purchases, 350, 400, prices),
        events("engagement", every, 590, 591, seconds),
    ]
    refunds = events("refund", purchases[refunded], 350, 400, -prices[refunded]).with_columns(
        offset=pl.col("offset") + pl.Series(delay[refunded])
    )
    everything = pl.concat([*frames, refunds])
    pages_seen = pl.Series(_PAGES)[rng.integers(0, len(_PAGES), everything.height)]
    return everything.with_columns(url=pl.when(pl.col("event_name") == "page_view").then(pages_seen))
