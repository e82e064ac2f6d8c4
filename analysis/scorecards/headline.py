"""Verdict, effect, interval and validity as one short, plain statement."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.judgement.direction import gain_of
from fairsplit.analysis.judgement.effects import Effect, effect_of, too_early
from fairsplit.analysis.judgement.wording import listed
from fairsplit.analysis.scorecards import format as fmt
from fairsplit.analysis.scorecards import wording
from fairsplit.analysis.scorecards.inputs import MetricView

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairsplit.analysis.scorecards.inputs import ExperimentView

Row = dict[str, Any]
SEQUENTIAL_METHODS = frozenset({"group_sequential", "always_valid", "sprt"})
_LABEL_WORDS = 4
NO_INTERVAL = "no interval"


@dataclass(frozen=True, slots=True)
class Headline:
    """The first thing a page says.

    Attributes:
        tone: ``good``, ``bad``, ``unclear``, ``blocked`` or ``waiting``: the colour, never the only signal.
        code: Machine-readable verdict for filters and the API.
        verdict: At most a handful of words, for example ``Red wins``.
        effect: The effect with its interval, or why there is none.
        validity: What the checks say.
    """

    tone: str
    code: str
    verdict: str
    effect: str
    validity: str


def check_families(checks: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Checks as a reader counts them: members of a family are one check, and so are the levels of segments."""
    families: dict[tuple[str, bool], list[Row]] = {}
    for check in checks:
        key = str(check["check"]).partition(":")[0], (check.get("segment") or "all") != "all"
        families.setdefault(key, []).append(check)
    return [(code, rows) for (code, _), rows in families.items()]


def worst_status(checks: Sequence[Row]) -> str:
    """The worst status of some checks; ``none`` when nothing was checked."""
    statuses = {check["status"] for check in checks}
    return next((status for status in ("fail", "warn", "pass") if status in statuses), "none")


def validity_words(checks: Sequence[Row]) -> tuple[str, str]:
    """The worst status of all checks and the sentence that stands for it."""
    worst = worst_status(checks)
    states = [(code, rows, worst_status(rows)) for code, rows in check_families(checks)]
    if worst == "fail":
        names = list(
            dict.fromkeys(
                wording.check_name(row["check"]).lower()
                for _, rows, status in states
                if status == "fail"
                for row in rows
                if row["status"] == "fail"
            )
        )
        return worst, f"Not valid: {listed(names)} {'fails' if len(names) == 1 else 'fail'}."
    number = sum(status == worst for _, _, status in states)
    if worst == "warn":
        return worst, f"Valid, with {wording.counted(number, 'warning')}."
    if worst == "pass":
        return worst, "Valid: the check passes." if number == 1 else f"Valid: all {number} checks pass."
    return worst, "Validity not checked yet."


def leading_row(rows: Sequence[Row], decision: Row | None) -> Row | None:
    """The primary comparison that the headline speaks of: the decided arm's, else the arm that leads."""
    usable = [row for row in rows if row.get("comparison") is not None]
    if not usable:
        return None
    if decision and decision.get("variant_id"):
        decided = [row for row in usable if row["variant_id"] == decision["variant_id"]]
        if decided:
            return decided[0]

    def lead(row: Row) -> float:
        gain = gain_of(row)
        return -math.inf if gain is None else gain

    return max(usable, key=lead)


def effect_figures(effect: Effect | None, metric: MetricView) -> tuple[str, str]:
    """An effect and its interval as text: relative, or in the metric's own unit."""
    if effect is None:
        return fmt.MISSING, fmt.MISSING
    half = effect.half_width
    if effect.relative:
        lift = fmt.percent(effect.value, signed=True, half_width=half)
        if not effect.has_interval:
            return lift, NO_INTERVAL
        return lift, fmt.bounds(effect.low, effect.high, half_width=half)
    lift, *ends = (
        fmt.amount(value, metric.unit, metric.kind, signed=True, scale=half)
        for value in (effect.value, effect.low, effect.high)
    )
    if not effect.has_interval:
        return lift, NO_INTERVAL
    return lift, fmt.between(*("no bound" if end == fmt.MISSING else end for end in ends))


def in_reading_unit(
    effect: Effect | None, metric: MetricView, reference: float | None
) -> tuple[Effect | None, MetricView]:
    """The effect and its metric in the unit that values of the reference's size are shown in.

    Args:
        effect: In the metric's own unit, or relative, which has no unit.
        metric: Its view.
        reference: The control's value.
    """
    divisor, unit = fmt.time_unit(metric.unit, reference)
    shown = replace(metric, unit=unit)
    if effect is None or effect.relative:
        return effect, shown
    low, high = (None if end is None else end / divisor for end in (effect.low, effect.high))
    return Effect(effect.value / divisor, low, high, relative=False), shown


def effect_words(row: Row, metric: MetricView, *, sequential: bool) -> str:
    """The effect with its interval, for example ``+4.6% (95% interval +1.2% to +8.1%)``."""
    effect, shown = in_reading_unit(effect_of(row, lasting=sequential), metric, row.get("control_mean"))
    lift, interval = effect_figures(effect, shown)
    if effect is None or not effect.has_interval:
        return f"{lift} ({too_early(row) if sequential else NO_INTERVAL})"
    return f"{lift} ({wording.level(row.get('ci_level'))} interval {interval})"


def _verdict(decision: Row | None, arm: str) -> tuple[str, str, str]:
    """Tone, code and words of the verdict: those of the decision's first reason, else of the decision itself."""
    if decision is None:
        return "unclear", "none", "No decision yet."
    reasons = decision.get("reasons") or [""]
    found = wording.VERDICTS.get(str(reasons[0])) or wording.DECISIONS.get(
        decision["decision"], ("unclear", "none", "No decision yet.")
    )
    return found[0], found[1], found[2].format(arm=arm)


def _no_data(experiment: ExperimentView, decision: Row | None) -> str:
    """The verdict where nobody was exposed: it has not begun, has just begun, or is over."""
    if experiment.status == "draft":
        return "Not started."
    ended = decision is not None and "ended_unseen" in (decision.get("reasons") or ())
    return "Ended without data." if ended else "No data yet."


def build(
    experiment: ExperimentView,
    metrics: Mapping[str, MetricView],
    primary: Sequence[Row],
    checks: Sequence[Row],
    decision: Row | None,
) -> Headline:
    """The headline of one experiment.

    Args:
        experiment: The definition.
        metrics: Metric views by name.
        primary: Comparisons of the first primary metric in the whole population, every arm.
        checks: Validity rows of the newest cut-off.
        decision: The newest decision row.
    """
    worst, validity = validity_words(checks)
    arm_names = {arm.id: arm.label for arm in experiment.arms}
    sequential = experiment.plan.method in SEQUENTIAL_METHODS
    row = leading_row(primary, decision)
    if row is None or not any((r.get("n") or 0) > 0 or (r.get("n_open") or 0) > 0 for r in primary):
        return Headline(
            "waiting", "no_data", _no_data(experiment, decision), "No effect can be measured.", validity
        )
    metric = metrics.get(row["metric"]) or MetricView(name=row["metric"], label=row["metric"])
    label = wording.short(metric.label, _LABEL_WORDS)
    arm = wording.short(arm_names.get(row["variant_id"]) or str(row["variant_id"]), 3)
    if worst == "fail":
        return Headline(
            "blocked", "invalid", "No verdict.", "No effect is shown: the data are at fault.", validity
        )
    if row["status"] != "ok":
        why = f"{label}: {wording.reason(row.get('reason') or row['status'])}."
        return Headline("waiting", "too_early", "Too early to tell.", why, validity)
    effect = f"{label} {effect_words(row, metric, sequential=sequential)}."
    tone, code, verdict = _verdict(decision, arm)
    return Headline(tone, code, verdict, effect, validity)
