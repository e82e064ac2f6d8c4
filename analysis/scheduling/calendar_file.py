"""Posts as a calendar file (RFC 5545) and as CSV; equal posts give equal bytes."""

from __future__ import annotations

import csv
import io
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Octets a line may hold (RFC 5545, 3.1).
_WIDTH = 75
_POST_MINUTES = 5
_COLUMNS = (
    "schedule_id", "post_id", "post_at", "channel", "persona", "experiment_id", "variant_id", "source", "text", "media",
)  # fmt: skip


def as_ics(name: str, posts: Iterable[Mapping[str, Any]]) -> str:
    """A calendar of posts.

    Each event keeps its UID (the id of the post) whatever version of the plan it stands in; its stamp is the cut-off
    that it was planned from, and a post that somebody fixed has the higher sequence.

    Args:
        name: Of the calendar.
        posts: Rows of ``results.schedule``, by time.
    """
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Fairsplit//content schedule//EN",
        f"X-WR-CALNAME:{_text(name)}",
    ]
    for post in posts:
        stamp = datetime.combine(post["cut_off"] + timedelta(days=1), time())
        lines += [
            "BEGIN:VEVENT",
            f"UID:{_text(post['post_id'])}@fairsplit",
            f"DTSTAMP:{_instant(stamp)}",
            f"SEQUENCE:{int(post['source'] == 'override')}",
            f"DTSTART:{_instant(post['post_at'])}",
            f"DURATION:PT{_POST_MINUTES}M",
            f"SUMMARY:{_text(post['experiment_id'])}: {_text(post['variant_id'])}",
            f"DESCRIPTION:{_text(post['text'] or post['media'] or '')}",
            f"CATEGORIES:{_text(post['channel'])}",
            "END:VEVENT",
        ]
    lines.append("END:VCALENDAR")
    return "".join(f"{folded}\r\n" for line in lines for folded in _folded(line))


def as_csv(posts: Iterable[Mapping[str, Any]]) -> str:
    """Posts as CSV with a header; instants in UTC.

    A text that a spreadsheet would take for a formula begins with an apostrophe.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for post in posts:
        values = {**post, "post_at": f"{post['post_at'].isoformat()}Z"}
        writer.writerow(["" if values[name] is None else _cell(str(values[name])) for name in _COLUMNS])
    return out.getvalue()


def _cell(text: str) -> str:
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text


def _instant(at: datetime) -> str:
    return f"{at:%Y%m%dT%H%M%S}Z"


def _text(value: str) -> str:
    """RFC 5545, 3.3.11; what is no text at all is left out."""
    escaped = value.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    lines = escaped.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\\n")
    return "".join(character for character in lines if character >= " ")


def _folded(line: str) -> list[str]:
    """Lines of at most 75 octets, none cut inside a character; each after the first begins with a space."""
    parts: list[str] = []
    part = ""
    for character in line:
        if len((part + character).encode()) > _WIDTH:
            parts.append(part)
            part = " "
        part += character
    return [*parts, part]
