"""What codes mean, in words for readers who know no statistics."""

from __future__ import annotations

from fairsplit.analysis.scorecards import format as fmt

REASONS = {
    "no_exposure": "no unit has been exposed",
    "split_only": "no metric is given",
    "insufficient_sample": "too few units yet",
    "zero_variance": "every unit has the same value",
    "capped_to_one_value": "the cap is the value that nearly every unit has, usually 0, so that all count alike:"
    " cap at a higher quantile, or over the non-zero values",
    "zero_denominator": "the denominator is zero",
    "zero_baseline": "the control's value is zero, so there is no relative change",
    "baseline_near_zero": "the control's value cannot be told from zero, so there is no relative change",
    "no_relative_form": "the test compares no averages, so there is no relative change",
    "not_positive": "a value that must be positive is not",
    "constant_covariate": "the value before exposure is the same for every unit",
    "collinear_covariates": "the values before exposure say the same twice",
    "covariate_history_incomplete": "the history before exposure is incomplete",
    "no_interval": "the data allow no interval",
    "not_converged": "the computation did not converge",
    "too_large_for_exact": "too many units for the exact method",
    "no_closed_window": "no unit's window has closed yet",
    "ties_at_quantile": "many units share one value right beside the percentile",
    "weights_changed": "the weights changed on the way, and values were not counted phase by phase",
    "sums_out_of_range": "the sums of its values and their squares are beyond what 128 bits hold:"
    " declare a smaller scale, or a range of values that count",
    "part_failed": "the custom part that compares the arms has no answer for these data",
    "nothing_measured": "too few arms of the search are measured",
    "infeasible": "the method has no answer for these data",
    "no_control": "the control has no figures to compare with",
    "histogram_missing": "the distribution of values was not kept for this view",
    "nothing_compared": "no arm can be compared with the control yet",
    "by_context": "shares differ between contexts: what the policy is worth stands under who gets what",
    "few_effects": "fewer than three effects of other experiments on this metric are known",
    "not_finite": "the numbers are beyond what can be computed",
}

CHECKS = {
    "srm": "Sample ratio",
    "srm_chi_square": "Sample ratio, single look",
    "srm_day": "Sample ratio of every day",
    "audit": "Logged arm equals assigned arm",
    "holdout_leak": "Held-out units are not served",
    "loss": "Equal losses",
    "crossovers": "Units seen in two arms",
    "exposure_order": "Outcomes follow exposures",
    "targeting": "Only targeted units are exposed",
    "pre_period": "Balance before the experiment",
    "srm_diagnosis": "Where the sample ratio is off",
    "novelty": "Same effect for early and late units",
    "fading": "Same effect soon and late after exposure",
    "completeness": "The newest day is complete",
    "freshness": "Units still arrive",
    "overlap": "Independent of other experiments",
}

#: Why a check warns or fails, as a clause.
CHECK_REASONS = {
    "sample_ratio_mismatch": "the arms have other shares than the plan gives them",
    "unit_in_zero_weight_arm": "an arm that should have no units has some",
    "imbalance_located": "one part of the traffic explains the imbalance",
    "assignment_mismatch": "logged variants are not the assigned ones",
    "holdout_leaks": "units that are held out were served all the same",
    "differential_loss": "one arm loses more units than another",
    "undeclared_variation": "units say a variant that the definition does not have",
    "differential_crossovers": "one arm has more units that saw two arms",
    "many_crossovers": "many units saw two arms",
    "exposure_after_outcome": "exposures are logged after the outcomes that they should precede",
    "differential_early_outcomes": "one arm logs more exposures after the outcome",
    "targeting_not_kept": "units are exposed that the targeting leaves out",
    "differential_targeting": "one arm has more units that the targeting leaves out",
    "pre_period_imbalance": "the arms differed before they were treated",
    "effect_changes": "the effect is not the same for early and late units",
    "effect_changes_with_age": "the effect is not the same soon and late after exposure",
    "day_incomplete": "the newest day has far fewer events than the days before",
    "no_new_units": "no unit has been exposed for days",
    "not_independent": "the split depends on another experiment",
}

#: What a comparison shows: tone, mark and word. The mark ``moved`` is the way in which the value moved.
FINDINGS = {
    "better": ("good", "moved", "better"),
    "worse": ("bad", "moved", "worse"),
    "unclear": ("unclear", "·", "unclear"),
    "unclear_after_correction": ("unclear", "·", "unclear after correction"),
    "no_harm_seen": ("unclear", "·", "no harm seen"),
    "within_margin": ("good", "✓", "within margin"),
    "harmed": ("bad", "moved", "harmed"),
    "not_yet_safe": ("unclear", "·", "not yet safe"),
}

#: The same where even the best case is smaller than the effect worth finding.
BELOW_MINIMUM = {"better": "better, by less than asked", "unclear": "no effect worth having"}

#: What a decision proposes to do.
ACTIONS = {
    "fix_data": "Fix the data",
    "wait": "Wait",
    "ship": "Ship",
    "roll_back": "Roll back",
    "disable_arm": "Disable the arm",
    "extend": "Extend",
    "keep_control": "Keep the control",
    "investigate": "Investigate",
    "widen_traffic": "Widen the traffic",
    "set_weights": "Set the weights",
}

#: What may be done next with an experiment.
NEXT_ACTIONS = {
    "stop": "Stop",
    "increase_traffic": "Increase traffic",
    "decrease_traffic": "Decrease traffic",
    "extend": "Extend",
    "disable_arm": "Disable the arm",
    "set_weights": "Set the weights",
    "modify_variant": "Modify the variant",
    "create_variant": "New variant",
}

CHECK_ADVICE = {
    "srm": "Look for a redirect, a crash or a filter that loses units of one arm. Do not read the effect.",
    "srm_day": "Find out what happened on that day: a release, an outage, a file that is missing.",
    "audit": "Find the SDK version that serves another arm than the config says.",
    "holdout_leak": "Find the client that serves without the holdout: an old config, a list, a page that is cached.",
    "loss": "Compare the arms' losses step by step below; mend the step that loses more of one arm.",
    "exposure_order": "Log the exposure when the variant is evaluated, not at the end of the session.",
    "targeting": "Compare the attributes that the SDK is given with those of the log; look for an old config.",
    "crossovers": "See whether identity or caching lets one unit see two arms.",
    "pre_period": "The arms differed before they were treated: read CUPED figures, check the split.",
    "srm_diagnosis": "Begin the search there.",
    "novelty": "Wait for whole weeks: an effect of novelty fades, one of learning grows.",
    "fading": "Read the effect of the late days as what will last, or choose a longer window.",
    "completeness": "Wait for the late files, or find out why events are missing.",
    "freshness": "See whether the flag is still evaluated and its exposures are still sent.",
    "overlap": "Put the experiments into one layer, or give them salts of their own.",
}

#: First reason of a decision to tone, code and headline.
VERDICTS = {
    "primary_improved": ("good", "win", "{arm} wins."),
    "primary_harmed": ("bad", "loss", "{arm} loses."),
    "guardrail_harmed": ("bad", "harm", "{arm} does harm."),
    "guardrail_not_cleared": ("unclear", "unsafe", "{arm} may not be safe."),
    "effect_below_minimum": ("unclear", "flat", "No effect worth having."),
    "cannot_be_judged": ("unclear", "none", "Cannot be judged."),
    "no_difference_found": ("unclear", "flat", "No clear difference."),
    "aa_clean": ("good", "clean", "No difference, as it should be."),
    "aa_difference": ("bad", "investigate", "The arms differ: investigate."),
    "invalid": ("bad", "invalid", "Fix the data first."),
    "not_started": ("waiting", "draft", "Not started."),
    "split_only": ("unclear", "flat", "Only the split is judged."),
    "no_exposure": ("waiting", "no_data", "No unit yet."),
    "ended_unseen": ("unclear", "no_data", "Ended without data."),
    "no_closed_window": ("waiting", "too_early", "Too early to tell."),
    "ramp_advances": ("unclear", "modify", "Ready for more traffic."),
    "ramp_holds": ("unclear", "running", "Keep running."),
    "best_arm": ("good", "win", "{arm} is the best arm."),
    "no_best_arm": ("unclear", "flat", "No arm is surely the best."),
    "weights_follow": ("unclear", "modify", "New weights are ready."),
    "weights_stay": ("unclear", "running", "Keep running."),
    "poor_performer": ("bad", "loss", "{arm} stays below the floor."),
    "null_accepted": ("unclear", "flat", "No effect worth having."),
    "information_complete": ("unclear", "flat", "No clear difference."),
    "futile": ("unclear", "flat", "Hardly any chance left."),
    "below_min_sample": ("waiting", "too_early", "Too early to tell."),
    "underpowered": ("unclear", "extend", "Extend: not yet clear."),
    "too_few_to_tell": ("unclear", "extend", "Too few units to tell."),
    "requirements_unmet": ("unclear", "flat", "Too little to decide by."),
    "whole_weeks": ("unclear", "running", "Keep running."),
    "collecting": ("unclear", "running", "Keep running."),
}

#: The same for a decision whose first reason is not known here.
DECISIONS = {
    "continue": ("unclear", "running", "Keep running."),
    "stop": ("unclear", "flat", "Stop."),
    "extend": ("unclear", "extend", "Extend."),
    "modify": ("unclear", "modify", "Modify."),
    "inconclusive": ("unclear", "flat", "Inconclusive."),
}

#: Why a declared covariate was left out of a row.
UNUSED_COVARIATES = {
    "few_events": "few events",
    "not_supported": "not with this kind of metric",
    "covariate_history_incomplete": "the history before exposure is incomplete",
}

ANALYSES = {
    "default": "With units seen in two arms",
    "crossovers_excluded": "Without units seen in two arms",
}

STATUS_WORDS = {"pass": "Pass", "warn": "Warning", "fail": "Fail", "not_applicable": "Not applicable"}

ROLE_TITLES = {
    "primary": "Primary",
    "guardrail": "Guardrails: must not get worse",
    "secondary": "Secondary",
}

METHODS = {
    "fixed": "Fixed sample: read once, at the end",
    "group_sequential": "Group sequential: valid at every planned look",
    "always_valid": "Always valid: may be read at any time",
    "sprt": "Sequential probability ratio test",
    "bayesian": "Bayesian",
}

TYPES = {
    "ab": "A/B",
    "abn": "A/B/n",
    "multivariate": "Multivariate",
    "feature": "Feature",
    "bandit": "Bandit",
    "aa": "A/A",
}

LOSS_STEPS = {
    "unknown_experiment": "Unknown experiment",
    "no_unit_id": "No unit id",
    "invalid_variation": "Unknown variant",
    "outside_period": "Outside the experiment's period",
    "override": "Shown a variant on purpose",
    "not_activated": "Not activated",
    "deduplication": "Lost to another row of the same event",
    "quarantine": "In quarantine",
    "identity": "Joined to a user exposed before",
    "landed": "Landed, without duplicates",
    "assigned": "Assigned to this arm",
    "exposed": "Exposed",
    "activated": "Exposed after activation",
    "analysed": "Analysed",
}

#: Steps of `fct_losses` that count units kept, in order; every other step counts units set aside.
FUNNEL_STEPS = ("landed", "assigned", "exposed", "activated", "analysed")


def words(code: str, table: dict[str, str]) -> str:
    """The wording of a code; an unknown code is shown with spaces and a capital.

    >>> words("no_such_code", {})
    'No such code'
    """
    if code in table:
        return table[code]
    spaced = code.replace("_", " ").strip()
    return spaced[:1].upper() + spaced[1:]


def check_name(code: str) -> str:
    """The name of a check; a family's member names its step or its metric.

    >>> check_name("srm"), check_name("loss:filter:bots"), check_name("pre_period:revenue_per_user")
    ('Sample ratio', 'Equal losses: filter bots', 'Balance before the experiment: revenue per user')
    """
    family, _, member = code.partition(":")
    name = words(family, CHECKS)
    return f"{name}: {loss_step(member).lower()}" if member else name


def loss_step(code: str) -> str:
    """Why units were set aside, or up to where they came."""
    return words(code.replace(":", " "), {}) if code.startswith("filter:") else words(code, LOSS_STEPS)


def check_advice(code: str) -> str:
    """What to do about a check that warns or fails."""
    return CHECK_ADVICE.get(code.partition(":")[0], "")


def reason(code: str | None) -> str:
    """Why a figure cannot be given, as a clause without a full stop."""
    if not code:
        return "cannot be computed"
    return REASONS.get(code, code.replace("_", " "))


def short(label: str, limit: int = 4) -> str:
    """The first words of a long label, so that a headline stays one.

    >>> short("one two three four five six")
    'one two three four…'
    """
    parts = label.split()
    text = " ".join(parts[:limit])
    text = text[:48].rstrip() + "…" if len(text) > 49 else text
    return text if len(parts) <= limit or text.endswith("…") else text + "…"


def level(ci_level: float | None) -> str:
    """The level of an interval, for example ``95%``."""
    return fmt.setting(0.95 if ci_level is None else ci_level)


def counted(number: int, noun: str) -> str:
    """A count with its noun.

    >>> counted(1, "check"), counted(3, "check")
    ('1 check', '3 checks')
    """
    return f"{fmt.count(number)} {noun}" if number == 1 else f"{fmt.count(number)} {noun}s"
