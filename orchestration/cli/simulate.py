"""`fairsplit simulate`: a demo world with known truth, as landed files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from fairsplit.orchestration.cli import app
from fairsplit.orchestration.project import Home, catalog_dir, metrics_dir
from fairsplit.orchestration.simulate import DEFAULT_DAYS, DEFAULT_USERS, SimulatedWorld

DEFAULT_SEED = 7


def write_world(
    output_dir: Path, seed: int = DEFAULT_SEED, days: int = DEFAULT_DAYS, users: int = DEFAULT_USERS
) -> SimulatedWorld:
    """Simulate into a folder and say what was written."""
    from fairsplit.orchestration.simulate import simulate as make

    print(f"simulating {users:,} users over {days} days, seed {seed} …", file=sys.stderr)
    home = Home.from_environment()
    world = make(output_dir, seed, catalog_dir(), metrics_dir(), days, users, home=home)
    print(f"{world.files} files with {world.events:,} events in {world.landing}", file=sys.stderr)
    return world


@app.command(epilog="Example: `fairsplit simulate --seed 11 --users 4000 --days 14`")
def simulate(
    seed: Annotated[int, typer.Option(help="Equal seeds give equal bytes.")] = DEFAULT_SEED,
    days: Annotated[int, typer.Option(help="Length of the world.")] = DEFAULT_DAYS,
    users: Annotated[int, typer.Option(help="Users, bots and employees included.")] = DEFAULT_USERS,
    output: Annotated[Path | None, typer.Option(help="Folder to write to; the home by default.")] = None,
) -> None:
    """Write a demo world: landed files, and `truth.json` with what they hide.

    `population.parquet` beside them holds what is known of the users beforehand, for `fairsplit assign`; where a list
    decides who is in which arm, the world follows the list.
    """
    print(write_world(output or Home.from_environment().prepare().root, seed, days, users).truth)
