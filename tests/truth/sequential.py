"""Sequential methods and planning: truth-case names to public functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

METHODS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {}
