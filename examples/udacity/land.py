"""Join the Udacity visits with the users' countries into one file for the landing folder.

Usage: python examples/udacity/land.py DATA_FOLDER TARGET_FOLDER
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

ARRIVED_AT = datetime(2017, 1, 25, tzinfo=UTC)
"""The data end on 24 January; the file counts as having arrived when that day was over."""


def land(data: Path, target: Path) -> Path:
    """Write `udacity_visits.parquet` and return its path."""
    visits = pl.read_csv(data / "ab_data.csv.gz", try_parse_dates=True)
    countries = pl.read_csv(data / "countries.csv")
    agrees = (pl.col("group") == "treatment") == (pl.col("landing_page") == "new_page")
    path = target / "udacity_visits.parquet"
    target.mkdir(parents=True, exist_ok=True)
    visits.join(countries, on="user_id", how="left", maintain_order="left").with_columns(
        agrees=agrees
    ).write_parquet(path)
    os.utime(path, (ARRIVED_AT.timestamp(), ARRIVED_AT.timestamp()))
    return path


if __name__ == "__main__":
    land(Path(sys.argv[1]), Path(sys.argv[2]))
