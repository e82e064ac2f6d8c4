"""MetricFlow's filters as SQL over one event: https://docs.getdbt.com/docs/build/metrics-overview#filters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fairsplit.analysis.catalogue.findings import Finding, did_you_mean, shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from fairsplit.analysis.catalogue.semantic_layer import Model
    from fairsplit.analysis.catalogue.yaml_source import KeyPath

_CALL = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_QUOTED = r"\s*(?:'([a-z0-9_]+)'|\"([a-z0-9_]+)\")\s*"
_OBJECT = re.compile(
    rf"\s*(Dimension|TimeDimension|Entity)\({_QUOTED}(?:,{_QUOTED})?\)(?:\.grain\({_QUOTED}\))?\s*"
)
_GRAINS = ("second", "minute", "hour", "day", "week", "month", "quarter", "year")
_RULE = (
    "{{ Dimension('<entity>__<dimension>') }}, {{ TimeDimension('<entity>__<dimension>', '<grain>') }} "
    "or {{ Entity('<entity>') }}"
)


class FilterError(Exception):
    """A filter, or an expression, that cannot be written as SQL over one event.

    Args:
        finding: What is wrong, without a path.
    """

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.what)
        self.finding = finding


def filter_texts(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """Each condition of a `filter` key, which may be one text or a list, with where it stands.

    Raises:
        FilterError: It is neither.
    """
    if value is None:
        return
    listed = value if isinstance(value, list) else [value]
    for position, text in enumerate(listed):
        if not isinstance(text, str) or not text.strip():
            raise FilterError(
                Finding(
                    path,
                    "must be a text, or a list of texts",
                    shown(value),
                    "a condition in SQL",
                    'as in `filter: "value > 1"`',
                )
            )
        yield (*path, position) if isinstance(value, list) else path, text


def filter_sql(text: str, model: Model) -> str:
    """The filter as SQL over the columns of an event.

    Raises:
        FilterError: It names what the measure's semantic model does not have, or needs more than one event.
    """
    sql = _CALL.sub(lambda found: f"({_column(found[1], model)})", text)
    if any(sign in sql for sign in ("{{", "}}", "{%", "{#")):
        raise FilterError(Finding((), "the filter is no plain condition", shown(text), _RULE))
    return sql


def _column(call: str, model: Model) -> str:
    found = _OBJECT.fullmatch(call)
    if found is None:
        raise FilterError(Finding((), "is not computed in a filter", shown(call.strip()), _RULE))
    kind, name, grain = found[1], found[2] or found[3], found[4] or found[5] or found[6] or found[7]
    if kind == "Entity":
        if name not in model.entities:
            hint = did_you_mean(name, model.entities)
            rule = f"an entity of {model.name}"
            raise FilterError(Finding((), "unknown entity in a filter", name, rule, hint))
        return model.entities[name]
    if name == "metric_time" and kind != "Entity":
        # MetricFlow's name for the time that all measures are aggregated by.
        return _at_grain("occurred_at", grain or "day")
    entity, _, dimension = name.rpartition("__")
    if dimension not in model.dimensions:
        hint = did_you_mean(dimension, model.dimensions)
        raise FilterError(
            Finding((), "unknown dimension in a filter", name, f"a dimension of {model.name}", hint)
        )
    if entity != model.primary:
        hint = f"write {model.primary}__{dimension}"
        raise FilterError(
            Finding(
                (),
                "a filter is on the event's own dimensions",
                name,
                "a dimension of the measure's model",
                hint,
            )
        )
    own_grain, sql = model.dimensions[dimension]
    if not own_grain:
        if grain or kind == "TimeDimension":
            rule = "a dimension of type time"
            raise FilterError(Finding((), "the dimension of a filter has no time", name, rule))
        return sql
    return _at_grain(sql, grain or own_grain)


def _at_grain(sql: str, grain: str) -> str:
    grain = grain.lower()
    if grain not in _GRAINS:
        raise FilterError(Finding((), "unknown grain in a filter", grain, f"one of: {', '.join(_GRAINS)}"))
    return f"date_trunc('{grain}', {sql})"
