"""What goes wrong on the way: late, doubled, contradicted and skewed events, and lines that are none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from fairsplit.orchestration.simulate.population import DAY
from fairsplit.orchestration.simulate.randomness import stream

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_LATE_DAYS: Final = 6
_LATE: Final = 0.015
_DOUBLED: Final = 0.008
_DOUBLED_IN_SAME_FILE: Final = 0.5
_OTHER_OFFSET: Final = 0.2
_CONTRADICTED: Final = 0.0005
_NOON: Final = DAY // 2
FUTURE_REASON: Final = "future"
EARLY_REASON: Final = "before_first_day"


def deliver(seed: int, events: pl.DataFrame, days: int, empty_days: Sequence[int]) -> pl.DataFrame:
    """Decide in which file each event arrives, which arrive twice, and which contradict themselves.

    Args:
        seed: The world's seed.
        events: One row an event, with ``at`` (microseconds since the first midnight) and ``platform``.
        days: Length of the world; what would arrive after it never lands.
        empty_days: Days without files.

    Returns:
        One row a landed line: the events' columns, ``source`` (``web``, ``app`` or ``shop``), ``part``
        (``am`` or ``pm``), ``file_day``, ``late_days``, and ``copy``: ``""``, ``same``, ``offset`` (the same
        written with another zone offset) or ``other`` (the same id with other content), in order of time.
    """
    rng = stream(seed, "deliver")
    count = events.height
    day = events["at"].to_numpy() // DAY
    late = np.where(rng.random(count) < _LATE, rng.integers(1, MAX_LATE_DAYS + 1, count), 0)
    file_day = day + late
    while (blocked := np.isin(file_day, list(empty_days))).any():
        # A file that never comes delays what it would have brought late, within the limit.
        file_day = np.where(blocked, np.where(late < MAX_LATE_DAYS, file_day + 1, file_day - 1), file_day)
    shop = events["event_name"].is_in(["purchase", "refund"])
    lines = events.with_columns(
        source=pl.when(shop)
        .then(pl.lit("shop"))
        .when(pl.col("platform") == "web")
        .then(pl.lit("web"))
        .otherwise(pl.lit("app")),
        file_day=pl.Series(file_day),
        late_days=pl.Series(file_day - day),
        copy=pl.lit(""),
    ).filter(~pl.Series(np.isin(day, list(empty_days))))
    doubled = _copies(lines, rng, days, empty_days)
    together = pl.concat([lines, doubled]).filter(pl.col("file_day") < days)
    in_morning = (pl.col("at") % DAY < _NOON) & (pl.col("late_days") == 0) & (pl.col("source") == "web")
    return together.with_columns(part=pl.when(in_morning).then(pl.lit("am")).otherwise(pl.lit("pm")))


def _copies(
    lines: pl.DataFrame, rng: np.random.Generator, days: int, empty_days: Sequence[int]
) -> pl.DataFrame:
    fate = rng.random(lines.height)
    same_file = rng.random(lines.height) < _DOUBLED_IN_SAME_FILE
    offset = rng.random(lines.height) < _OTHER_OFFSET
    web = (lines["source"] == "web").to_numpy()
    twice = fate < _DOUBLED
    contradicted = (fate >= 1 - _CONTRADICTED) & web
    later = lines["file_day"].to_numpy() + 1
    # A copy that would come in a file that never comes, or after the world's end, stays in its own file.
    same_file |= np.isin(later, list(empty_days)) | (later >= days)
    copies = lines.with_columns(
        copy=pl.when(pl.Series(contradicted))
        .then(pl.lit("other"))
        .when(pl.Series(offset & web))
        .then(pl.lit("offset"))
        .otherwise(pl.lit("same")),
        late_days=pl.when(pl.Series(same_file)).then("late_days").otherwise(pl.col("late_days") + 1),
        file_day=pl.when(pl.Series(same_file)).then("file_day").otherwise(pl.col("file_day") + 1),
    )
    return copies.filter(pl.Series(twice | contradicted))


def broken_lines(seed: int, file: str, instant: str) -> list[tuple[str, str]]:
    """Lines of an NDJSON file that must be quarantined.

    Args:
        seed: The world's seed.
        file: The file, so that every file's lines differ.
        instant: A valid instant of the file's day, ISO 8601 with Z.

    Returns:
        ``(line, reason)`` pairs.
    """
    rng = stream(seed, f"broken/{file}")
    name = file.replace("/", "-")

    def line(number: int, **changes: object) -> str:
        event: dict[str, object] = {"event_id": f"broken-{name}-{number}", "event_name": "page_view"}
        event |= {"occurred_at": instant, "user_id": "user-broken"} | changes
        return json.dumps(
            {key: value for key, value in event.items() if value is not None}, ensure_ascii=False
        )

    whole = line(0)
    return [
        (whole[: int(rng.integers(10, len(whole) - 1))], "unparseable"),
        ("<html><body>502 Bad Gateway</body></html>", "unparseable"),
        ('["not", "an", "object"]', "unparseable"),
        (line(1, event_id=None), "missing_event_id"),
        (line(2, occurred_at=None), "missing_occurred_at"),
        (line(3, occurred_at=instant.removesuffix("Z")), "invalid_occurred_at"),
        (line(4, occurred_at="yesterday"), "invalid_occurred_at"),
        (line(5, value="12,50"), "wrong_type"),
        (line(6, occurred_at="2031-07-01T09:00:00.000Z"), FUTURE_REASON),
        (line(7, occurred_at="1970-01-01T00:00:03.000Z"), EARLY_REASON),
    ]
