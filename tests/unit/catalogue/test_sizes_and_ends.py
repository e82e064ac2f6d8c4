"""Smallest effects and margins as shares or amounts, and how long an experiment is planned to last."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fairsplit.analysis.catalogue import load_catalogue

BASE = {
    "id": "cta",
    "name": "Button",
    "owner": "growth@example.com",
    "type": "ab",
    "status": "running",
    "start": "2026-01-05",
    "variants": "[{id: control, control: true}, {id: red}]",
    "metrics": "{primary: [checkout_conversion]}",
}


def loaded(folder, known, **changes):
    (folder / "experiments").mkdir()
    (folder / "project.yaml").write_text("first_day: 2026-01-05\n")
    text = "".join(f"{key}: {value}\n" for key, value in (BASE | changes).items())
    (folder / "experiments" / "cta.yaml").write_text(text)
    return load_catalogue(folder, known)


def use(entry: str) -> str:
    return f"{{primary: [{{metric: checkout_conversion, {entry}}}]}}"


@pytest.mark.parametrize(
    ("written", "relative", "absolute"), [("0.02", 0.02, None), ("{absolute: 0.005}", None, 0.005)]
)
def test_a_size_is_a_share_or_an_amount(tmp_path, metric_catalogue, written, relative, absolute):
    catalogue = loaded(tmp_path, metric_catalogue, metrics=use(f"minimum_effect: {written}"))
    assert catalogue.problems == ()
    (primary,) = catalogue.experiments["cta"].metrics.primary
    assert primary.minimum_effect is not None
    assert (primary.minimum_effect.relative, primary.minimum_effect.absolute) == (relative, absolute)
    # It is written back as it was: hashes and logs of earlier definitions stay what they are.
    dumped = primary.model_dump(mode="json")["minimum_effect"]
    assert dumped == (relative if absolute is None else {"absolute": absolute})


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("minimum_effect: 0", "is out of range (0: must be > 0)"),
        ("minimum_effect: {absolute: -1}", "is out of range (-1: must be > 0)"),
        ("minimum_effect: {absolut: 1}", "unknown key 'absolut'"),
        ("minimum_effect: {}", "is neither a number nor an amount"),
        ("minimum_effect: 5%", "must be a number"),
        ("minimum_effect: {absolute: 2}", "no share can change by so much (2: < 1"),
    ],
)
def test_what_is_no_size_is_refused_with_its_rule(tmp_path, metric_catalogue, entry, message):
    (problem, *_) = loaded(tmp_path, metric_catalogue, metrics=use(entry)).problems
    assert "minimum_effect" in str(problem)
    assert message in str(problem)


def test_a_margin_as_a_share_leaves_something(tmp_path, metric_catalogue):
    guardrails = "[{metric: error_rate, non_inferiority_margin: 1.5}]"
    metrics = f"{{primary: [checkout_conversion], guardrails: {guardrails}}}"
    (problem,) = loaded(tmp_path, metric_catalogue, metrics=metrics).problems
    assert "tolerates the loss of everything" in str(problem)


def test_a_declared_end_says_how_long_the_experiment_lasts(tmp_path, metric_catalogue):
    """Case declared-end-after-default-duration: 49 days are declared, the project's default is 28."""
    catalogue = loaded(tmp_path, metric_catalogue, end="2026-02-23")
    assert catalogue.experiments["cta"].plan.max_duration == timedelta(days=49)


@pytest.mark.parametrize(("status", "refused"), [("running", True), ("completed", False)])
def test_a_plan_that_contradicts_the_declared_end_is_refused(tmp_path, metric_catalogue, status, refused):
    """Case declared-end-after-default-duration: both given, and they disagree."""
    catalogue = loaded(
        tmp_path, metric_catalogue, end="2026-02-23", status=status, plan="{max_duration: 14d}"
    )
    said = [str(problem) for problem in catalogue.problems]
    assert bool(said) == refused
    assert (
        not said or "the plan concludes before the declared end (14d of the 49d from start to end" in said[0]
    )
