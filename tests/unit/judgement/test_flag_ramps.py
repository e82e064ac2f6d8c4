"""Ramps of flags with guardrails (mission row M38): day by day, by hand."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from fairsplit.analysis.catalogue.findings import parse_model
from fairsplit.analysis.catalogue.flags import Flag
from fairsplit.analysis.catalogue.yaml_source import parse_yaml
from fairsplit.analysis.judgement.flag_ramps import ramp_state
from fairsplit.assignment_exports.families import FAMILIES

TEXT = """\
id: wallet
name: Wallet
owner: pay@example.com
type: boolean
default: false
rollout: 0.05
experiment: cta
ramp: {start: 2026-01-05, steps: [{rollout: 0.25, after: 2d}, {rollout: 1.0, after: 3d}]}
"""


HELD = "step 0 of 2, held: the data of its experiment are at fault; then 25.0% after 2d"


def flag(text: str = TEXT) -> Flag:
    parsed = parse_model(Flag, parse_yaml(text, "flags/wallet.yaml"))
    assert isinstance(parsed, Flag), parsed
    return parsed


def actions(**said: str) -> dict[date, str]:
    return {date(2026, 1, int(day[1:])): action for day, action in said.items()}


@pytest.mark.parametrize(
    ("day", "said", "rollout", "words"),
    [
        (4, {}, 0.05, "step 0 of 2, 0 days at it; then 25.0% after 2d"),
        (5, {}, 0.05, "step 0 of 2, 1 days at it; then 25.0% after 2d"),
        (6, {}, 0.25, "step 1 of 2, 0 days at it; then 100.0% after 3d"),
        (9, {}, 1.0, "the ramp is complete at 100.0%"),
        # A day with faulty data does not count, and the share stays.
        (6, {"d6": "fix_data"}, 0.05, HELD),
        (7, {"d6": "fix_data"}, 0.25, "step 1 of 2, 0 days at it; then 100.0% after 3d"),
        # A harmed guardrail ends it for good.
        (7, {"d7": "roll_back"}, 0.0, "rolled back on 2026-01-07: a guardrail of cta is harmed"),
        (9, {"d7": "roll_back", "d8": "wait"}, 0.0, "rolled back on 2026-01-07: a guardrail of cta is harmed"),
    ],
)  # fmt: skip
def test_m38_a_flags_ramp_goes_by_days_and_is_held_and_rolled_back(day, said, rollout, words):
    state = ramp_state(flag(), actions(**said), date(2026, 1, day))
    assert (state.rollout, state.words) == (rollout, words)


def test_m38_a_flag_without_a_ramp_has_no_state():
    assert ramp_state(flag(TEXT.rsplit("ramp", 1)[0]), {}, date(2026, 1, 5)) is None


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("rollout: 0.25, after", "rollout: 0.05, after", "rollout does not rise from step to step"),
        ("experiment: cta\n", "", "has a ramp that nobody watches"),
    ],
)
def test_m38_a_ramp_that_falls_or_is_not_watched_is_refused(before, after, fault):
    (problem,) = parse_model(Flag, parse_yaml(TEXT.replace(before, after), "flags/wallet.yaml"))
    assert fault in str(problem)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_m38_what_is_rolled_back_can_be_exported(family):
    rolled_back = flag().model_copy(update={"rollout": 0.0, "ramp": None, "sdk": family})
    at = datetime(2026, 1, 8)  # noqa: DTZ001
    assert FAMILIES[family].compile_flag(rolled_back, {"wallet": rolled_back}, {}, at, "")
