"""The columns of the event contract, once for all who name them."""

from __future__ import annotations

ID_COLUMNS = ("event_id", "user_id", "anonymous_id", "session_id", "experiment_id", "variation_id")

ATTRIBUTE_COLUMNS = (
    "country",
    "region",
    "city",
    "platform",
    "device",
    "browser",
    "os",
    "language",
    "app_version",
    "sdk_name",
    "sdk_version",
)
"""What is known of a unit at an event; results can be split by these."""

CONTEXT_COLUMNS = (*ATTRIBUTE_COLUMNS, "url", "user_agent")

CONTRACT_COLUMNS = (
    "event_id",
    "event_name",
    "occurred_at",
    "user_id",
    "anonymous_id",
    "session_id",
    "value",
    "experiment_id",
    "variation_id",
    *CONTEXT_COLUMNS,
    "properties",
)
"""The columns that a source may fill, in the lake's order."""

FILTER_COLUMNS = ("event_name", "user_id", "anonymous_id", "session_id", *CONTEXT_COLUMNS)
"""The columns that a filter may look at."""

MAX_VALUE = 10_000_000_000
"""Largest `value` of an event, either way: six decimals of it, summed and squared, stay exact in 128 bits."""
