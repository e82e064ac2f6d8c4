"""The experiment that follows another, written as a draft beside it."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.catalogue import experiment_hash
from fairsplit.analysis.catalogue.hashing import experiment_facts
from fairsplit.analysis.lifecycle.follow_up import follow_up_text, next_batch_text
from fairsplit.analysis.lifecycle.log import Entry
from fairsplit.orchestration.home.transitions import carry_out
from fairsplit.orchestration.lifecycle.transitions import checked, require_reason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from fairsplit.analysis.catalogue.experiment import Experiment
    from fairsplit.orchestration.catalogue.loading import Definitions


def follow_up(
    catalog: Path,
    definitions: Definitions,
    experiment: Experiment,
    action: str,
    variant: str | None,
    *,
    reason: str,
    now: datetime,
) -> Entry:
    """Write a draft with a changed or a new variant, and log where it came from.

    Args:
        catalog: The catalogue's folder.
        definitions: The catalogue as it is now.
        experiment: The one that it follows.
        action: ``modify_variant`` or ``create_variant``.
        variant: The variant to change; none for a new one.
        reason: The author's words.
        now: The clock, naive UTC.

    Returns:
        The entry of the transition log: the draft's first.

    Raises:
        LifecycleError: There is no reason, or the draft would not be a valid definition.
    """
    require_reason(reason, "accept")

    def text_of(source: str, new_id: str, start: datetime) -> str:
        return follow_up_text(source, new_id, start, variant)

    return _written(
        catalog, definitions, experiment, text_of, f"{action} of {experiment.id}: {reason.strip()}", now
    )


def next_batch(
    catalog: Path,
    definitions: Definitions,
    experiment: Experiment,
    points: Sequence[Mapping[str, Any]],
    *,
    now: datetime,
) -> Entry:
    """Write the next batch of a search as a draft, and log where it came from.

    Args:
        catalog: The catalogue's folder.
        definitions: The catalogue as it is now.
        experiment: The newest batch.
        points: What the search proposes.
        now: The clock, naive UTC.

    Returns:
        The entry of the transition log: the draft's first.

    Raises:
        LifecycleError: The draft would not be a valid definition, for example by the `config_schema`.
    """

    def text_of(source: str, new_id: str, start: datetime) -> str:
        return next_batch_text(source, new_id, start, points)

    return _written(
        catalog, definitions, experiment, text_of, f"next batch of the search after {experiment.id}", now
    )


def _written(
    catalog: Path,
    definitions: Definitions,
    experiment: Experiment,
    text_of: Callable[[str, str, datetime], str],
    words: str,
    now: datetime,
) -> Entry:
    taken = {path.stem for path in (catalog / "experiments").rglob("*.yaml")}
    new_id = next(name for number in count(2) if (name := f"{experiment.id}_{number}") not in taken)
    source = next((catalog / "experiments").rglob(f"{experiment.id}.yaml"))
    start = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    text = text_of(source.read_text(encoding="utf-8"), new_id, start)
    file = source.with_name(f"{new_id}.yaml")
    draft = checked(text, file.relative_to(catalog).as_posix(), new_id, definitions)
    facts = experiment_facts(draft)
    entry = Entry(
        now,
        new_id,
        "create",
        "draft",
        "draft",
        now.replace(microsecond=0),
        words,
        experiment_hash(draft),
        facts,
    )
    carry_out(catalog, file, text, [entry])
    return entry
