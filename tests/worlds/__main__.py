"""`python -m tests.worlds --seeds 1 2 3 --output FOLDER`."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.worlds.claims import broken_claims, summary
from tests.worlds.observing import observe


def main() -> int:
    """Observe every seed that is not there yet, then check all of them together."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    parser.add_argument("--output", type=Path, required=True, help="folder for one JSON file a seed")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    worlds = []
    for seed in options.seeds:
        path = options.output / f"world-{seed}.json"
        if not path.exists():
            with tempfile.TemporaryDirectory(prefix="fairsplit-world-") as home:
                path.write_text(json.dumps(observe(seed, Path(home))))
            sys.stderr.write(f"seed {seed}: observed\n")
        worlds.append(json.loads(path.read_text()))
    sys.stdout.write(f"{summary(worlds)}\n")
    broken = broken_claims(worlds)
    for claim in broken:
        sys.stderr.write(f"BROKEN: {claim}\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
