"""The chart runtime, kept between runs: bundling it takes a second, and it changes with its library alone."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from analysis.scorecards import chart_runtime

if TYPE_CHECKING:
    from pathlib import Path


def kept_runtime(folder: Path) -> str:
    """The runtime's text, from the folder where it was kept for this version of the library, else made and kept."""
    kept = folder / f"vega-{version('vl-convert-python')}.js"
    if not kept.exists():
        partial = kept.with_suffix(".part")
        partial.write_text(chart_runtime(), encoding="utf-8")
        partial.replace(kept)
    return kept.read_text(encoding="utf-8")
