"""What another version of Fairsplit does to a home: told before it is done."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from fairsplit.orchestration.home.schema import SCHEMA, version_of
from fairsplit.orchestration.provenance.code_hash import code_hash
from fairsplit.orchestration.warehouse.opening import any_schema, has_table

if TYPE_CHECKING:
    import duckdb

    from fairsplit.orchestration.project import Home


@dataclass(frozen=True, slots=True)
class Upgrade:
    """How far a home is from the installed version.

    Attributes:
        installed: Version of Fairsplit.
        schema: Of the home; none where nothing has landed.
        days: Days with results that other code computed.
        experiments: Experiments that these are of.
    """

    installed: str
    schema: int | None
    days: int = 0
    experiments: int = 0

    @property
    def migrates(self) -> bool:
        """Whether the home has an older schema."""
        return self.schema is not None and self.schema < SCHEMA

    @property
    def lines(self) -> list[str]:
        """What is to be done, in sentences."""
        told = [f"Fairsplit {self.installed}, which writes homes of schema {SCHEMA}"]
        if self.schema is None:
            return [*told, "nothing has landed in this home: nothing is to be done"]
        if self.migrates:
            told.append(
                f"the home is of schema {self.schema}: the warehouse is copied, then migrated; the next run builds all "
                "days anew"
            )
        if self.days:
            told.append(
                f"other code computed the results of {self.days:,} days ({self.experiments:,} experiments): the next "
                "run judges them anew, and builds the tables behind them anew where their SQL changed"
            )
        return told if len(told) > 1 else [*told, "the home is up to date: nothing is computed anew"]


def upgrade_of(home: Home) -> Upgrade:
    """How far a home is from the installed version; nothing is changed.

    Raises:
        OrchestrationError: Another process holds the warehouse.
    """
    installed = version("fairsplit")
    if not home.warehouse.exists():
        return Upgrade(installed, None)
    with any_schema(home.warehouse) as connection:
        return Upgrade(installed, version_of(connection), *_of_other_code(connection))


def _of_other_code(connection: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    if not has_table(connection, "results", "comparisons"):
        return 0, 0
    days, experiments = connection.execute(
        """select count(distinct cut_off), count(distinct experiment_id) from results.comparisons
           where code_hash is distinct from ?""",
        [code_hash()],
    ).fetchall()[0]
    return int(days), int(experiments)
