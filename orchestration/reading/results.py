"""The newest results of each experiment: verdict, closed gates and the rows behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairsplit.analysis.catalogue.findings import did_you_mean
from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.warehouse.opening import has_table

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    import duckdb
    import polars as pl

Row = dict[str, Any]
_ORDER = {
    "comparisons": """list_position(['primary', 'secondary', 'guardrail'], role), metric, segment <> 'all',
                segment, segment_level, analysis <> 'default', comparison is not null, variant_id""",
    "validity": "\"check\", segment <> 'all', segment, segment_level",
    "decisions": "experiment_id",
    "allocations": "position",
}


def rows_of(connection: duckdb.DuckDBPyConnection, query: str, parameters: object = None) -> list[Row]:
    """A query's rows as dicts, in its order."""
    cursor = connection.execute(query, parameters)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def require_known(word: str, known: Iterable[str], what: str, where: str) -> None:
    """Refuse a word that names nothing.

    Raises:
        OrchestrationError: Names the word, what exists, and the nearest of it.
    """
    names = sorted(known)
    if word not in names:
        listed = ", ".join(names) or "nothing has been judged yet"
        raise OrchestrationError(
            Problem(f"unknown {what}", where, word, f"one of: {listed}", did_you_mean(word, names))
        )


def judged_experiments(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Ids of the experiments that have results.

    Raises:
        OrchestrationError: Nothing has been judged yet.
    """
    if not has_table(connection, "results", "comparisons"):
        raise OrchestrationError(Problem("nothing has been judged yet", hint="run `fairsplit run` first"))
    rows = connection.execute("select distinct experiment_id from results.comparisons order by 1").fetchall()
    return [row[0] for row in rows]


def read_results(
    connection: duckdb.DuckDBPyConnection, experiment: str | None = None, metric: str | None = None
) -> list[Row]:
    """The newest cut-off's results, experiment by experiment.

    Args:
        connection: On the warehouse, read-only is enough.
        experiment: Only this one.
        metric: Only this metric's rows.

    Returns:
        One dict an experiment, sorted by id: ``experiment_id``, ``cut_off``, ``decision`` (a row of
        ``results.decisions`` or none), ``gate`` (sentences of the failed checks; empty while it is open),
        ``comparisons`` (rows of ``results.comparisons``: metric, segment, analysis, control first), ``allocations``
        (a bandit's rows of ``results.allocations``; of others none).

    Raises:
        OrchestrationError: Nothing was judged, or experiment or metric name nothing.
    """
    known = _require_judged(connection, experiment, metric)
    return [_one(connection, name, metric) for name in known if experiment is None or name == experiment]


def read_newest(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    experiment: str | None = None,
    metric: str | None = None,
    *,
    every_cut_off: bool = False,
) -> pl.DataFrame:
    """Rows of one table of results as a frame, in the order in which people read them.

    Args:
        connection: On the warehouse, read-only is enough.
        table: ``comparisons``, ``validity``, ``decisions`` or ``allocations``.
        experiment: Only this one.
        metric: Only this metric's rows.
        every_cut_off: Those of all days instead of each experiment's newest.

    Raises:
        OrchestrationError: Nothing was judged, or experiment or metric name nothing.
    """
    _require_judged(connection, experiment, metric)
    newest = """ and cut_off = (select max(cut_off) from results.comparisons as newest
                                where newest.experiment_id = rows.experiment_id)"""
    of_metric = "" if metric is None else " and metric = $m"
    frame: pl.DataFrame = connection.sql(
        f"""from results.{table} as rows where ($e is null or experiment_id = $e)
            {"" if every_cut_off else newest}{of_metric}
            order by experiment_id, cut_off, {_ORDER[table]}""",
        params={"e": experiment} | ({} if metric is None else {"m": metric}),
    ).pl()
    return frame


def _require_judged(
    connection: duckdb.DuckDBPyConnection, experiment: str | None, metric: str | None
) -> list[str]:
    """The experiments that were judged, once the words that were asked for name something."""
    known = judged_experiments(connection)
    if experiment is not None:
        require_known(experiment, known, "experiment", "EXPERIMENT")
    if metric is not None:
        where = "where experiment_id = $e" if experiment else ""
        parameters = {"e": experiment} if experiment else None
        names = connection.execute(f"select distinct metric from results.comparisons {where}", parameters)
        require_known(metric, (row[0] for row in names.fetchall()), "metric", "--metric")
    return known


def _one(connection: duckdb.DuckDBPyConnection, experiment: str, metric: str | None) -> Row:
    newest = "experiment_id = $e and cut_off = (select max(cut_off) from results.comparisons where experiment_id = $e)"
    key = {"e": experiment}
    comparisons = rows_of(
        connection,
        f"""from results.comparisons where {newest} and ($m is null or metric = $m)
            order by {_ORDER["comparisons"]}""",
        key | {"m": metric},
    )
    decisions = rows_of(connection, f"from results.decisions where {newest}", key)
    failed = rows_of(
        connection,
        f"""select sentence from results.validity where status = 'fail' and {newest} order by "check" """,
        key,
    )
    cut_off = comparisons[0]["cut_off"] if comparisons else None
    return {
        "experiment_id": experiment,
        "cut_off": cut_off,
        "decision": decisions[0] if decisions else None,
        "gate": [row["sentence"] for row in failed],
        "comparisons": comparisons,
        "allocations": allocations_of(connection, experiment, cut_off, metric),
    }


def allocations_of(
    connection: duckdb.DuckDBPyConnection, experiment: str, cut_off: date | None, metric: str | None
) -> list[Row]:
    """What a bandit's rewards said at a cut-off, arm by arm; nothing of others.

    Args:
        connection: On the warehouse.
        experiment: The experiment.
        cut_off: The day.
        metric: Only where this is the reward.
    """
    return rows_of(
        connection,
        """from results.allocations where experiment_id = $e and cut_off = $d and ($m is null or metric = $m)
           order by position""",
        {"e": experiment, "d": cut_off, "m": metric},
    )
