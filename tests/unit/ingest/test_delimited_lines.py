"""CSV in pieces: the records that a reader without limits would give, in linear time and bounded memory."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairsplit.orchestration.landing import delimited, lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def rows_of(content: bytes, width: int = 2, chunk: int = 1 << 20) -> list[dict[str, Any]]:
    class InPieces(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size, chunk) if size and size > 0 else size)

    batches = delimited.row_batches(InPieces(content), 0, width, ",")
    return [row for batch in batches for row in batch.to_pylist()]


def expected(content: str, width: int = 2) -> Iterator[tuple[int, list[str | None] | None]]:
    """(line, cells or none where at fault) by the standard library, from each line on anew: quadratic, and plain."""
    physical = io.StringIO(content, newline="").readlines()
    place, header = 0, True
    while place < len(physical):
        read = 0

        def tape(start: int = place) -> Iterator[str]:
            nonlocal read
            for line in physical[start:]:
                read += 1
                yield line

        cells: list[str] | None
        try:
            cells = next(csv.reader(tape(), strict=True))
        except csv.Error:
            cells, read = None, 1
        text = "".join(physical[place : place + read])
        if header:
            header = text.isspace()
        elif cells is not None and len(cells) == width:
            yield place + 1, [cell or None for cell in cells]
        elif text.strip():
            yield place + 1, None
        place += read


@settings(max_examples=400, deadline=None)
@given(
    content=st.lists(
        st.sampled_from(["a", ",", '"', "\n", "\r\n", "\r", " ", '","', 'x"', '"\n']), max_size=40
    ),
    chunk=st.integers(1, 9),
)
def test_records_equal_those_of_the_standard_library(content: list[str], chunk: int) -> None:
    text = "".join(content)
    found = [
        (row["line_number"], None if row["fault"] else [row["c0"], row["c1"]])
        for row in rows_of(text.encode(), chunk=chunk)
    ]
    assert found == list(expected(text))


@pytest.mark.parametrize("line", ['x","\n', '"\n', 'a,"b\n', 'a,"b""\n', '"a"b,"c\n'])
def test_work_grows_with_the_bytes_whatever_they_are(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Case csv-in-linear-time: characters given to the parser are counted, not seconds; no row is lost."""
    parsed = 0
    honest = delimited._cells

    def counting(texts: list[bytes], delimiter: str) -> Any:
        nonlocal parsed
        parsed += sum(map(len, texts))
        return honest(texts, delimiter)

    monkeypatch.setattr(delimited, "_cells", counting)
    work = []
    for count in (1_000, 2_000):
        parsed = 0
        found = rows_of(("a,b\n" + line * count).encode())
        assert "\n".join(row["line"] for row in found) == (line * count).rstrip("\n")
        work.append(parsed / (len(line) * count))
    assert work[1] < 1.1 * work[0] < 4


def test_a_quoted_cell_over_the_limit_costs_its_first_line_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Case csv-in-linear-time, varied: the limit of a record, in bytes and in lines, with whole records after it."""
    monkeypatch.setattr(delimited, "MAX_RECORD_BYTES", 200)
    monkeypatch.setattr(delimited, "MAX_RECORD_LINES", 30)
    rows = [
        '1,"open',
        *(f"{n},x" for n in range(2, 200)),
        '200,"two',
        'lines"',
        *(f"{n},y" for n in range(202, 260)),
    ]

    found = rows_of(("a,b\n" + "\n".join(rows) + "\n").encode())

    assert [row["line"] for row in found if row["fault"]] == ['1,"open']
    assert [row["c0"] for row in found if not row["fault"]] == [
        *map(str, range(2, 200)), "200", *map(str, range(202, 260))
    ]  # fmt: skip


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_line_over_the_limit_is_kept_by_its_beginning(end: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Case line-bombs: the line is refused with its beginning, the others are taken, at any place of its end."""
    monkeypatch.setattr(delimited, "MAX_RECORD_BYTES", 100)
    monkeypatch.setattr(delimited, "KEPT_BYTES", 10)
    for size in (101, 150, 199, 1_000):
        content = end.join([b"a,b", b"1,x", b"z" * size, b"2,y", b'3,"q"', b""])
        for chunk in (1, 7, 64, 4096):
            found = rows_of(content, chunk=chunk)
            assert [(row["line_number"], row["line"], row["c0"]) for row in found] == [
                (2, "1,x", "1"), (3, "z" * 10, None), (4, "2,y", "2"), (5, '3,"q"', "3")
            ]  # fmt: skip
            assert found[1]["fault"].startswith("a line of 1") or found[1]["fault"].startswith("a line of 2")


@given(
    st.lists(st.sampled_from([0, 1, 5, 19, 20, 21, 27, 40, 90]), min_size=1, max_size=8),
    st.integers(1, 30),
    st.booleans(),
)
def test_a_line_of_json_over_the_limit_is_refused_alone_wherever_a_piece_ends(
    sizes: list[int], chunk: int, is_ended: bool
) -> None:
    """Case line-bombs, varied: just over the limit, several in a row, whole lines between and after them."""
    texts = [bytes([ord("a") + place]) * size for place, size in enumerate(sizes)]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("MAX_RECORD_BYTES", 20), ("KEPT_BYTES", 3), ("CHUNK_BYTES", chunk)):
            patch.setattr(lines, name, value)
        content = b"\n".join(texts) + (b"\n" if is_ended else b"")
        batches = list(lines.line_batches(io.BytesIO(content), 0))
    found = [
        (row["line_number"], row["line"].strip(), row["fault"])
        for batch in batches
        for row in batch.to_pylist()
    ]
    assert found == [
        (number, text.decode(), None)
        if len(text) <= 20
        else (number, text[:3].decode(), f"a line of {len(text)} bytes, of which the first 3 are kept")
        for number, text in enumerate(texts, start=1)
        if text
    ]


def test_bytes_that_are_not_utf8_are_a_fault_of_their_record() -> None:
    """One rule for all formats: NDJSON refuses such a line too."""
    found = rows_of("a,b\n1,Müller\n2,ok\n".encode("latin-1"))
    assert [(row["fault"], row["line"]) for row in found] == [
        ("not UTF-8 at byte 4", "1,M\\xfcller"),
        (None, "2,ok"),
    ]


CHILD = """
import gzip, json, resource, sys
from fairsplit.orchestration.landing import delimited, lines
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (200 << 20), resource.RLIM_INFINITY))
with gzip.open(sys.argv[1]) as stream:
    read = lines.line_batches(stream, 0) if "ndjson" in sys.argv[1] else delimited.row_batches(stream, 0, 2, ",")
    for batch in read:
        for row in batch.to_pylist():
            print(json.dumps([row["line_number"], len(row["line"].strip()), row["fault"]]))
"""


@pytest.mark.parametrize("name", ["bomb.csv.gz", "bomb.ndjson.gz", "open.csv.gz"])
def test_memory_is_bounded_for_any_line(tmp_path: Path, name: str) -> None:
    """Case line-bombs: 300 MB on one line, or behind a quote that never closes, in 200 MB of address space more."""
    path = tmp_path / name
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"a,b\n1,x\n" + (b'"' if name.startswith("open") else b""))
        for _ in range(300):
            file.write(b"x" * (1 << 20) if name.startswith("bomb") else (b"y" * ((1 << 20) - 1) + b"\n"))
        file.write(b"\n2,y\n")
    # Arrow's own allocators reserve address space by the gigabyte.
    system = os.environ | {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "1"}
    command = [sys.executable, "-c", CHILD, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=system)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    if name.startswith("bomb"):
        # The header and the first row are lines of their own in NDJSON.
        assert [row[:2] for row in found][-2:] == [[3, 1 << 20], [4, 3]]
        assert found[-2][2] == f"a line of {300 << 20} bytes, of which the first {1 << 20} are kept"
    else:
        assert found[1] == [3, 1 << 20, "a quoted cell does not end"]
        assert (len(found), found[-1][0]) == (302, 304)


def test_the_reader_of_lines_has_the_same_limits() -> None:
    from fairsplit.orchestration.landing import limits  # noqa: PLC0415

    assert lines.MAX_RECORD_BYTES == delimited.MAX_RECORD_BYTES == limits.MAX_RECORD_BYTES
