"""The lifts that a perfect analysis would find: expectations under each arm, not estimates from the draw."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from fairsplit.orchestration.simulate import outcomes
from fairsplit.orchestration.simulate.exposures import NONE, multipliers
from fairsplit.orchestration.simulate.population import DAY
from fairsplit.orchestration.simulate.scenarios import LEVERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from fairsplit.analysis.catalogue.metrics import MetricDefinition

    Array = NDArray[np.float64]

    from fairsplit.orchestration.simulate.exposures import Exposures
    from fairsplit.orchestration.simulate.outcomes import Rates
    from fairsplit.orchestration.simulate.population import Population, Sessions
    from fairsplit.orchestration.simulate.scenarios import Lever, Scenario

_RATE_OF_LEVER: Final[Mapping[Lever, str]] = {
    "click": "clicks",
    "cart": "cart",
    "value": "value",
    "page_views": "extra_pages",
    "engagement": "engagement",
    "error": "error",
    "signup": "signup",
}
# Mean of a unit's sum: (what one session adds, what one session adds to the denominator or none).
_SUMS: Final[Mapping[str, tuple[Callable[[Rates], Array], Callable[[Rates], Array] | None]]] = {
    "clicks_per_user": (lambda r: r.clicks, None),
    "impressions_per_user": (lambda r: np.full(len(r.cart), outcomes.IMPRESSIONS), None),
    "page_views_per_user": (lambda r: 1 + r.extra_pages, None),
    "sessions_per_user": (lambda r: np.ones(len(r.cart)), None),
    "purchases_per_user": (lambda r: r.purchase, None),
    "errors_per_user": (lambda r: r.error, None),
    "revenue_per_user": (lambda r: r.purchase * r.value, None),
    "engagement_time": (lambda r: r.engagement, None),
    "ctr": (lambda r: r.clicks, lambda r: np.full(len(r.cart), outcomes.IMPRESSIONS)),
    "revenue_per_conversion": (lambda r: r.purchase * r.value, lambda r: r.purchase),
    "average_order_value": (lambda r: r.purchase * r.value, lambda r: r.purchase),
    "errors_per_page_view": (lambda r: r.error, lambda r: 1 + r.extra_pages),
    "bounce_rate": (lambda r: np.full(len(r.cart), outcomes.BOUNCE), lambda r: np.ones(len(r.cart))),
}
# Probability that a unit has any: the probability that one session has any.
_SHARES: Final[Mapping[str, Callable[[Rates], Array]]] = {
    "checkout_conversion": lambda r: r.purchase,
    "purchase_conversion_1d": lambda r: r.purchase,
    "checkout_funnel": lambda r: r.purchase,
    "add_to_cart_conversion": lambda r: r.cart,
    "click_conversion": lambda r: 1 - np.exp(-r.clicks),
    "signup_conversion": lambda r: r.signup,
    "error_rate": lambda r: r.error,
}


@dataclass(frozen=True, slots=True)
class Question:
    """Everything that a true lift depends on.

    Attributes:
        population: The users; only people count, bots and employees are filtered out.
        sessions: Their sessions.
        expected: Rates with everybody in their own arms.
        days: Length of the world.
    """

    population: Population
    sessions: Sessions
    expected: Rates
    days: int


def true_lifts(
    question: Question,
    exposures: Exposures,
    scenario: Scenario,
    control: str,
    metrics: Mapping[str, MetricDefinition],
) -> dict[str, dict[str, float | None]]:
    """The true relative lift of each variant on each metric.

    Args:
        question: The world.
        exposures: The experiment's exposures.
        scenario: The experiment's truth.
        control: The control variant.
        metrics: The experiment's metrics with their windows.

    Returns:
        ``{metric: {variant: lift}}`` without the control; none where the world knows no formula (quantiles
        and times) and the experiment has an effect.
    """
    worlds = {variant: _as_if(question, exposures, scenario, variant) for variant in exposures.variants}
    return {
        name: {
            variant: _lift(question, exposures, scenario, metric, worlds[variant], worlds[control])
            for variant in exposures.variants
            if variant != control
        }
        for name, metric in metrics.items()
    }


def _lift(
    question: Question,
    exposures: Exposures,
    scenario: Scenario,
    metric: MetricDefinition,
    treated: Rates,
    control: Rates,
) -> float | None:
    if not scenario.has_effect:
        return 0.0
    if metric.name in _SUMS:
        numerator, denominator = _SUMS[metric.name]
        inside = _window(question, exposures, metric)
        if not inside.any():
            return None
        ratio = numerator(treated)[inside].sum() / numerator(control)[inside].sum()
        if denominator is not None:
            ratio *= denominator(control)[inside].sum() / denominator(treated)[inside].sum()
        return float(ratio - 1)
    if metric.name in _SHARES:
        inside = _window(question, exposures, metric)
        if not inside.any():
            return None
        return float(
            _share(question, inside, _SHARES[metric.name](treated))
            / _share(question, inside, _SHARES[metric.name](control))
            - 1
        )
    return 0.0 if metric.kind == "retention" else None


def _share(question: Question, inside: NDArray[np.bool_], probability: NDArray[np.float64]) -> float:
    never = np.zeros(len(question.population.kind))
    np.add.at(never, question.sessions.user[inside], np.log1p(-np.minimum(probability[inside], 0.98)))
    return float(-np.expm1(never).sum())


def _window(question: Question, exposures: Exposures, metric: MetricDefinition) -> NDArray[np.bool_]:
    """Sessions of people whose window closes inside the world and holds them."""
    end = question.days * DAY
    who = question.sessions.user
    effective = exposures.effective[who]
    begin = exposures.exposed_at[who] + _microseconds(metric.window_start)
    close = end if metric.window_end is None else exposures.exposed_at[who] + _microseconds(metric.window_end)
    counts = (exposures.first[who] != NONE) & (question.population.kind[who] == 0)
    # The exposing session itself counts, unless the exposure was logged at its end.
    index = np.arange(len(who))
    inside = (index >= effective) & (question.sessions.start < close)
    if metric.window_start > timedelta(0):
        inside &= question.sessions.start >= begin
    return np.asarray(counts & inside & (np.asarray(close) <= end))


def _as_if(question: Question, exposures: Exposures, scenario: Scenario, variant: str) -> Rates:
    """The rates if every exposed unit lived in one arm, all other experiments as they are."""
    changed: dict[str, NDArray[np.float64]] = {}
    for lever in LEVERS:
        own = multipliers(exposures, scenario, lever, question.sessions)
        if own is None:
            continue
        forced = multipliers(exposures, scenario, lever, question.sessions, variant)
        name = _RATE_OF_LEVER[lever]
        changed[name] = getattr(question.expected, name) * (own if forced is None else forced) / own
    return replace(question.expected, **changed)


def _microseconds(duration: timedelta) -> int:
    return duration // timedelta(microseconds=1)
