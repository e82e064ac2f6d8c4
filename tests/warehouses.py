"""Conditions asked of the warehouses whose SQL they are compiled to."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import duckdb
import pytest

from fairsplit.analysis.catalogue.conditions import Condition
from fairsplit.assignment_exports.condition_sql import condition_sql
from fairsplit.assignment_exports.dialects import SPARK

Rows = Sequence[tuple[dict[str, Any] | str, datetime | None]]
#: Conditions and rows (a unit's attributes or their JSON, and an instant in UTC) to each condition's verdicts.
Ask = Callable[[Sequence[Condition], Rows], list[list[bool | None]]]


#: py4j leaves its sockets to the collector.
spark_test = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


def written(attributes: dict[str, Any] | str) -> str:
    return attributes if isinstance(attributes, str) else json.dumps(attributes)


@contextmanager
def duckdb_warehouse() -> Iterator[Ask]:
    """DuckDB, in memory."""
    with duckdb.connect() as connection:

        def ask(conditions: Sequence[Condition], rows: Rows) -> list[list[bool | None]]:
            told = [[written(subject) for subject, _ in rows], [at for _, at in rows], [1] * len(rows)]
            return [
                [
                    verdict
                    for (verdict,) in connection.execute(
                        f"""select {condition_sql(one, "a", "i")} from (select unnest(?::json[]) as a,
                        unnest(?::timestamp[]) as i, generate_subscripts(?, 1) as n) order by n""",
                        told,
                    ).fetchall()
                ]
                for one in conditions
            ]

        yield ask


@contextmanager
def spark_warehouse() -> Iterator[Ask]:
    """Spark in this process, with a session in a time zone that must not matter; skips where there is none."""
    sql = pytest.importorskip(
        "pyspark.sql", reason="pyspark is too large for the lock; README says how to add it"
    )
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("Spark needs Java 17 or newer")
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    session = (
        sql.SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "America/St_Johns")
        .config("spark.sql.shuffle.partitions", "1")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("OFF")
    epoch = datetime(1970, 1, 1)  # noqa: DTZ001 - instants are naive UTC in this project

    def ask(conditions: Sequence[Condition], rows: Rows) -> list[list[bool | None]]:
        micros = [None if at is None else round((at - epoch).total_seconds() * 1e6) for _, at in rows]
        told = [
            (n, written(subject), at) for n, ((subject, _), at) in enumerate(zip(rows, micros, strict=True))
        ]
        session.createDataFrame(told, "n int, a string, i bigint").createOrReplaceTempView("told")
        verdicts = ", ".join(
            f"{condition_sql(one, 'a', 'i', SPARK)} as v{n}" for n, one in enumerate(conditions)
        )
        found = session.sql(
            f"""select n, {verdicts} from (select n, parse_json(a) as a, timestamp_micros(i) as i from told)
            order by n"""
        ).collect()
        return [list(verdicts) for verdicts in zip(*(row[1:] for row in found), strict=True)]

    yield ask
    session.stop()
