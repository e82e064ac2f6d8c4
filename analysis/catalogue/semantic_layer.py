"""The semantic layer's YAML of the dbt project: the keys that are read, and those that are refused with a way out.

These are the files that dbt reads. A key that dbt knows and Fairsplit does not compute is refused where it stands;
whatever has no part in a metric with `config.meta.fairsplit` belongs to other tools and is left alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.catalogue.findings import Finding, did_you_mean, shown
from fairsplit.analysis.catalogue.semantic_files import semantic_files
from fairsplit.analysis.catalogue.yaml_source import Document, YamlFaultError, read_yaml

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from fairsplit.analysis.catalogue.own_models import OwnModel
    from fairsplit.analysis.catalogue.yaml_source import KeyPath
    from fairsplit.analysis.errors import Problem

EVENTS_MODEL = "stg_events"

#: dbt's rule for names: https://docs.getdbt.com/docs/build/semantic-models
_NAME = re.compile(r"(?!.*__)[a-z][a-z0-9_]*[a-z0-9]")
_NAME_RULE = "lower-case letters, digits and single _, beginning with a letter"
_CONFIG_KEYS = ("meta", "enabled", "group", "tags")
_MODEL_KEYS = (
    "name", "model", "description", "label", "config", "defaults", "entities", "dimensions", "measures",
    "primary_entity",
)  # fmt: skip
_MEASURE_KEYS = (
    "name",
    "agg",
    "expr",
    "description",
    "label",
    "config",
    "create_metric",
    "agg_time_dimension",
)
_METRIC_KEYS = ("name", "label", "description", "type", "type_params", "filter", "config", "meta", "tags")
_MEASURE_REFUSALS = {
    "non_additive_dimension": "sum events, such as changes of the balance in place of the balance",
    "agg_params": "use agg: sum with kind: percentile, which is over units",
}
_METRIC_REFUSALS = {"time_granularity": "leave it out: an experiment's values are by unit, not by time"}


@dataclass(frozen=True, slots=True)
class Model:
    """What a semantic model says of its rows.

    Attributes:
        name: Its name.
        of: The dbt model that it describes; its rows are the accepted events where that is `stg_events`.
        own: The team's own model of that name, as a source gives its rows; none where no source does.
        dimensions: Name to type and SQL of each dimension.
        entities: Name to SQL of each entity.
        primary: The entity by which filters name its dimensions; empty without one.
        time: The time dimension of measures that name none.
    """

    name: str
    of: str
    own: OwnModel | None
    dimensions: Mapping[str, tuple[str, str]]
    entities: Mapping[str, str]
    primary: str
    time: str

    @property
    def over_events(self) -> bool:
        """Whether its rows become events, as each measure of an experiment needs."""
        return self.of == EVENTS_MODEL or self.own is not None

    def at(self, time: str) -> str:
        """The column, or the event's column, that a time dimension stands for."""
        return self.event_column(self.dimensions.get(time, ("", time))[1])

    def event_column(self, column: str) -> str:
        """The event's column that a column of the model became."""
        return column if self.own is None else self.own.mapped.get(column.lower(), column)


@dataclass(frozen=True, slots=True)
class Entry:
    """A measure or metric as it stands in its file.

    Attributes:
        data: Its keys.
        document: The file.
        path: Where it stands.
        model: The semantic model of a measure.
    """

    data: Mapping[str, Any]
    document: Document
    path: KeyPath
    model: Model | None = None

    @property
    def meta(self) -> Any:
        """`config.meta.fairsplit`; none where the entry is not for experiments."""
        return meta_of(self.data)

    def problem(self, finding: Finding) -> Problem:
        """A finding below the entry, with file and line."""
        return Finding(
            (*self.path, *finding.path), finding.what, finding.value, finding.rule, finding.hint
        ).problem(self.document)

    def place(self, *path: str | int) -> str:
        """File, line and field of something below the entry."""
        return self.document.place((*self.path, *path))


@dataclass(frozen=True, slots=True)
class SemanticYaml:
    """All measures and metrics by name, and what cannot be read."""

    measures: Mapping[str, Entry]
    metrics: Mapping[str, Entry]
    problems: tuple[Problem, ...]


def read_semantic_yaml(dbt_project_dir: Path, own: Mapping[str, OwnModel]) -> SemanticYaml:
    """Every measure and metric of the dbt project's semantic layer; what dbt has switched off is left out.

    Args:
        dbt_project_dir: Folder of `dbt_project.yml`.
        own: The team's own models whose rows some source gives, by name.
    """
    problems: list[Problem] = []
    measures: dict[str, Entry] = {}
    metrics: dict[str, Entry] = {}
    for file in semantic_files(dbt_project_dir):
        try:
            document = read_yaml(file.path, file.name)
        except YamlFaultError as error:
            problems.append(error.problem)
            continue
        for where, node in _items(document, document.data, "semantic_models", (), problems):
            if mapping(node.get("config")).get("enabled") is False:
                continue
            problems += [finding.problem(document) for finding in _model_findings(node, where)]
            model = _model(node, own)
            for inner, measure in _items(document, node, "measures", where, problems):
                _keep(Entry(measure, document, inner, model), "measure", measures, problems)
                if measure.get("create_metric") is True:
                    made = {"name": measure.get("name"), "type": "simple", "label": "", "type_params": {
                        "measure": measure.get("name")}}  # fmt: skip
                    _keep(Entry(made, document, inner), "metric", metrics, problems)
        for where, node in _items(document, document.data, "metrics", (), problems):
            _keep(Entry(node, document, where), "metric", metrics, problems)
    return SemanticYaml(measures, metrics, tuple(problems))


def meta_of(node: Mapping[str, Any]) -> Any:
    """`config.meta.fairsplit` of a node."""
    return mapping(mapping(node.get("config")).get("meta")).get("fairsplit")


def mapping(value: Any) -> Mapping[str, Any]:
    """The value where it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def is_off(entry: Entry) -> bool:
    """Whether dbt leaves the entry out."""
    return mapping(entry.data.get("config")).get("enabled") is False


def unread_keys(
    node: Mapping[str, Any], path: KeyPath, read: Collection[str], refused: Mapping[str, str]
) -> Iterator[Finding]:
    """Keys with a value that nobody reads: refused with a way out, or unknown."""
    for key, value in node.items():
        if key in read or value is None:
            continue
        if key in refused:
            yield Finding(
                (*path, key),
                f"{key} is not computed",
                shown(value),
                f"one of: {', '.join(sorted(read))}",
                refused[key],
            )
        else:
            rule = f"one of: {', '.join(sorted(read))}"
            yield Finding((*path, key), f"unknown key '{shown(key)}'", "", rule, did_you_mean(key, read))


def metric_key_findings(entry: Entry) -> Iterator[Finding]:
    """What is wrong with a metric's own keys, relative to it."""
    yield from unread_keys(entry.data, (), _METRIC_KEYS, _METRIC_REFUSALS)
    yield from _config_findings(entry.data)
    if "label" not in entry.data:
        yield Finding(("label",), "key 'label' is missing", rule="a text, which dbt requires")
    for key in ("label", "description"):
        if not isinstance(entry.data.get(key, ""), str):
            yield Finding((key,), "must be text", shown(entry.data[key]), "one text")
    if not isinstance(entry.data.get("type_params"), dict):
        yield Finding(("type_params",), "must be a mapping of keys to values", rule="as of the metric's type")


def measure_key_findings(entry: Entry) -> Iterator[Finding]:
    """What is wrong with a measure's own keys, relative to it."""
    yield from unread_keys(entry.data, (), _MEASURE_KEYS, _MEASURE_REFUSALS)
    yield from _config_findings(entry.data)
    model = entry.model
    if model is not None and not model.over_events:
        yield Finding(
            (),
            "the measure is not over the accepted events",
            f"semantic model {model.name}",
            f"model: ref('{EVENTS_MODEL}')",
            f"a source of the catalogue with `model: {model.of}` makes events of the model's rows",
        )
    time = entry.data.get("agg_time_dimension") or (model.time if model else "")
    if time and (model.at(str(time)) if model else time) != "occurred_at":
        yield Finding(
            ("agg_time_dimension",),
            "events count by the time they occurred at",
            shown(time),
            model.own.time if model and model.own else "occurred_at",
        )
    if not isinstance(entry.data.get("expr", ""), str | int | float | None):
        yield Finding(("expr",), "must be text", shown(entry.data["expr"]), "an expression in SQL")
    meta = meta_of(entry.data)
    yield from unread_keys(mapping(meta), ("config", "meta", "fairsplit"), ("scale",), {})


def _config_findings(node: Mapping[str, Any]) -> Iterator[Finding]:
    yield from unread_keys(mapping(node.get("config")), ("config",), _CONFIG_KEYS, {})


def _model_findings(node: Mapping[str, Any], path: KeyPath) -> Iterator[Finding]:
    yield from unread_keys(node, path, _MODEL_KEYS, {})
    yield from unread_keys(mapping(node.get("defaults")), (*path, "defaults"), ("agg_time_dimension",), {})


def model_of(node: Mapping[str, Any]) -> str:
    """The dbt model that a semantic model describes: what its `ref` names."""
    text = re.sub(r"[\s\"']", "", str(node.get("model", f"ref({EVENTS_MODEL})")))
    return text.removeprefix("ref(").removesuffix(")").rpartition(",")[2] if text.startswith("ref(") else text


def _model(node: Mapping[str, Any], own: Mapping[str, OwnModel]) -> Model:
    entities = [mapping(one) for one in _list(node.get("entities"))]
    dimensions = [mapping(one) for one in _list(node.get("dimensions"))]
    primary = next((str(one.get("name")) for one in entities if one.get("type") == "primary"), "")
    of = model_of(node)
    return Model(
        name=str(node.get("name")),
        of=of,
        own=own.get(of),
        dimensions={
            str(one.get("name")): (_dimension_type(one), str(one.get("expr") or one.get("name")))
            for one in dimensions
        },
        entities={str(one.get("name")): str(one.get("expr") or one.get("name")) for one in entities},
        primary=str(node.get("primary_entity") or primary),
        time=str(mapping(node.get("defaults")).get("agg_time_dimension") or ""),
    )


def _dimension_type(node: Mapping[str, Any]) -> str:
    """The grain of a time dimension, else nothing."""
    if node.get("type") != "time":
        return ""
    return str(mapping(node.get("type_params")).get("time_granularity") or "day").lower()


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _keep(entry: Entry, what: str, known: dict[str, Entry], problems: list[Problem]) -> None:
    if is_off(entry):
        return
    name = entry.data.get("name")
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        problems.append(entry.problem(Finding(("name",), f"is no name of a {what}", shown(name), _NAME_RULE)))
    elif name in known:
        problems.append(
            entry.problem(Finding(("name",), f"a {what}'s name is used twice", name, "a name of its own"))
        )
    else:
        known[name] = entry


def _items(
    document: Document, node: Any, key: str, path: KeyPath, problems: list[Problem]
) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    """The mappings of a list under a key; anything else there is a problem."""
    value = mapping(node).get(key)
    if value is not None and not isinstance(value, list):
        problems.append(
            Finding((*path, key), "must be a list", rule="items that begin with `- `").problem(document)
        )
        return
    for position, item in enumerate(value or ()):
        where = (*path, key, position)
        if isinstance(item, dict):
            yield where, item
        else:
            problems.append(
                Finding(where, "must be a mapping of keys to values", rule="lines of `key: value`").problem(
                    document
                )
            )
