"""M56, M24: custom tests and statistics are found, called one comparison at a time, and checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import stats
from tests.parts import install

from fairsplit.analysis.aa.certification import certify
from fairsplit.analysis.parts.installed import PartError, installed, part_of
from fairsplit.analysis.parts.running import compare_custom, custom_test
from fairsplit.analysis.statistics.histograms import Histograms
from fairsplit.analysis.statistics.status import Reason, names
from fairsplit.orchestration.provenance.part_hash import part_hash

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Tests that break the protocol, or the promise of their level, each in its own way.
BAD = """
import numpy as np
from fairsplit.analysis.parts.protocols import TestResult

def _z(values, control, treatment):
    n = [units.sum() for units in (control, treatment)]
    mean = [(values * units).sum() / units.sum() for units in (control, treatment)]
    spread = [(units * (values - m) ** 2).sum() / (k - 1) / k for units, m, k in zip((control, treatment), mean, n)]
    return mean[1] - mean[0], float(np.sqrt(sum(spread)))

def _by(values, control, treatment, factor):
    from scipy.special import ndtr
    d, e = _z(values, control, treatment)
    e = e * factor
    return TestResult(d, e, 2 * float(ndtr(-abs(d / e))), d - 1.96 * e, d + 1.96 * e)

def sound(values, control, treatment, alpha): return _by(values, control, treatment, 1.0)
def liberal(values, control, treatment, alpha): return _by(values, control, treatment, 0.7)
def careful(values, control, treatment, alpha): return _by(values, control, treatment, 1.6)
def narrow(values, control, treatment, alpha):
    r = _by(values, control, treatment, 1.0)
    return TestResult(r.difference, r.std_error, r.p_value, r.difference, r.difference)
def raises(values, control, treatment, alpha): raise ValueError("no")
def no_probability(values, control, treatment, alpha): return TestResult(0.0, 1.0, 1.2, -1.0, 1.0)
def outside(values, control, treatment, alpha): return TestResult(3.0, 1.0, 0.5, -1.0, 1.0)
def no_result(values, control, treatment, alpha): return 0.03
def sometimes(values, control, treatment, alpha):
    if control.sum() % 3 == 0: raise KeyError("no")
    return sound(values, control, treatment, alpha)
"""
NAMES = (
    "sound", "liberal", "careful", "narrow", "raises", "no_probability", "outside", "no_result", "sometimes",
)  # fmt: skip


@pytest.fixture
def bad_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    entries = {"fairsplit.tests": {f"bad.{name}": f"bad_parts_of_a_test:{name}" for name in NAMES}}
    modules = {"bad_parts_of_a_test": BAD}
    install(tmp_path / "bad", monkeypatch, "bad-parts", entries, modules=modules)
    yield
    installed.cache_clear()


def two_arms(rng: np.random.Generator, units: int = 400) -> tuple[np.ndarray, np.ndarray]:
    return np.round(rng.lognormal(1.0, 1.0, units), 1), np.round(rng.lognormal(1.3, 1.0, units + 7), 1)


@pytest.mark.usefixtures("example_parts")
def test_m24_the_example_is_scipys_trimmed_t_test() -> None:
    control, treatment = two_arms(np.random.default_rng(5))
    found = custom_test("robust.trimmed_mean", Histograms.from_values(control, treatment), np.array([0.1]))
    expected = stats.ttest_ind(treatment, control, equal_var=False, trim=0.2)
    interval = expected.confidence_interval(0.9)
    assert found.p_value[0] == pytest.approx(expected.pvalue, rel=1e-9)
    assert (found.ci_low[0], found.ci_high[0]) == pytest.approx((interval.low, interval.high), rel=1e-9)


@pytest.mark.usefixtures("example_parts")
def test_m56_a_statistic_of_an_arm_has_a_relative_lift() -> None:
    control, treatment = two_arms(np.random.default_rng(6))
    both = Histograms.from_values(control, treatment)
    found = compare_custom("robust.trimmed_value", both, np.array([0.05]))
    means = [stats.trim_mean(arm, 0.2) for arm in (control, treatment)]
    assert found.control[0] == pytest.approx(means[0])
    assert found.diff[0] == pytest.approx(means[1] - means[0])
    assert found.rel.value[0] == pytest.approx(means[1] / means[0] - 1)
    assert found.se[0] == pytest.approx(
        (means[1] - means[0]) / stats.ttest_ind(treatment, control, equal_var=False, trim=0.2).statistic
    )


@pytest.mark.usefixtures("example_parts")
def test_m56_what_a_part_cannot_answer_is_a_status_of_that_comparison_alone() -> None:
    groups = [0, 0, 0, 0, 1, 1]
    is_treatment = [False, False, True, True, False, True]
    both = Histograms.from_long(
        groups, [1.0, 2.0, 1.0, 3.0, 1.0, 1.0], [40, 50, 45, 44, 3, 2], is_treatment, 2
    )
    found = custom_test("robust.trimmed_mean", both, np.array([0.05, 0.05]))
    assert names(found.status).tolist() == ["ok", "part_failed"]
    assert np.isnan(found.p_value[1])


@pytest.mark.usefixtures("bad_parts")
@pytest.mark.parametrize("name", ["raises", "no_probability", "outside", "no_result"])
def test_m56_an_answer_that_is_none_is_a_status(name: str) -> None:
    both = Histograms.from_values([1.0, 2.0, 3.0], [2.0, 3.0, 4.0])
    assert custom_test(f"bad.{name}", both, np.array([0.05])).status[0] == Reason.PART_FAILED


@pytest.mark.usefixtures("bad_parts")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("sound", None), ("careful", None), ("liberal", "false_positives"), ("narrow", "coverage"),
        ("raises", "part_failed"), ("sometimes", "part_failed"),
    ],
)  # fmt: skip
def test_m56_the_certification_refuses_what_breaks_its_promise(name: str, reason: str | None) -> None:
    """At 0.7 of its true error a 5 % test is wrong in 2 Φ(-1.96 × 0.7) = 17 % of the splits."""
    values = np.random.default_rng(8).poisson(3.0, 600).astype(np.float64)
    assert certify(values, f"bad.{name}", runs=300, seed=1).refusal(0.05) == reason


def test_m56_a_part_is_found_by_its_name_and_its_code_is_in_its_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes = []
    first, second = "def t(*a): return 1\n", "def t(*a): return 2\n"
    for version, text in (("1.0.0", first), ("1.0.0", second), ("1.1.0", second)):
        site = tmp_path / f"{len(hashes)}"
        with monkeypatch.context() as patch:
            install(
                site, patch, "some-parts", {"fairsplit.tests": {"some.t": "some_parts_of_a_test:t"}},
                version=version, modules={"some_parts_of_a_test": text},
            )  # fmt: skip
            part = installed("tests")["some.t"]
            assert (part.distribution, part.version) == ("some-parts", version)
            hashes.append(part_hash(part))
    installed.cache_clear()
    assert len(set(hashes)) == 3


def test_m56_names_without_a_dot_and_names_of_two_distributions_count_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = {"fairsplit.tests": {"welch": "json:dumps", "x.same": "json:dumps"}}
    install(tmp_path / "one", monkeypatch, "one", entries)
    install(
        tmp_path / "two",
        monkeypatch,
        "two",
        {"fairsplit.tests": {"x.same": "json:loads", "x.gone": "nowhere:x"}},
    )
    try:
        assert set(installed("tests")) == {"x.gone"}
        with pytest.raises(PartError, match=r"two 1\.0\.0: the part x\.gone cannot be imported"):
            part_of("tests", "x.gone")
    finally:
        installed.cache_clear()
