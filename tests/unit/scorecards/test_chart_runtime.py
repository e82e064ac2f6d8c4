"""The chart runtime that the package carries is the one of the locked library."""

from __future__ import annotations

from importlib import resources

import vl_convert


def test_the_chart_runtime_is_what_the_library_bundles() -> None:
    """To renew it, write this bundle to the file."""
    bundle = "(()=>{" + vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;") + "})();\n"
    kept = resources.files("fairsplit.analysis.scorecards") / "assets" / "vega.js"
    assert kept.read_bytes() == bundle.encode()
