"""The formula of a comparison with the numbers in it, computed anew from the exact sums."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.parts.installed import is_custom

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Published floats and exact fractions differ by rounding only.
_RELATIVE_TOLERANCE = 1e-9

_READ_BY_VALUES = {
    "percentile": "the quantile of each arm's unit values, compared by their distribution",
    "mann_whitney": "the ranks of all unit values, zeros included",
    "kolmogorov_smirnov": "the largest gap between the arms' distributions",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the calculation.

    Attributes:
        name: What is computed.
        formula: With the numbers in it.
        value: The result from the exact sums.
        published: The published number; none where none is published.
    """

    name: str
    formula: str
    value: float
    published: float | None = None

    @property
    def agrees(self) -> bool:
        """Whether the published number is the computed one, but for rounding."""
        return self.published is None or math.isclose(
            self.value, self.published, rel_tol=_RELATIVE_TOLERANCE, abs_tol=1e-12
        )


@dataclass(frozen=True, slots=True)
class _Arm:
    n: int
    sums: Mapping[str, Any]
    scales: Mapping[str, int]

    def mean(self, letter: str) -> Fraction:
        return Fraction(self.sums[f"sum_{letter}"], self.n * self.scales[letter])

    def cross(self, one: str, other: str) -> Fraction:
        """Centred sum of products, in real units."""
        both = Fraction(self.sums[f"sum_{one}{other}"], self.scales[one] * self.scales[other])
        return both - self.n * self.mean(one) * self.mean(other)

    def covariance(self, one: str, other: str) -> Fraction:
        return self.cross(one, other) / (self.n - 1)


def arm_steps(statistics: Mapping[str, Any], row: Mapping[str, Any], kind: str) -> list[Step]:
    """Total and mean of one arm, beside the published ones.

    Args:
        statistics: Its row of `fct_sufficient_statistics`.
        row: Its row of `results.comparisons`.
        kind: Of the metric: the value of a quantile or of a custom statistic is no mean.
    """
    arm = _arm(statistics)
    if arm.n == 0 or statistics["sum_y"] is None:
        return []
    scale = arm.scales["y"]
    total = Fraction(statistics["sum_y"], scale)
    steps = [Step("total", f"{statistics['sum_y']} / {scale}", float(total), row["total"])]
    if statistics["sum_d"]:
        denominator = Fraction(statistics["sum_d"], arm.scales["d"])
        steps.append(
            Step(
                "mean",
                f"{number_text(total)} / {number_text(denominator)}",
                float(total / denominator),
                row["mean"],
            )
        )
    elif statistics["sum_d"] is None and kind not in {"percentile", "custom"}:
        steps.append(Step("mean", f"{number_text(total)} / {arm.n}", float(arm.mean("y")), row["mean"]))
    return steps


def comparison_steps(
    control: Mapping[str, Any], treatment: Mapping[str, Any], row: Mapping[str, Any]
) -> list[Step]:
    """The difference, its standard error and the lift of one treatment, as the published method computes them.

    Args:
        control: The control's row of `fct_sufficient_statistics`.
        treatment: The treatment's.
        row: The treatment's row of `results.comparisons`, with the method.

    Returns:
        Steps in order; empty for methods that read every value and for rows without numbers.
    """
    method = row["method"]
    c, t = _arm(control), _arm(treatment)
    if row["status"] != "ok" or method_in_words(method) or min(c.n, t.n) < 2:
        return []
    if method in ("ratio_delta", "ratio_cuped"):
        return _ratio(c, t, row, adjusted=method == "ratio_cuped")
    if method == "cuped":
        return _cuped(c, t, row)
    return _difference(c, t, row)


def method_in_words(method: str | None) -> str:
    """What a method that has no formula over sums reads; empty for the others."""
    if is_custom(method or ""):
        return f"how often each value occurs among the units of each arm, by the custom part {method}"
    return _READ_BY_VALUES.get(method or "", "")


def _difference(c: _Arm, t: _Arm, row: Mapping[str, Any]) -> list[Step]:
    mean_c, mean_t = c.mean("y"), t.mean("y")
    steps = [
        Step(
            "difference",
            f"{number_text(mean_t)} - {number_text(mean_c)}",
            float(mean_t - mean_c),
            row["lift_abs"],
        ),
        *_lift(mean_t - mean_c, mean_c, row),
    ]
    if row["method"] == "welch":
        steps.append(_welch_error(c.covariance("y", "y"), c.n, t.covariance("y", "y"), t.n, row))
    return steps


def _ratio(c: _Arm, t: _Arm, row: Mapping[str, Any], *, adjusted: bool) -> list[Step]:
    ratio_c, ratio_t = (arm.mean("y") / arm.mean("d") for arm in (c, t))
    if adjusted:
        # The published difference is of the adjusted ratios; here the unadjusted one is shown.
        return [
            Step(
                "difference before adjustment",
                f"{number_text(ratio_t)} - {number_text(ratio_c)}",
                float(ratio_t - ratio_c),
            )
        ]
    return [
        Step(
            "difference",
            f"{number_text(ratio_t)} - {number_text(ratio_c)}",
            float(ratio_t - ratio_c),
            row["lift_abs"],
        ),
        *_lift(ratio_t - ratio_c, ratio_c, row),
        _welch_error(_ratio_variance(c, ratio_c), c.n, _ratio_variance(t, ratio_t), t.n, row),
    ]


def _ratio_variance(arm: _Arm, ratio: Fraction) -> Fraction:
    """Delta method: variance of (y - R d) / mean(d)."""
    spread = arm.covariance("y", "y") - 2 * ratio * arm.covariance("y", "d")
    return (spread + ratio * ratio * arm.covariance("d", "d")) / arm.mean("d") ** 2


def _cuped(c: _Arm, t: _Arm, row: Mapping[str, Any]) -> list[Step]:
    xx = c.cross("x", "x") + t.cross("x", "x")
    if xx == 0:
        return _difference(c, t, row)
    xy = c.cross("y", "x") + t.cross("y", "x")
    theta = xy / xx
    plain, gap = t.mean("y") - c.mean("y"), t.mean("x") - c.mean("x")
    return [
        Step("theta", f"{number_text(xy)} / {number_text(xx)}", float(theta)),
        Step(
            "difference",
            f"({number_text(t.mean('y'))} - {number_text(c.mean('y'))})"
            f" - {number_text(theta)} x ({number_text(t.mean('x'))} - {number_text(c.mean('x'))})",
            float(plain - theta * gap),
            row["lift_abs"],
        ),
        *_lift(plain - theta * gap, c.mean("y"), row),
    ]


def _lift(difference: Fraction, base: Fraction, row: Mapping[str, Any]) -> list[Step]:
    if base == 0 or row["lift_rel"] is None:
        return []
    return [
        Step(
            "relative lift",
            f"{number_text(difference)} / {number_text(abs(base))}",
            float(difference / abs(base)),
            row["lift_rel"],
        )
    ]


def _welch_error(var_c: Fraction, n_c: int, var_t: Fraction, n_t: int, row: Mapping[str, Any]) -> Step:
    return Step(
        "standard error",
        f"sqrt({number_text(var_t)} / {n_t} + {number_text(var_c)} / {n_c})",
        math.sqrt(var_t / n_t + var_c / n_c),
        row["lift_std_error"],
    )


def _arm(row: Mapping[str, Any]) -> _Arm:
    y, d = row["scale_y"], row["scale_d"] or 1
    return _Arm(row["n"], row, {"y": y, "x": y, "d": d, "w": d})


def number_text(value: Fraction) -> str:
    """A number as steps of a calculation show it."""
    return f"{float(value):.10g}"
