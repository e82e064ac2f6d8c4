"""Writes landed lines as the files of three sources: NDJSON of the web, Parquet of apps, CSV of the shop."""

from __future__ import annotations

import gzip
import io
import json
import os
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

import polars as pl

from fairsplit.orchestration.simulate.faults import broken_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CONTEXT: Final = ("country", "platform", "language", "sdk_name", "sdk_version", "user_agent")
_IDS: Final = ("user_id", "anonymous_id")
SOURCES: Final = ("web", "app", "shop")
_ARRIVALS: Final = {
    ("web", "am"): timedelta(hours=12, minutes=10),
    ("web", "pm"): timedelta(hours=24, minutes=30),
    ("app", "pm"): timedelta(hours=25),
    ("shop", "pm"): timedelta(hours=25, minutes=30),
}
_TWO_HOURS: Final = 7_200_000_000
_TWICE: Final = 3
_DAMAGED: Final = 5


@dataclass(frozen=True, slots=True)
class LandedFile:
    """One file.

    Attributes:
        path: Relative to the landing folder, POSIX.
        rows: Rows in it, blank lines and headers not counted.
        quarantined: Rows that must be quarantined, by reason.
        status: ``taken``, ``same_content`` or ``unreadable``.
    """

    path: str
    rows: int
    quarantined: dict[str, int] = field(default_factory=dict)
    status: str = "taken"


def write_files(
    landing: Path, seed: int, first_day: date, lines: pl.DataFrame, users: pl.DataFrame
) -> list[LandedFile]:
    """Write every file with its modification time as the time of arrival.

    Args:
        landing: The landing folder; created when missing.
        seed: The world's seed.
        first_day: The world's first day.
        lines: Landed lines with ``source``, ``part``, ``file_day``, ``user``, ``at`` and the event's columns.
        users: Ids and context by user.

    Returns:
        The files, by path.
    """
    encoded = _encoded(users)
    files: list[LandedFile] = []
    for (source, file_day, part), rows in sorted(_by_file(lines)):
        day = first_day + timedelta(days=file_day)
        arrival = datetime.combine(day, time.min, tzinfo=UTC) + _ARRIVALS[source, part]
        if source == "web":
            path = f"web/{day}-{part}.ndjson.gz"
            faulty = broken_lines(seed, path, f"{day}T06:00:00.000Z")
            text = "\n".join([*_ndjson(rows, encoded, first_day), *(line for line, _ in faulty)]) + "\n"
            payload = gzip.compress(text.encode(), compresslevel=1, mtime=0)
            files.append(LandedFile(path, rows.height + len(faulty), _count(faulty)))
            if (file_day, part) == (_TWICE, "am"):
                again = f"web/resent/{day}-{part}.ndjson"
                _write(landing / again, text.encode(), arrival + timedelta(days=1))
                files.append(LandedFile(again, 0, status="same_content"))
            if (file_day, part) == (_DAMAGED, "am"):
                damaged = f"web/{day}-cut-off.ndjson.gz"
                _write(landing / damaged, payload[: len(payload) // 3], arrival)
                files.append(LandedFile(damaged, 0, status="unreadable"))
        elif source == "app":
            path = f"app/{day}.parquet"
            payload = _parquet(rows, users, first_day)
            files.append(LandedFile(path, rows.height))
        else:
            path = f"shop/{day}.csv"
            payload, reasons = _csv(rows, users, first_day, day)
            files.append(LandedFile(path, rows.height + sum(reasons.values()), reasons))
        _write(landing / path, payload, arrival)
    return sorted(files, key=lambda file: file.path)


def instants(at: pl.Expr, first_day: date) -> pl.Expr:
    """Microseconds since the first midnight as naive UTC instants."""
    return pl.lit(datetime.combine(first_day, time.min)).dt.cast_time_unit("us") + pl.duration(
        microseconds=at
    )


def _by_file(lines: pl.DataFrame) -> Iterator[tuple[tuple[str, int, str], pl.DataFrame]]:
    parts = lines.partition_by("source", "file_day", "part", as_dict=True, maintain_order=True)
    for (source, file_day, part), rows in parts.items():
        yield (str(source), int(file_day), str(part)), rows


def _count(faulty: list[tuple[str, str]]) -> dict[str, int]:
    reasons = sorted(reason for _, reason in faulty)
    return {reason: reasons.count(reason) for reason in reasons}


def _encoded(users: pl.DataFrame) -> pl.DataFrame:
    """Per user the JSON texts that every line repeats."""

    def text(value: object) -> str:
        return json.dumps(value, ensure_ascii=False)

    return pl.DataFrame(
        {
            "user_json": [f',"user_id":{text(value)}' for value in users["user_id"]],
            "anonymous_json": [f',"anonymous_id":{text(value)}' for value in users["anonymous_id"]],
            "context_json": [
                f',"context":{text(row)}' for row in users.select(_CONTEXT).iter_rows(named=True)
            ],
        }
    )


def _ndjson(rows: pl.DataFrame, encoded: pl.DataFrame, first_day: date) -> list[str]:
    elsewhere = pl.col("copy") == "offset"
    at = instants(pl.col("at") + pl.when(elsewhere).then(_TWO_HOURS).otherwise(0), first_day)
    properties = pl.concat_str(
        _part('"experiment_id":"', "experiment_id", '",'),
        _part('"variation_id":"', "variation_id", '",'),
        _part('"campaign":', "campaign_json", ","),
        pl.when("internal").then(pl.lit('"internal":"true",')).otherwise(pl.lit("")),
        pl.when(pl.col("copy") == "other").then(pl.lit('"retry":true,')).otherwise(pl.lit("")),
    ).str.strip_suffix(",")
    lines = (
        rows.hstack(encoded[rows["user"]])
        .with_columns(campaign_json=_json_text(rows["campaign"]), url_json=_json_text(rows["url"]))
        .with_columns(properties=properties)
    )
    return (
        lines.select(
            pl.concat_str(
                pl.lit('{"event_id":"'),
                "event_id",
                pl.lit('","event_name":"'),
                "event_name",
                pl.lit('","occurred_at":"'),
                at.dt.strftime("%Y-%m-%dT%H:%M:%S%.3f"),
                pl.when(elsewhere).then(pl.lit('+02:00"')).otherwise(pl.lit('Z"')),
                pl.when("anonymous").then(pl.lit("")).otherwise("user_json"),
                "anonymous_json",
                _part(',"session_id":"', "session_id", '"'),
                _part(',"value":', "value", ""),
                _part(',"url":', "url_json", ""),
                "context_json",
                pl.when(pl.col("properties") != "")
                .then(pl.concat_str(pl.lit(',"properties":{'), "properties", pl.lit("}")))
                .otherwise(pl.lit("")),
                pl.lit("}"),
            )
        )
        .to_series()
        .to_list()
    )


def _part(before: str, column: str, after: str) -> pl.Expr:
    """A piece of text around a column's value; nothing where it is null."""
    return pl.concat_str(pl.lit(before), pl.col(column).cast(pl.String), pl.lit(after)).fill_null("")


def _json_text(texts: pl.Series) -> pl.Series:
    known = texts.drop_nulls().unique(maintain_order=True).to_list()
    return texts.replace_strict(
        known, [json.dumps(text, ensure_ascii=False) for text in known], default=None, return_dtype=pl.String
    )


def _table(rows: pl.DataFrame, users: pl.DataFrame) -> pl.DataFrame:
    """The lines under the contract's column names; properties as JSON text."""
    properties = pl.struct(
        pl.col("campaign"), pl.when("internal").then(pl.lit("true")).alias("internal")
    ).map_elements(_object, return_dtype=pl.String)
    who = users[rows["user"]]
    return rows.hstack(who.drop("platform")).select(
        "event_id",
        "event_name",
        "at",
        pl.when(~pl.col("anonymous")).then("user_id").alias("user_id"),
        "anonymous_id",
        "session_id",
        "value",
        "experiment_id",
        "variation_id",
        "country",
        "platform",
        "language",
        "sdk_name",
        "sdk_version",
        "user_agent",
        "url",
        pl.when(pl.col("campaign").is_not_null() | pl.col("internal")).then(properties).alias("properties"),
    )


def _object(row: dict[str, str | None]) -> str:
    return json.dumps({key: value for key, value in row.items() if value is not None}, ensure_ascii=False)


def _parquet(rows: pl.DataFrame, users: pl.DataFrame, first_day: date) -> bytes:
    table = _table(rows, users).with_columns(
        instants(pl.col("at"), first_day).dt.replace_time_zone("UTC").alias("at")
    )
    buffer = io.BytesIO()
    table.rename({"at": "occurred_at"}).write_parquet(buffer, compression="zstd", compression_level=1)
    return buffer.getvalue()


def _csv(rows: pl.DataFrame, users: pl.DataFrame, first_day: date, day: date) -> tuple[bytes, dict[str, int]]:
    written = instants(pl.col("at"), first_day).dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
    table = (
        _table(rows, users)
        .with_columns(written.alias("at"))
        .rename({"at": "occurred_at"})
        .drop("experiment_id", "variation_id", "url", "language", "sdk_name", "sdk_version")
    )
    columns = len(table.columns)
    instant = f"{day}T06:00:00.000Z"
    faulty = [
        (f"broken-shop-{day}-0,purchase,{instant},user-broken", "unparseable"),
        (f",purchase,{instant},user-broken,,,9.5" + "," * (columns - 7), "missing_event_id"),
        (f"broken-shop-{day}-1,purchase,{instant},user-broken,,,gratis" + "," * (columns - 7), "wrong_type"),
    ]
    text = table.write_csv() + "".join(f"{line}\n" for line, _ in faulty)
    return text.encode(), _count(faulty)


def _write(path: Path, payload: bytes, arrival: datetime) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(payload)
    os.utime(path, (arrival.timestamp(), arrival.timestamp()))
