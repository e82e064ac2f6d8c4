"""The files beside their use on a server: flagd's published schema accepts them, clients are served from them."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING

import pytest
from tests.definitions import NOW, catalogue, units
from tests.sdks import node_sdk

from fairsplit.assignment_exports.catalogue import export_catalogue
from fairsplit.assignment_exports.families import FAMILIES
from fairsplit.assignment_exports.flags import serve

if TYPE_CHECKING:
    from pathlib import Path

    from fairsplit.analysis.catalogue.hashes import Sdk


def _payload(folder: Path, sdk: Sdk) -> bytes:
    return (export_catalogue(folder, catalogue(sdk), NOW).path / FAMILIES[sdk].file).read_bytes()


@pytest.mark.integration
def test_flagds_published_schema_accepts_the_file_and_no_damaged_one(tmp_path: Path) -> None:
    payload = _payload(tmp_path, "flagd")
    node_sdk("schema", payload)
    for damage in (
        {"state": "ON"},
        {"variants": {"on": 1, "off": "two"}},
        {"targeting": {"fractional": [["on", "half"]]}},
        {"targeting": {"sem_ver": ["2.1.0", "is above", "2.0.0"]}},
    ):
        damaged = json.loads(payload)
        damaged["flags"]["dark"] |= damage
        with pytest.raises(AssertionError, match="invalid flagd flag configuration"):
            node_sdk("schema", json.dumps(damaged).encode())


@pytest.mark.integration
def test_a_server_computes_for_a_web_or_mobile_client_what_python_says(tmp_path: Path) -> None:
    found = catalogue("ufc")
    people = units(40)
    subjects = list(zip(people["unit_id"], people.drop("unit_id").rows(named=True), strict=True))
    [computed] = node_sdk("ufc", _payload(tmp_path, "ufc"), [("precomputed", "")], subjects)
    for (unit, attributes), text in zip(subjects, computed, strict=True):
        answer = json.loads(json.loads(text)["precomputed"]["response"])
        assert (answer["subjectKey"], answer["format"], answer["obfuscated"]) == (unit, "PRECOMPUTED", True)
        for flag in found.flags.values():
            key = hashlib.md5(f"{answer['salt']}{flag.id}".encode(), usedforsecurity=False).hexdigest()
            value = base64.b64decode(answer["flags"][key]["variationValue"]).decode()
            expected = serve(flag, found.flags, unit, attributes, found.conditions, NOW)
            assert (value if flag.type == "string" else json.loads(value)) == expected, flag.id
