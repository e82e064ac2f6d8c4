"""docs/sources.md names every key of a source, every reason of quarantine, every column and every limit."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from fairsplit.analysis.catalogue.events import CONTRACT_COLUMNS, MAX_VALUE
from fairsplit.analysis.catalogue.project import Thresholds
from fairsplit.analysis.catalogue.sources import EPOCHS, Condition, Mapped, Source, SourceEvent
from fairsplit.orchestration.landing import limits
from fairsplit.orchestration.landing.rows import REASONS

PAGE = (Path(__file__).parents[3] / "docs" / "sources.md").read_text(encoding="utf-8")


def test_every_key_reason_and_column_is_named() -> None:
    models = (Source, SourceEvent, Mapped, Condition)
    keys = {field.alias or name for model in models for name, field in model.model_fields.items()}
    named = set(re.findall(r"`([\w.]+)`", PAGE))
    assert keys | set(REASONS) | set(CONTRACT_COLUMNS) | set(EPOCHS) <= named


def test_the_limits_are_those_of_the_code() -> None:
    assert MAX_VALUE == 10**10
    assert limits.MAX_RECORD_BYTES == 16 << 20
    assert limits.KEPT_BYTES == 1 << 20
    assert limits.SNIFF_BYTES == 64 << 10
    for words in (
        "16 MiB",
        "first 1 MiB",
        "64 KiB",
        f"{limits.MAX_RECORD_LINES:,}",
        f"{limits.MAX_COLUMNS:,}",
    ):
        assert words in PAGE
    assert f"({Thresholds().quarantine_warn:.0%}".replace("%", " %") in PAGE


def test_the_example_is_a_source() -> None:
    example = re.search(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
    assert example is not None
    assert Source.model_validate(yaml.safe_load(example[1])).covers("shop/2026/01/x.csv.gz")
