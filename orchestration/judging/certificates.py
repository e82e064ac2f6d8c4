"""The journal of certificates: which custom part has kept its promises on which metric's units.

Rows are only added; of one part, as its code is, and one metric, as it is defined, the newest counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fairsplit.analysis.judgement.custom import CustomParts
from fairsplit.analysis.parts.installed import installed
from fairsplit.orchestration.provenance.code_hash import code_hash
from fairsplit.orchestration.provenance.part_hash import part_hash, part_rows_hashes
from fairsplit.orchestration.warehouse.opening import has_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

    from fairsplit.analysis.catalogue import MetricDefinition
    from fairsplit.analysis.parts.installed import Part

_TABLE: Final = """
    create table if not exists journal.certificates (
        number bigint, part varchar, distribution varchar, version varchar, part_hash varchar, metric varchar,
        definition_hash varchar, experiment_id varchar, cut_off date, units bigint, runs bigint,
        false_positives double, coverage double, computed double, passed boolean, reason varchar)"""


def part_behind(metric: MetricDefinition) -> Part | None:
    """The part that compares a metric's arms; none where the comparison is ours."""
    if not metric.is_custom:
        return None
    return installed("metrics" if metric.kind == "custom" else "tests").get(metric.test)


def custom_parts(
    connection: duckdb.DuckDBPyConnection, metrics: Mapping[str, MetricDefinition]
) -> CustomParts:
    """What judgement has to know of the parts that compare any of the metrics."""
    parts = {name: part for name, metric in metrics.items() if (part := part_behind(metric)) is not None}
    if not parts:
        return CustomParts()
    hashes = part_rows_hashes(code_hash())
    certified = frozenset(row["metric"] for row in standing(connection, metrics) if row["passed"])
    return CustomParts(certified, {part.name: hashes[part.name] for part in parts.values()})


def code_of_rows(custom: CustomParts) -> str:
    """Our code, and where custom parts judge, theirs and the standing of each: what rows follow from beside data."""
    if not custom.code_hashes:
        return code_hash()
    return "|".join([code_hash(), *sorted(custom.code_hashes.values()), *sorted(custom.certified)])


def standing(
    connection: duckdb.DuckDBPyConnection, metrics: Mapping[str, MetricDefinition]
) -> list[dict[str, Any]]:
    """Of each metric that a custom part judges: the part, whether it is certified, and why not; by metric."""
    passed, rows = _passed(connection), []
    for name, metric in sorted(metrics.items()):
        part = part_behind(metric)
        if part is None:
            continue
        key = (part.name, part_hash(part), name, metric.definition_hash)
        reason = passed.get(key, "no certificate of this code and definition")
        rows.append(
            {
                "metric": name,
                "part": part.name,
                "distribution": part.distribution,
                "version": part.version,
                "passed": reason is None,
                "reason": reason,
            }
        )
    return rows


def note(connection: duckdb.DuckDBPyConnection, rows: list[dict[str, Any]]) -> None:
    """Append certificates; one that says what the newest of its kind says is not repeated.

    Args:
        connection: A writer.
        rows: By the journal's columns but `number`.
    """
    connection.execute("create schema if not exists journal")
    connection.execute(_TABLE)
    for row in rows:
        columns = ", ".join(row)
        values = ", ".join(f"${name}" for name in row)
        same = " and ".join(f"{name} is not distinct from ${name}" for name in row)
        connection.execute(
            f"""insert into journal.certificates by name
                select (select coalesce(max(number), 0) + 1 from journal.certificates) as number, new.*
                from (select {values}) as new({columns})
                where not exists (
                    select 1 from journal.certificates where {same} and number = (
                        select max(number) from journal.certificates
                        where part = $part and metric = $metric and definition_hash = $definition_hash))""",
            row,
        )


def _passed(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str, str, str], str | None]:
    """Why the newest certificate of each part's code and metric's definition was refused; none where it was not."""
    if not has_table(connection, "journal", "certificates"):
        return {}
    rows = connection.execute(
        """select part, part_hash, metric, definition_hash, reason from journal.certificates
           qualify row_number() over (
               partition by part, part_hash, metric, definition_hash order by number desc) = 1"""
    ).fetchall()
    return {(part, code, metric, definition): reason for part, code, metric, definition, reason in rows}
