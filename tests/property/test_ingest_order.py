"""Ingest against a plain-Python oracle: any split, order and number of runs gives the same lake and accounts."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairsplit.orchestration.landing import IngestSettings, ingest_landing

FIRST_DAY = date(2026, 1, 5)
NOW = datetime(2026, 3, 1, tzinfo=UTC)
ARRIVAL = datetime(2026, 1, 8, 12, tzinfo=UTC)
SETTINGS = IngestSettings(first_day=FIRST_DAY)
BROKEN = ["{not json", "[1, 2]", '{"event_id": "e0"', '"text"', '{"event_id": "e1",}', '{"a": 1, "a": 2}']


@dataclass
class Oracle:
    """What must come out, computed row by row from the files' text."""

    copies: dict[tuple[date, str], list[tuple[str, str, dict]]] = field(default_factory=dict)
    quarantine: list[tuple[str, int, str]] = field(default_factory=list)
    read: dict[str, int] = field(default_factory=dict)

    def take(self, text: str, arrived_at: datetime) -> None:
        file_hash = hashlib.sha256(text.encode()).hexdigest()
        if file_hash in self.read:
            return
        self.read[file_hash] = 0
        for number, line in enumerate(text.split("\n"), start=1):
            if not line.strip():
                continue
            self.read[file_hash] += 1
            reason, row = judge(line, arrived_at)
            if reason:
                self.quarantine.append((file_hash, number, reason))
            else:
                key = (row["occurred_at"].date(), row["event_id"])
                self.copies.setdefault(key, []).append((md5_of(row), file_hash, row))

    def winners(self) -> dict[tuple[date, str], tuple[str, str, dict]]:
        return {key: min(copies, key=lambda copy: copy[:2]) for key, copies in self.copies.items()}

    def shown(self) -> dict[tuple[date, str], tuple[str, str, dict]]:
        winners = self.winners()
        retracted = {row["properties"].get("retracts") for _, _, row in winners.values()} - {None}
        return {
            key: copy
            for key, copy in winners.items()
            if key[1] not in retracted or "retracts" in copy[2]["properties"]
        }

    def events(self) -> list[tuple]:
        return sorted(
            (*key, digest, file_hash, row.get("user_id"), row.get("value"))
            for key, (digest, file_hash, row) in self.shown().items()
        )

    def accounts(self) -> list[tuple]:
        counted = {file_hash: [rows, 0, 0, 0, 0] for file_hash, rows in self.read.items()}
        for file_hash, _, _ in self.quarantine:
            counted[file_hash][3] += 1
        for key, copies in self.copies.items():
            winner = self.winners()[key]
            credited = False
            for digest, file_hash, _ in copies:
                if not credited and (digest, file_hash) == winner[:2]:
                    counted[file_hash][1] += 1
                    credited = True
                else:
                    counted[file_hash][2] += 1
                    counted[file_hash][4] += digest != winner[0]
        return sorted((file_hash, *numbers) for file_hash, numbers in counted.items())


def judge(line: str, arrived_at: datetime) -> tuple[str | None, dict]:  # noqa: C901, PLR0911  (one rule a line)
    def pairs(items: list) -> dict:
        if len({key for key, _ in items}) < len(items):
            raise ValueError
        return dict(items)

    try:
        row = json.loads(line, object_pairs_hook=pairs, parse_float=Decimal)
    except ValueError:
        return "unparseable", {}
    if not isinstance(row, dict):
        return "unparseable", {}
    if row.get("event_id") in (None, ""):
        return "missing_event_id", {}
    if row.get("occurred_at") in (None, ""):
        return "missing_occurred_at", {}
    try:
        instant = datetime.fromisoformat(row["occurred_at"])
    except (ValueError, TypeError):
        return "invalid_occurred_at", {}
    if instant.tzinfo is None:
        return "invalid_occurred_at", {}
    if isinstance(row.get("value"), (str, bool)) or isinstance(row.get("user_id"), (float, Decimal, list)):
        return "wrong_type", {}
    if instant > arrived_at + timedelta(minutes=10):
        return "future", {}
    if instant < datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, tzinfo=UTC):
        return "before_first_day", {}
    known = ("event_id", "event_name", "user_id", "anonymous_id", "value", "country", "experiment_id")
    clean = {name: row[name] for name in known if row.get(name) not in (None, "")}
    clean |= {"event_id": str(row["event_id"]), "occurred_at": instant.astimezone(UTC).replace(tzinfo=None)}
    if "user_id" in clean:
        clean["user_id"] = str(clean["user_id"])
    if "value" in clean:
        clean["value"] = Decimal(clean["value"])
    properties = dict(row.get("properties") or {})
    if "experiment_id" in properties:
        clean["experiment_id"] = properties.pop("experiment_id")
    return None, clean | {"properties": properties}


def md5_of(row: dict) -> str:
    order = (
        "event_id",
        "event_name",
        "occurred_at",
        "user_id",
        "anonymous_id",
        "value",
        "experiment_id",
        "country",
        "properties",
    )
    parts = []
    for name in order:
        if name not in row:
            continue
        if name == "occurred_at":
            text = '"' + row[name].strftime("%Y-%m-%dT%H:%M:%S.%fZ") + '"'
        elif name == "value":
            text = format(row[name].normalize(), "f")
        else:
            text = json.dumps(row[name], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        parts.append(f'"{name}":{text}')
    return hashlib.md5(("{" + ",".join(parts) + "}").encode()).hexdigest()  # noqa: S324


INSTANTS = [
    "2026-01-05T00:00:00Z",
    "2026-01-05T01:30:00+02:00",
    "2026-01-05T23:59:59.999999Z",
    "2026-01-06T00:00:00+00:00",
    "2026-01-06T01:00:00+01:00",
    "2026-01-06 12:00:00.5Z",
    "2026-01-08T12:10:00Z",
    "2026-01-08T12:10:00.000001Z",
    "2026-01-07T10:00:00",
    "yesterday",
    None,
]


@st.composite
def lines(draw: st.DrawFn) -> str:
    if draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from([*BROKEN, "", "   "]))
    row: dict = {
        "event_id": draw(st.sampled_from(["e0", "e1", "e2", "e3", "r0", 7, "7", None, ""])),
        "occurred_at": draw(st.sampled_from(INSTANTS[:6] * 3 + INSTANTS)),
    }
    for name, values in {
        "event_name": ["buy", 'q"uote\\', "é😀"],
        "user_id": ["u1", "u2", 3, "3", "", 1.5],
        "anonymous_id": ["a1", "a2", None],
        "value": [1, 1.0, -2.5, 0, "4", None],
        "country": ["US", "DE", None],
    }.items():
        if draw(st.booleans()):
            row[name] = draw(st.sampled_from(values))
    if draw(st.integers(0, 3)) == 0:
        row["properties"] = draw(
            st.sampled_from(
                [
                    {"b": 1, "a": [2, {"d": 1, "c": None}]},
                    {"experiment_id": "x"},
                    {"retracts": "e0"},
                    {"retracts": "e1"},
                ]
            )
        )
    if draw(st.booleans()):
        row = dict(reversed(row.items()))
    return json.dumps(row, ensure_ascii=draw(st.booleans()))


LAKE = "select event_day, event_id, row_md5, file_hash, user_id, value from landing.raw_events order by all"
ACCOUNTS = """select file_hash, rows_read, accepted, duplicates, quarantined, conflicts
    from landing.file_accounts order by all"""
QUARANTINE = "select file_hash, line_number, reason from landing.quarantine order by all"


def run_through(
    files: list[str], batches: list[list[int]], queries: list[str], by: list[IngestSettings] | None = None
) -> list[list[tuple]]:
    """Land the files run by run; the queries' rows afterwards, `$done` standing for the last run's first position."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "landing").mkdir()
        done = 0
        for batch, judged_by in zip(batches, by or [SETTINGS] * len(batches), strict=True):
            for index in batch:
                path = home / "landing" / f"{index}.ndjson"
                path.write_text(files[index], newline="")
                os.utime(path, (ARRIVAL.timestamp(), ARRIVAL.timestamp()))
            with duckdb.connect(str(home / "warehouse.duckdb"), config={"threads": 1}) as connection:
                ingest_landing(home, connection, judged_by, [], NOW)
                manifest = connection.execute("select count(*) from landing.manifest").fetchall()
                before, done = done, manifest[0][0]
        with duckdb.connect(str(home / "warehouse.duckdb"), config={"threads": 1}) as connection:
            return [connection.execute(query.replace("$done", str(before))).fetchall() for query in queries]


@st.composite
def landings(draw: st.DrawFn) -> tuple[list[str], list[int], int]:
    """Files, the order in which they land, and how many of them land in the first run."""
    texts = draw(st.lists(lines(), min_size=1, max_size=40))
    cuts = sorted(draw(st.lists(st.integers(0, len(texts)), max_size=3)))
    chunks = [texts[start:end] for start, end in zip([0, *cuts], [*cuts, len(texts)], strict=True)]
    ends = draw(st.sampled_from(["\n", ""]))
    files = list(dict.fromkeys("\n".join(chunk) + ends for chunk in chunks))
    return files, draw(st.permutations(range(len(files)))), draw(st.integers(0, len(files)))


def oracle_of(texts: list[str]) -> Oracle:
    oracle = Oracle()
    for text in texts:
        oracle.take(text, ARRIVAL)
    return oracle


OUTBOX = [
    "select event_day, id_kind, raw_id from landing.touched_units where batch > $done group by all",
    """select experiment_id, id_kind, raw_id, event_day, shrunk
       from landing.touched_exposures where batch > $done group by all""",
    "select anonymous_id, event_day, shrunk from landing.touched_links where batch > $done group by all",
]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(landing=landings())
def test_all_tables_equal_the_oracle_in_any_order_and_the_outbox_names_what_the_second_run_changed(
    landing: tuple[list[str], list[int], int],
) -> None:
    files, order, at = landing
    oracle = oracle_of(files)
    before = oracle_of([files[index] for index in order[:at]]).shown()
    after = oracle.shown()
    units, exposures, links = set(), set(), set()
    for shrunk, these, others in ((True, before, after), (False, after, before)):
        for key, (digest, _, row) in these.items():
            if key in others and others[key][0] == digest:
                continue
            ids = {("user", row.get("user_id")), ("anonymous", row.get("anonymous_id"))}
            present = {(kind, raw) for kind, raw in ids if raw}
            units |= {(key[0], kind, raw) for kind, raw in present}
            if "experiment_id" in row:
                exposures |= {(row["experiment_id"], kind, raw, key[0], shrunk) for kind, raw in present}
            if len(present) == 2:
                links.add((row["anonymous_id"], key[0], shrunk))

    events, accounts, quarantine, *outbox = run_through(
        files, [order[:at], order[at:]], [LAKE, ACCOUNTS, QUARANTINE, *OUTBOX]
    )

    assert events == oracle.events()
    assert accounts == oracle.accounts()
    assert quarantine == sorted(oracle.quarantine)
    assert [set(rows) for rows in outbox] == [units, exposures, links]


ENDS = [
    LAKE,
    ACCOUNTS,
    QUARANTINE,
    "select event_day, event_id, file_hash, reason from landing.excluded order by all",
]
OTHERS = [
    IngestSettings(FIRST_DAY + timedelta(days=1)),
    IngestSettings(FIRST_DAY - timedelta(days=1)),
    IngestSettings(FIRST_DAY, timedelta(minutes=11)),
    IngestSettings(FIRST_DAY, timedelta(0)),
]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(landing=landings(), judged=st.lists(st.sampled_from(OTHERS), min_size=1, max_size=2))
def test_files_judged_again_equal_files_judged_once(
    landing: tuple[list[str], list[int], int], judged: list[IngestSettings]
) -> None:
    """Case settings-changed-after-landing: by other settings first, then by these, as if by these alone."""
    files, order, at = landing
    batches = [order[:at], order[at:], []]
    first, second = judged[0], judged[-1]
    again = run_through(files, batches, ENDS, [first, second, SETTINGS])
    assert again == run_through(files, [order], ENDS)


def test_the_oracle_notices_a_wrong_winner() -> None:
    """The comparison has teeth: the same key with other content must not compare equal."""
    one = '{"event_id":"a","occurred_at":"2026-01-05T00:00:00Z","value":1}'
    two = one.replace('"value":1', '"value":2')
    oracle = Oracle()
    oracle.take(one, ARRIVAL)
    with pytest.raises(AssertionError):
        assert run_through([two], [[0]], [LAKE])[0] == oracle.events()
