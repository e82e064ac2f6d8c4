"""Whether a folder already holds a world, and which; so that worlds are neither mixed nor written twice."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.simulate.files import SOURCES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import polars as pl

    from fairsplit.analysis.catalogue import Experiment, MetricDefinition

LANDING: Final = "landing"
TRUTH: Final = "truth.json"
POPULATION: Final = "population.parquet"
_YEAR: Final = "2026"


def world_identity(
    seed: int,
    days: int,
    users: int,
    experiments: Iterable[Experiment],
    metrics: Mapping[str, MetricDefinition],
    lists: Mapping[str, pl.DataFrame],
) -> str:
    """A hash of everything that a world follows from, this code included."""
    digest = hashlib.sha256(f"{seed} {days} {users}".encode())
    for experiment in experiments:
        digest.update(experiment.model_dump_json().encode())
        digest.update(
            "".join(metrics[use.metric].definition_hash for _, use in experiment.metric_uses).encode()
        )
        if experiment.id in lists:
            digest.update(lists[experiment.id].write_csv().encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def standing_truth(output_dir: Path, identity: str) -> dict[str, Any] | None:
    """The truth of this very world if it is already written whole; none if the folder is free.

    Raises:
        OrchestrationError: The folder holds another world, or files that no simulation wrote.
    """
    landing = output_dir / LANDING
    present = {path.relative_to(landing).as_posix() for path in landing.rglob("*") if path.is_file()}
    truth = output_dir / TRUTH
    if truth.exists():
        content = json.loads(truth.read_bytes())
        if content.get("world") == identity and {file["path"] for file in content["files"]} <= present:
            return dict(content)
        raise OrchestrationError(
            Problem(
                "another world is already there",
                where=str(output_dir),
                rule="one world a home",
                hint=f"remove {LANDING}/ and {TRUTH} together with what was computed from them, or choose another home",
            )
        )
    if present - _written_names(present):
        raise OrchestrationError(
            Problem(
                "the landing folder holds files of your own",
                where=str(landing),
                value=min(present),
                rule="the demo world is not mixed with real events",
                hint="choose another home",
            )
        )
    return None


def _written_names(present: Iterable[str]) -> set[str]:
    """Names that a simulation which was stopped before it wrote its truth has left; they are written anew."""
    return {name for name in present if name.split("/")[0] in SOURCES and _YEAR in name}
