from __future__ import annotations

import numpy as np
import pytest

from fairsplit.analysis.statistics import checks
from fairsplit.analysis.statistics.checks import InputError
from fairsplit.analysis.statistics.status import Reason, blank, combined, names, reasons


@pytest.mark.parametrize(
    ("function", "value", "code"),
    [
        (checks.as_floats, [1.0, float("nan")], "not_finite"),
        (checks.as_floats, [1.0, float("inf")], "not_finite"),
        (checks.as_floats, True, "not_a_number"),
        (checks.as_floats, [1.0, True], "not_a_number"),
        (checks.as_floats, np.array([True]), "not_a_number"),
        (checks.as_floats, np.array([1, True], dtype=object), "not_a_number"),
        (checks.as_floats, "1", "not_a_number"),
        (checks.as_floats, None, "not_a_number"),
        (checks.as_floats, 1 + 2j, "not_a_number"),
        (checks.as_floats, [[1.0], [1.0, 2.0]], "ragged"),
        (checks.as_counts, -1, "negative"),
        (checks.as_counts, 1.5, "not_whole"),
        (checks.as_counts, 2.0**54, "out_of_range"),
        (checks.as_non_negative, -1e-300, "negative"),
        (checks.as_positive, 0, "out_of_range"),
        (checks.as_rates, 1.0000001, "out_of_range"),
        (checks.as_level, 0, "out_of_range"),
        (checks.as_level, 1, "out_of_range"),
        (checks.as_level, 5, "out_of_range"),
    ],
)
def test_impossible_arguments_are_refused_with_a_code(function: object, value: object, code: str) -> None:
    with pytest.raises(InputError) as caught:
        function(value, "x")  # type: ignore[operator]
    assert caught.value.code == code
    assert str(caught.value).startswith("x: ")


def test_the_message_tells_the_place_of_the_first_bad_value() -> None:
    with pytest.raises(InputError, match=r"nan at position \(1, 0\)"):
        checks.as_floats([[1.0, 2.0], [float("nan"), 3.0]], "mean")


def test_choices_and_shapes_are_named_in_the_message() -> None:
    with pytest.raises(InputError, match="one of two-sided, less"):
        checks.as_choice("both", "alternative", ("two-sided", "less"))
    with pytest.raises(InputError, match=r"x \(2,\), n \(3,\)"):
        checks.together({"x": np.zeros(2), "n": np.zeros(3)})
    with pytest.raises(InputError, match="more successes than trials"):
        checks.as_successes(3, 2, "x", "n")


def test_the_first_reason_wins_and_blanks_every_number() -> None:
    n = np.array([0, 1, 5])
    status = reasons(n.shape, [(n == 0, Reason.NO_EXPOSURE), (n < 2, Reason.INSUFFICIENT_SAMPLE)])
    assert names(status).tolist() == ["no_exposure", "insufficient_sample", "ok"]
    assert np.isnan(blank(status, np.ones((3, 2)))).tolist() == [[True, True], [True, True], [False, False]]
    later = np.full(3, Reason.ZERO_VARIANCE, dtype=np.int8)
    assert names(combined(status, later)).tolist() == ["no_exposure", "insufficient_sample", "zero_variance"]
