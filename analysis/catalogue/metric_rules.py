"""What each kind of metric can be asked for: one table of kind × aggregation, test and option.

Whatever is not in the table is refused when a definition is read, in these words; nothing is left unread.
`docs/definitions.md` shows the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fairsplit.analysis.catalogue.findings import Finding
from fairsplit.analysis.catalogue.part_checks import refused_part
from fairsplit.analysis.parts.installed import is_custom

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairsplit.analysis.catalogue.metric_definition import MetricMeta
    from fairsplit.analysis.catalogue.yaml_source import KeyPath

SUMMED: Final = ("sum", "count", "sum_boolean")
_EVENTS: Final = ("count", "sum_boolean")
RANKS: Final = ("mann_whitney", "ks")
#: Kinds whose unit value is 0 or 1.
SHARES: Final = ("proportion", "retention", "funnel")
OPTIONS: Final = ("cuped", "winsorize", "window: open", "percentile", "funnel", "retention_day")


@dataclass(frozen=True, slots=True)
class KindRule:
    """What one kind computes.

    Attributes:
        value: The unit's value, in words.
        types: Types of dbt's metrics that give it.
        aggs: Aggregations of its measures.
        tests: Tests that compare arms; the first is used where none is given.
        options: Options that are honoured.
    """

    value: str
    types: tuple[str, ...]
    aggs: tuple[str, ...]
    tests: tuple[str, ...]
    options: tuple[str, ...]


def _sum_of(what: str) -> KindRule:
    return KindRule(
        what,
        ("simple", "derived"),
        SUMMED,
        ("welch", *RANKS),
        ("cuped", "winsorize", "window: open"),
    )


_SHARE: Final = ("proportion", "welch", "z")

KINDS: Final[dict[str, KindRule]] = {
    "count": KindRule(
        "the sum of the measure; with type conversion, how many conversions followed",
        ("simple", "derived", "conversion"),
        SUMMED,
        ("welch", *RANKS),
        ("cuped", "winsorize", "window: open"),
    ),
    "mean": _sum_of("the sum of the measure"),
    "revenue": _sum_of("the sum of the measure"),
    "duration": _sum_of("the sum of the measure"),
    "proportion": KindRule(
        "1 where the measure sums to more than 0, else 0",
        ("simple",),
        SUMMED,
        (*_SHARE, *RANKS),
        ("cuped", "window: open"),
    ),
    "retention": KindRule(
        "the same on one day after exposure",
        ("simple",),
        SUMMED,
        (*_SHARE, *RANKS),
        ("cuped", "retention_day"),
    ),
    "funnel": KindRule("1 where all steps came in order, else 0", ("simple",), _EVENTS, _SHARE, ("funnel",)),
    "count_distinct": KindRule(
        "the distinct values of the measure", ("simple",), ("count_distinct",), ("welch",), ()
    ),
    "percentile": KindRule(
        "the sum of the measure; arms by a quantile of it, zeros included",
        ("simple", "derived"),
        SUMMED,
        ("percentile",),
        ("percentile",),
    ),
    "time_to_conversion": KindRule(
        "the time to the first event, over the units that have one", ("simple",), _EVENTS, ("ratio",), ()
    ),
    "custom": KindRule(
        "the sum of the measure; arms by a statistic of its distribution that a custom part computes",
        ("simple", "derived"),
        SUMMED,
        ("statistic",),
        (),
    ),
    "ratio": KindRule(
        "numerator and denominator; arms by the quotient of their sums",
        ("ratio", "derived", "conversion"),
        SUMMED,
        ("ratio",),
        ("cuped", "window: open"),
    ),
}

_UNKNOWN_TESTS: Final = {
    "student": ("Welch's test holds for equal variances too", "test: welch"),
    "anova": ("each arm is compared with the control, and the plan corrects for their number", "test: welch"),
    "chi_square": ("of two arms it is the square of the pooled z-test", "test: z on a share of units"),
}

_AGG_HINTS: Final = {
    "count_distinct": "kind: count_distinct counts the distinct values of each unit",
    "min": "a unit without events has none; count the events beyond a bound, or use kind: percentile over units",
    "max": "a unit without events has none; count the events beyond a bound, or use kind: percentile over units",
    "average": "use type: ratio of a sum and a count, which weighs every event alike",
    "median": "use agg: sum with kind: percentile, percentile: 0.5, which is over units",
    "percentile": "use agg: sum with kind: percentile, which is over units",
}
_OPTION_WAYS: Final = {
    "cuped": "leave cuped out",
    "winsorize": "winsorize a metric of a sum (kind: count, mean, revenue or duration)",
    "window: open": "give a fixed window such as 7d",
    "percentile": "kind: percentile",
    "funnel": "kind: funnel",
    "retention_day": "kind: retention",
}
#: Options that do not go together, and why.
PAIRS: Final[dict[tuple[str, str], str]] = {
    ("winsorize", "window: open"): "caps need the values of closed windows",
}
#: Tests that leave an option unread, and why.
TEST_OPTIONS: Final[dict[tuple[str, str], str]] = {
    **{(test, "cuped"): "ranks have no covariate" for test in RANKS},
    **{(test, "winsorize"): "ranks hardly feel the largest values" for test in RANKS},
    **{(test, "window: open"): "distributions need the values of closed windows" for test in RANKS},
    ("z", "cuped"): "the pooled z-test has no covariate",
}


def options_of(meta: MetricMeta) -> tuple[str, ...]:
    """The options of the table that a definition uses."""
    used = {
        "cuped": meta.cuped,
        "winsorize": meta.winsorize is not None,
        "window: open": meta.window == "open",
        "percentile": meta.percentile is not None,
        "funnel": bool(meta.funnel),
        "retention_day": meta.retention_day is not None,
    }
    return tuple(name for name in OPTIONS if used[name])


def tests_by_value(meta: MetricMeta) -> tuple[str, ...]:
    """The test that a definition names, where it needs the units by value."""
    return (meta.test,) if meta.test is not None and (meta.test in RANKS or is_custom(meta.test)) else ()


def refused_test(kind: str, test: str) -> tuple[str, str] | None:
    """Why a kind has no such test, and what to write; none where it has."""
    rule = KINDS[kind]
    if test in rule.tests:
        return None
    if is_custom(test):
        if not set(RANKS) <= set(rule.tests):
            return f"a custom test is not computed for kind {kind}", f"one of: {', '.join(rule.tests)}"
        return refused_part("tests", test)
    if test in _UNKNOWN_TESTS:
        why, way = _UNKNOWN_TESTS[test]
        return (
            f"test {test} is not computed: {why}",
            way if "welch" in rule.tests else f"test: {rule.tests[0]}",
        )
    return f"test {test} is not computed for kind {kind}", f"one of: {', '.join(rule.tests)}"


def refused_option(kind: str, option: str) -> tuple[str, str] | None:
    """Why a kind does not honour an option, and what to write; none where it does."""
    if option in KINDS[kind].options:
        return None
    return f"{option} is not honoured by kind {kind}", _OPTION_WAYS[option]


def refused_agg(kind: str, agg: str) -> tuple[str, str] | None:
    """Why a kind has no such aggregation, and what to write; none where it has."""
    rule = KINDS[kind]
    if agg in rule.aggs:
        return None
    hint = _AGG_HINTS.get(agg) or f"agg: {' or '.join(rule.aggs)}"
    return f"agg {agg} is not computed for kind {kind}", hint


def refused_type(kind: str, type_: str) -> tuple[str, str] | None:
    """Why a kind is not given by a type of dbt's metrics, and what to write; none where it is."""
    rule = KINDS[kind]
    if type_ in rule.types:
        return None
    if type_ == "cumulative":
        way = "type: simple with window: open counts from the exposure to the cut-off"
        return "type cumulative is not computed", way
    fitting = [name for name, other in KINDS.items() if type_ in other.types]
    return f"kind {kind} is not given by type {type_}", f"kind: {' or '.join(fitting)}"


def refused_pair(one: str, other: str) -> str | None:
    """Why two options, or a test and an option, do not go together; none where they do."""
    why = PAIRS.get((one, other)) or TEST_OPTIONS.get((RANKS[0] if is_custom(one) else one, other))
    return None if why is None else f"{one} and {other} do not go together: {why}"


def meta_findings(meta: MetricMeta, base: KeyPath) -> Iterator[Finding]:
    """Everything in `config.meta.fairsplit` that the table does not have, or that is not said."""
    yield from _table_findings(meta, base)
    yield from _value_findings(meta, base)


def _table_findings(meta: MetricMeta, base: KeyPath) -> Iterator[Finding]:
    options = options_of(meta)
    test = meta.test or KINDS[meta.kind].tests[0]
    for option in options:
        if refusal := refused_option(meta.kind, option):
            yield Finding(
                _place(base, option),
                refusal[0],
                rule=f"options of kind {meta.kind}: {', '.join(KINDS[meta.kind].options) or 'none'}",
                hint=refusal[1],
            )
    if refusal := refused_test(meta.kind, test):
        yield Finding(
            (*base, "test"), refusal[0], rule=f"one of: {', '.join(KINDS[meta.kind].tests)}", hint=refusal[1]
        )
    for option in options:
        for other in (*options, test):
            if why := refused_pair(other, option):
                yield Finding(_place(base, option), why, rule="one of the two", hint="leave one of them out")


def _value_findings(meta: MetricMeta, base: KeyPath) -> Iterator[Finding]:
    if meta.kind == "percentile" and meta.percentile is None:
        yield Finding(base, "a percentile metric says no percentile", rule="percentile: 0.9")
    if (meta.kind == "custom") != (meta.statistic is not None):
        rule = "kind: custom with statistic: the name of a custom part"
        yield Finding(base, "a custom metric and its statistic go together", rule=rule)
    elif meta.statistic is not None and (refusal := refused_part("metrics", meta.statistic)):
        yield Finding((*base, "statistic"), refusal[0], rule="a part that is installed", hint=refusal[1])
    if meta.kind == "retention" and meta.retention_day is None:
        yield Finding(base, "a retention metric says no day", rule="retention_day: 7")
    if meta.kind == "retention" and str(meta.window) != "1 day, 0:00:00":
        yield Finding((*base, "window"), "a retention metric looks at one day", str(meta.window), "1d")
    if meta.kind == "funnel" and len(meta.funnel) < 2:
        yield Finding(base, "a funnel has fewer than two steps", rule="funnel: [first, second, …]")
    if meta.winsorize is not None and meta.winsorize.lower >= meta.winsorize.upper:
        yield Finding((*base, "winsorize"), "the quantiles are reversed", rule="lower < upper")


def _place(base: KeyPath, option: str) -> KeyPath:
    return (*base, option.partition(":")[0])
