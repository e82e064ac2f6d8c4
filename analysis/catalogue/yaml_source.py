"""Reading one YAML file with the line of every value, and nothing that YAML can do beyond data.

The scalars follow YAML 1.2's core schema, not 1.1: ``NO`` is the country and not false, ``12:30`` is text and
not 750, ``1e-3`` is a number. Instants stay text here; the models parse them.
"""

from __future__ import annotations

import errno
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import yaml

from fairsplit.analysis.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

KeyPath = tuple[str | int, ...]

MAX_BYTES = 1_000_000
MAX_DEPTH = 50
MAX_INTEGER_DIGITS = 30

#: The headings of docs/definitions.md by how a file's name begins.
_DESCRIBED = (
    ("experiments/", " under `experiments/<id>.yaml`"),
    ("flags/", " under `flags/<id>.yaml`"),
    ("segments/", " under `segments/<id>.yaml`"),
    ("syntheses/", " under `syntheses/<id>.yaml`"),
    ("schedules/", " under Content schedules"),
    ("project.yaml", " under `project.yaml`"),
    ("models/", " under Metrics"),
)

_CORE_SCALARS = (
    ("tag:yaml.org,2002:null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("tag:yaml.org,2002:int", r"[-+]?[0-9]+", list("-+0123456789")),
    (
        "tag:yaml.org,2002:float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+0123456789."),
    ),
)
_PLAIN_TAGS = {tag for tag, _, _ in _CORE_SCALARS} | {
    "tag:yaml.org,2002:str",
    "tag:yaml.org,2002:map",
    "tag:yaml.org,2002:seq",
}


class YamlFaultError(Exception):
    """A file that is not the plain YAML that the catalogue reads.

    Args:
        problem: What is wrong, with file and line.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = in_full(problem)


def in_full(problem: Problem) -> Problem:
    """A problem of a definition with a way out, on one line whatever the file's author put into a key or value.

    Where nothing better is known the hint says which part of the documentation describes the key.
    """
    hint = problem.hint
    if not hint:
        described = next((part for begin, part in _DESCRIBED if problem.where.startswith(begin)), "")
        hint = f"docs/definitions.md describes every key{described}"
    rule = problem.rule or "what docs/definitions.md says of the key"
    parts = (problem.what, problem.where, problem.value, rule, hint)
    return Problem(*("".join(sign if sign.isprintable() else " " for sign in part) for part in parts))


@dataclass(frozen=True, slots=True)
class Document:
    """One parsed file.

    Attributes:
        name: How messages name the file, relative to the catalogue with ``/``.
        data: The content as plain Python data.
        lines: For each path of keys and positions, the line (from 1) where that key or item stands.
    """

    name: str
    data: Any
    lines: Mapping[KeyPath, int]

    def place(self, path: KeyPath) -> str:
        """``file:line field`` of a path; the nearest enclosing line where the path itself does not exist."""
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        field = field_name(path)
        return f"{self.name}:{self.lines.get(known, 1)}" + (f" {field}" if field else "")


def field_name(path: KeyPath) -> str:
    """``("variants", 0, "id")`` as ``variants[0].id``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


class _PlainLoader(yaml.SafeLoader):
    """PyYAML's safe loader without anchors, with a depth limit and with YAML 1.2's scalars."""

    # PyYAML's hook for the meaning of plain scalars.
    yaml_implicit_resolvers = {}  # noqa: RUF012
    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose one node, refusing aliases (their expansion can be exponential) and deep nesting."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            self._refuse(f"alias '*{event.anchor}' is not allowed", event)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._refuse(f"nested deeper than {MAX_DEPTH} levels", event)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    @staticmethod
    def _refuse(what: str, event: yaml.Event) -> NoReturn:
        fault = yaml.MarkedYAMLError(problem=what)
        fault.problem_mark = event.start_mark  # type: ignore[assignment]
        raise fault


class _FastLoader(yaml.CSafeLoader):
    """The same scalars by libyaml: several times as fast, with poorer messages."""

    yaml_implicit_resolvers: Any = {}  # noqa: RUF012


for _tag, _pattern, _first in _CORE_SCALARS:
    for _loader in (_PlainLoader, _FastLoader):
        _loader.add_implicit_resolver(_tag, re.compile(rf"^(?:{_pattern})$"), _first)


def read_regular(path: Path) -> bytes:
    """The content of a file; whatever else has the name is not opened, for a pipe would be waited for.

    Raises:
        OSError: It is no regular file, or cannot be read.
    """
    if path.is_symlink() and not path.exists():
        raise OSError(errno.EINVAL, "a link that leads nowhere")
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "a folder" if stat.S_ISDIR(mode) else "a pipe, socket or device")
    return path.read_bytes()


def read_yaml(path: Path, name: str) -> Document:
    """Read a file as plain data.

    Args:
        path: The file.
        name: How messages name it.

    Returns:
        The data and the line of every key and item.

    Raises:
        YamlFaultError: The file is unreadable, not UTF-8, too large, not YAML, has an alias, a tag, a
            duplicate key or a key that is not text.
    """
    try:
        raw = read_regular(path)
    except OSError as error:
        hint = "replace it by a file that this user can read, or take it away"
        raise YamlFaultError(
            Problem("the file cannot be read", name, error.strerror or "", "a regular file", hint)
        ) from error
    if len(raw) > MAX_BYTES:
        raise YamlFaultError(
            Problem(
                "the file is too large",
                name,
                f"{len(raw)} bytes",
                f"at most {MAX_BYTES}",
                "take long values out of it",
            )
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise YamlFaultError(
            Problem(
                "the file is not UTF-8 text",
                f"{name}:{line}",
                f"byte {raw[error.start]:#04x}",
                "UTF-8",
                "save it as UTF-8",
            )
        ) from error
    return parse_yaml(text, name)


def parse_yaml(text: str, name: str) -> Document:
    """As `read_yaml`, from text."""
    try:
        # What libyaml refuses is read again, for the message and the line.
        node = _compose_fast(text) or _compose(text, _PlainLoader)
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise YamlFaultError(
            Problem(
                "the file holds a control character",
                f"{name}:{line}",
                f"#x{error.character:04x}",
                "plain text",
                "take the character away",
            )
        ) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        shown = "".join(text.splitlines()[line - 1 : line]).strip()[:80] or "its end"
        hint = "look at quotes, brackets and the indentation of this line and the one before"
        if error.problem and "could not find expected ':'" in error.problem:
            hint = "write `key: value`, with a space after the colon"
        raise YamlFaultError(
            Problem(
                f"not valid YAML: {error.problem or 'syntax error'}", f"{name}:{line}", shown, "YAML", hint
            )
        ) from error
    if node is None:
        raise YamlFaultError(Problem("the file is empty", f"{name}:1", "nothing", "a definition"))
    lines: dict[KeyPath, int] = {}
    data = _plain(node, (), lines, name)
    return Document(name, data, lines)


def _compose_fast(text: str) -> yaml.Node | None:
    depth = 0
    try:
        for event in yaml.parse(text, _FastLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent) or depth >= MAX_DEPTH:
                return None
        return _compose(text, _FastLoader)
    except yaml.YAMLError:
        return None


def _compose(text: str, loader_class: type[_PlainLoader | _FastLoader]) -> yaml.Node | None:
    loader = loader_class(text)
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


def _plain(node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int], name: str) -> Any:
    line = node.start_mark.line + 1
    lines.setdefault(path, line)
    if node.tag not in _PLAIN_TAGS:
        raise YamlFaultError(
            Problem(
                "a YAML tag is not allowed",
                f"{name}:{line} {field_name(path)}",
                node.tag,
                "plain text, numbers, lists and mappings",
                "take the tag away",
            )
        )
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*path, position), lines, name) for position, item in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = _key(key_node, path, name)
            key_line = key_node.start_mark.line + 1
            inner = (*path, key)
            if key in result:
                raise YamlFaultError(
                    Problem(
                        f"key '{key}' is given twice",
                        f"{name}:{key_line} {field_name(inner)}",
                        key,
                        f"once only; the first is on line {lines[inner]}",
                        "take one of them away",
                    )
                )
            lines[inner] = key_line
            result[key] = _plain(value_node, inner, lines, name)
        return result
    return _scalar(node, f"{name}:{line} {field_name(path)}")


def _key(node: yaml.Node, path: KeyPath, name: str) -> str:
    if not isinstance(node, yaml.ScalarNode) or node.tag not in _PLAIN_TAGS:
        where = f"{name}:{node.start_mark.line + 1} {field_name(path)}".rstrip()
        value = str(node.value) if isinstance(node, yaml.ScalarNode) else "a list or a mapping"
        raise YamlFaultError(Problem("a key must be text", where, value, "one text", "put the key in quotes"))
    return str(node.value)


def _scalar(node: yaml.Node, where: str) -> str | int | float | bool | None:
    text = str(node.value)
    match node.tag.rsplit(":", 1)[1]:
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            if len(text) > MAX_INTEGER_DIGITS:
                raise YamlFaultError(
                    Problem(
                        "an integer is too long",
                        where,
                        text[:80],
                        f"≤ {MAX_INTEGER_DIGITS} digits",
                        "put it in quotes if it is a text",
                    )
                )
            return int(text)
        case "float":
            named = text.lower()
            return float(named.replace(".inf", "inf").replace(".nan", "nan"))
    return text
