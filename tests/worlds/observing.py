"""One world: simulate it, run the command on it, and note what was published beside what is true."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb

from tests.command import fairsplit

if TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, Any]


def observe(seed: int, home: Path, *options: str) -> Json:
    """Run one world in an empty home.

    Args:
        seed: The world's seed.
        home: A folder of its own.
        options: Further options of `fairsplit simulate`.

    Returns:
        ``truth`` as the simulation wrote it, and ``seen``: rows of the published tables.
    """
    fairsplit(home, "simulate", "--seed", str(seed), "--output", str(home), *options)
    fairsplit(home, "run")
    return {"seed": seed, "truth": json.loads((home / "truth.json").read_text()), "seen": _seen(home)}


_QUERIES = {
    "files": """select path, status, rows_read, rows_quarantined from landing.manifest order by position""",
    "accounts": """select sum(rows_read) as read, sum(accepted) as accepted, sum(duplicates) as duplicates,
                          sum(quarantined) as quarantined from landing.file_accounts""",
    "quarantine": "select reason, count(*) as rows from landing.quarantine group by all order by all",
    "late": "select sum(round(share_late * rows))::bigint as events from quality.day_profiles",
    "days": "select event_day::varchar as event_day, rows from landing.days order by all",
    "filtered": "select filter, sum(events)::bigint as events from fct_event_quality group by all order by all",
    "crossovers": "select experiment_id, sum(units)::bigint as units from fct_crossovers group by all order by all",
    "units": """select experiment_id, variant_id, sum(units)::bigint as units from fct_daily_exposures
                where segment = 'all' group by all order by all""",
    "decisions": """select experiment_id, cut_off::varchar as cut_off, decision, action, variant_id, reasons, sentence
                    from results.decisions order by all""",
    "validity": """select experiment_id, "check", segment, segment_level, status, min(cut_off)::varchar as first_day,
                          max(cut_off)::varchar as last_day, arg_max(sentence, cut_off) as sentence
                   from results.validity where status in ('warn', 'fail') group by all order by all""",
    "primary": """select experiment_id, cut_off::varchar as cut_off, metric, analysis, variant_id, lift_rel,
                         lift_rel_low, lift_rel_high, lift_abs, lift_std_error, p_adjusted, seq_bound,
                         seq_crossed, status
                  from results.comparisons
                  where role = 'primary' and segment = 'all' and comparison is not null and analysis = 'default'
                  order by all""",
}


def _seen(home: Path) -> Json:
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        seen = {}
        for name, query in _QUERIES.items():
            cursor = connection.execute(query)
            columns = [column[0] for column in cursor.description or ()]
            seen[name] = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    return seen
