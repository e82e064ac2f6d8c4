"""What becomes of each model's rows when the tables are built in shards, as `meta.shards` of the model says."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: Rows belong to units: every shard's stand beside each other.
UNITED: Final = "united"
#: Rows belong to units, and nobody reads them outside of their shard.
KEPT: Final = "kept"
#: `meta.sums` are added up by all other columns; without any, rows that several shards have are one.
ADDED: Final = "added"
#: Reads what was added up: built where all shards have been brought together, and there alone.
FINISHED: Final = "finished"
#: Follows from definitions, or is cheap to say anew: built in every shard and where they are brought together.
EVERYWHERE: Final = "everywhere"
ROLES: Final = (UNITED, KEPT, ADDED, FINISHED, EVERYWHERE)


@dataclass(frozen=True, slots=True)
class ShardedModels:
    """The models of the project by what becomes of their rows.

    Attributes:
        united: Names, sorted.
        kept: Likewise.
        added: Name → columns that are added up.
        finished: Names, sorted.
        everywhere: Likewise.
    """

    united: tuple[str, ...]
    kept: tuple[str, ...]
    added: dict[str, tuple[str, ...]]
    finished: tuple[str, ...]
    everywhere: tuple[str, ...]

    @classmethod
    def of(cls, meta: Mapping[str, Mapping[str, Any]]) -> ShardedModels:
        """By what each model says of itself (its dbt `meta`); a model that says nothing has no part in it."""
        models = sorted((name, said) for name, said in meta.items() if "shards" in said)
        named = {role: tuple(name for name, said in models if said["shards"] == role) for role in ROLES}
        return cls(
            united=named[UNITED],
            kept=named[KEPT],
            added={name: tuple(said["sums"]) for name, said in models if said["shards"] == ADDED},
            finished=named[FINISHED],
            everywhere=named[EVERYWHERE],
        )

    @classmethod
    def read(cls, manifest: Path) -> ShardedModels:
        """As dbt's `manifest.json` has them."""
        nodes = json.loads(manifest.read_text())["nodes"].values()
        return cls.of(
            {node["name"]: node["config"]["meta"] for node in nodes if node["resource_type"] == "model"}
        )

    @property
    def brought(self) -> tuple[str, ...]:
        """Models whose rows leave their shard."""
        return (*self.united, *self.added)
