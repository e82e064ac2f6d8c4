"""Dagster's own storage in the home: runs, their events, ticks."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import dagster as dg
from sqlalchemy.exc import DBAPIError

from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.home.disk import of_a_full_disk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairsplit.orchestration.project import Home


@contextmanager
def dagster_instance(home: Home) -> Iterator[dg.DagsterInstance]:
    """The home's Dagster instance.

    Args:
        home: Prepared home.

    Raises:
        OrchestrationError: Its databases are damaged, or cannot be written to.
    """
    try:
        with dg.DagsterInstance.from_config(str(home.dagster)) as instance:
            yield instance
    except DBAPIError as error:
        hint = "run as the home's owner; a damaged folder, moved away, is made anew without past runs"
        words = str(error.orig).splitlines()[0]
        unusable = Problem("Dagster's storage cannot be used", str(home.dagster), words, hint=hint)
        raise OrchestrationError(of_a_full_disk(home.dagster, words) or unusable) from error
