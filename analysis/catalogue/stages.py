"""The stages that each status may be in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The first is the one that a transition enters.
STAGES: Mapping[str, tuple[str, ...]] = {
    "draft": ("design", "setup", "validation", "pre_launch"),
    "running": ("running",),
    "paused": ("running",),
    "completed": ("analysis", "decision"),
    "cancelled": ("analysis", "decision"),
    "failed": ("analysis", "decision"),
    "archived": ("decision",),
}
