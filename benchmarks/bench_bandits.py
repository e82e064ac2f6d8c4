"""Speed of 2,000 bandits over 28 daily batches with delayed rewards, and what they earn and cover.

`python -m benchmarks.bench_bandits [--runs N] [--output PATH]`

The command exits with 1 when 2,000 runs take more than a minute of processor time.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from benchmarks.measuring import machine, measured
from tests.simulation.bandit_runs import run

from fairsplit.analysis.bandits.batched import batched_contrast

RUNS = 2_000
SECONDS = 60.0
MEANS = [0.0, 0.05, 0.1, 0.25]


def main() -> int:
    """Measure, print, and say whether the limit holds."""
    parser = argparse.ArgumentParser(description="Speed of bandits over 28 daily batches.")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--output", type=Path, help="Where to write the figures as JSON.")
    options = parser.parse_args()
    with measured("bandits") as stage:
        done = run(1, options.runs, MEANS, "thompson")
        contrast = batched_contrast(done.data)
    truth = done.means - done.means[0]
    plain, error = done.plain()
    reach = 1.96 * np.sqrt(error**2 + error[:, :1] ** 2)
    figures = {
        "runs": options.runs,
        "stage": stage.as_row(),
        "regret_share_of_uniform": round(float(done.regret.mean()) / done.uniform_regret, 3),
        "coverage_adaptive": _shares(np.abs(contrast.diff - truth) <= 1.96 * np.sqrt(contrast.var_diff)),
        "coverage_plain": _shares(np.abs(plain - plain[:, :1] - truth) <= reach),
        "machine": machine(),
    }
    text = json.dumps(figures, indent=1)
    if options.output:
        options.output.write_text(text + "\n", encoding="utf-8")
    print(text)
    return int(stage.cpu_seconds > SECONDS * max(options.runs / RUNS, 1.0))


def _shares(covered: np.ndarray) -> list[float]:
    return [round(float(share), 3) for share in covered.mean(axis=0)[1:]]


if __name__ == "__main__":
    sys.exit(main())
