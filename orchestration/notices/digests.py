"""Notices: what changed since the last digest, as Markdown and HTML, each thing told once."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from fairsplit.analysis.scorecards.programme import figures_of, sentence
from fairsplit.orchestration.notices import markdown
from fairsplit.orchestration.warehouse.opening import has_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime
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
    also = _also_open(connection)
    news = [
        Notice(
            kind,
            subject,
            day.isoformat(),
            state,
            what,
            " ".join(part for part in (sentence, also.get(subject) if kind == "decision" else "") if part),
        )
        for kind, subject, day, state, what, sentence in connection.execute(_NEWS).fetchall()
    ]
    if not news:
        return []
    number = connection.execute("select coalesce(max(digest), 0) + 1 from journal.notices").fetchall()[0][0]
    title = f"What changed by the end of {max(notice.cut_off for notice in news)} (UTC)"
    items = [(n.subject, f"{n.what}. {n.sentence}") for n in news]
    figures = connection.sql("from results.programme where scope = 'all' order by all").pl().to_dicts()
    if said := sentence(figures_of(figures)):
        items.append(("programme", said))
    _leave(folder, f"digest-{number:06d}", title, items)
    connection.executemany(
        "insert into journal.notices values (?, ?, ?, ?, ?, ?, ?, ?)",
        [[number, at, n.kind, n.subject, n.cut_off, n.state, n.what, n.sentence] for n in news],
    )
    return news


def _also_open(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """By experiment, the acts that are open beside the decision's own."""
    if not has_table(connection, "results", "next_actions"):
        return {}
    rows = connection.execute(
        """select experiment_id,
               'Also open: ' || string_agg(replace(open.action, '_', ' '), ', ' order by open.position) || '.'
           from results.next_actions as open
           left join results.decisions as said using (experiment_id, cut_off)
           where cut_off = (select max(cut_off) from results.decisions)
               and (open.position > 1 or said.decision in ('continue', 'extend', 'inconclusive'))
           group by all"""
    ).fetchall()
    return dict(rows)


def write_alert(folder: Path, run_id: str, job: str, steps: Sequence[str]) -> None:
    """Leave `alert-<run>.md` and `.html` about a failed run, once for each run.

    Args:
        folder: Where notices go; created when absent.
        run_id: Dagster's id of the run.
        job: The job that ran.
        steps: Steps that failed; none when a blocking check or the process itself did.
    """
    name = f"alert-{run_id}"
    if (folder / f"{name}.md").exists():
        return
    what = ", ".join(steps) or "a blocking check, or the process"
    _leave(
        folder,
        name,
        f"The run of {job} failed",
        [(what, f"failed in run {run_id}. Nothing was published; what was landed is kept.")],
    )


def write_feed_alert(folder: Path, newest: datetime, day: date) -> bool:
    """Leave `alert-no-files-<newest arrival>` where a day is over and nothing has arrived since, once for each gap.

    Args:
        folder: Where notices go; created when absent.
        newest: Newest recorded arrival, naive UTC.
        day: The day that is over.

    Returns:
        Whether it is news.
    """
    name = f"alert-no-files-{newest:%Y%m%dT%H%M%S}"
    if (folder / f"{name}.md").exists():
        return False
    since = f"{newest:%Y-%m-%d %H:%M} UTC"
    title = f"No file has arrived for {day}"
    _leave(
        folder,
        name,
        title,
        [(str(day), f"is over and waits for its files; nothing has arrived since {since}.")],
    )
    return True


def _leave(folder: Path, name: str, title: str, items: Sequence[tuple[str, str]]) -> None:
    """Write one message as `.html` and `.md`; the second is what a delivery looks for, so it comes last."""
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, text in (("html", _html(title, items)), ("md", _markdown(title, items))):
        path = folder / f"{name}.{suffix}"
        partial = path.with_name(f".{path.name}.part")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)


def _markdown(title: str, items: Sequence[tuple[str, str]]) -> str:
    lines = [f"- **{markdown.text(subject)}**: {markdown.text(said)}" for subject, said in items]
    return "\n".join([f"# {title}", "", *lines, ""])


def _html(title: str, items: Sequence[tuple[str, str]]) -> str:
    lines = "\n".join(
        f"<li><strong>{escape(subject)}</strong>: {escape(text)}</li>" for subject, text in items
    )
    heading = escape(title)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{heading}</title></head>\n'
        f"<body><h1>{heading}</h1>\n<ul>\n{lines}\n</ul></body></html>\n"
    )
