"""Rules of one flag that need several fields, the other flags, or the experiments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fairsplit.analysis.catalogue.findings import Finding, did_you_mean, shown
from fairsplit.analysis.catalogue.json_values import JSON_RULE, is_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fairsplit.analysis.catalogue.experiment import Experiment
    from fairsplit.analysis.catalogue.flags import Flag
    from fairsplit.analysis.catalogue.yaml_source import KeyPath

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "boolean": (bool,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "json": (dict, list),
}


def flag_findings(
    flag: Flag, flags: Mapping[str, Flag], experiments: Mapping[str, Experiment]
) -> Iterator[Finding]:
    """What is wrong with a well-shaped flag's values and references.

    Args:
        flag: The flag.
        flags: All well-shaped flags by id.
        experiments: Sound experiments by id.
    """
    values: list[tuple[KeyPath, Any]] = [(("default",), flag.default), (("value",), flag.value)]
    values += [(("overrides", unit), value) for unit, value in flag.overrides.items()]
    for path, value in values:
        if path == ("value",) and value is None:
            continue
        fits = isinstance(value, _TYPES[flag.type]) and (
            flag.type == "boolean" or not isinstance(value, bool)
        )
        if not fits:
            yield Finding(path, "does not have the flag's type", shown(value), flag.type)
        elif not is_json(value):
            yield Finding(path, "is no JSON that every SDK reads alike", shown(value), JSON_RULE)
    for position, need in enumerate(flag.depends_on):
        where: KeyPath = ("depends_on", position, "flag")
        other = flags.get(need.flag)
        if other is None:
            yield Finding(
                where, "unknown flag", need.flag, "a file of flags/", did_you_mean(need.flag, flags)
            )
        elif other.sdk != flag.sdk:
            yield Finding(
                where,
                "depends on a flag of another SDK family",
                f"{other.id} has sdk: {other.sdk}",
                f"sdk: {flag.sdk}, for each family hashes a unit its own way",
                f"give {flag.id} and {other.id} one sdk",
            )
    if flag.experiment is not None and flag.experiment not in experiments:
        hint = did_you_mean(flag.experiment, experiments)
        yield Finding(("experiment",), "unknown experiment", flag.experiment, "a file of experiments/", hint)
