"""What Thompson sampling would have earned, from the uniform policy's log alone: `python evaluate.py FOLDER`.

The log of the Thompson policy gives its shares of the items, and its own clicks as the truth to compare with.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import polars as pl

from fairsplit.analysis.bandits.off_policy import OFF_POLICY_METHODS, off_policy_value

ITEMS = 80
#: Impressions of an average item that the click model of each item starts from.
PRIOR_IMPRESSIONS = 500.0


def click_model(items: np.ndarray, clicks: np.ndarray) -> np.ndarray:
    """Click rate of every item for every row, shape (rows, items), from the other half of the rows alone."""
    model = np.empty((items.size, ITEMS))
    for half in (0, 1):
        other = np.arange(items.size) % 2 != half
        shown = np.bincount(items[other], minlength=ITEMS)
        clicked = np.bincount(items[other], weights=clicks[other], minlength=ITEMS)
        rate = clicks[other].mean()
        model[~other] = (clicked + PRIOR_IMPRESSIONS * rate) / (shown + PRIOR_IMPRESSIONS)
    return model


def main(folder: Path) -> None:
    """Print the estimates of each method and what the Thompson policy really earned."""
    uniform, thompson = (pl.read_parquet(folder / f"{name}_all.parquet") for name in ("random", "bts"))
    items, clicks = uniform["item_id"].to_numpy(), uniform["click"].to_numpy().astype(float)
    logged = np.full((items.size, ITEMS), uniform["propensity_score"].to_numpy()[:, None])
    target = np.bincount(thompson["item_id"].to_numpy(), minlength=ITEMS) / thompson.height
    for method in OFF_POLICY_METHODS:
        model = click_model(items, clicks) if method == "doubly_robust" else None
        r = off_policy_value(items, clicks, logged, target, method=method, model=model)
        low, high = float(r.ci_low), float(r.ci_high)
        print(f"{method:14s} {float(r.estimate):.5f}  {low:.5f} to {high:.5f}  width {high - low:.5f}")  # noqa: T201
    print(f"{'thompson log':14s} {thompson['click'].mean():.5f}")  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
