"""Rules of one experiment that need several fields, the metrics, or the project."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

from fairsplit.analysis.catalogue.bandit_checks import bandit_findings
from fairsplit.analysis.catalogue.conditions import condition_faults, evaluate
from fairsplit.analysis.catalogue.config_schema import config_findings
from fairsplit.analysis.catalogue.events import ATTRIBUTE_COLUMNS
from fairsplit.analysis.catalogue.factor_checks import factor_findings
from fairsplit.analysis.catalogue.fields import duration_text
from fairsplit.analysis.catalogue.findings import Finding, did_you_mean, shown
from fairsplit.analysis.catalogue.holding_out import estimand_findings, measuring_findings
from fairsplit.analysis.catalogue.metric_rules import SHARES
from fairsplit.analysis.catalogue.search import search_findings
from fairsplit.analysis.catalogue.serving import eligible_variant
from fairsplit.analysis.catalogue.shards import exact
from fairsplit.analysis.catalogue.stages import STAGES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from fairsplit.analysis.catalogue.conditions import Condition
    from fairsplit.analysis.catalogue.experiment import Experiment, Layer, Phase, TargetingTest
    from fairsplit.analysis.catalogue.leaves import Leaf
    from fairsplit.analysis.catalogue.metrics import MetricDefinition
    from fairsplit.analysis.catalogue.project import Project
    from fairsplit.analysis.catalogue.yaml_source import KeyPath
    from fairsplit.analysis.errors import Problem

WEIGHT_TOLERANCE = Decimal("1e-9")

_ENDED = {"completed", "archived", "cancelled", "failed"}


def experiment_findings(
    experiment: Experiment,
    file_stem: str,
    project: Project,
    metrics: Mapping[str, MetricDefinition],
    refused: Mapping[str, Problem],
    segments: Mapping[str, Condition],
) -> list[Finding]:
    """Everything that is wrong with a well-shaped experiment, in the order of the file's fields."""
    findings = [
        *identity_findings(experiment.id, file_stem),
        *_type_findings(experiment, project),
        *_time_findings(experiment),
        *_weight_findings(experiment),
        *_list_findings(experiment),
        *measuring_findings(experiment, project),
        *estimand_findings(experiment, metrics),
        *_variant_findings(experiment),
        *config_findings(experiment),
        *factor_findings(experiment),
        *_segment_findings(experiment),
        *_metric_findings(experiment, metrics, refused),
        *_asked_findings(experiment, project, metrics),
        *_plan_findings(experiment, project, metrics),
        *bandit_findings(experiment, metrics),
        *search_findings(experiment, metrics),
        *targeting_findings(experiment.targeting, segments),
    ]
    if not findings:
        findings += _test_findings(experiment, project, segments)
    return findings


def identity_findings(identifier: str, file_stem: str) -> Iterator[Finding]:
    """The id is the file's name."""
    if identifier != file_stem:
        yield Finding(("id",), "the id differs from the file's name", identifier, f"'{file_stem}'")


def targeting_findings(condition: Condition | None, segments: Mapping[str, Condition]) -> Iterator[Finding]:
    """What a targeting condition's shape cannot say."""
    if condition is None:
        return
    for path, what, value, rule in condition_faults(condition, ("targeting",), segments):
        hint = did_you_mean(value, segments) if path[-1] == "segment" else ""
        yield Finding(path, what, shown(value), rule, hint)


def stamp(instant: datetime) -> str:
    """A naive UTC instant as the user writes it."""
    return f"{instant.isoformat()}Z"


def _type_findings(experiment: Experiment, project: Project) -> Iterator[Finding]:
    arms = len(experiment.variants)
    if experiment.type == "ab" and arms != 2:
        yield Finding(
            ("type",), "an ab experiment has two variants", f"{arms} variants", "type: abn for more"
        )
    if experiment.type == "abn" and arms < 3:
        yield Finding(
            ("type",), "an abn experiment has three or more variants", f"{arms} variants", "type: ab for two"
        )
    if experiment.unit not in project.units:
        yield Finding(
            ("unit",), "the project declares no such unit", experiment.unit, ", ".join(project.units)
        )


def _time_findings(experiment: Experiment) -> Iterator[Finding]:
    start, end = experiment.start, experiment.end
    if end is not None and end <= start:
        yield Finding(("end",), "the end is not after the start", stamp(end), f"after {stamp(start)}")
        return
    if experiment.status in _ENDED and end is None:
        yield Finding(("status",), f"a {experiment.status} experiment has no end", rule="end: an instant")
    allowed = STAGES[experiment.status]
    if experiment.stage is not None and experiment.stage not in allowed:
        yield Finding(
            ("stage",),
            f"a {experiment.status} experiment is not in this stage",
            experiment.stage,
            f"with status {experiment.status}: {' or '.join(allowed)}",
            f"write stage: {allowed[0]}, or leave it out",
        )
    open_pause = bool(experiment.pauses) and experiment.pauses[-1].end is None
    if experiment.status == "paused" and not open_pause:
        rule = "pauses: [{start: an instant}], the last without end"
        yield Finding(("status",), "a paused experiment says not since when", rule=rule)
    if experiment.status == "running" and open_pause:
        yield Finding(("pauses",), "a running experiment has a pause without end", rule="end: an instant")
    previous = None
    for position, phase in enumerate(experiment.phases):
        where: KeyPath = ("phases", position, "start")
        if position == 0 and phase.start != start:
            rule = f"the experiment's start, {stamp(start)}"
            yield Finding(where, "the first phase does not begin at the start", stamp(phase.start), rule)
        elif previous is not None and phase.start <= previous:
            yield Finding(
                where, "phases are not in order of time", stamp(phase.start), f"after {stamp(previous)}"
            )
        if end is not None and phase.start >= end:
            yield Finding(where, "a phase begins after the end", stamp(phase.start), f"before {stamp(end)}")
        previous = phase.start
    yield from _pause_findings(experiment)


def _pause_findings(experiment: Experiment) -> Iterator[Finding]:
    floor = experiment.start
    for position, pause in enumerate(experiment.pauses):
        where: KeyPath = ("pauses", position)
        if pause.start < floor:
            yield Finding(
                (*where, "start"),
                "pauses overlap or begin before the start",
                stamp(pause.start),
                f"≥ {stamp(floor)}",
            )
        if pause.end is None:
            if position < len(experiment.pauses) - 1:
                yield Finding(
                    (*where, "end"),
                    "only the last pause may be without end",
                    rule="an instant",
                    hint="add `end:`",
                )
            continue
        if pause.end <= pause.start:
            rule = f"after {stamp(pause.start)}"
            yield Finding((*where, "end"), "a pause's end is not after its start", stamp(pause.end), rule)
        if experiment.end is not None and pause.end > experiment.end:
            yield Finding(
                (*where, "end"), "a pause ends after the end", stamp(pause.end), f"≤ {stamp(experiment.end)}"
            )
        floor = max(floor, pause.end)


def _weight_findings(experiment: Experiment) -> Iterator[Finding]:
    short = [position for position, variant in enumerate(experiment.variants) if variant.weight is not None]
    if experiment.phases:
        if experiment.traffic is not None:
            yield Finding(("traffic",), "traffic stands beside phases", rule="one of the two forms")
        for position in short:
            where: KeyPath = ("variants", position, "weight")
            yield Finding(where, "a weight stands beside phases", rule="one of the two forms")
    elif short and len(short) < len(experiment.variants):
        missing = next(number for number in range(len(experiment.variants)) if number not in short)
        yield Finding(
            ("variants", missing), "some variants have a weight and this one has none", rule="all or none"
        )
        return
    if experiment.layer is not None:
        yield from _layer_findings(experiment.layer)
    declared = [variant.id for variant in experiment.variants]
    if len(set(declared)) < len(declared):
        return
    yield from _sticky_findings(experiment)
    for position, phase in enumerate(experiment.history):
        here: KeyPath = ("phases", position, "weights") if experiment.phases else ("variants",)
        yield from _phase_findings(phase, here, declared)
        for number, leaf in enumerate(phase.leaves):
            yield from _phase_findings(leaf, ("phases", position, "leaves", number, "weights"), declared)


def _sticky_findings(experiment: Experiment) -> Iterator[Finding]:
    """What would move units that are to stay, or reach nobody because they stay."""
    if not experiment.sticky:
        return
    if experiment.type == "bandit":
        yield Finding(("sticky",), "a bandit's units move with its weights", rule="sticky: false")
    first = experiment.history[0]
    for position, (early, late) in enumerate(pairwise(experiment.history), start=1):
        where: KeyPath = ("phases", position)
        if (late.salts.traffic, late.salts.split) != (first.salts.traffic, first.salts.split):
            yield Finding(
                (*where, "salts"), "other salts move units that are to stay", rule="the first phase's"
            )
        widest = max(phase.traffic for phase in experiment.history[:position])
        stopped = {arm for arm in late.weights if late.weights[arm] == 0 < early.weights.get(arm, 0)}
        if late.weights != early.weights and late.traffic <= widest and not stopped:
            rule = f"traffic above {widest:g}, the widest so far"
            hint = "widen the traffic with the weights, or leave out sticky and let units move"
            yield Finding(
                (*where, "weights"), "sticky units stay, so the new weights reach nobody", "", rule, hint
            )


def _list_findings(experiment: Experiment) -> Iterator[Finding]:
    """What needs a hash, where a list says who is in which arm."""
    if experiment.assignment == "hash":
        return
    rule = f"assignment: hash, for with {experiment.assignment} a list says who is in which arm"
    if experiment.type == "bandit":
        yield Finding(("type",), "a list cannot follow a bandit's weights", experiment.type, rule)
    if experiment.sticky:
        yield Finding(("sticky",), "a list keeps every unit in its arm", rule=rule)
    if experiment.ramp is not None:
        yield Finding(("ramp",), "a list has no traffic to widen", rule=rule)
    if len(experiment.history) > 1 or experiment.history[0].traffic < 1:
        where = ("phases",) if experiment.phases else ("traffic",)
        yield Finding(where, "a list has neither phases nor a share of traffic", rule=rule)


def _phase_findings(phase: Phase | Leaf, where: KeyPath, declared: list[str]) -> Iterator[Finding]:
    known = True
    for arm in phase.weights:
        if arm not in declared:
            known = False
            rule = f"one of: {', '.join(declared)}"
            yield Finding(
                (*where, arm), "weight of an unknown variant", arm, rule, did_you_mean(arm, declared)
            )
    for arm in declared:
        if arm not in phase.weights:
            known = False
            yield Finding(
                where, f"variant '{arm}' has no weight", rule="a weight for every variant, 0 for none"
            )
    total = sum((exact(weight) for weight in phase.weights.values()), Decimal(0))
    equal_share = len(set(phase.weights.values())) == 1 and where == ("variants",)
    if known and abs(total - 1) > WEIGHT_TOLERANCE and not (equal_share and abs(total - 1) < Decimal("1e-6")):
        yield Finding(where, "weights do not sum to 1", f"{total.normalize():f}", "1", _way_out(phase, where))


def _way_out(phase: Phase | Leaf, where: KeyPath) -> str:
    """What to write in place of weights that sum to almost 1 or to something else."""
    if (
        max(phase.weights.values()) - min(phase.weights.values()) <= 0.011
    ):  # thirds, sixths, sevenths, rounded
        return (
            "`weights: equal` shares evenly"
            if where[0] == "phases"
            else "leave the weights out to share evenly"
        )
    *others, last = phase.weights
    rest = 1 - sum((exact(phase.weights[name]) for name in others), Decimal(0))
    return f"for example {last}: {rest.normalize():f}" if 0 <= rest <= 1 else ""


def _variant_findings(experiment: Experiment) -> Iterator[Finding]:
    counts = Counter(variant.id for variant in experiment.variants)
    for position, variant in enumerate(experiment.variants):
        if counts[variant.id] > 1:
            yield Finding(
                ("variants", position, "id"), "two variants have one id", variant.id, "an id of its own"
            )
        if variant.id in {"none", "any"}:
            yield Finding(
                ("variants", position, "id"),
                "the id is reserved for tests",
                variant.id,
                "any but none and any",
            )
    controls = [variant.id for variant in experiment.variants if variant.control]
    if len(controls) != 1:
        what = "no variant is the control" if not controls else "more than one variant is the control"
        yield Finding(("variants",), what, ", ".join(controls), "exactly one with control: true")
    for unit, arm in experiment.overrides.items():
        if arm not in counts:
            rule = f"one of: {', '.join(counts)}"
            hint = did_you_mean(arm, counts)
            yield Finding(("overrides", unit), "override to an unknown variant", arm, rule, hint)
    if experiment.shipped is not None and experiment.shipped not in counts:
        hint = did_you_mean(experiment.shipped, counts)
        yield Finding(
            ("shipped",), "unknown variant", experiment.shipped, f"one of: {', '.join(counts)}", hint
        )


def _layer_findings(layer: Layer) -> Iterator[Finding]:
    for _, _, low, high in layer.ranges:
        if low >= high:
            yield Finding(("layer",), "the layer's share is empty", f"{low:g} to {high:g}", "from < to")
    ends = [former.until for former in layer.history]
    if ends != sorted(set(ends)):
        yield Finding(
            ("layer", "history"), "former shares are out of order", rule="history by ascending until"
        )


def _segment_findings(experiment: Experiment) -> Iterator[Finding]:
    for position, segment in enumerate(experiment.segments):
        where: KeyPath = ("segments", position)
        if segment in experiment.segments[:position]:
            yield Finding(where, "a segment stands twice", segment, "once only", "take one of them away")
        elif not is_dimension(segment):
            rule = f"properties.<key> or one of: {', '.join(ATTRIBUTE_COLUMNS)}"
            yield Finding(
                where, "unknown segment", shown(segment), rule, did_you_mean(segment, ATTRIBUTE_COLUMNS)
            )


def is_dimension(name: str) -> bool:
    """Whether a name is a context column or ``properties.<key>`` with a plain key."""
    key = name.removeprefix("properties.")
    plain = key.isascii() and key.replace("_", "a").isalnum()
    return name in ATTRIBUTE_COLUMNS or (key != name and plain)


def _metric_findings(
    experiment: Experiment, metrics: Mapping[str, MetricDefinition], refused: Mapping[str, Problem]
) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    groups = {"primary": "primary", "secondary": "secondary", "guardrail": "guardrails"}
    counters: Counter[str] = Counter()
    for role, use in experiment.metric_uses:
        where: KeyPath = ("metrics", groups[role], counters[role])
        counters[role] += 1
        if use.metric in refused:
            why = refused[use.metric]
            yield Finding(
                where, "the metric is refused", use.metric, "a sound metric", f"{why.where}: {why.what}"
            )
        elif use.metric not in metrics:
            hint = did_you_mean(use.metric, metrics)
            yield Finding(where, "unknown metric", use.metric, "a metric of the dbt semantic layer", hint)
        if use.metric in seen:
            yield Finding(where, "the metric already has a role", use.metric, f"only {seen[use.metric]}")
        if use.non_inferiority_margin is not None and role != "guardrail":
            inner: KeyPath = (*where, "non_inferiority_margin")
            yield Finding(
                inner, "only a guardrail has a non-inferiority margin", use.metric, "a metric under guardrail"
            )
        known = metrics.get(use.metric)
        for key in ("minimum_effect", "non_inferiority_margin"):
            size = getattr(use, key)
            if size is not None and size.is_absolute and known and known.kind in SHARES and size.value >= 1:
                hint = "0.01 is one percentage point"
                yield Finding(
                    (*where, key, "absolute"),
                    "no share can change by so much",
                    f"{size.value:g}",
                    "< 1",
                    hint,
                )
        seen.setdefault(use.metric, role)
    poor = experiment.stopping.poor_performer
    if poor is not None and poor.metric not in seen:
        rule = f"one of: {', '.join(seen)}"
        path: KeyPath = ("stopping", "poor_performer", "metric")
        yield Finding(
            path, "not a metric of this experiment", poor.metric, rule, did_you_mean(poor.metric, seen)
        )


def _asked_findings(
    experiment: Experiment, project: Project, metrics: Mapping[str, MetricDefinition]
) -> Iterator[Finding]:
    """What a metric cannot do for this experiment."""
    alternative = experiment.plan.alternative or project.defaults.alternative
    for _, use in experiment.metric_uses:
        metric = metrics.get(use.metric)
        if metric is None:
            continue
        if metric.without_difference and alternative != "two_sided":
            what = f"the test of {metric.name} looks both ways"
            hint = f"judge {metric.name} in an experiment of its own, or compare means"
            yield Finding(
                ("plan", "alternative"), what, alternative, f"two_sided with test: {metric.test}", hint
            )
        if metric.conversion is not None and metric.conversion.unit != experiment.unit:
            what = f"{metric.name} converts per {metric.conversion.unit}"
            yield Finding(("unit",), what, experiment.unit, f"unit: {metric.conversion.unit}")


def _plan_findings(
    experiment: Experiment, project: Project, metrics: Mapping[str, MetricDefinition]
) -> Iterator[Finding]:
    """A test is more likely to find an effect than none, and some window closes before the plan concludes."""
    alpha = experiment.plan.alpha or project.defaults.alpha
    power = experiment.plan.power or project.defaults.power
    if power <= alpha:
        hint = "power: 0.8"
        yield Finding(
            ("plan", "power"), "the power is no more than the level", f"{power:g}", f"> alpha {alpha:g}", hint
        )
    stated = experiment.plan.max_duration
    longest = stated or project.defaults.max_duration
    if experiment.end is not None:
        planned = experiment.end - experiment.start
        # One that has ended may have run longer than was planned: that is history, not a contradiction.
        if stated is not None and stated < planned and experiment.status in {"draft", "running", "paused"}:
            yield Finding(
                ("plan", "max_duration"),
                "the plan concludes before the declared end",
                f"{duration_text(stated)} of the {duration_text(planned)} from start to end",
                "a declared end says how long the experiment lasts",
                "leave out max_duration, or set the end to when the plan shall conclude",
            )
        return
    for use in experiment.metrics.primary:
        window = metrics[use.metric].window_end if use.metric in metrics else None
        if window is not None and longest <= window:
            yield Finding(
                ("plan", "max_duration"),
                f"no window of {use.metric} closes before the plan concludes",
                f"{duration_text(longest)} for a window of {duration_text(window)}",
                "longer than the window of every primary metric",
                "give an end: windows are then awaited beyond it",
            )


def _test_findings(
    experiment: Experiment, project: Project, segments: Mapping[str, Condition]
) -> Iterator[Finding]:
    declared = [variant.id for variant in experiment.variants]
    for position, test in enumerate(experiment.tests):
        where: KeyPath = ("tests", position)
        if test.expect is None:
            # Decisions are tested by `analysis.judgement.examples`, which knows how they are reached.
            continue
        if test.expect not in {"none", "any", *declared}:
            rule = f"none, any, or one of: {', '.join(declared)}"
            yield Finding(
                (*where, "expect"), "unknown variant", test.expect, rule, did_you_mean(test.expect, declared)
            )
            continue
        if experiment.assignment != "hash" and test.expect in declared:
            hint = "`fairsplit assign` draws the list; a test can say who may be on it"
            yield Finding(
                (*where, "expect"),
                "a list says which variant, not the definition",
                test.expect,
                "any or none",
                hint,
            )
            continue
        if test.unit is None:
            if test.expect in declared:
                hint = "add `unit: <id>`, or expect any"
                yield Finding(
                    where, "a variant can only be expected of a unit", test.expect, "a test with a unit", hint
                )
            else:
                yield from targeting_test_findings(test, where, experiment.targeting, segments)
            continue
        got = eligible_variant(experiment, project, test.unit, test.attributes, segments, test.at)
        if test.expect != (got or "none") and not (test.expect == "any" and got):
            yield Finding(where, "the test fails", f"got {got or 'none'}", f"expected {test.expect}")


def targeting_test_findings(
    test: TargetingTest, where: KeyPath, targeting: Condition | None, segments: Mapping[str, Condition]
) -> Iterator[Finding]:
    """Whether attributes alone decide as the test expects (`none` or `any`)."""
    got = "any" if evaluate(targeting, test.attributes, segments, test.at) is True else "none"
    if test.expect != got:
        yield Finding(where, "the test fails", f"got {got}", f"expected {test.expect}")
