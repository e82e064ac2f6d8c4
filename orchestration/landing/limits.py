"""What one landed file may hold, for every format alike; `docs/sources.md` shows these as a table."""

from __future__ import annotations

MAX_RECORD_BYTES = 16 << 20
"""A line of NDJSON, a record of CSV or the texts of a Parquet row; a longer one is refused alone."""

MAX_RECORD_LINES = 1 << 20
"""Line ends inside one record of CSV."""

KEPT_BYTES = 1 << 20
"""Of a record beyond the limit, so much is kept in quarantine."""

MAX_COLUMNS = 2_000
"""Columns of a file, and keys of one JSON object at the top of a line or in its properties."""

SNIFF_BYTES = 64 << 10
"""A header of CSV ends within so many bytes."""

CHUNK_BYTES = 4 << 20
"""Files are read in pieces of this size, so that memory does not grow with them."""
