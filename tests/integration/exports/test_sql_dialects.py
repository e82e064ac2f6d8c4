"""What random conditions seldom meet: how versions order, numbers are spelt, deep trees, long lists, quoting."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from tests.warehouses import Ask, spark_test
from typer.testing import CliRunner

from fairsplit.analysis.catalogue.conditions import Condition
from fairsplit.assignment_exports.condition_sql import condition_sql
from fairsplit.assignment_exports.dialects import SPARK
from fairsplit.orchestration.cli import app, commands  # noqa: F401 - importing `commands` registers them

# The example of semver.org's §11.4, with what §10 and §11.4.2 add: labels of different lengths, a dash sorts first.
ORDERED = [
    *(
        "0.9.10",
        "0.10.0",
        "1.0.0-0",
        "1.0.0-2",
        "1.0.0-11",
        "1.0.0--",
        "1.0.0-A",
        "1.0.0-alpha",
        "1.0.0-alpha.1",
    ),
    *(
        "1.0.0-alpha.beta",
        "1.0.0-alpha-1",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
    ),
    *("1.0.1", "1.2.0", "1.10.0", "2.0.0", "10.0.0", "100000000000000000.0.0"),
]
# As JSON may write them, and as SDKs do: ECMA-262's Number::toString without its exponents.
SPELT = [
    *(
        ("0", "0"),
        ("-0.0", "0"),
        ("-0e0", "0"),
        ("5.0", "5"),
        ("5.50", "5.5"),
        ("-18.25", "-18.25"),
        ("1e2", "100"),
    ),
    *(
        ("1E+21", "1" + 21 * "0"),
        ("1.5e300", "15" + 299 * "0"),
        ("1e-7", "0.0000001"),
        ("-2.5e-9", "-0.0000000025"),
    ),
    *(("2e23", "2" + 23 * "0"), ("8.41e21", "841" + 19 * "0"), ("5e-324", "0." + 323 * "0" + "5")),
    *(("9007199254740993", "9007199254740992"), ("12345678901234567890", "12345678901234567000")),
    *(
        ("0.1", "0.1"),
        ("0.1000000000000000055511151231257827", "0.1"),
        ("123456789.123456", "123456789.123456"),
    ),
]

QUOTED = [
    *(
        "it's",
        "''",
        '"',
        "\\",
        "\\'",
        "\\n",
        "\n",
        "\t",
        "\r\n",
        "${env:HOME}",
        "$${x}",
        "$1",
        ":x",
        "?",
        "%",
        "{{ x }}",
    ),
    *(
        "-- x",
        "/* x */",
        "'; drop table t; --",
        "\\u0041",
        "A",
        "ünï",
        "😀",
        "a\u0301",
        "\u202e",
        "\u2028",
        "\x7f",
    ),
]


def conditions_of(tests: list[dict[str, Any]]) -> list[Condition]:
    return [Condition.model_validate({"attribute": "a", **test}) for test in tests]


def check_versions(ask: Ask) -> None:
    said = ask(
        conditions_of([{"semver_lt": one} for one in ORDERED]), [({"a": one}, None) for one in ORDERED]
    )
    for right, verdicts in enumerate(said):
        assert verdicts == [left < right for left in range(len(ORDERED))], ORDERED[right]
    broken = ["1.0", "v1.0.0", "1.0.0\n", "\n1.0.0", "1.0.0-", "01.0.0", "1.0.0-01", "1.0.0 ", 1, 1.5, True]
    (said_of_broken,) = ask(conditions_of([{"semver_gte": "0.0.0"}]), [({"a": one}, None) for one in broken])
    assert said_of_broken == [None] * len(broken)


def check_spelling(ask: Ask) -> None:
    patterns = [f"^{text.replace('.', '[.]')}$" for _, text in SPELT]
    tests = conditions_of([{"matches": one} for one in patterns] + [{"equals": text} for _, text in SPELT])
    same = [[one == other for _, other in SPELT] for _, one in SPELT]
    assert ask(tests, [(f'{{"a": {written}}}', None) for written, _ in SPELT]) == [*same, *same]


def check_quoting(ask: Ask) -> None:
    tests = [{op: [one] if op == "in" else re.escape(one)} for op in ("in", "matches") for one in QUOTED]
    same = [
        [one in ({other} if whole else other) for other in QUOTED]
        for whole in (True, False)
        for one in QUOTED
    ]
    assert ask(conditions_of(tests), [({"a": one}, None) for one in QUOTED]) == same


def check_size(ask: Ask) -> None:
    deep: dict[str, Any] = {"attribute": "a", "equals": "x"}
    for _ in range(60):  # a definition is nested 50 deep at most
        deep = {"not": {"all": [deep]}}
    long = {"attribute": "a", "in": [f"unit-{number}" for number in range(20_000)]}
    said = ask(
        [Condition.model_validate(one) for one in (deep, long)],
        [({"a": one}, None) for one in ("x", "unit-19999", "unit-20000")],
    )
    assert said == [[True, False, False], [False, True, False]]


CHECKS = [check_versions, check_spelling, check_quoting, check_size]


@pytest.mark.parametrize("check", CHECKS)
def test_duckdb(check: Callable[[Ask], None], duckdb_says: Ask) -> None:
    check(duckdb_says)


@spark_test
@pytest.mark.parametrize("check", CHECKS)
def test_spark(check: Callable[[Ask], None], spark_says: Ask) -> None:
    check(spark_says)


def test_a_literal_of_sparks_is_one_whatever_it_says() -> None:
    assert SPARK.literal("it's a \\ and ${env:HOME}\n$5") == "'it\\'s a \\\\ and \\u0024{env:HOME}\\u000A$5'"


@spark_test
def test_spark_refuses_an_instant_that_its_session_would_read(spark_says: Ask) -> None:
    from pyspark.errors import AnalysisException  # noqa: PLC0415 - only where there is Spark
    from pyspark.sql import SparkSession  # noqa: PLC0415

    noon = Condition.model_validate({"when": {"hours": [12, 13]}})
    with pytest.raises(AnalysisException, match="TIMESTAMP_NTZ"):
        SparkSession.active().sql(
            f"select {condition_sql(noon, 'a', 'i', SPARK)} from (select timestamp_ntz '2026-01-05 12:00:00' as i)"
        )


SEGMENTS: dict[str, Any] = {
    "pro": {"condition": {"attribute": "plan", "in": ["pro", "team"]}},
    "busy": {"behaviour": {"days": 7, "all": [{"gte": 5}]}},
    "busy_pro": {
        "condition": {
            "all": [
                {"segment": "pro"},
                {"segment": "busy"},
                {"not": {"when": {"zone": "Europe/Berlin", "weekdays": ["sat", "sun"]}}},
            ]
        }
    },
    "by_lines": {"condition": {"attribute": "plan", "matches": "(?m)^pro$"}},
}


@pytest.fixture
def printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    (tmp_path / "segments").mkdir()
    (tmp_path / "project.yaml").write_text("first_day: 2026-01-05\n")
    for name, content in SEGMENTS.items():
        (tmp_path / "segments" / f"{name}.yaml").write_text(
            yaml.safe_dump({"id": name, "name": name} | content)
        )
    monkeypatch.setenv("FAIRSPLIT_CATALOG", str(tmp_path))
    monkeypatch.setenv("FAIRSPLIT_HOME", str(tmp_path / "no-warehouse"))
    return lambda *arguments: CliRunner().invoke(app, ["segments", *arguments])


SUBJECTS = [
    ({"plan": "pro", "segment:busy": True}, "2026-01-05 12:00:00", True),
    ({"plan": "pro", "segment:busy": False}, "2026-01-05 12:00:00", False),
    ({"plan": "pro"}, "2026-01-05 12:00:00", None),
    ({"plan": "free"}, "2026-01-05 12:00:00", False),
    ({"plan": "team", "segment:busy": True}, "2026-01-09 22:59:59", True),  # Friday in Berlin
    ({"plan": "team", "segment:busy": True}, "2026-01-09 23:00:00", False),  # Saturday there
    ({"plan": "team", "segment:busy": True}, None, None),
]


def test_what_is_printed_can_be_asked_of_duckdb(printed: Callable[..., Any]) -> None:
    expression = printed("busy_pro", "--sql", "duckdb").stdout
    rows = [[json.dumps(subject) for subject, _, _ in SUBJECTS], [at for _, at, _ in SUBJECTS]]
    with duckdb.connect() as connection:
        found = connection.execute(
            f"select {expression} from (select unnest(?::json[]) as attributes, unnest(?::timestamp[]) as instant)",
            rows,
        ).fetchall()
    assert [verdict for (verdict,) in found] == [verdict for _, _, verdict in SUBJECTS]


@spark_test
def test_what_is_printed_can_be_asked_of_spark(printed: Callable[..., Any], spark_says: Ask) -> None:
    from pyspark.sql import SparkSession  # noqa: PLC0415 - only where there is Spark

    session = SparkSession.active()
    rows = [(n, json.dumps(subject), at and f"{at}Z") for n, (subject, at, _) in enumerate(SUBJECTS)]
    session.createDataFrame(rows, "n int, a string, i string").createOrReplaceTempView("subjects")
    found = session.sql(
        f"""select {printed("busy_pro", "--sql", "spark").stdout}
        from (select n, parse_json(a) as attributes, cast(i as timestamp) as instant from subjects) order by n"""
    ).collect()
    assert [verdict for (verdict,) in found] == [verdict for _, _, verdict in SUBJECTS]


def test_an_expression_is_one_line_of_one_segment(printed: Callable[..., Any]) -> None:
    assert (
        printed("pro", "--sql", "spark").stdout
        == "(variant_get(attributes, '$[\"plan\"]', 'string') in ('pro', 'team'))\n"
    )
    for arguments, message in [
        (["--sql", "spark"], "one of: busy, busy_pro, by_lines, pro"),
        (["bussy", "--sql", "spark"], "did you mean 'busy'"),
        (["by_lines", "--sql", "spark"], r"(?m)^pro$: no flags but i and s"),
    ]:
        refused = printed(*arguments)
        assert refused.exit_code == 1
        assert message in str(refused.exception)
    assert printed("by_lines", "--sql", "duckdb").exit_code == 0
