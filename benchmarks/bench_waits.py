"""How long somebody waits: for an A/A certification, for files to be analysed, for a run over half a year to begin.

`python -m benchmarks.bench_waits [--output PATH]`

The command exits with 1 when a stage takes more of the processor than its limit.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from benchmarks.measuring import Measurement, machine, measured

from fairsplit.analysis.aa.certification import certify

LIMIT_SECONDS = {
    "certification": 20.0,
    "one experiment": 5.0,
    "5,000 experiments": 20.0,
    "first word of a run": 1.5,
    "first step of a run": 10.0,
}
LANDED_DAYS = 180
SPLITS, UNITS, FILE_UNITS, EXPERIMENTS, ARMS = 1_000, 100_000, 90_000, 5_000, 4


def certification() -> Measurement:
    """A thousand re-randomisations of a hundred thousand units, adjusted by what they did before."""
    rng = np.random.default_rng(421)
    before = rng.exponential(size=UNITS)
    table = np.column_stack([before + rng.normal(size=UNITS), before])
    with measured("certification", UNITS) as stage:
        certify(table, "cuped", runs=SPLITS, day=np.arange(UNITS) // 3600)
    return stage


def one_experiment(folder: Path) -> Measurement:
    """One line a unit, with the scorecard."""
    rng = np.random.default_rng(422)
    units = {
        "unit_id": np.arange(FILE_UNITS),
        "variant": np.where(rng.random(FILE_UNITS) < 0.5, "control", "treatment"),
        "returned": rng.random(FILE_UNITS) < 0.19,
    }
    card = ("--format", "html", "--output", str(folder / "card"))
    return _analyze("one experiment", units, folder / "units.csv", "--metric", "returned", *card)


def many_experiments(folder: Path) -> Measurement:
    """One line an arm, with its totals."""
    rng = np.random.default_rng(423)
    impressions = rng.integers(2_000, 6_000, EXPERIMENTS * ARMS)
    arms = {
        "experiment": np.repeat(np.arange(EXPERIMENTS), ARMS),
        "variant": np.tile(np.arange(ARMS), EXPERIMENTS),
        "impressions": impressions,
        "clicks": rng.binomial(impressions, 0.015),
    }
    columns = ("--experiment", "experiment", "--variant", "variant", "--metric", "clicks/impressions")
    return _analyze("5,000 experiments", arms, folder / "arms.csv", *columns)


def run_begins(folder: Path) -> list[Measurement]:
    """A run over half a year of landed days, until its first line and until the line of its first step."""
    landing = folder / "home" / "landing"
    landing.mkdir(parents=True)
    for number in range(LANDED_DAYS):
        day = datetime(2026, 1, 5, tzinfo=UTC) + timedelta(days=number)
        one = {
            "event_id": f"e{number}",
            "event_name": "page_view",
            "user_id": "u",
            "occurred_at": day.isoformat(),
        }
        path = landing / f"{day:%Y-%m-%d}.ndjson"
        path.write_text(json.dumps(one) + "\n", encoding="utf-8")
        os.utime(path, ((day + timedelta(days=1)).timestamp(),) * 2)
    environment = {**os.environ, "FAIRSPLIT_HOME": str(folder / "home")}
    code = "from fairsplit.orchestration.cli import main; main()"
    found = []
    # What dbt makes of the project is there from then on, as in any home that has run.
    for stage, word in (("", "done"), ("first word of a run", ""), ("first step of a run", "done")):
        with measured(stage, LANDED_DAYS) as measurement:
            run = subprocess.Popen(
                [sys.executable, "-c", code, "run"],
                env=environment,
                stderr=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )
            next((line for line in run.stderr or () if word in line), None)
            os.killpg(run.pid, signal.SIGKILL)
            run.communicate()
        if stage:
            found.append(measurement)
    return found


def _analyze(stage: str, columns: dict[str, Any], path: Path, *options: str) -> Measurement:
    """`fairsplit analyze`, the start of the program included."""
    table = pl.DataFrame(columns)
    table.write_csv(path)
    code = "from fairsplit.orchestration.cli import main; main()"
    with measured(stage, table.height) as found:
        done = subprocess.run(
            [sys.executable, "-c", code, "analyze", str(path), *options],
            check=False,
            capture_output=True,
            text=True,
        )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return found


def main() -> int:
    """Measure, print, and say which limits are missed."""
    parser = argparse.ArgumentParser(description="How long somebody waits for an answer.")
    parser.add_argument("--output", type=Path, help="Where to write the figures as JSON.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fairsplit-bench-") as folder:
        place = Path(folder)
        stages = [certification(), one_experiment(place), many_experiments(place), *run_begins(place)]
    missed = [one.stage for one in stages if one.cpu_seconds > LIMIT_SECONDS[one.stage]]
    figures: dict[str, Any] = {
        "stages": [one.as_row() | {"limit_seconds": LIMIT_SECONDS[one.stage]} for one in stages],
        "missed": missed,
        "machine": machine(),
    }
    text = json.dumps(figures, indent=1)
    if options.output:
        options.output.write_text(text + "\n", encoding="utf-8")
    print(text)
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
