"""Measures: what one event is worth, with filters and sums of measures written out as one expression."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from math import lcm
from typing import TYPE_CHECKING, Any, Final, Literal

from fairsplit.analysis.catalogue.findings import Finding, shown
from fairsplit.analysis.catalogue.semantic_layer import mapping, measure_key_findings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairsplit.analysis.catalogue.derived import Form
    from fairsplit.analysis.catalogue.semantic_layer import Entry

AGGREGATIONS: Final = (
    "sum", "count", "count_distinct", "sum_boolean", "min", "max", "average", "median", "percentile",
)  # fmt: skip
#: Six decimals, as many as an event's value has: ±10¹⁰ of it squared stays exact in 128 bits.
MAX_SCALE: Final = 1_000_000
#: Columns that the models put beside a measure's own.
_TAKEN: Final = (
    "event_day", "occurred_at", "unit_type", "unit_id", "id_kind", "raw_id", "experiment_id", "window_start",
    "window_end", "is_post", "day", "exposed_at", "variant_id", "second_arm_at", "phase", "segments", "event_id",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SqlText:
    """SQL that a user wrote: one scalar expression over the columns of `stg_events`.

    Attributes:
        sql: The expression.
        where: File, line and field.
        wants: What it must give: anything, a number, or true and false.
    """

    sql: str
    where: str
    wants: Literal["any", "number", "boolean"]


@dataclass(frozen=True, slots=True)
class Measure:
    """What one event is worth: an SQL expression over the columns of `stg_events`, null where it does not count.

    Attributes:
        name: The measure's name in the semantic layer; with a filter, or of several measures, one with a hash.
        agg: sum, count or count_distinct.
        expr: SQL.
        scale: What a value is multiplied with to become an integer.
        texts: The users' texts in the expression.
    """

    name: str
    agg: str
    expr: str
    scale: int
    texts: tuple[SqlText, ...] = ()

    @property
    def facts(self) -> dict[str, Any]:
        """What a definition's hash knows of it."""
        return {"name": self.name, "agg": self.agg, "expr": self.expr, "scale": self.scale}


def measure_of(entry: Entry) -> tuple[Measure | None, str, list[Finding]]:
    """The measure of an entry, its aggregation as written, and what is wrong with it, relative to the entry."""
    findings = list(measure_key_findings(entry))
    name, agg = str(entry.data["name"]), str(entry.data.get("agg")).lower()
    if agg not in AGGREGATIONS:
        findings.append(
            Finding(("agg",), "unknown aggregation", shown(agg), f"one of: {', '.join(AGGREGATIONS)}")
        )
    if name in _TAKEN:
        findings.append(
            Finding(("name",), "the name is that of a column of the models", name, "another name")
        )
    expr = entry.data.get("expr")
    text = SqlText(
        name if expr is None else str(expr),
        entry.place("expr" if expr is not None else "name"),
        "number" if agg == "sum" else "boolean" if agg == "sum_boolean" else "any",
    )
    scale, fault = _scale(entry, agg)
    if fault is not None:
        findings.append(fault)
    if findings:
        return None, agg, findings
    if agg == "sum_boolean":
        return Measure(name, "count", f"case when ({text.sql}\n) then 1 end", 1, (text,)), agg, []
    return Measure(name, agg, text.sql, scale, (text,)), agg, []


def _scale(entry: Entry, agg: str) -> tuple[int, Finding | None]:
    where = ("config", "meta", "fairsplit", "scale")
    scale = mapping(entry.meta).get("scale", MAX_SCALE if agg == "sum" else 1)
    if not isinstance(scale, int) or isinstance(scale, bool) or not 1 <= scale <= MAX_SCALE:
        rule = f"a whole number from 1 to {MAX_SCALE}"
        return 1, Finding(where, "is not a scale", shown(scale), rule)
    if agg != "sum" and scale != 1:
        return 1, Finding(where, "what is counted has no decimals", str(scale), "scale only with agg: sum")
    return scale, None


def filtered(measure: Measure, conditions: Sequence[SqlText]) -> Measure:
    """The measure on the events for which all conditions hold."""
    if not conditions:
        return measure
    held = " and ".join(f"({condition.sql}\n)" for condition in conditions)
    return Measure(
        _named(measure.name, held),
        measure.agg,
        f"case when {held} then ({measure.expr}\n) end",
        measure.scale,
        (*measure.texts, *conditions),
    )


def summed(form: Form, measures: Mapping[str, Measure]) -> tuple[Measure, int]:
    """Σ coefficient · measure as one measure, and what its stored integers are divided by.

    Args:
        form: Without a constant.
        measures: Those that the form names; sums and counts.

    Raises:
        ValueError: The coefficients have more digits than the sums can hold.
    """
    if list(form.values()) == [1]:
        measure = measures[next(iter(form))]
        return measure, measure.scale
    shared = lcm(*(factor.denominator for factor in form.values()))
    factors = {name: int(factor * shared) for name, factor in form.items()}
    if shared > MAX_SCALE or any(abs(factor) > MAX_SCALE for factor in factors.values()):
        raise ValueError(f"a factor needs more than {len(str(MAX_SCALE)) - 1} digits")
    parts = [measures[name] for name in form]
    counts = " or ".join(f"({part.expr}\n) is not null" for part in parts)
    terms = " + ".join(f"({factors[part.name]}) * {_worth(part)}" for part in parts)
    scale = max(part.scale for part in parts)
    expr = f"case when {counts} then {terms} end"
    texts = tuple(dict.fromkeys(text for part in parts for text in part.texts))
    return Measure(_named("sum_of", expr), "sum", expr, scale, texts), scale * shared


def _worth(measure: Measure) -> str:
    """What an event adds, as an exact decimal."""
    if measure.agg == "count":
        return f"cast(({measure.expr}\n) is not null as decimal(38, 12))"
    return f"coalesce(cast(({measure.expr}\n) as decimal(38, 12)), 0)"


def _named(base: str, text: str) -> str:
    digest = hashlib.md5(re.sub(r"\s+", " ", text).encode(), usedforsecurity=False).hexdigest()
    return f"{base}_{digest[:8]}"
