"""Delta and Iceberg tables as streams of rows, each by the library of its format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa  # type: ignore[import-untyped]

from fairsplit.orchestration.landing.sql import identifier, literal

if TYPE_CHECKING:
    from collections.abc import Callable


def _delta(address: str, table: str, newer: tuple[str, str] | None) -> pa.RecordBatchReader:
    """A table below a folder or a bucket; what its deletion vectors take away is left out."""
    import deltalake  # noqa: PLC0415 - an extra

    found = deltalake.DeltaTable("/".join([address.rstrip("/"), *table.split(".")]))
    condition = f" where {identifier(newer[0])} >= {literal(newer[1])}" if newer else ""
    rows = deltalake.QueryBuilder().register("t", found).execute(f"select * from t{condition}")
    return pa.RecordBatchReader.from_stream(rows)


def _iceberg(address: str, table: str, newer: tuple[str, str] | None) -> pa.RecordBatchReader:
    """A table of a catalogue: `catalogue.namespace.table`, or `namespace.table` of the one called `default`."""
    from pyiceberg import expressions  # noqa: PLC0415 - an extra
    from pyiceberg.catalog import load_catalog  # noqa: PLC0415
    from pyiceberg.expressions import literals  # noqa: PLC0415

    *before, namespace, name = table.split(".")
    found = load_catalog(before[0] if before else "default", uri=address).load_table((namespace, name))
    if newer is None:
        return found.scan(row_filter=expressions.AlwaysTrue()).to_arrow_batch_reader()
    column, value = newer
    kind = str(found.schema().find_type(column))
    said = literals.literal(value.replace(" ", "T") if kind.startswith("timestamp") else value)
    condition = expressions.GreaterThanOrEqual(term=expressions.Reference(column), value=said)
    return found.scan(row_filter=condition).to_arrow_batch_reader()


#: By driver: the package that reads it, and how.
LAKEHOUSES: Final[dict[str, tuple[str, Callable[..., pa.RecordBatchReader]]]] = {
    "delta": ("deltalake", _delta),
    "iceberg": ("pyiceberg", _iceberg),
}
