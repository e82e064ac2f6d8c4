"""One experiment's page as data: every panel in the order in which a reader needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.judgement.acting import ACT_OF
from fairsplit.analysis.judgement.direction import sign_of
from fairsplit.analysis.judgement.effects import effect_of
from fairsplit.analysis.scorecards import faults, glance, headline, outlook, spread, wording
from fairsplit.analysis.scorecards import format as fmt
from fairsplit.analysis.scorecards.arms import ArmCard, ConfigLine, arm_cards, config_lines
from fairsplit.analysis.scorecards.bandits import BanditPanel, bandit_panel
from fairsplit.analysis.scorecards.best_arm import with_best
from fairsplit.analysis.scorecards.charts import Chart, exposure_chart, lift_chart
from fairsplit.analysis.scorecards.checks import Check, check_cards, summary_line
from fairsplit.analysis.scorecards.comparisons import (
    Cells,
    MetricTable,
    build_table,
    cells,
    metric_view,
    own_axis,
)
from fairsplit.analysis.scorecards.factorial import FactorialMetric, factorial_panels
from fairsplit.analysis.scorecards.funnels import Funnel, LossTable, conversion_funnels, kept, set_aside
from fairsplit.analysis.scorecards.log import LogEntry, decision_log
from fairsplit.analysis.scorecards.next_actions import NextAction, next_action_lines
from fairsplit.analysis.scorecards.plan_lines import fact_lines, plan_lines
from fairsplit.analysis.scorecards.policies import PolicyFacts, PolicyPanel, policy_panel
from fairsplit.analysis.scorecards.segments import Segments, other_analyses, segment_panels
from fairsplit.analysis.scorecards.selection import whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairsplit.analysis.scorecards.faults import Fault
    from fairsplit.analysis.scorecards.glance import Figure
    from fairsplit.analysis.scorecards.headline import Headline
    from fairsplit.analysis.scorecards.inputs import ExperimentMetric, ExperimentView, MetricView, Provenance
    from fairsplit.analysis.scorecards.intervals import Axis, Tick
    from fairsplit.analysis.scorecards.spread import Spread

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
    allocations: Sequence[Row] = ()
    next_actions: Sequence[Row] = ()
    policy: PolicyFacts | None = None


@dataclass(frozen=True, slots=True)
class Scorecard:
    """Everything on the page of one experiment."""

    experiment: ExperimentView
    headline: Headline
    figures: Sequence[Figure]
    fault: Fault | None
    outlook: Sequence[str]
    to_power: int | None
    undecided: bool
    primary: Cells | None
    primary_metric: MetricView
    primary_level: str
    primary_window_days: float
    axis: Axis | None
    ticks: Sequence[tuple[Tick, str]]
    minimum_effect: tuple[float, str] | None
    next_step: str
    accept: str
    next_actions: Sequence[NextAction]
    facts: Sequence[tuple[str, str]]
    checks: Sequence[Check]
    checks_line: str
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
    bandit: BanditPanel | None
    policy: PolicyPanel | None
    factorial: Sequence[FactorialMetric]
    plan: Sequence[tuple[str, str]]
    log: Sequence[LogEntry]
    changes: Sequence[LogEntry]
    provenance: Sequence[tuple[str, str]]
    commands: Sequence[tuple[str, str]]
    units: int
    units_by_arm: Mapping[str, int]
    days: int


def _total_exposures(exposures: Sequence[Row]) -> list[Row]:
    return [row for row in exposures if row.get("segment", "all") == "all"]


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
    rows = whole(facts.current, experiment.analysis)
    valid = headline.worst_status(facts.validity) != "fail"
    first = next((entry for entry in experiment.metrics if entry.role == "primary"), None)
    if valid and first:
        rows = with_best(rows, first.metric, facts.allocations)
    table = build_table(experiment, metrics, rows, links, valid=valid)
    metric = metric_view(metrics, first.metric if first else "")
    primary_rows = [row for row in rows if first and row["metric"] == first.metric]
    decision = facts.decisions[-1] if facts.decisions else None
    head = headline.build(experiment, metrics, primary_rows, facts.validity, decision)
    leading = headline.leading_row(primary_rows, decision)
    control = next((row for row in primary_rows if row.get("comparison") is None), None)
    gauge = None
    # Through a closed gate no effect is drawn: its figures are for whoever looks for the fault.
    if valid and leading is not None and leading["status"] == "ok":
        gauge = own_axis(leading, control, metric, sequential=table.sequential)
    axis, ticks = gauge or (None, ())
    arm_names = {arm.id: arm.label for arm in experiment.arms}
    primary = (
        cells(
            leading,
            control,
            metric,
            arm_names.get(leading["variant_id"]) or str(leading["variant_id"]),
            axis,
            sequential=table.sequential,
            valid=valid,
            alone=True,
            alpha=experiment.plan.alpha,
        )
        if leading is not None and axis is not None
        else None
    )
    exposures = _total_exposures(facts.exposures)
    by_arm: dict[str, int] = {}
    for row in exposures:
        by_arm[row["variant_id"]] = by_arm.get(row["variant_id"], 0) + row["units"]
    units = sum(by_arm.values())
    if not exposures:
        units = sum((row.get("n") or 0) + (row.get("n_open") or 0) for row in primary_rows)
    days = len({row["exposure_day"] for row in exposures})
    lift = lift_chart(experiment, metric, facts.history) if valid else None
    charts = [chart for chart in (lift, exposure_chart(experiment, exposures)) if chart]
    compared = [row for row in primary_rows if row.get("comparison") is not None]
    to_power = None
    # Once decided, nobody waits for power; of an A/A test or a bandit nobody planned any.
    if outlook.undecided(decision) and experiment.type not in {"aa", "bandit"}:
        to_power = outlook.days_to_power(compared, days, metric.window_days)
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
        figures=glance.figures(experiment, primary, metric, table, exposures) if primary else [],
        fault=faults.likeliest(experiment, facts.validity),
        outlook=_outlook(experiment, decision, leading, metric, table, to_power)
        if primary and leading
        else [],
        to_power=to_power,
        undecided=outlook.undecided(decision),
        primary=primary,
        primary_metric=metric,
        primary_window_days=metric.window_days,
        primary_level=wording.level(leading.get("ci_level") if leading else None),
        axis=axis,
        ticks=ticks,
        minimum_effect=_minimum_effect(first, metric, axis, leading),
        next_step=(decision or {}).get("sentence") or "",
        accept=_accept_command(experiment, decision),
        next_actions=next_action_lines(experiment, metrics, facts.next_actions),
        facts=fact_lines(experiment, units, days, table),
        checks=check_cards(facts.validity),
        checks_line=summary_line(facts.validity),
        table=table,
        arms=arm_cards(experiment, rows, by_arm),
        config=config_lines(experiment),
        charts=charts,
        kept=kept(experiment, facts.losses, primary_rows, by_arm),
        set_aside=set_aside(experiment, facts.losses),
        others=other_analyses(experiment, metric, facts.current, table, valid=valid),
        funnels=conversion_funnels(experiment, metrics, facts.funnels, rows),
        spread=spread.build(experiment, metrics, facts.spread),
        segments=segment_panels(experiment, metric, facts.current, valid=valid),
        bayes=bayes,
        bandit=bandit_panel(
            experiment, metrics, facts.allocations, rows, valid=valid, by_context=facts.policy is not None
        ),
        policy=policy_panel(experiment, facts.policy, valid=valid),
        factorial=factorial_panels(experiment, metrics, rows) if valid else [],
        plan=plan_lines(experiment, rows, decision["reasons"] if decision else (), to_power),
        log=decision_log(facts.decisions),
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


def _outlook(
    experiment: ExperimentView,
    decision: Row | None,
    leading: Row,
    metric: MetricView,
    table: MetricTable,
    to_power: int | None,
) -> list[str]:
    """What an unclear result has ruled out, and how far it is to the planned power; nothing where it is settled."""
    if decision is None or not outlook.undecided(decision) or experiment.type in {"aa", "bandit"}:
        return []
    power = outlook.power_words(to_power, running=experiment.status == "running")
    if decision["decision"] == "continue":
        return [power] if power else []
    effect, shown = headline.in_reading_unit(
        effect_of(leading, lasting=table.sequential), metric, leading.get("control_mean")
    )
    found = [outlook.ruled_out(effect, shown), power]
    if decision["action"] == "keep_control":
        found.append("Keep the control, or extend until then." if to_power else "Keep the control.")
    return [sentence for sentence in found if sentence]


def _accept_command(experiment: ExperimentView, decision: Row | None) -> str:
    """What carries out a proposal; empty where nothing is proposed or the experiment acts by itself."""
    proposed = decision is not None and (decision["decision"], decision["action"]) in ACT_OF
    waits = experiment.may_act and not experiment.stopping.get("automatic")
    return f"fairsplit experiment accept {experiment.id} --reason '…'" if proposed and waits else ""


def _minimum_effect(
    asked: ExperimentMetric | None, metric: MetricView, axis: Axis | None, leading: Row | None
) -> tuple[float, str] | None:
    """Where the smallest effect of interest lies on the axis of the leading arm, in the axis' own form."""
    if asked is None or axis is None or leading is None:
        return None
    effect = effect_of(leading, lasting=False)
    relative = effect is not None and effect.relative
    value = asked.minimum_effect if relative else leading.get("minimum_abs")
    if value is None or abs(value) > axis.reach:
        return None
    signed = value * sign_of(metric.direction)
    if relative:
        return axis.place(signed), fmt.percent(signed, signed=True, half_width=0.1)
    return axis.place(signed), fmt.amount(signed, metric.unit, metric.kind, signed=True)
