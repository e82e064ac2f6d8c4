"""A caller without a targeting key, or with an empty one, is no unit: defaults for flags, no arm of any experiment."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.definitions import NOW, PROJECT, experiment, flag
from tests.sdks import FALLBACK, node_sdk, python_sdk

from fairsplit.analysis.catalogue import Catalogue
from fairsplit.assignment_exports.catalogue import export_catalogue
from fairsplit.assignment_exports.families import FAMILIES

if TYPE_CHECKING:
    from pathlib import Path

    from fairsplit.analysis.catalogue.hashes import Sdk

pytestmark = pytest.mark.integration

FLAGS = {
    "flag1548": {"rollout": 0.01},
    "everybody": {},
    "tried": {"overrides": {"user_1": True}, "rollout": 0.5},
    "words": {"type": "string", "default": "no", "value": "yes", "rollout": 0.5},
}
EXPERIMENTS: dict[str, dict[str, Any]] = {
    "running": {},
    "one_arm": {"weights": {"control": 0.0, "red": 1.0}},
    "completed": {"status": "completed", "end": NOW, "shipped": "red"},
}


def payload(sdk: Sdk, folder: Path) -> bytes:
    flags = {name: flag(name, sdk=sdk, **more) for name, more in FLAGS.items()}
    flags["after"] = flag("after", sdk=sdk, depends_on=[{"flag": "flag1548", "value": False}])
    experiments = {name: experiment(name, sdk=sdk, **more) for name, more in EXPERIMENTS.items()}
    export_catalogue(folder, Catalogue(PROJECT, experiments, flags, {}, {}, (), {}), NOW)
    return (folder / "current" / FAMILIES[sdk].file).read_bytes()


def asked() -> list[tuple[str, str]]:
    flags = [("string" if name == "words" else "boolean", name) for name in (*FLAGS, "after")]
    return [*flags, *(("string", name) for name in EXPERIMENTS)]


def expected() -> list[Any]:
    """The flag's own default, or what the SDK's caller would get: for a boolean flag and this test the same."""
    return [False, False, False, "no", False, *[FALLBACK["string"]] * len(EXPERIMENTS)]


@pytest.mark.parametrize(
    ("sdk", "key"),
    [("flagd", None), ("flagd", ""), ("growthbook", None), ("growthbook", ""), ("ufc", "")],
)
def test_without_a_key_the_python_evaluators_serve_the_default(
    sdk: Sdk, key: str | None, tmp_path: Path
) -> None:
    """Case flag-without-a-key, in rollouts and experiments of every family."""
    serve = python_sdk(sdk, payload(sdk, tmp_path))
    served = [serve(kind, name, key, {}) for kind, name in asked()]  # type: ignore[arg-type]
    assert dict(zip(asked(), served, strict=True)) == dict(zip(asked(), expected(), strict=True))


@pytest.mark.parametrize("sdk", ["flagd", "growthbook"])
def test_without_a_key_the_node_evaluators_serve_the_default(sdk: Sdk, tmp_path: Path) -> None:
    """Case flag-without-a-key by the evaluators that hash in another way: who is nobody does not depend on it."""
    served = node_sdk(sdk, payload(sdk, tmp_path), asked(), [(None, {}), ("", {})])  # type: ignore[arg-type, list-item]
    assert json.dumps(served) == json.dumps([[value, value] for value in expected()])


def test_whole_numbers_are_asked_for_as_such(tmp_path: Path) -> None:
    """Case flag-of-whole-numbers: `get_integer_assignment` serves 10 or 20, never the caller's default."""
    for sdk in FAMILIES:
        folder = tmp_path / sdk
        limit = flag("limit", sdk=sdk, type="integer", default=10, value=20, rollout=0.5)
        export_catalogue(folder, Catalogue(PROJECT, {}, {"limit": limit}, {}, {}, (), {}), NOW)
        serve = python_sdk(sdk, (folder / "current" / FAMILIES[sdk].file).read_bytes())
        served = {serve("integer", "limit", f"u{number}", {}) for number in range(50)}
        assert served == {10, 20}, sdk
