"""One experiment's page as data: every panel in the order in which a reader needs it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.scorecards import format as fmt
from analysis.scorecards import headline, spread, wording
from analysis.scorecards.comparisons import (
    Cells,
    MetricTable,
    build_table,
    cells,
    metric_view,
    shared_axis,
    tick_labels,
    typical_axis,
)
from analysis.scorecards.headline import SEQUENTIAL_METHODS, Headline

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from analysis.scorecards.inputs import ExperimentView, MetricView, Provenance
    from analysis.scorecards.intervals import Axis, Tick
    from analysis.scorecards.spread import Spread

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Facts:
    """The rows of one experiment, taken apart by frame; `history` holds the earlier cut-offs too."""

    current: Sequence[Row]
    history: Sequence[Row]
    validity: Sequence[Row]
    decisions: Sequence[Row]
    exposures: Sequence[Row]
    losses: Sequence[Row]
    funnels: Sequence[Row]
    spread: Sequence[Row] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """A validity check in words."""

    status: str
    status_word: str
    name: str
    scope: str
    sentence: str
    figures: str
    advice: str
    row: Row


@dataclass(frozen=True, slots=True)
class ConfigLine:
    """One configuration key over all arms; ``differs`` marks what the experiment changes."""

    key: str
    values: Sequence[str]
    differs: bool


@dataclass(frozen=True, slots=True)
class ArmCard:
    """One arm with its share, its units and what it shows."""

    id: str
    name: str
    is_control: bool
    weight: str
    units: str
    title: str
    description: str
    image: str
    prob_best: str


@dataclass(frozen=True, slots=True)
class StepLine:
    """One step of a funnel: per arm the count, its share of the step before, and a bar's width in %."""

    name: str
    values: Sequence[tuple[str, str, float]]


@dataclass(frozen=True, slots=True)
class Funnel:
    """Steps in order, one column per arm."""

    title: str
    arms: Sequence[str]
    steps: Sequence[StepLine]


@dataclass(frozen=True, slots=True)
class LossTable:
    """Units set aside: per reason one count for each column."""

    columns: Sequence[str]
    lines: Sequence[tuple[str, Sequence[str]]]


@dataclass(frozen=True, slots=True)
class SegmentLevel:
    """One level of a segment with its comparisons."""

    level: str
    cells: Sequence[Cells]


@dataclass(frozen=True, slots=True)
class SegmentPanel:
    """One segment of the first primary metric; undeclared segments are exploratory."""

    name: str
    declared: bool
    levels: Sequence[SegmentLevel]


@dataclass(frozen=True, slots=True)
class Segments:
    """All segments on one axis."""

    metric: str
    panels: Sequence[SegmentPanel]
    axis: Axis
    ticks: Sequence[tuple[Tick, str]]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart for the bundled runtime: its kind, its rows, and the table that says the same."""

    id: str
    title: str
    note: str
    data: Mapping[str, Any]
    columns: Sequence[str]
    table: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line of the decision log or of the definition's history."""

    when: str
    what: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Scorecard:
    """Everything on the page of one experiment."""

    experiment: ExperimentView
    headline: Headline
    primary: Cells | None
    primary_name: str
    primary_level: str
    axis: Axis | None
    ticks: Sequence[tuple[Tick, str]]
    minimum_effect: tuple[float, str] | None
    next_step: str
    facts: Sequence[tuple[str, str]]
    checks: Sequence[Check]
    table: MetricTable
    arms: Sequence[ArmCard]
    config: Sequence[ConfigLine]
    charts: Sequence[Chart]
    kept: Funnel | None
    set_aside: LossTable | None
    funnels: Sequence[Funnel]
    others: Sequence[tuple[str, Cells]]
    spread: Sequence[Spread]
    segments: Segments | None
    bayes: Sequence[Cells]
    plan: Sequence[tuple[str, str]]
    log: Sequence[LogEntry]
    changes: Sequence[LogEntry]
    provenance: Sequence[tuple[str, str]]
    commands: Sequence[tuple[str, str]]
    units: int
    units_by_arm: Mapping[str, int]
    days: int


def _whole(rows: Sequence[Row], analysis: str) -> list[Row]:
    """Rows of the whole population under one analysis."""
    return [row for row in rows if row.get("segment") == "all" and row.get("analysis", "default") == analysis]


def _checks(rows: Sequence[Row]) -> list[Check]:
    """One card per check, the worst first; members of a family and levels of a segment that pass share a card."""
    cards: list[Check] = []
    for code, family in headline.check_families(rows):
        quiet = [row for row in family if row["status"] == "pass"]
        alone = len(family) == 1
        cards += [_check(row) for row in family if alone or row["status"] != "pass"]
        if quiet and not alone:
            segmented = (family[0].get("segment") or "all") != "all"
            name = wording.check_name(code) + (" by segment" if segmented else "")
            cards.append(
                Check("pass", "Pass", name, "", _passed(quiet, segmented=segmented), "", "", quiet[0])
            )
    return sorted(cards, key=_check_order)


def _passed(rows: Sequence[Row], *, segmented: bool) -> str:
    """What passed, in one sentence."""
    if segmented:
        names = sorted({str(row["segment"]) for row in rows})
        return f"{wording.counted(len(rows), 'level')} of {', '.join(names)}: no sign of a fault."
    members = sorted(wording.loss_step(str(row["check"]).partition(":")[2]).lower() for row in rows)
    return f"No sign of a fault: {', '.join(members)}."


def _check(row: Row) -> Check:
    segment = row.get("segment") or "all"
    sentence = row.get("sentence") or ""
    sentence = sentence[:1].upper() + sentence[1:]
    figures = [
        f"{name} {row[name]}"
        for name in ("observed", "expected")
        if row.get(name) and row[name] not in sentence
    ]
    if row.get("p_value") is not None and "p = " not in sentence:
        figures.append(f"p = {fmt.p_value(row['p_value'])}")
    status = row["status"]
    return Check(
        status=status,
        status_word=wording.words(status, wording.STATUS_WORDS),
        name=wording.check_name(row["check"]),
        scope="" if segment == "all" else f"{segment}: {row.get('segment_level')}",
        sentence=sentence,
        figures=", ".join(figures),
        advice=wording.check_advice(row["check"]) if status in {"warn", "fail"} else "",
        row=row,
    )


def _text(value: object) -> str:
    return (
        value
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    )


def _arms(experiment: ExperimentView, current: Sequence[Row], units: Mapping[str, int]) -> list[ArmCard]:
    best = {row["variant_id"]: row.get("prob_best") for row in current if row.get("role") == "primary"}
    return [
        ArmCard(
            id=arm.id,
            name=arm.label,
            is_control=arm.is_control,
            weight=fmt.setting(arm.weight),
            units=fmt.count(units.get(arm.id, 0)) if units else fmt.MISSING,
            title=_text(arm.config.get("title", "")),
            description=_text(arm.config.get("description", "")),
            image=_local_image(arm.config.get("image")),
            prob_best=fmt.probability(best.get(arm.id)),
        )
        for arm in experiment.arms
    ]


def _local_image(value: object) -> str:
    """An image is shown only when the page carries it: nothing is ever fetched."""
    return value if isinstance(value, str) and value.startswith("data:image/") else ""


def _config(experiment: ExperimentView) -> list[ConfigLine]:
    keys = sorted({key for arm in experiment.arms for key in arm.config if key != "image" or arm.config[key]})
    lines = []
    for key in keys:
        values = [_text(arm.config[key]) if key in arm.config else fmt.MISSING for arm in experiment.arms]
        shown = ["shown above" if value.startswith("data:image/") else value for value in values]
        lines.append(ConfigLine(key, shown, differs=len(set(values)) > 1))
    return lines


def _total_exposures(exposures: Sequence[Row]) -> list[Row]:
    return [row for row in exposures if row.get("segment", "all") == "all"]


def _exposure_chart(experiment: ExperimentView, exposures: Sequence[Row]) -> Chart | None:
    if not exposures:
        return None
    daily: dict[tuple[Any, str], int] = {}
    for row in exposures:
        key = (row["exposure_day"], row["variant_id"])
        daily[key] = daily.get(key, 0) + row["units"]
    days = sorted({day for day, _ in daily})
    names = {arm.id: arm.label for arm in experiment.arms}
    arms = [arm.id for arm in experiment.arms]
    running = dict.fromkeys(arms, 0)
    points: list[list[Any]] = []
    table: list[list[str]] = []
    for day in days:
        cellsof = [fmt.day(day)]
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
        data={"kind": "exposures", "arms": [names[a] for a in arms], "points": points},
        columns=["Day", *(names[a] for a in arms)],
        table=table,
    )


def _lift_chart(experiment: ExperimentView, metric: MetricView, history: Sequence[Row]) -> Chart | None:
    sequential = experiment.plan.method in SEQUENTIAL_METHODS
    rows = [
        row
        for row in _whole(history, experiment.analysis)
        if row["metric"] == metric.name
        and row.get("comparison") is not None
        and row["status"] == "ok"
        and row.get("lift_rel") is not None
    ]
    if len({row["cut_off"] for row in rows}) < 2:
        return None
    names = [arm.label for arm in experiment.arms]
    place = {arm.id: index for index, arm in enumerate(experiment.arms)}
    rows.sort(key=lambda row: (row["cut_off"], place.get(row["variant_id"], 999)))
    points, table = [], []
    for row in rows:
        outer = headline.interval_of(row, sequential=sequential)
        inner = (row.get("lift_rel_low"), row.get("lift_rel_high"))
        half = headline.half_width(*outer)
        numbers = [row["lift_rel"], *inner, *outer]
        points.append(
            [row["cut_off"].isoformat(), place.get(row["variant_id"], 0), *(_six(v) for v in numbers)]
        )
        said = [fmt.percent(value, signed=True, half_width=half) for value in numbers]
        arm = names[place[row["variant_id"]]] if row["variant_id"] in place else row["variant_id"]
        table.append(
            [fmt.day(row["cut_off"]), arm, said[0], f"{said[1]} to {said[2]}", f"{said[3]} to {said[4]}"]
        )
    level = wording.level(rows[0].get("ci_level"))
    wide = "outer band: valid at every look" if sequential else "band: interval of that day alone"
    return Chart(
        id="lift",
        title=f"{metric.label}: lift as data came in",
        note=f"Relative to control, {level} intervals; {wide}.",
        data={"kind": "lift", "arms": names, "points": points, "sequential": sequential},
        columns=[
            "Cut-off",
            "Arm",
            "Lift",
            f"{level} interval",
            "Sequential interval" if sequential else "Interval used",
        ],
        table=table,
    )


def _six(value: float | None) -> float | None:
    """Six significant digits: enough for a picture, and it keeps the page small."""
    return None if value is None else float(f"{value:.6g}")


def _funnel(
    title: str, experiment: ExperimentView, steps: Sequence[tuple[str, dict[str, int]]]
) -> Funnel | None:
    if not steps:
        return None
    arms = list(experiment.arms)
    lines = []
    previous: dict[str, int] = {}
    first = steps[0][1]
    for name, counts in steps:
        values = []
        for arm in arms:
            now, before, start = counts.get(arm.id, 0), previous.get(arm.id), first.get(arm.id, 0)
            share = fmt.percent(now / before) if before else ""
            values.append((fmt.count(now), share, round(100.0 * now / start, 2) if start else 0.0))
        previous = counts
        lines.append(StepLine(name, values))
    return Funnel(title, [arm.label for arm in arms], lines)


def _kept(
    experiment: ExperimentView, losses: Sequence[Row], primary: Sequence[Row], exposed: Row
) -> Funnel | None:
    """Units per arm from step to step, as far as each step is known."""
    known: dict[str, dict[str, int]] = {"exposed": dict(exposed)} if exposed else {}
    for row in losses:
        if row["step"] in wording.FUNNEL_STEPS:
            known.setdefault(row["step"], {})[str(row["variant_id"])] = row["units"] or 0
    analysed = {row["variant_id"]: row.get("n") or 0 for row in primary}
    if any(analysed.values()):
        known.setdefault("analysed", analysed)
    steps = [(wording.loss_step(step), known[step]) for step in wording.FUNNEL_STEPS if step in known]
    return _funnel("Units kept, per arm", experiment, steps) if len(steps) > 1 else None


def _set_aside(experiment: ExperimentView, losses: Sequence[Row]) -> LossTable | None:
    """Units set aside per reason and arm; what names no declared arm stands in the last column."""
    places = {arm.id: place for place, arm in enumerate(experiment.arms)}
    counts: dict[str, list[int]] = {}
    for row in losses:
        if row["step"] not in wording.FUNNEL_STEPS:
            line = counts.setdefault(row["step"], [0] * (len(places) + 1))
            line[places.get(row.get("variant_id") or "", len(places))] += row["units"] or 0
    if not counts:
        return None
    lines = [
        (wording.loss_step(step), [fmt.count(value) for value in counts[step]]) for step in sorted(counts)
    ]
    return LossTable([*(arm.label for arm in experiment.arms), "Other or none"], lines)


def _funnels(
    experiment: ExperimentView, metrics: Mapping[str, MetricView], rows: Sequence[Row], whole: Sequence[Row]
) -> list[Funnel]:
    """Conversion funnels, each beginning with the units that the metric counts."""
    found = []
    for name in sorted({row["metric"] for row in rows}):
        steps: dict[int, tuple[str, dict[str, int]]] = {}
        for row in rows:
            if row["metric"] == name:
                step = steps.setdefault(row["position"], (wording.words(row["step"], {}), {}))
                step[1][row["variant_id"]] = row["units"]
        counted = {row["variant_id"]: row.get("n") or 0 for row in whole if row["metric"] == name}
        start = [("Units counted", counted)] if any(counted.values()) else []
        title = metric_view(metrics, name).label
        funnel = _funnel(title, experiment, [*start, *(steps[place] for place in sorted(steps))])
        if funnel:
            found.append(funnel)
    return found


def _segments(
    experiment: ExperimentView, metric: MetricView, current: Sequence[Row], *, valid: bool
) -> Segments | None:
    rows = [
        row
        for row in current
        if row["metric"] == metric.name
        and row.get("segment") != "all"
        and row.get("analysis", "default") == experiment.analysis
    ]
    compared = [row for row in rows if row.get("comparison") is not None]
    if not compared:
        return None
    sequential = experiment.plan.method in SEQUENTIAL_METHODS
    axis = typical_axis(compared, sequential=sequential)
    controls = {(row["segment"], row["segment_level"]): row for row in rows if row.get("comparison") is None}
    arm_names = {arm.id: arm.label for arm in experiment.arms}
    order = {arm.id: place for place, arm in enumerate(experiment.arms)}
    panels: dict[str, dict[str, list[Row]]] = {}
    for row in compared:
        panels.setdefault(row["segment"], {}).setdefault(str(row["segment_level"]), []).append(row)
    return Segments(
        metric=metric.label,
        panels=[
            SegmentPanel(
                name=name,
                declared=name in experiment.segments,
                levels=[
                    SegmentLevel(
                        level or "(not set)",
                        [
                            cells(
                                row,
                                controls.get((name, row["segment_level"])),
                                metric,
                                arm_names.get(row["variant_id"]) or str(row["variant_id"]),
                                axis,
                                sequential=sequential,
                                alpha=experiment.plan.alpha,
                                valid=valid,
                            )
                            for row in sorted(
                                levels[level], key=lambda row: order.get(row["variant_id"], 999)
                            )
                        ],
                    )
                    for level in sorted(
                        levels, key=lambda level: (-max(r.get("n") or 0 for r in levels[level]), level)
                    )
                ],
            )
            for name, levels in sorted(
                panels.items(), key=lambda item: (item[0] not in experiment.segments, item[0])
            )
        ],
        axis=axis,
        ticks=tick_labels(axis),
    )


def _other_analyses(
    experiment: ExperimentView, metric: MetricView, current: Sequence[Row], table: MetricTable, *, valid: bool
) -> list[tuple[str, Cells]]:
    """The primary metric under other analyses that count other units, to be read beside the default."""
    rows = [
        row
        for row in current
        if row["metric"] == metric.name
        and row.get("segment") == "all"
        and row.get("analysis", "default") != experiment.analysis
    ]
    controls = {row["analysis"]: row for row in rows if row.get("comparison") is None}
    names = {arm.id: arm.label for arm in experiment.arms}
    whole = _whole(current, experiment.analysis)
    declared = {row["variant_id"]: row.get("n") for row in whole if row["metric"] == metric.name}
    differing = {row["analysis"] for row in rows if row.get("n") != declared.get(row["variant_id"])}
    return [
        (
            wording.words(row["analysis"], wording.ANALYSES),
            cells(
                row,
                controls.get(row["analysis"]),
                metric,
                names.get(row["variant_id"]) or str(row["variant_id"]),
                table.axis,
                sequential=table.sequential,
                alpha=experiment.plan.alpha,
                valid=valid,
            ),
        )
        for row in rows
        if row.get("comparison") is not None and row["analysis"] in differing
    ]


def _plan(experiment: ExperimentView, current: Sequence[Row]) -> list[tuple[str, str]]:
    plan = experiment.plan
    lines = [
        ("Method", wording.words(plan.method, wording.METHODS)),
        ("Error rate", f"alpha {fmt.setting(plan.alpha)}, {plan.alternative}"),
        ("Planned power", fmt.setting(plan.power)),
        ("Correction", wording.words(plan.correction, {"bh": "Benjamini-Hochberg", "none": "None"})),
    ]
    primary = [row for row in current if row.get("role") == "primary"]
    smallest = min((row.get("n") or 0 for row in primary), default=0)
    if plan.min_sample is not None:
        state = "reached" if smallest >= plan.min_sample else "not reached"
        needed = fmt.count(plan.min_sample)
        lines.append(("Minimum sample", f"{needed} per arm: {state}, smallest arm has {fmt.count(smallest)}"))
    if plan.max_duration_days is not None:
        ran = (current[0]["cut_off"] - experiment.start.date()).days + 1 if current else 0
        lines.append(("Longest duration", f"{plan.max_duration_days:g} days: day {max(ran, 0)}"))
    if plan.cuped_days:
        lines.append(("CUPED history", f"{plan.cuped_days} days before exposure"))
    information = [
        row["information_fraction"] for row in primary if row.get("information_fraction") is not None
    ]
    if information:
        lines.append(("Information so far", fmt.setting(max(information)) + " of the plan"))
    for rule, setting in experiment.stopping.items():
        shown = {True: "on", False: "off"}.get(setting) if isinstance(setting, bool) else _text(setting)
        state = _rule_state(rule, current) if setting is True else ""
        lines.append((f"Rule: {rule.replace('_', ' ')}", f"{shown}: {state}" if state else str(shown)))
    return lines


def _rule_state(rule: str, current: Sequence[Row]) -> str:
    """Whether the bound of a stopping rule that looks repeatedly has been crossed; empty where there is none."""
    role = {"efficacy": "primary", "harm": "guardrail"}.get(rule)
    looked = [row for row in current if row.get("role") == role and row.get("seq_crossed") is not None]
    if not looked:
        return ""
    wanted = 1 if rule == "efficacy" else -1
    met = any(
        row["seq_crossed"]
        and wanted * headline.direction_sign(row.get("direction")) * (row.get("lift_abs") or 0) > 0
        for row in looked
    )
    return "bound crossed" if met else "bound not crossed"


def _facts(experiment: ExperimentView, units: int, days: int, table: MetricTable) -> list[tuple[str, str]]:
    ending = fmt.day(experiment.end) if experiment.end else "open"
    lines = [
        ("Planned" if experiment.status == "draft" else "Ran", f"{fmt.day(experiment.start)} – {ending}"),
        ("Days of data", fmt.count(days)),
        ("Units exposed", fmt.count(units)),
        ("Unit", experiment.unit),
        ("Type", wording.words(experiment.type, wording.TYPES)),
        ("Owner", experiment.owner),
    ]
    if experiment.read_on:
        lines.insert(1, ("Read on", fmt.day(experiment.read_on)))
    if table.any_open:
        lines.append(("Windows still open", f"up to {fmt.count(table.any_open)} units an arm"))
    return lines


def _log(decisions: Sequence[Row]) -> list[LogEntry]:
    """The decisions, newest first; days in a row with the same decision for the same reason share a line."""
    runs: list[list[Row]] = []
    for row in decisions:
        if runs and _said(row) == _said(runs[-1][-1]):
            runs[-1].append(row)
        else:
            runs.append([row])
    return [
        LogEntry(
            fmt.day_range(run[0]["cut_off"], run[-1]["cut_off"]),
            _decision_words(run[-1]),
            run[-1].get("sentence") or _reasons(run[-1]),
        )
        for run in reversed(runs)
    ]


def _said(row: Row) -> tuple[Any, ...]:
    return row["decision"], row.get("action"), list(row.get("reasons") or ()), row.get("variant_id")


def _decision_words(row: Row) -> str:
    decision = wording.words(row["decision"], {})
    action = wording.words(row["action"], {}) if row.get("action") else ""
    return f"{decision}: {action.lower()}" if action and action != decision else decision


def _reasons(row: Row) -> str:
    reasons = row.get("reasons")
    if not isinstance(reasons, (list, tuple)):
        return ""
    return "; ".join(wording.words(str(code), wording.REASONS) for code in reasons)


def build(
    experiment: ExperimentView,
    metrics: Mapping[str, MetricView],
    facts: Facts,
    *,
    cut_off: str,
    provenance: Provenance,
    links: Mapping[str, str],
) -> Scorecard:
    """The page of one experiment.

    Args:
        experiment: The definition.
        metrics: Metric views by name.
        facts: The experiment's rows.
        cut_off: ISO day.
        provenance: Hashes and positions.
        links: Parts of the site that exist.
    """
    whole = _whole(facts.current, experiment.analysis)
    valid = headline.worst_status(facts.validity) != "fail"
    table = build_table(experiment, metrics, whole, links, valid=valid)
    first = next((entry for entry in experiment.metrics if entry.role == "primary"), None)
    metric = metric_view(metrics, first.metric if first else "")
    primary_rows = [row for row in whole if first and row["metric"] == first.metric]
    decision = facts.decisions[-1] if facts.decisions else None
    head = headline.build(experiment, metrics, primary_rows, facts.validity, decision)
    leading = headline.leading_row(primary_rows, decision)
    primary = next(
        (
            cell
            for group in table.groups
            for block in group.blocks
            for cell in block.cells
            if leading is not None and cell.row is leading and cell.bar is not None
        ),
        None,
    )
    axis = shared_axis([leading], sequential=table.sequential) if primary and leading else None
    if primary and axis and leading:
        control = next((row for row in primary_rows if row.get("comparison") is None), None)
        primary = cells(
            leading,
            control,
            metric,
            primary.arm,
            axis,
            sequential=table.sequential,
            alpha=experiment.plan.alpha,
            valid=valid,
        )
    exposures = _total_exposures(facts.exposures)
    by_arm: dict[str, int] = {}
    for row in exposures:
        by_arm[row["variant_id"]] = by_arm.get(row["variant_id"], 0) + row["units"]
    units = sum(by_arm.values())
    if not exposures:
        units = sum((row.get("n") or 0) + (row.get("n_open") or 0) for row in primary_rows)
    days = len({row["exposure_day"] for row in exposures})
    charts = [
        chart
        for chart in (_lift_chart(experiment, metric, facts.history), _exposure_chart(experiment, exposures))
        if chart
    ]
    bayes = [
        cell
        for group in table.groups
        for block in group.blocks
        for cell in block.cells
        if valid and block.metric.name == metric.name and cell.row.get("prob_beat") is not None
    ]
    code_hashes = sorted({row["code_hash"] for row in facts.current if row.get("code_hash")})
    identity = experiment.id
    return Scorecard(
        experiment=experiment,
        headline=head,
        primary=primary,
        primary_name=metric.label,
        primary_level=wording.level(leading.get("ci_level") if leading else None),
        axis=axis,
        ticks=tick_labels(axis) if axis else (),
        minimum_effect=_minimum_effect(first.minimum_effect if first else None, metric, axis),
        next_step=(decision or {}).get("sentence") or "",
        facts=_facts(experiment, units, days, table),
        checks=_checks(facts.validity),
        table=table,
        arms=_arms(experiment, whole, by_arm),
        config=_config(experiment),
        charts=charts,
        kept=_kept(experiment, facts.losses, primary_rows, by_arm),
        set_aside=_set_aside(experiment, facts.losses),
        others=_other_analyses(experiment, metric, facts.current, table, valid=valid),
        funnels=_funnels(experiment, metrics, facts.funnels, whole),
        spread=spread.build(experiment, metrics, facts.spread),
        segments=_segments(experiment, metric, facts.current, valid=valid),
        bayes=bayes,
        plan=_plan(experiment, whole),
        log=_log(facts.decisions),
        changes=[LogEntry(fmt.instant(c.at), c.what, c.definition_hash[:12]) for c in experiment.history],
        provenance=[
            ("Event cut-off", f"end of {cut_off} (UTC)"),
            ("Definition", experiment.definition_hash[:16] or fmt.MISSING),
            (
                "Code",
                provenance.code_hash[:16] or ", ".join(code[:16] for code in code_hashes) or fmt.MISSING,
            ),
            ("Commit", provenance.commit[:12] or fmt.MISSING),
            ("Knowledge cut-off", f"landed file {fmt.count(provenance.manifest_position)}"),
            ("Publication", provenance.publication or fmt.MISSING),
        ],
        commands=[
            ("Show how each number came about", f"fairsplit explain {identity} --cut-off {cut_off}"),
            ("See the page as it was published", f"fairsplit replay {identity} --as-of {cut_off}"),
            ("Print the result rows", f"fairsplit results {identity} --format json"),
        ],
        units=units,
        units_by_arm=by_arm,
        days=days,
    )


def _minimum_effect(value: float | None, metric: MetricView, axis: Axis | None) -> tuple[float, str] | None:
    if value is None or axis is None or abs(value) > axis.reach:
        return None
    signed = value * headline.direction_sign(metric.direction)
    return axis.place(signed), fmt.percent(signed, signed=True, half_width=0.1)


def _check_order(check: Check) -> tuple[int, str, str]:
    severity = {"fail": 0, "warn": 1, "pass": 2, "not_applicable": 3}
    return severity.get(check.status, 4), check.name, check.scope
