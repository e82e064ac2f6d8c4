"""From what went wrong at a path of a document to a `Problem` with its line and a hint."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from analysis.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic_core import ErrorDetails

    from analysis.catalogue.yaml_source import Document, KeyPath

Model = TypeVar("Model", bound=BaseModel)

_KINDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
}
_BOUNDS = {"greater_than": ">", "greater_than_equal": "≥", "less_than": "<", "less_than_equal": "≤"}
_PATTERNS = {
    "^[a-z0-9](?:_?[a-z0-9-])*$": "a slug: lower-case letters, digits, - and single _",
    "^[A-Za-z0-9][A-Za-z0-9_.-]*$": "letters, digits, _, . and -, starting with a letter or digit",
    "^[A-Za-z_][A-Za-z0-9_.-]*$": "letters, digits, _, . and -, starting with a letter or _",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault at a path of a document, before it has a line."""

    path: KeyPath
    what: str
    value: str = ""
    rule: str = ""
    hint: str = ""

    def problem(self, document: Document) -> Problem:
        """The finding with its file and line."""
        return Problem(self.what, document.place(self.path), self.value, self.rule, self.hint)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean 'x'?`` for the closest known word, or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean '{close[0]}'?" if close else ""


def shown(value: Any) -> str:
    """A value as a message quotes it: one line, at most 80 characters."""
    text = value if isinstance(value, str) else repr(value)
    text = "".join(character if character.isprintable() else " " for character in text)
    return text if len(text) <= 80 else f"{text[:77]}..."


def parse_model(model: type[Model], document: Document) -> Model | list[Problem]:
    """The document as a model, or everything that its shape violates."""
    try:
        return model.model_validate(document.data, by_alias=True, by_name=False)
    except ValidationError as error:
        details = error.errors(include_url=False)
        return [_shape_finding(model, detail).problem(document) for detail in details]


def _shape_finding(model: type[BaseModel], detail: ErrorDetails) -> Finding:
    path = _path(detail["loc"])
    kind, context, value = detail["type"], detail.get("ctx", {}), detail["input"]
    last = str(path[-1]) if path else ""
    quoted = "" if isinstance(value, dict | list | BaseModel) or value is None else shown(value)
    match kind:
        case "extra_forbidden":
            keys = _keys(model, path[:-1])
            return Finding(
                path,
                f"unknown key '{shown(last)}'",
                "",
                f"one of: {', '.join(keys)}",
                did_you_mean(last, keys),
            )
        case "missing":
            return Finding(path, f"key '{last}' is missing")
        case "literal_error":
            expected = [
                str(choice).strip("'") for choice in context["expected"].replace(" or ", ", ").split(", ")
            ]
            return Finding(
                path,
                "is not one of the choices",
                quoted,
                f"one of: {', '.join(expected)}",
                did_you_mean(quoted, expected),
            )
        case "fairsplit":
            return Finding(path, context["what"], quoted, context["rule"], context["hint"])
        case "finite_number":
            return Finding(path, "is not a finite number", quoted)
        case "string_pattern_mismatch":
            pattern = str(context["pattern"])
            return Finding(
                path, "has characters that are not allowed", quoted, _PATTERNS.get(pattern, pattern)
            )
        case "string_too_short":
            return Finding(path, "is empty")
        case "string_too_long":
            return Finding(path, "is too long", quoted, f"≤ {context['max_length']} characters")
        case "too_short":
            return Finding(
                path, "has too few items", str(context["actual_length"]), f"≥ {context['min_length']}"
            )
        case "too_long":
            return Finding(
                path, "has too many items", str(context["actual_length"]), f"≤ {context['max_length']}"
            )
    if kind in _KINDS:
        return Finding(path, f"must be {_KINDS[kind]}", quoted or _noun(value))
    if kind in _BOUNDS:
        bound = next(iter(context.values()))
        return Finding(path, "is out of range", quoted, f"must be {_BOUNDS[kind]} {bound:g}")
    return Finding(path, detail["msg"], quoted)


def _noun(value: Any) -> str:
    if value is None:
        return "nothing"
    return "a list" if isinstance(value, list | tuple) else "a mapping"


def _path(location: tuple[str | int, ...]) -> KeyPath:
    # Pydantic marks a fault of a mapping's key, and the branch of a union, as extra steps: neither is in the file.
    skip = {"[key]", "str", "bool", "int", "float"}
    return tuple(part for part in location if part not in skip)


def _keys(model: type[BaseModel], path: KeyPath) -> list[str]:
    """The keys that are allowed at a path of a model, aliases as the user writes them."""
    current: type[BaseModel] = model
    for part in path:
        if isinstance(part, int):
            continue
        field = next(
            (field for name, field in current.model_fields.items() if (field.alias or name) == part), None
        )
        inner = _model_in(field.annotation) if field is not None else None
        current = inner or current
    return sorted(field.alias or name for name, field in current.model_fields.items())


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(argument) for argument in get_args(annotation))
    return next((model for model in found if model is not None), None)
