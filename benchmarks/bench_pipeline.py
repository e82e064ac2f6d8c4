"""Speed and memory of the pipeline; `make bench` and `make bench-full`.

`python -m benchmarks.bench_pipeline [--full] [--scale SHARE] [--only NAME …]`
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.measuring import Measurement, machine, measured
from benchmarks.pipeline import Driven
from benchmarks.worlds import World

if TYPE_CHECKING:
    from collections.abc import Callable

RESULTS = Path(__file__).parent / "results"
DAYS = 10
#: After so many further days one more day is measured again.
LATER = 14
LATE_ROWS, LATE_DAYS = 3_000, 3
RATIO_LIMIT, FIXED_SECONDS = 1.3, 15.0
FULL_SECONDS, FULL_BYTES = 360.0, 8 * 2**30
Findings = dict[str, Any]


def scaled(events: int, experiments: int, folder: Path) -> Findings:
    """A full build of nine days, one more day, and a publication."""
    world = World(events // DAYS, experiments, events // DAYS // 5 // experiments, events // 5)
    driven = Driven(folder, world)
    full = [_named("full", one) for one in driven.day(0, DAYS - 2)]
    more = [_named("one more day", one) for one in driven.day(DAYS - 1, DAYS - 1)]
    return {"stages": _rows([*full, *more, *driven.publish()])}


def steady(events: int, folder: Path) -> Findings:
    """One more day two days after all windows are full, and again 14 days later: equal loads, equal costs."""
    world = World(events, 100, events // 500, events // 5)
    driven = Driven(folder, world)
    # Late rows meet as many closed windows as ever only from so many days later on.
    early = world.days_until_full + LATE_DAYS + 2
    driven.day(0, early - 1)
    first = _one_day(driven, early)
    driven.day(early + 1, early + LATER - 1)
    second = _one_day(driven, early + LATER)
    ratios = {
        part: {unit: round(second[part][unit] / first[part][unit], 3) for unit in ("seconds", "cpu_seconds")}
        for part in ("one more day", "late rows")
    }
    return {
        "first": first,
        "later": second,
        "ratios": ratios,
        "failures": [
            f"{part}: {LATER} days later it costs {ratio['cpu_seconds']} times as much"
            for part, ratio in ratios.items()
            if ratio["cpu_seconds"] > RATIO_LIMIT
        ],
    }


def _one_day(driven: Driven, number: int) -> Findings:
    """Cost of a day and of late rows, less what a run costs that has nothing to do."""
    empty = _total(driven.run(number - 1, 0))
    day = driven.day(number, number)
    driven.world.land_late(driven.home.landing, number, LATE_ROWS, LATE_DAYS)
    late = driven.run(number, LATE_ROWS)
    return {
        "empty run": empty,
        "one more day": {unit: round(_total(day)[unit] - empty[unit], 3) for unit in empty},
        "late rows": {unit: round(_total(late)[unit] - empty[unit], 3) for unit in empty},
        "stages": _rows([_named("day", one) for one in day] + [_named("late rows", one) for one in late]),
    }


def fixed(folder: Path) -> Findings:
    """A tiny warehouse and the real command line: a first run, one new day, and a run with nothing to do."""
    world = World(events=2_000, experiments=3, exposures=50, units=1_500)
    world.write_catalogue(folder / "catalog")
    home = folder / "home"
    (home / "landing").mkdir(parents=True)
    world.land(home / "landing", range(DAYS))
    environment = os.environ | {"FAIRSPLIT_HOME": str(home), "FAIRSPLIT_CATALOG": str(folder / "catalog")}
    stages = [_command("first run", environment)]
    world.land(home / "landing", range(DAYS, DAYS + 1))
    stages += [_command("one new day", environment), _command("nothing new", environment)]
    # On a machine that is busy with other things, only the processor's own seconds tell anything.
    unit = "cpu_seconds" if os.getloadavg()[0] > (os.cpu_count() or 1) else "seconds"
    new_day = stages[1][unit]
    failures = [f"one new day in a tiny warehouse takes {new_day:.1f} s"] if new_day >= FIXED_SECONDS else []
    return {"stages": stages, "failures": failures}


def _command(stage: str, environment: dict[str, str]) -> dict[str, Any]:
    code = "from fairsplit.orchestration.cli import main; main()"
    with measured(stage) as result:
        subprocess.run(
            [sys.executable, "-c", code, "run"],
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    return result.as_row() | {"peak_bytes": None}


def full(scale: float, folder: Path) -> Findings:
    """Fifty million events, a thousand experiments and ten million exposures, built from nothing."""
    events, experiments, days = int(50e6 * scale), 1000, DAYS
    exposing = days - 3
    exposures = max(1, int(10e6 * scale) // experiments // exposing)
    world = World(events // days, experiments, exposures, max(exposures * days * 2, events // 50))
    driven = Driven(folder, world)
    stages = driven.day(0, days - 1)
    ingest, build, analysis = stages
    failures = []
    if build.seconds > FULL_SECONDS:
        failures.append(f"the full build takes {build.seconds:.0f} s")
    if max(one.peak_bytes for one in stages) > FULL_BYTES:
        failures.append("the full build needs more than 8 GiB")
    return {
        "experiments": experiments,
        "exposures": exposures * experiments * exposing,
        "stages": _rows([ingest, build, analysis, *driven.publish()]),
        "failures": failures,
    }


def _named(prefix: str, one: Measurement) -> Measurement:
    one.stage = f"{prefix}: {one.stage}"
    return one


def _rows(stages: list[Measurement]) -> list[dict[str, Any]]:
    return [one.as_row() for one in stages]


def _total(stages: list[Measurement]) -> dict[str, float]:
    return {unit: round(sum(getattr(one, unit) for one in stages), 3) for unit in ("seconds", "cpu_seconds")}


def table(report: Findings) -> str:
    """The report as Markdown."""
    described = ", ".join(f"{name} {value}" for name, value in report["machine"].items())
    lines = ["# Pipeline benchmark", "", f"{described}. Scale {report['scale']}."]
    for name, found in report["benchmarks"].items():
        lines += ["", f"## {name}", "", "| stage | events | s | CPU s | events/s | peak MiB |"]
        lines.append("|---|---:|---:|---:|---:|---:|")
        lines += [_line(stage) for stage in found.get("stages", [])]
        for when in ("first", "later"):
            lines += [
                _line(stage | {"stage": f"{when}, {stage['stage']}"})
                for stage in found.get(when, {}).get("stages", [])
            ]
        for part, ratio in found.get("ratios", {}).items():
            before, after = (found[when][part]["cpu_seconds"] for when in ("first", "later"))
            lines += [
                "",
                f"{part}, {LATER} days later: {after:.1f} CPU s after {before:.1f}, {ratio['cpu_seconds']} times",
            ]
            lines[-1] += f" ({ratio['seconds']} times by the clock); an empty run subtracted."
        for failure in found.get("failures", []):
            lines += ["", f"**Missed:** {failure}"]
    return "\n".join(lines) + "\n"


def _line(stage: dict[str, Any]) -> str:
    events, rate = (f"{stage[name]:,}" if stage[name] else "" for name in ("rows", "rows_per_second"))
    peak = stage["peak_bytes"] // 2**20 if stage["peak_bytes"] else ""
    return f"| {stage['stage']} | {events} | {stage['seconds']:.1f} | {stage['cpu_seconds']:.1f} | {rate} | {peak} |"


def main() -> int:
    """Run the benchmarks asked for and write their results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="50 million events instead of 1 and 10 million")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the events, for a quick look")
    parser.add_argument("--only", nargs="*", help="names of benchmarks")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder for the results")
    options = parser.parse_args()
    scale: float = options.scale
    work: dict[str, Callable[[Path], Findings]] = (
        {"50 million events": lambda folder: full(scale, folder)}
        if options.full
        else {
            "tiny warehouse": fixed,
            "1 million events": lambda folder: scaled(int(1e6 * scale), 20, folder),
            "10 million events": lambda folder: scaled(int(10e6 * scale), 100, folder),
            "steady state": lambda folder: steady(int(1e6 * scale), folder),
        }
    )
    report: Findings = {"machine": machine(), "scale": scale, "benchmarks": {}}
    for name, run in work.items():
        if options.only and name not in options.only:
            continue
        folder, begin = Path(tempfile.mkdtemp(prefix="fairsplit-bench-")), time.perf_counter()
        try:
            found = run(folder / "bench")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        report["benchmarks"][name] = found | {"total_seconds": round(time.perf_counter() - begin, 1)}
        print(f"{name}: {time.perf_counter() - begin:.0f} s", file=sys.stderr)
    options.output.mkdir(parents=True, exist_ok=True)
    stem = "pipeline-full" if options.full else "pipeline"
    (options.output / f"{stem}.json").write_text(json.dumps(report, indent=2) + "\n")
    (options.output / f"{stem}.md").write_text(table(report))
    print(table(report))
    failures = [failure for found in report["benchmarks"].values() for failure in found.get("failures", [])]
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
