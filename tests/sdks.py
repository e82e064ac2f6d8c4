"""The real SDKs of the three families, loaded offline from a payload's bytes."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import eppo_client
import pytest
from growthbook import GrowthBook
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext

from fairsplit.assignment_exports.flagd import flagd_condition
from fairsplit.assignment_exports.growthbook import growthbook_condition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from fairsplit.analysis.catalogue.conditions import Condition
    from fairsplit.analysis.catalogue.hashes import Sdk

    Serve = Callable[[str, str, str, Mapping[str, Any]], Any]
    Flags = Sequence[tuple[str, str]]
    Units = Sequence[tuple[str, Mapping[str, Any]]]
    ServeAll = Callable[[Flags, Units], list[list[Any]]]

NODE_PACKAGES: Final = {
    "ufc": "@eppo/node-server-sdk",
    "growthbook": "@growthbook/growthbook",
    "flagd": "@openfeature/flagd-core",
    "schema": "@openfeature/flagd-core",
}
# What a caller gives as the default: served only where the payload serves nothing.
FALLBACK: Final[dict[str, Any]] = {"boolean": False, "string": "-", "integer": -1, "number": -1.0, "json": {}}


def python_sdk(sdk: Sdk, payload: bytes) -> Serve:
    """The Python SDK of a family.

    Args:
        sdk: The family.
        payload: The bytes of its published file.

    Returns:
        Value type (``boolean``, ``string``, ``integer``, ``number``, ``json``), flag key, unit and attributes to the
        value served.
    """
    return {"ufc": _ufc, "flagd": _flagd, "growthbook": _growthbook}[sdk](payload)


def node_sdk(
    sdk: Literal["ufc", "growthbook", "flagd", "schema"],
    payload: bytes,
    flags: Flags = (),
    units: Units = (),
) -> list[list[Any]]:
    """What a Node SDK serves: one list a flag (type and key), in the order of the units (id and attributes).

    Skips the test where Node or the package is not installed: `npm install` the package in a folder and name its
    `node_modules` in `NODE_PATH`.
    """
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node")
    package = NODE_PACKAGES[sdk]
    script = Path(__file__).with_name("node_sdks.cjs")
    found = subprocess.run(
        [node, "-e", f"require.resolve('{package}')"], cwd=script.parent, capture_output=True, check=False
    )
    if found.returncode:
        pytest.skip(f"no node package {package} (NODE_PATH)")
    request = {"sdk": sdk, "payload": payload.decode(), "flags": flags, "units": units}
    done = subprocess.run(
        [node, str(script)],
        input=json.dumps(request),
        env={**os.environ, "LOG_LEVEL": "silent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    served: list[list[Any]] = json.loads(done.stdout)
    return served


@contextmanager
def flagd_provider(path: Path) -> Iterator[ServeAll]:
    """flagd's own provider on a file that it watches, in another process: flags and units to one list a flag.

    Skips the test where `make test` could not create the provider's environment.
    """
    python = Path(__file__).parents[1] / ".venv-flagd" / "bin" / "python"
    if not python.exists():
        pytest.skip("no flagd provider: `make test` creates its environment")
    command = [str(python), "-I", str(Path(__file__).with_name("flagd_provider.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        requests, answers = process.stdin, process.stdout

        def say(line: Mapping[str, Any]) -> None:
            requests.write(f"{json.dumps(line)}\n")
            requests.flush()

        def serve(flags: Flags, units: Units) -> list[list[Any]]:
            say({"flags": flags, "units": units})
            served: list[list[Any]] = json.loads(answers.readline())
            return served

        say({"path": str(path), "fallback": FALLBACK})
        yield serve


def _ufc(payload: bytes) -> Serve:
    client = eppo(json.loads(payload))
    get = {
        "boolean": client.get_boolean_assignment,
        "string": client.get_string_assignment,
        "integer": client.get_integer_assignment,
        "number": client.get_numeric_assignment,
        "json": client.get_json_assignment,
    }
    return lambda kind, key, unit, attributes: get[kind](key, unit, attributes, FALLBACK[kind])


def _flagd(payload: bytes) -> Serve:
    logging.getLogger("openfeature.contrib").setLevel(logging.CRITICAL)  # it reports versions that are none
    core = FlagdCore()
    core.set_flags(payload.decode())
    get: dict[str, Callable[..., Any]] = {
        "boolean": core.resolve_boolean_value,
        "string": core.resolve_string_value,
        "integer": core.resolve_integer_value,
        "number": core.resolve_float_value,
        "json": core.resolve_object_value,
    }
    return lambda kind, key, unit, attributes: (
        get[kind](key, FALLBACK[kind], EvaluationContext(unit, attributes)).value
    )


def _growthbook(payload: bytes) -> Serve:
    client = GrowthBook(features=json.loads(payload)["features"])

    def serve(kind: str, key: str, unit: str, attributes: Mapping[str, Any]) -> Any:
        client.set_attributes({"id": unit, **attributes})
        return client.get_feature_value(key, FALLBACK[kind])

    return serve


def eppo(payload: Any) -> eppo_client.EppoClient:
    """Eppo's client on one configuration, without network."""
    return eppo_client.init(
        eppo_client.ClientConfig(
            api_key="offline",
            assignment_logger=eppo_client.AssignmentLogger(),
            poll_interval_seconds=None,
            initial_configuration=eppo_client.Configuration(flags_configuration=json.dumps(payload).encode()),
        )
    )


def flagd_lets_in(condition: Condition) -> Callable[[Mapping[str, Any]], bool]:
    """Whether flagd's evaluator lets in a subject."""
    targeting = {"if": [flagd_condition(condition), "in", "out"]}
    flag = {"state": "ENABLED", "variants": {"in": "in", "out": "out"}, "targeting": targeting}
    served = _flagd(json.dumps({"flags": {"cta": flag}}).encode())
    return lambda subject: served("string", "cta", "unit", subject) == "in"


def growthbook_lets_in(condition: Condition) -> Callable[[Mapping[str, Any]], bool]:
    """Whether GrowthBook's client lets in a subject."""
    rule = {"condition": growthbook_condition(condition), "force": "in"}
    features = {"cta": {"defaultValue": "out", "rules": [rule]}}
    served = _growthbook(json.dumps({"features": features}).encode())
    return lambda subject: served("string", "cta", "unit", subject) == "in"
