"""The canonical row and its verdict: one SELECT from raw cells to lake rows and rejected rows."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from fairsplit.analysis.catalogue.events import CONTRACT_COLUMNS, ID_COLUMNS, MAX_VALUE
from fairsplit.analysis.catalogue.sources import EPOCHS
from fairsplit.orchestration.landing import cells as cell_kinds
from fairsplit.orchestration.landing.layout_csv import Delimited
from fairsplit.orchestration.landing.layout_table import Table
from fairsplit.orchestration.landing.limits import KEPT_BYTES
from fairsplit.orchestration.landing.local_times import utc_of
from fairsplit.orchestration.landing.sql import CUT_MARK, EVENT_COLUMNS, literal

if TYPE_CHECKING:
    from fairsplit.orchestration.landing.cells import Cell, Layout
    from fairsplit.orchestration.landing.mapping import EventSql
    from fairsplit.orchestration.landing.settings import IngestSettings

REASONS = (
    "unparseable",
    "missing_event_id",
    "missing_occurred_at",
    "invalid_occurred_at",
    "wrong_type",
    "future",
    "before_first_day",
    "sealed_day",
)
"""Why a row is quarantined; the first that applies."""

NO_EVENT = "no_event"
"""Stands for the reason of rows for which no declared event applies: they are counted, not quarantined."""

REPEATED_HOUR = "repeated_hour"
"""Stands for the reason of a second row, only counted, of one whose local time the clock showed twice."""

COUNTED_ONLY = (NO_EVENT, REPEATED_HOUR)

_TEXTS = [name for name in CONTRACT_COLUMNS if name not in ("occurred_at", "value", "properties")]
_CLOCK = r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d([.,]\d+)?)?"
_LOCAL = rf"\d{{4}}-\d\d-\d\d([Tt ]{_CLOCK})?"
_OFFSET = rf"\d{{4}}-\d\d-\d\d[Tt ]{_CLOCK} ?([Zz]|[+-]([01]\d|2[0-3])(:?[0-5]\d)?)"
_NUMBER = r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*"
_SHORT_NUMBER = r"[+-]?\d{1,12}(\.\d{1,6})?"
# DuckDB's JSON writer spells NaN and infinities in one way; texts that hold them are searched without their strings.
_NOT_FINITE = rf"""case when regexp_matches(properties, 'NaN|Infinity|[0-9]e[+]?[0-9]{{3}}') then
    regexp_matches(regexp_replace(properties, '{cell_kinds.JSON_STRING}', '', 'g'), 'NaN|Infinity')
    or len(list_filter(
        regexp_extract_all(regexp_replace(properties, '{cell_kinds.JSON_STRING}', '', 'g'), '[0-9.]+e[+]?[0-9]+'),
        lambda n: coalesce(not isfinite(try_cast(n as double)), true))) > 0 end"""
_MAX_EPOCH_MICROSECONDS = 253_402_300_800_000_000


def lake_rows(
    layout: Layout,
    events: list[EventSql],
    relation: str,
    settings: IngestSettings,
    timezone: str | None,
) -> str:
    """The SELECT whose rows are lake rows and, with a null `event_day`, rejected rows.

    A rejected row travels in the columns of an accepted one, so that one pass writes both: `event_id` holds the
    reason, `url` the detail, `session_id` the line number and `properties` the raw line.

    Args:
        layout: Of the files.
        events: What each row gives.
        relation: The raw rows, with `file_index`; beside it stands
            ``incoming(file_index, file_hash, arrived_at, first_position)``.
        settings: Of the project.
        timezone: Zone of times without offset.
    """
    instants = [_instant(event.cells["occurred_at"], event.time_format, timezone) for event in events]
    cells = _cells(events, [instant for instant, _ in instants])
    # `rows` comes last: building the cells tells the layout which paths to extract.
    raw = layout.rows(relation)
    skew = round(settings.max_clock_skew.total_seconds() * 1_000_000)
    bads = " ".join(f"when {wrong} then {literal(name)}" for name, wrong in _wrong(events).items())
    reason = f"""case
        when fault is null and event_index = {len(events)} then '{NO_EVENT}'
        when event_index > {len(events)} then '{REPEATED_HOUR}'
        when fault is not null then 'unparseable'
        when event_id is null then 'missing_event_id'
        when occurred_text is null then 'missing_occurred_at'
        when occurred_at is null then 'invalid_occurred_at'
        when wrong is not null then 'wrong_type'
        when occurred_at > arrived_at + to_microseconds({skew}) then 'future'
        when occurred_at < timestamp '{settings.first_day.isoformat()}' then 'before_first_day'
        when exists (
            select 1 from landing.seals as s where s.event_day = occurred_at::date
                and (first_position is null or s.position < first_position)) then 'sealed_day'
    end"""
    detail = """case reason
        when 'unparseable' then fault
        when 'invalid_occurred_at' then left(occurred_text, 200)
        when 'wrong_type' then wrong
        when 'future' then left(occurred_text, 200)
        when 'before_first_day' then left(occurred_text, 200)
        else event_name
    end"""
    travelling = {
        "event_id": "reason",
        "url": detail,
        "session_id": "line_number::varchar",
        "properties": "raw_line",
    }
    chosen = ", ".join(_chosen(name, travelling.get(name, "null")) for name in EVENT_COLUMNS)
    return f"""
        select {chosen} from (
            select *, {reason} as reason, {_row_md5()} as row_md5 from (
                select * exclude (own, occurred_text, wrong_cell), nullif(occurred_text, '') as occurred_text,
                    case when wrong_cell is null then json_normalize(own)::varchar else '{{}}' end as properties,
                    coalesce(wrong_cell, case when {_NOT_FINITE} then 'properties: a number is not finite' end) as wrong
                from (
                    select file_hash, arrived_at, first_position, line_number, raw_line, fault, event_index, is_whole,
                        case {bads} end as wrong_cell, {cells}
                    from (
                        select r.*, i.file_hash, i.arrived_at, i.first_position, event_index,
                            {_raw_line(layout)} as raw_line,
                            {"is_ended" if isinstance(layout, Delimited) else "true"} as is_whole
                        from ({raw}) r join incoming i using (file_index)
                        cross join (select unnest(range({len(events) + 2})) as event_index)
                        where {_applies(events, [repeated for _, repeated in instants])}
                    )
                )
            )
        )"""


def _row_md5() -> str:
    """What tells the row's content, and of differing copies of an event the one that counts: the smallest.

    A last record of CSV without a line end may have been cut off (12 for 12.50): it loses to any other.
    """
    digest = f"md5({_canonical_json()})"
    return f"case when is_whole then {digest} else '{CUT_MARK}' || substr({digest}, 2) end"


def _raw_line(layout: Layout) -> str:
    """Text of the row as it landed; Parquet rows are written as JSON."""
    if isinstance(layout, Table):
        whole = layout.object_of(None, set())
        return f"case when fault is null then {whole} else left({whole}, {KEPT_BYTES}) end"
    return "rtrim(line, chr(10) || chr(13))"


def _applies(events: list[EventSql], repeated: list[str]) -> str:
    """A broken row is one row, whatever events it would have given; a row without any event is one too.

    A row of which some event's local time came twice is counted by a row more.
    """
    whens = [event.when for event in events]
    twice = [f"({when} and {one})" for when, one in zip(whens, repeated, strict=True) if one]
    counted = f" when {len(events) + 1} then coalesce({' or '.join(twice)}, false)" if twice else ""
    if whens == ["true"] and not twice:
        return "event_index = 0"
    arms = " ".join(f"when {index} then {when}" for index, when in enumerate(whens))
    arms += f" when {len(events)} then " + " and ".join(f"not {when}" for when in whens)
    return f"""case when fault is not null then event_index = 0
        else case event_index {arms}{counted} else false end end"""


def _per_event(expressions: list[str]) -> str:
    """One expression of the row's event, without a switch where all events agree."""
    if len(set(expressions)) == 1:
        return expressions[0]
    arms = " ".join(f"when {index} then {expression}" for index, expression in enumerate(expressions))
    return f"case event_index {arms} end"


def _cells(events: list[EventSql], instants: list[str]) -> str:
    columns = []
    for name in _TEXTS:
        texts = [_text(event, name) for event in events]
        columns.append(f"{_per_event(texts)} as {name}")
    columns += [
        f"{_per_event([event.cells['occurred_at'].text for event in events])} as occurred_text",
        f"{_per_event(instants)} as occurred_at",
        f"{_per_event([_value(event.cells['value']) for event in events])} as value",
        f"{_per_event([event.properties for event in events])} as own",
    ]
    return ",\n".join(columns)


def _text(event: EventSql, name: str) -> str:
    text = event.cells[name].text
    if name in ID_COLUMNS:
        text = f"nullif({text}, '')"
    return f"{text} || {literal(event.suffix)}" if name == "event_id" and event.suffix else text


def _wrong(events: list[EventSql]) -> dict[str, str]:
    """Column → condition under which its cell has the wrong type."""
    wrong = {}
    for name in _TEXTS:
        conditions = [_wrong_text(event, name) for event in events]
        if any(conditions):
            wrong[name] = _per_event([condition or "false" for condition in conditions])
    wrong[f"value: beyond ±{MAX_VALUE}"] = _per_event([_beyond(event) for event in events])
    wrong["value"] = _per_event([_wrong_value(event) for event in events])
    return wrong | {name: condition for condition, name in events[0].wrong}


def _wrong_text(event: EventSql, name: str) -> str:
    cell = event.cells[name]
    allowed = [cell_kinds.STRING]
    if name in ID_COLUMNS or name in event.any_scalar:
        allowed.append(cell_kinds.INTEGER)
    if name in event.any_scalar:
        allowed += [cell_kinds.NUMBER, cell_kinds.BOOLEAN, cell_kinds.INSTANT, cell_kinds.LOCAL_TIME]
    if cell.kind in {"null::varchar", *map(literal, allowed)}:
        return ""
    kinds = ", ".join(map(literal, allowed))
    # CASE looks at the kind only of rows that have the cell; most columns are mostly empty.
    return f"case when {cell.text} is not null then {cell.kind} not in ({kinds}) else false end"


def _wrong_value(event: EventSql) -> str:
    cell = event.cells["value"]
    listed = ", ".join(map(literal, _value_kinds(event)))
    text = _value_text(cell) if event.numeric_text else cell.text
    return (
        f"coalesce({text} is not null and ({cell.kind} not in ({listed}) or ({_value(cell)}) is null), false)"
    )


def _beyond(event: EventSql) -> str:
    """Whether the value is a number, and too large: told apart from what is none."""
    cell = event.cells["value"]
    kinds = ", ".join(map(literal, _value_kinds(event)))
    text = _value_text(cell) if event.numeric_text else cell.text
    number = f"try_cast({text} as double)"
    return f"coalesce({cell.kind} in ({kinds}) and isfinite({number}) and abs({number}) > {MAX_VALUE}, false)"


def _value_kinds(event: EventSql) -> list[str]:
    return [cell_kinds.INTEGER, cell_kinds.NUMBER] + ([cell_kinds.STRING] if event.numeric_text else [])


def _value_text(cell: Cell) -> str:
    return f"nullif(trim({cell.number or cell.text}), '')"


def _value(cell: Cell) -> str:
    """DECIMAL(18,6), finer digits rounded half-even; null where the text is no number or lies beyond `MAX_VALUE`."""
    text = _value_text(cell)
    exact = f"try_cast({text} as decimal(38,26))"
    away = f"try_cast({exact} as decimal(18,6))"
    tie = f"abs({exact} - {away}::decimal(38,26)) = 0.0000005::decimal(38,26)"
    odd = f"({away}::decimal(38,6) * 1000000)::hugeint % 2 <> 0"
    even = (
        f"case when {tie} and {odd} then {away} - (sign({exact}) * 0.000001)::decimal(18,6) else {away} end"
    )
    number = f"""(case when regexp_full_match({text}, '{_SHORT_NUMBER}') then try_cast({text} as decimal(18,6))
        when regexp_full_match({text}, '{_NUMBER}') then {even} end)::decimal(18,6)"""
    return f"(case when abs({number}) <= {MAX_VALUE} then {number} end)"


def _instant(cell: Cell, time_format: str, timezone: str | None) -> tuple[str, str]:
    """The instant as naive TIMESTAMP in UTC, finer digits cut off; null where it cannot be told.

    And the condition that it is a local time that came twice; empty where it cannot be one.
    """
    if cell.kind == literal(cell_kinds.INSTANT):
        return cell.typed, ""
    if cell.kind == literal(cell_kinds.LOCAL_TIME):
        return _local(cell.typed, timezone)
    if time_format in EPOCHS:
        number = f"try_cast(trim({cell.text}) as decimal(38,9))"
        limit = _MAX_EPOCH_MICROSECONDS / Decimal(EPOCHS[time_format])
        # Decimal times decimal is exact; what is finer than a microsecond is cut.
        microseconds = f"floor({number} * {EPOCHS[time_format]})::bigint"
        return f"case when abs({number}) < {limit:f} then make_timestamp({microseconds}) end", ""
    if time_format != "iso":
        # strptime's %f takes six digits, %n nine.
        text = rf"regexp_replace({cell.text}, '([.,]\d{{6}})\d+', '\1')"
        parsed = f"try_strptime({text}, {literal(time_format.replace('%n', '%f'))})"
        has_offset = "%z" in time_format or "%Z" in time_format
        return (f"make_timestamp(epoch_us({parsed}))", "") if has_offset else _local(parsed, timezone)
    text = f"upper(replace({cell.text}, ',', '.'))"
    is_text = f"{cell.kind} = '{cell_kinds.STRING}'"
    wall, twice = _local(f"try_cast({text} as timestamp)", timezone)
    is_local = f"{is_text} and regexp_full_match({cell.text}, '{_LOCAL}')"
    instant = f"""case when {is_text} and regexp_full_match({cell.text}, '{_OFFSET}')
            then make_timestamp(epoch_us(try_cast({text} as timestamptz)))
        when {is_local} then {wall} end"""
    return instant, f"(case when {is_local} then {twice} else false end)" if twice else ""


def _local(wall: str, timezone: str | None) -> tuple[str, str]:
    return utc_of(wall, timezone) if timezone else ("null::timestamp", "")


def _canonical_json() -> str:
    """The row as JSON with a fixed order of keys, empty columns left out: equal events give equal text."""
    values = {name: f"to_json({name})::varchar" for name in CONTRACT_COLUMNS}
    values["occurred_at"] = "'\"' || strftime(occurred_at, '%Y-%m-%dT%H:%M:%S.%fZ') || '\"'"
    values["value"] = "rtrim(rtrim(value::varchar, '0'), '.')"
    values["properties"] = "properties"
    # concat skips nulls, so that a column's key goes with its value.
    parts = (f"""'{"," if place else "{"}"{name}":' || {values[name]}""" for place, name in enumerate(values))
    return f"concat({', '.join(parts)}, '}}')"


def _chosen(name: str, when_rejected: str) -> str:
    if name == "event_day":
        return "case when reason is null then occurred_at::date end as event_day"
    if name == "file_hash":
        return "file_hash"
    return f"case when reason is null then {name} else {when_rejected} end as {name}"
