"""A stratified comparison computed anew: from the exact sums of each phase, weighted by the phase's units."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.judgement.strata import LEAST_UNITS
from fairsplit.orchestration.reading.formula import Step, number_text
from fairsplit.orchestration.reading.results import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    import duckdb

Row = dict[str, Any]

_BY_PHASE = """
    select
        i.phase, i.variant_id,
        sum(sign * i.n)::bigint as n, sum(sign * i.sum_y)::hugeint as sum_y, sum(sign * i.sum_yy)::hugeint as sum_yy,
        sum(sign * i.sum_d)::hugeint as sum_d, sum(sign * i.sum_yd)::hugeint as sum_yd,
        sum(sign * i.sum_dd)::hugeint as sum_dd
    from int_increments as i
    inner join (values ('entered', 1), ('crossed', -1)) as parts (part, sign) using (part)
    where i.experiment_id = $e and i.metric = $m and i.day <= $d and (i.part = 'entered' or $excluded)
    group by i.phase, i.variant_id
    order by i.phase, i.variant_id
"""


@dataclass(frozen=True, slots=True)
class _Cell:
    """One arm in one stratum, in real units; `bottom` holds Σd, Σyd and Σdd of a ratio."""

    n: int
    y: Fraction
    yy: Fraction
    bottom: tuple[Fraction, Fraction, Fraction] | None

    @property
    def value(self) -> Fraction:
        """The cell's own mean, or ratio; 0 where a ratio has no denominator."""
        bottom = Fraction(self.n) if self.bottom is None else self.bottom[0]
        return self.y / bottom if bottom else Fraction(0)

    def variance(self, mean: _Mean) -> Fraction:
        """Of a unit's value, of a ratio linearised about the ratio over all strata."""
        squares, total = self.yy, self.y
        if self.bottom is not None:
            d, yd, dd = self.bottom
            squares += mean.value * (mean.value * dd - 2 * yd)
            total -= mean.value * d
        return (squares - total * total / self.n) / (self.n - 1) / mean.bottom**2


@dataclass(frozen=True, slots=True)
class _Stratum:
    """Two arms in phases of one split; `share` is that of their units."""

    phases: str
    share: Fraction
    control: _Cell
    treatment: _Cell

    @property
    def arms(self) -> tuple[_Cell, _Cell]:
        return self.control, self.treatment


@dataclass(frozen=True, slots=True)
class _Mean:
    """An arm's mean or ratio over its strata; `bottom` is the mean denominator, 1 where there is none."""

    value: Fraction
    bottom: Fraction
    text: str

    @classmethod
    def over(cls, parts: Sequence[tuple[Fraction, _Cell]]) -> _Mean:
        def sum_of(tops: Sequence[Fraction]) -> tuple[Fraction, str]:
            value = sum((w * top / cell.n for (w, cell), top in zip(parts, tops, strict=True)), Fraction(0))
            words = " + ".join(
                f"{number_text(w)} x {number_text(top)} / {cell.n}"
                for (w, cell), top in zip(parts, tops, strict=True)
            )
            return value, words

        top, text = sum_of([cell.y for _, cell in parts])
        bottoms = [cell.bottom[0] for _, cell in parts if cell.bottom is not None]
        if not bottoms:
            return cls(top, Fraction(1), text)
        bottom, under = sum_of(bottoms)
        return cls(top / bottom if bottom else Fraction(0), bottom, f"({text}) / ({under})")


def stratum_sums(
    connection: duckdb.DuckDBPyConnection, experiment: str, metric: str, cut_off: date, *, excluded: bool
) -> list[Row]:
    """Units and exact sums of each arm in each phase, of closed windows.

    Args:
        connection: On the warehouse.
        experiment: An experiment whose weights changed.
        metric: One of its metrics.
        cut_off: The last day that counts.
        excluded: Whether units seen in two arms are taken out.
    """
    key = {"e": experiment, "m": metric, "d": cut_off, "excluded": excluded}
    return rows_of(connection, _BY_PHASE, key)


def stratum_steps(
    sums: Iterable[Row],
    strata: Mapping[int, int],
    statistics: Mapping[str, Any],
    arms: tuple[str, str],
    row: Mapping[str, Any],
    *,
    is_share: bool,
) -> list[Step]:
    """Difference, standard error and lift of one arm over its strata, beside the published ones.

    Args:
        sums: From `stratum_sums`.
        strata: Stratum by phase, of the phases in which both arms have a share.
        statistics: The arm's row of `fct_sufficient_statistics`, for the scales.
        arms: Control and treatment.
        row: The treatment's row of `results.comparisons`.
        is_share: Whether a unit's value is 0 or 1.
    """
    if row["status"] != "ok":
        return []
    weighted = _weighted(sums, strata, statistics, arms)
    if not weighted:
        return []
    steps = [
        Step(
            f"difference in phase {one.phases}",
            f"{_quotient(one.treatment)} - {_quotient(one.control)}",
            float(one.treatment.value - one.control.value),
        )
        for one in weighted
    ]
    base, mean = (_Mean.over([(one.share, one.arms[side]) for one in weighted]) for side in (0, 1))
    steps.append(Step("mean", mean.text, float(mean.value), row["mean"]))
    steps.append(Step("control's mean", base.text, float(base.value), row["control_mean"]))
    gap = mean.value - base.value
    text = f"{number_text(mean.value)} - {number_text(base.value)}"
    if row["cuped"]:
        # The published difference is of the adjusted means; here the unadjusted one is shown.
        return [*steps, Step("difference before adjustment", text, float(gap))]
    steps.append(Step("difference", text, float(gap), row["lift_abs"]))
    if base.value and row["lift_rel"] is not None:
        text = f"{number_text(gap)} / {number_text(abs(base.value))}"
        steps.append(Step("relative lift", text, float(gap / abs(base.value)), row["lift_rel"]))
    return [*steps, _error(weighted, (base, mean), row, is_share=is_share)]


def _error(
    weighted: Sequence[_Stratum], means: tuple[_Mean, _Mean], row: Mapping[str, Any], *, is_share: bool
) -> Step:
    parts = []
    for one in weighted:
        both = one.control.y + one.treatment.y
        together = both / (one.control.n + one.treatment.n)
        for arm, mean in zip(one.arms, means, strict=True):
            variance = arm.variance(mean)
            if is_share:
                # No arm of a share varies less than both together: see `fairsplit.analysis.judgement.strata`.
                variance = max(variance, together * (1 - together) * arm.n / (arm.n - 1))
            parts.append(one.share**2 * variance / arm.n)
    text = "sqrt(" + " + ".join(number_text(part) for part in parts) + ")"
    return Step("standard error", text, math.sqrt(sum(parts)), row["lift_std_error"])


def _weighted(
    sums: Iterable[Row], strata: Mapping[int, int], statistics: Mapping[str, Any], arms: tuple[str, str]
) -> list[_Stratum]:
    scale_y, scale_d = statistics["scale_y"], statistics["scale_d"]
    cells: defaultdict[tuple[int, str], list[Row]] = defaultdict(list)
    for one in sums:
        if one["phase"] in strata and one["variant_id"] in arms:
            cells[strata[one["phase"]], one["variant_id"]].append(one)
    found = []
    for stratum in sorted(set(strata.values())):
        c, t = (_cell(cells[stratum, arm], scale_y, scale_d) for arm in arms)
        if min(c.n, t.n) >= LEAST_UNITS:
            phases = sorted(phase for phase, number in strata.items() if number == stratum)
            found.append((", ".join(map(str, phases)), c, t))
    total = sum(c.n + t.n for _, c, t in found)
    return [_Stratum(phases, Fraction(c.n + t.n, total), c, t) for phases, c, t in found]


def _cell(rows: Sequence[Row], scale_y: int, scale_d: int | None) -> _Cell:
    def real(name: str, scale: int) -> Fraction:
        return sum((Fraction(row[name], scale) for row in rows), Fraction(0))

    n = sum(row["n"] for row in rows)
    y, yy = real("sum_y", scale_y), real("sum_yy", scale_y**2)
    if scale_d is None:
        return _Cell(n, y, yy, None)
    rest = (real("sum_d", scale_d), real("sum_yd", scale_y * scale_d), real("sum_dd", scale_d**2))
    return _Cell(n, y, yy, rest)


def _quotient(cell: _Cell) -> str:
    bottom = str(cell.n) if cell.bottom is None else number_text(cell.bottom[0])
    return f"{number_text(cell.y)} / {bottom}"
