"""How platforms on a warehouse refresh: one query an experiment, from raw events, all metrics at once.

Written here after the documented shape (exposures → units → facts within the window → sums a unit → sums a
variation), with what is in its favour: events are typed and in the warehouse already, in the order of time, without
copies to tell apart, identities to join, late rows to wait for or checks to compute; values are doubles; nothing is
published.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.worlds import CUPED_DAYS

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

#: What one event is worth to each metric of the benchmark, as the semantic layer has it; a ratio has two.
FACTS = {
    "conversion": "case when event_name = 'conversion' then 1 end",
    "purchase": "case when event_name = 'purchase' then 1 end",
    "revenue": "case when event_name = 'purchase' then value end",
    "page_views": "case when event_name = 'page_view' then 1 end",
    "clicks": "case when event_name = 'click' then 1 end",
    "impressions": "case when event_name = 'impression' then 1 end",
    "sessions": "case when event_name = 'session_start' then 1 end",
}
#: Numerator, denominator and whether only its being there counts.
METRICS = {
    "conversion_rate": ("conversion", None, True),
    "revenue_per_user": ("revenue", None, False),
    "page_views_per_user": ("page_views", None, False),
    "ctr": ("clicks", "impressions", False),
    "impressions_per_user": ("impressions", None, False),
    "clicks_per_user": ("clicks", None, False),
    "purchases_per_user": ("purchase", None, False),
    "sessions_per_user": ("sessions", None, False),
    "checkout_conversion": ("purchase", None, True),
    "errors_per_user": ("errors", None, False),
}
FACTS["errors"] = "case when event_name = 'error' then 1 end"


def load(connection: duckdb.DuckDBPyConnection, landing: Path) -> None:
    """Put the landed files into a table, in the order of time."""
    files = sorted(str(path) for path in landing.glob("*.parquet"))
    connection.execute(
        "create or replace table events as from read_parquet($files) order by occurred_at", {"files": files}
    )


def refresh(connection: duckdb.DuckDBPyConnection, experiment: str, window_days: int) -> int:
    """Every metric of one experiment, from its start on, with its covariate.

    Returns:
        Rows, one a variation.
    """
    return len(connection.execute(query(window_days), {"experiment": experiment}).fetchall())


def query(window_days: int) -> str:
    """The SQL of one experiment's refresh."""
    facts = ",\n        ".join(f"{worth} as {name}" for name, worth in FACTS.items())
    inside = f"facts.instant >= units.instant and facts.instant < units.instant + interval {window_days} day"
    sums = ",\n        ".join(
        f"coalesce(sum(facts.{name}) filter ({when}), 0)::double as {name}{suffix}"
        for name in FACTS
        for suffix, when in (("", inside), ("_before", "facts.instant < units.instant"))
    )
    moments = ",\n    ".join(moment for metric in METRICS for moment in _moments(metric))
    return f"""
with exposures as (
    select user_id, variation_id, occurred_at as instant from events
    where event_name = 'experiment_viewed' and experiment_id = $experiment
),
units as (
    select user_id, min(instant) as instant,
        case when count(distinct variation_id) > 1 then '__multiple__' else max(variation_id) end as variation_id
    from exposures group by user_id
),
facts as (
    select user_id, occurred_at as instant,
        {facts}
    from events where event_name <> 'experiment_viewed'
),
of_unit as (
    select units.variation_id, units.user_id,
        {sums}
    from units
    left join facts
        on units.user_id = facts.user_id
            and facts.instant >= units.instant - interval {CUPED_DAYS} day
            and facts.instant < units.instant + interval {window_days} day
    group by all
)
select variation_id, count(*) as n,
    {moments}
from of_unit group by variation_id
"""


def _moments(metric: str) -> list[str]:
    """Sums, squares and products of a metric's values, before and after the exposure."""
    top, bottom, is_share = METRICS[metric]
    names = [name for one in (top, bottom) if one for name in (one, f"{one}_before")]
    values = [f"({name} > 0)::double" if is_share else name for name in names]
    products = [f"{a} * {b}" for i, a in enumerate(values) for b in values[i:]]
    return [f"sum({one})" for one in [*values, *products]]
