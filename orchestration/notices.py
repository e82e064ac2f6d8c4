"""Notices: what changed since the last digest, as Markdown and HTML, each thing told once."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    import duckdb

# The state of every subject now, against the last one told. A decision to go on, and a check that never failed,
# are told only when they end something that was told before.
_NEWS = """
    with latest as (
        select 'decision' as kind, experiment_id as subject, cut_off,
            concat_ws(' ', decision, action, variant_id, array_to_string(reasons, ' ')) as state,
            decision = 'continue' as quiet,
            decision || coalesce(' (' || variant_id || ')', '') as what, sentence
        from results.decisions where cut_off = (select max(cut_off) from results.decisions)
        union all
        select 'check', concat_ws(' ', experiment_id, "check", segment, segment_level), cut_off,
            if(status = 'fail', 'fail', 'ok'), status <> 'fail',
            if(status = 'fail', 'failed: ', 'no longer fails: ') || "check", sentence
        from results.validity where cut_off = (select max(cut_off) from results.validity)
    ),
    told as (
        select kind, subject, arg_max(state, digest) as state from journal.notices group by all
    )
    select latest.kind, latest.subject, latest.cut_off, latest.state, latest.what, latest.sentence
    from latest left join told using (kind, subject)
    where latest.state is distinct from told.state and not (latest.quiet and told.state is null)
    order by latest.kind desc, latest.subject
"""


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell: a decision or a check of an experiment, as of a cut-off."""

    kind: str
    subject: str
    cut_off: str
    state: str
    what: str
    sentence: str


def write_digest(connection: duckdb.DuckDBPyConnection, folder: Path, at: datetime) -> list[Notice]:
    """Write what is new since the last digest to `digest-NNNNNN.md` and `.html`, then record it as told.

    A kill between the two writes the same numbered files again: nothing is told under two numbers.

    Args:
        connection: A writer; results are judged.
        folder: Where digests go; created when there is something to tell.
        at: When it is told; naive UTC.

    Returns:
        The notices; none when nothing changed, and then nothing is written.
    """
    connection.execute("create schema if not exists journal")
    connection.execute(
        """create table if not exists journal.notices (
               digest bigint, told_at timestamp, kind varchar, subject varchar, cut_off date, state varchar,
               what varchar, sentence varchar)"""
    )
    news = [
        Notice(kind, subject, day.isoformat(), state, what, sentence or "")
        for kind, subject, day, state, what, sentence in connection.execute(_NEWS).fetchall()
    ]
    if not news:
        return []
    number = connection.execute("select coalesce(max(digest), 0) + 1 from journal.notices").fetchall()[0][0]
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, text in (("md", _markdown(news)), ("html", _html(news))):
        path = folder / f"digest-{number:06d}.{suffix}"
        partial = path.with_name(f".{path.name}.part")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    connection.executemany(
        "insert into journal.notices values (?, ?, ?, ?, ?, ?, ?, ?)",
        [[number, at, n.kind, n.subject, n.cut_off, n.state, n.what, n.sentence] for n in news],
    )
    return news


def _title(news: list[Notice]) -> str:
    return f"What changed by the end of {max(notice.cut_off for notice in news)} (UTC)"


def _plain(text: str) -> str:
    """Text on one line in which no character is Markdown or HTML."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#|!&" else c for c in " ".join(text.split()))


def _markdown(news: list[Notice]) -> str:
    lines = [f"- **{_plain(n.subject)}**: {_plain(n.what)}. {_plain(n.sentence)}".rstrip() for n in news]
    return "\n".join([f"# {_title(news)}", "", *lines, ""])


def _html(news: list[Notice]) -> str:
    items = "\n".join(
        f"<li><strong>{escape(n.subject)}</strong>: {escape(n.what)}. {escape(n.sentence)}</li>" for n in news
    )
    title = _title(news)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>\n'
        f"<body><h1>{title}</h1>\n<ul>\n{items}\n</ul></body></html>\n"
    )
