"""The OpenAPI description of the static read API."""

from __future__ import annotations

from typing import Any

from fairsplit.analysis.judgement.wording import REQUIREMENTS
from fairsplit.analysis.scorecards.wording import NEXT_ACTIONS

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_WHOLE: Schema = {"type": "integer", "minimum": 0}
_TRUTH: Schema = {"type": "boolean"}
_SHARE: Schema = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
_NUMBER: Schema = {"type": ["number", "null"]}
_NULLABLE: Schema = {"type": ["string", "null"]}


def _object(**properties: Schema) -> Schema:
    return {
        "type": "object",
        "required": sorted(properties),
        "additionalProperties": False,
        "properties": properties,
    }


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


_BOUNDS = _object(lower=_NUMBER, upper=_NUMBER)
_STATUS = {"status": _TEXT, "reason": _NULLABLE}
_VERDICT = _object(code=_TEXT, words=_TEXT, effect=_TEXT, validity=_TEXT)
_DAY: Schema = {"type": "string", "format": "date"}
_COMMON = {"experiment_id": _TEXT, "computed_at": _DAY}
_PAIR = {"experiment_id": _TEXT, "other_id": _TEXT, "metric": _TEXT}
_VARIANT = _object(
    id=_TEXT,
    name=_TEXT,
    is_control=_TRUTH,
    weight=_SHARE,
    config={"type": "object"},
    metadata={"type": "object", "description": "version, author, tags, created and updated, where declared."},
    label=_TEXT,
)
_EXPERIMENT: dict[str, Schema] = {
    "id": _TEXT,
    "name": _TEXT,
    "description": _TEXT,
    "hypothesis": _TEXT,
    "type": {"enum": ["ab", "abn", "multivariate", "feature", "bandit", "aa"]},
    "status": {"enum": ["draft", "running", "paused", "completed", "archived", "cancelled", "failed"]},
    "owner": _TEXT,
    "tags": _list(_TEXT),
    "start_date": _TEXT,
    "end_date": _NULLABLE,
    "confidence_level": _SHARE,
    "variants": _list(_VARIANT),
    "success_metrics": _object(
        primary_metric=_NULLABLE,
        secondary_metrics=_list(_TEXT),
        guardrail_metrics=_list(_TEXT),
        minimum_sample_size={"type": ["integer", "null"]},
    ),
    "definition_hash": _TEXT,
}
_RESULT = _object(
    variant=_TEXT,
    metric_name=_TEXT,
    role=_TEXT,
    sample_size=_WHOLE,
    total=_NUMBER,
    mean_value=_NUMBER,
    variance=_NUMBER,
    confidence_interval={"anyOf": [_BOUNDS, {"type": "null"}]},
    p_value=_SHARE,
    difference={"type": ["number", "null"], "description": "Against control, in the metric's unit."},
    lift={"type": ["number", "null"], "description": "Per cent of the control's absolute value."},
    statistical_power=_SHARE,
    data_window=_object(start=_TEXT, end=_TEXT),
    **_STATUS,
)
_REQUIREMENT = _object(
    requirement={"enum": sorted(REQUIREMENTS)},
    rule={"enum": ["at least", "at most"]},
    required={"type": "number"},
    observed=_NUMBER,
    met=_TRUTH,
)
_CONVERSION = _object(count=_WHOLE, sum=_NUMBER, mean=_NUMBER, conversion_rate=_NUMBER)

_HISTORY = _list(_object(at=_TEXT, what=_TEXT))
_FLAG = _object(
    id=_TEXT,
    name=_TEXT,
    description=_TEXT,
    owner=_TEXT,
    type={"enum": ["boolean", "string", "integer", "number", "json"]},
    sdk={"enum": ["ufc", "flagd", "growthbook"]},
    enabled=_TRUTH,
    value={"description": "For the units inside rollout, targeting and dependencies."},
    default={"description": "For the others."},
    rollout=_SHARE,
    ramp={**_NULLABLE, "description": "Where its ramp stands, in words; null without one."},
    targeting={**_NULLABLE, "description": "In words; null lets everybody in."},
    depends_on=_list(_object(flag=_TEXT, value={})),
    overrides={**_WHOLE, "description": "Units with a value of their own."},
    experiment_id=_NULLABLE,
    history=_HISTORY,
)
_SEGMENT = _object(
    id=_TEXT,
    name=_TEXT,
    description=_TEXT,
    active=_TRUTH,
    unit=_TEXT,
    condition={**_TEXT, "description": "In words."},
    first_day=_DAY,
    units={**_WHOLE, "description": "Seen from the first day to computed_at, both included."},
    inside=_WHOLE,
    unknown=_WHOLE,
    history=_HISTORY,
)

SCHEMAS: dict[str, Schema] = {
    "Experiment": _object(**_EXPERIMENT, verdict=_VERDICT, computed_at=_TEXT),
    "Experiments": _object(experiments=_list(_object(**_EXPERIMENT, verdict=_TEXT))),
    "Flags": _object(computed_at=_DAY, flags=_list(_FLAG)),
    "Segments": _object(computed_at=_DAY, segments=_list(_SEGMENT)),
    "Programme": _object(
        computed_at=_DAY,
        figures=_list(
            _object(
                figure=_TEXT,
                scope={"enum": ["all", "owner", "area", "metric"]},
                level=_TEXT,
                **dict.fromkeys(("value", "low", "high", "n", "base"), _NUMBER),
            )
        ),
        experiments=_list(
            _object(
                **dict.fromkeys(("experiment_id", "owner", "area", "status", "metric"), _TEXT),
                **dict.fromkeys(("started_on",), _DAY),
                **dict.fromkeys(("ends_on", "decided_on", "outcome", "shipped"), _NULLABLE),
                valid=_TRUTH,
                days={"type": ["integer", "null"], "minimum": 0},
                units=_WHOLE,
                losing_units=_WHOLE,
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
                    _NUMBER,
                ),
                chance_better=_SHARE,
            )
        ),
    ),
    "Interactions": _object(
        computed_at=_DAY,
        interactions=_list(
            _object(
                **_PAIR,
                units=_WHOLE,
                p_value=_SHARE,
                p_holm=_SHARE,
                p_adjusted=_SHARE,
                dependence_p=_SHARE,
                interaction=_NUMBER,
                ci_low=_NUMBER,
                ci_high=_NUMBER,
                smallest_visible=_NUMBER,
                finding=_TEXT,
                reason=_NULLABLE,
            )
        ),
        effects=_list(
            _object(
                **_PAIR, kind=_TEXT, variant_id=_TEXT, other_variant=_TEXT, effect=_NUMBER, std_error=_NUMBER
            )
        ),
    ),
    "Syntheses": _object(
        computed_at=_DAY,
        syntheses=_list(
            _object(
                synthesis_id=_TEXT,
                metric=_TEXT,
                model={"enum": ["fixed", "random"]},
                studies=_WHOLE,
                estimate=_NUMBER | {"description": "Difference from the control, in the metric's unit."},
                std_error=_NUMBER,
                df=_NUMBER,
                p_value=_SHARE,
                ci_low=_NUMBER,
                ci_high=_NUMBER,
                tau2=_NUMBER | {"description": "Variance between the experiments' true effects."},
                q=_NUMBER,
                q_p_value=_SHARE,
                i2=_SHARE,
                prediction_low=_NUMBER,
                prediction_high=_NUMBER,
                status=_TEXT,
                reason=_NULLABLE,
                unit=_NULLABLE,
                direction=_NULLABLE,
            )
        ),
        studies=_list(
            _object(
                synthesis_id=_TEXT,
                metric=_TEXT,
                position=_WHOLE,
                experiment_id=_TEXT,
                variant_id=_TEXT,
                effect=_NUMBER,
                std_error=_NUMBER,
                ci_low=_NUMBER,
                ci_high=_NUMBER,
                weight_fixed=_SHARE,
                weight_random=_SHARE,
                status=_TEXT,
                reason=_NULLABLE,
            )
        ),
    ),
    "Posts": _object(
        computed_at=_DAY,
        posts=_list(
            _object(
                schedule_id=_TEXT,
                post_id=_TEXT,
                post_at=_TEXT,
                channel=_TEXT,
                persona=_TEXT,
                experiment_id=_TEXT,
                variant=_TEXT,
                label=_TEXT,
                source={"enum": ["planned", "override"]},
                text=_NULLABLE,
                media=_NULLABLE,
                priority=_NUMBER,
            )
        ),
    ),
    "Stats": _object(
        **_COMMON,
        total_participants=_WHOLE,
        days=_WHOLE,
        statistical_significance=_SHARE,
        recommended_action=_TEXT,
        validity=_list(_object(check=_TEXT, status=_TEXT, p_value=_SHARE)),
        results=_list(_RESULT),
    ),
    "Significance": _object(
        **_COMMON,
        tests=_list(
            _object(
                metric_name=_TEXT,
                variant=_TEXT,
                control=_TEXT,
                test=_NULLABLE,
                statistic=_NUMBER,
                p_value=_SHARE,
                p_value_adjusted=_SHARE,
                p_value_sequential=_SHARE,
                effect_size=_object(value=_NUMBER, interpretation=_NULLABLE),
                probability_to_beat_control=_SHARE,
                expected_loss=_NUMBER,
                credible_interval=_BOUNDS,
                requirements_met={
                    "type": ["boolean", "null"],
                    "description": "False bars every verdict that would rest on this test.",
                },
                requirements={"anyOf": [_list(_REQUIREMENT), {"type": "null"}]},
                **_STATUS,
            )
        ),
    ),
    "ConfidenceIntervals": _object(
        **_COMMON,
        intervals=_list(
            _object(
                metric_name=_TEXT,
                variant=_TEXT,
                segment=_TEXT,
                segment_level=_NULLABLE,
                level=_SHARE,
                absolute_lift=_NUMBER,
                absolute=_BOUNDS,
                control_mean=_NUMBER,
                stratified_by=_NULLABLE,
                pooled_absolute_lift=_NUMBER,
                pooled_relative_lift=_NUMBER,
                relative_lift=_NUMBER,
                relative=_BOUNDS,
                relative_reason=_NULLABLE
                | {
                    "description": "Why there is no relative lift, such as a control that cannot be told from zero."
                },
                sequential_absolute=_BOUNDS,
                sequential_relative=_BOUNDS,
                corrected_absolute_lift=_NUMBER
                | {"description": "Of a group sequential plan that stopped, the median-unbiased difference."},
                corrected_absolute=_BOUNDS,
                corrected_p_value=_SHARE,
                heterogeneity=_object(statistic=_NUMBER, df=_NUMBER, p_value=_SHARE, p_value_adjusted=_SHARE)
                | {"description": "Of a segment's level: does the arm's effect differ between the levels?"},
                shrunken_absolute_lift=_NUMBER
                | {"description": "The level's difference drawn in towards the other levels."},
                shrunken_absolute=_BOUNDS,
                finding=_NULLABLE
                | {"description": "What the interval shows: better, worse, unclear, harmed, …"},
                status=_TEXT,
            )
        ),
    ),
    "PowerAnalysis": _object(
        **_COMMON,
        planned_power=_SHARE,
        alpha=_SHARE,
        minimum_sample_size={"type": ["integer", "null"]},
        comparisons=_list(
            _object(
                metric_name=_TEXT,
                variant=_TEXT,
                sample_size=_WHOLE,
                achieved_power=_SHARE,
                minimum_detectable_effect=_NUMBER,
                minimum_detectable_difference=_NUMBER,
                information_fraction=_NUMBER,
            )
        ),
    ),
    "Metrics": _object(
        **_COMMON,
        variant_metrics={
            "type": "object",
            "additionalProperties": _object(
                variant_name=_TEXT,
                exposures=_WHOLE,
                unique_users=_WHOLE,
                conversions={"type": "object", "additionalProperties": _CONVERSION},
            ),
        },
    ),
    "Funnels": _object(
        **_COMMON,
        funnels=_list(
            _object(
                metric_name=_TEXT,
                variant=_TEXT,
                sample_size=_WHOLE,
                steps=_list(_object(position=_WHOLE, step=_TEXT, units=_WHOLE, drop_off_rate=_SHARE)),
            )
        ),
    ),
    "Series": _object(
        **_COMMON,
        exposures=_list(_object(day=_DAY, variant=_TEXT, units=_WHOLE)),
        results=_list(
            _object(
                cut_off=_DAY,
                metric_name=_TEXT,
                variant=_TEXT,
                sample_size=_WHOLE,
                mean_value=_NUMBER,
                difference=_NUMBER,
                lower=_NUMBER,
                upper=_NUMBER,
                sequential_lower=_NUMBER,
                sequential_upper=_NUMBER,
                p_value=_SHARE,
                status=_TEXT,
            )
        ),
    ),
    "SampleSize": _object(
        **_COMMON,
        alpha=_SHARE,
        power=_SHARE,
        metrics=_list(
            _object(
                metric_name=_TEXT,
                variant=_TEXT,
                sample_size=_WHOLE,
                required_sample_size={"type": ["integer", "null"], "description": "Of the arm."},
                minimum_difference=_NUMBER,
                reason={"enum": [None, "no_minimum_effect", "no_information_yet"]},
            )
        ),
    ),
    "Decisions": _object(
        **_COMMON,
        decisions=_list(
            _object(
                cut_off=_TEXT,
                decision={"enum": ["continue", "stop", "extend", "modify", "inconclusive"]},
                action=_NULLABLE,
                variant=_NULLABLE,
                reasons=_list(_TEXT),
                also_disable=_list(_TEXT) | {"description": "Variants that are disabled beside the action."},
                sentence=_NULLABLE,
            )
        ),
    ),
    "NextActions": _object(
        **_COMMON,
        next_actions=_list(
            _object(
                action={"enum": sorted(NEXT_ACTIONS)},
                variant=_NULLABLE,
                traffic=_SHARE,
                days={"type": ["integer", "null"]},
                end_date=_NULLABLE,
                metric_name=_TEXT,
                expected_gain=_NUMBER
                | {
                    "description": "Per eligible unit in the metric's unit against going on; above 0 is better."
                },
                expected_gain_interval=_BOUNDS,
                expected_improvement=_NUMBER | {"description": "The gain as a share of the control's value."},
                confidence=_SHARE | {"description": "Chance of a gain above 0."},
                reason=_NULLABLE,
                reasoning=_TEXT,
            )
        ),
    ),
    "Allocations": _object(
        **_COMMON,
        allocations=_list(
            _object(
                cut_off=_TEXT,
                metric_name=_TEXT,
                reason=_NULLABLE
                | {"description": "Why the weights stay; null where new ones follow, two days later."},
                variants=_list(
                    _object(
                        variant=_TEXT,
                        sample_size=_WHOLE | {"description": "Units whose reward window has closed."},
                        mean_value=_NUMBER | {"description": "Their plain mean, as the algorithm sees it."},
                        weight=_SHARE,
                        probability_best=_SHARE,
                        next_weight=_SHARE,
                        is_best=_TRUTH,
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
}


def document() -> Schema:
    """The OpenAPI 3.1 document."""
    parameter = {"name": "id", "in": "path", "required": True, "schema": _TEXT}

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
