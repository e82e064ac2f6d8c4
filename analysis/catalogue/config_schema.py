"""Configs of variants against the experiment's `config_schema`, in bounded time whatever the schema says.

Patterns match as those of conditions do, in linear time; references are followed a bounded number of times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend
from referencing.exceptions import Unresolvable

from fairsplit.analysis.catalogue.conditions import pattern_is_valid, pattern_matches
from fairsplit.analysis.catalogue.findings import Finding, did_you_mean, shown
from fairsplit.analysis.catalogue.json_values import JSON_RULE, is_json
from fairsplit.analysis.catalogue.shipped_schemas import SHIPPED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairsplit.analysis.catalogue.experiment import Experiment
    from fairsplit.analysis.catalogue.yaml_source import KeyPath

#: A schema of a few dozen references that each name the next twice would take longer than anybody waits.
MAX_REFERENCES = 10_000
_PATTERN_RULE = "Rust/RE2 syntax, without look-around"


class _TooIntricateError(Exception):
    """The schema follows more references than are allowed."""


def config_findings(experiment: Experiment) -> Iterator[Finding]:
    """What is wrong with configs as JSON, with the schema, else with the configs under it."""
    for position, variant in enumerate(experiment.variants):
        if not is_json(variant.config):
            where: KeyPath = ("variants", position, "config")
            yield Finding(
                where, "is no JSON that every SDK reads alike", shown(str(variant.config)), JSON_RULE
            )
            return
    declared = experiment.config_schema
    if declared is None:
        return
    if isinstance(declared, str) and declared not in SHIPPED:
        rule = f"a JSON Schema, or one of: {', '.join(SHIPPED)}"
        yield Finding(
            ("config_schema",), "no such schema", shown(declared), rule, did_you_mean(declared, SHIPPED)
        )
        return
    schema = SHIPPED[declared] if isinstance(declared, str) else declared
    unsound = list(_schema_findings(schema))
    if unsound:
        yield from unsound
        return
    for position, variant in enumerate(experiment.variants):
        try:
            errors = sorted(
                _validator(schema).iter_errors(variant.config),
                key=lambda error: [str(part) for part in error.absolute_path],
            )
        except (_TooIntricateError, RecursionError):
            yield Finding(
                ("config_schema",),
                "is too intricate to be checked",
                rule=f"at most {MAX_REFERENCES} references followed, and none that leads back to itself",
            )
            return
        except Unresolvable as error:
            rule = "$ref: '#/$defs/…', with what it names in the schema"
            yield Finding(("config_schema",), "refers to what is not there", shown(str(error.ref)), rule)
            return
        for misfit in errors:
            place: KeyPath = ("variants", position, "config", *misfit.absolute_path)
            yield Finding(place, "the config does not fit config_schema", rule=shown(misfit.message))


def _schema_findings(schema: Any) -> Iterator[Finding]:
    for path, key, value in _keywords(schema, ("config_schema",)):
        if key in {"$ref", "$dynamicRef"} and isinstance(value, str) and not value.startswith("#"):
            yield Finding(("config_schema",), "refers outside itself", shown(value), "$ref: '#/…'")
            return
        if key == "unevaluatedProperties":
            hint = "say additionalProperties beside the properties"
            yield Finding(
                (*path, key), "unknown keyword of a config_schema", key, "a keyword of draft 7", hint
            )
            return
        patterns = (
            [value] if key == "pattern" else list(value) if key == "patternProperties" and value else []
        )
        for pattern in patterns:
            if isinstance(pattern, str) and not pattern_is_valid(pattern):
                what = "the pattern is not a regular expression"
                yield Finding((*path, key), what, shown(pattern), _PATTERN_RULE)
                return
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        yield Finding(
            ("config_schema", *error.absolute_path), "is not a JSON Schema", rule=shown(error.message)
        )


def _keywords(schema: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str, Any]]:
    """Every key of every mapping in the schema, with where it stands."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            yield path, key, value
            yield from _keywords(value, (*path, key))
    elif isinstance(schema, list):
        for position, value in enumerate(schema):
            yield from _keywords(value, (*path, position))


def _validator(schema: Any) -> Any:
    """Draft 2020-12 with linear patterns; one validator counts its own references."""
    left = iter(range(MAX_REFERENCES))

    def followed(name: str) -> Any:
        rule = Draft202012Validator.VALIDATORS[name]

        def follow(validator: Any, *arguments: Any) -> Iterator[ValidationError]:
            if next(left, None) is None:
                raise _TooIntricateError
            yield from rule(validator, *arguments) or ()

        return follow

    kind = extend(  # type: ignore[no-untyped-call]
        Draft202012Validator,
        {
            "pattern": _pattern,
            "patternProperties": _pattern_properties,
            "additionalProperties": _additional_properties,
            "$ref": followed("$ref"),
            "$dynamicRef": followed("$dynamicRef"),
        },
    )
    return kind(schema)


def _pattern(validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if validator.is_type(instance, "string") and not pattern_matches(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Any, patterns: Any, instance: Any, _schema: Any
) -> Iterator[ValidationError]:
    if validator.is_type(instance, "object"):
        for pattern, inner in patterns.items():
            for key, value in instance.items():
                if pattern_matches(pattern, key):
                    yield from validator.descend(value, inner, path=key, schema_path=pattern)


def _additional_properties(
    validator: Any, allowed: Any, instance: Any, schema: Any
) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    extra = [
        key
        for key in instance
        if key not in named and not any(pattern_matches(pattern, key) for pattern in patterns)
    ]
    if allowed is False and extra:
        listed = ", ".join(repr(key) for key in sorted(extra))
        yield ValidationError(f"Additional properties are not allowed ({listed})")
    elif isinstance(allowed, dict):
        for key in extra:
            yield from validator.descend(instance[key], allowed, path=key)
