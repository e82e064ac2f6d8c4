"""What was published for a cut-off, beside what is known of it now, and why they differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.reading.results import judged_experiments, require_known, rows_of
from fairsplit.orchestration.warehouse.opening import has_table

if TYPE_CHECKING:
    from datetime import date, datetime

    import duckdb

Row = dict[str, Any]

#: The numbers that a reader compares; a difference in any of them is listed.
COMPARED = (
    "n",
    "total",
    "mean",
    "lift_abs",
    "lift_rel",
    "lift_rel_low",
    "lift_rel_high",
    "p_value",
    "status",
    "reason",
    "weight",
    "p_best",
    "next_weight",
)
_KEY = ("metric", "segment", "segment_level", "analysis", "variant_id")


def replay(
    connection: duckdb.DuckDBPyConnection,
    experiment: str,
    as_of: date | None = None,
    *,
    publication: int | None = None,
    known_at: datetime | None = None,
) -> Row:
    """What stood published of an experiment, and what the same cut-off says now.

    The publication is the one of a number, the last one that stood at an instant, or the last one whose cut-off is a
    day, else the last one before it.

    Args:
        connection: On the warehouse, read-only is enough.
        experiment: The experiment.
        as_of: The day.
        publication: The number.
        known_at: The instant, naive UTC.

    Returns:
        ``publication`` (its row of the ledger), ``then`` and ``now`` (each with ``decision``, ``gate``,
        ``comparisons`` and a bandit's ``allocations``), ``differences`` (rows of key, column, then, now and
        ``because``, the causes that may have moved this very number), ``causes`` (``late_events`` by file,
        ``definition_changed`` metrics, ``code_changed``, ``erased``; rows that one side lacks are differences in
        ``status``) and ``explained``: whether there is a cause wherever there is a difference.

    Raises:
        OrchestrationError: The experiment names nothing, not one of the three is given, or nothing was published so.
    """
    known = set(judged_experiments(connection))
    ledger = has_table(connection, "journal", "publications")
    if ledger:
        rows = connection.execute("select distinct experiment_id from journal.published_decisions").fetchall()
        known |= {row[0] for row in rows}
    require_known(experiment, known, "experiment", "EXPERIMENT")
    asked = {
        name: value
        for name, value in (("as-of", as_of), ("publication", publication), ("known-at", known_at))
        if value is not None
    }
    if len(asked) != 1:
        rule = "one of --as-of, --publication and --known-at"
        raise OrchestrationError(
            Problem("not one publication is asked for", "replay", ", ".join(asked), rule)
        )
    ((name, value),) = asked.items()
    shown = _publication(connection, experiment, name, value) if ledger else None
    if shown is None:
        what = (
            "of this experiment nothing stood in it"
            if name == "publication"
            else "nothing was published up to then"
        )
        raise OrchestrationError(
            Problem(
                "nothing was published up to that day" if name == "as-of" else what,
                f"--{name}",
                str(value),
                hint=_range(connection, ledger=ledger),
            )
        )
    key = {"e": experiment, "d": shown["cut_off"], "p": shown["publication"]}
    then = _side(connection, "journal.published_{}", "and publication = $p", key)
    now = _side(connection, "results.{}", "and $p is not null", key)
    differences = _differences(then["comparisons"], now["comparisons"])
    # Nothing is published of others than bandits, nor of bandits by a ledger that did not keep it yet.
    if then["allocations"]:
        differences += _differences(then["allocations"], now["allocations"])
    causes = _causes(connection, experiment, shown, then["comparisons"], now["comparisons"])
    return {
        "experiment_id": experiment,
        "publication": shown,
        "then": then,
        "now": now,
        "differences": [{**row, "because": _because(row, causes)} for row in differences],
        "causes": causes,
        "explained": not differences or any(causes.values()),
    }


#: By option: which publications are meant, the last of them first.
_CHOICES = {
    "as-of": ("cut_off <= $v", "cut_off desc, publication desc"),
    "publication": ("publication = $v", "publication"),
    "known-at": ("published_at <= $v", "published_at desc, publication desc"),
}


def _publication(
    connection: duckdb.DuckDBPyConnection, experiment: str, name: str, value: object
) -> Row | None:
    meant, order = _CHOICES[name]
    rows = rows_of(
        connection,
        f"""from journal.publications as p
           where {meant} and exists (
               from journal.published_comparisons as c where c.publication = p.publication and experiment_id = $e)
           order by {order} limit 1""",
        {"e": experiment, "v": value},
    )
    return rows[0] if rows else None


def _range(connection: duckdb.DuckDBPyConnection, *, ledger: bool) -> str:
    first = (
        connection.execute("select min(cut_off) from journal.publications").fetchall()[0][0]
        if ledger
        else None
    )
    return f"the first publication is of {first}" if first else "run `fairsplit run` first"


def _side(connection: duckdb.DuckDBPyConnection, table: str, where: str, key: Row) -> Row:
    chosen = f"where experiment_id = $e and cut_off = $d {where}"
    decisions = rows_of(connection, f"from {table.format('decisions')} {chosen}", key)
    failed = rows_of(
        connection,
        f"""select sentence from {table.format("validity")} {chosen} and status = 'fail' order by "check" """,
        key,
    )
    comparisons = rows_of(
        connection,
        f"from {table.format('comparisons')} {chosen} order by {', '.join(_KEY)}",
        key,
    )
    return {
        "decision": decisions[0] if decisions else None,
        "gate": [row["sentence"] for row in failed],
        "comparisons": comparisons,
        "allocations": _allocations(connection, table.format("allocations"), chosen, key),
    }


def _allocations(connection: duckdb.DuckDBPyConnection, table: str, chosen: str, key: Row) -> list[Row]:
    """A bandit's rows, placed among the comparisons as an analysis of the whole."""
    schema, name = table.split(".")
    if not has_table(connection, schema, name):
        return []
    return rows_of(
        connection,
        f"""select *, 'all' as segment, 'all' as segment_level, 'allocation' as analysis
            from {table} {chosen} order by position""",
        key,
    )


def _differences(then: list[Row], now: list[Row]) -> list[Row]:
    before, after = ({tuple(row[name] for name in _KEY): row for row in rows} for rows in (then, now))
    found = []
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key, {}), after.get(key, {})
        found += [
            {
                **dict(zip(_KEY, key, strict=True)),
                "column": column,
                "then": old.get(column),
                "now": new.get(column),
            }
            for column in COMPARED
            if old.get(column) != new.get(column)
        ]
    return found


def _causes(
    connection: duckdb.DuckDBPyConnection, experiment: str, publication: Row, then: list[Row], now: list[Row]
) -> Row:
    old, new = ({row["metric"]: row for row in rows} for rows in (then, now))
    code_then, code_now = (sorted({row["code_hash"] for row in rows}) for rows in (then, now))
    return {
        "late_events": _late_events(connection, experiment, publication),
        "definition_changed": sorted(
            metric
            for metric in old.keys() | new.keys()
            if old.get(metric, {}).get("definition_hash") != new.get(metric, {}).get("definition_hash")
        ),
        "code_changed": [] if code_then == code_now else [*code_then, *code_now],
        "erased": _erasures(connection, publication),
    }


def _because(difference: Row, causes: Row) -> list[str]:
    """A changed definition moves its own metric's numbers; the other causes may move any."""
    changed = difference["metric"] in causes["definition_changed"]
    words = {"late events": "late_events", "changed code": "code_changed", "erasure": "erased"}
    return ["changed definition"] * changed + [word for word, name in words.items() if causes[name]]


def _late_events(connection: duckdb.DuckDBPyConnection, experiment: str, publication: Row) -> list[Row]:
    """Files that landed after the publication and hold events of the experiment's units up to its cut-off."""
    return rows_of(
        connection,
        """
        with later as (
            select position, path, file_hash, arrived_at from landing.manifest
            where position > $position and status = 'taken'
        ),
        events as (
            select later.position, later.path, later.arrived_at, e.experiment_id,
                coalesce(e.user_id, l.user_id, e.anonymous_id) as user_unit, e.anonymous_id, e.session_id
            from landing.raw_events as e
            inner join later using (file_hash)
            left join int_identity_links as l on e.user_id is null and e.anonymous_id = l.anonymous_id
            where e.event_day <= $cut_off
        ),
        units as (
            select x.unit_id, c.unit_type from fct_exposures as x
            inner join catalog.experiments as c using (experiment_id) where x.experiment_id = $e
        )
        select position, path, arrived_at, count(*) as events,
            count(*) filter (events.experiment_id = $e) as exposures
        from events
        where events.experiment_id = $e
            or exists (
                from units where units.unit_id = case units.unit_type
                    when 'user' then events.user_unit when 'anonymous' then events.anonymous_id
                    else events.session_id end)
        group by all order by position
        """,
        {
            "e": experiment,
            "position": publication["manifest_position"] or 0,
            "cut_off": publication["cut_off"],
        },
    )


def _erasures(connection: duckdb.DuckDBPyConnection, publication: Row) -> int:
    """How many people were erased since; whom, nobody can say any more."""
    if not has_table(connection, "landing", "erasures"):
        return 0
    count: int = connection.execute(
        "select count(*) from landing.erasures where erased_at > ?", [publication["published_at"]]
    ).fetchall()[0][0]
    return count
