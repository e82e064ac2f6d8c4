"""How many units and days an effect needs, and which effect a duration can find: `fairsplit.plan`, and its command."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from fairsplit.analysis.catalogue.sizes import Size
from fairsplit.analysis.errors import Problem
from fairsplit.analysis.planning.baseline import LONGEST_DAYS, Baseline
from fairsplit.analysis.planning.design import analysed_by, design, detectable
from fairsplit.analysis.planning.false_ships import false_ships
from fairsplit.analysis.planning.reading import share
from fairsplit.analysis.statistics.experiment_plan import METHODS, Setup
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.library.opened import open_project

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairsplit.orchestration.library.opened import OpenProject

_DEFAULT_EFFECT = 0.05
_DURATIONS = (7, 14, 21, 28, 42, 56)
Method = Literal["fixed", "group_sequential", "always_valid", "sprt", "bayesian"]


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan as data.

    Attributes:
        report: Everything, as `fairsplit plan --format json` prints it; effects that nothing can find are none.
    """

    report: dict[str, Any]

    @property
    def designs(self) -> pl.DataFrame:
        """One row per method: units of the control, of each arm, in total, expected until a decision; days."""
        return pl.DataFrame(self.report["designs"], infer_schema_length=None)

    @property
    def durations(self) -> pl.DataFrame:
        """One row per duration and method: units analysed, smallest detectable effect, relative and absolute."""
        rows = [
            {
                "days": line["days"],
                "units_analysed": line["units_analysed"],
                "method": method,
                "detectable_effect": line["detectable_effect"][method],
                "detectable_difference": line["detectable_difference"][method],
            }
            for line in self.report["durations"]
            for method in line["detectable_effect"]
        ]
        schema = {
            "days": pl.Int64,
            "units_analysed": pl.Int64,
            "method": pl.String,
            "detectable_effect": pl.Float64,
            "detectable_difference": pl.Float64,
        }
        return pl.DataFrame(rows, schema=schema)

    def _repr_html_(self) -> str:
        return "".join(frame._repr_html_() for frame in (self.designs, self.durations) if frame.height)


def plan(
    baseline: float | str | None = None,
    *,
    sd: float | None = None,
    metric: str | None = None,
    experiment: str | None = None,
    segment: str | None = None,
    effect: float | str | None = None,
    absolute_effect: float | str | None = None,
    power: float = 0.8,
    alpha: float = 0.05,
    sides: int = 2,
    method: Method | None = None,
    looks: int = 14,
    arms: int = 1,
    ratio: float = 1.0,
    correlation: float | None = None,
    daily: float | None = None,
    window: float | None = None,
    days: Sequence[int] = (),
    project: OpenProject | None = None,
) -> Plan:
    """Plan an experiment from given numbers, or with `metric` from what a project has measured.

    Args:
        baseline: The metric's value now: a rate such as .10 or ``"10%"``, or a mean with `sd`.
        sd: Standard deviation of a unit's value; makes it a mean.
        metric: Take value, variance, CUPED gain and traffic of this metric of the project.
        experiment: With `metric`: as measured in this experiment.
        segment: With `metric`: only these units, such as ``"country=US"``.
        effect: Relative effect to find, such as .2 or ``"20%"``, or -.1 for a fall; 5 % if nothing declares one.
        absolute_effect: Instead, an effect in the metric's unit.
        power: Chance to find it.
        alpha: Error over both sides and all arms.
        sides: 2, or 1 when only one direction counts.
        method: One way of judging; all if left out.
        looks: Planned looks of the sequential methods.
        arms: Arms besides the control.
        ratio: Units of an arm over units of the control.
        correlation: With what is known before exposure (CUPED).
        daily: New units a day over all arms.
        window: Days until a unit's value is complete.
        days: Durations to state the detectable effect for.
        project: Where `metric` was measured; the one of the working directory if left out.

    Raises:
        FairsplitError: What cannot be planned, by the name of the command's option.
    """
    if (baseline is None) == (metric is None):
        raise OrchestrationError(
            Problem("nothing to plan for, or too much", where="plan", rule="either --baseline or --metric")
        )
    if effect and absolute_effect:
        raise OrchestrationError(
            Problem("two effects to plan for", where="plan", rule="either --effect or --absolute-effect")
        )
    declared: Size | None = None
    if metric is None:
        start = _given(share(str(baseline), "--baseline"), sd)
    else:
        start, declared = (project or open_project()).baseline(metric, experiment, _level(segment))
    start = _overridden(start, correlation, daily, window)
    wanted = _wanted(effect, absolute_effect, declared)
    setups = [
        Setup(alpha=alpha, power=power, sides=sides, method=name, looks=looks, arms=arms, ratio=ratio)
        for name in ([method] if method else METHODS)
    ]
    return Plan(_report(start, wanted, setups, sorted(set(days or _DURATIONS))))


def _level(segment: str | None) -> tuple[str, str]:
    column, equals, level = (segment or "all=all").partition("=")
    if not equals:
        raise OrchestrationError(
            Problem("not a segment", where="--segment", value=segment or "", rule="column=level")
        )
    return column, level


def _wanted(effect: float | str | None, absolute_effect: float | str | None, declared: Size | None) -> Size:
    """The effect asked for, else the declared one, else the default; of either sign where it was asked for."""
    if effect:
        return Size.model_construct(relative=share(str(effect), "--effect"))
    if absolute_effect:
        return Size.model_construct(absolute=share(str(absolute_effect), "--absolute-effect"))
    return declared or Size(relative=_DEFAULT_EFFECT)


def _given(value: float, sd: float | None) -> Baseline:
    binary = sd is None
    if binary and not 0 < value < 1:
        raise OrchestrationError(
            Problem(
                "not a rate", where="--baseline", value=str(value), rule="between 0 and 1, or --sd for a mean"
            )
        )
    return Baseline("", binary=binary, mean=value, variance=value * (1 - value) if sd is None else sd**2)


def _overridden(
    start: Baseline, correlation: float | None, daily: float | None, window: float | None
) -> Baseline:
    if correlation is not None:
        start = replace(start, correlation=correlation)
    if window is not None:
        start = replace(start, window_days=window)
    if daily is not None:
        start = replace(start, forecast=(daily,) * LONGEST_DAYS)
    return start


def _report(start: Baseline, wanted: Size, setups: list[Setup], days: list[int]) -> dict[str, Any]:
    """The plan as data; effects that nothing can find are null."""
    described = {name: value for name, value in asdict(start).items() if name != "forecast"}
    described["units_per_day_first_week"] = sum(start.forecast[:7]) / 7 if start.forecast else None
    first = setups[0]
    difference = start.difference(wanted.value, absolute=wanted.is_absolute)
    durations = []
    if start.forecast:
        totals = analysed_by(start, days)
        up = difference > 0
        found = {
            form: [detectable(start, totals, setup, absolute=form == "difference", up=up) for setup in setups]
            for form in ("effect", "difference")
        }
        durations = [
            {
                "days": day,
                "units_analysed": round(float(total)),
                **{
                    f"detectable_{form}": {
                        setup.method: None if math.isnan(sizes[place]) else float(sizes[place])
                        for setup, sizes in zip(setups, arrays, strict=True)
                    }
                    for form, arrays in found.items()
                },
            }
            for place, (day, total) in enumerate(zip(days, totals, strict=True))
        ]
    return {
        "baseline": described,
        "effect": None if wanted.is_absolute else wanted.value,
        "difference": difference,
        "alpha": first.alpha,
        "power": first.power,
        "sides": first.sides,
        "arms": first.arms,
        "ratio": first.ratio,
        "designs": [
            asdict(design(start, wanted.value, setup, absolute=wanted.is_absolute)) for setup in setups
        ],
        "bayesian_false_ships": next(
            (false_ships(setup) for setup in setups if setup.method == "bayesian"), None
        ),
        "durations": durations,
    }
