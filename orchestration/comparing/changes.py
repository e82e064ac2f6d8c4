"""What differs between two states of the definitions, and what is computed anew because of it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fairsplit.analysis.catalogue.hashing import experiment_hash
from fairsplit.assignment_exports.catalogue import export_catalogue
from fairsplit.assignment_exports.families import published_flags

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from pydantic import BaseModel

    from fairsplit.analysis.catalogue.experiment import Experiment
    from fairsplit.orchestration.catalogue.loading import Definitions


@dataclass(frozen=True, slots=True)
class Change:
    """One definition that differs.

    Attributes:
        kind: experiment, flag, segment, source or metric.
        name: Its id.
        state: Whether it is new, gone, other, or cannot be used any more.
        fields: The keys at the top that differ; of a broken one what is wrong.
    """

    kind: str
    name: str
    state: Literal["added", "removed", "changed", "broken"]
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Changes:
    """Everything that differs.

    Attributes:
        definitions: By kind and name.
        recomputed: Experiment → why all of its days are computed anew.
        exports: (SDK family, flag) → added, removed or changed.
    """

    definitions: tuple[Change, ...]
    recomputed: Mapping[str, str]
    exports: Mapping[tuple[str, str], str]


def changes_between(base: Definitions, head: Definitions, as_of: datetime) -> Changes:
    """Compare two states of the definitions.

    Args:
        base: What is compared with.
        head: What is to be.
        as_of: Naive UTC: exports are those of this instant, without what closed gates and automatic acts do.
    """
    definitions = [
        *_differing("experiment", base.catalogue.experiments, head.catalogue.experiments, head, _fields),
        *_differing("flag", base.catalogue.flags, head.catalogue.flags, head, _fields),
        *_differing("segment", base.catalogue.segments, head.catalogue.segments, head, _fields),
        *_differing("source", base.catalogue.sources, head.catalogue.sources, head, _fields),
        *_differing("metric", base.metrics, head.metrics, head, _fields_of_metric),
    ]
    return Changes(tuple(definitions), _recomputed(base, head), _exports(base, head, as_of))


def _differing(
    kind: str,
    before: Mapping[str, Any],
    now: Mapping[str, Any],
    head: Definitions,
    fields: Callable[[Any, Any], tuple[str, ...]],
) -> Iterator[Change]:
    for name in sorted({*before, *now}):
        if name not in now:
            problems = head.catalogue.broken.get(name) or (
                (head.refused_metrics[name],) if kind == "metric" and name in head.refused_metrics else ()
            )
            said = tuple(str(problem) for problem in problems)
            yield Change(kind, name, "broken" if said else "removed", said)
        elif name not in before:
            yield Change(kind, name, "added")
        elif differing := fields(before[name], now[name]):
            yield Change(kind, name, "changed", differing)


def _fields(before: BaseModel, now: BaseModel) -> tuple[str, ...]:
    then, here = (one.model_dump(mode="json", by_alias=True) for one in (before, now))
    return tuple(name for name in here if then.get(name) != here[name])


def _fields_of_metric(before: Any, now: Any) -> tuple[str, ...]:
    names = [name for name in now.__slots__ if name != "definition_hash"]
    differing = tuple(name for name in names if getattr(before, name) != getattr(now, name))
    return differing or (("expression",) if before.definition_hash != now.definition_hash else ())


def _recomputed(base: Definitions, head: Definitions) -> dict[str, str]:
    found = {}
    for name, experiment in head.catalogue.experiments.items():
        before = base.catalogue.experiments.get(name)
        if before is None:
            found[name] = "it is new"
        elif experiment_hash(before) != experiment_hash(experiment):
            found[name] = "its definition"
        elif metrics := _changed_metrics(experiment, base, head):
            found[name] = f"metric {', '.join(metrics)}"
        elif before.history != experiment.history:
            found[name] = "its phases"
    return found


def _changed_metrics(experiment: Experiment, base: Definitions, head: Definitions) -> list[str]:
    used = {use.metric for _, use in experiment.metric_uses} & base.metrics.keys() & head.metrics.keys()
    return sorted(
        name for name in used if base.metrics[name].definition_hash != head.metrics[name].definition_hash
    )


def _exports(base: Definitions, head: Definitions, as_of: datetime) -> dict[tuple[str, str], str]:
    with tempfile.TemporaryDirectory() as folder:
        before, now = (
            published_flags(export_catalogue(Path(folder, name), one.catalogue, as_of).path)
            for name, one in (("base", base), ("head", head))
        )
    return {
        key: "added" if key not in before else "removed" if key not in now else "changed"
        for key in sorted({*before, *now})
        if before.get(key) != now.get(key)
    }
