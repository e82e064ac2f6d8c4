"""`fairsplit policy`: who gets what by context, what that is worth, and why."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from fairsplit.orchestration.cli import app
from fairsplit.orchestration.cli.formats import FormatOption, ReportFormat, print_json, table


@app.command(epilog="Example: `fairsplit policy banner_by_context`")
def policy(
    experiment: Annotated[str, typer.Argument(metavar="ID", help="The contextual bandit.")],
    output: FormatOption = ReportFormat.text,
) -> None:
    """Show what a contextual bandit has learned: its policy, what it is worth, and the reward model of each arm."""
    from fairsplit.orchestration.library.opened import open_project

    found = open_project().policy(experiment)
    if output is ReportFormat.json:
        print_json(found)
        return
    print(_policy_text(found))


def _policy_text(found: dict[str, Any]) -> str:
    from fairsplit.analysis.judgement.policy_wording import context_text
    from fairsplit.analysis.judgement.wording import percent

    def share(value: float | None) -> str:
        return "-" if value is None else percent(value, signed=False)

    lines = [f"{found['experiment_id']}, cut-off {found['cut_off']}"]
    if found["gate"]:
        return "\n".join([*lines, *(f"  gate closed, no policy is told: {one}" for one in found["gate"])])
    lines.append(f"  {found['policy']['reasoning']}")
    if found["leaves"]:
        rows = [
            (
                context_text(leaf["conditions"]),
                leaf["variant_id"],
                leaf["n"],
                share(leaf["share"]),
                share(leaf["confidence"]),
                ", ".join(f"{arm} {share(part)}" for arm, part in json.loads(leaf["next_weights"]).items()),
            )
            for leaf in found["leaves"]
        ]
        header = ("context", "variant", "n", "share", "chance to be better", "weights")
        lines += ["", "Who gets what: the first line that fits", table(header, rows)]
        models = [
            (
                row["variant_id"],
                row["feature"] or "most frequent levels",
                row["level"] or ("" if row["feature"] is None else "(others)"),
                row["coefficient"],
                row["low"],
                row["high"],
            )
            for row in found["coefficients"]
        ]
        header = ("variant", "feature", "level", "coefficient", "low", "high")
        lines += ["", "Reward models", table(header, models)]
    return "\n".join(lines)
