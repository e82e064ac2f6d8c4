from __future__ import annotations

import hashlib

import pytest
from tests.problems import told

from fairsplit.analysis.catalogue import compile_tables, load_catalogue
from fairsplit.analysis.catalogue.serving import eligible_variant

EXPERIMENT = """\
id: {name}
name: A test
owner: growth@example.com
type: ab
status: running
start: {start}
sdk: {sdk}
unit: {unit}
variants: [{{id: control, control: true}}, {{id: red}}]
metrics: {{primary: [ctr]}}
"""


def catalogue(folder, metrics, holdouts, **experiments):
    (folder / "experiments").mkdir(exist_ok=True)
    (folder / "project.yaml").write_text(f"first_day: 2026-01-05\nholdouts: {holdouts}\n")
    for name, changes in experiments.items():
        settings = {"start": "2026-01-05", "sdk": "ufc", "unit": "user"} | changes
        (folder / "experiments" / f"{name}.yaml").write_text(EXPERIMENT.format(name=name, **settings))
    return load_catalogue(folder, metrics)


def covered(loaded):
    return compile_tables(loaded)["holdouts"].rows()


def test_held_out_units_are_in_none_of_several_experiments(tmp_path, metric_catalogue):
    loaded = catalogue(tmp_path, metric_catalogue, "[{id: year, share: 0.1}]", one={}, two={}, three={})
    assert loaded.problems == ()
    for number in range(2_000):
        unit = f"user-{number}"
        digits = hashlib.md5(f"year-holdout-{unit}".encode()).hexdigest()[:8]  # noqa: S324
        served = {
            eligible_variant(experiment, loaded.project, unit, {}, {}) is not None
            for experiment in loaded.experiments.values()
        }
        assert served == {int(digits, 16) % 10_000 >= 1_000}


def test_all_means_experiments_of_the_unit_that_start_in_time(tmp_path, metric_catalogue):
    holdouts = (
        "[{id: year, share: 0.05, start: 2026-01-06, salt: q1}, {id: ads, share: 0.2, experiments: [old]}]"
    )
    loaded = catalogue(
        tmp_path,
        metric_catalogue,
        holdouts,
        old={},
        new={"start": "2026-01-06"},
        visit={"start": "2026-01-06", "unit": "session"},
    )
    assert loaded.problems == ()
    assert covered(loaded) == [
        ("new", "year", "q1", 500, None, None),
        ("old", "ads", "ads-holdout", 2_000, None, None),
    ]


@pytest.mark.parametrize(
    ("holdouts", "experiments", "problem"),
    [
        (
            "[{id: year, share: 0.1}]",
            {"one": {}, "two": {"sdk": "flagd", "start": "2026-01-06"}},
            (
                "experiments/two.yaml:7 sdk: a holdout has one SDK family "
                "(flagd: ufc, as 'one' of holdout 'year': two hashes hold out others)"
            ),
        ),
        (
            "[{id: year, share: 0.1, experiments: [one]}]",
            {"one": {"unit": "session"}},
            (
                "experiments/one.yaml:8 unit: a holdout has one kind of unit "
                "(session: user, as holdout 'year' that names it)"
            ),
        ),
        (
            "[{id: year, share: 0.1, experiments: [on]}]",
            {"one": {}},
            (
                "project.yaml:2 holdouts[0].experiments[0]: unknown experiment (on: a file of experiments/). "
                "Hint: did you mean 'one'?"
            ),
        ),
    ],
)
def test_what_a_holdout_cannot_hold_out_is_refused(
    holdouts, experiments, problem, tmp_path, metric_catalogue
):
    loaded = catalogue(tmp_path, metric_catalogue, holdouts, **experiments)
    assert [told(found) for found in loaded.problems] == [problem]


@pytest.mark.parametrize(
    ("holdouts", "words"),
    [
        ("[{id: a, share: 0.1}, {id: a, share: 0.2}]", "two holdouts have one id"),
        ("[{id: a, share: 1}]", "is out of range"),
        ("[{id: a, share: 0.1, experiments: [x], start: 2026-01-05}]", "start goes with experiments: all"),
        ("[{id: a, share: 0.1, unit: device}]", "is not one of the choices"),
    ],
)
def test_a_holdout_that_says_nothing_sound_stops_the_project(holdouts, words, tmp_path, metric_catalogue):
    with pytest.raises(Exception, match=words):
        catalogue(tmp_path, metric_catalogue, holdouts)


def test_a_changed_holdout_has_its_experiments_assigned_anew_and_no_other(tmp_path, metric_catalogue):
    def hashes(share):
        loaded = catalogue(
            tmp_path, metric_catalogue, f"[{{id: h, share: {share}, experiments: [one]}}]", one={}, two={}
        )
        return compile_tables(loaded)["experiments"].select("definition_hash", "allocation_hash").rows()

    before, after = hashes(0.1), hashes(0.2)
    assert [row[0] for row in before] == [row[0] for row in after]
    assert [old[1] == new[1] for old, new in zip(before, after, strict=True)] == [False, True]
