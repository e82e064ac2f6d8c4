"""Speed and size of assignment: buckets and assignments a second, microseconds a call, bytes a flag.

`python -m benchmarks.bench_assign [--units N] [--output PATH]`

SQL runs on DuckDB with two threads, as the pipeline does. Rates are per second of the cores used (two in SQL, one in
Python), by processor time, so that other work on the machine does not count; wall times of SQL stand beside them. The
limits are those of the promises; the command exits with 1 when one is missed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import platform
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl

from fairsplit.analysis.catalogue.conditions import Condition
from fairsplit.analysis.catalogue.shards import shard_ranges
from fairsplit.assignment_exports.allocation import Allocation, AllocationPhase, assign
from fairsplit.assignment_exports.bucketing import shards
from fairsplit.assignment_exports.catalogue import assignment_list
from fairsplit.assignment_exports.release import build_release, parquet_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairsplit.analysis.catalogue.hashes import Sdk

THREADS = 2
EXPERIMENTS = 1_000
CALLS = 50_000
LOOKUPS = 200
NOW = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
SHARD = "(('0x' || md5({salt} || '-' || unit_id)[:8])::ubigint % 10000)"
#: Name of a measure, its bound, and whether it may not be more or may not be less.
LIMITS = {
    "sql_buckets_per_second": (3e6, "least"),
    "sql_assignments_per_second": (2e6, "least"),
    "eppo_microseconds_per_call": (10.0, "most"),
    "lookup_p95_milliseconds": (50.0, "most"),
    "bytes_per_assignment": (200.0, "most"),
    "bytes_per_flag": (1_024.0, "most"),
    "bytes_per_experiment": (5_120.0, "most"),
}
TARGETING = {"all": [{"attribute": "country", "in": ["US", "CA"]}, {"attribute": "age", "gte": 18}]}


def seconds(work: Callable[[], Any], repeats: int = 3) -> float:
    """The fewest seconds of one core over several runs: other work on the machine only ever adds."""
    taken = []
    for _ in range(repeats):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return min(taken)


def allocation(name: str, sdk: Sdk = "ufc", *, targeted: bool = False) -> Allocation:
    ranges = shard_ranges({"control": 0.5, "red": 0.5})
    begun = NOW - timedelta(days=30)
    phase = AllocationPhase(begun, None, 5_000, f"{name}-traffic", f"{name}-split", ranges)
    condition = Condition.model_validate(TARGETING) if targeted else None
    configs = {arm: {"button_color": arm} for arm in ranges}
    return Allocation(name, "running", (phase,), None, condition, configs, "control", None, sdk=sdk)


def sql_speeds(units: pl.Series) -> dict[str, float]:
    """One shard a unit; a whole assignment (traffic, split, arm) a unit; and 1,000 experiments set-based."""
    with duckdb.connect(config={"threads": THREADS}) as connection:
        connection.register("frame", units.alias("unit_id").to_frame().to_arrow())
        connection.execute("create table units as from frame")
        arms = [
            (f"cta{i}", arm, 5000 * i2)
            for i in range(EXPERIMENTS)
            for i2, arm in enumerate(("control", "red"))
        ]
        connection.execute("create table arms (experiment_id varchar, variant_id varchar, low integer)")
        connection.executemany("insert into arms values (?, ?, ?)", arms)
        bucket = f"select sum({SHARD.format(salt=chr(39) + 'cta-split' + chr(39))}) from units"
        assignment = """
            with hashed as (
                select unit_id, {traffic} as traffic, {split} as split
                from units {crossed}
            )
            select {by} if(split < 5000, 'control', 'red') as variant_id, count(*)
            from hashed where traffic < 5000 group by all
        """
        one = assignment.format(
            traffic=SHARD.format(salt="'cta-traffic'"),
            split=SHARD.format(salt="'cta-split'"),
            crossed="",
            by="",
        )
        sample = 10_000
        many = f"""
            with experiments as (select distinct experiment_id from arms),
            hashed as (
                select experiment_id, {SHARD.format(salt="experiment_id || '-traffic'")} as traffic,
                       {SHARD.format(salt="experiment_id || '-split'")} as split
                from (from units limit {sample}) cross join experiments
            )
            select hashed.experiment_id, arms.variant_id, count(*)
            from hashed
            inner join arms on hashed.experiment_id = arms.experiment_id and split // 5000 * 5000 = arms.low
            where traffic < 5000 group by all
        """
        found: dict[str, float] = {}
        for name, query, count in (
            ("buckets_per_second", bucket, len(units)),
            ("assignments_per_second", one, len(units)),
            ("assignments_per_second_1000_experiments", many, sample * EXPERIMENTS),
        ):
            begun = time.perf_counter()
            used = seconds(lambda query=query: connection.sql(query).fetchall(), 2)
            found[f"sql_{name}"] = count * THREADS / used
            found[f"sql_{name}_wall"] = count * 2 / (time.perf_counter() - begun)
        return found


def python_speeds(units: pl.Series) -> dict[str, float]:
    """Vectorised Python by family; ids in, shards or assignments out."""
    found: dict[str, float] = {}
    for sdk in ("ufc", "flagd", "growthbook"):
        sample = units[: min(len(units), 1_000_000)]
        once = seconds(lambda sdk=sdk, sample=sample: shards("cta-split", sample, sdk), 1)
        whole = allocation("cta", sdk)
        assigned = seconds(lambda whole=whole, sample=sample: assign(whole, sample, NOW), 1)
        found[f"python_buckets_per_second_{sdk}"] = len(sample) / once
        found[f"python_assignments_per_second_{sdk}"] = len(sample) / assigned
    return found


def sdk_calls() -> dict[str, float]:
    """Microseconds of one call in each real SDK, targeting included; the file holds 1,000 experiments."""
    import eppo_client  # noqa: PLC0415 - only the benchmark and the tests need the SDKs
    from growthbook import GrowthBook  # noqa: PLC0415
    from openfeature.contrib.tools.flagd.core import FlagdCore  # noqa: PLC0415
    from openfeature.evaluation_context import EvaluationContext  # noqa: PLC0415

    logging.disable(logging.WARNING)
    names = [f"cta{number}" for number in range(EXPERIMENTS)]
    payloads = {
        sdk: build_release([allocation(name, sdk, targeted=True) for name in names], NOW).payloads[
            f"{sdk}.json"
        ]
        for sdk in ("ufc", "flagd", "growthbook")
    }
    eppo = eppo_client.init(
        eppo_client.ClientConfig(
            api_key="offline",
            assignment_logger=eppo_client.AssignmentLogger(),
            poll_interval_seconds=None,
            initial_configuration=eppo_client.Configuration(flags_configuration=payloads["ufc"]),
        )
    )
    flagd = FlagdCore()
    flagd.set_flags(payloads["flagd"].decode())
    growthbook = GrowthBook(features=json.loads(payloads["growthbook"])["features"])
    attributes = {"country": "US", "age": 30}

    def call_growthbook(key: str, unit: str) -> None:
        growthbook.set_attributes({"id": unit, **attributes})
        growthbook.get_feature_value(key, "-")

    calls: dict[str, Callable[[str, str], Any]] = {
        "eppo": lambda key, unit: eppo.get_string_assignment(key, unit, attributes, "-"),
        "flagd": lambda key, unit: flagd.resolve_string_value(key, "-", EvaluationContext(unit, attributes)),
        "growthbook": call_growthbook,
    }
    found = {}
    for name, call in calls.items():
        count = CALLS if name == "eppo" else CALLS // 10
        pairs = [(names[number % EXPERIMENTS], f"user_{number}") for number in range(count)]
        found[f"{name}_microseconds_per_call"] = (
            1e6 / count * seconds(lambda c=call, p=pairs: [c(*at) for at in p])
        )
    return found


def random_ids(count: int) -> pl.Series:
    """Ids that hardly compress, as real ones: counted ones would flatter the sizes."""
    return pl.Series([hashlib.md5(str(number).encode()).hexdigest() for number in range(count)])  # noqa: S324


def stored_lookups(units: pl.Series) -> dict[str, float]:
    """One stored assignment by unit id from a published list, sorted by unit: Parquet's statistics find it."""
    listed = assignment_list(
        allocation("cta"),
        units,
        NOW,
        pl.DataFrame(
            {"platform": pl.Series(["web", "ios", "android"])[pl.int_range(len(units), eager=True) % 3]}
        ),
    )
    payload = parquet_bytes(listed)
    wanted = listed["unit_id"].gather_every(max(1, listed.height // LOOKUPS)).to_list()[:LOOKUPS]
    taken = []
    with tempfile.TemporaryDirectory() as folder, duckdb.connect(config={"threads": THREADS}) as connection:
        path = Path(folder) / "cta.parquet"
        path.write_bytes(payload)
        for unit in wanted:
            begun = time.perf_counter()
            found = connection.execute("from read_parquet(?) where unit_id = ?", [str(path), unit]).fetchall()
            taken.append(time.perf_counter() - begun)
            if len(found) != 1:
                raise SystemExit(f"{unit} was found {len(found)} times")
    return {
        "listed_assignments": float(listed.height),
        "lookup_p95_milliseconds": 1e3 * statistics.quantiles(taken, n=20)[-1],
        "bytes_per_assignment": len(payload) / listed.height,
    }


def sizes() -> dict[str, float]:
    """Bytes as served (compact JSON) of one flag and one experiment (its two flags), by the UFC file."""
    names = [f"cta{number}" for number in range(EXPERIMENTS)]
    release = build_release([allocation(name, targeted=True) for name in names], NOW)
    flags = json.loads(release.payloads["ufc.json"])["flags"]
    compact = len(json.dumps(flags, separators=(",", ":")).encode())
    return {"bytes_per_flag": compact / len(flags), "bytes_per_experiment": compact / EXPERIMENTS}


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    return {
        "cores": os.cpu_count(),
        "processor": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "duckdb": version("duckdb"),
        "polars": version("polars"),
        "load_average": round(os.getloadavg()[0], 2),
    }


def main() -> int:
    """Measure, print, write, and say which limits were missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=4_000_000, help="ids to hash in SQL")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/assign.json"))
    options = parser.parse_args()
    units = pl.select(pl.format("user_{}", pl.int_range(options.units))).to_series()
    measured: dict[str, float] = {}
    for part in (
        lambda: sql_speeds(units),
        lambda: python_speeds(units),
        sdk_calls,
        lambda: stored_lookups(random_ids(min(options.units, 1_000_000))),
        sizes,
    ):
        found = part()
        measured |= found
        for name, value in found.items():
            print(f"{name:45} {value:>16,.2f}", flush=True)
    missed = [
        name
        for name, (bound, kind) in LIMITS.items()
        if (measured[name] < bound if kind == "least" else measured[name] > bound)
    ]
    report = {
        "machine": machine(),
        "units": options.units,
        "measured": {name: round(value, 3) for name, value in measured.items()},
        "limits": {name: {"at": kind, "bound": bound} for name, (bound, kind) in LIMITS.items()},
        "missed": missed,
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"missed: {', '.join(missed) or 'nothing'}; written to {options.output}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
