"""What is really true of each demo experiment: effects on behaviour, and the fault planted in its data.

An effect multiplies one lever of behaviour from the unit's first exposure on. Levers: ``click`` (per
impression), ``cart`` (per session), ``value`` (of an order), ``page_views`` (beyond the first of a session),
``engagement`` (seconds), ``error``, ``signup``. Carts lead to checkouts and purchases in fixed proportions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Lever = Literal["click", "cart", "value", "page_views", "engagement", "error", "signup"]
LEVERS: Final[tuple[Lever, ...]] = ("click", "cart", "value", "page_views", "engagement", "error", "signup")


@dataclass(frozen=True, slots=True)
class Scenario:
    """The truth about one experiment.

    Attributes:
        kind: What it demonstrates, one word or two.
        effects: Multiplier by lever by variant; what is not named is 1.
        novelty_days: The effect fades with this time constant, in days since exposure; none: it lasts.
        surface: Probability that a session reaches the place where the experiment shows.
        relogged: Probability that a later session logs the exposure again.
        lost_exposures: Share of a variant's units whose exposures are never logged.
        lost_platform: The loss is on this platform alone.
        lost_from_day: The loss begins on this day of the world (0 is the first).
        wrong_variant_sdk: SDK version that logs the other variant.
        wrong_variant_share: Share of that version's units whose log is wrong.
        unrendered: Share of a variant's units that never send the activation event.
        anonymous_first: Share of units whose first exposure is logged before they log in.
        late_exposure: Share of units whose exposure is logged at the end of the session, after its outcomes.
        carried_over: Multiplier of page views before the start, by variant: the arms were never alike.
    """

    kind: str
    effects: Mapping[str, Mapping[Lever, float]] = field(default_factory=dict)
    novelty_days: float | None = None
    surface: float = 0.7
    relogged: float = 0.04
    lost_exposures: Mapping[str, float] = field(default_factory=dict)
    lost_platform: str | None = None
    lost_from_day: int = 0
    wrong_variant_sdk: str | None = None
    wrong_variant_share: float = 0.0
    unrendered: Mapping[str, float] = field(default_factory=dict)
    anonymous_first: float = 0.0
    late_exposure: float = 0.0
    carried_over: Mapping[str, float] = field(default_factory=dict)

    def multiplier(self, variant: str, lever: Lever) -> float:
        """The lasting (or initial) effect of a variant on a lever."""
        return self.effects.get(variant, {}).get(lever, 1.0)

    @property
    def has_effect(self) -> bool:
        """Whether any variant changes behaviour."""
        return any(factor != 1.0 for levers in self.effects.values() for factor in levers.values())


SCENARIOS: Final[Mapping[str, Scenario]] = {
    "checkout_cta": Scenario("winner", {"red": {"cart": 1.25}}),
    "shipping_banner": Scenario("loser", {"banner": {"cart": 0.75, "error": 1.1}}),
    "platform_check": Scenario("A/A"),
    "headline_copy": Scenario("three unequal arms", {"short": {"click": 1.3}}),
    "landing_layout": Scenario(
        "factorial",
        {
            "list_photo": {"click": 1.15},
            "grid_drawing": {"click": 1.25},
            "grid_photo": {"click": 1.15 * 1.25},
        },
    ),
    "feed_ranking": Scenario("ratio metric", {"recent": {"click": 1.12}}),
    "onboarding_tips": Scenario("strong pre-period covariate", {"tips": {"page_views": 1.2}}),
    "premium_bundle": Scenario("heavy-tailed revenue", {"bundle": {"value": 1.2}}),
    # Who comes early is keener, and comes while few get the new search: pooling the phases understates the lift.
    "search_rollout": Scenario("ramp with changing weights", {"new_search": {"cart": 1.2}}, relogged=0.0),
    # The same without an effect: pooled, the new arm would look worse, because it came when the keen had come already.
    "delivery_dates": Scenario("ramp over a falling base rate", relogged=0.0),
    "lazy_images": Scenario("SRM in all data", lost_exposures={"lazy": 0.2}),
    "ios_paywall": Scenario(
        "SRM on one platform from day 9",
        {"plain": {"signup": 1.1}},
        lost_exposures={"plain": 0.9},
        lost_platform="ios",
        lost_from_day=9,
    ),
    "guest_checkout": Scenario("crossovers", anonymous_first=0.08, relogged=0.4),
    "recommendations": Scenario(
        "wrong variant logged by one SDK version",
        wrong_variant_sdk="4.1.0",
        wrong_variant_share=0.6,
        relogged=0.0,
    ),
    "profile_redesign": Scenario(
        "one arm's units lost at one step", {"redesign": {"engagement": 1.05}}, unrendered={"redesign": 0.2}
    ),
    "loyalty_points": Scenario("pre-period imbalance", carried_over={"points": 1.5}),
    "badge_notifications": Scenario("novelty effect", {"badges": {"click": 1.5}}, novelty_days=3.0),
    "promo_text": Scenario("hostile text, exposures after outcomes", late_exposure=0.1),
    "signup_form": Scenario("anonymous units", {"short": {"signup": 1.35}}),
    "dark_mode": Scenario("completed", {"dark": {"engagement": 1.1}}, surface=0.5),
    "chat_support": Scenario("paused", surface=0.5),
    # Nobody is exposed twice: a client keeps the arm it first got, whatever the weights become.
    "tile_order": Scenario(
        "bandit",
        {"newest": {"click": 0.9}, "popular": {"click": 1.3}, "mixed": {"click": 1.15}},
        surface=0.3,
        relogged=0.0,
    ),
}
"""By experiment id; an experiment without an entry has exposures and no effect."""


@dataclass(frozen=True, slots=True)
class Together:
    """Two experiments that change each other's effect, and nothing on average.

    Attributes:
        experiments: Each experiment's id with its treatment.
        lever: What the two move together.
        size: Units in both treatments or in both controls do so much more, the others as much less.
    """

    experiments: tuple[tuple[str, str], tuple[str, str]]
    lever: Lever
    size: float


TOGETHER: Final = (Together((("guest_checkout", "guest"), ("promo_text", "promo")), "cart", 0.3),)
