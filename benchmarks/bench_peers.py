"""Fairsplit's day and full build beside the refresh of a platform that queries raw events an experiment at a time.

`python -m benchmarks.bench_peers [--scale SHARE] [--experiments N …] [--output FOLDER]`

One process, one machine, one run: only the ratios tell anything. docs/performance.md describes the world and the peer.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import duckdb
from benchmarks.measuring import machine, measured
from benchmarks.peer_queries import METRICS, load, refresh
from benchmarks.pipeline import Driven
from benchmarks.worlds import CUPED_DAYS, World

RESULTS = Path(__file__).parent / "results"
#: At scale 1: the sizes that the goals are about.
EVENTS_A_DAY, EXPOSURES, DAYS = 3_900_000, 10_000_000, 14
#: The peer's queries are alike: of very many so many are run, and the rest is taken to cost the same.
SAMPLE = 40
COLUMNS = (
    "experiments",
    "events a day",
    "exposures",
    "peer",
    "one more day",
    "ratio (goal)",
    "full build",
    "ratio (goal)",
    "nothing new",
    "yardstick",
    "peak MiB",
    "lake bytes an event",
    "warehouse bytes an exposure",
)
GOALS = {100: (25, 3), 1_000: (50, 10)}
#: One pass over a day that nobody can do without: its events read and added up a unit.
YARDSTICK = """
    select user_id, count(*), sum(value) from read_parquet($file) group by user_id
"""


def compared(scale: float, experiments: int, folder: Path) -> dict[str, Any]:
    """A full build of all days but one, one more day, each published, and the peer's refresh."""
    entering = DAYS - CUPED_DAYS
    exposures = max(1, int(EXPOSURES * scale) // experiments // entering)
    events = max(int(EVENTS_A_DAY * scale), exposures * experiments * 2)
    world = World(
        events, experiments, exposures, max(events // 4, exposures * entering), metrics=tuple(METRICS)
    )
    driven = Driven(folder, world)
    full = [*driven.day(0, DAYS - 2), *driven.publish()]
    day = [*driven.day(DAYS - 1, DAYS - 1), *driven.publish()]
    unchanged = [*driven.run(DAYS - 1, 0), *driven.publish()]
    newest = max(driven.home.landing.glob("*.parquet"))
    with duckdb.connect(str(folder / "peer.duckdb"), config={"threads": 2}) as connection:
        with measured("yardstick") as yardstick:
            connection.execute(YARDSTICK, {"file": str(newest)}).fetchall()
        load(connection, driven.home.landing)
        asked = min(experiments, SAMPLE)
        with measured("peer's refresh") as peer:
            for number in range(asked):
                rows = refresh(
                    connection, f"experiment_{number * experiments // asked:04}", world.window_days
                )
                if rows != 2:
                    raise RuntimeError(f"the peer's query gives {rows} variations, not 2")
    share = experiments / asked
    peer.seconds, peer.cpu_seconds = peer.seconds * share, peer.cpu_seconds * share
    return {
        "experiments": experiments,
        "events_a_day": events,
        "exposures": exposures * experiments * entering,
        "units": world.units,
        "full build": [one.as_row() for one in full],
        "one more day": [one.as_row() for one in day],
        "nothing new": [one.as_row() for one in unchanged],
        "peer": peer.as_row(),
        "yardstick": yardstick.as_row(),
        "bytes": _sizes(driven),
        "ratios": {
            name: round(peer.cpu_seconds / sum(one.cpu_seconds for one in stages), 2)
            for name, stages in (("one more day", day), ("full build", full))
        },
        "peak_mib": max(one.peak_bytes for one in [*full, *day]) // 2**20,
    }


def _sizes(driven: Driven) -> dict[str, int]:
    lake = sum(path.stat().st_size for path in (driven.home.root / "lake").rglob("*") if path.is_file())
    return {"lake": lake, "warehouse": driven.home.warehouse.stat().st_size}


def table(report: dict[str, Any]) -> str:
    """The report as Markdown."""
    described = ", ".join(f"{name} {value}" for name, value in report["machine"].items())
    lines = [
        "# Beside a peer's refresh",
        "",
        f"{described}. Scale {report['scale']}. Processor seconds.",
        "",
        "| " + " | ".join(COLUMNS) + " |",
        "|---|" + "---:|" * (len(COLUMNS) - 1),
    ]
    for one in report["worlds"]:
        goal = GOALS.get(one["experiments"], ("–", "–"))
        spent = {
            name: sum(stage["cpu_seconds"] for stage in one[name])
            for name in ("one more day", "full build", "nothing new")
        }
        lines.append(
            f"| {one['experiments']:,} | {one['events_a_day']:,} | {one['exposures']:,} "
            f"| {one['peer']['cpu_seconds']:.1f} "
            f"| {spent['one more day']:.1f} | {one['ratios']['one more day']} × ({goal[0]}) "
            f"| {spent['full build']:.1f} | {one['ratios']['full build']} × ({goal[1]}) | {spent['nothing new']:.1f} "
            f"| {one['yardstick']['cpu_seconds']:.2f} | {one['peak_mib']:,} "
            f"| {one['bytes']['lake'] / (one['events_a_day'] * DAYS):.0f} "
            f"| {one['bytes']['warehouse'] / one['exposures']:.0f} |"
        )
    for one in report["worlds"]:
        lines += [
            "",
            f"## {one['experiments']:,} experiments",
            "",
            "| stage | full build | one more day | nothing new |",
        ]
        lines.append("|---|---:|---:|---:|")
        stages = zip(one["full build"], one["one more day"], one["nothing new"], strict=True)
        lines += [
            f"| {a['stage']} | " + " | ".join(f"{s['cpu_seconds']:.1f}" for s in (a, b, c)) + " |"
            for a, b, c in stages
        ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run the worlds asked for and write their results; missed goals are said, and are no failure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--scale", type=float, default=0.02, help="share of the events and exposures that the goals are about"
    )
    parser.add_argument("--experiments", type=int, nargs="*", default=[100, 1_000])
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder for the results")
    options = parser.parse_args()
    report: dict[str, Any] = {"machine": machine(), "scale": options.scale, "worlds": []}
    for experiments in options.experiments:
        folder = Path(tempfile.mkdtemp(prefix="fairsplit-bench-"))
        try:
            report["worlds"].append(compared(options.scale, experiments, folder / "bench"))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        print(f"{experiments} experiments: {report['worlds'][-1]['ratios']}", file=sys.stderr)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "peers.json").write_text(json.dumps(report, indent=1) + "\n")
    (options.output / "peers.md").write_text(table(report))
    print(table(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
