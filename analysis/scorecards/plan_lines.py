"""The plan, the state of its stopping rules, and the facts at a glance, in words."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.judgement.direction import gain_of
from fairsplit.analysis.scorecards import format as fmt
from fairsplit.analysis.scorecards import wording
from fairsplit.analysis.scorecards.arms import as_text
from fairsplit.analysis.scorecards.outlook import power_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairsplit.analysis.scorecards.comparisons import MetricTable
    from fairsplit.analysis.scorecards.inputs import ExperimentView

Row = dict[str, Any]


def fact_lines(
    experiment: ExperimentView, units: int, days: int, table: MetricTable
) -> list[tuple[str, str]]:
    """The facts at a glance: name and value."""
    first, ran = experiment.start.date(), f"{fmt.day(experiment.start)} – open"
    if experiment.end:
        # The end is half-open: midnight leaves the day before as the last one.
        ran = fmt.day_range(first, max((experiment.end - timedelta(microseconds=1)).date(), first))
    lines = [
        ("Planned" if experiment.status == "draft" else "Ran", ran),
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


#: Reason by which a decision says that a rule has spoken, and the words for it and for its silence.
_REASONS = {
    "futility": ("futile", "met", "not met"),
    "poor_performer": ("poor_performer", "met", "not met"),
    "whole_weeks": ("whole_weeks", "a week is awaited", "nothing is awaited"),
}


def plan_lines(
    experiment: ExperimentView, current: Sequence[Row], reasons: Sequence[str], to_power: int | None = None
) -> list[tuple[str, str]]:
    """The plan and its stopping rules with their state: name and value.

    Args:
        experiment: The definition.
        current: Comparison rows at the newest cut-off.
        reasons: Reasons of the newest decision.
        to_power: Days missing to the planned power, as the hero tells them.
    """
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
    if to_power is not None and experiment.status == "running":
        lines.append(("To the planned power", power_words(to_power, running=True)))
    for rule, setting in experiment.stopping.items():
        shown = {True: "on", False: "off"}.get(setting) if isinstance(setting, bool) else as_text(setting)
        state = _rule_state(rule, current, reasons) if setting is not False else ""
        lines.append((f"Rule: {rule.replace('_', ' ')}", f"{shown}: {state}" if state else str(shown)))
    return lines


def _rule_state(rule: str, current: Sequence[Row], reasons: Sequence[str]) -> str:
    """Whether a rule has spoken at the newest cut-off, or its bound has been crossed; empty where it has no state."""
    if rule in _REASONS:
        reason, spoken, silent = _REASONS[rule]
        return spoken if reason in reasons else silent
    role = {"efficacy": "primary", "harm": "guardrail"}.get(rule)
    looked = [row for row in current if row.get("role") == role and row.get("seq_crossed") is not None]
    if not looked:
        return ""
    wanted = 1 if rule == "efficacy" else -1
    met = any(row["seq_crossed"] and wanted * (gain_of(row) or 0.0) > 0 for row in looked)
    return "bound crossed" if met else "bound not crossed"
