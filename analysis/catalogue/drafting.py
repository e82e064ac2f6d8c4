"""The text of a new experiment file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date


def draft_yaml(
    identity: str,
    name: str,
    *,
    owner: str,
    hypothesis: str,
    start: date,
    arms: Sequence[str],
    primary: str,
    guardrails: Sequence[str],
    minimum_effect: float,
) -> str:
    """A draft with equal weights; every text is quoted, so that none can be anything but text.

    Args:
        identity: Slug.
        name: For readers.
        owner: A mailbox.
        hypothesis: One sentence.
        start: First day, UTC.
        arms: Variant ids, the control first.
        primary: The metric that decides.
        guardrails: Metrics that must not be harmed.
        minimum_effect: Smallest relative effect of interest.

    Returns:
        YAML; whether it is valid is for the catalogue to say.
    """
    kind = "ab" if len(arms) == 2 else "abn"
    # A JSON string is a YAML double-quoted scalar.
    quoted = {key: json.dumps(value, ensure_ascii=False) for key, value in
              {"name": name, "owner": owner, "hypothesis": hypothesis}.items()}  # fmt: skip
    lines = [
        f"id: {json.dumps(identity)}",
        *(f"{key}: {value}" for key, value in quoted.items()),
        f"type: {kind}",
        "status: draft",
        f"start: {start.isoformat()}T00:00:00Z",
        "traffic: 1.0",
        "variants:",
        *(
            f"  - {{id: {json.dumps(arm)}{', control: true' if place == 0 else ''}}}"
            for place, arm in enumerate(arms)
        ),
        "metrics:",
        f"  primary: [{{metric: {json.dumps(primary)}, minimum_effect: {minimum_effect:g}}}]",
    ]
    if guardrails:
        lines.append(f"  guardrails: {json.dumps(list(guardrails))}")
    return "\n".join([*lines, ""])
