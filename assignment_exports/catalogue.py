"""From the catalogue to a published version in one call: what the orchestration runs after the validity gate."""

from __future__ import annotations

from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any

import polars as pl

from fairsplit.assignment_exports.allocation import Allocation, allocation_of, assign
from fairsplit.assignment_exports.errors import ExportError
from fairsplit.assignment_exports.families import FAMILIES
from fairsplit.assignment_exports.flags import describe_flag
from fairsplit.assignment_exports.publishing import PublishedVersion, last_whole_version, publish
from fairsplit.assignment_exports.release import Feature, build_release

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from fairsplit.analysis.catalogue import Catalogue


def export_catalogue(
    exports_dir: Path,
    catalogue: Catalogue,
    as_of: datetime,
    *,
    closed_gates: Mapping[str, str] | None = None,
    frames: Mapping[str, pl.DataFrame] | None = None,
    subjects: Mapping[str, pl.DataFrame] | None = None,
    attachments: Mapping[str, Path] | None = None,
    acts: Sequence[Mapping[str, Any]] = (),
    links: Mapping[str, str] | None = None,
) -> PublishedVersion:
    """Publish the configs of every experiment whose gate is open.

    Experiments whose gate is closed or whose file is broken keep their last good config and are named with the
    reason in the manifest; they never stop the others.

    Args:
        exports_dir: The exports folder.
        catalogue: The user's definitions.
        as_of: The cut-off instant, naive UTC: phases that ended by then are left out.
        closed_gates: Experiments that failed a validity check, with the reason in words.
        frames: Tables to export as Parquet, by name without suffix (``results``, ``decisions``,
            ``assignments/<experiment>``).
        subjects: What units did, as attributes for the SDK's caller, by kind of unit (see `build_release`).
        attachments: Files to copy in that are not part of the version's content.
        acts: What decisions do by themselves in the version, as JSON values for its manifest.
        links: Folders that are published with it (see `publish`).

    Returns:
        The version now in force; ``changed`` says whether it is new.
    """
    allocations, refused = _allocations(catalogue)
    previous = last_whole_version(exports_dir)
    release = build_release(
        allocations,
        as_of,
        held={**(closed_gates or {}), **refused, **_broken(catalogue, "experiments")},
        previous=previous,
        frames=frames,
        subjects=subjects,
        prefix=catalogue.project.export_prefix,
        features=_features(catalogue, as_of),
    )
    meta = {**release.meta, "acts": list(acts)}
    return publish(exports_dir, release.payloads, meta, attachments, links)


def assignment_list(
    allocation: Allocation, units: pl.Series, at: datetime, attributes: pl.DataFrame | None = None
) -> pl.DataFrame:
    """A unit list for batch consumers such as mailings: only units that get a variant.

    Args:
        allocation: The experiment.
        units: Ids, shape (n,), without nulls.
        at: The instant whose phase decides, naive UTC.
        attributes: n rows in the order of the units; they are kept as one JSON text a unit.

    Returns:
        Columns ``unit_id``, ``variant``, ``attributes`` (JSON text, null without attributes), ``probability``
        and ``reason``, sorted by unit.
    """
    drawn = assign(allocation, units, at, attributes)
    kept = (
        pl.lit(None, dtype=pl.String)
        if attributes is None or not attributes.columns
        else attributes.to_struct("attributes").struct.json_encode()
    )
    return (
        drawn.with_columns(attributes=kept)
        .select("unit_id", "variant", "attributes", "probability", "reason")
        .drop_nulls("variant")
        .sort("unit_id")
    )


def _features(catalogue: Catalogue, as_of: datetime) -> dict[str, Feature]:
    features = {name: Feature({}, {}, reason) for name, reason in _broken(catalogue, "flags").items()}
    needs = {name: [need.flag for need in flag.depends_on] for name, flag in catalogue.flags.items()}
    for name in TopologicalSorter(needs).static_order():
        refused = [need for need in needs[name] if features[need].reason]
        if refused:
            reason = f"it depends on {refused[0]}, which cannot be exported as it is defined now"
            features[name] = Feature({}, {}, reason)
            continue
        flag = catalogue.flags[name]
        try:
            compiled = FAMILIES[flag.sdk].compile_flag(
                flag, catalogue.flags, catalogue.conditions, as_of, catalogue.project.export_prefix
            )
        except ExportError as error:
            features[name] = Feature({}, {}, str(error))
        else:
            served = {(flag.sdk, key): config for key, config in compiled.items()}
            features[name] = Feature(served, describe_flag(flag))
    return dict(sorted(features.items()))


def _broken(catalogue: Catalogue, folder: str) -> dict[str, str]:
    """Why the last good config of a broken file stays, by id, for the files of one folder."""
    return {
        name: f"the definition is broken: {problems[0]}"
        for name, problems in catalogue.broken.items()
        if problems[0].where.startswith(f"{folder}/")
    }


def _allocations(catalogue: Catalogue) -> tuple[list[Allocation], dict[str, str]]:
    allocations: list[Allocation] = []
    refused: dict[str, str] = {}
    for name, experiment in catalogue.experiments.items():
        if experiment.holdout is not None:
            # Its gate stands in every config that the holdout covers; there is nothing else to serve.
            continue
        try:
            allocations.append(allocation_of(experiment, catalogue.project, catalogue.conditions))
        except ExportError as error:
            refused[name] = str(error)
    return allocations, refused
