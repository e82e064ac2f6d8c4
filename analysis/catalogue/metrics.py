"""Metric definitions, read from the dbt project's semantic-layer YAML (the same files that dbt reads)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer

from analysis.catalogue.fields import Items, Name, Strict, Text, parse_duration
from analysis.catalogue.findings import Finding, did_you_mean, parse_model, shown
from analysis.catalogue.yaml_source import Document, YamlFaultError, read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from analysis.catalogue.yaml_source import KeyPath
    from analysis.errors import Problem

SEMANTIC_FOLDER = "models/semantic"

Kind = Literal[
    "count",
    "proportion",
    "mean",
    "ratio",
    "revenue",
    "duration",
    "retention",
    "count_distinct",
    "percentile",
    "funnel",
    "time_to_conversion",
]
Test = Literal[
    "welch", "student", "z", "proportion", "ratio", "chi_square", "mann_whitney", "ks", "anova", "percentile"
]
Direction = Literal["increase", "decrease"]
_BY_EVENT = ("count_distinct", "funnel", "time_to_conversion")


def _parse_window(value: Any) -> Any:
    return value if value == "open" else parse_duration(value)


Window = Annotated[
    timedelta | Literal["open"], BeforeValidator(_parse_window), PlainSerializer(str, return_type=str)
]


class Winsorize(Strict):
    """Quantiles of the pooled arms at which unit values are capped."""

    lower: Annotated[float, Field(ge=0, lt=1)] = 0.0
    upper: Annotated[float, Field(gt=0, le=1)] = 1.0


class MetricMeta(Strict):
    """`config.meta.fairsplit` of a metric."""

    kind: Kind
    unit: Text
    direction: Direction
    window: Window
    retention_day: Annotated[int | None, Field(ge=0, le=365)] = None
    cuped: bool = False
    winsorize: Winsorize | None = None
    percentile: Annotated[float | None, Field(gt=0, lt=1)] = None
    funnel: Items[Name] = ()
    test: Test | None = None


@dataclass(frozen=True, slots=True)
class MetricDefinition:
    """What judgement and the scorecards need to know of one metric.

    Attributes:
        name: The metric's name in the semantic layer.
        label: For people.
        description: One sentence.
        kind: What the unit value is.
        unit: Unit of measurement of the value, for example ``USD per user``.
        direction: Which way is better.
        window_start: Offset from the exposure instant at which the half-open window begins.
        window_end: Offset at which it ends; none for an open window.
        cuped: Whether the pre-period measure is used as a covariate.
        winsorize: Quantiles of capping, or none.
        percentile: The quantile that the metric estimates, or none.
        funnel: Measures of the steps in order; empty unless a funnel.
        test: The test that compares arms.
        numerator: Measure of the unit value.
        denominator: Measure of a ratio's denominator, or none.
        scale_y: What the numerator's stored integers are divided by.
        scale_d: The same for the denominator.
        definition_hash: SHA-256 of everything that affects the numbers.
        covariate: What the covariate is called, where it is not the metric's own measure from before the exposure.
    """

    name: str
    label: str
    description: str
    kind: str
    unit: str
    direction: str
    window_start: timedelta
    window_end: timedelta | None
    cuped: bool
    winsorize: Winsorize | None
    percentile: float | None
    funnel: tuple[str, ...]
    test: str
    numerator: str
    denominator: str | None
    scale_y: int
    scale_d: int
    definition_hash: str
    covariate: str | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """What one event is worth: an SQL expression over the columns of `stg_events`, null where it does not count.

    Attributes:
        name: The measure's name in the semantic layer.
        agg: sum, count, min or count_distinct.
        expr: SQL.
        scale: What a value is multiplied with to become an integer.
    """

    name: str
    agg: str
    expr: str
    scale: int


@dataclass(frozen=True, slots=True)
class _Entry:
    data: Mapping[str, Any]
    document: Document
    path: KeyPath


_DEFAULT_TESTS = {
    "funnel": "proportion",
    "percentile": "percentile",
    "proportion": "proportion",
    "ratio": "ratio",
    "retention": "proportion",
    # A mean over the units that convert: time summed over them, divided by their number.
    "time_to_conversion": "ratio",
}


def load_metrics(dbt_project_dir: Path) -> dict[str, MetricDefinition]:
    """The sound metrics of `read_metrics`, by name."""
    return read_metrics(dbt_project_dir)[0]


def load_measures(dbt_project_dir: Path) -> dict[str, Measure]:
    """The sound measures of the semantic models, by name."""
    return _read(dbt_project_dir)[0]


def read_metrics(dbt_project_dir: Path) -> tuple[dict[str, MetricDefinition], list[Problem]]:
    """Read every metric that has `config.meta.fairsplit`.

    Args:
        dbt_project_dir: Folder of `dbt_project.yml`.

    Returns:
        The sound metrics sorted by name, and what is wrong with the others. Metrics without the meta are
        parts of ratios or belong to other tools, and are left alone.
    """
    measures, entries, problems = _read(dbt_project_dir)
    metrics: dict[str, MetricDefinition] = {}
    for name, entry in sorted(entries.items()):
        if _meta(entry.data) is None:
            continue
        found = _definition(name, entry, entries, measures)
        if isinstance(found, MetricDefinition):
            metrics[name] = found
        else:
            problems.extend(found)
    return metrics, problems


def _read(dbt_project_dir: Path) -> tuple[dict[str, Measure], dict[str, _Entry], list[Problem]]:
    problems: list[Problem] = []
    measures: dict[str, Measure] = {}
    entries: dict[str, _Entry] = {}
    folder = dbt_project_dir / SEMANTIC_FOLDER
    for path in sorted((*folder.rglob("*.yml"), *folder.rglob("*.yaml"))):
        try:
            document = read_yaml(path, path.relative_to(dbt_project_dir).as_posix())
        except YamlFaultError as error:
            problems.append(error.problem)
            continue
        _collect(document, measures, entries, problems)
    return measures, entries, problems


def _collect(
    document: Document, measures: dict[str, Measure], entries: dict[str, _Entry], problems: list[Problem]
) -> None:
    for path, model in _items(document, document.data, "semantic_models", (), problems):
        for inner, measure in _items(document, model, "measures", path, problems):
            found = _measure(measure, inner, measures)
            if isinstance(found, Finding):
                problems.append(found.problem(document))
            else:
                measures[found.name] = found
    for path, metric in _items(document, document.data, "metrics", (), problems):
        name = str(metric.get("name"))
        if name in entries:
            problems.append(Finding((*path, "name"), "a metric's name is used twice", name).problem(document))
            continue
        entries[name] = _Entry(metric, document, path)


def _items(
    document: Document, node: Any, key: str, path: KeyPath, problems: list[Problem]
) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    """The mappings of a list under a key; anything else there is a problem."""
    value = _mapping(node).get(key)
    if value is not None and not isinstance(value, list):
        problems.append(Finding((*path, key), "must be a list").problem(document))
        return
    for position, item in enumerate(value or ()):
        where = (*path, key, position)
        if isinstance(item, dict):
            yield where, item
        else:
            problems.append(Finding(where, "must be a mapping of keys to values").problem(document))


def _measure(node: Mapping[str, Any], path: KeyPath, measures: Mapping[str, Measure]) -> Measure | Finding:
    name = str(node.get("name"))
    if name in measures:
        return Finding((*path, "name"), "a measure's name is used twice", name)
    scale = _mapping(_meta(node)).get("scale", 1)
    if not isinstance(scale, int) or isinstance(scale, bool) or scale < 1:
        where = (*path, "config", "meta", "fairsplit", "scale")
        return Finding(where, "is not a scale", shown(scale), "a whole number ≥ 1")
    return Measure(name, str(node.get("agg")), str(node.get("expr", name)), scale)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _meta(node: Mapping[str, Any]) -> Any:
    return _mapping(_mapping(node.get("config")).get("meta")).get("fairsplit")


def _definition(
    name: str, entry: _Entry, entries: Mapping[str, _Entry], measures: Mapping[str, Measure]
) -> MetricDefinition | list[Problem]:
    base = (*entry.path, "config", "meta", "fairsplit")
    lines = {
        path[len(base) :]: line for path, line in entry.document.lines.items() if path[: len(base)] == base
    }
    meta = parse_model(MetricMeta, Document(entry.document.name, _meta(entry.data), lines))
    if isinstance(meta, list):
        return meta
    used, missing = _measures_of(entry.data, entries, measures, depth=0)
    problems = [
        Finding(
            (*entry.path, "type_params"),
            "unknown measure or metric",
            word,
            hint=did_you_mean(word, (*measures, *entries)),
        ).problem(entry.document)
        for word in missing
    ]
    problems += [finding.problem(entry.document) for finding in _meta_findings(meta, base, measures)]
    if not used and not problems:
        problems.append(Finding((*entry.path, "type_params"), "names no measure").problem(entry.document))
    if problems:
        return problems
    is_ratio = entry.data.get("type") == "ratio"
    numerator, denominator = used[0], used[1] if is_ratio and len(used) > 1 else None
    start = timedelta(0)
    end = meta.window if isinstance(meta.window, timedelta) else None
    if meta.retention_day is not None:
        start, end = timedelta(days=meta.retention_day), timedelta(days=meta.retention_day + 1)
    facts = {
        "meta": meta.model_dump(mode="json"),
        "measures": [asdict(measure) for measure in used],
        "funnel": [asdict(measures[step]) for step in meta.funnel],
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
        funnel=meta.funnel,
        test=meta.test or ("ratio" if is_ratio else _DEFAULT_TESTS.get(meta.kind, "welch")),
        numerator=numerator.name,
        denominator=denominator.name if denominator else None,
        scale_y=numerator.scale,
        scale_d=denominator.scale if denominator else 1,
        definition_hash=canonical_hash(facts),
    )


def _meta_findings(meta: MetricMeta, base: KeyPath, measures: Mapping[str, Measure]) -> list[Finding]:
    findings = []
    if meta.kind == "percentile" and meta.percentile is None:
        findings.append(Finding(base, "a percentile metric says no percentile", rule="percentile: 0.9"))
    if meta.kind == "retention" and meta.retention_day is None:
        findings.append(Finding(base, "a retention metric says no day", rule="retention_day: 7"))
    if meta.kind == "funnel" and len(meta.funnel) < 2:
        findings.append(Finding(base, "a funnel has fewer than two steps", rule="funnel: [first, second, …]"))
    for position, step in enumerate(meta.funnel):
        if step not in measures:
            hint = did_you_mean(step, measures)
            findings.append(Finding((*base, "funnel", position), "unknown measure", step, hint=hint))
    if meta.window == "open" and meta.kind in _BY_EVENT:
        rule = "a fixed window such as 7d: an open one is summed day by day, and this kind is no sum"
        findings.append(Finding((*base, "window"), f"a {meta.kind} metric has an open window", "open", rule))
    if meta.winsorize is not None and meta.winsorize.lower >= meta.winsorize.upper:
        findings.append(Finding((*base, "winsorize"), "the quantiles are reversed", rule="lower < upper"))
    return findings


def _measures_of(
    metric: Mapping[str, Any], entries: Mapping[str, _Entry], measures: Mapping[str, Measure], depth: int
) -> tuple[list[Measure], list[str]]:
    """The measures behind a metric in order (numerator first), and the words that name nothing."""
    params = _mapping(metric.get("type_params"))
    conversion = _mapping(params.get("conversion_type_params"))
    others = params.get("metrics")
    words = [
        _named(part)
        for part in (
            params.get("measure"),
            params.get("numerator"),
            params.get("denominator"),
            *(others if isinstance(others, list) else ()),
            conversion.get("conversion_measure"),
            conversion.get("base_measure"),
        )
        if part is not None
    ]
    found: list[Measure] = []
    missing: list[str] = []
    for word in words:
        if word in measures:
            found.append(measures[word])
        elif word in entries and depth < 10:
            inner, unknown = _measures_of(entries[word].data, entries, measures, depth + 1)
            found += inner[:1]
            missing += unknown
        else:
            missing.append(word)
    return found, missing


def _named(part: Any) -> str:
    return str(part.get("name")) if isinstance(part, dict) else str(part)


def canonical_hash(facts: Any) -> str:
    """SHA-256 of the facts as JSON with sorted keys and no spaces."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
