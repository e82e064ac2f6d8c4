"""The journals that are files, line by line: erasures beside the warehouse, transitions beside the definitions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fairsplit.analysis.catalogue.metrics import canonical_hash
from fairsplit.analysis.errors import Problem
from fairsplit.analysis.lifecycle.log import LOG_NAME, read_sound
from fairsplit.analysis.lines import split_torn, write_lines
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.home.damage import Damage
from fairsplit.orchestration.landing.erasure_journal import JOURNAL, journal_lines, read_erasures
from fairsplit.orchestration.warehouse.journals import damaged, keep, missing

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from fairsplit.orchestration.landing.erasure_journal import Row
    from fairsplit.orchestration.project import Home

_TORN_HINT = "`fairsplit fsck --repair` cuts it off, as the next entry would"


def find_erasures(home: Home, connection: duckdb.DuckDBPyConnection | None) -> list[Damage]:
    """The journal of erasures against what the warehouse knows: each has what the other lost.

    Args:
        home: The home.
        connection: On the warehouse; none where it cannot be read.
    """
    path = home.root / JOURNAL
    try:
        rows, problems = read_erasures(home.root)
    except OrchestrationError as error:
        return [Damage(error.problem)]
    found = _torn(path)
    known: list[Row] = []
    if connection is not None:
        known = [
            (number, at.isoformat(), id_hash, token_hash)
            for number, at, id_hash, token_hash in connection.execute(
                "select erasure, erased_at, id_hash, token_hash from landing.erasures order by all"
            ).fetchall()
        ]
    written = {row[2:] for row in rows}
    lost = [row for row in known if row[2:] not in written]
    mend = partial(write_lines, path, journal_lines([*rows, *lost]))
    # What stood on a line that cannot be read is known only where the warehouse has it.
    is_whole = len(lost) >= len(problems)
    found += [
        Damage(
            Problem(
                problem.what,
                problem.where,
                rule="numbers and SHA-256 hashes, as they were appended",
                hint=hint,
            ),
            mend if is_whole else None,
        )
        for problem in problems
        for hint in [
            "`fairsplit fsck --repair` writes it from the warehouse"
            if is_whole
            else "put the line back from a backup: the person that it is about would come back with a rebuild"
        ]
    ]
    if len(lost) > len(problems):
        count = len(lost) - len(problems)
        hint = "`fairsplit fsck --repair` writes them from the warehouse"
        problem = Problem(
            "erasures are missing", JOURNAL, f"{count} rows", "all that the warehouse knows", hint
        )
        found.append(Damage(problem, mend))
    return found


def find_kept(home: Home, connection: duckdb.DuckDBPyConnection) -> list[Damage]:
    """Journals of the warehouse whose file beside it is not as it was written."""
    hint = "`fairsplit fsck --repair` writes it from the warehouse"
    return [
        Damage(
            Problem(
                "a journal was damaged",
                file.relative_to(home.root).as_posix(),
                words,
                "as it was written",
                hint,
            ),
            partial(keep, connection, home.root),
        )
        for file, words in [*damaged(connection, home.root), *missing(connection, home.root)]
    ]


def find_transitions(catalog: Path) -> list[Damage]:
    """Lines of the transition log that are no entry, or whose definition is not the one that was hashed."""
    path = catalog / LOG_NAME
    found = _torn(path)
    entries, problems = read_sound(catalog)
    # The torn line was found already, with what mends it.
    found += [Damage(problem) for problem in (problems[:-1] if found else problems)]
    for number, entry in enumerate(entries, start=1):
        if entry.definition and canonical_hash(dict(entry.definition)) != entry.definition_hash:
            problem = Problem(
                "an entry of the transition log was changed",
                f"{LOG_NAME}: entry {number}, {entry.experiment} {entry.action}",
                rule="its definition has the hash that stands beside it",
                hint="the log is append-only: restore the line from version control",
            )
            found.append(Damage(problem))
    return found


def _torn(path: Path) -> list[Damage]:
    if not path.is_file():
        return []
    lines, torn = split_torn(path.read_text(encoding="utf-8", errors="replace"))
    if not torn:
        return []
    problem = Problem("the last line is torn", path.name, torn[:40], "one JSON object a line", _TORN_HINT)
    return [Damage(problem, partial(write_lines, path, lines))]
