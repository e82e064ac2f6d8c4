"""Speed and size of the published site: 1,000 scorecards, and the same site again when nothing changed.

`python -m benchmarks.bench_site [--experiments N] [--output PATH]`

The frames are made up: rendering does not ask where numbers come from. Limits are for 1,000 experiments; the command
exits with 1 when one is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.measuring import machine, measured
from tests.unit.scorecards import site_world

from fairsplit.analysis.scorecards import render_site
from fairsplit.orchestration.publishing.site import write_site

EXPERIMENTS = 1_000
SECONDS = 60.0
BYTES = 600_000


def main() -> int:
    """Measure, print, and say whether the limits hold."""
    parser = argparse.ArgumentParser(description="Speed and size of the published site.")
    parser.add_argument("--experiments", type=int, default=EXPERIMENTS)
    parser.add_argument("--output", type=Path, help="Where to write the figures as JSON.")
    options = parser.parse_args()
    world = site_world.World()
    for number in range(options.experiments):
        view = site_world.experiment(f"exp_{number:04d}", name=f"Experiment number {number}")
        world.add(view, {"checkout_conversion": 0.02 * (number % 5 - 2)}, history=number % 20 == 0)
    inputs = world.inputs()
    with tempfile.TemporaryDirectory() as folder:
        with measured("first") as first:
            published = write_site(Path(folder), render_site(inputs))
        with measured("unchanged") as second:
            again = write_site(Path(folder), render_site(inputs))
        pages = [path.stat().st_size for path in (published.index.parent / "experiments").iterdir()]
        index = published.index.stat().st_size
    figures = {
        "experiments": options.experiments,
        "stages": [first.as_row(), second.as_row()],
        "largest_scorecard_bytes": max(pages),
        "index_bytes": index,
        "files_written": published.written,
        "files_rewritten_unchanged": again.written,
        "machine": machine(),
    }
    text = json.dumps(figures, indent=1)
    if options.output:
        options.output.write_text(text + "\n", encoding="utf-8")
    print(text)
    bound = SECONDS * max(options.experiments / EXPERIMENTS, 1.0)
    return int(first.seconds > bound or max(pages) > BYTES or again.written > 0)


if __name__ == "__main__":
    sys.exit(main())
