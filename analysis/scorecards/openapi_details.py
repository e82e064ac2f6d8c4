"""Schemas of what the read API tells beside results: next acts, funnels, series, sample sizes, posts."""

from __future__ import annotations

from fairsplit.analysis.scorecards.openapi_parts import (
    BOUNDS,
    COMMON,
    DAY,
    NULLABLE,
    NUMBER,
    SHARE,
    TEXT,
    WHOLE,
    Schema,
    closed,
    listed,
)
from fairsplit.analysis.scorecards.wording import NEXT_ACTIONS

DETAILS: dict[str, Schema] = {
    "NextActions": closed(
        **COMMON,
        next_actions=listed(
            closed(
                action={"enum": sorted(NEXT_ACTIONS)},
                variant=NULLABLE,
                traffic=SHARE,
                days={"type": ["integer", "null"]},
                end_date=NULLABLE,
                metric_name=TEXT,
                expected_gain=NUMBER
                | {
                    "description": "Per eligible unit in the metric's unit against going on; above 0 is better."
                },
                expected_gain_interval=BOUNDS,
                expected_improvement=NUMBER | {"description": "The gain as a share of the control's value."},
                confidence=SHARE | {"description": "Chance of a gain above 0."},
                reason=NULLABLE,
                reasoning=TEXT,
            )
        ),
    ),
    "Funnels": closed(
        **COMMON,
        funnels=listed(
            closed(
                metric_name=TEXT,
                variant=TEXT,
                sample_size=WHOLE,
                steps=listed(closed(position=WHOLE, step=TEXT, units=WHOLE, drop_off_rate=SHARE)),
            )
        ),
    ),
    "Series": closed(
        **COMMON,
        exposures=listed(closed(day=DAY, variant=TEXT, units=WHOLE)),
        results=listed(
            closed(
                cut_off=DAY,
                metric_name=TEXT,
                variant=TEXT,
                sample_size=WHOLE,
                mean_value=NUMBER,
                difference=NUMBER,
                lower=NUMBER,
                upper=NUMBER,
                sequential_lower=NUMBER,
                sequential_upper=NUMBER,
                p_value=SHARE,
                status=TEXT,
            )
        ),
    ),
    "SampleSize": closed(
        **COMMON,
        alpha=SHARE,
        power=SHARE,
        metrics=listed(
            closed(
                metric_name=TEXT,
                variant=TEXT,
                sample_size=WHOLE,
                required_sample_size={"type": ["integer", "null"], "description": "Of the arm."},
                minimum_difference=NUMBER,
                reason={"enum": [None, "no_minimum_effect", "no_information_yet"]},
            )
        ),
    ),
    "Posts": closed(
        computed_at=DAY,
        posts=listed(
            closed(
                schedule_id=TEXT,
                post_id=TEXT,
                post_at=TEXT,
                channel=TEXT,
                persona=TEXT,
                experiment_id=TEXT,
                variant=TEXT,
                label=TEXT,
                source={"enum": ["planned", "override"]},
                text=NULLABLE,
                media=NULLABLE,
                priority=NUMBER,
            )
        ),
    ),
    "Policy": closed(
        **COMMON,
        policy={
            "description": "Null of others than contextual bandits; through a closed gate without figures.",
            "anyOf": [
                {"type": "null"},
                closed(
                    metric_name=TEXT,
                    features=listed(TEXT),
                    sample_size=WHOLE,
                    status={
                        "enum": [
                            "better",
                            "not_better",
                            "gate_closed",
                            "insufficient_sample",
                            "zero_variance",
                            "one_arm",
                        ]
                    },
                    recommended_variant=NULLABLE
                    | {"description": "Where every context gets the same one; else the leaves say."},
                    expected_value=NUMBER | {"description": "Mean reward per unit under the policy."},
                    expected_value_lower=NUMBER,
                    expected_value_upper=NUMBER,
                    best_single_variant=NULLABLE,
                    best_single_value=NUMBER,
                    expected_improvement=NUMBER | {"description": "Over the best single variant."},
                    expected_improvement_bound=NUMBER
                    | {
                        "description": "Bound of it at every look together; better needs it on the good side."
                    },
                    expected_improvement_relative=NUMBER,
                    shortfall=NUMBER | {"description": "What the bound misses; 0 where it misses nothing."},
                    confidence=SHARE,
                    reasoning=NULLABLE,
                    leaves=listed(
                        closed(
                            conditions={"type": "object", "additionalProperties": listed(TEXT)},
                            variant=TEXT,
                            sample_size=WHOLE,
                            share=SHARE,
                            confidence=SHARE,
                            next_weights={"type": "object", "additionalProperties": SHARE},
                        )
                    ),
                    coefficients=listed(
                        closed(
                            variant=TEXT,
                            feature=NULLABLE,
                            level=NULLABLE,
                            coefficient=NUMBER,
                            interval=BOUNDS,
                        )
                    ),
                ),
            ],
        },
    ),
}
