"""A bandit's block: what it says, what it answers for the plan, and every way in which it does not fit."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.problems import told

from fairsplit.analysis.catalogue import compile_tables, load_catalogue
from fairsplit.analysis.catalogue.hashing import experiment_facts

SOUND = {
    "type": "bandit",
    "bandit": "{algorithm: thompson, reward: checkout_conversion}",
    "variants": "[{id: control, control: true}, {id: red}, {id: blue}]",
    "metrics": "{primary: [checkout_conversion]}",
}


@pytest.fixture
def load(tmp_path, metric_catalogue):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "project.yaml").write_text("first_day: 2026-01-05\n")
    ratio = replace(metric_catalogue["error_rate"], kind="ratio", test="ratio")
    unending = replace(metric_catalogue["ctr"], window_end=None)
    metrics = {**metric_catalogue, "error_rate": ratio, "ctr": unending}

    def write(**changes):
        base = {"id": "cta", "name": "Button", "owner": "growth@example.com", "status": "running"}
        fields = {**base, "start": "2026-01-05", **SOUND, **changes}
        text = "".join(f"{key}: {value}\n" for key, value in fields.items() if value is not None)
        (tmp_path / "experiments" / "cta.yaml").write_text(text)
        return load_catalogue(tmp_path, metrics)

    return write


def test_a_bandit_has_a_floor_a_warm_up_and_a_plan_that_may_be_read_at_any_time(load):
    loaded = load()
    assert loaded.problems == ()
    experiment = loaded.experiments["cta"]
    bandit = experiment.bandit
    assert (bandit.floor, bandit.max_step, bandit.update_every) == (0.05, 1.0, 1)
    assert bandit.warm_up == timedelta(days=7)
    assert (experiment.plan.method, experiment.plan.cuped_days) == ("always_valid", 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"bandit": None},
            (
                "type: a bandit does not say how its weights follow its reward (bandit: bandit: {algorithm: thompson,"
                " reward: <a primary metric>})"
            ),
        ),
        ({"type": "abn"}, "bandit: only a bandit has weights that move (abn: type: bandit)"),
        (
            {"bandit": "{algorithm: thompson, reward: checkout_conversio}"},
            (
                "bandit.reward: the reward is not a primary metric of this experiment (checkout_conversio: one of:"
                " checkout_conversion). Hint: did you mean 'checkout_conversion'?"
            ),
        ),
        (
            {"bandit": "{algorithm: epsilon_greedy, reward: checkout_conversion}"},
            (
                "bandit.epsilon: epsilon_greedy has no epsilon (epsilon_greedy: such as epsilon: 0.1 beside"
                " epsilon_greedy)"
            ),
        ),
        (
            {"bandit": "{algorithm: ucb, reward: checkout_conversion, epsilon: 0.1}"},
            (
                "bandit.epsilon: only epsilon_greedy has an epsilon (ucb: such as epsilon: 0.1 beside"
                " epsilon_greedy)"
            ),
        ),
        (
            {"bandit": "{algorithm: thompson, reward: checkout_conversion, floor: 0.4}"},
            "bandit.floor: the floors take more than all traffic (0.4: ≤ 1/3)",
        ),
        (
            {
                "phases": "[{start: 2026-01-05, weights: {control: 0.5, red: 0.48, blue: 0.02}}]",
            },
            "phases[0].weights: a weight is below the bandit's floor (blue: 0.02: ≥ 0.05, or 0 for an arm that is out)",
        ),
        (
            {"metrics": "{primary: [ctr]}", "bandit": "{algorithm: ucb, reward: ctr}"},
            (
                "bandit.reward: the reward's window never closes (ctr: a metric with a window: rewards count once"
                " theirs has closed)"
            ),
        ),
        (
            {"plan": "{method: fixed}"},
            "plan.method: does not suit a bandit, whose shares move (fixed: method: always_valid)",
        ),
        (
            {"ramp": "{steps: [{traffic: 1.0, after: 3d}]}"},
            (
                'ramp: a bandit has no ramp beside it ({"steps": [{"traffic": 1.0, "after": "3d"}]}: '
                "phases with rising traffic)"
            ),
        ),
        (
            {"crossovers": "exclude"},
            (
                "crossovers: a bandit cannot leave out units seen in two arms: whom its own updates move (exclude:"
                " include)"
            ),
        ),
        (
            {"metrics": "{primary: [checkout_conversion], guardrails: [error_rate]}"},
            (
                "metrics.guardrails: a bandit cannot judge this metric (error_rate: means and shares without"
                " winsorising: others have no estimate that holds while shares move)"
            ),
        ),
    ],
)
def test_what_does_not_fit_is_told(load, changes, message):
    (problem,) = load(**changes).problems
    where, _, text = told(problem).partition(" ")
    assert where.startswith("experiments/cta.yaml:")
    assert text == message


CONTEXTUAL = "{algorithm: contextual, features: [platform], reward: checkout_conversion, floor: 0.1}"
FIRST = "{start: 2026-01-05, weights: {control: 0.4, red: 0.3, blue: 0.3}}"


def leaf(when: str = "{platform: [ios]}", weights: str = "{control: 0.1, red: 0.8, blue: 0.1}") -> str:
    return f"{{when: {when}, weights: {weights}}}"


def history(*leaves: str, weights: str = "{control: 0.8, red: 0.1, blue: 0.1}") -> str:
    return f"[{FIRST}, {{start: 2026-01-15, weights: {weights}, leaves: [{', '.join(leaves)}]}}]"


def test_a_contextual_bandit_has_leaves_and_each_is_a_piece_of_its_phase(load):
    loaded = load(bandit=CONTEXTUAL, segments="[platform]", phases=history(leaf(), leaf("{platform: [web]}")))
    assert loaded.problems == ()
    tables = compile_tables(loaded)
    assert tables["phases"].select("phase", "leaf").rows() == [(0, None), (1, None), (2, 1), (3, 2)]
    assert tables["phases"]["leaves"].to_list() == [
        None,
        [[{"segment": "platform", "levels": ["ios"]}], [{"segment": "platform", "levels": ["web"]}]],
        None,
        None,
    ]
    shares = tables["phase_weights"].filter(phase=2).select("variant_id", "weight").rows()
    assert shares == [("control", 0.1), ("red", 0.8), ("blue", 0.1)]
    assert tables["contexts"].rows() == [("cta", "checkout_conversion", ["platform"])]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"bandit": "{algorithm: contextual, reward: checkout_conversion}"},
            (
                "bandit.features: a contextual bandit has no features "
                "(nothing: features: [platform], of the declared segments)"
            ),
        ),
        (
            {"bandit": CONTEXTUAL.replace("[platform]", "[platfrm]")},
            (
                "bandit.features[0]: the feature is not a declared segment (platfrm: one of segments: platform). Hint:"
                " did you mean 'platform'?"
            ),
        ),
        (
            {"bandit": CONTEXTUAL.replace("[platform]", "[platform, platform]")},
            "bandit.features[1]: the feature stands there twice (platform: each attribute once)",
        ),
        (
            {"bandit": CONTEXTUAL.replace("floor: 0.1", "max_step: 0.2")},
            "bandit.max_step: a contextual bandit's weights are set, not moved by steps (0.2: leave it out)",
        ),
        (
            {"bandit": "{algorithm: ucb, reward: checkout_conversion, depth: 2}"},
            "bandit.depth: only a contextual bandit looks at the context (ucb: algorithm: contextual)",
        ),
        (
            {"salts": "{split: cta}"},
            (
                "salts.split: the split would hash as an SDK hashes the actions of this flag, so that the two would"
                " couple (cta: any other salt)"
            ),
        ),
        (
            {"phases": history(leaf("{country: [US]}"))},
            "phases[1].leaves[0].when.country: not a feature of this bandit (country: one of: platform)",
        ),
        (
            {"phases": history(leaf("{platform: [ios, web]}"), leaf("{platform: [web]}"))},
            "phases[1].leaves[1]: the leaf is never reached (leaf 1 fits first: put it before that one)",
        ),
        (
            {"phases": history(leaf(weights="{control: 0.05, red: 0.85, blue: 0.1}"))},
            (
                "phases[1].leaves[0].weights: a weight is below the bandit's floor (control: 0.05: ≥ 0.1, or 0 for an"
                " arm that is out)"
            ),
        ),
        (
            {"phases": history(leaf(weights="{control: 0.2, red: 0.8, blue: 0}"))},
            (
                "phases[1].leaves[0].weights: an arm is out in some contexts alone (blue: weight 0 in every leaf and in"
                " `weights`, or in none)"
            ),
        ),
        (
            {"phases": history(leaf(weights="{control: 0.2, red: 0.7}"))},
            (
                "phases[1].leaves[0].weights: variant 'blue' has no weight "
                '({"control": 0.2, "red": 0.7}: a weight for every variant, 0 for none)'
            ),
        ),
        (
            {"bandit": SOUND["bandit"], "phases": history(leaf())},
            "phases[1].leaves: only a contextual bandit has leaves (1: bandit: {algorithm: contextual})",
        ),
    ],
)
def test_a_contextual_bandit_that_could_not_be_served_or_compared_is_refused(load, changes, message):
    loaded = load(**{"bandit": CONTEXTUAL, "segments": "[platform]", "phases": history(leaf()), **changes})
    assert message in [text.split(" ", 1)[1] for text in map(told, loaded.problems)]


def test_a_phase_without_leaves_hashes_as_before_there_were_any(load):
    facts = experiment_facts(load().experiments["cta"])
    assert "leaves" not in facts["phases"][0]
    assert facts["bandit"].keys().isdisjoint({"features", "depth"})
