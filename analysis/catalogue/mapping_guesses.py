"""A first mapping of a table's columns to the event contract, from their names, types and first rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from fairsplit.analysis.catalogue.events import CONTEXT_COLUMNS
from fairsplit.analysis.catalogue.findings import did_you_mean
from fairsplit.analysis.errors import AnalysisError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Names under which teams keep what an event column holds, the likeliest first; `_` and case do not count.
_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "occurred_at": ("occurredat", "eventtime", "eventtimestamp", "timestamp", "ts", "time", "orderedat", "createdat",
                    "sentat", "happenedat"),
    "event_id": ("eventid", "messageid", "insertid", "uuid", "id", "orderid", "transactionid"),
    "event_name": ("eventname", "event", "eventtype", "action"),
    "user_id": ("userid", "customerid", "accountid", "memberid", "user", "customer"),
    "anonymous_id": ("anonymousid", "visitorid", "deviceid", "cookieid", "clientid"),
    "session_id": ("sessionid",),
    "value": ("value", "amount", "total", "revenue", "totalamount", "price"),
    "experiment_id": ("experimentid", "experiment", "experimentkey"),
    "variation_id": ("variationid", "variantid", "variant", "variation", "arm"),
    **{column: (column.replace("_", ""),) for column in CONTEXT_COLUMNS},
}  # fmt: skip
#: Up to which number a count since 1970 is of this unit: seconds until the year 5138, and so on.
_EPOCHS: Final = ((1e11, "epoch_s"), (1e14, "epoch_ms"), (1e17, "epoch_us"), (float("inf"), "epoch_ns"))


def guess_mapping(rows: pl.DataFrame, table: str, given: Mapping[str, str]) -> dict[str, Any]:
    """What a source file says beside its place: `columns`, `constants`, `timezone` and `properties`.

    Args:
        rows: The table's first rows, at least one.
        table: Its name: that of the events where no column has one.
        given: Event column → column, as somebody said; the rest is guessed.

    Raises:
        AnalysisError: A given column is none, or there is none that may be the event's id or time.
    """
    known = {name.lower().replace("_", ""): name for name in rows.columns}
    found = {}
    for event_column, name in given.items():
        if event_column not in _NAMES or name not in rows.columns:
            wrong, right = (event_column, _NAMES) if event_column not in _NAMES else (name, rows.columns)
            hint = did_you_mean(wrong, right)
            raise AnalysisError(Problem("unknown column", "--column", wrong, ", ".join(right), hint))
        found[event_column] = name
    for event_column, names in _NAMES.items():
        named = (known[one] for one in names if one in known and known[one] not in found.values())
        fitting = (one for one in named if _fits(rows[one], event_column))
        if event_column not in found and (fit := next(fitting, None)) is not None:
            found[event_column] = fit
    if "occurred_at" not in found:
        times = [one for one in rows.columns if rows.schema[one].is_temporal() and one not in found.values()]
        found |= {"occurred_at": times[0]} if len(times) == 1 else {}
    for needed in ("event_id", "occurred_at"):
        if needed not in found:
            hint = f"say which: --column {needed}=COLUMN"
            raise AnalysisError(
                Problem(f"no column looks like {needed}", table, ", ".join(rows.columns), hint=hint)
            )
    time = rows[found["occurred_at"]]
    columns: dict[str, Any] = {name: found[name] for name in _NAMES if name in found}
    if time.dtype.is_numeric():
        largest = float(time.max() or 0)  # type: ignore[arg-type]
        columns["occurred_at"] = {
            "column": time.name,
            "format": next(unit for top, unit in _EPOCHS if largest < top),
        }
    if "value" in found and rows.schema[found["value"]] == pl.String:
        columns["value"] = {"column": found["value"], "cast": "number"}
    has_zone = time.dtype.is_numeric() or (
        isinstance(time.dtype, pl.Datetime) and time.dtype.time_zone is not None
    )
    return {
        **({} if has_zone else {"timezone": "UTC"}),
        "columns": columns,
        **({} if "event_name" in found else {"constants": {"event_name": table.rpartition(".")[2]}}),
        "properties": "*",
    }


def _fits(values: pl.Series, event_column: str) -> bool:
    if event_column == "event_id":
        return values.null_count() == 0 and values.n_unique() == len(values)
    if event_column == "value":
        return (
            values.dtype.is_numeric()
            or values.cast(pl.Float64, strict=False).null_count() == values.null_count()
        )
    return not (event_column == "occurred_at" and values.dtype == pl.Boolean)
