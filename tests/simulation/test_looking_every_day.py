"""28 daily looks under no effect, how long a loss stays hidden, and what excluding crossovers does."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from scipy import stats

from fairsplit.analysis.catalogue.project import Thresholds
from fairsplit.analysis.judgement.losses import crossover_rows
from fairsplit.analysis.judgement.split import mixed_sequential
from fairsplit.analysis.statistics.confidence_sequences import confidence_sequence
from fairsplit.analysis.statistics.group_sequential import lan_demets_bounds
from fairsplit.analysis.statistics.spending import spending_function

pytestmark = pytest.mark.simulation

RUNS, DAYS, A_DAY, ALPHA = 10_000, 28, 500, 0.05
NONE_ENDED = pl.Series("experiment_id", [], dtype=pl.String)
NO_PERIODS = pl.DataFrame(schema={"experiment_id": pl.String, "from_day": pl.Date, "period": pl.Int64})


@pytest.fixture(scope="module")
def null_paths() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Difference, standard error and units of 10,000 experiments without effect, at every daily look."""
    rng = np.random.default_rng(20260128)
    n = np.arange(1, DAYS + 1) * A_DAY
    arms = []
    for _ in range(2):
        # Sums and sums of squares of a day's normal values: exact draws of the sufficient statistics.
        total = rng.normal(0, np.sqrt(A_DAY), (RUNS, DAYS))
        square = rng.chisquare(A_DAY - 1, (RUNS, DAYS)) + total**2 / A_DAY
        total, square = total.cumsum(axis=1), square.cumsum(axis=1)
        arms.append((total / n, (square - total**2 / n) / (n - 1) / n))
    (mean_0, var_0), (mean_1, var_1) = arms
    return mean_1 - mean_0, np.sqrt(var_0 + var_1), np.broadcast_to(2.0 * n, (RUNS, DAYS))


def most(rate: float) -> float:
    """A true rate exceeds this count in fewer than one of a thousand simulations."""
    return float(stats.binom.isf(1e-3, RUNS, rate))


def test_the_group_sequential_stop_keeps_alpha_over_28_looks(null_paths):
    diff, se, _ = null_paths
    fractions = np.arange(1, DAYS + 1)[None, :] / DAYS
    for spending in ("obrien_fleming", "pocock"):
        bounds = lan_demets_bounds(
            fractions, np.array([ALPHA]), sides=2, spending=spending_function(spending)
        )
        fired = int((np.abs(diff / se) >= bounds.upper).any(axis=1).sum())
        # The whole level is spent by the end, so the rate is not far below it either.
        assert stats.binom.ppf(1e-3, RUNS, 0.9 * ALPHA) <= fired <= most(ALPHA)


def test_the_always_valid_stop_keeps_alpha_over_28_looks(null_paths):
    diff, se, units = null_paths
    planned = np.full(diff.shape, 5_000)
    p_value = confidence_sequence(diff, se, units, planned, np.full(diff.shape, ALPHA)).p_value
    assert int((p_value <= ALPHA).any(axis=1).sum()) <= most(ALPHA)


def test_a_naive_daily_test_fires_several_times_as_often(null_paths):
    diff, se, units = null_paths
    fired = (2 * stats.t.sf(np.abs(diff / se), units - 2) <= ALPHA).any(axis=1).mean()
    assert fired > 4 * ALPHA


def split_paths(loss: float, runs: int, seed: int, a_day: int = 20_000) -> np.ndarray:
    """Daily counts of both arms, the second arm losing a share of its own."""
    share = (1 - loss) / (2 - loss)
    return np.random.default_rng(seed).multinomial(a_day, [1 - share, share], (runs, DAYS)).astype(float)


def first_days(p_value: np.ndarray, level: float) -> np.ndarray:
    """The first day on which each run alarms, one more than the days where it never does."""
    alarmed = p_value < level
    return np.where(alarmed.any(axis=1), alarmed.argmax(axis=1) + 1, DAYS + 1)


def test_the_sequential_split_test_alarms_at_most_at_its_level():
    runs = 4_000
    counts = split_paths(0.0, runs, 1)
    p_value, _ = mixed_sequential(counts, np.full(counts.shape, 0.5))
    for level in (0.001, 0.05):
        assert int((p_value < level).any(axis=1).sum()) <= stats.binom.isf(1e-3, runs, level)


@pytest.mark.parametrize(
    ("loss", "a_day", "sequential", "chi_square"), [(0.01, 100_000, 8, 7), (0.05, 4_000, 7, 7)]
)
def test_how_long_a_loss_stays_hidden_beside_chi_square(loss, a_day, sequential, chi_square, record_property):
    counts = split_paths(loss, 1_000, 2, a_day)
    p_value, _ = mixed_sequential(counts, np.full(counts.shape, 0.5))
    so_far = counts.cumsum(axis=1)
    statistic = (so_far[..., 0] - so_far[..., 1]) ** 2 / so_far.sum(axis=-1)
    delay = float(np.median(first_days(p_value, 0.001)))
    # A chi-square that is looked at on 28 days has to share its level between them: its z is 4.13, reached when
    # a shift of loss / (2 - loss) in the difference of shares times the root of all units is that large.
    beside = float(np.median(first_days(stats.chi2.sf(statistic, 1), 0.001 / DAYS)))
    record_property("median_days_sequential", delay)
    record_property("median_days_chi_square_shared", beside)
    assert beside == pytest.approx(chi_square, abs=1)
    assert delay == pytest.approx(sequential, abs=1)


@pytest.fixture(scope="module")
def people() -> dict[str, np.ndarray]:
    """Two devices, each randomised 90/10 by itself; busy people use both, and the variants do nothing."""
    rng = np.random.default_rng(90_10)
    size = 200_000
    busy = rng.random(size) < 0.3
    first, second = rng.random(size) < 0.1, rng.random(size) < 0.1
    return {
        "arm": first,
        "crossed": busy & (first != second),
        "value": rng.normal(10 + 5 * busy, 3, size),
    }


def lift(value: np.ndarray, arm: np.ndarray) -> tuple[float, float]:
    """Difference of means and its standard error."""
    treated, control = value[arm], value[~arm]
    error = np.sqrt(treated.var(ddof=1) / treated.size + control.var(ddof=1) / control.size)
    return treated.mean() - control.mean(), error


def test_keeping_crossovers_is_unbiased_and_excluding_them_is_not(people):
    estimate, error = lift(people["value"], people["arm"])
    assert abs(estimate) < 4 * error
    kept = ~people["crossed"]
    estimate, error = lift(people["value"][kept], people["arm"][kept])
    # Busy people leave nine times as often from the small arm: 5 (0.03 / 0.73 - 0.27 / 0.97) = -1.19.
    assert estimate == pytest.approx(5 * (0.03 / 0.73 - 0.27 / 0.97), abs=4 * error)
    assert abs(estimate) > 20 * error


@pytest.mark.parametrize(("declared", "status"), [("include", "warn"), ("exclude", "fail")])
def test_the_differential_check_says_so(people, declared, status):
    daily = pl.DataFrame(
        [
            {
                "experiment_id": "devices",
                "segment": "all",
                "exposure_day": date(2026, 1, 6),
                "variant_id": name,
                "units": int(mine.sum()),
                "crossovers": int((mine & people["crossed"]).sum()),
            }
            for name, mine in (("control", ~people["arm"]), ("red", people["arm"]))
        ]
    )
    experiments = pl.DataFrame({"experiment_id": ["devices"], "crossovers": [declared]})
    (found,) = crossover_rows(
        daily, experiments, NO_PERIODS, NONE_ENDED, Thresholds(), date(2026, 1, 6)
    ).to_dicts()
    assert (found["status"], found["reason"]) == (status, "differential_crossovers")
    assert "seen in two arms, unequally in the arms (p" in found["sentence"]
