"""Shipped metrics that a project takes by name, beside its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.catalogue.findings import did_you_mean
from fairsplit.analysis.catalogue.semantic_layer import SemanticYaml, mapping, meta_of, read_semantic_yaml
from fairsplit.analysis.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from fairsplit.analysis.catalogue.semantic_layer import Entry


@dataclass(frozen=True, slots=True)
class Library:
    """The shipped metrics that a project takes.

    Attributes:
        folder: The shipped dbt project.
        names: The metrics' names; with them comes what they are made of.
        where: Where they are named.
    """

    folder: Path
    names: tuple[str, ...]
    where: str


def with_library(own: SemanticYaml, library: Library) -> SemanticYaml:
    """A project's own measures and metrics, and beside them shipped metrics with what they are made of.

    Args:
        own: The project's.
        library: The shipped ones.
    """
    shipped = read_semantic_yaml(library.folder, {})
    problems = list(own.problems)
    measures, metrics = dict(own.measures), dict(own.metrics)
    for name in library.names:
        if name not in shipped.metrics:
            hint = did_you_mean(name, shipped.metrics) or "docs/definitions.md lists them"
            rule = "the name of a shipped metric"
            problems.append(Problem("is no metric that is shipped", library.where, name, rule, hint))
    for name in sorted(parts_of(shipped, library.names)):
        if name in shipped.metrics and name not in own.metrics:
            metrics[name] = shipped.metrics[name]
        elif name in shipped.metrics:
            hint = "another name for it, or leave it out of the library"
            place = own.metrics[name].place()
            problems.append(
                Problem("a metric of the library has the name too", place, name, "a name of its own", hint)
            )
        elif name not in own.measures:
            measures[name] = shipped.measures[name]
        elif _worth(own.measures[name]) != _worth(shipped.measures[name]):
            hint = "another name for it: metrics of the library are made of theirs"
            place = own.measures[name].place()
            problems.append(
                Problem("a measure of the library has the name too", place, name, "a name of its own", hint)
            )
    return SemanticYaml(measures, metrics, tuple(problems))


def parts_of(shipped: SemanticYaml, names: Sequence[str]) -> set[str]:
    """The metrics of these names, and all metrics and measures that they are made of; unknown names are left out."""
    found: set[str] = set()
    waiting = [name for name in names if name in shipped.metrics]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            entry = shipped.metrics.get(name)
            said = (
                (entry.data.get("type_params"), mapping(meta_of(entry.data)).get("funnel")) if entry else ()
            )
            waiting += [text for text in _texts(said) if text in shipped.metrics or text in shipped.measures]
    return found


def _worth(entry: Entry) -> tuple[Any, ...]:
    model = entry.model.of if entry.model else ""
    return model, entry.data.get("agg"), entry.data.get("expr"), entry.data.get("config")


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, Mapping):
        for value in node.values():
            yield from _texts(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _texts(value)
