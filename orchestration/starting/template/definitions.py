"""What Dagster loads: `dagster dev -f definitions.py`; merges into a code location of your own (docs/python.md)."""

from pathlib import Path

import fairsplit

defs = fairsplit.build_definitions(Path(__file__).parent)
