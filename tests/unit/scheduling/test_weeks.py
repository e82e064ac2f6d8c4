"""Content schedules (mission rows M39 and M55): constraints, blocks, balance, hours, exports."""

# ruff: noqa: DTZ001 - instants are naive and in UTC

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from fairsplit.analysis.catalogue import load_catalogue, load_metrics
from fairsplit.analysis.scheduling.calendar_file import as_csv, as_ics
from fairsplit.analysis.scheduling.hours import hour_effects, hour_of_week
from fairsplit.analysis.scheduling.weeks import priority, week_rows
from fairsplit.orchestration.project import DBT_PROJECT_DIR

METRICS = load_metrics(DBT_PROJECT_DIR)
METRIC = next(iter(METRICS))
MONDAY = date(2026, 2, 2)
ZONE = ZoneInfo("Europe/Berlin")
FLAT = np.zeros(168)

EXPERIMENT = """\
id: {0}
name: {0}
owner: a@example.com
type: {1}
status: running
start: 2026-01-05
variants: [{2}]
metrics: {{primary: [{3}]}}
"""
SCHEDULE = """\
id: lab
name: Laboratory
owner: a@example.com
persona: The curious barista
channel: threads
zone: Europe/Berlin
start: 2026-02-02
posting_hours: {from: 9, until: 21, weekdays: [mon, tue, wed, thu, fri]}
posts_per_hour: 2
posts_per_day: 8
spacing: 20m
near_duplicate_spacing: 2h
items:
  - {experiment: hook, variant: control, text: "Coffee?"}
  - {experiment: hook, variant: question, text: "Which coffee, and why?"}
  - {experiment: hook, variant: question, text: "Espresso; or, \\\\ filter?\\nTell us"}
  - {experiment: tone, variant: control, media: cup.png}
  - {experiment: tone, variant: warm, text: "=1+1"}
  - {experiment: tone, variant: dry, text: ☕☕☕☕☕☕☕☕☕☕☕☕☕☕☕☕☕☕☕☕☕☕☕☕☕☕☕☕☕☕}
"""
OVERRIDES = """\
overrides:
  - {at: 2026-02-03T12:05:00Z, experiment: hook, variant: control, reason: launch}
  - {at: 2026-02-04T10:00:00Z, reason: quiet please}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("catalog")
    (place / "project.yaml").write_text("first_day: 2026-01-01\n")
    for part in ("experiments", "schedules"):
        (place / part).mkdir()
    hook = EXPERIMENT.format("hook", "ab", "{id: control, control: true}, {id: question}", METRIC)
    tone = EXPERIMENT.format("tone", "abn", "{id: control, control: true}, {id: warm}, {id: dry}", METRIC)
    (place / "experiments" / "hook.yaml").write_text(hook)
    (place / "experiments" / "tone.yaml").write_text(tone)
    return place


def load(folder, text: str = SCHEDULE):
    (folder / "schedules" / "lab.yaml").write_text(text)
    return load_catalogue(folder, METRICS)


def plan(folder, text: str = SCHEDULE, effects=FLAT, week: date = MONDAY, **priorities: float):
    catalogue = load(folder, text)
    assert catalogue.problems == ()
    said = priorities or {"hook": 1.5, "tone": 1.0}
    return week_rows(catalogue.schedules["lab"], catalogue.experiments, said, effects, week)


def local(row) -> datetime:
    return row["post_at"].replace(tzinfo=UTC).astimezone(ZONE)


def test_m39_every_constraint_holds_and_each_block_has_each_arm_once(folder):
    rows = plan(folder, SCHEDULE + OVERRIDES)
    times = [row["post_at"] for row in rows]
    assert times == sorted(times)
    assert all(late - early >= timedelta(minutes=20) for early, late in pairwise(times))
    assert all(9 <= local(row).hour < 21 and local(row).weekday() < 5 for row in rows)
    assert max(Counter(local(row).date() for row in rows).values()) <= 8
    assert max(Counter((local(row).date(), local(row).hour) for row in rows).values()) <= 2
    for name in ("hook", "tone"):
        own = [row["post_at"] for row in rows if row["experiment_id"] == name]
        assert all(late - early >= timedelta(hours=2) for early, late in pairwise(own))
    blocks: dict = {}
    for row in rows:
        if row["source"] == "planned":
            blocks.setdefault((row["experiment_id"], row["block"]), []).append(row["variant_id"])
    arms = {"hook": ["control", "question"], "tone": ["control", "dry", "warm"]}
    assert all(sorted(block) == arms[name] for (name, _), block in blocks.items())
    # Eight a day on five days, filled up but for what does not make a whole block.
    assert len(rows) >= 36


def test_m39_what_somebody_fixed_stands_and_the_rest_goes_round_it(folder):
    rows = plan(folder, SCHEDULE + OVERRIDES)
    (fixed,) = [row for row in rows if row["source"] == "override"]
    assert (fixed["post_at"], fixed["variant_id"], fixed["block"]) == (
        datetime(2026, 2, 3, 12, 5),
        "control",
        None,
    )
    quiet = datetime(2026, 2, 4, 10)
    assert all(abs(row["post_at"] - quiet) >= timedelta(minutes=20) for row in rows)


def test_m39_the_same_input_gives_the_same_rows_and_another_week_another_draw(folder):
    assert plan(folder) == plan(folder)
    arms = [
        [row["variant_id"] for row in plan(folder, week=MONDAY + timedelta(days=7 * n))] for n in range(2)
    ]
    assert arms[0] != arms[1]


def test_m39_better_hours_and_nearer_decisions_come_first(folder):
    evening = FLAT.copy()
    for day in range(7):
        evening[day * 24 + 18 : day * 24 + 21] = 1.0
    few = SCHEDULE.replace("posts_per_day: 8", "posts_per_day: 2")
    rows = plan(folder, few, evening)
    assert sum(local(row).hour >= 18 for row in rows) >= 0.8 * len(rows)
    counts = Counter(row["experiment_id"] for row in plan(folder, hook=3.0, tone=1.0))
    assert counts["hook"] > counts["tone"] > 0
    assert {row["experiment_id"] for row in plan(folder, hook=0.0, tone=1.0)} == {"tone"}


def test_m39_no_arm_has_better_hours_over_many_weeks(folder):
    # Fifteen weeks, some 300 posts of the experiment: each arm's mean hour is that of all within four standard errors.
    rows = [
        row
        for number in range(15)
        for row in plan(folder, week=MONDAY + timedelta(days=7 * number))
        if row["experiment_id"] == "tone"
    ]
    hours = np.array([local(row).hour for row in rows], dtype=float)
    arms = np.array([row["variant_id"] for row in rows])
    counts = Counter(arms.tolist())
    assert len(set(counts.values())) == 1
    reach = 4 * hours.std() / math.sqrt(min(counts.values()))
    for arm in counts:
        assert abs(hours[arms == arm].mean() - hours.mean()) < reach


@pytest.mark.parametrize("week", [date(2026, 3, 23), date(2026, 10, 19)])
def test_m39_a_week_in_which_the_clock_changes_keeps_its_local_hours(folder, week):
    text = SCHEDULE.replace(", weekdays: [mon, tue, wed, thu, fri]", "").replace(
        "from: 9, until: 21", "from: 0, until: 24"
    )
    rows = plan(folder, text, week=week)
    assert {local(row).date() for row in rows} == {week + timedelta(days=n) for n in range(7)}
    assert max(Counter((local(row).date(), local(row).hour, local(row).fold) for row in rows).values()) <= 2


def test_m39_hours_are_shrunk_by_what_is_known_of_them():
    busy = [
        (MONDAY + timedelta(days=d), hour, 400 if hour == 17 else 100) for d in range(7) for hour in range(24)
    ]
    effects = hour_effects(busy, ZONE)
    at = hour_of_week(datetime(2026, 2, 2, 17), ZONE)
    assert at == 18
    others = [effect for place, effect in enumerate(effects) if place % 24 != 18]
    assert effects[at] == pytest.approx(math.log(400 / 112.5), rel=0.02)
    assert all(effect < 0 for effect in others)
    # Where hours differ by chance alone, nothing is left of the differences.
    even = [(MONDAY + timedelta(days=d), hour, 100 + (d + hour) % 2) for d in range(7) for hour in range(24)]
    assert hour_effects(even, ZONE) == pytest.approx(0.0, abs=1e-12)
    assert hour_effects([], ZONE) == pytest.approx(0.0)


def test_m39_priority_rises_towards_a_decision():
    assert priority("stop", 0.9, 0.8) == 0.0
    assert (
        priority("continue", 0.9, 0.5) > priority("continue", 0.9, 0.8) > priority("continue", 0.2, 0.1) > 1.0
    )


def test_m39_the_calendar_file_and_csv_say_the_same_posts(folder):
    rows = plan(folder, SCHEDULE + OVERRIDES)
    text = as_ics("lab", rows)
    assert text == as_ics("lab", rows)
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    unfolded = text.replace("\r\n ", "").split("\r\n")
    assert unfolded.count("BEGIN:VEVENT") == len(rows)
    assert [line for line in unfolded if line.startswith("UID:")] == [
        f"UID:{row['post_id']}@fairsplit" for row in rows
    ]
    assert f"DTSTART:{rows[0]['post_at']:%Y%m%dT%H%M%S}Z" in unfolded
    assert "DTSTAMP:20260201T000000Z" in unfolded
    assert unfolded.count("SEQUENCE:1") == 1
    assert "DESCRIPTION:Espresso\\; or\\, \\\\ filter?\\nTell us" in unfolded
    read = list(csv.DictReader(io.StringIO(as_csv(rows))))
    assert [row["post_id"] for row in read] == [row["post_id"] for row in rows]
    assert {row["text"] for row in read if row["variant_id"] == "warm"} == {"'=1+1"}


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("zone: Europe/Berlin", "zone: Europe/Berlni", "unknown time zone"),
        ("until: 21", "until: 9", "holds no hour"),
        ("experiment: tone, variant: dry", "experiment: tone, variant: dyr", "unknown variant (dyr"),
        (
            "experiment: tone, variant: control",
            "experiment: ton, variant: control",
            "unknown experiment (ton: a file of experiments/)",
        ),
        (
            "  - {experiment: tone, variant: control, media: cup.png}\n",
            "",
            "no item for every arm of tone (control",
        ),
        (", media: cup.png", "", "posts nothing"),
        ("channel: threads", "channel: threads\nend: 2026-02-01", "the end is not after the start"),
    ],
)
def test_m39_each_fault_of_a_schedule_is_told(folder, before, after, told):
    catalogue = load(folder, SCHEDULE.replace(before, after))
    assert catalogue.schedules == {}
    assert any(told in str(problem) for problem in catalogue.problems)
