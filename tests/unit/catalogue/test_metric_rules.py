"""Each combination of kind, type, aggregation, test and option: computed, or refused in these exact words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.metric_rules import BEGIN, END, PAGE, markdown, refusals

from fairsplit.analysis.catalogue.metric_rules import KINDS
from fairsplit.analysis.catalogue.metrics import read_semantic_layer
from fairsplit.orchestration.catalogue.loading import read_metrics_that_bind

if TYPE_CHECKING:
    from pathlib import Path

    from fairsplit.analysis.catalogue.metrics import MetricDefinition

MEASURES: list[dict[str, Any]] = [
    {"name": "paid", "agg": "sum", "expr": "value"},
    {"name": "clicks", "agg": "count", "expr": "case when event_name = 'click' then 1 end"},
    {"name": "buys", "agg": "count", "expr": "case when event_name = 'purchase' then 1 end"},
    {"name": "large", "agg": "sum_boolean", "expr": "value > 10"},
    {"name": "pages", "agg": "count_distinct", "expr": "url"},
    {"name": "most", "agg": "max", "expr": "value"},
]
EVENTS = {
    "name": "events",
    "model": "ref('stg_events')",
    "defaults": {"agg_time_dimension": "occurred_at"},
    "entities": [
        {"name": "event", "type": "primary", "expr": "event_id"},
        {"name": "user", "type": "foreign", "expr": "user_id"},
    ],
    "dimensions": [
        {"name": "occurred_at", "type": "time", "type_params": {"time_granularity": "day"}},
        {"name": "country", "type": "categorical"},
        {"name": "size", "type": "categorical", "expr": "properties->>'$.size'"},
    ],
    "measures": MEASURES[:-1],
}
SHOWN_TEXTS = {
    ("revenue", "test", "student"): (
        "test student is not computed: Welch's test holds for equal variances too. Hint: test: welch"
    ),
    ("proportion", "test", "chi_square"): (
        "test chi_square is not computed: of two arms it is the square of the pooled z-test. "
        "Hint: test: z on a share of units"
    ),
    ("revenue", "test", "anova"): (
        "test anova is not computed: each arm is compared with the control, and the plan corrects for their number. "
        "Hint: test: welch"
    ),
    (
        "revenue",
        "test",
        "z",
    ): "test z is not computed for kind revenue. Hint: one of: welch, mann_whitney, ks",
    ("ratio", "option", "winsorize"): (
        "winsorize is not honoured by kind ratio. "
        "Hint: winsorize a metric of a sum (kind: count, mean, revenue or duration)"
    ),
    ("percentile", "option", "cuped"): "cuped is not honoured by kind percentile. Hint: leave cuped out",
    ("count", "agg", "max"): (
        "agg max is not computed for kind count. Hint: a unit without events has none; count the events beyond a "
        "bound, or use kind: percentile over units"
    ),
    ("count", "type", "cumulative"): (
        "type cumulative is not computed. "
        "Hint: type: simple with window: open counts from the exposure to the cut-off"
    ),
    ("pair", "winsorize", "window: open"): (
        "winsorize and window: open do not go together: caps need the values of closed windows"
    ),
    ("pair", "mann_whitney", "cuped"): "mann_whitney and cuped do not go together: ranks have no covariate",
}
OPTION_KEYS: dict[str, dict[str, Any]] = {
    "cuped": {"cuped": True},
    "winsorize": {"winsorize": {"lower": 0, "upper": 0.8}},
    "window: open": {"window": "open"},
    "percentile": {"percentile": 0.9},
    "funnel": {"funnel": ["clicks", "buys"]},
    "retention_day": {"retention_day": 1},
}
#: What each kind needs to be itself.
OWN: dict[str, dict[str, Any]] = {
    "percentile": {"percentile": 0.9},
    "funnel": {"funnel": ["clicks", "buys"]},
    "retention": {"retention_day": 1, "window": "1d"},
    "custom": {"statistic": "robust.trimmed_value"},
}
MEASURE_OF = {"count_distinct": "pages", "funnel": "buys", "time_to_conversion": "buys"}


def metric(kind: str, *, measure: str = "", **meta: Any) -> dict[str, Any]:
    """A sound metric of a kind, unless the meta says otherwise."""
    fairsplit = (
        {"kind": kind, "unit": "x", "direction": "increase", "window": "7d"} | OWN.get(kind, {}) | meta
    )
    params: dict[str, Any] = {"measure": measure or MEASURE_OF.get(kind, "paid")}
    if kind == "ratio":
        params = {"numerator": "paid_part", "denominator": "buys_part"}
    return {
        "name": "it",
        "label": "It",
        "type": "ratio" if kind == "ratio" else "simple",
        "type_params": params,
        "config": {"meta": {"fairsplit": fairsplit}},
    }


PARTS = [
    {"name": f"{name}_part", "label": name, "type": "simple", "type_params": {"measure": name}}
    for name in ("paid", "buys", "clicks")
]


def read(
    folder: Path, it: dict[str, Any], measures: list[dict[str, Any]] | None = None
) -> MetricDefinition | str:
    """The definition, or everything that is said against it."""
    place = folder / "models" / "semantic"
    place.mkdir(parents=True, exist_ok=True)
    model = EVENTS | ({"measures": measures} if measures else {})
    text = yaml.dump({"semantic_models": [model], "metrics": [*PARTS, it]}, Dumper=Plain, sort_keys=False)
    (place / "metrics.yml").write_text(text)
    layer = read_metrics_that_bind(folder)
    said = "\n".join(str(problem) for problem in layer.problems)
    assert ("it" in layer.metrics) == (not said), said
    return layer.metrics.get("it", said)


class Plain(yaml.SafeDumper):
    """Without aliases, which definitions may not have."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


def test_the_page_shows_the_table() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.partition(BEGIN)[2].partition(END)[0] == markdown(), "run `python -m tests.metric_rules`"


def test_the_texts_of_refusals() -> None:
    found = refusals()
    assert {key: found[key] for key in SHOWN_TEXTS} == SHOWN_TEXTS


@pytest.mark.usefixtures("example_parts")
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_combination_is_computed_or_refused_by_its_text(kind: str, tmp_path: Path) -> None:
    """Case key-that-a-kind-cannot-use, for every key and kind."""
    refused = refusals()
    for test in (test for test in ("welch", "student", "z", "proportion", "ratio", "chi_square", "anova", "ks",
                                   "mann_whitney", "percentile")):  # fmt: skip
        agreed(read(tmp_path, metric(kind, test=test)), refused.get((kind, "test", test)))
    for option, keys in OPTION_KEYS.items():
        agreed(read(tmp_path, metric(kind, **keys)), refused.get((kind, "option", option)))
    for one in ("paid", "buys", "large", "pages", "most"):
        agg = next(str(item["agg"]) for item in MEASURES if item["name"] == one)
        it = metric(kind, measure=one, **({"funnel": ["clicks", one]} if kind == "funnel" else {}))
        if kind != "ratio":
            agreed(read(tmp_path, it, MEASURES), refused.get((kind, "agg", agg)))
    agreed(read(tmp_path, metric(kind)), None)


def agreed(got: MetricDefinition | str, refusal: str | None) -> None:
    if refusal is None:
        assert not isinstance(got, str), got
        return
    assert isinstance(got, str)
    what, _, hint = refusal.partition(". Hint: ")
    assert what in got
    assert hint in got
    assert "models/semantic/metrics.yml:" in got


@pytest.mark.parametrize("pair", [key[1:] for key in refusals() if key[0] == "pair"])
def test_what_does_not_go_together_is_refused(pair: tuple[str, str], tmp_path: Path) -> None:
    kind = "proportion" if pair[0] == "z" else "revenue"
    first = OPTION_KEYS.get(pair[0], {"test": pair[0]})
    got = read(tmp_path, metric(kind, **first, **OPTION_KEYS[pair[1]]))
    assert isinstance(got, str)
    assert refusals()[("pair", *pair)] in got


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (
            {"non_additive_dimension": {"name": "occurred_at", "window_choice": "max"}},
            "non_additive_dimension is not",
        ),
        ({"agg_params": {"percentile": 0.5}}, "agg_params is not computed"),
        ({"agg": "summ"}, "unknown aggregation (summ"),
        ({"exprr": "value"}, "unknown key 'exprr'"),
        ({"agg_time_dimension": "landed_at"}, "events count by the time they occurred at (landed_at"),
        ({"config": {"meta": {"fairsplit": {"scale": 10_000_000}}}}, "is not a scale (10000000"),
        (
            {"agg": "count", "config": {"meta": {"fairsplit": {"scale": 100}}}},
            "what is counted has no decimals",
        ),
        ({"config": {"meta": {"fairsplit": {"skale": 100}}}}, "unknown key 'skale'"),
        ({"name": "Money"}, "is no name of a measure (Money"),
        ({"name": "event_day"}, "the name is that of a column of the models (event_day"),
        ({"name": "select"}, "the measure's name is a word of SQL (select"),
        ({"expr": "valeu"}, "did you mean 'value'?"),
        ({"expr": "url"}, "an expression that gives a number"),
        ({"expr": "1; select 2"}, "one scalar expression"),
    ],
)
def test_a_measure_that_is_not_computed_is_told(keys: dict[str, Any], words: str, tmp_path: Path) -> None:
    broken = [*MEASURES[1:-1], {"name": "paid", "agg": "sum", "expr": "value"} | keys]
    place = tmp_path / "models" / "semantic"
    place.mkdir(parents=True)
    text = yaml.dump({"semantic_models": [EVENTS | {"measures": broken}]}, Dumper=Plain, sort_keys=False)
    (place / "metrics.yml").write_text(text)
    problems = [str(one) for one in read_metrics_that_bind(tmp_path).problems]
    assert len(problems) == 1
    assert words in problems[0]
    assert problems[0].startswith("models/semantic/metrics.yml:")


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"time_granularity": "week"}, "time_granularity is not computed"),
        ({"filtr": "true"}, "unknown key 'filtr'"),
        (
            {"filter": "{{ Dimension('event__contry') }} = 'DE'"},
            "unknown dimension in a filter (event__contry",
        ),
        ({"filter": "{{ Dimension('user__country') }} = 'DE'"}, "a filter is on the event's own dimensions"),
        ({"filter": "{{ Metric('it', ['user']) }} > 1"}, "is not computed in a filter"),
        ({"filter": "{% if x %} true {% endif %}"}, "the filter is no plain condition"),
        ({"filter": "{{ Dimension('event__country') }}"}, "an expression that gives true or false"),
        ({"filter": "(select true)"}, "subquery is not allowed in it"),
        ({"filter": 7}, "must be a text, or a list of texts (7"),
        (
            {"type_params": {"measure": {"name": "paid", "fill_nulls_with": 1}}},
            "fill_nulls_with is not computed (1",
        ),
        (
            {"type_params": {"measure": {"name": "paid", "join_to_timespine": True}}},
            "join_to_timespine is not",
        ),
        ({"type_params": {"measure": "payd"}}, "did you mean 'paid'?"),
        ({"type_params": {"measure": "paid", "window": "7 days"}}, "unknown key 'window'"),
        ({"type_params": {}}, "unknown measure"),
        ({"type": "cumulative"}, "type cumulative is not computed"),
        ({"type": "odd"}, "kind revenue is not given by type odd"),
        ({"label": None}, "label: must be text"),
    ],
)
def test_a_metric_that_is_not_computed_is_told(keys: dict[str, Any], words: str, tmp_path: Path) -> None:
    got = read(tmp_path, metric("revenue") | keys)
    assert isinstance(got, str)
    assert words in got
    assert got.startswith("models/semantic/metrics.yml:")


def test_filters_reach_the_sql_of_the_measure(tmp_path: Path) -> None:
    it = metric("revenue") | {
        "filter": [
            "{{ Dimension('event__country') }} = 'DE'",
            "{{ TimeDimension('event__occurred_at', 'month') }} > date '2026-01-01'",
        ],
        "type_params": {"measure": {"name": "paid", "filter": "{{ Dimension('event__size') }} = 's'"}},
    }  # fmt: skip
    got = read(tmp_path, it)
    assert not isinstance(got, str), got
    measure = read_semantic_layer(tmp_path).measures[got.numerator]
    assert " ".join(measure.expr.split()) == (
        "case when ((country) = 'DE' ) and ((date_trunc('month', occurred_at)) > date '2026-01-01' ) and "
        "((properties->>'$.size') = 's' ) then (value ) end"
    )
    plain = read(tmp_path, metric("revenue"))
    assert not isinstance(plain, str)
    assert plain.numerator == "paid" != got.numerator
    assert plain.definition_hash != got.definition_hash


def derived(kind: str, expr: str, *parts: Any) -> dict[str, Any]:
    return metric(kind) | {
        "type": "derived",
        "type_params": {"expr": expr, "metrics": [*(parts or ("paid_part", "buys_part"))]},
    }


@pytest.mark.parametrize(
    ("expr", "words"),
    [
        ("paid_part * buys_part", "two of its inputs are multiplied"),
        ("paid_part + 1", "a constant is added"),
        ("paid_part - paid_part", "nothing is left of it"),
        ("paid_part / 0", "it divides by zero"),
        ("sqrt(paid_part)", "is more than + - * / over names and numbers"),
        ("payd_part", "'payd_part' is none of its inputs"),
        ("paid_part +", "no arithmetic expression"),
        ("(" * 900 + "paid_part" + ")" * 900, "longer than"),
        ("paid_part * 0.00000001", "a factor needs more than 6 digits"),
        ("paid_part / buys_part", "the expression is a quotient"),
    ],
)
def test_a_derived_metric_that_is_no_sum_is_refused(expr: str, words: str, tmp_path: Path) -> None:
    got = read(tmp_path, derived("revenue", expr))
    assert isinstance(got, str)
    assert words in got


def test_derived_metrics_are_sums_or_quotients_of_sums(tmp_path: Path) -> None:
    plain = read(tmp_path, derived("revenue", "paid_part / 4 - 2 * buys_part"))
    assert not isinstance(plain, str), plain
    # Quarters: four times the whole numbers are kept, and divided by four times the scale.
    assert (plain.scale_y, plain.denominator, plain.test) == (4_000_000, None, "welch")
    ratio = read(tmp_path, derived("ratio", "paid_part / buys_part - 1"))
    assert not isinstance(ratio, str), ratio
    assert (ratio.denominator, ratio.test) == ("buys", "ratio")
    offset = {"name": "paid_part", "offset_window": "7 days"}
    refused = read(tmp_path, derived("revenue", "paid_part", offset))
    assert isinstance(refused, str)
    assert "offset_window is not computed" in refused


def conversion(kind: str = "ratio", **params: Any) -> dict[str, Any]:
    own = {
        "base_measure": "clicks",
        "conversion_measure": "buys",
        "entity": "user",
        "window": "7 days",
    } | params
    return metric(kind) | {"type": "conversion", "type_params": {"conversion_type_params": own}}


@pytest.mark.parametrize(
    ("it", "words"),
    [
        (conversion(calculation="rate"), "unknown calculation (rate"),
        (
            conversion(calculation="conversions"),
            "calculation conversions gives another kind (ratio: kind: count)",
        ),
        (conversion(entity="event"), "the entity is no kind of unit (event: one of: user)"),
        (conversion(window="7d"), "is not a window (7d"),
        (conversion(window="2 months"), "is not a window (2 months"),
        (conversion(base_measure="paid"), "agg sum is not computed for kind funnel"),
        (conversion(constant_properties=[]), "constant_properties is not computed"),
        (conversion() | {"filter": "value > 1"}, "a conversion's filter belongs to one of its measures"),
    ],
)
def test_a_conversion_that_is_not_computed_is_refused(it: dict[str, Any], words: str, tmp_path: Path) -> None:
    got = read(tmp_path, it)
    assert isinstance(got, str)
    assert words in got


def test_a_cap_and_a_covariate_wanted_together_are_both_read(tmp_path: Path) -> None:
    """Case cuped-with-cap; the figures are those of tests/integration/dbt/test_every_accepted_pair.py."""
    caps = {"lower": 0, "upper": 0.8, "over": "nonzero"}
    got = read(tmp_path, metric("revenue", winsorize=caps, cuped=True))
    assert not isinstance(got, str)
    assert (got.cuped, got.winsorize.model_dump()) == (True, caps)


def test_caps_over_a_word_that_is_not_known_are_refused(tmp_path: Path) -> None:
    got = read(tmp_path, metric("revenue", winsorize={"upper": 0.8, "over": "buyers"}))
    assert isinstance(got, str)
    assert "over" in got


def test_one_broken_metric_leaves_all_others(tmp_path: Path) -> None:
    got = read(tmp_path, metric("revenue", winsorize={"lower": 0, "upper": 0.8}, window="open"))
    assert isinstance(got, str)
    text = (tmp_path / "models" / "semantic" / "metrics.yml").read_text()
    sound = metric("revenue") | {"name": "sound"}
    (tmp_path / "models" / "semantic" / "more.yml").write_text(yaml.safe_dump({"metrics": [sound]}))
    assert text
    assert list(read_semantic_layer(tmp_path).metrics) == ["sound"]
