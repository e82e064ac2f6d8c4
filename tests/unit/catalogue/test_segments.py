from __future__ import annotations

import pytest
import yaml

from fairsplit.analysis.catalogue import compile_tables, load_catalogue

LOYAL = {"days": 28, "all": [{"event": "purchase", "gte": 3}]}


def write(folder, **segments):
    (folder / "segments").mkdir(exist_ok=True)
    (folder / "project.yaml").write_text("first_day: 2026-01-05\n")
    for name, content in segments.items():
        (folder / "segments" / f"{name}.yaml").write_text(
            yaml.safe_dump({"id": name, "name": name} | content)
        )
    return load_catalogue(folder, {})


def rules(*given, combine="all"):
    return {"behaviour": {"days": 7, combine: list(given)}}


@pytest.mark.parametrize(
    ("segment", "fault"),
    [
        ({}, "a segment has one definition"),
        ({"behaviour": LOYAL, "condition": {"attribute": "a", "equals": 1}}, "a segment has one definition"),
        ({"behaviour": {"days": 7}}, "a behaviour says how its rules combine"),
        ({"behaviour": {"days": 0, "all": [{"gte": 1}]}}, "days: is out of range (0: must be ≥ 1)"),
        (rules({"event": "x"}), "a rule neither tests nor exports its measure (count"),
        (rules({"event": "x", "as": "times"}), "no rule has a test"),
        (rules({"gt": 1, "lt": 3}), "a rule has several tests (gt, lt"),
        (rules({"between": [3, 1]}), "between: the bounds are reversed (3, 1"),
        (rules({"measure": "count", "in": ["3"]}), 'in: does not test a count (["3"]: one of: gt, gte'),
        (rules({"measure": "top", "of": "url", "gt": 3}), "gt: does not test a top (3: one of: in)"),
        (rules({"measure": "distinct", "gt": 3}), "distinct and top are of a column, and only they"),
        (rules({"measure": "distinct", "of": "urls", "gt": 3}), "of: unknown event column (urls"),
        (rules({"measure": "level", "in": ["high"]}), "a level has levels, and only it"),
        (
            rules({"measure": "level", "levels": [9, 3], "in": ["high"]}),
            "levels: the levels are reversed (9, 3",
        ),
        (
            rules({"measure": "level", "levels": [3, 9], "in": ["huge"]}),
            "in: unknown level (huge: one of: low,",
        ),
        (
            rules({"gte": 1, "as": "unit_id"}),
            "the attribute's name is taken (unit_id: it holds the unit's id)",
        ),
        (rules({"gte": 1, "as": "n"}, {"lt": 9, "as": "n"}), "name is taken (n: segment it exports it)"),
        ({"unit": "user", "behaviour": LOYAL | {"hours": 3}}, "unknown key 'hours'"),
    ],
)
def test_each_fault_is_told(tmp_path, segment, fault):
    catalogue = write(tmp_path, it=segment)
    assert not catalogue.segments
    assert fault in " | ".join(map(str, catalogue.problems))


def test_an_attribute_has_one_meaning_for_a_kind_of_unit(tmp_path):
    counted = rules({"event": "purchase", "gte": 1, "as": "purchases"})
    catalogue = write(tmp_path, a=counted, b=counted, c=counted | {"unit": "session"})
    assert list(catalogue.segments) == ["a", "c"]
    assert "segment a exports it" in str(catalogue.problems[0])


def test_a_segment_counts_one_kind_of_unit(tmp_path):
    catalogue = write(
        tmp_path,
        loyal={"behaviour": LOYAL},
        visit={"unit": "session", "condition": {"segment": "loyal"}},
    )
    assert list(catalogue.segments) == ["loyal"]
    assert "uses a segment of another kind of unit (loyal: user: unit: session)" in str(catalogue.problems[0])


def test_an_inactive_segment_cannot_be_named_and_is_not_measured(tmp_path):
    catalogue = write(
        tmp_path,
        loyal={"behaviour": LOYAL, "active": False},
        fans={"condition": {"segment": "loyal"}},
    )
    assert list(catalogue.segments) == ["loyal"]
    assert "no active segment of that name (loyal" in str(catalogue.problems[0])
    assert catalogue.conditions == {}
    assert compile_tables(catalogue)["segment_rules"].is_empty()


def test_rules_become_rows_that_sql_joins(tmp_path):
    behaviour = {
        "days": 9,
        "any": [
            {"event": "purchase", "gt": 2, "as": "n"},
            {"measure": "level", "levels": [3, 9.5], "in": ["low", "high"]},
            {"measure": "recency", "between": [1, 2]},
        ],
    }
    table = compile_tables(write(tmp_path, it={"behaviour": behaviour}))["segment_rules"]
    assert table.drop(
        "segment_id", "unit_type", "days", "combine", "of_column", "definition_hash"
    ).rows() == [
        (0, "purchase", "count", None, None, True, 2.0, True, None, False, None, "n"),
        (1, None, "level", 3.0, 9.5, True, None, False, None, False, ["low", "high"], None),
        (2, None, "recency", None, None, True, 1.0, False, 2.0, False, None, None),
    ]
    assert set(table.select("segment_id", "unit_type", "days", "combine").rows()) == {
        ("it", "user", 9, "any")
    }
    assert table["definition_hash"].n_unique() == 1
