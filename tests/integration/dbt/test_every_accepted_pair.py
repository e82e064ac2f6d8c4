"""Every accepted pair of kind and test or option, from events to result rows, against computations of its own.

One home of 200 units. Values come from a loop over the events, tests from SciPy and statsmodels, and formulas of
textbooks in NumPy: nothing of the project computes an expected figure.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportions_ztest

from fairsplit.analysis.catalogue import Catalogue
from fairsplit.analysis.catalogue.experiment import Experiment
from fairsplit.analysis.catalogue.metric_rules import KINDS, refused_pair
from fairsplit.analysis.catalogue.project import Project
from fairsplit.analysis.judgement import Facts, judge_cut_offs

pytestmark = pytest.mark.integration

UNITS, CUPED_DAYS, CAP = 200, 3, 0.8
DAY = timedelta(days=1)
START = datetime(2026, 1, 5)  # noqa: DTZ001
OPTIONS = {
    "cuped": {"cuped": True},
    "winsorize": {"winsorize": {"lower": 0.0, "upper": CAP}},
    "window: open": {"window": "open"},
}
OWN = {
    "percentile": {"percentile": 0.75},
    "funnel": {"funnel": ["clicks", "buys"]},
    "retention": {"retention_day": 1, "window": "1d"},
}
MEASURES = {"count": "clicks", "proportion": "buys", "retention": "clicks", "funnel": "buys",
            "count_distinct": "pages", "time_to_conversion": "buys"}  # fmt: skip


@dataclass(frozen=True)
class Event:
    name: str
    at: timedelta
    value: float
    url: str


@dataclass(frozen=True)
class Unit:
    name: str
    arm: str
    exposed: datetime
    events: tuple[Event, ...]

    def between(self, low: timedelta, high: timedelta, name: str) -> list[Event]:
        return [event for event in self.events if event.name == name and low <= event.at < high]


def drawn() -> list[Unit]:
    rng = np.random.default_rng(20261129)
    units = []
    for number in range(UNITS):
        arm = "ab"[number % 2]
        taste = rng.gamma(2.0)
        events = []
        for name, rate in (("click", 1.5), ("purchase", 0.5)):
            for _ in range(rng.poisson(rate * taste * (1.3 if arm == "b" else 1.0))):
                at = timedelta(seconds=int(rng.integers(-3 * 86_400, 8 * 86_400)))
                money = round(float(rng.lognormal(2, 1)) * taste, 2)
                events.append(Event(name, at, money, f"/{rng.integers(4)}"))
        units.append(
            Unit(f"u{number:03}", arm, START + timedelta(minutes=int(rng.integers(1_440))), tuple(events))
        )
    return units


#: A custom metric has no one right value: its part's tests are in `tests/unit/parts`.
SHIPPED = {kind: rule for kind, rule in KINDS.items() if kind != "custom"}


def definitions() -> dict[str, dict]:
    """A metric of every kind for each test, option and pair of options that the table accepts."""
    found = {}
    for kind, rule in SHIPPED.items():
        for test in rule.tests:
            choices = [(), *((one,) for one in rule.options if one in OPTIONS), ("cuped", "window: open"),
                       ("cuped", "winsorize")]  # fmt: skip
            for options in choices:
                if set(options) - set(rule.options) or any(
                    refused_pair(one, other) for one in (*options, test) for other in options
                ):
                    continue
                words = "_".join(option.replace(": ", "_") for option in options)
                name = f"{kind}_by_{test}{'_with_' + words if words else ''}"
                meta = {"kind": kind, "unit": "x", "direction": "increase", "window": "7d", "test": test}
                for keys in (OWN.get(kind, {}), *(OPTIONS[option] for option in options)):
                    meta |= keys
                type_, params = "simple", {"measure": MEASURES.get(kind, "paid")}
                if kind == "ratio":
                    type_, params = "ratio", {"numerator": "paid_part", "denominator": "buys_part"}
                found[name] = {"name": name, "label": name, "type": type_, "type_params": params,
                               "config": {"meta": {"fairsplit": meta}}}  # fmt: skip
    for name in [name for name in found if name.startswith("revenue") and name.endswith("winsorize")]:
        entry = copy.deepcopy(found[name])
        entry["config"]["meta"]["fairsplit"]["winsorize"] = {"lower": 0.3, "upper": CAP, "over": "nonzero"}
        found[f"{name}_nonzero"] = entry | {"name": f"{name}_nonzero"}
    return found


@dataclass(frozen=True)
class Variant:
    """A metric of another aggregation or type, and a unit's value of it (a ratio's two) over a window."""

    entry: dict
    worth: Callable[[Unit, timedelta, timedelta], tuple[float, float]]


SUMS = {
    "sum": ("paid", lambda unit, low, high: sum(one.value for one in unit.between(low, high, "purchase"))),
    "count": ("buys", lambda unit, low, high: len(unit.between(low, high, "purchase"))),
    "sum_boolean": ("clicks", lambda unit, low, high: len(unit.between(low, high, "click"))),
}


def aggregations_and_types() -> dict[str, Variant]:
    """A metric of every kind for each further aggregation and each type of dbt's that the table accepts."""
    found = {}

    def add(kind: str, words: str, type_: str, params: dict, worth: Callable) -> None:
        meta = {
            "kind": kind,
            "unit": "x",
            "direction": "increase",
            "window": "7d",
            "test": KINDS[kind].tests[0],
        }
        name = f"{kind}_{words}"
        entry = {"name": name, "label": name, "type": type_, "type_params": params,
                 "config": {"meta": {"fairsplit": meta | OWN.get(kind, {})}}}  # fmt: skip
        found[name] = Variant(entry, worth)

    def mixed(unit: Unit, low: timedelta, high: timedelta) -> float:
        return 2 * SUMS["sum"][1](unit, low, high) - SUMS["sum_boolean"][1](unit, low, high) / 4

    inputs = ["paid_part", "buys_part", "clicks_part"]
    for kind, rule in SHIPPED.items():
        if kind not in {"ratio", "funnel", "time_to_conversion", "count_distinct"}:
            for agg in rule.aggs:
                measure, worth = SUMS[agg]
                share = kind in {"proportion", "retention"}
                add(kind, f"of_{agg}", "simple", {"measure": measure},
                    lambda *of, worth=worth, share=share:
                    (float(worth(*of) > 0) if share else worth(*of), 0))  # fmt: skip
        if "derived" in rule.types and kind != "ratio":
            add(kind, "derived", "derived", {"expr": "2 * paid_part - clicks_part / 4", "metrics": inputs},
                lambda *of: (mixed(*of), 0))  # fmt: skip
    for agg, (measure, worth) in SUMS.items():
        add("ratio", f"{agg}_over_another", "ratio",
            {"numerator": f"{measure}_part", "denominator": "buys_part" if agg != "count" else "clicks_part"},
            lambda *of, worth=worth, over=SUMS["count" if agg != "count" else "sum_boolean"][1]:
            (worth(*of), over(*of)))  # fmt: skip
    add("ratio", "derived", "derived",
        {"expr": "(2 * paid_part - clicks_part / 4) / (buys_part + clicks_part)", "metrics": inputs},
        lambda *of: (mixed(*of), SUMS["count"][1](*of) + SUMS["sum_boolean"][1](*of)))  # fmt: skip
    followed = {"base_measure": "clicks", "conversion_measure": "buys", "entity": "user", "window": "1 day"}
    for kind, calculation in (("count", "conversions"), ("ratio", "conversion_rate")):
        params = {"conversion_type_params": followed | {"calculation": calculation}}
        add(kind, "conversion", "conversion", params, conversions)
    return found


def conversions(unit: Unit, low: timedelta, high: timedelta) -> tuple[float, float]:
    """Purchases within a day after a click, and clicks."""
    clicks = [event.at for event in unit.between(low, high, "click")]
    buys = unit.between(low, high, "purchase")
    return sum(any(buy.at - DAY < at <= buy.at for at in clicks) for buy in buys), len(clicks)


def semantic_yaml(metrics: list[dict]) -> str:
    def case(name: str, worth: str) -> str:
        return f"case when event_name = '{name}' then {worth} end"

    measures = [
        {"name": "paid", "agg": "sum", "expr": case("purchase", "value")},
        {"name": "buys", "agg": "count", "expr": case("purchase", "1")},
        {"name": "clicks", "agg": "sum_boolean", "expr": "event_name = 'click'"},
        {"name": "pages", "agg": "count_distinct", "expr": case("click", "url")},
    ]
    parts = [
        {"name": f"{name}_part", "label": name, "type": "simple", "type_params": {"measure": name}}
        for name in ("paid", "buys", "clicks")
    ]
    entities = [{"name": "user", "type": "foreign", "expr": "user_id"}]
    model = {"name": "events", "model": "ref('stg_events')", "entities": entities, "measures": measures}
    return json.dumps({"semantic_models": [model], "metrics": [*parts, *metrics]})


def values(kind: str, unit: Unit, low: timedelta, high: timedelta) -> tuple[float, float]:
    """The unit's value (a ratio's two) over a window relative to its exposure, event by event."""
    clicks, buys = unit.between(low, high, "click"), unit.between(low, high, "purchase")
    paid = sum(event.value for event in buys)
    first = min((event.at for event in buys), default=None)
    begun = min((event.at for event in clicks), default=None)
    return {
        "count": (len(clicks), 0),
        "mean": (paid, 0),
        "revenue": (paid, 0),
        "duration": (paid, 0),
        "percentile": (paid, 0),
        "proportion": (float(bool(buys)), 0),
        "retention": (float(bool(clicks)), 0),
        "count_distinct": (len({event.url for event in clicks}), 0),
        "funnel": (float(begun is not None and any(event.at >= begun for event in buys)), 0),
        "time_to_conversion": (first.total_seconds() if first is not None else 0, float(first is not None)),
        "ratio": (paid, len(buys)),
    }[kind]


def columns(meta: dict, units: list[Unit], end: datetime, variant: Variant | None) -> dict[str, np.ndarray]:
    """y, d and before exposure x, w of every unit."""
    kind = meta["kind"]
    worth = variant.worth if variant else lambda *of: values(kind, *of)

    def window(unit: Unit) -> tuple[timedelta, timedelta]:
        if meta["window"] == "open":
            return timedelta(0), end - unit.exposed
        if kind == "retention":
            return DAY, 2 * DAY
        return timedelta(0), 7 * DAY

    post = np.array([worth(unit, *window(unit)) for unit in units])
    pre = np.array([worth(unit, -CUPED_DAYS * DAY, timedelta(0)) for unit in units])
    return {"y": post[:, 0], "d": post[:, 1], "x": pre[:, 0], "w": pre[:, 1]}


def expected(test: str, meta: dict, of: dict[str, np.ndarray], arm: np.ndarray) -> tuple[float, float | None]:
    """Difference of b from a, and the p-value where it is a textbook's."""
    both = [{name: column[arm == one] for name, column in of.items()} for one in "ab"]
    rule = {
        "percentile": quantiles,
        "mann_whitney": ranks,
        "ks": largest_distance,
        "z": pooled_z,
        "ratio": quotients,
    }
    return rule.get(test, means)(meta, *both)


def quantiles(meta: dict, a: dict, b: dict) -> tuple[float, None]:
    low, high = (np.quantile(one["y"], meta["percentile"]) for one in (a, b))
    return high - low, None


def ranks(_: dict, a: dict, b: dict) -> tuple[float, float]:
    found = stats.mannwhitneyu(b["y"], a["y"], method="asymptotic", use_continuity=False)
    return 2 * found.statistic / (a["y"].size * b["y"].size) - 1, found.pvalue


def largest_distance(_: dict, a: dict, b: dict) -> tuple[float, float]:
    found = stats.ks_2samp(b["y"], a["y"], method="exact")
    return -found.statistic_sign * found.statistic, found.pvalue


def pooled_z(_: dict, a: dict, b: dict) -> tuple[float, float]:
    sizes = [b["y"].size, a["y"].size]
    return b["y"].mean() - a["y"].mean(), proportions_ztest([b["y"].sum(), a["y"].sum()], sizes)[1]


def quotients(meta: dict, a: dict, b: dict) -> tuple[float, float | None]:
    """The delta method by linearised values; their covariates are the numerator and the denominator before."""
    lines = [linear(one["y"], one["d"]) for one in (a, b)]
    if meta.get("cuped"):
        return adjusted(*lines, *(np.column_stack([one["x"], one["w"]]) for one in (a, b))), None
    return lines[1].mean() - lines[0].mean(), stats.ttest_ind(lines[1], lines[0], equal_var=False).pvalue


def linear(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    ratio = top.sum() / bottom.sum()
    return ratio + (top - ratio * bottom) / bottom.mean()


def means(meta: dict, a: dict, b: dict) -> tuple[float, float | None]:
    (low, high), (before_low, before_high) = (capped(meta, a[name], b[name]) for name in "yx")
    if meta.get("cuped"):
        return adjusted(low, high, before_low, before_high), None
    p = stats.ttest_ind(high, low, equal_var=False).pvalue if meta["test"] == "welch" else None
    return high.mean() - low.mean(), p


def capped(meta: dict, *arms: np.ndarray) -> list[np.ndarray]:
    """Cases cuped-with-cap and cap-falls-to-zero: both arms at the quantiles of all values, or of those not 0."""
    if not (caps := meta.get("winsorize")):
        return list(arms)
    pooled = np.concatenate(arms)
    if caps.get("over") == "nonzero":
        pooled = pooled[pooled != 0]
    ends = np.quantile(pooled, [caps["lower"], caps["upper"]], method="inverted_cdf")
    return [np.where((one == 0) & (caps.get("over") == "nonzero"), 0, np.clip(one, *ends)) for one in arms]


def adjusted(y_a: np.ndarray, y_b: np.ndarray, x_a: np.ndarray, x_b: np.ndarray) -> float:
    """Analysis of covariance: slopes within arms, by least squares with a column for each arm."""
    arms = np.repeat(np.eye(2), [y_a.size, y_b.size], axis=0)
    before = np.vstack([x_a.reshape(y_a.size, -1), x_b.reshape(y_b.size, -1)])
    fit = np.linalg.lstsq(np.hstack([arms, before]), np.concatenate([y_a, y_b]), rcond=None)[0]
    return float(fit[1] - fit[0])


def test_each_accepted_pair_equals_an_independent_computation(world):
    units, variants = drawn(), aggregations_and_types()
    metrics = definitions() | {name: variant.entry for name, variant in variants.items()}
    assert len(metrics) > 75
    world.define(semantic_yaml(list(metrics.values())))
    world.experiment(metrics=tuple(metrics), cuped_days=CUPED_DAYS, end=START + 2 * DAY)

    def clock(instant: datetime) -> str:
        return f"{instant:%d %H:%M:%S}"

    world.land(
        *(
            {"id": f"v-{unit.name}", "name": "experiment_viewed", "at": clock(unit.exposed), "user_id": unit.name,
             "experiment_id": "exp", "variation_id": unit.arm} for unit in units
        ),
        *(
            {"id": f"{unit.name}-{number}", "name": event.name, "at": clock(unit.exposed + event.at),
             "user_id": unit.name, "value": event.value, "url": event.url}
            for unit in units for number, event in enumerate(unit.events)
        ),
    )  # fmt: skip
    world.run("14")
    last = date(2026, 1, 14)
    rows = judged(world, list(metrics), last)

    arm = np.array([unit.arm for unit in units])
    wrong = []
    for name, entry in metrics.items():
        meta = entry["config"]["meta"]["fairsplit"]
        of = columns(meta, units, datetime(2026, 1, 15), variants.get(name))  # noqa: DTZ001
        difference, p = expected(meta["test"], meta, of, arm)
        row = rows[name]
        if row["reason"] == "ties_at_quantile" and tied(meta, of, arm):
            continue
        same = row["status"] == "ok" and row["lift_abs"] == pytest.approx(difference, rel=1e-9, abs=1e-12)
        if p is not None and row["method"] not in {"score", "fisher"}:
            same = same and row["p_value"] == pytest.approx(p, rel=1e-6)
        if not same:
            wrong.append((name, row["method"], row["reason"], row["lift_abs"], difference, row["p_value"], p))
    assert wrong == []


def tied(meta: dict, of: dict[str, np.ndarray], arm: np.ndarray) -> bool:
    """Whether several units of an arm share the value at its quantile: the difference is then none to be judged."""
    parts = [of["y"][arm == one] for one in "ab"]
    return any((part == np.quantile(part, meta["percentile"])).sum() > 1 for part in parts)


def judged(world, names: list[str], last: date) -> dict[str, dict]:
    """Result rows of arm b, as the pipeline judges them."""
    project = Project.model_validate({"first_day": "2026-01-01"})
    experiment = Experiment.model_validate(
        {
            "id": "exp", "name": "exp", "owner": "a@example.com", "type": "ab", "status": "running", "start": START,
            "end": START + 2 * DAY, "variants": [{"id": "a", "control": True}, {"id": "b"}],
            "metrics": {"primary": names[:1], "secondary": names[1:]},
            "plan": {"method": "fixed", "cuped_days": CUPED_DAYS, "min_sample": 2},
        }
    )  # fmt: skip
    catalogue = Catalogue(project, {"exp": experiment.with_defaults(project.defaults)}, {}, {}, {}, (), {})
    with world.connect() as connection:
        frames = {
            name: connection.sql(f"from fct_{name} order by all").pl()
            for name in ("sufficient_statistics", "daily_exposures", "value_histograms")
        }
    done = judge_cut_offs(
        Facts(**frames),
        catalogue,
        world.semantics.metrics,
        [last],
    )
    return {
        row["metric"]: row
        for row in done.comparisons.to_dicts()
        if row["variant_id"] == "b" and row["segment"] == "all" and row["analysis"] == "default"
    }
