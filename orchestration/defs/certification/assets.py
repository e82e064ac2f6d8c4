"""A/A certification: whether each metric's analysis keeps its promises on real units."""

import dagster as dg

from fairsplit.orchestration.catalogue.loading import read_definitions
from fairsplit.orchestration.judging.certifying import certify_metrics
from fairsplit.orchestration.running import names
from fairsplit.orchestration.running.resources.home import HomeResource
from fairsplit.orchestration.warehouse.opening import has_table, writer


@dg.asset(
    key_prefix=names.prefix(),
    group_name=names.named("judgement"),
    kinds={"numpy", "scipy"},
    owners=["team:experimentation"],
    deps=[
        names.key("fct_sufficient_statistics"),
        names.key("int_metric_windows"),
        names.key("fct_exposures"),
        names.key("stg_events"),
        names.key("int_identity_links"),
    ],
    pool=names.named("warehouse"),
)
def aa_certification(
    context: dg.AssetExecutionContext, fairsplit_home: HomeResource
) -> dg.MaterializeResult[None]:
    """`results.aa_certification`: false positives, coverage and SRM alarms over random splits of real units."""
    definitions = read_definitions()
    with writer(fairsplit_home.open().warehouse) as connection:
        rows = certify_metrics(connection, definitions, progress=context.log.info)
    listed = "\n".join(
        f"| {row['metric']} | {row['method']} | {row['quantity']} | {row['promised']:g} | {row['observed']:.4f} |"
        f" {row['low']:.4f} to {row['high']:.4f} | {'yes' if row['flagged'] else ''} |"
        for row in rows.filter(status="ok").to_dicts()
    )
    header = "| metric | method | quantity | promised | observed | interval | flagged |"
    header += "\n|---|---|---|---:|---:|---|---|"
    return dg.MaterializeResult(
        metadata={
            "metrics": rows["metric"].n_unique(),
            "flagged": int(rows["flagged"].sum() or 0),
            "rates": dg.MetadataValue.md(f"{header}\n{listed}"),
        }
    )


@dg.asset_check(asset=aa_certification, description="No metric's analysis breaks its promise on A/A splits.")
def metrics_are_certified(fairsplit_home: HomeResource) -> dg.AssetCheckResult:
    """Warn with every metric whose rate leaves its interval."""
    with writer(fairsplit_home.open().warehouse) as connection:
        flagged = (
            connection.execute(
                """select metric, method, quantity, observed, low, high, promised from results.aa_certification
                   where flagged and cut_off = (select max(cut_off) from results.aa_certification) order by all"""
            ).fetchall()
            if has_table(connection, "results", "aa_certification")
            else []
        )
    listed = "\n".join(
        f"- **{metric}** by {method}: {quantity} {observed:.4f} ({low:.4f} to {high:.4f}), promised {promised:g}"
        for metric, method, quantity, observed, low, high, promised in flagged
    )
    return dg.AssetCheckResult(
        passed=not flagged,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"flagged metrics": dg.MetadataValue.md(listed or "none")},
    )
