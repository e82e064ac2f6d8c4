"""What several shards tell, brought together into one file of the same tables, so in any grouping."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from fairsplit.orchestration.landing.sql import identifier, literal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fairsplit.orchestration.sharding.models import ShardedModels


def combine(told: Sequence[Path], models: ShardedModels, target: Path) -> None:
    """Unite and add up the rows of several shards, or of what was combined before.

    Args:
        told: One file or more, as `build_shard` leaves them.
        models: What becomes of each model's rows.
        target: The DuckDB file; must not exist.

    Raises:
        duckdb.Error: A sum does not fit its column.
    """
    with duckdb.connect(str(target)) as connection:
        for place, path in enumerate(told):
            connection.execute(f"attach {literal(str(path))} as part_{place} (read_only)")
        for model in models.brought:
            name = identifier(model)
            rows = " union all by name ".join(f"from part_{place}.{name}" for place in range(len(told)))
            if model not in models.added:
                connection.execute(f"create table {name} as {rows}")
                continue
            connection.execute(f"create table {name} as from part_0.{name} limit 0")
            types = {row[0]: row[1] for row in connection.execute(f"describe {name}").fetchall()}
            sums = models.added[model]
            keys = [identifier(column) for column in types if column not in sums]
            added = [
                f"cast(sum({identifier(column)}) as {types[column]}) as {identifier(column)}"
                for column in sums
            ]
            connection.execute(
                f"""insert into {name} by name
                    select {", ".join((*keys, *added))} from ({rows}) group by {", ".join(keys)}"""
            )
