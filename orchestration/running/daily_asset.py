"""What every asset of the daily range declares alike: our prefix, one run for a range, one writer at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

from fairsplit.orchestration.running import names
from fairsplit.orchestration.running.partitions import DAILY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def daily_asset(
    group: str,
    *,
    owners: Sequence[str],
    kinds: set[str],
    deps: Sequence[dg.AssetKey | dg.AssetsDefinition],
    freshness_policy: dg.FreshnessPolicy | None = None,
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """A decorator of what a run over a range of days makes, by its function's name.

    Args:
        group: One of `names.GROUPS`; the job `daily` builds it.
        owners: Who answers for it.
        kinds: What it is made with, as the UI shows it.
        deps: The assets that it reads.
        freshness_policy: From when on it is stale, if ever.
    """
    return dg.asset(
        key_prefix=names.prefix(),
        group_name=names.named(group),
        kinds=kinds,
        owners=owners,
        partitions_def=DAILY,
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=deps,
        freshness_policy=freshness_policy,
        pool=names.named("warehouse"),
    )


def daily_assets(
    step: str, specs: Sequence[dg.AssetSpec]
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """A decorator of what makes several such assets at once, and none without the others.

    Args:
        step: Name of the step.
        specs: The assets, each with what it reads; one may read another.
    """
    return dg.multi_asset(
        name=names.named(step),
        specs=specs,
        partitions_def=DAILY,
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=names.named("warehouse"),
    )
