"""Flags that are refused keep their last good config in whichever family it was; nothing else is touched."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from tests.definitions import PROJECT, flag

from fairsplit.analysis.catalogue import Catalogue, load_catalogue
from fairsplit.assignment_exports.catalogue import export_catalogue
from fairsplit.assignment_exports.families import published_flags

if TYPE_CHECKING:
    from pathlib import Path

    from fairsplit.analysis.catalogue import Flag
    from fairsplit.assignment_exports.publishing import PublishedVersion

CUT_OFF = datetime(2026, 1, 20)  # noqa: DTZ001 - instants are naive UTC in this project
MAIL = {"attribute": "mail", "matches": "@example"}


def _export(folder: Path, *flags: Flag) -> PublishedVersion:
    found = Catalogue(PROJECT, {}, {item.id: item for item in flags}, {}, {}, (), {})
    return export_catalogue(folder, found, CUT_OFF)


def _changes(version: PublishedVersion) -> dict[str, str]:
    return {name: entry["change"] for name, entry in version.manifest["flags"].items()}


@pytest.mark.parametrize("family", ["flagd", "growthbook"])
def test_a_refused_flag_keeps_its_last_good_config_even_in_another_family(
    tmp_path: Path, family: str
) -> None:
    first = _export(tmp_path, flag("dark", rollout=0.1), flag("other"))
    refused = flag("dark", rollout=0.2, sdk=family, targeting=MAIL)
    second = _export(tmp_path, refused, flag("other", rollout=0.5))
    assert _changes(second) == {"dark": "kept", "other": "changed"}
    entry = second.manifest["flags"]["dark"]
    assert "cannot match a regular expression" in entry["reason"]
    assert "sdk: ufc" in entry["reason"]
    assert entry["allocation"]["traffic"] == 0.1
    before, after = published_flags(first.path), published_flags(second.path)
    assert before["ufc", "dark"] == after["ufc", "dark"]
    third = _export(tmp_path, flag("dark", rollout=0.2, sdk=family), flag("other", rollout=0.5))
    assert third.manifest["flags"]["dark"]["diff"] == [f"sdk ufc -> {family}", "traffic 10 % -> 20 %"]
    assert set(published_flags(third.path)) == {(family, "dark"), ("ufc", "other")}


def test_what_depends_on_a_refused_flag_waits_with_it(tmp_path: Path) -> None:
    def chain(**more: Any) -> list[Flag]:
        return [
            flag("base", sdk="growthbook", **more),
            flag("middle", sdk="growthbook", depends_on=[{"flag": "base", "value": True}]),
            flag("top", sdk="growthbook", depends_on=[{"flag": "middle", "value": True}], rollout=0.5),
            flag("alone", sdk="growthbook"),
        ]

    first = _export(tmp_path, *chain(targeting=MAIL))
    assert _changes(first) == {"alone": "added", "base": "withheld", "middle": "withheld", "top": "withheld"}
    reasons = {name: entry["reason"] for name, entry in first.manifest["flags"].items()}
    assert reasons["middle"] == "it depends on base, which cannot be exported as it is defined now"
    assert reasons["top"] == "it depends on middle, which cannot be exported as it is defined now"
    assert set(json.loads((first.path / "growthbook.json").read_bytes())["features"]) == {"alone"}
    assert _changes(_export(tmp_path, *chain())) == {
        "alone": "unchanged",
        "base": "added",
        "middle": "added",
        "top": "added",
    }


def test_a_flag_that_leaves_the_catalogue_is_named_once(tmp_path: Path) -> None:
    _export(tmp_path, flag("dark"), flag("other"))
    second = _export(tmp_path, flag("other"))
    assert _changes(second) == {"other": "unchanged", "dark": "removed"}
    assert _changes(_export(tmp_path, flag("other", rollout=0.5))) == {"other": "changed"}


YAML = "id: {name}\nname: Flag\nowner: web@example.com\ntype: {type}\ndefault: {default}\n"


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (
            "sdk: flagd\ndepends_on: [{flag: base, value: true}]\n",
            "flags/late.yaml:7 depends_on[0].flag: depends on a flag of another SDK family (base has sdk: ufc: ",
        ),
        (
            "depends_on: [{flag: wrong, value: true}]\n",
            "flags/late.yaml:6 depends_on: depends on a flag that is itself refused (wrong: a sound one)",
        ),
        ("sdk: acme\n", "flags/late.yaml:6 sdk: "),
    ],
)
def test_the_catalogue_refuses_by_name_and_goes_on(tmp_path: Path, more: str, problem: str) -> None:
    folder = tmp_path / "flags"
    folder.mkdir()
    (tmp_path / "project.yaml").write_text("first_day: 2026-01-05\n")
    (folder / "base.yaml").write_text(YAML.format(name="base", type="boolean", default="false"))
    (folder / "wrong.yaml").write_text(YAML.format(name="wrong", type="boolean", default="7"))
    (folder / "late.yaml").write_text(YAML.format(name="late", type="boolean", default="false") + more)
    found = load_catalogue(tmp_path, {})
    assert list(found.flags) == ["base"]
    assert str(found.broken["late"][0]).startswith(problem)
    assert _changes(export_catalogue(tmp_path / "exports", found, CUT_OFF)) == {
        "base": "added",
        "late": "withheld",
        "wrong": "withheld",
    }


@pytest.mark.parametrize(
    ("kind", "default"),
    [("number", ".nan"), ("number", "9007199254740992"), ("json", "{a: .inf}"), ("json", "[{a: .nan}]")],
)
def test_values_that_sdks_would_read_differently_are_refused(tmp_path: Path, kind: str, default: str) -> None:
    (tmp_path / "flags").mkdir()
    (tmp_path / "project.yaml").write_text("first_day: 2026-01-05\n")
    (tmp_path / "flags" / "odd.yaml").write_text(YAML.format(name="odd", type=kind, default=default))
    found = load_catalogue(tmp_path, {})
    assert "is no JSON that every SDK reads alike" in str(found.broken["odd"][0])
