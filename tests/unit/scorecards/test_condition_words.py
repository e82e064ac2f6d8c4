"""Conditions and behaviours in words: each test and measure once, and how they combine."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from fairsplit.analysis.catalogue.behaviour import Behaviour, Measure
from fairsplit.analysis.catalogue.conditions import OPERATORS, Condition
from fairsplit.analysis.scorecards.conditions import behaviour_words, condition_words

NAMES = {"na": "North America"}
US = {"attribute": "country", "equals": "US"}
TESTS: list[tuple[dict[str, Any], str]] = [
    ({"in": ["US", "CA", 3.0]}, "x is US, CA or 3"),
    ({"in": [True]}, "x is true"),
    ({"not_in": ["US", "CA"]}, "x is not US nor CA"),
    ({"equals": "pro"}, "x is pro"),
    ({"not_equals": "pro"}, "x is not pro"),
    ({"gt": 0}, "x is more than 0"),
    ({"gte": 1.5}, "x is at least 1.5"),
    ({"lt": -1}, "x is less than -1"),
    ({"lte": 0}, "x is at most 0"),
    ({"between": [0, 10]}, "x is from 0 to 10"),
    ({"matches": "@example"}, "x contains a match of @example"),
    ({"not_matches": "@example"}, "x contains no match of @example"),
    ({"semver_equals": "2.1"}, "x is version 2.1"),
    ({"semver_gt": "2.1"}, "x is a later version than 2.1"),
    ({"semver_gte": "2.1"}, "x is at least version 2.1"),
    ({"semver_lt": "2.1"}, "x is an earlier version than 2.1"),
    ({"semver_lte": "2.1"}, "x is at most version 2.1"),
    ({"is_null": True}, "x is not known"),
    ({"is_null": False}, "x is known"),
]


@pytest.mark.parametrize(("test", "words"), TESTS)
def test_a_test_of_an_attribute(test: dict[str, Any], words: str) -> None:
    assert condition_words(Condition.model_validate({"attribute": "x"} | test), {}) == words


def test_every_operator_has_its_words() -> None:
    assert {operator for test, _ in TESTS for operator in test} == set(OPERATORS)


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"segment": "na"}, "in “North America”"),
        ({"not": {"segment": "na"}}, "not in “North America”"),
        ({"not": US}, "not (country is US)"),
        ({"all": [US]}, "country is US"),
        ({"all": [US, {"segment": "na"}]}, "country is US and in “North America”"),
        (
            {"any": [{"all": [US, {"not": {"any": [US, US]}}]}, {"all": [US]}]},
            "(country is US and not (country is US or country is US)) or country is US",
        ),
        (
            {"within": {"latitude": [-20, -12.5], "longitude": [177, -178]}},
            "within latitude -20° to -12.5° and longitude 177° to -178°",
        ),
        ({"when": {"hours": [22, 6], "weekdays": ["mon", "fri"]}}, "from 22:00 to 06:00, on Mon or Fri (UTC time)"),
        (
            {"when": {"zone": "Europe/Berlin", "from": "2026-01-05", "until": "2026-02-01", "weekdays": ["fri"]}},
            "from 2026-01-05 on, before 2026-02-01, on Fri (Europe/Berlin time)",
        ),
        (
            {"when": {"months": [1, 12], "seasons": ["summer"], "hemisphere": "south", "holidays": ["DE"]}},
            "in January or December, in summer of the south, on public holidays of DE (UTC time)",
        ),
    ],
)  # fmt: skip
def test_how_conditions_combine(tree: dict[str, Any], words: str) -> None:
    assert condition_words(Condition.model_validate(tree), NAMES) == words


RULES: list[tuple[dict[str, Any], str]] = [
    ({"measure": "count", "gte": 3}, "at least 3 events"),
    ({"measure": "days", "event": "visit", "between": [2, 4]}, "“visit” events on 2 to 4 days"),
    ({"measure": "value", "event": "purchase", "gt": 9.5}, "values of “purchase” events that sum to more than 9.5"),
    ({"measure": "recency", "event": "visit", "lt": 7}, "the last of “visit” events less than 7 days ago"),
    ({"measure": "distinct", "of": "url", "lte": 2}, "at most 2 different values of url in events"),
    ({"measure": "top", "of": "properties.topic", "in": ["art", "food"]}, "topic most often art or food in events"),
    (
        {"measure": "level", "levels": [10, 40], "in": ["high"]},
        "a high level of events (medium from 10, high from 40)",
    ),
    ({"measure": "sessions", "event": "visit", "gte": 1}, "at least 1 sessions with “visit” events"),
    ({"measure": "session_events", "gt": 2}, "more than 2 events in a session on average"),
    ({"measure": "session_minutes", "lt": 1}, "less than 1 minutes a session with events on average"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "words"), RULES)
def test_a_rule_of_a_behaviour(rule: dict[str, Any], words: str) -> None:
    behaviour = Behaviour.model_validate({"days": 14, "any": [rule]})
    assert behaviour_words(behaviour) == f"in the last 14 days: {words}"


def test_every_measure_has_its_words() -> None:
    assert {rule["measure"] for rule, _ in RULES} == set(get_args(Measure))


def test_rules_combine_and_what_is_only_exported_asks_nothing() -> None:
    rules = [{"gte": 3}, {"measure": "recency", "as": "since"}, {"measure": "days", "gte": 2}]
    for form, word in (("all", "and"), ("any", "or")):
        behaviour = Behaviour.model_validate({"days": 7, form: rules})
        assert (
            behaviour_words(behaviour)
            == f"in the last 7 days: at least 3 events {word} events on at least 2 days"
        )
