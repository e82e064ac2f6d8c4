"""`python -m tests.truth IN.json OUT.json`: answer truth cases with the engine's public functions."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tests.truth import answer


def main() -> None:
    parser = argparse.ArgumentParser(description="Answer truth cases with the statistics engine.")
    parser.add_argument("cases", type=Path, help='JSON: {"cases": [{"id", "method", "inputs"}]}')
    parser.add_argument("output", type=Path, help='JSON: {"results": [{"id", "outputs" | "error"}]}')
    arguments = parser.parse_args()
    cases = json.loads(arguments.cases.read_text(encoding="utf-8"))["cases"]
    results = {"results": [answer(case) for case in cases]}
    arguments.output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
