"""Keeping the judged tables in step with the warehouse: what changed is judged anew, cut-off by cut-off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from fairsplit.analysis.judgement import (
    ALLOCATIONS,
    COMPARISONS,
    DECISIONS,
    VALIDITY,
    Facts,
    Judgement,
    history_needed,
    judge_cut_offs,
    violations,
)
from fairsplit.analysis.judgement.interactions import INTERACTION_EFFECTS, INTERACTIONS
from fairsplit.analysis.judgement.known import version_frame
from fairsplit.analysis.judgement.next_actions import NEXT_ACTIONS
from fairsplit.analysis.judgement.policies import POLICIES, POLICY_COEFFICIENTS, POLICY_LEAVES
from fairsplit.analysis.judgement.programme import PROGRAMME, PROGRAMME_EXPERIMENTS
from fairsplit.analysis.judgement.rows import REQUIREMENT
from fairsplit.analysis.judgement.searching import SEARCH
from fairsplit.analysis.judgement.synthesising import SYNTHESES, SYNTHESIS_STUDIES
from fairsplit.analysis.scheduling.weeks import SCHEDULE, SCHEDULE_WEEKS
from fairsplit.orchestration.judging.certificates import code_of_rows, custom_parts
from fairsplit.orchestration.lifecycle.acting import in_force
from fairsplit.orchestration.provenance.code_hash import code_hash
from fairsplit.orchestration.warehouse.opening import add_columns, insert_frame

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    import duckdb

    from fairsplit.orchestration.catalogue.loading import Definitions

_TABLES: Mapping[str, Mapping[str, pl.DataType]] = {
    "comparisons": COMPARISONS,
    "validity": VALIDITY,
    "decisions": DECISIONS,
    "allocations": ALLOCATIONS,
    "next_actions": NEXT_ACTIONS,
    "policies": POLICIES,
    "policy_leaves": POLICY_LEAVES,
    "policy_coefficients": POLICY_COEFFICIENTS,
}
#: Judged after these, by `interacting`, `programme`, `searching` and `synthesising`.
_JUDGED_AFTER: Mapping[str, Mapping[str, pl.DataType]] = {
    "interactions": INTERACTIONS,
    "interaction_effects": INTERACTION_EFFECTS,
    "schedule": SCHEDULE,
    "schedule_weeks": SCHEDULE_WEEKS,
    "programme": PROGRAMME,
    "programme_experiments": PROGRAMME_EXPERIMENTS,
    "syntheses": SYNTHESES,
    "synthesis_studies": SYNTHESIS_STUDIES,
    "search": SEARCH,
}
_CHECKED = ("comparisons", "validity", "decisions")
_SQL_TYPES = {
    pl.String(): "varchar",
    pl.Float64(): "double",
    pl.Int64(): "bigint",
    pl.Boolean(): "boolean",
} | {
    pl.Date(): "date",
    pl.Datetime("us"): "timestamp",
    pl.List(pl.String()): "varchar[]",
    REQUIREMENT: "struct(requirement varchar, rule varchar, required double, observed double, met boolean)[]",
}


class _Fact(NamedTuple):
    """Rows of one mart, and the column that says from which cut-off on a row counts."""

    day: str
    columns: str = "*"
    where: str = "true"

    def rows(self, name: str) -> str:
        return f"select {self.columns} from {model_of(name)} where {self.where}"


#: By the field of `Facts`, of whose rows a change is looked for. Histograms follow from the same values as statistics.
_WATCHED: Final = {
    "sufficient_statistics": _Fact("cut_off"),
    # Who had crossed over by a cut-off, `crossovers` tells.
    "daily_exposures": _Fact("exposure_day", "* exclude (crossovers)"),
    "crossovers": _Fact("crossed_day"),
    # A unit that is shown a variant on purpose is no loss of the split.
    "losses": _Fact("event_day", where="step <> 'override'"),
    "assignment_audits": _Fact("assigned_day"),
    "overlaps": _Fact("day"),
    "event_quality": _Fact("event_day", "event_day, events", "filter = 'kept'"),
    "early_outcomes": _Fact("exposure_day"),
    "targeting_audits": _Fact("exposure_day"),
    "effect_ages": _Fact("known_day"),
    "holdout_leaks": _Fact("day"),
    "phase_sums": _Fact("day"),
    # Of a reward whose sums are beyond the range nothing can be learned from that day on.
    "context_sums": _Fact(
        "day", where="(experiment_id, metric) not in (select experiment_id, metric from int_out_of_range)"
    ),
}
#: Of which not all days are read.
_IN_PART: Final = ("sufficient_statistics", "value_histograms")


def model_of(fact: str) -> str:
    """The mart that a field of `Facts` has the rows of."""
    return f"fct_{fact}"


def judge_outstanding(connection: duckdb.DuckDBPyConnection, definitions: Definitions) -> list[date]:
    """Judge every cut-off from the first one whose inputs changed, and replace its rows.

    Methods that look repeatedly depend on the looks before, so a changed day is followed by all later ones. Equal
    inputs, definitions and code are never judged twice.

    Args:
        connection: A writer; dbt's marts are built.
        definitions: The catalogue and its metrics.

    Returns:
        Cut-offs judged anew, oldest first; empty when nothing had changed.
    """
    _prepare(connection)
    definitions = in_force(connection, definitions)
    custom = custom_parts(connection, definitions.metrics)
    cut_offs = _changed_cut_offs(connection, version_frame(definitions.catalogue), code_of_rows(custom))
    if not cut_offs:
        return []
    whole = {
        name: connection.sql(f"{fact.rows(name)} order by all").pl()
        for name, fact in _WATCHED.items()
        if name not in _IN_PART
    }
    needed = history_needed(definitions.catalogue, definitions.metrics, cut_offs)
    facts = Facts(
        sufficient_statistics=_statistics(connection, needed, cut_offs[0]),
        value_histograms=connection.sql(
            "from fct_value_histograms where cut_off >= ? order by all", params=[cut_offs[0]]
        ).pl(),
        **whole,
    )
    judged = judge_cut_offs(
        facts, definitions.catalogue, definitions.metrics, cut_offs, custom=custom, code_hash=code_hash()
    )
    _replace(connection, judged, cut_offs[0])
    return cut_offs


def broken_results(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The judged rows that break an invariant, each with its rule; empty when all hold."""
    return violations(*(connection.sql(f"from results.{name}").pl() for name in _CHECKED))


def _prepare(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("create schema if not exists results")
    for name, schema in {**_TABLES, **_JUDGED_AFTER}.items():
        types = {column: _SQL_TYPES[kind] for column, kind in schema.items()}
        columns = ", ".join(f'"{column}" {kind}' for column, kind in types.items())
        connection.execute(f"create table if not exists results.{name} ({columns})")
        # A home that was judged before a column existed gets it empty; with the new code all its days are judged anew.
        add_columns(connection, f"results.{name}", types)
    connection.execute(
        "create table if not exists results.judged (cut_off date, input_hash varchar, code_hash varchar)"
    )


def _changed_cut_offs(connection: duckdb.DuckDBPyConnection, versions: pl.DataFrame, code: str) -> list[date]:
    """All calendar days from the first changed one to the frontier."""
    # A sum of row hashes is blind to their order.
    hashes = " union all ".join(
        f"select {fact.day} as day, hash(fact)::hugeint as h from ({fact.rows(name)}) as fact"
        for name, fact in _WATCHED.items()
    )
    connection.execute("drop table if exists results.judging")
    connection.register("_versions", versions)
    connection.execute(
        f"""
        create temp table judging as
        with hashes as (select day, sum(h)::varchar as input_hash from ({hashes}) group by day),
        days as (
            select unnest(generate_series(
                (select value::date from catalog.settings where key = 'first_day'),
                (select value::date from work.state where key = 'frontier'), interval 1 day))::date as cut_off
        ),
        known as (
            select days.cut_off, sum(hash((v.experiment_id, v.definition_hash, v.status))::hugeint) as definitions
            from days inner join _versions as v on days.cut_off >= v.known_from and days.cut_off < v.known_until
            group by days.cut_off
        )
        select
            cut_off, coalesce(input_hash, '') as input_hash,
            concat($code, coalesce(known.definitions, 0)::varchar) as code_hash
        from days
        left join hashes on days.cut_off = hashes.day
        left join known using (cut_off)
        """,
        {"code": code},
    )
    connection.unregister("_versions")
    rows = connection.execute(
        """
        with first as (
            select min(cut_off) as day from judging as now
            left join results.judged as before using (cut_off)
            where before.cut_off is null or before.input_hash <> now.input_hash or before.code_hash <> now.code_hash
        )
        select cut_off from judging, first where cut_off >= first.day order by cut_off
        """
    ).fetchall()
    return [row[0] for row in rows]


def _statistics(connection: duckdb.DuckDBPyConnection, history: pl.DataFrame, first: date) -> pl.DataFrame:
    """The statistics from the first cut-off judged on, and what is needed of those before."""
    connection.register("_history", history)
    rows: pl.DataFrame = connection.sql(
        """select statistics.*
           from fct_sufficient_statistics as statistics
           left join _history as history using (experiment_id, metric)
           where cut_off >= ? or segment = 'all' and analysis = 'default' or looks_again or cut_off = verdict_day
           order by all""",
        params=[first],
    ).pl()
    connection.unregister("_history")
    return rows


def _replace(connection: duckdb.DuckDBPyConnection, judged: Judgement, first: date) -> None:
    """Put the new rows in place of all rows from `first` on, in one transaction."""
    connection.execute("begin")
    for name in _TABLES:
        connection.execute(f"delete from results.{name} where cut_off >= ?", [first])
        insert_frame(connection, f"results.{name}", getattr(judged, name))
    connection.execute("delete from results.judged where cut_off >= ?", [first])
    connection.execute("insert into results.judged from judging where cut_off >= ?", [first])
    connection.execute("commit")
