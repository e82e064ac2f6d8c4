"""Faulty definitions through the export: one clear message each, nothing of theirs exported, all the rest is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.definitions import NOW

from fairsplit.analysis.catalogue import load_catalogue, load_metrics
from fairsplit.assignment_exports.catalogue import export_catalogue
from fairsplit.assignment_exports.families import published_flags

if TYPE_CHECKING:
    from fairsplit.assignment_exports.publishing import PublishedVersion

ROOT = Path(__file__).resolve().parents[3]
EXPERIMENT = """\
id: {name}
name: A test
owner: growth@example.com
type: ab
sdk: flagd
status: running
start: 2026-01-05T00:00:00Z
phases: [{{start: 2026-01-05T00:00:00Z, traffic: 0.5, weights: {{control: 0.5, red: {red}}}}}]
variants: [{{id: control, control: true}}, {{id: red}}]
metrics: {{primary: [ctr]}}
"""
FLAG = "id: {name}\nname: A flag\nowner: web@example.com\ntype: boolean\ndefault: false\n"
FAULTY = {
    "experiments/short.yaml": EXPERIMENT.format(name="short", red=0.49),
    "flags/hen.yaml": FLAG.format(name="hen") + "depends_on: [{flag: egg, value: true}]\n",
    "flags/egg.yaml": FLAG.format(name="egg") + "depends_on: [{flag: hen, value: true}]\n",
    "flags/by_mail.yaml": FLAG.format(name="by_mail")
    + "sdk: flagd\ntargeting: {attribute: mail, matches: '@example[.]com$'}\n",
    "flags/blue.yaml": FLAG.format(name="blue") + "overrides: {user-1: blue}\n",
}
SOUND = {
    "experiments/sound.yaml": EXPERIMENT.format(name="sound", red=0.5),
    "flags/plain.yaml": FLAG.format(name="plain") + "sdk: flagd\nrollout: 0.5\n",
    "flags/other.yaml": FLAG.format(name="other") + "overrides: {user-1: true}\n",
}
MESSAGES = {
    "short": (
        "the definition is broken: experiments/short.yaml:8 phases[0].weights: weights do not sum to 1 (0.99: 1). "
        "Hint: `weights: equal` shares evenly"
    ),
    "hen": (
        "the definition is broken: flags/hen.yaml:6 depends_on: flags depend on one another in a circle "
        "(hen → egg → hen: no circle). Hint: take one of these needs away"
    ),
    "egg": (
        "the definition is broken: flags/egg.yaml:6 depends_on: flags depend on one another in a circle "
        "(egg → hen → egg: no circle). Hint: take one of these needs away"
    ),
    "by_mail": (
        "mail: flagd cannot match a regular expression the same way in every language (@example[.]com$: in, equals, "
        "comparisons, versions and null). Hint: list the values with `in`, compute the condition as one attribute in "
        "the warehouse, or serve it with sdk: ufc"
    ),
    "blue": (
        "the definition is broken: flags/blue.yaml:6 overrides.user-1: does not have the flag's type (blue: boolean). "
        "Hint: docs/definitions.md describes every key under `flags/<id>.yaml`"
    ),
}


def _export(folder: Path, files: dict[str, str]) -> PublishedVersion:
    catalog = folder / "catalog"
    for part in ("experiments", "flags"):
        (catalog / part).mkdir(parents=True, exist_ok=True)
    (catalog / "project.yaml").write_text("first_day: 2026-01-05\n")
    for name, text in files.items():
        (catalog / name).write_text(text)
    metrics = load_metrics(ROOT / "dbt_project")
    return export_catalogue(folder / "exports", load_catalogue(catalog, metrics), NOW)


@pytest.mark.integration
def test_each_fault_has_one_message_and_takes_nothing_else_down(tmp_path: Path) -> None:
    version = _export(tmp_path, FAULTY | SOUND)
    entries = version.manifest["experiments"] | version.manifest["flags"]
    assert {name: entry["reason"] for name, entry in entries.items() if name in MESSAGES} == MESSAGES
    changes = {name: entry["change"] for name, entry in entries.items()}
    assert changes == dict.fromkeys(MESSAGES, "withheld") | dict.fromkeys(
        ("sound", "plain", "other"), "added"
    )
    assert set(published_flags(version.path)) == {
        ("flagd", "sound"),
        ("flagd", "sound__config"),
        ("flagd", "plain"),
        ("ufc", "other"),
    }


@pytest.mark.integration
def test_what_was_good_before_the_fault_stays_in_force(tmp_path: Path) -> None:
    names = [name for name in FAULTY if name.startswith("flags/")]
    good = {name: FLAG.format(name=Path(name).stem) + "rollout: 0.25\n" for name in names}
    good["experiments/short.yaml"] = EXPERIMENT.format(name="short", red=0.5)
    first = _export(tmp_path, good | SOUND)
    second = _export(
        tmp_path, FAULTY | {"flags/plain.yaml": SOUND["flags/plain.yaml"].replace("0.5", "0.75")}
    )
    before, after = published_flags(first.path), published_flags(second.path)
    assert {place for place in after if before.get(place) != after[place]} == {("flagd", "plain")}
    assert before.keys() == after.keys()
    entries = second.manifest["experiments"] | second.manifest["flags"]
    assert {entries[name]["change"] for name in MESSAGES} == {"kept"}
    assert json.loads((second.path / "ufc.json").read_bytes())["flags"]["egg"] == before["ufc", "egg"]
