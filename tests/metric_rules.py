"""The table of kinds, aggregations, tests and options; `python -m tests.metric_rules` writes it into the docs."""

from __future__ import annotations

from pathlib import Path

from fairsplit.analysis.catalogue.measures import AGGREGATIONS
from fairsplit.analysis.catalogue.metric_definition import TESTS
from fairsplit.analysis.catalogue.metric_rules import (
    KINDS,
    OPTIONS,
    PAIRS,
    TEST_OPTIONS,
    refused_agg,
    refused_option,
    refused_pair,
    refused_test,
    refused_type,
)

PAGE = Path(__file__).resolve().parents[1] / "docs" / "definitions.md"
BEGIN, END = "<!-- metric rules: begin -->\n", "<!-- metric rules: end -->\n"
TYPES = ("simple", "ratio", "derived", "conversion", "cumulative")


def refusals() -> dict[tuple[str, ...], str]:
    """Every refused combination with its exact text."""
    found: dict[tuple[str, ...], tuple[str, str] | None] = {}
    for kind in KINDS:
        found |= {(kind, "type", type_): refused_type(kind, type_) for type_ in TYPES}
        found |= {(kind, "agg", agg): refused_agg(kind, agg) for agg in AGGREGATIONS}
        found |= {(kind, "test", test): refused_test(kind, test) for test in TESTS}
        found |= {(kind, "option", option): refused_option(kind, option) for option in OPTIONS}
    pairs = {("pair", *pair): str(refused_pair(*pair)) for pair in (*PAIRS, *TEST_OPTIONS)}
    return {key: f"{value[0]}. Hint: {value[1]}" for key, value in found.items() if value} | pairs


def markdown() -> str:
    """What is computed, and why the rest is not."""
    rows = [
        "| kind | a unit's value | `type` | `agg` | `test` (first: default) | options |",
        "|---|---|---|---|---|---|",
    ]
    for kind, rule in KINDS.items():
        cells = (rule.types, rule.aggs, rule.tests, rule.options)
        listed = " | ".join(", ".join(f"`{one}`" for one in cell) or "–" for cell in cells)
        rows.append(f"| `{kind}` | {rule.value} | {listed} |")
    why = ["", "| not together | because |", "|---|---|"]
    for (one, other), reason in (*PAIRS.items(), *TEST_OPTIONS.items()):
        why.append(f"| `{one}`, `{other}` | {reason} |")
    return "\n".join([*rows, *why]) + "\n"


def main() -> None:
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}{markdown()}{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
