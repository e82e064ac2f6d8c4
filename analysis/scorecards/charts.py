"""Charts over time, each with the table that says the same."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.judgement.effects import Effect, effect_of, too_early
from fairsplit.analysis.scorecards import format as fmt
from fairsplit.analysis.scorecards import headline, wording
from fairsplit.analysis.scorecards.headline import SEQUENTIAL_METHODS
from fairsplit.analysis.scorecards.selection import whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairsplit.analysis.scorecards.inputs import ExperimentView, MetricView

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart for the bundled runtime: its kind, its rows, and the table that says the same."""

    id: str
    title: str
    note: str
    data: Mapping[str, Any]
    columns: Sequence[str]
    table: Sequence[Sequence[str]]


def exposure_chart(experiment: ExperimentView, exposures: Sequence[Row]) -> Chart | None:
    """Cumulative units per arm and day; None before anyone is exposed."""
    if not exposures:
        return None
    daily: dict[tuple[Any, str], int] = {}
    for row in exposures:
        key = (row["exposure_day"], row["variant_id"])
        daily[key] = daily.get(key, 0) + row["units"]
    known = {day for day, _ in daily}
    days = _every_day(min(known), max(known))
    names = {arm.id: arm.label for arm in experiment.arms}
    arms = [arm.id for arm in experiment.arms]
    running = dict.fromkeys(arms, 0)
    points: list[list[Any]] = []
    table: list[list[str]] = []
    for day in days:
        cellsof = [fmt.day(day)]
        if day not in known:
            # A day of which nothing is known is a gap, never a day without units.
            points += [[day.isoformat(), place, None, None] for place in range(len(arms))]
            table.append([*cellsof, *["no data"] * len(arms)])
            continue
        for place, arm in enumerate(arms):
            new = daily.get((day, arm), 0)
            running[arm] += new
            points.append([day.isoformat(), place, running[arm], new])
            cellsof.append(f"{fmt.count(running[arm])} (+{fmt.count(new)})")
        table.append(cellsof)
    return Chart(
        id="exposures",
        title="Units exposed",
        note="Cumulative, per arm; a unit counts once, on the day of its first exposure.",
        data={
            "kind": "exposures",
            "arms": [names[a] for a in arms],
            "points": points,
            "y": "Units, cumulative",
        },
        columns=["Day", *(names[a] for a in arms)],
        table=table,
    )


def lift_chart(experiment: ExperimentView, metric: MetricView, history: Sequence[Row]) -> Chart | None:
    """The effect of each arm at every cut-off, in the metric's unit where one of them has no relative form.

    None with fewer than two cut-offs.
    """
    sequential = experiment.plan.method in SEQUENTIAL_METHODS
    rows = [
        row
        for row in whole(history, experiment.analysis)
        if row["metric"] == metric.name
        and row.get("comparison") is not None
        and row["status"] == "ok"
        and row.get("lift_abs") is not None
    ]
    if len({row["cut_off"] for row in rows}) < 2:
        return None
    names = [arm.label for arm in experiment.arms]
    place = {arm.id: index for index, arm in enumerate(experiment.arms)}
    rows.sort(key=lambda row: (row["cut_off"], place.get(row["variant_id"], 999)))
    relative = all(_effect(row, lasting=lasting).relative for row in rows for lasting in {False, sequential})
    points: list[list[Any]] = []
    table, early = [], ""
    for row in rows:
        inner, outer = (_effect(row, lasting=lasting, relative=relative) for lasting in (False, sequential))
        numbers = [inner.value, inner.low, inner.high, outer.low, outer.high]
        points.append(
            [row["cut_off"].isoformat(), place.get(row["variant_id"], 0), *(_six(v) for v in numbers)]
        )
        value, interval = headline.effect_figures(inner, metric)
        arm = names[place[row["variant_id"]]] if row["variant_id"] in place else row["variant_id"]
        used = headline.effect_figures(outer, metric)[1] if outer.has_interval else "none yet"
        early = early or ("" if outer.has_interval else f" At first {too_early(row)}.")
        table.append([fmt.day(row["cut_off"]), arm, value, interval, used])
    looked = {row["cut_off"] for row in rows}
    shown = sorted({place.get(row["variant_id"], 0) for row in rows})
    points += [
        [day.isoformat(), arm, None, None, None, None, None]
        for day in _every_day(min(looked), max(looked))
        if day not in looked
        for arm in shown
    ]
    points.sort(key=lambda point: (point[0], point[1]))
    level = wording.level(rows[0].get("ci_level"))
    wide = (
        "coloured band: holds at every look; grey: interval of that day alone, which decides nothing"
        if sequential
        else "grey band: interval of that day alone"
    )
    unit = "percentage points" if fmt.is_rate(metric.kind, metric.unit) else fmt.symbol(metric.unit)
    form = "Relative to control" if relative else "Difference to control"
    return Chart(
        id="lift",
        title=f"{metric.label}: {'lift' if relative else 'difference'} as data came in",
        note=f"{form}, {level} intervals; {wide}.{early}",
        data={
            "kind": "lift",
            "arms": names,
            "points": points,
            "sequential": sequential,
            "share": relative or fmt.is_rate(metric.kind, metric.unit),
            "y": f"{form}{'' if relative or not unit else ', ' + unit}",
        },
        columns=[
            "Cut-off",
            "Arm",
            "Lift" if relative else "Difference",
            f"{level} interval",
            "Sequential interval" if sequential else "Interval used",
        ],
        table=table,
    )


def _effect(row: Row, *, lasting: bool, relative: bool = True) -> Effect:
    """The effect of a row that has one."""
    found = effect_of(row, lasting=lasting, relative=relative)
    return found or Effect(row["lift_abs"], None, None, relative=False)


def _every_day(first: date, last: date) -> list[date]:
    return [first + timedelta(days=day) for day in range((last - first).days + 1)]


def _six(value: float | None) -> float | None:
    """Six significant digits: enough for a picture, and it keeps the page small."""
    return None if value is None else float(f"{value:.6g}")
