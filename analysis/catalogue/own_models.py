"""Measures over a team's own dbt models: their columns as SQL over the events that a source makes of the rows.

A source says by `model` that its rows are those of a dbt model. What a measure says of the model's columns then holds
for the events of that source, and is computed from them as every other measure is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from fairsplit.analysis.catalogue.findings import Finding, did_you_mean
from fairsplit.analysis.catalogue.measures import Measure, SqlText
from fairsplit.analysis.catalogue.semantic_files import column_types
from fairsplit.analysis.catalogue.semantic_filters import FilterError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from fairsplit.analysis.catalogue.sources import Source

#: dbt's `data_type` of a column, by how it begins, to the type as which a property is read; others are text.
_TYPES: Final = (
    (("int", "bigint", "smallint", "tinyint", "integer"), "bigint"),
    (("decimal", "numeric", "number"), "decimal(38, 12)"),
    (("float", "double", "real"), "double"),
    (("bool",), "boolean"),
    (("timestamp", "datetime"), "timestamp"),
    (("date",), "date"),
)


@dataclass(frozen=True, slots=True)
class OwnModel:
    """The rows of a dbt model as events.

    Attributes:
        source: Id of the source that gives them.
        event_name: That of the events.
        time: The model's column that became `occurred_at`.
        mapped: Column in lower case → column of the event.
        kept: Column in lower case → SQL of the event's property.
        replaced: Writes an expression over a model's columns with each column, asked for by name, as other SQL; what
            is no expression stays as it is.
    """

    source: str
    event_name: str
    time: str
    mapped: dict[str, str]
    kept: dict[str, str]
    replaced: Callable[[str, Callable[[str], str]], str]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that an expression may name."""
        return tuple(sorted({*self.mapped, *self.kept}))

    def over_events(self, sql: str) -> str:
        """An expression over the model's columns as one over the columns of an event.

        Raises:
            FilterError: A column that the source does not give.
        """

        def written(name: str) -> str:
            # MetricFlow's `metric_time` has been written as this name already.
            known = {"occurred_at": "occurred_at"} | self.kept | self.mapped
            if name.lower() not in known:
                raise FilterError(self._no_column(name))
            return known[name.lower()]

        return self.replaced(sql, written)

    def measured(self, measure: Measure) -> tuple[Measure | None, list[Finding]]:
        """A measure over the model's columns as one over the source's events, or what is wrong with it."""
        try:
            texts = tuple(SqlText(self.over_events(one.sql), one.where, one.wants) for one in measure.texts)
            worth = self.over_events(measure.expr)
        except FilterError as error:
            return None, [replace(error.finding, path=("expr",))]
        expr = f"case when event_name = {_literal(self.event_name)} then ({worth}\n) end"
        return Measure(measure.name, measure.agg, expr, measure.scale, texts), []

    def _no_column(self, name: str) -> Finding:
        hint = did_you_mean(name, self.columns) or (
            f"name it in `properties` of source {self.source}, or declare it below `columns` of the model"
        )
        rule = f"one of: {', '.join(self.columns)}"
        return Finding((), f"is no column that source {self.source} gives", name, rule, hint)


@dataclass(frozen=True, slots=True)
class Rows:
    """Where the rows of a team's own models come from.

    Attributes:
        sources: The catalogue's, by id.
        replaced: Writes an expression with its columns as other SQL, as of `OwnModel`.
    """

    sources: Mapping[str, Source]
    replaced: Callable[[str, Callable[[str], str]], str]


def own_models(rows: Rows, dbt_project_dir: Path) -> dict[str, OwnModel]:
    """The models whose rows some source gives, by name; what their columns are is declared in the dbt project."""
    if not any(source.model for source in rows.sources.values()):
        return {}
    types = column_types(dbt_project_dir)
    found = {}
    for source in rows.sources.values():
        if source.model is None:
            continue
        declared = {name.lower(): (name, type_) for name, type_ in types.get(source.model, {}).items()}
        plain = {
            mapped.column.lower(): (event_column, mapped.column)
            for event_column, mapped in reversed(source.columns.items())
            if mapped.column is not None and mapped.values is None
        }
        kept = [name for name, _ in declared.values()] if source.properties == "*" else source.properties
        found[source.model] = OwnModel(
            source=source.id,
            event_name=source.event_of_model,
            time=next((name for column, name in plain.values() if column == "occurred_at"), ""),
            mapped={name: column for name, (column, _) in plain.items()},
            kept={
                name.lower(): _property(name, declared.get(name.lower(), ("", ""))[1])
                for name in kept
                if name.lower() not in plain
            },
            replaced=rows.replaced,
        )
    return found


def _property(name: str, data_type: str) -> str:
    path = '$."' + name.replace('"', "") + '"'
    text = f"json_extract_string(properties, {_literal(path)})"
    wanted = data_type.strip().lower()
    for beginnings, type_ in _TYPES:
        if wanted.startswith(beginnings):
            return f"try_cast({text} as {type_})"
    return text


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
