"""Continuous A/A certification: the same units split at random, judged by the very methods that judge experiments."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from fairsplit.analysis.aa.certification import RUNS, SRM_ALPHA, certify
from fairsplit.analysis.aa.outcomes import variables_of
from fairsplit.analysis.catalogue.metric_rules import KINDS, refused_pair
from fairsplit.analysis.parts.installed import is_custom
from fairsplit.orchestration.judging.certificates import note, part_behind
from fairsplit.orchestration.provenance.code_hash import code_hash
from fairsplit.orchestration.provenance.part_hash import part_hash
from fairsplit.orchestration.reading.results import rows_of
from fairsplit.orchestration.reading.unit_values import Asked, caps_of, unit_values_query
from fairsplit.orchestration.warehouse.measure_sql import KEEP_TRIES_WHOLE
from fairsplit.orchestration.warehouse.opening import add_columns, insert_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    import duckdb

    from fairsplit.analysis.aa.certification import Certification, Rate
    from fairsplit.analysis.catalogue import MetricDefinition
    from fairsplit.analysis.catalogue.metrics import Measure
    from fairsplit.orchestration.catalogue.loading import Definitions

#: Fewer units than this say nothing about a method that is used on more.
MIN_UNITS = 100
ALPHA = 0.05
_METHODS = {
    "welch": "welch",
    "proportion": "proportion",
    "z": "two_proportion_z",
    "ratio": "ratio_delta",
    "percentile": "percentile",
    "mann_whitney": "mann_whitney",
    "ks": "kolmogorov_smirnov",
}
_TABLE = """
    create table if not exists results.aa_certification (
        cut_off date, metric varchar, experiment_id varchar, method varchar, units bigint, quantity varchar,
        promised double, "count" bigint, runs bigint, observed double, low double, high double, flagged boolean,
        status varchar, reason varchar, code_hash varchar)"""
#: Columns that a home from before them gets empty.
_LATER = {"declared": "boolean"}


@dataclass(frozen=True, slots=True)
class Pool:
    """Historical units of one metric: those of the experiment that has most of them.

    Attributes:
        metric: Name.
        experiment: The experiment that measured them.
        methods: The analyses that may judge the metric there; the first is the one that its definition asks for.
        asked: What its unit values are.
    """

    metric: str
    experiment: str
    methods: tuple[str, ...]
    asked: Asked


def certify_metrics(
    connection: duckdb.DuckDBPyConnection,
    definitions: Definitions,
    *,
    runs: int = RUNS,
    only: Collection[str] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> pl.DataFrame:
    """Certify the metrics of the running experiments at the newest cut-off, and replace their rows of that cut-off.

    Each metric is certified by every test that may judge it. What a custom part achieves is noted in the journal of
    certificates too, from which the next judgement takes whether it may decide.

    Args:
        connection: A writer; results are judged.
        definitions: The catalogue, its metrics and their measures.
        runs: Random splits per metric and method.
        only: Names of metrics; all if empty.
        progress: Called with one line a metric and method.

    Returns:
        The rows of `results.aa_certification`: one per metric, method and quantity (``false_positives``, ``coverage``,
        ``relative_coverage``, ``srm_alarms``) with the promise, the rate, its interval, and whether it is flagged. A
        metric with too few units has one row with ``status`` ``insufficient_sample`` and no numbers.
    """
    rows, certificates = [], []
    connection.execute(KEEP_TRIES_WHOLE)
    for pool in pools(connection, definitions):
        if only and pool.metric not in only:
            continue
        metric = definitions.metrics[pool.metric]
        frame = _values(connection, pool, metric, definitions.measures)
        for method in pool.methods:
            found = None if frame.height < MIN_UNITS else _certified(pool, metric, frame, method, runs)
            rows += _rows(pool, method, frame.height, found)
            if is_custom(method):
                certificates.append(_certificate(pool, metric, frame.height, runs, found))
            progress(f"{pool.metric} by {method}: {frame.height:,} units")
    schema: dict[str, Any] = {
        "cut_off": pl.Date,
        **dict.fromkeys(("metric", "experiment_id", "method"), pl.String),
        "units": pl.Int64,
        "quantity": pl.String,
        "promised": pl.Float64,
        "count": pl.Int64,
        "runs": pl.Int64,
        **dict.fromkeys(("observed", "low", "high"), pl.Float64),
        "flagged": pl.Boolean,
        **dict.fromkeys(("status", "reason", "code_hash"), pl.String),
        "declared": pl.Boolean,
    }
    result = pl.DataFrame(rows, schema=schema)
    connection.execute("begin")
    connection.execute("create schema if not exists results")
    connection.execute(_TABLE)
    add_columns(connection, "results.aa_certification", _LATER)
    for cut_off, name in result.select("cut_off", "metric").unique().rows():
        connection.execute(
            "delete from results.aa_certification where cut_off = ? and metric = ?", [cut_off, name]
        )
    note(connection, certificates)
    insert_frame(connection, "results.aa_certification", result)
    connection.execute("commit")
    return result


def pools(connection: duckdb.DuckDBPyConnection, definitions: Definitions) -> list[Pool]:
    """For each metric of a running experiment, the running experiment with most units that count; by metric."""
    found = rows_of(
        connection,
        """
        with newest as (
            select experiment_id, metric, max(cut_off) as cut_off, sum(n)::bigint as n,
                min(cap_low) as cap_low, min(cap_high) as cap_high, min(cap_x_low) as cap_x_low,
                min(cap_x_high) as cap_x_high
            from fct_sufficient_statistics as s
            where segment = 'all' and analysis = 'default' and cut_off = (
                select max(cut_off) from fct_sufficient_statistics as l
                where l.experiment_id = s.experiment_id and l.metric = s.metric)
            group by experiment_id, metric
        )
        select n.*, w.cuped_days, w.covariate_status, w.unit_type
        from newest as n
        inner join int_metric_windows as w using (experiment_id, metric)
        inner join catalog.experiments as e using (experiment_id)
        where e.status = 'running'
        qualify row_number() over (partition by metric order by n.n desc, experiment_id) = 1
        order by metric
        """,
    )
    return [
        Pool(
            row["metric"],
            row["experiment_id"],
            methods_of(definitions.metrics[row["metric"]], covariate=row["covariate_status"] == "ok"),
            Asked(
                row["experiment_id"],
                row["unit_type"],
                row["cut_off"],
                row["cuped_days"],
                caps=caps_of(row),
                caps_before=caps_of(row, "cap_x"),
            ),
        )
        for row in found
        if row["metric"] in definitions.metrics
    ]


def method_of(metric: MetricDefinition, *, covariate: bool) -> str:
    """The analysis that the judgement uses for a metric, as the certification names it.

    Args:
        metric: The metric.
        covariate: Whether its history before exposure is complete.
    """
    if metric.without_difference or metric.is_custom or metric.test == "percentile":
        return _METHODS.get(metric.test, metric.test)
    if metric.denominator is not None or metric.kind == "time_to_conversion":
        return "ratio_cuped" if covariate else "ratio_delta"
    return "cuped" if covariate else _METHODS[metric.test]


def methods_of(metric: MetricDefinition, *, covariate: bool) -> tuple[str, ...]:
    """Every analysis that may judge a metric as it is defined, the one that does first.

    Beside that one: itself without its covariate, and the other tests of the metric's kind that go with its options.
    """
    options = {
        "cuped": metric.cuped,
        "winsorize": metric.winsorize is not None,
        "window: open": metric.window_end is None,
    }
    used = [name for name, is_used in options.items() if is_used]
    others = [
        _METHODS[test]
        for test in KINDS[metric.kind].tests
        if test in _METHODS and not any(refused_pair(test, option) for option in used)
    ]
    plain = [method_of(metric, covariate=False)]
    return tuple(dict.fromkeys([method_of(metric, covariate=covariate), *plain, *others]))


def _values(
    connection: duckdb.DuckDBPyConnection,
    pool: Pool,
    metric: MetricDefinition,
    measures: Mapping[str, Measure],
) -> pl.DataFrame:
    """Unit values as floats, in real units, with the day of exposure; in the order of the unit ids."""
    query = unit_values_query(pool.asked, metric, measures)
    by_steps = metric.kind == "time_to_conversion"
    scales = {"y": metric.scale_y, "x": metric.scale_y, "d": metric.scale_d, "w": metric.scale_d}
    if by_steps:
        scales = dict.fromkeys(scales, 1) | {"y": 1_000_000}
    columns = ", ".join(f"v.{name}::double / {scale} as {name}" for name, scale in scales.items())
    frame: pl.DataFrame = connection.sql(
        f"""select {columns}, x.exposure_day - min(x.exposure_day) over () as day
            from ({query}) as v
            inner join fct_exposures as x on v.unit_id = x.unit_id and x.experiment_id = $e
            order by v.unit_id""",
        params={"e": pool.experiment},
    ).pl()
    return frame


def _certified(
    pool: Pool, metric: MetricDefinition, frame: pl.DataFrame, method: str, runs: int
) -> Certification:
    return certify(
        frame.select(list(variables_of(method))).to_numpy(),
        method,
        day=frame["day"].to_numpy(),
        runs=runs,
        seed=seed_of(pool.metric, pool.asked.cut_off.isoformat()),
        percentile=metric.percentile or 0.5,
        alpha=ALPHA,
    )


def _rows(pool: Pool, method: str, units: int, found: Certification | None) -> list[dict[str, Any]]:
    base = {
        "cut_off": pool.asked.cut_off,
        "metric": pool.metric,
        "experiment_id": pool.experiment,
        "method": method,
        "units": units,
        "code_hash": code_hash(),
        "declared": method == pool.methods[0],
    }
    if found is None:
        return [{**base, "status": "insufficient_sample", "reason": f"fewer than {MIN_UNITS} units"}]
    return [{**base, **row} for row in _quantities(found)]


def _certificate(
    pool: Pool, metric: MetricDefinition, units: int, runs: int, found: Certification | None
) -> dict[str, Any]:
    """What the journal keeps of a custom part."""
    part = part_behind(metric)
    if part is None:
        raise LookupError(f"no part judges {metric.name}")
    refusal = "insufficient_sample" if found is None else found.refusal(ALPHA)
    rates = dict.fromkeys(("false_positives", "coverage", "computed"))
    if found is not None:
        done = float(found.false_positives.runs[0])
        rates = {
            "false_positives": _known(found.false_positives.observed[0]),
            "coverage": _known(found.coverage.observed[0]),
            "computed": done / runs,
        }
    return {
        "part": part.name,
        "distribution": part.distribution,
        "version": part.version,
        "part_hash": part_hash(part),
        "metric": metric.name,
        "definition_hash": metric.definition_hash,
        "experiment_id": pool.experiment,
        "cut_off": pool.asked.cut_off,
        "units": units,
        "runs": runs,
        **rates,
        "passed": refusal is None,
        "reason": refusal,
    }


def _known(rate: float) -> float | None:
    return None if np.isnan(rate) else float(rate)


def _quantities(done: Certification) -> list[dict[str, Any]]:
    """The rates with what they promise; each is flagged by its own interval."""
    two_sided = {
        "false_positives": (done.false_positives, ALPHA),
        "coverage": (done.coverage, 1 - ALPHA),
        "relative_coverage": (done.relative_coverage, 1 - ALPHA),
    }
    rows = [_rate_row(name, rate, promise, low_counts=True) for name, (rate, promise) in two_sided.items()]
    return [*rows, _rate_row("srm_alarms", done.srm_alarms, SRM_ALPHA, low_counts=False)]


def _rate_row(name: str, rate: Rate, promise: float, *, low_counts: bool) -> dict[str, Any]:
    """An SRM alarm that is rarer than its level is no fault: an anytime-valid test is conservative."""
    count, runs, observed, low, high = (
        float(np.atleast_1d(value)[0])
        for value in (rate.count, rate.runs, rate.observed, rate.low, rate.high)
    )
    if runs == 0:
        return {
            "quantity": name, "promised": promise, "runs": 0, "status": "not_computed", "reason": "no_interval",
        }  # fmt: skip
    return {
        "quantity": name,
        "promised": promise,
        "count": int(count),
        "runs": int(runs),
        "observed": observed,
        "low": low,
        "high": high,
        "flagged": low > promise or (low_counts and high < promise),
        "status": "ok",
    }


def seed_of(metric: str, cut_off: str) -> int:
    """The same metric and cut-off are split the same way on every machine."""
    return int(hashlib.md5(f"{metric}|{cut_off}".encode(), usedforsecurity=False).hexdigest()[:8], 16)
