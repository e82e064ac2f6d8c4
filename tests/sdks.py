"""The real SDKs of the three families, each asked by one function."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import eppo_client
from growthbook import GrowthBook
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext

from assignment_exports.flagd import flagd_condition
from assignment_exports.growthbook import growthbook_condition

if TYPE_CHECKING:
    from collections.abc import Callable

    from analysis.catalogue.conditions import Condition


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


def flagd_lets_in(condition: Condition) -> Callable[[dict[str, Any]], bool]:
    """Whether flagd's evaluator lets in a subject."""
    core = FlagdCore()
    targeting = {"if": [flagd_condition(condition), "in", "out"]}
    flag = {"state": "ENABLED", "variants": {"in": "in", "out": "out"}, "targeting": targeting}
    core.set_flags(json.dumps({"flags": {"cta": flag}}))
    return lambda subject: (
        core.resolve_string_value("cta", "-", EvaluationContext("unit", subject)).value == "in"
    )


def growthbook_lets_in(condition: Condition) -> Callable[[dict[str, Any]], bool]:
    """Whether GrowthBook's client lets in a subject."""
    rule = {"condition": growthbook_condition(condition), "force": "in"}
    client = GrowthBook(features=json.loads(json.dumps({"cta": {"defaultValue": "out", "rules": [rule]}})))

    def ask(subject: dict[str, Any]) -> bool:
        client.set_attributes({"id": "unit", **subject})
        return client.get_feature_value("cta", "-") == "in"

    return ask
