"""Metric definitions, read from the dbt project's semantic-layer YAML (the same files that dbt reads)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from fairsplit.analysis.catalogue.derived import NotASumError, Quotient, combine, divided, single
from fairsplit.analysis.catalogue.findings import Finding, did_you_mean, parse_model, shown
from fairsplit.analysis.catalogue.library import with_library
from fairsplit.analysis.catalogue.measures import Measure, SqlText, filtered, measure_of, summed
from fairsplit.analysis.catalogue.metric_definition import (
    STORED_SCALES,
    Conversion,
    MetricDefinition,
    MetricMeta,
    canonical_hash,
)
from fairsplit.analysis.catalogue.metric_rules import (
    KINDS,
    meta_findings,
    options_of,
    refused_agg,
    refused_type,
    tests_by_value,
)
from fairsplit.analysis.catalogue.own_models import own_models
from fairsplit.analysis.catalogue.semantic_files import SEMANTIC_FOLDER
from fairsplit.analysis.catalogue.semantic_filters import FilterError, filter_sql, filter_texts
from fairsplit.analysis.catalogue.semantic_layer import (
    mapping,
    metric_key_findings,
    read_semantic_yaml,
    unread_keys,
)
from fairsplit.analysis.catalogue.yaml_source import Document

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from fairsplit.analysis.catalogue.derived import Form
    from fairsplit.analysis.catalogue.library import Library
    from fairsplit.analysis.catalogue.own_models import Rows
    from fairsplit.analysis.catalogue.semantic_layer import Entry, SemanticYaml
    from fairsplit.analysis.catalogue.yaml_source import KeyPath
    from fairsplit.analysis.errors import Problem

__all__ = [
    "SEMANTIC_FOLDER",
    "Measure",
    "MetricDefinition",
    "MetricMeta",
    "SemanticLayer",
    "canonical_hash",
    "load_metrics",
    "read_semantic_layer",
]

_META: Final = ("config", "meta", "fairsplit")
_DEEPEST: Final = 10
_ENTITY_UNITS: Final = {"user_id": "user", "anonymous_id": "anonymous", "session_id": "session"}
_GRAINS: Final = {"second": "seconds", "minute": "minutes", "hour": "hours", "day": "days", "week": "weeks"}
_INPUT_REFUSALS: Final = {
    "offset_window": "an experiment compares arms, not times",
    "offset_to_grain": "an experiment compares arms, not times",
}
_MEASURE_REFUSALS: Final = {"alias": "leave it out: it names a column of MetricFlow's SQL alone"}


@dataclass(frozen=True, slots=True)
class SemanticLayer:
    """The semantic layer as experiments use it.

    Attributes:
        measures: The sound measures by name, those with a filter and sums of several among them.
        metrics: The sound metrics by name, sorted.
        problems: What is wrong with the others.
        refused: For each metric that is not sound, what is wrong with it first.
    """

    measures: Mapping[str, Measure]
    metrics: Mapping[str, MetricDefinition]
    problems: tuple[Problem, ...]
    refused: Mapping[str, Problem]


def read_semantic_layer(
    dbt_project_dir: Path, library: Library | None = None, rows: Rows | None = None
) -> SemanticLayer:
    """Read every metric that has `config.meta.fairsplit`, and the measures.

    Metrics without the meta are parts of others or belong to other tools, and are left alone.

    Args:
        dbt_project_dir: Folder of `dbt_project.yml`.
        library: Shipped metrics beside the project's.
        rows: Of the models that the project's measures are over, beside the accepted events.
    """
    text = read_semantic_yaml(dbt_project_dir, own_models(rows, dbt_project_dir) if rows else {})
    if library is not None:
        text = with_library(text, library)
    builder = _Builder(text)
    problems = [*text.problems, *builder.read_measures()]
    metrics: dict[str, MetricDefinition] = {}
    refused: dict[str, Problem] = {}
    for name, entry in sorted(text.metrics.items()):
        if entry.meta is None and mapping(entry.data.get("meta")).get("fairsplit") is None:
            continue
        try:
            metrics[name] = builder.metric(name, entry)
        except _RefusedError as error:
            problems += error.problems
            refused[name] = error.problems[0]
    return SemanticLayer(builder.measures, metrics, tuple(problems), refused)


def load_metrics(dbt_project_dir: Path) -> dict[str, MetricDefinition]:
    """The sound metrics, by name."""
    return dict(read_semantic_layer(dbt_project_dir).metrics)


class _RefusedError(Exception):
    """A metric that is not computed, with everything that is wrong with it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(str(problems[0]))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class _Condition:
    """One filter where it stands; which columns it means depends on the measure that it meets."""

    entry: Entry
    path: KeyPath
    text: str


@dataclass(slots=True)
class _Builder:
    """Metrics from their text. Measures that a metric makes, by filters or sums, are kept beside the declared ones."""

    text: SemanticYaml
    measures: dict[str, Measure] = field(default_factory=dict)
    _aggs: dict[str, str] = field(default_factory=dict)
    _faults: dict[str, list[Problem]] = field(default_factory=dict)

    def read_measures(self) -> list[Problem]:
        """Take the declared measures; what is wrong with those over events, whether or not a metric uses them."""
        problems = []
        for name, entry in self.text.measures.items():
            measure, self._aggs[name], findings = measure_of(entry)
            if measure is not None and entry.model is not None and entry.model.own is not None:
                measure, findings = entry.model.own.measured(measure)
            if measure is not None:
                self.measures[name] = measure
                continue
            self._faults[name] = [entry.problem(finding) for finding in findings]
            if entry.model is None or entry.model.over_events:
                # An aggregation that no metric of an experiment uses is another tool's.
                problems += self._faults[name]
        return problems

    def metric(self, name: str, entry: Entry) -> MetricDefinition:
        """The definition of a metric for experiments."""
        if entry.meta is None:
            hint = "write it as config: {meta: {fairsplit: ...}}"
            raise _refused(entry, Finding(("meta", "fairsplit"), "is read below config", hint=hint))
        meta = _read_meta(entry)
        type_ = entry.data.get("type")
        findings = [*metric_key_findings(entry), *meta_findings(meta, _META)]
        if refusal := refused_type(meta.kind, str(type_)):
            findings.append(Finding(("type",), refusal[0], shown(type_), hint=refusal[1]))
        if findings:
            raise _RefusedError([entry.problem(finding) for finding in findings])
        if type_ == "conversion":
            return self._conversion(name, entry, meta)
        conditions = self._conditions(entry, entry.data.get("filter"), ("filter",))
        funnel = tuple(self._step(entry, meta, position, conditions) for position in range(len(meta.funnel)))
        value = self._value(entry, meta.kind, (), 0)
        if value.is_ratio != (meta.kind == "ratio"):
            what = "the expression is a quotient" if value.is_ratio else "the expression is no quotient"
            hint = "kind: ratio" if value.is_ratio else "kind: count, mean, revenue or duration"
            raise _refused(entry, Finding((*_META, "kind"), what, meta.kind, hint=hint))
        numerator, scale_y = self._summed(entry, value.top)
        denominator, scale_d = self._summed(entry, value.bottom) if value.is_ratio else (None, 1)
        if funnel and numerator.name != funnel[-1]:
            raise _refused(
                entry,
                Finding(
                    ("type_params", "measure"),
                    "a funnel's measure is its last step",
                    numerator.name,
                    funnel[-1],
                ),
            )
        return self._definition(name, entry, meta, (numerator, denominator), (scale_y, scale_d), funnel)

    def _definition(
        self,
        name: str,
        entry: Entry,
        meta: MetricMeta,
        of: tuple[Measure, Measure | None],
        scales: tuple[int, int],
        funnel: tuple[str, ...] = (),
        conversion: Conversion | None = None,
    ) -> MetricDefinition:
        numerator, denominator = of
        start = timedelta(0)
        end = meta.window if isinstance(meta.window, timedelta) else None
        if meta.retention_day is not None:
            start, end = timedelta(days=meta.retention_day), timedelta(days=meta.retention_day + 1)
        used = [numerator, *([denominator] if denominator else [])]
        if conversion is not None and denominator is None:
            used.append(self.measures[conversion.base])
        facts = {
            "meta": meta.facts,
            "measures": [measure.facts for measure in used],
            "funnel": [self.measures[step].facts for step in funnel],
            "type": entry.data.get("type"),
            "type_params": entry.data.get("type_params"),
            "filter": entry.data.get("filter"),
        }
        return MetricDefinition(
            name=name,
            label=str(entry.data.get("label") or name),
            description=str(entry.data.get("description") or "").strip(),
            kind=meta.kind,
            unit=meta.unit,
            direction=meta.direction,
            window_start=start,
            window_end=end,
            cuped=meta.cuped,
            winsorize=meta.winsorize,
            percentile=meta.percentile,
            funnel=funnel,
            test=meta.statistic or meta.test or KINDS[meta.kind].tests[0],
            numerator=numerator.name,
            denominator=denominator.name if denominator else None,
            scale_y=STORED_SCALES.get(meta.kind, scales[0]),
            scale_d=scales[1],
            definition_hash=canonical_hash(facts),
            conversion=conversion,
        )

    def _value(self, entry: Entry, kind: str, outer: tuple[_Condition, ...], depth: int) -> Quotient:
        """What a metric's expression comes to, over measures on which every filter from outside in holds."""
        params, type_ = mapping(entry.data.get("type_params")), entry.data.get("type")
        conditions = (*outer, *self._conditions(entry, entry.data.get("filter"), ("filter",)))
        if depth > _DEEPEST:
            raise _refused(
                entry,
                Finding(
                    ("type_params",),
                    "metrics refer to one another in a circle",
                    rule="metrics of measures in the end",
                ),
            )
        if type_ == "simple":
            self._only(entry, params, ("measure",))
            return single(
                self._measure(entry, params.get("measure"), ("type_params", "measure"), kind, conditions)
            )
        if type_ == "ratio":
            self._only(entry, params, ("numerator", "denominator"))
            parts = [
                self._input(entry, params.get(part), ("type_params", part), kind, conditions, depth)[1]
                for part in ("numerator", "denominator")
            ]
            return self._arithmetic(entry, lambda: divided(*parts))
        if type_ == "derived":
            self._only(entry, params, ("expr", "metrics"))
            listed = params.get("metrics")
            if not isinstance(listed, list) or not listed:
                raise _refused(
                    entry,
                    Finding(
                        ("type_params", "metrics"), "must be a list of metrics", rule="metrics: [name, ...]"
                    ),
                )
            inputs = dict(
                self._input(entry, one, ("type_params", "metrics", position), kind, conditions, depth)
                for position, one in enumerate(listed)
            )
            expr = params.get("expr")
            if not isinstance(expr, str):
                raise _refused(entry, Finding(("type_params", "expr"), "must be text", shown(expr), "a / b"))
            return self._arithmetic(entry, lambda: combine(expr, inputs))
        hint = "a simple, ratio or derived metric"
        raise _refused(entry, Finding(("type",), "is no part of another metric", shown(type_), hint=hint))

    @staticmethod
    def _arithmetic(entry: Entry, compute: Any) -> Quotient:
        try:
            value: Quotient = compute()
        except NotASumError as error:
            hint = "sums of measures with factors, or one such sum over another, are computed"
            expr = mapping(entry.data.get("type_params")).get("expr", "")
            raise _refused(
                entry, Finding(("type_params", "expr"), f"is not computed: {error}", shown(expr), hint=hint)
            ) from error
        return value

    def _input(
        self,
        entry: Entry,
        part: Any,
        path: KeyPath,
        kind: str,
        conditions: tuple[_Condition, ...],
        depth: int,
    ) -> tuple[str, Quotient]:
        """A metric that another is made of, with the name by which the expression knows it."""
        node = {"name": part} if isinstance(part, str) else mapping(part)
        self._refuse(entry, list(unread_keys(node, path, ("name", "alias", "filter"), _INPUT_REFUSALS)))
        name = str(node.get("name"))
        inner = self.text.metrics.get(name)
        if inner is None:
            hint = did_you_mean(name, self.text.metrics)
            rule = "" if hint else f"a metric of {SEMANTIC_FOLDER}"
            raise _refused(entry, Finding(path, "unknown metric", shown(name), rule, hint))
        if inner.meta is not None:
            meta = _read_meta(inner)
            summed_kinds = [
                one for one, rule in KINDS.items() if "winsorize" in rule.options or one == "ratio"
            ]
            if meta.kind not in summed_kinds:
                what = f"a metric of kind {meta.kind} does not add up over events"
                raise _refused(
                    entry, Finding(path, what, name, f"a metric of kind {', '.join(summed_kinds)}")
                )
            if meta.winsorize is not None:
                hint = "name a metric of the same measure without winsorize"
                raise _refused(entry, Finding(path, "the cap of a part is not carried", name, hint=hint))
        own = self._conditions(entry, node.get("filter"), (*path, "filter"))
        return str(node.get("alias") or name), self._value(inner, kind, (*conditions, *own), depth + 1)

    def _measure(
        self, entry: Entry, part: Any, path: KeyPath, kind: str, conditions: Sequence[_Condition]
    ) -> str:
        """The name of a measure on the events for which the conditions hold."""
        node = {"name": part} if isinstance(part, str) else mapping(part)
        read = ("name", "filter", "join_to_timespine", "fill_nulls_with")
        self._refuse(entry, list(unread_keys(node, path, read, _MEASURE_REFUSALS)))
        for key, plain in (("join_to_timespine", False), ("fill_nulls_with", 0)):
            if node.get(key) is not None and node[key] != plain:
                hint = "leave it out: a unit without events counts as 0"
                raise _refused(
                    entry, Finding((*path, key), f"{key} is not computed", shown(node[key]), hint=hint)
                )
        name = str(node.get("name"))
        if name not in self.text.measures:
            hint = did_you_mean(name, self.text.measures)
            rule = "" if hint else f"a measure of {SEMANTIC_FOLDER}"
            raise _refused(entry, Finding(path, "unknown measure", shown(name), rule, hint))
        declared = self.text.measures[name]
        agg = self._aggs[name]
        if refusal := refused_agg(kind, agg):
            raise _refused(entry, Finding(path, refusal[0], name, hint=refusal[1]))
        if name in self._faults:
            raise _RefusedError(
                [
                    entry.problem(
                        Finding(
                            path,
                            "names a measure that is itself refused",
                            name,
                            hint=f"mend {self._faults[name][0].where}",
                        )
                    ),
                    *([] if declared.model is None or declared.model.over_events else self._faults[name]),
                ]
            )
        own = self._conditions(entry, node.get("filter"), (*path, "filter"))
        made = filtered(self.measures[name], [self._written(one, declared) for one in (*conditions, *own)])
        self.measures[made.name] = made
        return made.name

    @staticmethod
    def _written(condition: _Condition, measure: Entry) -> SqlText:
        if measure.model is None:
            raise _refused(
                condition.entry,
                Finding(condition.path, "the measure has no semantic model", rule="a measure of a model"),
            )
        own = measure.model.own
        try:
            sql = filter_sql(condition.text, measure.model)
            sql = own.over_events(sql) if own else sql
        except FilterError as error:
            raise _refused(condition.entry, replace(error.finding, path=condition.path)) from error
        return SqlText(sql, condition.entry.place(*condition.path), "boolean")

    def _step(self, entry: Entry, meta: MetricMeta, position: int, conditions: Sequence[_Condition]) -> str:
        return self._measure(entry, meta.funnel[position], (*_META, "funnel", position), "funnel", conditions)

    def _summed(self, entry: Entry, form: Form) -> tuple[Measure, int]:
        try:
            made, scale = summed(form, self.measures)
        except ValueError as error:
            raise _refused(
                entry,
                Finding(
                    ("type_params", "expr"),
                    f"is not computed: {error}",
                    hint="use another unit, or give the measure another scale",
                ),
            ) from error
        self.measures[made.name] = made
        return made, scale

    def _conversion(self, name: str, entry: Entry, meta: MetricMeta) -> MetricDefinition:
        """Events that follow others: https://docs.getdbt.com/docs/build/conversion."""
        self._only(entry, mapping(entry.data.get("type_params")), ("conversion_type_params",))
        path: KeyPath = ("type_params", "conversion_type_params")
        params = mapping(mapping(entry.data["type_params"]).get("conversion_type_params"))
        read = ("base_measure", "conversion_measure", "entity", "calculation", "window")
        refusals = {"constant_properties": "filter both measures by the property's values"}
        self._refuse(entry, list(unread_keys(params, path, read, refusals)))
        if entry.data.get("filter") is not None:
            hint = "filter base_measure or conversion_measure"
            raise _refused(
                entry, Finding(("filter",), "a conversion's filter belongs to one of its measures", hint=hint)
            )
        for option in (*options_of(meta), *tests_by_value(meta)):
            what = f"{option} is not honoured by type conversion"
            raise _refused(entry, Finding(_META, what, hint="leave it out"))
        calculation = params.get("calculation", "conversion_rate")
        kinds = {"conversion_rate": "ratio", "conversions": "count"}
        if not isinstance(calculation, str) or calculation not in kinds:
            rule = f"one of: {', '.join(kinds)}"
            raise _refused(
                entry, Finding((*path, "calculation"), "unknown calculation", shown(calculation), rule)
            )
        if meta.kind != kinds[calculation]:
            what = f"calculation {calculation} gives another kind"
            raise _refused(entry, Finding((*_META, "kind"), what, meta.kind, f"kind: {kinds[calculation]}"))
        base, converted = (
            self.measures[self._measure(entry, params.get(part), (*path, part), "funnel", ())]
            for part in ("base_measure", "conversion_measure")
        )
        conversion = Conversion(base.name, self._within(entry, params, path), self._unit(entry, params, path))
        rate = base if calculation == "conversion_rate" else None
        return self._definition(name, entry, meta, (converted, rate), (1, 1), conversion=conversion)

    def _unit(self, entry: Entry, params: Mapping[str, Any], path: KeyPath) -> str:
        measure = mapping(params.get("base_measure")).get("name", params.get("base_measure"))
        model = self.text.measures[str(measure)].model
        entities = model.entities if model else {}
        named = str(params.get("entity"))
        unit = _ENTITY_UNITS.get(model.event_column(entities.get(named, "")) if model else "")
        if unit is None:
            fitting = [one for one, sql in entities.items() if sql in _ENTITY_UNITS]
            what = "the entity is no kind of unit"
            raise _refused(entry, Finding((*path, "entity"), what, named, f"one of: {', '.join(fitting)}"))
        return unit

    @staticmethod
    def _within(entry: Entry, params: Mapping[str, Any], path: KeyPath) -> timedelta | None:
        window = params.get("window")
        if window is None:
            return None
        found = re.fullmatch(r"([1-9][0-9]{0,4})\s+([a-z]+?)s?", str(window).strip().lower())
        if found is None or found[2] not in _GRAINS:
            rule = f"a whole number and one of: {', '.join(_GRAINS)}"
            raise _refused(entry, Finding((*path, "window"), "is not a window", shown(window), rule))
        return timedelta(**{_GRAINS[found[2]]: int(found[1])})

    def _conditions(self, entry: Entry, value: Any, path: KeyPath) -> tuple[_Condition, ...]:
        try:
            return tuple(_Condition(entry, where, text) for where, text in filter_texts(value, path))
        except FilterError as error:
            raise _refused(entry, error.finding) from error

    def _only(self, entry: Entry, params: Mapping[str, Any], read: Collection[str]) -> None:
        self._refuse(entry, list(unread_keys(params, ("type_params",), read, {})))

    @staticmethod
    def _refuse(entry: Entry, findings: Sequence[Finding]) -> None:
        if findings:
            raise _RefusedError([entry.problem(finding) for finding in findings])


def _refused(entry: Entry, finding: Finding) -> _RefusedError:
    return _RefusedError([entry.problem(finding)])


def _read_meta(entry: Entry) -> MetricMeta:
    base = (*entry.path, *_META)
    lines = {
        path[len(base) :]: line for path, line in entry.document.lines.items() if path[: len(base)] == base
    }
    meta = parse_model(MetricMeta, Document(entry.document.name, entry.meta, lines))
    if isinstance(meta, list):
        raise _RefusedError(meta)
    return meta
