"""The OpenAPI description of the static read API."""

from __future__ import annotations

from fairsplit.analysis.judgement.wording import REQUIREMENTS
from fairsplit.analysis.scorecards.openapi_details import DETAILS
from fairsplit.analysis.scorecards.openapi_parts import (
    BOUNDS,
    COMMON,
    DAY,
    NULLABLE,
    NUMBER,
    SHARE,
    TEXT,
    TRUTH,
    WHOLE,
    Schema,
    closed,
    listed,
)

_STATUS = {"status": TEXT, "reason": NULLABLE}
_VERDICT = closed(code=TEXT, words=TEXT, effect=TEXT, validity=TEXT)
_PAIR = {"experiment_id": TEXT, "other_id": TEXT, "metric": TEXT}
_VARIANT = closed(
    id=TEXT,
    name=TEXT,
    is_control=TRUTH,
    weight=SHARE,
    config={"type": "object"},
    metadata={"type": "object", "description": "version, author, tags, created and updated, where declared."},
    label=TEXT,
)
_EXPERIMENT: dict[str, Schema] = {
    "id": TEXT,
    "name": TEXT,
    "description": TEXT,
    "hypothesis": TEXT,
    "type": {"enum": ["ab", "abn", "multivariate", "feature", "bandit", "aa"]},
    "status": {"enum": ["draft", "running", "paused", "completed", "archived", "cancelled", "failed"]},
    "owner": TEXT,
    "tags": listed(TEXT),
    "start_date": TEXT,
    "end_date": NULLABLE,
    "confidence_level": SHARE,
    "variants": listed(_VARIANT),
    "success_metrics": closed(
        primary_metric=NULLABLE,
        secondary_metrics=listed(TEXT),
        guardrail_metrics=listed(TEXT),
        minimum_sample_size={"type": ["integer", "null"]},
    ),
    "definition_hash": TEXT,
}
_RESULT = closed(
    variant=TEXT,
    metric_name=TEXT,
    role=TEXT,
    sample_size=WHOLE,
    total=NUMBER,
    mean_value=NUMBER,
    variance=NUMBER,
    confidence_interval={"anyOf": [BOUNDS, {"type": "null"}]},
    p_value=SHARE,
    difference={"type": ["number", "null"], "description": "Against control, in the metric's unit."},
    lift={"type": ["number", "null"], "description": "Per cent of the control's absolute value."},
    statistical_power=SHARE,
    data_window=closed(start=TEXT, end=TEXT),
    **_STATUS,
)
_REQUIREMENT = closed(
    requirement={"enum": sorted(REQUIREMENTS)},
    rule={"enum": ["at least", "at most"]},
    required={"type": "number"},
    observed=NUMBER,
    met=TRUTH,
)
_CONVERSION = closed(count=WHOLE, sum=NUMBER, mean=NUMBER, conversion_rate=NUMBER)

_HISTORY = listed(closed(at=TEXT, what=TEXT))
_FLAG = closed(
    id=TEXT,
    name=TEXT,
    description=TEXT,
    owner=TEXT,
    type={"enum": ["boolean", "string", "integer", "number", "json"]},
    sdk={"enum": ["ufc", "flagd", "growthbook"]},
    enabled=TRUTH,
    value={"description": "For the units inside rollout, targeting and dependencies."},
    default={"description": "For the others."},
    rollout=SHARE,
    ramp={**NULLABLE, "description": "Where its ramp stands, in words; null without one."},
    targeting={**NULLABLE, "description": "In words; null lets everybody in."},
    depends_on=listed(closed(flag=TEXT, value={})),
    overrides={**WHOLE, "description": "Units with a value of their own."},
    experiment_id=NULLABLE,
    history=_HISTORY,
)
_SEGMENT = closed(
    id=TEXT,
    name=TEXT,
    description=TEXT,
    active=TRUTH,
    unit=TEXT,
    condition={**TEXT, "description": "In words."},
    first_day=DAY,
    units={**WHOLE, "description": "Seen from the first day to computed_at, both included."},
    inside=WHOLE,
    unknown=WHOLE,
    history=_HISTORY,
)

SCHEMAS: dict[str, Schema] = {
    **DETAILS,
    "Experiment": closed(**_EXPERIMENT, verdict=_VERDICT, computed_at=TEXT),
    "Experiments": closed(experiments=listed(closed(**_EXPERIMENT, verdict=TEXT))),
    "Flags": closed(computed_at=DAY, flags=listed(_FLAG)),
    "Segments": closed(computed_at=DAY, segments=listed(_SEGMENT)),
    "Programme": closed(
        computed_at=DAY,
        figures=listed(
            closed(
                figure=TEXT,
                scope={"enum": ["all", "owner", "area", "metric"]},
                level=TEXT,
                **dict.fromkeys(("value", "low", "high", "n", "base"), NUMBER),
            )
        ),
        experiments=listed(
            closed(
                **dict.fromkeys(("experiment_id", "owner", "area", "status", "metric"), TEXT),
                **dict.fromkeys(("started_on",), DAY),
                **dict.fromkeys(("ends_on", "decided_on", "outcome", "shipped"), NULLABLE),
                valid=TRUTH,
                days={"type": ["integer", "null"], "minimum": 0},
                units=WHOLE,
                losing_units=WHOLE,
                **dict.fromkeys(
                    (
                        "saved_by_stopping",
                        "saved_by_weights",
                        "effect",
                        "std_error",
                        "likely",
                        "likely_low",
                        "likely_high",
                    ),
                    NUMBER,
                ),
                chance_better=SHARE,
            )
        ),
    ),
    "Interactions": closed(
        computed_at=DAY,
        interactions=listed(
            closed(
                **_PAIR,
                units=WHOLE,
                p_value=SHARE,
                p_holm=SHARE,
                p_adjusted=SHARE,
                dependence_p=SHARE,
                interaction=NUMBER,
                ci_low=NUMBER,
                ci_high=NUMBER,
                smallest_visible=NUMBER,
                finding=TEXT,
                reason=NULLABLE,
            )
        ),
        effects=listed(
            closed(**_PAIR, kind=TEXT, variant_id=TEXT, other_variant=TEXT, effect=NUMBER, std_error=NUMBER)
        ),
    ),
    "Syntheses": closed(
        computed_at=DAY,
        syntheses=listed(
            closed(
                synthesis_id=TEXT,
                metric=TEXT,
                model={"enum": ["fixed", "random"]},
                studies=WHOLE,
                estimate=NUMBER | {"description": "Difference from the control, in the metric's unit."},
                std_error=NUMBER,
                df=NUMBER,
                p_value=SHARE,
                ci_low=NUMBER,
                ci_high=NUMBER,
                tau2=NUMBER | {"description": "Variance between the experiments' true effects."},
                q=NUMBER,
                q_p_value=SHARE,
                i2=SHARE,
                prediction_low=NUMBER,
                prediction_high=NUMBER,
                status=TEXT,
                reason=NULLABLE,
                unit=NULLABLE,
                direction=NULLABLE,
            )
        ),
        studies=listed(
            closed(
                synthesis_id=TEXT,
                metric=TEXT,
                position=WHOLE,
                experiment_id=TEXT,
                variant_id=TEXT,
                effect=NUMBER,
                std_error=NUMBER,
                ci_low=NUMBER,
                ci_high=NUMBER,
                weight_fixed=SHARE,
                weight_random=SHARE,
                status=TEXT,
                reason=NULLABLE,
            )
        ),
    ),
    "Searches": closed(
        computed_at=DAY,
        searches=listed(
            closed(
                search_id=TEXT,
                position=WHOLE,
                kind={"enum": ["tried", "proposed", "surface"]},
                experiment_id=TEXT,
                variant_id=NULLABLE,
                batch={"type": ["integer", "null"]},
                axis=NULLABLE,
                parameters={"type": ["object", "null"], "description": "Values of the parameters searched."},
                metric=TEXT,
                unit=TEXT,
                observed=NUMBER | {"description": "Difference from the control, in the metric's unit."},
                std_error=NUMBER,
                mean=NUMBER | {"description": "Posterior mean of the difference."},
                low=NUMBER,
                high=NUMBER,
                expected_improvement=NUMBER,
                of_minimum=NUMBER | {"description": "Share of the smallest effect worth finding."},
                is_best={"type": ["boolean", "null"]},
                status=TEXT,
                reason=NULLABLE,
            )
        ),
    ),
    "Stats": closed(
        **COMMON,
        total_participants=WHOLE,
        days=WHOLE,
        statistical_significance=SHARE,
        recommended_action=TEXT,
        validity=listed(closed(check=TEXT, status=TEXT, p_value=SHARE)),
        results=listed(_RESULT),
    ),
    "Significance": closed(
        **COMMON,
        tests=listed(
            closed(
                metric_name=TEXT,
                variant=TEXT,
                control=TEXT,
                test=NULLABLE,
                statistic=NUMBER,
                p_value=SHARE,
                p_value_adjusted=SHARE,
                p_value_sequential=SHARE,
                effect_size=closed(value=NUMBER, interpretation=NULLABLE),
                probability_to_beat_control=SHARE,
                expected_loss=NUMBER,
                credible_interval=BOUNDS,
                requirements_met={
                    "type": ["boolean", "null"],
                    "description": "False bars every verdict that would rest on this test.",
                },
                requirements={"anyOf": [listed(_REQUIREMENT), {"type": "null"}]},
                **_STATUS,
            )
        ),
    ),
    "ConfidenceIntervals": closed(
        **COMMON,
        intervals=listed(
            closed(
                metric_name=TEXT,
                variant=TEXT,
                segment=TEXT,
                segment_level=NULLABLE,
                level=SHARE,
                absolute_lift=NUMBER,
                absolute=BOUNDS,
                control_mean=NUMBER,
                stratified_by=NULLABLE,
                pooled_absolute_lift=NUMBER,
                pooled_relative_lift=NUMBER,
                relative_lift=NUMBER,
                relative=BOUNDS,
                relative_reason=NULLABLE
                | {
                    "description": "Why there is no relative lift, such as a control that cannot be told from zero."
                },
                sequential_absolute=BOUNDS,
                sequential_relative=BOUNDS,
                corrected_absolute_lift=NUMBER
                | {"description": "Of a group sequential plan that stopped, the median-unbiased difference."},
                corrected_absolute=BOUNDS,
                corrected_p_value=SHARE,
                heterogeneity=closed(statistic=NUMBER, df=NUMBER, p_value=SHARE, p_value_adjusted=SHARE)
                | {"description": "Of a segment's level: does the arm's effect differ between the levels?"},
                shrunken_absolute_lift=NUMBER
                | {"description": "The level's difference drawn in towards the other levels."},
                shrunken_absolute=BOUNDS,
                finding=NULLABLE
                | {"description": "What the interval shows: better, worse, unclear, harmed, …"},
                status=TEXT,
            )
        ),
    ),
    "PowerAnalysis": closed(
        **COMMON,
        planned_power=SHARE,
        alpha=SHARE,
        minimum_sample_size={"type": ["integer", "null"]},
        comparisons=listed(
            closed(
                metric_name=TEXT,
                variant=TEXT,
                sample_size=WHOLE,
                achieved_power=SHARE,
                minimum_detectable_effect=NUMBER,
                minimum_detectable_difference=NUMBER,
                information_fraction=NUMBER,
            )
        ),
    ),
    "Metrics": closed(
        **COMMON,
        variant_metrics={
            "type": "object",
            "additionalProperties": closed(
                variant_name=TEXT,
                exposures=WHOLE,
                unique_users=WHOLE,
                conversions={"type": "object", "additionalProperties": _CONVERSION},
            ),
        },
    ),
    "Decisions": closed(
        **COMMON,
        decisions=listed(
            closed(
                cut_off=TEXT,
                decision={"enum": ["continue", "stop", "extend", "modify", "inconclusive"]},
                action=NULLABLE,
                variant=NULLABLE,
                reasons=listed(TEXT),
                also_disable=listed(TEXT) | {"description": "Variants that are disabled beside the action."},
                sentence=NULLABLE,
            )
        ),
    ),
    "Allocations": closed(
        **COMMON,
        allocations=listed(
            closed(
                cut_off=TEXT,
                metric_name=TEXT,
                reason=NULLABLE
                | {"description": "Why the weights stay; null where new ones follow, two days later."},
                variants=listed(
                    closed(
                        variant=TEXT,
                        sample_size=WHOLE | {"description": "Units whose reward window has closed."},
                        mean_value=NUMBER | {"description": "Their plain mean, as the algorithm sees it."},
                        weight=SHARE,
                        probability_best=SHARE,
                        next_weight=SHARE,
                        is_best=TRUTH,
                    )
                ),
            )
        ),
    ),
}

#: Path behind ``api`` to the schema of its answer and a sentence about it.
PATHS = {
    "/experiments.json": ("Experiments", "Every experiment with its verdict."),
    "/active.json": ("Experiments", "The running experiments."),
    "/flags.json": ("Flags", "Every feature flag as declared."),
    "/segments.json": ("Segments", "Every named segment and its size."),
    "/interactions.json": ("Interactions", "Every pair of experiments on the same units."),
    "/programme.json": ("Programme", "How all experiments together do, and each experiment's part in it."),
    "/search.json": ("Searches", "What searches over variants tried, and what they would try next."),
    "/syntheses.json": ("Syntheses", "Effects of several experiments combined."),
    "/scheduler/next-posts.json": ("Posts", "Posts of content schedules in the week after computed_at."),
    "/scheduler/calendar.json": ("Posts", "Every planned post of content schedules."),
    "/experiments/{id}.json": ("Experiment", "One experiment with its variants and its verdict."),
    "/experiments/{id}/stats.json": ("Stats", "Result rows of all arms and metrics."),
    "/experiments/{id}/significance.json": ("Significance", "Tests of every arm against control."),
    "/experiments/{id}/confidence-intervals.json": ("ConfidenceIntervals", "Intervals of every lift."),
    "/experiments/{id}/power-analysis.json": ("PowerAnalysis", "Achieved power and detectable effects."),
    "/experiments/{id}/metrics.json": ("Metrics", "Exposures and metrics per variant."),
    "/experiments/{id}/funnels.json": ("Funnels", "Units that reached each step of the funnels."),
    "/experiments/{id}/series.json": ("Series", "Exposures by day, results by cut-off."),
    "/experiments/{id}/sample-size.json": ("SampleSize", "Units that the plan needs."),
    "/experiments/{id}/decisions.json": ("Decisions", "Every decision that was said."),
    "/experiments/{id}/next-actions.json": (
        "NextActions",
        "What may be done next, and what it is expected to gain.",
    ),
    "/experiments/{id}/allocations.json": ("Allocations", "A bandit's weights and rewards at every cut-off."),
    "/experiments/{id}/policy.json": ("Policy", "Who gets what by context, what that is worth, and why."),
}


def document() -> Schema:
    """The OpenAPI 3.1 document."""
    parameter = {"name": "id", "in": "path", "required": True, "schema": TEXT}

    def operation(path: str, name: str, summary: str) -> Schema:
        content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
        return {
            "get": {
                "summary": summary,
                "parameters": [parameter] if "{id}" in path else [],
                "responses": {"200": {"description": summary, "content": content}},
            }
        }

    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Fairsplit read API",
            "version": "1",
            "description": "Static files, replaced as a whole by each publication.",
        },
        "servers": [{"url": "."}],
        "paths": {path: operation(path, name, summary) for path, (name, summary) in PATHS.items()},
        "components": {"schemas": SCHEMAS},
    }
