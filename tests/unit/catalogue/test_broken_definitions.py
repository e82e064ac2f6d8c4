from __future__ import annotations

from pathlib import Path

import pytest

from fairsplit.analysis.catalogue import load_catalogue

BROKEN = Path(__file__).parent / "broken"

EXPECTED: dict[str, list[str]] = {
    "Upper_case": [
        (
            "experiments/Upper_case.yaml:1 id: has characters that are not allowed (Upper_case: a "
            "slug: lower-case letters, digits, - and single _). Hint: docs/definitions.md describes "
            "every key under `experiments/<id>.yaml`"
        ),
    ],
    "alias_bomb": [
        (
            "experiments/alias_bomb.yaml:13: not valid YAML: alias '*a' is not allowed (hypothesis: "
            "*a: YAML). Hint: look at quotes, brackets and the indentation of this line and the one "
            "before"
        ),
    ],
    "bad_regex": [
        (
            "experiments/bad_regex.yaml:13 targeting.matches: the pattern is not a regular "
            "expression ((?=Chrome): Rust/RE2 syntax, without look-around). Hint: "
            "docs/definitions.md describes every key under `experiments/<id>.yaml`"
        ),
    ],
    "bad_semver": [
        (
            "experiments/bad_semver.yaml:13 targeting.semver_gte: is not a semantic version (two: "
            "such as 2.10.0 or 2.10.0-beta.1). Hint: docs/definitions.md describes every key under "
            "`experiments/<id>.yaml`"
        ),
    ],
    "bad_tag": [
        (
            "experiments/bad_tag.yaml:2 name: a YAML tag is not allowed "
            "(tag:yaml.org,2002:python/object/apply:os.system: plain text, numbers, lists and "
            "mappings). Hint: take the tag away"
        ),
    ],
    "between_reversed": [
        (
            "experiments/between_reversed.yaml:13 targeting.any[0].between: the bounds are reversed "
            "(40, 20: [low, high]). Hint: docs/definitions.md describes every key under "
            "`experiments/<id>.yaml`"
        ),
    ],
    "bool_as_text": [
        (
            "experiments/bool_as_text.yaml:9 variants[0].control: must be true or false (yes: "
            "without quotes). Hint: docs/definitions.md describes every key under "
            "`experiments/<id>.yaml`"
        ),
    ],
    "chicken": [
        (
            "flags/chicken.yaml:7 depends_on: flags depend on one another in a circle (chicken → egg "
            "→ chicken: no circle). Hint: take one of these needs away"
        ),
    ],
    "circle_a": [
        (
            "segments/circle_a.yaml:3 condition: segments refer to one another in a circle (circle_a "
            "→ circle_b → circle_a: no circle). Hint: take one of these references away"
        ),
    ],
    "circle_b": [
        (
            "segments/circle_b.yaml:3 condition: segments refer to one another in a circle (circle_b "
            "→ circle_a → circle_b: no circle). Hint: take one of these references away"
        ),
    ],
    "condition_empty": [
        (
            "experiments/condition_empty.yaml:13 targeting.all: has too few items (0: ≥ 1). Hint: "
            "docs/definitions.md describes every key under `experiments/<id>.yaml`"
        ),
    ],
    "condition_mixed": [
        (
            "experiments/condition_mixed.yaml:13 targeting: a condition mixes forms (all, attribute: "
            "exactly one of all, any, not, segment, within, when, attribute). Hint: "
            "docs/definitions.md describes every key under `experiments/<id>.yaml`"
        ),
    ],
    "condition_no_operator": [
        (
            "experiments/condition_no_operator.yaml:13 targeting.not: an attribute test has no "
            'operator ({"attribute": "age"}: exactly one of: in, not_in, equals, not_equals, gt, '
            "gte, lt, lte, between, matches, not_matches, semver_equals, semver_gt, semver_gte, "
            "semver_lt, semver_lte, is_null). Hint: docs/definitions.md describes every key under "
            "`experiments/<id>.yaml`"
        ),
    ],
    "condition_operators": [
        (
            "experiments/condition_operators.yaml:13 targeting: an attribute test has several "
            "operators (gt, lt: exactly one of: in, not_in, equals, not_equals, gt, gte, lt, lte, "
            "between, matches, not_matches, semver_equals, semver_gt, semver_gte, semver_lt, "
            "semver_lte, is_null). Hint: docs/definitions.md describes every key under "
            "`experiments/<id>.yaml`"
        ),
    ],
    "config_misfit": [
        (
            "experiments/config_misfit.yaml:10 variants[1].config.colour: the config does not fit "
            "config_schema (7: 7 is not of type 'string'). Hint: docs/definitions.md describes every "
            "key under `experiments/<id>.yaml`"
        ),
    ],
    "config_remote": [
        (
            "experiments/config_remote.yaml:13 config_schema: refers outside itself "
            "(https://example.com/schema.json: $ref: '#/…'). Hint: docs/definitions.md describes "
            "every key under `experiments/<id>.yaml`"
        ),
    ],
    "config_schema_bad": [
        (
            "experiments/config_schema_bad.yaml:13 config_schema.type: is not a JSON Schema (objekt: "
            "'objekt' is not valid under any of the given schemas). Hint: docs/definitions.md "
            "describes every key under `experiments/<id>.yaml`"
        ),
    ],
    "duplicate_key": [
        (
            "experiments/duplicate_key.yaml:13 owner: key 'owner' is given twice (owner: once only; "
            "the first is on line 3). Hint: take one of them away"
        ),
    ],
    "duplicate_variant": [
        (
            "experiments/duplicate_variant.yaml:9 variants[0].id: two variants have one id (control: "
            "an id of its own). Hint: docs/definitions.md describes every key under "
            "`experiments/<id>.yaml`"
        ),
        (
            "experiments/duplicate_variant.yaml:10 variants[1].id: two variants have one id "
            "(control: an id of its own). Hint: docs/definitions.md describes every key under "
            "`experiments/<id>.yaml`"
        ),
    ],
    "egg": [
        (
            "flags/egg.yaml:7 depends_on: flags depend on one another in a circle (egg → chicken → "
            "egg: no circle). Hint: take one of these needs away"
        ),
    ],
    "empty_file": [
        (
            "experiments/empty_file.yaml:1: the file is empty (nothing: a definition). Hint: "
            "docs/definitions.md describes every key under `experiments/<id>.yaml`"
        ),
    ],
    "endless": [
        (
            "experiments/endless.yaml:13 plan.max_duration: is too long (9999w: at most 3650d). "
            "Hint: docs/definitions.md describes every key under `experiments/<id>.yaml`"
        ),
    ],
    "year_slip": [
        (
            "experiments/year_slip.yaml:6 start: is out of range (0026-01-05T00:00:00Z: a year from "
            "1970 to 2200). Hint: docs/definitions.md describes every key under "
            "`experiments/<id>.yaml`"
        ),
    ],
    "end_before_start": [
        (
            "experiments/end_before_start.yaml:7 end: the end is not after the start "
            "(2026-01-02T00:00:00Z: after 2026-01-05T00:00:00Z). Hint: docs/definitions.md describes "
            "every key under `experiments/<id>.yaml`"
        ),
    ],
    "ended_without_end": [
        (
            "experiments/ended_without_end.yaml:5 status: a completed experiment has no end "
            "(completed: end: an instant). Hint: docs/definitions.md describes every key under "
            "`experiments/<id>.yaml`"
        ),
    ],
    "expect_unknown": [
        (
            "experiments/expect_unknown.yaml:13 tests[0].expect: unknown variant (redd: none, any, "
            "or one of: control, red). Hint: did you mean 'red'?"
        ),
    ],
    "expect_variant_without_unit": [
        (
            "experiments/expect_variant_without_unit.yaml:13 tests[0]: a variant can only be "
            "expected of a unit (red: a test with a unit). Hint: add `unit: <id>`, or expect any"
        ),
    ],
    "factor_level": [
        (
            "experiments/factor_level.yaml:10 variants[1].levels.colour: unknown level (rot: one of: "
            "blue, red). Hint: docs/definitions.md describes every key under `experiments/<id>.yaml`"
        ),
    ],
    "first_phase_late": [
        (
            "experiments/first_phase_late.yaml:13 phases[0].start: the first phase does not begin at "
            "the start (2026-01-06T00:00:00Z: the experiment's start, 2026-01-05T00:00:00Z). Hint: "
            "docs/definitions.md describes every key under `experiments/<id>.yaml`"
        ),
    ],
    "good_short": [
        (
            "flags/good_short.yaml:1 id: an experiment already exports this flag (good_short: an id "
            "of its own). Hint: rename the file and its id"
        ),
    ],
    "guardrail_margin": [
        (
            "experiments/guardrail_margin.yaml:13 metrics.secondary[0].non_inferiority_margin: only "
            "a guardrail has a non-inferiority margin (error_rate: a metric under guardrail). Hint: "
            "docs/definitions.md describes every key under `experiments/<id>.yaml`"
        ),
    ],
    "id_differs": [
        (
            "experiments/id_differs.yaml:1 id: the id differs from the file's name (something_else: "
            "'id_differs'). Hint: docs/definitions.md describes every key under "
            "`experiments/<id>.yaml`"
        ),
    ],
    "indent": [
        (
            "experiments/indent.yaml:12: not valid YAML: found character '\\t' that cannot start any "
            "token (primary: [checkout_conversion]: YAML). Hint: look at quotes, brackets and the "
            "indentation of this line and the one before"
        ),
    ],
    "layer_empty": [
        (
            "experiments/layer_empty.yaml:13 layer: the layer's share is empty (0.5 to 0.5: from < "
            "to). Hint: docs/definitions.md describes every key under `experiments/<id>.yaml`"
        ),
    ],
    "layer_fine_grain": [
        (
            "experiments/layer_fine_grain.yaml:13 layer.from: is finer than one shard (1e-05: a "
            "multiple of 0.0001). Hint: docs/definitions.md describes every key under "
            "`experiments/<id>.yaml`"
        ),
    ],
    "layer_second": [
        (
            "experiments/layer_second.yaml:13 layer: the layer's share is taken (checkout 0.4 to "
            "0.9: outside 0 to 0.5 while 'layer_first' runs). Hint: docs/definitions.md describes "
            "every key under `experiments/<id>.yaml`"
        ),
    ],
    "list_and_hash": [
        (
            "experiments/list_and_hash.yaml:9 sticky: a list keeps every unit in its arm (true: "
            "assignment: hash, for with batch a list says who is in which arm). Hint: "
            "docs/definitions.md describes every key under `experiments/<id>.yaml`"
        ),
        (
            'experiments/list_and_hash.yaml:12 ramp: a list has no traffic to widen ({"steps": '
            '[{"traffic": 1.0, "after": "2d"}]}: assignment: hash, for with batch a list says who is '
            "in which arm). Hint: docs/definitions.md describes every key under "
            "`experiments/<id>.yaml`"
        ),
        (
            "experiments/list_and_hash.yaml:8 traffic: a list has neither phases nor a share of "
            "traffic (0.5: assignment: hash, for with batch a list says who is in which arm). Hint: "
            "docs/definitions.md describes every key under `experiments/<id>.yaml`"
        ),
    ],
    "list_at_top": [
        (
            "experiments/list_at_top.yaml:1: must be a mapping of keys to values (a list: lines of "
            "`key: value`). Hint: docs/definitions.md describes every key under "
            "`experiments/<id>.yaml`"
        ),
    ],
    "lost_link": [
        (
            "flags/lost_link.yaml:8 depends_on[0].flag: unknown flag (new_them: a file of flags/). "
            "Hint: did you mean 'new_theme'?"
        ),
        (
            "flags/lost_link.yaml:7 experiment: unknown experiment (good_shor: a file of "
            "experiments/). Hint: did you mean 'good_short'?"
        ),
    ],
    "metric_twice": [
        (
            "experiments/metric_twice.yaml:13 metrics.secondary[0]: the metric already has a role "
            "(checkout_conversion: only primary). Hint: docs/definitions.md describes every key "
            "under `experiments/<id>.yaml`"
        ),
    ],
    "metric_unknown": [
        (
            "experiments/metric_unknown.yaml:12 metrics.primary[0]: unknown metric "
            "(checkout_convertion: a metric of the dbt semantic layer). Hint: did you mean "
            "'checkout_conversion'?"
        ),
    ],
    "missing_owner": [
        (
            "experiments/missing_owner.yaml:1 owner: key 'owner' is missing (nothing: must be "
            "given). Hint: add `owner: …`"
        ),
    ],
    "nan_weight": [
        (
            "experiments/nan_weight.yaml:9 variants[0].weight: is not a finite number (nan: digits). "
            "Hint: docs/definitions.md describes every key under `experiments/<id>.yaml`"
        ),
    ],
    "negative_weight": [
        (
            "experiments/negative_weight.yaml:9 variants[0].weight: is out of range (-0.5: must be ≥ "
            "0). Hint: docs/definitions.md describes every key under `experiments/<id>.yaml`"
        ),
    ],
    "no_control": [
        (
            'experiments/no_control.yaml:8 variants: no variant is the control ([{"id": "control", '
            '"control": false}, {"id": "red"}]: exactly one with control: true). Hint: '
            "docs/definitions.md describes every key under `experiments/<id>.yaml`"
        ),
    ],
    "no_primary": [
        (
            "experiments/no_primary.yaml:12 metrics.primary: has too few items (0: ≥ 1). Hint: "
            "docs/definitions.md describes every key under `experiments/<id>.yaml`"
        ),
    ],
    "not_utf8": [
        (
            "experiments/not_utf8.yaml:2: the file is not UTF-8 text (byte 0xfc: UTF-8). Hint: save "
            "it as UTF-8"
        ),
    ],
    "old_style": [
        (
            "experiments/old_style.yml: the file is not a definition (.yml: name it .yaml). Hint: "
            "docs/definitions.md describes every key under `experiments/<id>.yaml`"
        ),
    ],
    "one_variant": [
        (
            "experiments/one_variant.yaml:8 variants: has too few items (1: ≥ 2). Hint: "
            "docs/definitions.md describes every key under `experiments/<id>.yaml`"
        ),
    ],
    "paused_since": [
        (
            "experiments/paused_since.yaml:5 status: a paused experiment says not since when "
            "(paused: pauses: [{start: an instant}], the last without end). Hint: "
            "docs/definitions.md describes every key under `experiments/<id>.yaml`"
        ),
    ],
    "override_unknown": [
        (
            "experiments/override_unknown.yaml:10 overrides.user-1: override to an unknown variant "
            "(rde: one of: control, red). Hint: did you mean 'red'?"
        ),
    ],
    "pauses_overlap": [
        (
            "experiments/pauses_overlap.yaml:15 pauses[1].start: pauses overlap or begin before the "
            "start (2026-01-11T00:00:00Z: ≥ 2026-01-12T00:00:00Z). Hint: docs/definitions.md "
            "describes every key under `experiments/<id>.yaml`"
        ),
    ],
    "phase_after_end": [
        (
            "experiments/phase_after_end.yaml:15 phases[1].start: a phase begins after the end "
            "(2026-02-02T00:00:00Z: before 2026-02-02T00:00:00Z). Hint: docs/definitions.md "
            "describes every key under `experiments/<id>.yaml`"
        ),
    ],
    "phase_order": [
        (
            "experiments/phase_order.yaml:15 phases[1].start: phases are not in order of time "
            "(2026-01-05T00:00:00Z: after 2026-01-05T00:00:00Z). Hint: docs/definitions.md describes "
            "every key under `experiments/<id>.yaml`"
        ),
    ],
    "plan_too_short": [
        (
            "experiments/plan_too_short.yaml:12 plan.max_duration: no window of checkout_conversion "
            "closes before the plan concludes (7d for a window of 7d: longer than the window of "
            "every primary metric). Hint: give an end: windows are then awaited beyond it"
        ),
    ],
    "poor_metric": [
        (
            "experiments/poor_metric.yaml:13 stopping.poor_performer.metric: not a metric of this "
            "experiment (ctr: one of: checkout_conversion). Hint: docs/definitions.md describes "
            "every key under `experiments/<id>.yaml`"
        ),
    ],
    "segment_undeclared": [
        (
            "experiments/segment_undeclared.yaml:13 targeting.segment: no active segment of that "
            "name (nordics: one of: nordic). Hint: did you mean 'nordic'?"
        ),
    ],
    "segment_unknown": [
        (
            "experiments/segment_unknown.yaml:13 segments[0]: unknown segment (contry: "
            "properties.<key> or one of: country, region, city, platform, device, browser, os, "
            "language, app_version, sdk_name, sdk_version). Hint: did you mean 'country'?"
        ),
    ],
    "some_weights": [
        (
            "experiments/some_weights.yaml:9 variants[0]: some variants have a weight and this one "
            'has none ({"id": "control", "control": true}: all or none). Hint: docs/definitions.md '
            "describes every key under `experiments/<id>.yaml`"
        ),
    ],
    "status_misspelt": [
        (
            "experiments/status_misspelt.yaml:5 status: is not one of the choices (runing: one of: "
            "draft, running, paused, completed, archived, cancelled, failed). Hint: did you mean "
            "'running'?"
        ),
    ],
    "targeting_test_fails": [
        (
            "experiments/targeting_test_fails.yaml:14 tests[0]: the test fails (got none: expected "
            "any). Hint: docs/definitions.md describes every key under `experiments/<id>.yaml`"
        ),
    ],
    "three_in_ab": [
        (
            "experiments/three_in_ab.yaml:4 type: an ab experiment has two variants (3 variants: "
            "type: abn for more). Hint: docs/definitions.md describes every key under "
            "`experiments/<id>.yaml`"
        ),
    ],
    "time_without_zone": [
        (
            "experiments/time_without_zone.yaml:6 start: has a time of day without a zone "
            "(2026-01-05T00:00:00: an ISO 8601 instant with a zone, such as 2026-01-05T00:00:00Z, or "
            "a date). Hint: end it with Z for UTC"
        ),
    ],
    "traffic_percent": [
        (
            "experiments/traffic_percent.yaml:13 traffic: is out of range (20: must be ≤ 1). Hint: "
            "docs/definitions.md describes every key under `experiments/<id>.yaml`"
        ),
    ],
    "traffic_text": [
        (
            "experiments/traffic_text.yaml:13 traffic: must be a number (20%: digits without "
            "quotes). Hint: docs/definitions.md describes every key under `experiments/<id>.yaml`"
        ),
    ],
    "two_controls": [
        (
            "experiments/two_controls.yaml:8 variants: more than one variant is the control "
            "(control, red: exactly one with control: true). Hint: docs/definitions.md describes "
            "every key under `experiments/<id>.yaml`"
        ),
    ],
    "two_forms": [
        (
            "experiments/two_forms.yaml:13 traffic: traffic stands beside phases (0.5: one of the "
            "two forms). Hint: docs/definitions.md describes every key under `experiments/<id>.yaml`"
        ),
    ],
    "unclosed": [
        (
            "experiments/unclosed.yaml:13: not valid YAML: expected ',' or ']', but got '<stream "
            "end>' (its end: YAML). Hint: look at quotes, brackets and the indentation of this line "
            "and the one before"
        ),
    ],
    "unknown_key": [
        (
            "experiments/unknown_key.yaml:1 owner: key 'owner' is missing (nothing: must be given). "
            "Hint: add `owner: …`"
        ),
        (
            "experiments/unknown_key.yaml:3 ownr: unknown key 'ownr' (growth@example.com: one of: "
            "assignment, bandit, config_schema, crossovers, description, end, exposure, factors, "
            "holdout, hypothesis, id, layer, metrics, name, overrides, owner, pauses, phases, plan, "
            "ramp, salts, sdk, search, segments, shipped, since, stage, start, status, sticky, "
            "stopping, tags, targeting, tests, traffic, type, unit, variants). Hint: did you mean "
            "'owner'?"
        ),
    ],
    "unknown_nested_key": [
        (
            "experiments/unknown_nested_key.yaml:13 plan.alhpa: unknown key 'alhpa' (0.1: one of: "
            "alpha, alternative, correction, cuped_days, looks, max_duration, method, min_sample, "
            "power, spending, winner_probability). Hint: did you mean 'alpha'?"
        ),
    ],
    "unknown_operator": [
        (
            "experiments/unknown_operator.yaml:13 targeting.all[0].inn: unknown key 'inn' ([\"US\"]: "
            "one of: all, any, attribute, between, equals, gt, gte, in, is_null, lt, lte, matches, "
            "not, not_equals, not_in, not_matches, segment, semver_equals, semver_gt, semver_gte, "
            "semver_lt, semver_lte, when, within). Hint: did you mean 'in'?"
        ),
    ],
    "variant_id_chars": [
        (
            "experiments/variant_id_chars.yaml:10 variants[1].id: has characters that are not "
            "allowed (red'; drop table x: letters, digits, _, . and -, starting with a letter or "
            "digit). Hint: docs/definitions.md describes every key under `experiments/<id>.yaml`"
        ),
    ],
    "weight_missing_arm": [
        (
            "experiments/weight_missing_arm.yaml:13 phases[0].weights: variant 'red' has no weight "
            '({"control": 1}: a weight for every variant, 0 for none). Hint: docs/definitions.md '
            "describes every key under `experiments/<id>.yaml`"
        ),
    ],
    "weight_unknown_arm": [
        (
            "experiments/weight_unknown_arm.yaml:13 phases[0].weights.rad: weight of an unknown "
            "variant (rad: one of: control, red). Hint: did you mean 'red'?"
        ),
    ],
    "weights_sum": [
        (
            "experiments/weights_sum.yaml:8 variants: weights do not sum to 1 (0.9: 1). Hint: for "
            "example red: 0.5"
        ),
    ],
    "wrong_default": [
        (
            "flags/wrong_default.yaml:5 default: does not have the flag's type (0: boolean). Hint: "
            "docs/definitions.md describes every key under `flags/<id>.yaml`"
        ),
    ],
    "wrong_duration": [
        (
            "experiments/wrong_duration.yaml:13 plan.max_duration: is not a duration (4 weeks: a "
            "whole number and one of s, m, h, d, w, such as 28d). Hint: docs/definitions.md "
            "describes every key under `experiments/<id>.yaml`"
        ),
    ],
}


@pytest.fixture(scope="module")
def catalogue(metric_catalogue):
    return load_catalogue(BROKEN, metric_catalogue)


def test_there_are_at_least_forty_broken_definitions():
    assert len(EXPECTED) >= 40


@pytest.mark.parametrize("stem", sorted(EXPECTED))
def test_each_fault_is_told_with_file_line_field_rule_and_hint(catalogue, stem):
    assert [str(problem) for problem in catalogue.broken[stem]] == EXPECTED[stem]


def test_nothing_else_is_refused_and_the_good_ones_beside_them_load(catalogue):
    assert sorted(catalogue.broken) == sorted(EXPECTED)
    assert list(catalogue.experiments) == ["good_phases", "good_short", "layer_first"]
    assert list(catalogue.flags) == ["dark_mode", "new_theme"]
    assert list(catalogue.segments) == ["nordic"]


def test_problems_come_in_the_order_of_files_and_lines(catalogue):
    places = [problem.where.split(" ")[0] for problem in catalogue.problems]
    keys = [(place.partition(":")[0], int(place.partition(":")[2] or 0)) for place in places]
    assert keys == sorted(keys)
