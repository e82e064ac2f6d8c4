"""Judged results: comparisons, validity and decisions of every cut-off whose inputs changed."""

import dagster as dg

from fairsplit.orchestration.catalogue.loading import read_definitions
from fairsplit.orchestration.judging.cut_offs import MODELS, broken_results, judge_outstanding
from fairsplit.orchestration.running.partitions import DAILY
from fairsplit.orchestration.running.resources.home import HomeResource
from fairsplit.orchestration.warehouse.opening import writer


@dg.asset(
    group_name="judgement",
    kinds={"polars", "scipy"},
    owners=["team:experimentation"],
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=MODELS,
    pool="warehouse",
)
def judged_results(home: HomeResource) -> dg.MaterializeResult[None]:
    """`results.comparisons`, `results.validity` and `results.decisions`."""
    definitions = read_definitions()
    with writer(home.open().warehouse) as connection:
        cut_offs = judge_outstanding(connection, definitions)
        decisions = connection.execute(
            """select decision, count(*) from results.decisions
               where cut_off = (select max(cut_off) from results.decisions) group by all order by all"""
        ).fetchall()
    listed = "\n".join(f"| {decision} | {count} |" for decision, count in decisions)
    return dg.MaterializeResult(
        metadata={
            "cut-offs judged": len(cut_offs),
            "decisions": dg.MetadataValue.md(f"| decision | experiments |\n|---|---:|\n{listed}"),
        },
    )


@dg.asset_check(
    asset=judged_results,
    blocking=True,
    description="0 <= p <= 1, intervals contain their estimate, counts are positive, no winner while invalid.",
)
def result_invariants(home: HomeResource) -> dg.AssetCheckResult:
    """Block publication while any judged row breaks an invariant."""
    with writer(home.open().warehouse) as connection:
        broken = broken_results(connection)
    return dg.AssetCheckResult(
        passed=broken.is_empty(),
        metadata={"rows": broken.height, "first rows": dg.MetadataValue.text(str(broken.head(20)))},
    )


@dg.asset_check(
    asset=judged_results, description="Experiments whose gate is closed: no verdict, config kept."
)
def experiments_are_valid(home: HomeResource) -> dg.AssetCheckResult:
    """Warn with every experiment that fails a validity check at the newest cut-off."""
    with writer(home.open().warehouse) as connection:
        failed = connection.execute(
            """select experiment_id, "check", sentence from results.validity
               where status = 'fail' and cut_off = (select max(cut_off) from results.validity)
               order by all"""
        ).fetchall()
    listed = "\n".join(f"- **{experiment}** {check}: {sentence}" for experiment, check, sentence in failed)
    return dg.AssetCheckResult(
        passed=not failed,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"invalid experiments": dg.MetadataValue.md(listed or "none")},
    )
