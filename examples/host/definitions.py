"""A code location of a team that has assets of its own; Fairsplit's stand beside them, under a prefix."""

import json
from pathlib import Path

import dagster as dg

import fairsplit

HERE = Path(__file__).parent
EXPERIMENTS = HERE / "experiments"


@dg.asset(key_prefix="shop", group_name="shop")
def tracked_events() -> None:
    """The events of the shop, as the team's own extract gives them."""
    rows = json.loads((HERE / "extract.json").read_text())
    landing = EXPERIMENTS / ".fairsplit" / "landing"
    landing.mkdir(parents=True, exist_ok=True)
    (landing / "shop.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))


# A job of the team's own, with the name that one of Fairsplit's has without a prefix.
daily = dg.define_asset_job("daily", selection=dg.AssetSelection.groups("shop"))

defs = dg.Definitions.merge(
    dg.Definitions(assets=[tracked_events], jobs=[daily], resources={"dbt": "the team's own"}),
    fairsplit.build_definitions(EXPERIMENTS, prefix="exp", upstream={"shop": ["shop/tracked_events"]}),
)
