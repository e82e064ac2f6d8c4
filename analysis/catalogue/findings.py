"""From what went wrong at a path of a document to a `Problem` with its line and a hint."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from fairsplit.analysis.catalogue.yaml_source import in_full
from fairsplit.analysis.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic_core import ErrorDetails

    from fairsplit.analysis.catalogue.yaml_source import Document, KeyPath

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
#: How YAML writes each.
_WRITTEN = {
    "text": "a word, or text in quotes",
    "a whole number": "digits without quotes",
    "a number": "digits without quotes",
    "true or false": "without quotes",
    "a list": "items that begin with `- `",
    "a mapping of keys to values": "lines of `key: value`",
}
_BOUNDS = {"greater_than": ">", "greater_than_equal": "≥", "less_than": "<", "less_than_equal": "≤"}
_SIZES = {
    "string_too_long": ("is too long", "max_length", "characters ≤"),
    "too_short": ("has too few items", "min_length", "≥"),
    "too_long": ("has too many items", "max_length", "≤"),
}
_PLAIN = {
    "finite_number": ("is not a finite number", "digits"),
    "string_too_short": ("is empty", "one character or more"),
}
_PATTERNS = {
    "^[a-z0-9](?:_?[a-z0-9-])*$": "a slug: lower-case letters, digits, - and single _",
    "^[A-Za-z0-9][A-Za-z0-9_.-]*$": "letters, digits, _, . and -, starting with a letter or digit",
    "^[A-Za-z_][A-Za-z0-9_.-]*$": "letters, digits, _, . and -, starting with a letter or _",
    r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$": "the name of a custom part, such as robust.trimmed_mean",
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
        """The finding with its file and line, the value that stands there, and where its key is described."""
        value = self.value or _standing(document.data, self.path)
        return in_full(Problem(self.what, document.place(self.path), value, self.rule, self.hint))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean 'x'?`` for the closest known word, or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean '{close[0]}'?" if close else ""


def shown(value: Any) -> str:
    """A value as a message quotes it: one line, at most 80 characters."""
    text = value if isinstance(value, str) else repr(value)
    text = "".join(character if character.isprintable() else " " for character in text)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _standing(data: Any, path: KeyPath) -> str:
    """What a document holds at a path, as a message quotes it."""
    for part in path:
        inside = (isinstance(data, dict) and part in data) or (
            isinstance(data, list) and isinstance(part, int) and part < len(data)
        )
        if not inside:
            return "nothing"
        data = data[part]
    if data is None or data == "":
        return "nothing"
    return shown(data if isinstance(data, str) else json.dumps(data, ensure_ascii=False))


def parse_model(model: type[Model], document: Document) -> Model | list[Problem]:
    """The document as a model, or everything that its shape violates."""
    try:
        return model.model_validate(document.data, by_alias=True, by_name=False)
    except ValidationError as error:
        details = error.errors(include_url=False)
        return [_shape_finding(model, detail, document).problem(document) for detail in details]


def _shape_finding(model: type[BaseModel], detail: ErrorDetails, document: Document) -> Finding:
    path = _path(detail["loc"], document, is_missing=detail["type"] == "missing")
    kind, context, value = detail["type"], detail.get("ctx", {}), detail["input"]
    last = str(path[-1]) if path else ""
    quoted = "" if isinstance(value, dict | list | tuple | BaseModel) or value is None else shown(value)
    if kind == "extra_forbidden":
        keys = _keys(model, path[:-1])
        rule = f"one of: {', '.join(keys)}"
        hint = did_you_mean(last, keys) or "take the key away"
        return Finding(path, f"unknown key '{shown(last)}'", quoted, rule, hint)
    if kind == "missing":
        return Finding(path, f"key '{last}' is missing", "nothing", "must be given", f"add `{last}: …`")
    if kind == "literal_error":
        choices = [choice.strip("'") for choice in str(context["expected"]).replace(" or ", ", ").split(", ")]
        rule = f"one of: {', '.join(choices)}"
        hint = did_you_mean(quoted, choices) or "write one of these"
        return Finding(path, "is not one of the choices", quoted, rule, hint)
    if kind == "fairsplit":
        return Finding(path, context["what"], quoted, context["rule"], context["hint"])
    return Finding(path, *_value_fault(detail, quoted))


def _value_fault(detail: ErrorDetails, quoted: str) -> tuple[str, str, str]:
    """What, value and rule of a fault that concerns one value alone."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in _KINDS:
        return f"must be {_KINDS[kind]}", quoted or _noun(detail["input"]), _WRITTEN[_KINDS[kind]]
    if kind in _BOUNDS:
        return "is out of range", quoted, f"must be {_BOUNDS[kind]} {next(iter(context.values())):g}"
    if kind in _SIZES:
        what, bound, sign = _SIZES[kind]
        return what, quoted or str(context.get("actual_length", "")), f"{sign} {context[bound]}"
    if kind == "string_pattern_mismatch":
        pattern = str(context["pattern"])
        return "has characters that are not allowed", quoted, _PATTERNS.get(pattern, pattern)
    what, rule = _PLAIN.get(kind, (detail["msg"], f"as {detail['type'].replace('_', ' ')} asks"))
    return what, quoted, rule


def _noun(value: Any) -> str:
    if value is None:
        return "nothing"
    return "a list" if isinstance(value, list | tuple) else "a mapping"


def _path(location: tuple[str | int, ...], document: Document, *, is_missing: bool) -> KeyPath:
    # Pydantic marks a fault of a mapping's key, and the branch of a union, as extra steps not in the file.
    path: KeyPath = ()
    for part in location:
        if (*path, part) in document.lines or (is_missing and part == location[-1]):
            path = (*path, part)
    return path


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
