"""Run inside a peer's own environment: time its comparisons in its own loop and print microseconds each as JSON.

`python peer_stats.py gbstats|tea-tasting SUMS.json`
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def rows(sums: dict[str, Any]) -> list[tuple[dict[str, float], dict[str, float]]]:
    keys = list(sums["c"])
    arms = [
        [dict(zip(keys, row, strict=True)) for row in zip(*sums[arm].values(), strict=True)] for arm in "ct"
    ]
    return list(zip(*arms, strict=True))


def gbstats_work() -> tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]:
    from gbstats.frequentist.tests import FrequentistConfig, TwoSidedTTest  # noqa: PLC0415
    from gbstats.models.statistics import (  # noqa: PLC0415
        RegressionAdjustedStatistic,
        SampleMeanStatistic,
        compute_theta,
    )

    config = FrequentistConfig(difference_type="relative")

    def plain(c: Any, t: Any) -> Any:
        arms = [SampleMeanStatistic(n=int(a["n"]), sum=a["y"], sum_squares=a["yy"]) for a in (c, t)]
        return TwoSidedTTest(arms[0], arms[1], config).compute_result()

    def cuped(c: Any, t: Any) -> Any:
        arms = [
            RegressionAdjustedStatistic(
                n=int(a["n"]),
                post_statistic=SampleMeanStatistic(n=int(a["n"]), sum=a["y"], sum_squares=a["yy"]),
                pre_statistic=SampleMeanStatistic(n=int(a["n"]), sum=a["x"], sum_squares=a["xx"]),
                post_pre_sum_of_products=a["yx"],
                theta=0,
            )
            for a in (c, t)
        ]
        theta = compute_theta(arms[0], arms[1])
        for arm in arms:
            arm.theta = theta
        return TwoSidedTTest(arms[0], arms[1], config).compute_result()

    return plain, cuped


def tea_tasting_work() -> tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]:
    import tea_tasting as tt  # noqa: PLC0415
    from tea_tasting.aggr import Aggregates  # noqa: PLC0415

    def aggregates(a: Any) -> Any:
        n = int(a["n"])
        my, mx = a["y"] / n, a["x"] / n
        return Aggregates(
            count_=n,
            mean_={"y": my, "x": mx},
            var_={"y": (a["yy"] - n * my**2) / (n - 1), "x": (a["xx"] - n * mx**2) / (n - 1)},
            cov_={("x", "y"): (a["yx"] - n * my * mx) / (n - 1)},
        )

    plain_metric, cuped_metric = tt.Mean("y"), tt.Mean("y", covariate="x")
    return (
        lambda c, t: plain_metric.analyze_aggregates(aggregates(c), aggregates(t)),
        lambda c, t: cuped_metric.analyze_aggregates(aggregates(c), aggregates(t)),
    )


def main() -> None:
    data = rows(json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")))
    works = gbstats_work() if sys.argv[1] == "gbstats" else tea_tasting_work()
    result = {}
    for kind, work in zip(("plain_us", "cuped_us"), works, strict=True):
        work(*data[0])
        best = float("inf")
        for _ in range(3):
            begin = time.process_time()
            for control, treatment in data:
                work(control, treatment)
            best = min(best, time.process_time() - begin)
        result[kind] = best / len(data) * 1e6
    print(json.dumps(result))


if __name__ == "__main__":
    main()
