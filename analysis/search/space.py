"""The space of a search: parameters of a variant's config as coordinates in [0, 1], and back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairsplit.analysis.statistics.checks import FloatArray


@dataclass(frozen=True, slots=True)
class Axis:
    """One parameter.

    Attributes:
        name: The key of the config that it is.
        choices: Its values, where they have no order; empty for a range.
        low: Least value of a range.
        high: Largest value of a range.
        step: Distance of neighbours; none for any number.
        is_whole: Whether the values are whole numbers.
        is_log: Whether equal ratios are equal distances.
    """

    name: str
    choices: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 1.0
    step: float | None = None
    is_whole: bool = False
    is_log: bool = False

    def value(self, share: float) -> Any:
        """The parameter at a coordinate, on its grid."""
        if self.choices:
            return self.choices[min(int(share * len(self.choices)), len(self.choices) - 1)]
        if self.is_log:
            number = self.low * math.exp(share * math.log(self.high / self.low))
        else:
            number = self.low + share * (self.high - self.low)
        if self.step is not None:
            number = self.low + round((number - self.low) / self.step) * self.step
            number = number - self.step if number > self.high * (1 + 1e-12) else number
        # Twelve digits: a grid of tenths has no 0.30000000000000004.
        return round(number) if self.is_whole else float(f"{number:.12g}")

    def share(self, value: Any) -> float:
        """The coordinate of a value: of a choice the middle of its part."""
        if self.choices:
            return (self.choices.index(value) + 0.5) / len(self.choices)
        if self.is_log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return float((value - self.low) / (self.high - self.low))

    def holds(self, value: Any) -> bool:
        """Whether a value lies in the range, or is one of the choices."""
        if self.choices:
            return any(value == one and isinstance(value, type(one)) for one in self.choices)
        return (
            isinstance(value, int | float) and not isinstance(value, bool) and self.low <= value <= self.high
        )


@dataclass(frozen=True, slots=True)
class Space:
    """Parameters in the order of the definition."""

    axes: tuple[Axis, ...]

    def point(self, config: Mapping[str, Any]) -> FloatArray:
        """Coordinates of a config; shape (axes,)."""
        return np.array([axis.share(config[axis.name]) for axis in self.axes])

    def config(self, point: FloatArray) -> dict[str, Any]:
        """The parameters at a point, on their grids."""
        return {axis.name: axis.value(float(share)) for axis, share in zip(self.axes, point, strict=True)}

    def on_grid(self, points: FloatArray) -> FloatArray:
        """The same points where their parameters can be; shape (points, axes)."""
        return np.array([self.point(self.config(point)) for point in points]).reshape(-1, len(self.axes))

    def features(self, points: FloatArray) -> tuple[FloatArray, np.ndarray[Any, Any]]:
        """Points as distances see them, and which axis each column belongs to.

        A range is its coordinate; a choice is one column for each value, so that any two of them are equally far
        apart, at the distance 1.

        Args:
            points: Shape (points, axes).

        Returns:
            Features of shape (points, columns) and axes of shape (columns,).
        """
        columns, owner = [], []
        for number, axis in enumerate(self.axes):
            shares = points[:, number]
            if axis.choices:
                chosen = np.minimum((shares * len(axis.choices)).astype(int), len(axis.choices) - 1)
                columns += [(chosen == one) / math.sqrt(2) for one in range(len(axis.choices))]
                owner += [number] * len(axis.choices)
            else:
                columns.append(shares)
                owner.append(number)
        return np.column_stack(columns), np.array(owner)
