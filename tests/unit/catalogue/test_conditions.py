from __future__ import annotations

import itertools
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairsplit.analysis.catalogue.conditions import Condition, as_text, condition_faults, evaluate


def condition(data) -> Condition:
    return Condition.model_validate(data, by_alias=True, by_name=False)


@pytest.mark.parametrize(
    ("test", "value", "expected"),
    [
        ({"in": ["US", "CA"]}, "CA", True),
        ({"in": ["US", "CA"]}, "ca", False),
        ({"in": [1, True]}, "true", True),
        ({"in": [3]}, 3.0, True),
        ({"not_in": ["US"]}, "DE", True),
        ({"not_in": ["US"]}, None, None),
        ({"equals": "7"}, 7, True),
        ({"not_equals": "7"}, 8, True),
        ({"gt": 3}, 3, False),
        ({"gte": 3}, 3, True),
        ({"lt": 3}, 2.5, True),
        ({"lte": 3}, "2", None),
        ({"gt": 0}, True, None),
        ({"between": [1, 2]}, 2, True),
        ({"between": [1, 2]}, 2.01, False),
        ({"matches": "^Mob"}, "Mobile", True),
        ({"matches": "bil"}, "Mobile", True),
        ({"not_matches": "^mob"}, "Mobile", True),
        ({"semver_gte": "2.9.0"}, "2.10.0", True),
        ({"semver_gt": "1.0.0-alpha.1"}, "1.0.0-alpha.beta", True),
        ({"semver_lt": "1.0.0"}, "1.0.0-rc.1", True),
        ({"semver_lte": "1.0"}, "1.0.0+build", True),
        ({"semver_equals": "v1.2.3"}, "1.2.3", True),
        ({"semver_gt": "1.0.0"}, "one", None),
        ({"is_null": True}, None, True),
        ({"is_null": True}, "", False),
        ({"is_null": False}, 0, True),
    ],
)
def test_operators(test, value, expected):
    assert evaluate(condition({"attribute": "x", **test}), {"x": value}) is expected


def test_a_missing_attribute_is_unknown_and_so_is_its_negation():
    inner = {"attribute": "country", "in": ["US"]}
    assert evaluate(condition(inner), {}) is None
    assert evaluate(condition({"not": inner}), {}) is None


# Kleene's strong three-valued logic, written out: https://plato.stanford.edu/entries/logic-manyvalued/
AND = {
    (True, True): True,
    (True, None): None,
    (True, False): False,
    (None, None): None,
    (None, False): False,
    (False, False): False,
}
PARTS = {
    True: {"attribute": "a", "equals": 1},
    False: {"attribute": "a", "equals": 2},
    None: {"attribute": "missing", "equals": 1},
}


@pytest.mark.parametrize(("left", "right"), list(itertools.product([True, False, None], repeat=2)))
def test_all_and_any_follow_kleene(left, right):
    expected = AND.get((left, right), AND.get((right, left)))
    parts = [PARTS[left], PARTS[right]]
    assert evaluate(condition({"all": parts}), {"a": 1}) is expected
    negated = [{"not": part} for part in parts]
    mirrored = evaluate(condition({"not": {"any": negated}}), {"a": 1})
    assert mirrored is expected


def test_a_named_segment_stands_for_its_condition():
    named = {"nordic": condition({"attribute": "country", "in": ["NO", "SE"]})}
    assert evaluate(condition({"not": {"segment": "nordic"}}), {"country": "DE"}, named) is True


def test_no_condition_lets_everybody_in():
    assert evaluate(None, {}) is True


@given(st.text(), st.sampled_from(["(a+)+$", "(x|xx)*y", "[^<]*>"]))
def test_a_hostile_value_is_only_text(text, pattern):
    assert evaluate(condition({"attribute": "x", "matches": pattern}), {"x": text}) in {True, False}


def test_a_pattern_that_backtracks_elsewhere_answers_at_once():
    assert evaluate(condition({"attribute": "x", "matches": "(a+)+$"}), {"x": "a" * 50_000 + "!"}) is False


@pytest.mark.parametrize(
    ("value", "text"),
    [  # What eppo-server-sdk 4.4.1 matches its patterns against.
        (5.0, "5"),
        (1e-7, "0.0000001"),
        (1e16, "10000000000000000"),
        (1e300, "1" + "0" * 300),
        (12345678901234567890, "12345678901234567000"),
        (True, "true"),
    ],
)
def test_numbers_read_as_text_the_way_the_sdk_writes_them(value, text) -> None:
    assert as_text(value) == text


FIJI = {"within": {"latitude": [-21, -12], "longitude": [176, -178]}}


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ({"latitude": -18.14, "longitude": 178.44}, True),  # Suva
        ({"latitude": -16.8, "longitude": -179.97}, True),  # Taveuni, east of the antimeridian
        ({"latitude": -13.83, "longitude": -171.77}, False),  # Apia
        ({"latitude": -36.85, "longitude": 178}, False),  # the latitude settles it
        ({"latitude": -18.14}, None),
        ({"latitude": 48.2}, False),
    ],
)
def test_a_box_may_lie_over_the_antimeridian(place, expected):
    assert evaluate(condition(FIJI), place) is expected


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"latitude": [10, -10]}, (("within", "latitude"), "the bounds are reversed", "10, -10")),
        ({"latitude": [-91, 10]}, (("within", "latitude"), "is not on the map", "-91, 10")),
        ({"longitude": [0, 181]}, (("within", "longitude"), "is not on the map", "0, 181")),
    ],
)
def test_a_box_that_is_none_is_refused(change, fault):
    box = condition({"within": FIJI["within"] | change})
    assert [found[:3] for found in condition_faults(box, (), ())] == [fault]


@pytest.mark.parametrize(
    ("when", "instant", "expected"),
    [
        ({"zone": "Europe/Berlin", "hours": [9, 17]}, "2026-07-01T07:00", True),  # 09:00 in summer
        ({"zone": "Europe/Berlin", "hours": [9, 17]}, "2026-01-07T07:59", False),  # 08:59 in winter
        ({"hours": [22, 6]}, "2026-01-07T23:30", True),
        ({"hours": [22, 6]}, "2026-01-07T06:00", False),
        ({"zone": "Pacific/Auckland", "weekdays": ["mon"]}, "2026-01-04T12:00", True),  # 01:00 on Monday
        ({"from": "2026-02-28", "until": "2026-03-01"}, "2026-02-28T23:59", True),
        ({"from": "2026-02-28", "until": "2026-03-01"}, "2026-03-01T00:00", False),
        ({"months": [12]}, "2026-12-31T23:59", True),
        ({"seasons": ["winter"]}, "2026-02-28T12:00", True),
        ({"seasons": ["winter"], "hemisphere": "south"}, "2026-08-31T12:00", True),
        ({"seasons": ["winter"], "hemisphere": "south"}, "2026-09-01T12:00", False),
        ({"holidays": ["DE"]}, "2026-04-03T12:00", True),  # Good Friday
        ({"holidays": ["US"]}, "2026-11-26T12:00", True),  # Thanksgiving
        ({"holidays": ["DE"]}, "2026-11-01T12:00", False),
        ({"holidays": ["DE-BY"]}, "2026-11-01T12:00", True),  # All Saints' Day, in Bavaria alone
        ({"holidays": ["DE"]}, "2051-01-01T12:00", None),
    ],
)
def test_times_are_local_to_their_zone(when, instant, expected):
    assert evaluate(condition({"when": when}), {}, at=datetime.fromisoformat(instant)) is expected


def test_without_an_instant_the_time_is_unknown():
    assert evaluate(condition({"not": {"when": {"hours": [9, 17]}}}), {}) is None


@pytest.mark.parametrize(
    ("when", "fault"),
    [
        ({"zone": "UTC"}, "a time says nothing"),
        ({"from": "2026-03-01", "until": "2026-03-01"}, "the dates are reversed"),
        ({"hours": [9, 9]}, "the hours are empty"),
        ({"holidays": ["ZZ"]}, "unknown country or part"),
    ],
)
def test_a_time_that_is_none_is_refused(when, fault):
    assert [found[1] for found in condition_faults(condition({"when": when}), (), ())] == [fault]
