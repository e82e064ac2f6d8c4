"""Every kind of metric in the demo world: units and totals as plain Python finds them in the landed files."""

from __future__ import annotations

import json
import random
import shutil
from collections import defaultdict
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pytest
import yaml
from tests.built import built
from tests.command import fairsplit
from tests.oracle import behaviour
from tests.oracle.brute_force import MICROS, Experiment, Metric, exposures, links, unit_of, unit_values
from tests.oracle.demo_files import landed_events

from fairsplit import analyze
from fairsplit.orchestration.project import PROJECT_ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.oracle.brute_force import Event, Exposure

pytestmark = pytest.mark.integration

FIRST, DAYS, UNITS = date(2026, 1, 5), 16, 200
START, END = (datetime.combine(date(2026, 1, day), time()) for day in (8, 21))  # END ends the cut-off
WEEK, ONE_DAY, ZERO = timedelta(days=7), timedelta(days=1), timedelta(0)


def named(*names: str) -> Callable[[Event], bool]:
    return lambda event: event.name in names


def money(event: Event) -> int:
    return event.micros


purchase = named("purchase")
METRICS = {
    "clicks_per_user": Metric("count", ZERO, WEEK, named("click")),
    "page_views_per_user": Metric("count", ZERO, WEEK, named("page_view"), cuped=True),
    "checkout_conversion": Metric("proportion", ZERO, WEEK, purchase),
    "click_conversion": Metric("proportion", ZERO, ONE_DAY, named("click")),
    "revenue_per_user": Metric("revenue", ZERO, WEEK, named("purchase", "refund"), money, cuped=True),
    "revenue_per_user_winsorized": Metric("revenue", ZERO, WEEK, named("purchase", "refund"), money),
    "revenue_p90": Metric("percentile", ZERO, WEEK, named("purchase", "refund"), money),
    "engagement_time": Metric("duration", ZERO, WEEK, named("engagement"), money, cuped=True),
    "retention_day_1": Metric("retention", ONE_DAY, 2 * ONE_DAY, named("session_start", "page_view")),
    "retention_day_7": Metric("retention", WEEK, WEEK + ONE_DAY, named("session_start", "page_view")),
    "distinct_sessions_per_user": Metric(
        "count_distinct", ZERO, WEEK, lambda _: True, distinct=lambda event: event.session_id
    ),
    "distinct_pages_per_user": Metric(
        "count_distinct", ZERO, WEEK, named("page_view"), distinct=lambda event: event.url
    ),
    "checkout_funnel": Metric(
        "funnel", ZERO, WEEK, purchase, steps=(named("add_to_cart"), named("checkout_started"), purchase)
    ),
    "time_to_purchase": Metric("time_to_conversion", ZERO, WEEK, purchase),
    "ctr": Metric("ratio", ZERO, WEEK, named("click"), denominator=named("impression")),
    "revenue_per_conversion": Metric(
        "ratio", ZERO, WEEK, named("purchase", "refund"), money, denominator=purchase
    ),
    "checkout_conversion_open": Metric("proportion", ZERO, None, purchase),
    "revenue_per_user_open": Metric("revenue", ZERO, None, named("purchase", "refund"), money, cuped=True),
}
EXPERIMENT = Experiment("platform_check", START, None, ("a", "b"), tuple(METRICS), cuped_days=3)


def every_kind_of_metric(place: Path) -> None:
    """A small demo world in which one experiment that starts on the fourth day uses every kind of metric."""
    catalog = place / "catalog"
    shutil.copytree(PROJECT_ROOT / "catalog", catalog)
    path = catalog / "experiments" / f"{EXPERIMENT.id}.yaml"
    definition = yaml.safe_load(path.read_text())
    primary, *secondary = METRICS
    definition |= {"metrics": {"primary": [primary], "secondary": secondary}}
    definition["start"] = "2026-01-08T00:00:00Z"
    definition["phases"] = [{"start": "2026-01-08T00:00:00Z", "weights": {"a": 0.5, "b": 0.5}}]
    definition["plan"] |= {"cuped_days": EXPERIMENT.cuped_days}
    path.write_text(yaml.safe_dump(definition, sort_keys=False))
    for name, segment in behaviour.SEGMENTS.items():
        text = yaml.safe_dump({"id": name, "name": name} | segment, sort_keys=False)
        (catalog / "segments" / f"{name}.yaml").write_text(text)
    fairsplit(place, "simulate", "--users", "1500", "--days", str(DAYS), "--seed", "5", catalog=catalog)
    fairsplit(place, "run", catalog=catalog)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("demo") / "home", every_kind_of_metric)


class Recomputed:
    """What the landed files say, by units."""

    def __init__(self, home: Path) -> None:
        self.events = landed_events(home / "landing", FIRST)
        self.owner = links(self.events)
        self.exposed: dict[str, Exposure] = exposures(EXPERIMENT, self.events, self.owner)
        self.of_unit: dict[str, list[Event]] = defaultdict(list)
        for event in self.events:
            unit = unit_of(event, self.owner)
            if unit in self.exposed:
                self.of_unit[unit].append(event)

    def value(self, name: str, unit: str) -> tuple[int, int, int, int] | None:
        """Numerator and denominator of a unit and of its covariate; none while the window is open."""
        metric, exposure = METRICS[name], self.exposed[unit]
        end = END if metric.end is None else exposure.at + metric.end
        if end > END:
            return None
        mine = self.of_unit[unit]
        y, d = unit_values(metric, mine, exposure.at + metric.start, end, exposure.at)
        before = exposure.at - timedelta(days=EXPERIMENT.cuped_days)
        x, w = unit_values(metric, mine, before, exposure.at, exposure.at) if metric.cuped else (0, 0)
        return y, d, x, w


@pytest.fixture(scope="module")
def recomputed(home: Path) -> Recomputed:
    return Recomputed(home)


@pytest.fixture(scope="module")
def warehouse(home: Path) -> Any:
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        yield connection


def test_the_same_units_are_exposed_to_the_same_arms(warehouse: Any, recomputed: Recomputed) -> None:
    found = warehouse.execute(
        "select unit_id, variant_id, exposed_at from fct_exposures where experiment_id = ?", [EXPERIMENT.id]
    ).fetchall()
    assert {unit: (variant, at) for unit, variant, at in found} == {
        unit: (exposure.variant, exposure.at) for unit, exposure in recomputed.exposed.items()
    }
    assert len(found) > 3 * UNITS


@pytest.mark.parametrize("name", METRICS)
def test_random_units_have_the_values_of_their_events(
    name: str, warehouse: Any, recomputed: Recomputed
) -> None:
    units = random.Random(name).sample(sorted(recomputed.exposed), UNITS)  # noqa: S311
    if METRICS[name].end is None:
        table = """(select unit_id, metric, last(y order by day) as y, 0 as d, last(x order by day) as x, 0 as w
                    from int_open_values where experiment_id = $1 group by all)"""
    else:
        table = "(select * from int_unit_values where experiment_id = $1)"
    rows = warehouse.execute(
        f"select unit_id, y, coalesce(d, 0), coalesce(x, 0), coalesce(w, 0) from {table} where metric = $2",
        [EXPERIMENT.id, name],
    ).fetchall()
    stored = {unit: tuple(int(value) for value in values) for unit, *values in rows}
    expected = {unit: recomputed.value(name, unit) or (0, 0, 0, 0) for unit in units}
    assert {unit: stored.get(unit, (0, 0, 0, 0)) for unit in units} == expected


# The winsorised metric's sums are of capped values: the last test's business.
@pytest.mark.parametrize("name", [name for name in METRICS if name != "revenue_per_user_winsorized"])
def test_totals_are_the_sums_over_all_units(name: str, warehouse: Any, recomputed: Recomputed) -> None:
    sums: dict[str, list[int]] = {variant: [0, 0, 0, 0, 0, 0] for variant in EXPERIMENT.variants}
    for unit, exposure in recomputed.exposed.items():
        row = recomputed.value(name, unit)
        if row is not None:
            y, d, x, _ = row
            sums[exposure.variant] = [
                a + b for a, b in zip(sums[exposure.variant], (1, y, y * y, d, x, x * y), strict=True)
            ]
    found = warehouse.execute(
        """select variant_id, n, sum_y, sum_yy, coalesce(sum_d, 0), coalesce(sum_x, 0), coalesce(sum_yx, 0)
           from fct_sufficient_statistics
           where experiment_id = ? and metric = ? and segment = 'all' and analysis = 'default' and cut_off = ?""",
        [EXPERIMENT.id, name, END.date() - ONE_DAY],
    ).fetchall()
    assert {variant: [int(value) for value in values] for variant, *values in found} == sums


def test_capped_and_percentile_values_come_from_all_units(warehouse: Any, recomputed: Recomputed) -> None:
    by_arm: dict[str, dict[str, list[int]]] = {}
    for name in ("revenue_per_user_winsorized", "revenue_p90"):
        by_arm[name] = {variant: [] for variant in EXPERIMENT.variants}
        for unit, exposure in recomputed.exposed.items():
            row = recomputed.value(name, unit)
            if row is not None:
                by_arm[name][exposure.variant].append(row[0])
    published = {
        (metric, variant): mean
        for metric, variant, mean in warehouse.execute(
            """select metric, variant_id, mean from results.comparisons
               where experiment_id = ? and segment = 'all' and analysis = 'default' and cut_off = ?""",
            [EXPERIMENT.id, END.date() - ONE_DAY],
        ).fetchall()
    }
    pooled = sorted(value for values in by_arm["revenue_per_user_winsorized"].values() for value in values)
    cap = pooled[
        -(-99 * len(pooled) // 100) - 1
    ]  # discrete quantile: the smallest value with 99 % at or below it
    for variant in EXPERIMENT.variants:
        capped = [min(value, cap) for value in by_arm["revenue_per_user_winsorized"][variant]]
        mean = sum(capped) / len(capped) / MICROS
        assert published["revenue_per_user_winsorized", variant] == pytest.approx(mean, rel=1e-12)
        values = sorted(by_arm["revenue_p90"][variant])
        place = 0.9 * (len(values) - 1)  # type 7
        low = values[int(place)]
        quantile = low + (place - int(place)) * (values[int(place) + 1] - low)
        assert published["revenue_p90", variant] == pytest.approx(quantile / MICROS, rel=1e-12)


def test_a_file_of_the_units_gives_the_same_capped_figures(warehouse: Any, recomputed: Recomputed) -> None:
    metric = "revenue_per_user_winsorized"
    rows = [
        (exposure.variant, value[0] / MICROS)
        for unit, exposure in recomputed.exposed.items()
        if (value := recomputed.value(metric, unit)) is not None
    ]
    units = pl.DataFrame(rows, schema=["arm", "revenue"], orient="row")
    found = analyze(units, variant="arm", control="a", metrics="revenue:mean", caps="p99").comparisons
    columns = ("variant_id", "n", "mean", "variance", "lift_abs", "lift_std_error", "df", "p_value")
    published = warehouse.execute(
        f"""select {", ".join(columns)} from results.comparisons
            where experiment_id = ? and metric = ? and segment = 'all' and analysis = 'default' and cut_off = ?
            order by variant_id""",
        [EXPERIMENT.id, metric, END.date() - ONE_DAY],
    ).fetchall()
    assert found.sort("variant_id").select(columns).rows() == [
        tuple(
            value if value is None or isinstance(value, str) else pytest.approx(value, rel=1e-9)
            for value in row
        )
        for row in published
    ]


@pytest.mark.parametrize("unit", ["user", "session"])
def test_what_units_did_is_exported_as_their_attributes(
    unit: str, home: Path, recomputed: Recomputed
) -> None:
    expected = behaviour.subjects(recomputed.events, recomputed.owner, END, unit)
    folder = home / "exports" / "current" / "segments"
    lines = [json.loads(line) for line in (folder / f"{unit}.jsonl").read_text().splitlines()]
    assert pl.read_parquet(folder / f"{unit}.parquet").rows(named=True) == lines
    found = {line["unit_id"]: line for line in lines}
    # The demo's own segments have their columns too.
    names = sorted(set().union(*expected.values()))
    assert {one: {name: line[name] for name in names} for one, line in found.items()} == expected
    assert len(found) > UNITS
    for name in names:
        if name.startswith("segment:"):
            assert {line[name] for line in expected.values()} == {True, False}


def test_sizes_of_segments_are_those_of_the_landed_files(home: Path, recomputed: Recomputed) -> None:
    days = 7
    units: dict[str, str | None] = {}
    for event in sorted(recomputed.events, key=lambda event: (event.at, event.event_id)):
        unit = unit_of(event, recomputed.owner)
        if unit is not None and END - days * ONE_DAY <= event.at:
            country = dict(event.context)["country"]
            units[unit] = units.get(unit) if country == "unknown" else country
    did = behaviour.subjects(recomputed.events, recomputed.owner, END, "user")
    rows = json.loads(
        fairsplit(home, "segments", "--days", str(days), "--format", "json", catalog=home / "catalog")
    )
    sizes = {row["segment"]: row for row in rows}
    american = {unit for unit, country in units.items() if country in {"US", "CA"}}
    assert sizes["north_america"]["units"] == len(units)
    assert sizes["north_america"]["inside"] == len(american)
    assert sizes["north_america"]["unknown"] == sum(country is None for country in units.values())
    assert sizes["buyers"]["inside"] == sum(did[unit]["segment:buyers"] for unit in units)
