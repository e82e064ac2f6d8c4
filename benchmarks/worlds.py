"""Worlds of events for the benchmarks: landed Parquet files, one a day, made in DuckDB, and their catalogue."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

import duckdb
import yaml

if TYPE_CHECKING:
    from pathlib import Path

FIRST_DAY = date(2026, 1, 5)
METRICS = ("conversion_rate", "revenue_per_user", "page_views_per_user", "ctr")
#: Days of events before the experiments start: the covariates' history.
CUPED_DAYS = 3
_SHARDS = 10_000

# Every day has the same number of exposures of units that were not exposed before, by the real bucketing, at
# instants spread over the day, and fills the rest with events of all units. Ids are numbers in hexadecimal.
_DAY = """
copy (
    with exposed as (
        select
            experiment,
            'u' || (($day::bigint * $exposures + unit + experiment * 7919) % $units) as user_id,
            ((unit * 86399000 // $exposures) * 1000 + experiment) as offset_us
        from range($exposures) as u(unit), range($experiments) as e(experiment)
        where $day >= $start
    ),
    rest as (select range as i, hash(range, $day::bigint) as h from range($rest))
    select
        printf('%s-x-%x-%s', $date::varchar, experiment, user_id) as event_id,
        'experiment_viewed' as event_name,
        ($date + to_microseconds(offset_us)) at time zone 'UTC' as occurred_at,
        user_id,
        's' || user_id as session_id,
        null::decimal(18, 6) as value,
        'experiment_' || lpad(experiment::varchar, 4, '0') as experiment_id,
        case when ('0x' || left(md5(
                      'experiment_' || lpad(experiment::varchar, 4, '0') || '-split-' || user_id), 8))::bigint
                  % $shards < $shards // 2 then 'control' else 'treatment' end as variation_id,
        ['DE', 'US', 'FR', 'JP'][(1 + hash(user_id) % 4)::int] as country,
        ['web', 'ios', 'android'][(1 + hash(user_id) % 3)::int] as platform
    from exposed
    union all
    select
        printf('%s-e-%x', $date::varchar, i),
        case when h % 100 < 50 then 'page_view' when h % 100 < 75 then 'impression' when h % 100 < 85 then 'click'
             when h % 100 < 90 then 'purchase' when h % 100 < 95 then 'conversion' else 'session_start' end,
        ($date + to_microseconds((h // 128 % 86400000000)::bigint)) at time zone 'UTC',
        'u' || (h // 3 % $units),
        's' || (h // 3 % $units),
        case when h % 100 between 85 and 89 then ((1 + h // 7 % 10000) / 100)::decimal(18, 6) end,
        null,
        null,
        null,
        'web'
    from rest
) to '{path}' (format parquet)
"""


@dataclass(frozen=True, slots=True)
class World:
    """A world with the same load every day.

    Attributes:
        events: Events a day, exposures included.
        experiments: Experiments that run from day `CUPED_DAYS` on.
        exposures: New units a day and experiment.
        units: Size of the population.
        window_days: How long after its exposure an experiment's outcome counts.
        metrics: What each experiment measures, the primary metric first.
    """

    events: int
    experiments: int
    exposures: int
    units: int
    window_days: int = 7
    metrics: tuple[str, ...] = METRICS

    @property
    def days_until_full(self) -> int:
        """First day, counted from 0, on which as many windows close as units enter."""
        return CUPED_DAYS + self.window_days

    def write_catalogue(self, folder: Path) -> None:
        """One definition an experiment, and the project's settings."""
        (folder / "experiments").mkdir(parents=True)
        (folder / "project.yaml").write_text(yaml.safe_dump({"first_day": FIRST_DAY.isoformat()}))
        start = datetime.combine(FIRST_DAY + timedelta(days=CUPED_DAYS), time(), UTC)
        for number in range(self.experiments):
            name = f"experiment_{number:04}"
            definition = {
                "id": name,
                "name": name,
                "owner": "growth@example.com",
                "type": "ab",
                "status": "running",
                "start": start.isoformat(),
                "traffic": 1.0,
                "variants": [{"id": "control", "control": True}, {"id": "treatment"}],
                "metrics": {"primary": [self.metrics[0]], "secondary": list(self.metrics[1:])},
                "plan": {"cuped_days": CUPED_DAYS},
            }
            (folder / "experiments" / f"{name}.yaml").write_text(yaml.safe_dump(definition, sort_keys=False))

    def land(self, landing: Path, days: range) -> None:
        """Write the files of some days, counted from 0; each arrives five minutes after its day."""
        with duckdb.connect(config={"threads": 2}) as connection:
            connection.execute("set timezone = 'UTC'")
            for number in days:
                day = FIRST_DAY + timedelta(days=number)
                path = landing / f"events-{day}.parquet"
                exposures = self.exposures * self.experiments if number >= CUPED_DAYS else 0
                connection.execute(
                    _DAY.replace("{path}", str(path).replace("'", "''")),
                    {
                        "day": number,
                        "date": datetime.combine(day, time()),
                        "start": CUPED_DAYS,
                        "exposures": self.exposures,
                        "experiments": self.experiments,
                        "units": self.units,
                        "rest": self.events - exposures,
                        "shards": _SHARDS,
                    },
                )
                _arrive(path, number)

    def land_late(self, landing: Path, number: int, rows: int, delay: int) -> None:
        """Purchases of day `number` - `delay` that arrive only after day `number`."""
        day = FIRST_DAY + timedelta(days=number - delay)
        path = landing / f"late-{number}.parquet"
        with duckdb.connect() as connection:
            connection.execute("set timezone = 'UTC'")
            connection.execute(
                f"""copy (
                    select 'late-' || $day || '-' || range as event_id, 'purchase' as event_name,
                        ($date + to_seconds(range)) at time zone 'UTC' as occurred_at,
                        'u' || (hash(range, $day) % $units) as user_id, 1.25::decimal(18, 6) as value
                    from range($rows)
                ) to '{str(path).replace("'", "''")}' (format parquet)""",
                {"day": number, "date": datetime.combine(day, time()), "units": self.units, "rows": rows},
            )
        _arrive(path, number)


def _arrive(path: Path, number: int) -> None:
    arrival = datetime.combine(FIRST_DAY + timedelta(days=number + 1), time(0, 5), UTC).timestamp()
    os.utime(path, (arrival, arrival))
