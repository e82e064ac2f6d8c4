"""Judgement: whether each experiment's data can be trusted, what its metrics say, and whether it goes on."""

from collections.abc import Iterator

import dagster as dg
import duckdb

from fairsplit.analysis.judgement.interactions import uniformity
from fairsplit.analysis.judgement.judging import SIGNIFICANCE, STOPPING
from fairsplit.analysis.judgement.validity import SAMPLE_RATIO
from fairsplit.orchestration.catalogue.loading import read_definitions
from fairsplit.orchestration.judging.cut_offs import broken_results, judge_outstanding, model_of
from fairsplit.orchestration.judging.interacting import judge_interactions
from fairsplit.orchestration.judging.programme import judge_programme
from fairsplit.orchestration.judging.searching import judge_searches
from fairsplit.orchestration.judging.synthesising import judge_syntheses
from fairsplit.orchestration.running import names
from fairsplit.orchestration.running.daily_asset import daily_asset, daily_assets
from fairsplit.orchestration.running.resources.home import HomeResource
from fairsplit.orchestration.warehouse.opening import writer

OWNERS = ["team:experimentation"]
KINDS = {"polars", "scipy"}


def _judgement(name: str, facts: tuple[str, ...], *found: str, description: str) -> dg.AssetSpec:
    """One of the judgements: the facts that it reads, and what else was found before."""
    return dg.AssetSpec(
        names.key(name),
        deps=[*(names.key(model_of(fact)) for fact in facts), *map(names.key, found)],
        description=description,
        group_name=names.named("judgement"),
        owners=OWNERS,
        kinds=KINDS,
    )


# One computation: the three share the statistics beside their definitions, and a reader never sees one of them alone.
@daily_assets(
    "judgement",
    [
        _judgement(
            "sample_ratio",
            SAMPLE_RATIO,
            description="`results.validity`: the split, the losses, and every other check that closes a gate.",
        ),
        _judgement(
            "significance",
            SIGNIFICANCE,
            description="`results.comparisons`: estimates, intervals and tests of every arm and metric.",
        ),
        _judgement(
            "stopping",
            STOPPING,
            "int_out_of_range",
            "sample_ratio",
            "significance",
            description="`results.decisions`, `results.allocations`, `next_actions` and policies.",
        ),
    ],
)
def judgement(fairsplit_home: HomeResource) -> Iterator[dg.MaterializeResult[None]]:
    """Every cut-off whose inputs changed, judged anew."""
    definitions = read_definitions()
    with writer(fairsplit_home.open().warehouse) as connection:
        cut_offs = judge_outstanding(connection, definitions)
        told = {
            "sample_ratio": ("checks", _newest(connection, "status", "validity")),
            "significance": ("comparisons", _newest(connection, "status", "comparisons")),
            "stopping": ("decisions", _newest(connection, "decision", "decisions")),
        }
    for name, (what, listed) in told.items():
        yield dg.MaterializeResult(
            asset_key=names.key(name), metadata={"cut-offs judged": len(cut_offs), what: listed}
        )


def _newest(connection: duckdb.DuckDBPyConnection, column: str, table: str) -> dg.MarkdownMetadataValue:
    """Rows of the newest cut-off, counted by a column."""
    counted = connection.execute(
        f"""select {column}, count(*) from results.{table}
            where cut_off = (select max(cut_off) from results.{table}) group by all order by all"""
    ).fetchall()
    listed = "\n".join(f"| {value} | {count} |" for value, count in counted)
    return dg.MetadataValue.md(f"| {column} | rows |\n|---|---:|\n{listed}")


@dg.asset_check(
    asset=names.key("stopping"),
    blocking=True,
    description="0 <= p <= 1, intervals contain their estimate, counts are positive, no winner while invalid.",
)
def result_invariants(fairsplit_home: HomeResource) -> dg.AssetCheckResult:
    """Block publication while any judged row breaks an invariant."""
    with writer(fairsplit_home.open().warehouse) as connection:
        broken = broken_results(connection)
    return dg.AssetCheckResult(
        passed=broken.is_empty(),
        metadata={"rows": broken.height, "first rows": dg.MetadataValue.text(str(broken.head(20)))},
    )


@dg.asset_check(
    asset=names.key("sample_ratio"), description="Experiments whose gate is closed: no verdict, config kept."
)
def experiments_are_valid(fairsplit_home: HomeResource) -> dg.AssetCheckResult:
    """Warn with every experiment that fails a validity check at the newest cut-off."""
    with writer(fairsplit_home.open().warehouse) as connection:
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


@daily_asset(
    "judgement",
    owners=OWNERS,
    kinds=KINDS,
    deps=[
        names.key("fct_pair_cells"),
        names.key("int_out_of_range"),
        names.key("fct_overlaps"),
        names.key("fct_daily_exposures"),
    ],
)
def interactions(fairsplit_home: HomeResource) -> dg.MaterializeResult[None]:
    """`results.interactions` and `results.interaction_effects`: every pair of experiments on the same units."""
    definitions = read_definitions()
    with writer(fairsplit_home.open().warehouse) as connection:
        rows = judge_interactions(connection, definitions)
    far = uniformity(rows["p_value"].fill_null(float("nan")).to_numpy())
    counts = rows["finding"].value_counts(sort=True, name="pairs").iter_rows()
    listed = "\n".join(f"| {finding} | {pairs} |" for finding, pairs in counts)
    return dg.MaterializeResult(
        metadata={
            "pairs": dg.MetadataValue.md(f"| finding | pairs |\n|---|---:|\n{listed}"),
            **({} if far is None else {"distance from uniform": far[0], "p of uniform": far[1]}),
        }
    )


@dg.asset_check(
    asset=interactions,
    description="No experiment's split depends on another's, and none changes another's effect.",
)
def experiments_do_not_interact(fairsplit_home: HomeResource) -> dg.AssetCheckResult:
    """Warn with every pair that is flagged at a false discovery rate of 5 %."""
    with writer(fairsplit_home.open().warehouse) as connection:
        flagged = connection.execute(
            """select experiment_id, other_id, metric, finding, least(p_adjusted, dependence_p_adjusted) as p
               from results.interactions where finding in ('interacts', 'dependent')
               order by p, experiment_id, other_id, metric"""
        ).fetchall()
    listed = "\n".join(
        f"- **{experiment}** and **{other}**, {metric}: {finding} (p {p:.2g})"
        for experiment, other, metric, finding, p in flagged
    )
    return dg.AssetCheckResult(
        passed=not flagged,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"pairs": dg.MetadataValue.md(listed or "none")},
    )


@daily_asset(
    "judgement",
    owners=OWNERS,
    kinds=KINDS,
    deps=list(map(names.key, ("fct_daily_exposures", "sample_ratio", "significance", "stopping"))),
)
def programme(fairsplit_home: HomeResource) -> dg.MaterializeResult[None]:
    """`results.programme` and `results.programme_experiments`: how all experiments together do."""
    definitions = read_definitions()
    with writer(fairsplit_home.open().warehouse) as connection:
        figures = judge_programme(connection, definitions)
    overall = figures.filter(scope="all").select("figure", "value").drop_nulls().iter_rows()
    listed = "\n".join(f"| {figure} | {value:.4g} |" for figure, value in overall)
    return dg.MaterializeResult(
        metadata={"figures": dg.MetadataValue.md(f"| figure | value |\n|---|---:|\n{listed}")}
    )


@daily_asset(
    "judgement",
    owners=OWNERS,
    kinds=KINDS,
    deps=[names.key("significance"), names.key("stopping")],
)
def syntheses(fairsplit_home: HomeResource) -> dg.MaterializeResult[None]:
    """`results.syntheses` and `results.synthesis_studies`: effects of several experiments combined."""
    definitions = read_definitions()
    with writer(fairsplit_home.open().warehouse) as connection:
        rows = judge_syntheses(connection, definitions)
    return dg.MaterializeResult(
        metadata={
            "syntheses": rows["synthesis_id"].n_unique(),
            "not computed": rows.filter(rows["status"] != "ok").height,
        }
    )


@daily_asset(
    "judgement",
    owners=["team:experimentation"],
    kinds={"polars", "scipy"},
    deps=[names.key("significance"), names.key("stopping")],
)
def searches(fairsplit_home: HomeResource) -> dg.MaterializeResult[None]:
    """`results.search`: what each search over variants knows, and what it would try next."""
    definitions = read_definitions()
    with writer(fairsplit_home.open().warehouse) as connection:
        rows = judge_searches(connection, definitions)
    proposed = rows.filter((rows["kind"] == "proposed") & (rows["status"] == "ok"))
    listed = "\n".join(
        f"- **{row['search_id']}**: {row['parameters']}" for row in proposed.iter_rows(named=True)
    )
    return dg.MaterializeResult(
        metadata={
            "searches": rows["search_id"].n_unique(),
            "proposed": dg.MetadataValue.md(listed or "none"),
        }
    )
