from __future__ import annotations

import numpy as np
import pytest
from benchmarks import bench_stats

from fairsplit.analysis.statistics.status import Reason


def test_the_benchmark_measures_whole_judgements_of_distinct_comparisons() -> None:
    sums = bench_stats.random_sums(3, 40)
    frames = {arm: bench_stats.as_frame(columns) for arm, columns in sums.items()}
    information = np.array([[0.3, 0.7, 1.0], [0.2, 0.5, 0.9]])
    result = bench_stats.everything(frames, 2, information, np.array([[500, 510], [400, 700]]))
    comparison = result["comparison"]
    assert (comparison.status == Reason.OK).all()
    assert np.unique(comparison.diff).size == 40
    assert result["bounds"].upper.shape == (2, 3)
    assert (result["adjusted"].p_adjusted >= comparison.p_value).all()
    assert (result["sequence"].high - result["sequence"].low > comparison.ci_high - comparison.ci_low).all()
    assert result["srm"].p_value[1] < 1e-10
    plain = bench_stats.outcome(sums["c"])
    exact = bench_stats.moments(sums["c"]).variable(0)
    assert plain.m2 == pytest.approx(exact.m2)
