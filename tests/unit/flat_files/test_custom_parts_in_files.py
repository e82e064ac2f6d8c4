"""M56: a file is analysed by a custom part, which is certified on the file's own units first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import stats
from tests.parts import install
from tests.unit.flat_files.rows import treated

from fairsplit.analysis.parts.installed import installed

if TYPE_CHECKING:
    from pathlib import Path

LIBERAL = """
from dataclasses import replace
from robust_parts.trimming import yuen
from scipy.special import ndtr

def half(values, control, treatment, alpha):
    r = yuen(values, control, treatment, alpha)
    return replace(r, std_error=r.std_error / 2, p_value=2 * float(ndtr(-abs(2 * r.difference / r.std_error))))
"""


@pytest.fixture
def file(tmp_path: Path) -> tuple[Path, list[np.ndarray]]:
    rng = np.random.default_rng(3)
    arms = [np.round(rng.lognormal(mean, 1.2, 700), 1) for mean in (1.0, 1.35)]
    rows = [
        f"{arm}{i},{arm},{value}" for arm, its in zip("ab", arms, strict=True) for i, value in enumerate(its)
    ]
    path = tmp_path / "spend.csv"
    path.write_text("\n".join(["user_id,variant,spend", *rows]) + "\n")
    return path, arms


@pytest.mark.usefixtures("example_parts")
def test_m56_a_file_is_analysed_by_a_custom_test(analyze, file) -> None:
    path, arms = file
    code, found, _ = analyze(path, "--unit", "user_id", "--metric", "spend:robust.trimmed_mean")
    row = treated(found)
    expected = stats.ttest_ind(arms[1], arms[0], equal_var=False, trim=0.2)
    assert code == 0
    assert row["p_value"] == pytest.approx(expected.pvalue, rel=1e-6)
    assert row["requirements_met"] is True
    assert found["decisions"][0]["action"] == "ship"


@pytest.mark.usefixtures("example_parts")
def test_m56_a_custom_test_that_breaks_its_promise_decides_nothing(
    analyze, file, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = {"fairsplit.tests": {"liberal.half": "liberal_part_of_a_test:half"}}
    install(tmp_path / "l", monkeypatch, "liberal", entries, modules={"liberal_part_of_a_test": LIBERAL})
    _, found, _ = analyze(file[0], "--unit", "user_id", "--metric", "spend:liberal.half")
    installed.cache_clear()
    assert treated(found)["requirements_met"] is False
    assert found["decisions"][0]["action"] != "ship"
    assert any("liberal.half decides nothing for spend" in note for note in found["notes"])


def test_m56_a_part_that_is_not_installed_is_refused(analyze, file) -> None:
    code, _, err = analyze(file[0], "--unit", "user_id", "--metric", "spend:robust.trimmed_mean")
    assert code == 1
    assert "no installed distribution brings robust.trimmed_mean" in err
    assert "install the distribution" in err
