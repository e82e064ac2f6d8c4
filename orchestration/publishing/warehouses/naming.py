"""How a command names a database: `DRIVER:VARIABLE`."""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from fairsplit.analysis.catalogue.sources import Database
from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.errors import OrchestrationError

#: Formats that are read as tables of others, and not written.
_READ_ONLY: Final = ("delta", "iceberg")


def destination(text: str) -> Database:
    """The database that `--to` names.

    Raises:
        OrchestrationError: It names none, or one that is only read.
    """
    driver, _, variable = text.partition(":")
    try:
        named = Database.model_validate({"driver": driver, "uri_from": variable})
    except ValidationError:
        named = None
    if named is None or driver in _READ_ONLY:
        rule = "duckdb, postgresql, sqlite, snowflake, bigquery or flightsql, a colon and an environment variable"
        hint = "an address holds a password: it stands in the environment, as SHOP_DATABASE"
        shown = text if named is not None or "//" not in text else driver
        raise OrchestrationError(Problem("is no database to write to", "--to", shown, rule, hint))
    return named
