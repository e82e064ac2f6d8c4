from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from scipy import stats

#: The experiments end with the eighteenth.
CUT_OFF, RUNNING = date(2026, 1, 25), date(2026, 1, 17)


def bayes_factor(lost: int, total: int, share: float) -> float:
    """Beta-binomial against binomial, averaged over three concentrations, by SciPy."""
    null = stats.binom.pmf(lost, total, share)
    priors = ((size * share, size * (1 - share)) for size in (100, 1_000, 10_000))
    return sum(stats.betabinom.pmf(lost, total, *prior) / null for prior in priors) / 3


def row(frame: pl.DataFrame, check: str, level: str = "all") -> dict:
    rows = frame.filter((pl.col("check") == check) & (pl.col("segment_level") == level)).to_dicts()
    assert len(rows) == 1
    return rows[0]


def test_an_even_split_passes(valued):
    valued.exposures({"control": 5_012, "red": 4_988})
    srm = row(valued.judge().validity, "srm")
    assert (srm["status"], srm["reason"]) == ("pass", None)
    assert srm["p_value"] == pytest.approx(stats.chisquare([5_012, 4_988]).pvalue, rel=1e-9)
    assert srm["sentence"] == (
        "Units split 5,012 / 4,988 where 5,000 / 5,000 were due: no sign of a faulty split (p = 0.81)."
    )


def test_cookie_cats_warns(valued):
    # The published figures of the Cookie Cats data: 44,700 and 45,489 players, chi-square p = .0086.
    valued.exposures({"control": 44_700, "red": 45_489})
    srm = row(valued.judge().validity, "srm")
    assert (srm["status"], round(srm["p_value"], 4)) == ("warn", 0.0086)


def test_a_faulty_split_fails_and_says_since_when(valued):
    for offset in range(10):
        faulty = offset >= 4
        day = date(2026, 1, 5) + timedelta(days=offset)
        valued.exposures({"control": 1_000, "red": 800 if faulty else 1_000}, day=day)
    judged = valued.judge()
    srm = row(judged.validity, "srm")
    assert srm["status"] == "fail"
    assert "first seen on 2026-01-1" in srm["sentence"]
    decision = judged.decisions.to_dicts()[0]
    assert (decision["decision"], decision["action"]) == ("modify", "fix_data")
    assert decision["reasons"] == ["invalid", "srm", "srm_chi_square", "srm_day"]
    assert decision["variant_id"] is None


@pytest.mark.parametrize(("last_day", "status"), [(17, "warn"), (18, "fail"), (25, "fail")])
def test_once_ended_one_look_closes_the_gate_as_in_a_file(valued, last_day, status):
    """Case two-split-verdicts: the sequential test has doubts, and the same units in a file fail."""
    counts = [(1_025, 975)] * 14
    for offset, (control, red) in enumerate(counts):
        valued.exposures({"control": control, "red": red}, day=date(2026, 1, 5) + timedelta(days=offset))
    judged = valued.judge(date(2026, 1, last_day))
    counted = counts if last_day > 17 else counts[:-1]
    totals = [sum(arm) for arm in zip(*counted, strict=True)]
    one_look = row(judged.validity, "srm_chi_square")
    assert one_look["status"] == status
    assert one_look["p_value"] == pytest.approx(stats.chisquare(totals).pvalue, rel=1e-9)
    assert row(judged.validity, "srm")["status"] == "warn"
    decision = judged.decisions.to_dicts()[0]
    assert (decision["action"] == "fix_data") == (status == "fail")
    if status == "fail":
        assert decision["reasons"] == ["invalid", "srm_chi_square"]
        assert "At the experiment's end, looked at once" in decision["sentence"]


def test_an_ended_experiment_of_few_units_is_looked_at_exactly(valued):
    for day in (6, 7, 8):
        valued.exposures({"control": 3, "red": 0}, day=date(2026, 1, day))
    found = row(valued.judge(CUT_OFF).validity, "srm_chi_square")
    assert found["p_value"] == pytest.approx(2 * 0.5**9, rel=1e-9)
    assert found["status"] == "warn"


def test_after_the_end_each_part_of_the_traffic_is_looked_at_once(valued):
    for offset in range(4):
        day = date(2026, 1, 5) + timedelta(days=offset)
        for platform, units in (("web", (1_000, 1_000)), ("ios", (520, 480)), ("tv", (455, 545))):
            valued.exposures(
                dict(zip(("control", "red"), units, strict=True)), day=day, segment=("platform", platform)
            )
        valued.exposures({"control": 1_975, "red": 2_025}, day=day)
    validity = valued.judge(CUT_OFF).validity
    found = {level: row(validity, "srm_chi_square", level) for level in ("web", "ios", "tv")}
    assert {level: one["status"] for level, one in found.items()} == {
        "web": "pass",
        "ios": "pass",
        "tv": "fail",
    }
    # Holm over three levels: the smallest of the p-values is multiplied by three.
    assert found["tv"]["p_value"] == pytest.approx(3 * stats.chisquare([1_820, 2_180]).pvalue, rel=1e-9)


def test_days_after_the_cut_off_do_not_count(valued):
    valued.exposures({"control": 1_000, "red": 1_000}, day=date(2026, 1, 6))
    valued.exposures({"control": 5_000, "red": 1}, day=date(2026, 1, 26))
    assert row(valued.judge(CUT_OFF).validity, "srm")["status"] == "pass"


def test_expectations_follow_the_weights_of_each_phase(world):
    world.define(
        phases="[{start: 2026-01-05, traffic: 0.2, weights: {control: 0.9, red: 0.1}},"
        " {start: 2026-01-08, weights: {control: 0.5, red: 0.5}}]"
    )
    world.values("control", [1, 2, 3])
    world.values("red", [1, 2, 4])
    world.exposures({"control": 900, "red": 100}, day=date(2026, 1, 6), phase=0)
    world.exposures({"control": 480, "red": 520}, day=date(2026, 1, 9), phase=1)
    validity = world.judge().validity
    assert row(validity, "srm")["status"] == "pass"
    chi_square = row(validity, "srm_chi_square")
    # (O - E)² over the summed variances: 20² / (1000 · .09 + 1000 · .25).
    assert chi_square["statistic"] == pytest.approx(400 / 340, rel=1e-9)
    assert chi_square["expected"] == "1,400 / 600"


def test_a_unit_in_an_arm_of_weight_zero_is_a_fault_by_itself(world):
    world.define(
        phases="[{start: 2026-01-05, weights: {control: 1, red: 0}},"
        " {start: 2026-01-08, weights: {control: 0.5, red: 0.5}}]"
    )
    world.values("control", [1, 2, 3])
    world.values("red", [1, 2, 4])
    world.exposures({"control": 1_000, "red": 1}, day=date(2026, 1, 6), phase=0)
    world.exposures({"control": 1_000, "red": 1_000}, day=date(2026, 1, 9), phase=1)
    srm = row(world.judge().validity, "srm")
    assert (srm["status"], srm["reason"]) == ("fail", "unit_in_zero_weight_arm")
    assert srm["sentence"].endswith("so the assignment or its log is wrong.")


def test_a_fault_on_one_platform_is_found_there(valued):
    for offset in range(12):
        day = date(2026, 1, 5) + timedelta(days=offset)
        for platform in ("web", "ios", "android"):
            red = 700 if platform == "android" and offset >= 8 else 1_000
            valued.exposures({"control": 1_000, "red": red}, day=day, segment=("platform", platform))
        valued.exposures({"control": 3_000, "red": 2_700 if offset >= 8 else 3_000}, day=day)
    validity = valued.judge().validity
    statuses = {level: row(validity, "srm", level)["status"] for level in ("web", "ios", "android")}
    assert statuses == {"web": "pass", "ios": "pass", "android": "fail"}
    assert row(validity, "srm", "android")["sentence"].startswith("platform = android: units split")


def test_small_counts_are_judged_exactly(valued):
    valued.exposures({"control": 8, "red": 0})
    srm = row(valued.judge().validity, "srm")
    assert srm["p_value"] == pytest.approx(stats.binomtest(0, 8).pvalue, rel=1e-6)


def test_crossovers_are_counted_and_unequal_ones_warn(valued):
    valued.exposures({"control": 10_000, "red": 10_000}, crossovers={"control": 40, "red": 120})
    found = row(valued.judge(RUNNING).validity, "crossovers")
    expected = 1 / bayes_factor(40, 160, 0.5)
    assert (found["status"], found["reason"]) == ("warn", "differential_crossovers")
    assert found["p_value"] == pytest.approx(expected, rel=1e-6)
    assert found["sentence"].startswith(
        "160 of 20,000 units (0.8%) seen in two arms, unequally in the arms (p ="
    )


def test_unequal_crossovers_fail_where_they_are_excluded(world):
    world.define(crossovers="exclude")
    world.values("control", [1, 2, 3])
    world.values("red", [1, 2, 4])
    world.exposures({"control": 10_000, "red": 10_000}, crossovers={"control": 40, "red": 120})
    assert row(world.judge().validity, "crossovers")["status"] == "fail"


def test_a_step_that_loses_one_arm_is_named(valued):
    valued.exposures({"control": 10_000, "red": 9_980})
    losses = pl.DataFrame(
        {
            "experiment_id": ["cta"] * 5,
            "variant_id": ["control", "red", "control", "red", "??"],
            "step": ["bot_filter", "bot_filter", "not_activated", "not_activated", "invalid_variation"],
            "event_day": [date(2026, 1, 8)] * 5,
            "units": [30, 150, 200, 210, 7],
            "events": [30, 150, 200, 210, 7],
        }
    )
    validity = valued.judge(RUNNING, losses=losses).validity
    bots = row(validity, "loss:bot_filter")
    expected = 1 / bayes_factor(30, 180, 10_030 / 20_160)
    assert (bots["status"], bots["reason"]) == ("fail", "differential_loss")
    assert bots["p_value"] == pytest.approx(expected, rel=1e-6)
    assert bots["sentence"].startswith(
        "bot filter: 180 of 20,160 units (0.9%) lost, unequally in the arms (p ="
    )
    assert row(validity, "loss:not_activated")["status"] == "pass"
    assert row(validity, "loss:invalid_variation")["p_value"] is None


def test_losses_of_an_ended_experiment_are_looked_at_once(valued):
    """Case pre-period-one-look: checks of a single look use the single-look p."""
    valued.exposures({"control": 10_000, "red": 10_000}, crossovers={"control": 60, "red": 90})
    losses = pl.DataFrame(
        {
            "experiment_id": ["cta"] * 2,
            "variant_id": ["control", "red"],
            "step": ["bot_filter"] * 2,
            "event_day": [date(2026, 1, 8)] * 2,
            "units": [200, 260],
            "events": [200, 260],
        }
    )
    ended = valued.judge(CUT_OFF, losses=losses).validity
    due = [460 * 10_200 / 20_460, 460 * 10_260 / 20_460]
    assert row(ended, "loss:bot_filter")["p_value"] == pytest.approx(
        stats.chisquare([200, 260], due).pvalue, rel=1e-9
    )
    assert row(ended, "crossovers")["p_value"] == pytest.approx(stats.chisquare([60, 90]).pvalue, rel=1e-9)
    assert {row(ended, name)["status"] for name in ("loss:bot_filter", "crossovers")} == {"warn", "pass"}
    running = valued.judge(RUNNING, losses=losses).validity
    assert row(running, "loss:bot_filter")["status"] == "pass"


def undeclared(*rows: tuple[str | None, str | None, int]) -> pl.DataFrame:
    """Units lost because of what they say: the name logged, the arm of the configuration, how many."""
    names, due, units = zip(*rows, strict=True)
    return pl.DataFrame(
        {
            "experiment_id": "cta",
            "variant_id": names,
            "due_variant_id": due,
            "step": "invalid_variation",
            "event_day": date(2026, 1, 6),
            "units": units,
            "events": units,
        },
        schema_overrides={"variant_id": pl.String, "due_variant_id": pl.String},
    )


@pytest.mark.parametrize(
    ("kept", "lost", "status", "reason", "observed", "said"),
    [
        # Half of the units say other names, evenly: told, and the arms stay comparable.
        (
            (200, 200),
            [("Control", None, 200), ("Red", None, 200)],
            "warn",
            "undeclared_variation",
            "200 / 200",
            "400 of 800 units (by arm 200 / 200) say Control / Red, as no variant is called",
        ),
        # One arm only: what is lost is lost from it.
        ((300, 150), [("Red ", None, 150)], "fail", "differential_loss", "0 / 150", "say Red , as"),
        # Another SDK's ids, a renamed arm, an empty one: the configuration tells the arm.
        (
            (200, 200),
            [("0", "control", 150), ("1", "red", 150)],
            "warn",
            "undeclared_variation",
            "150 / 150",
            "say 0 / 1, as",
        ),
        ((300, 100), [("crimson", "red", 200)], "fail", "differential_loss", "0 / 200", "say crimson, as"),
        ((300, 100), [("", "red", 200)], "fail", "differential_loss", "0 / 200", "say nothing, as"),
        ((300, 100), [(None, "red", 200)], "fail", "differential_loss", "0 / 200", "say nothing, as"),
        # Nothing tells the arm: still a named loss.
        ((300, 300), [("b2", None, 200)], "warn", "undeclared_variation", "0 / 0", "say b2, as"),
        # Few are no fault of the log.
        ((5_000, 5_000), [("b2", "red", 3)], "pass", None, "0 / 3", "3 of 10,003 units"),
        # Everybody: nothing is left to be read.
        (
            (0, 0),
            [("Control", None, 400), ("Red", None, 400)],
            "fail",
            "undeclared_variation",
            "400 / 400",
            "800 of 800 units",
        ),
    ],
)
def test_units_that_say_an_undeclared_variation_are_lost_from_their_arm(
    valued, kept, lost, status, reason, observed, said
):
    """Case undeclared-variation."""
    if sum(kept):
        valued.exposures(dict(zip(("control", "red"), kept, strict=True)))
    judged = valued.judge(losses=undeclared(*lost))
    found = row(judged.validity, "loss:invalid_variation")
    assert (found["status"], found["reason"], found["observed"]) == (status, reason, observed)
    assert said in found["sentence"]
    if not sum(kept):
        decision = judged.decisions.to_dicts()[0]
        assert decision["reasons"] == ["invalid", "loss:invalid_variation"]
        assert "say Control / Red" in decision["sentence"]


def test_a_split_that_an_undeclared_name_breaks_is_explained_by_it(valued):
    valued.exposures({"control": 1_000, "red": 500})
    validity = valued.judge(losses=undeclared(("Red", "red", 500))).validity
    assert row(validity, "srm")["status"] == "fail"
    assert "the units lost at step invalid_variation" in row(validity, "srm")["sentence"]


def test_losses_and_crossovers_after_the_cut_off_do_not_count(valued):
    valued.exposures({"control": 1_000, "red": 1_000}, crossovers={"control": 90, "red": 10})
    later = date(2026, 1, 26)
    losses = pl.DataFrame(
        {
            "experiment_id": ["cta", "cta"],
            "variant_id": ["control", "red"],
            "step": ["bot_filter", "bot_filter"],
            "units": [20, 500],
            "event_day": [date(2026, 1, 6), later],
        }
    )
    crossovers = pl.DataFrame(
        {
            "experiment_id": ["cta", "cta"],
            "variant_id": ["control", "control"],
            "exposure_day": [date(2026, 1, 6)] * 2,
            "crossed_day": [date(2026, 1, 7), later],
            "phase": [0, 0],
            "units": [10, 80],
        }
    )
    validity = valued.judge(CUT_OFF, losses=losses, crossovers=crossovers).validity
    assert row(validity, "loss:bot_filter")["observed"] == "20 / 0"
    assert row(validity, "crossovers")["observed"] == "10 / 0"


def test_an_exposure_outside_every_phase_is_no_expectation(valued):
    valued.exposures({"control": 100, "red": 100})
    valued.exposures({"control": 50}, phase=-1)
    assert row(valued.judge().validity, "srm")["observed"] == "100 / 100"


def test_arms_of_other_experiments_do_not_show(valued):
    valued.define("many", type="abn", variants="[{id: a, control: true}, {id: b}, {id: c}]")
    valued.exposures({"control": 100, "red": 100})
    valued.exposures({"a": 100, "b": 100, "c": 100}, experiment="many")
    srm = valued.judge().validity.filter(pl.col("check") == "srm")
    assert srm["observed"].to_list() == ["100 / 100", "100 / 100 / 100"]


def test_one_experiment_without_exposure_does_not_disturb_another(valued):
    valued.define("empty")
    valued.exposures({"control": 100, "red": 100})
    judged = valued.judge()
    assert judged.validity["experiment_id"].unique().to_list() == ["cta"]
    said = dict(zip(judged.decisions["experiment_id"], judged.decisions["sentence"], strict=True))
    assert said["empty"].startswith("It has ended and no unit was ever exposed")


AUDIT = {
    "experiment_id": "cta",
    "assigned_day": date(2026, 1, 6),
    "sdk_version": "1.0.0",
    "platform": "web",
    "units": 5_000,
    "mismatched": 0,
}


def test_logged_variants_that_are_not_the_expected_ones_name_the_sdk(valued):
    audits = pl.DataFrame(
        [
            AUDIT,
            {**AUDIT, "sdk_version": "2.0.0", "platform": "ios", "units": 1_500, "mismatched": 90},
            {**AUDIT, "sdk_version": "3.0.0", "platform": "tv", "units": 999, "mismatched": 999},
            {**AUDIT, "assigned_day": date(2026, 1, 26), "units": 9_000, "mismatched": 9_000},
            {**AUDIT, "experiment_id": "unknown", "mismatched": 5_000},
        ]
    )
    found = valued.judge(CUT_OFF, assignment_audits=audits).validity.filter(pl.col("check") == "audit")
    levels = {(row["segment"], row["segment_level"]): row["status"] for row in found.to_dicts()}
    assert levels == {
        ("all", "all"): "fail",
        ("assigned_day", "2026-01-06"): "fail",
        ("platform", "ios"): "fail",
        ("sdk_version", "2.0.0"): "fail",
    }
    assert row(found, "audit", "2.0.0")["sentence"] == (
        "sdk_version = 2.0.0: 90 of 1,500 logged variants (6.0%) are not the expected ones."
    )


@pytest.mark.parametrize(
    ("mismatched", "status"), [(0, "pass"), (5, "pass"), (6, "warn"), (50, "warn"), (51, "fail")]
)
def test_the_audit_warns_above_a_thousandth_and_fails_above_a_hundredth(valued, mismatched, status):
    audits = pl.DataFrame([{**AUDIT, "mismatched": mismatched}])
    assert row(valued.judge(assignment_audits=audits).validity, "audit")["status"] == status


def test_balance_of_an_ended_experiment_is_looked_at_once(world, rng):
    """Case pre-period-one-look: Welch's p-value of the values before exposure."""
    world.define()
    before = {
        arm: np.round(rng.normal(10 + shift, 3, 400), 3) for arm, shift in (("control", 0), ("red", 0.6))
    }
    for arm, values in before.items():
        world.values(arm, values * 1e6, x=values * 1e6)
    found = row(world.judge(CUT_OFF).validity, "pre_period:revenue")
    expected = stats.ttest_ind(before["red"], before["control"], equal_var=False).pvalue
    assert 1e-3 < expected < 1e-2
    assert found["p_value"] == pytest.approx(expected, rel=1e-6)
    assert found["status"] == "warn"


@pytest.mark.parametrize(("shift", "status"), [(0.0, "pass"), (0.5, "fail")])
def test_arms_that_differed_before_exposure_are_no_random_split(world, rng, shift, status):
    world.define()
    for arm in ("control", "red"):
        before = rng.normal(10 + shift * (arm == "red"), 3, 5_000)
        world.values(arm, before * 1e6, x=before * 1e6)
    found = row(world.judge().validity, "pre_period:revenue")
    assert found["status"] == status
    if status == "fail":
        assert found["reason"] == "pre_period_imbalance"
        assert found["sentence"].startswith("Revenue before exposure: 10.")
        assert "more than a random split gives" in found["sentence"]


def test_without_a_covariate_there_is_nothing_to_balance(valued):
    assert valued.judge().validity.is_empty()


def early_outcomes(day: date, **arms: tuple[int, int]) -> pl.DataFrame:
    """Units with an outcome in the session, and those of them that had it before the exposure."""
    rows = [
        {"experiment_id": "cta", "variant_id": name, "exposure_day": day, "units": units, "early": early}
        for name, (units, early) in arms.items()
    ]
    return pl.DataFrame(rows)


@pytest.mark.parametrize(
    ("control", "red", "status", "reason"),
    [
        ((400, 0), (400, 0), "pass", None),
        ((400, 20), (400, 20), "pass", None),
        ((400, 20), (400, 21), "warn", "exposure_after_outcome"),
        ((4_000, 20), (4_000, 400), "fail", "differential_early_outcomes"),
    ],
)
def test_outcomes_before_the_exposure_warn_when_many_and_fail_when_unequal(
    valued, control, red, status, reason
):
    before, after = CUT_OFF, CUT_OFF + timedelta(days=1)
    counted = pl.concat(
        [early_outcomes(before, control=control, red=red), early_outcomes(after, control=(500, 500))]
    )
    found = row(valued.judge(early_outcomes=counted).validity, "exposure_order")
    assert (found["status"], found["reason"]) == (status, reason)
    if reason == "differential_early_outcomes":
        assert found["p_value"] == pytest.approx(1 / bayes_factor(20, 420, 0.5), rel=1e-6)
        assert found["sentence"].startswith(
            "420 of 8,000 units (5.2%) with an outcome in the session of their exposure had it before, unequally"
        )


@pytest.mark.parametrize(
    ("control", "red", "status", "reason"),
    [
        ((2_000, 0), (2_000, 0), "pass", None),
        ((2_000, 2), (2_000, 1), "pass", None),
        ((2_000, 1_000), (2_000, 1_000), "warn", "targeting_not_kept"),
        ((2_000, 300), (2_000, 600), "fail", "differential_targeting"),
    ],
)
def test_exposures_of_units_that_are_not_eligible_are_told_and_compared(valued, control, red, status, reason):
    """Case targeting-not-audited."""
    audits = pl.DataFrame(
        [
            {
                "experiment_id": "cta",
                "variant_id": arm,
                "exposure_day": day,
                "units": units,
                "ineligible": out,
            }
            for arm, (units, out) in (("control", control), ("red", red))
            for day, units, out in ((CUT_OFF, units, out), (CUT_OFF + timedelta(days=1), 900, 900))
        ]
    )
    found = row(valued.judge(targeting_audits=audits).validity, "targeting")
    assert (found["status"], found["reason"]) == (status, reason)
    assert found["observed"] == f"{control[1]:,} / {red[1]:,}"
    if reason == "targeting_not_kept":
        assert found["sentence"].startswith(
            "2,000 of 4,000 units (50.0%) exposed though the targeting leaves them out, equally in the arms"
        )


def day_split(valued, daily: list[tuple[int, int]]) -> dict:
    for offset, (control, red) in enumerate(daily):
        valued.exposures({"control": control, "red": red}, day=date(2026, 1, 5) + timedelta(days=offset))
    return row(valued.judge(date(2026, 1, 5) + timedelta(days=len(daily) - 1)).validity, "srm_day")


@pytest.mark.parametrize(
    ("third", "status"), [((500, 500), "pass"), ((430, 570), "fail"), ((440, 560), "warn")]
)
def test_a_faulty_day_is_found_in_a_sound_whole_and_all_days_share_the_level(valued, third, status):
    """The third day has 1 / (3 · 4) of the level; the other days are exactly even."""
    found = day_split(valued, [(5_000, 5_000), (5_000, 5_000), third, (5_000, 5_000)])
    single = stats.chisquare(third).pvalue
    assert found["status"] == status
    assert found["p_value"] == pytest.approx(min(12 * single, 1.0), rel=1e-9)
    if status != "pass":
        assert "units of 2026-01-07 split" in found["sentence"]
        assert found["observed"] == f"{third[0]} / {third[1]}"


def test_a_day_of_few_units_is_tested_exactly(valued):
    found = day_split(valued, [(5_000, 5_000), (0, 9)])
    assert found["p_value"] == pytest.approx(6 * 2 * 0.5**9, rel=1e-9)


def test_the_shares_of_the_level_sum_to_one_however_many_days():
    assert sum(1 / (day * (day + 1)) for day in range(1, 100_000)) == pytest.approx(1, abs=2e-5)
