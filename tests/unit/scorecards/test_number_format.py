from __future__ import annotations

import pytest

from fairsplit.analysis.scorecards import format as fmt


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.5, "0.500"),
        (0.05, "0.050"),
        (0.01, "0.010"),
        (0.00999, "0.0100"),
        (0.0001, "0.0001"),
        (5e-17, "5.0×10⁻¹⁷"),
        (0.0, "<10⁻³⁰⁰"),
        (None, "–"),
        (float("nan"), "–"),
    ],
)
def test_p_values_are_never_zero_and_never_blank(value, shown):
    assert fmt.p_value(value) == shown


@pytest.mark.parametrize(
    ("value", "half_width", "shown"),
    [
        (0.046, 0.034, "+4.6%"),
        (0.046, 0.0034, "+4.60%"),
        (-0.0461, 0.34, "−4.6%"),
        (0.0, 0.01, "0.0%"),
        (12.5, 3.0, "+1,250.0%"),
        (float("inf"), 1.0, "–"),
    ],
)
def test_per_cent_follows_the_half_width(value, half_width, shown):
    assert fmt.percent(value, signed=True, half_width=half_width) == shown


def test_a_rate_differs_in_points_and_everything_else_in_its_unit():
    assert fmt.amount(0.0088, "", "proportion", signed=True, scale=0.0059) == "+0.88 pp"
    assert fmt.amount(0.18, "USD", "revenue", signed=True, scale=0.2) == "+$0.18"
    assert fmt.amount(1234.5, "s", "duration") == "1,234 s"


def test_negative_zero_has_no_sign():
    assert fmt.plain(-0.0001, 2, signed=True) == "0.00"


@pytest.mark.parametrize(("value", "shown"), [(1.0, ">99.9%"), (0.0, "<0.1%"), (0.5, "50.0%")])
def test_a_probability_never_claims_certainty(value, shown):
    assert fmt.probability(value) == shown
