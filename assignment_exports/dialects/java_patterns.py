r"""Patterns of the catalogue as Java's engine, which is Spark's, must be told them.

Both engines read most of a pattern alike and some of it otherwise: in Java ``$`` stands before a last line break too,
``.`` shuns five line breaks, ``a*+`` gives nothing back, ``(?i)`` and ``\w`` know ASCII only, and classes follow other
rules. So nothing is passed on as it is: whatever stands for one character is asked of Rust's own engine and written as
the plain class of what it found, the rest is written in forms that both read alike, and what has none is refused.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from fairsplit.analysis.errors import Problem
from fairsplit.assignment_exports.errors import ExportError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TOKEN: Final = re.compile(
    r"""
      \(\?(?P<on>[is]*)(?:-(?P<off>[is]+))?(?P<end>[:)])        # flags, for the rest of the group or for an own one
    | (?P<open>\((?:(?!\?)|\?P?<[^>]+>))                        # a group that captures
    | (?P<close>\))
    | (?P<or>\|)
    | (?P<first>\^|\\A)
    | (?P<last>\$|\\z)
    | (?P<word>\\[bB](?!\{))
    | (?P<times>[*+?]|\{[0-9]+(?:,[0-9]*)?\})\??                # greed does not decide whether there is a match
    | (?P<one>
        \\(?:[pPxuU]\{[^}]*\}|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|[pP].|[^<>AzbB])
      | \[\^?\]?(?:[^\[\]\\]|\\.|\[\^?\]?(?:[^\[\]\\]|\\.)*\])*\]  # a class, and classes inside it
      | [^\[(){*+?|\\^$]
      )
    """,
    re.VERBOSE | re.DOTALL,
)
_SURROGATES: Final = slice(0xD800, 0xE000)
_LAST: Final = 0x10FFFF


@lru_cache(maxsize=1_000)
def java_pattern(pattern: str) -> str:
    r"""A pattern of Java's that is found in the same texts.

    Only ``\b`` and ``\B`` follow Java's own tables: they know the letters of its version of Unicode (13 in Java 17).

    Args:
        pattern: A pattern that Rust's engine takes.

    Raises:
        ExportError: The pattern has flags other than ``i`` and ``s``, a repetition of a repetition, or a form that
            is neither of the common ones.
    """
    parts: list[str] = []
    # Flags of the groups that are open; a group's flags end with it.
    flags: list[frozenset[str]] = [frozenset()]
    place, repeatable = 0, False
    while place < len(pattern):
        found = _TOKEN.match(pattern, place)
        if found is None or (found["times"] and not repeatable):
            raise ExportError(
                Problem(
                    "Java's engine, which is Spark's, may read the pattern otherwise",
                    value=pattern,
                    rule="no flags but i and s, no repetition of a repetition, no word starts and ends",
                    hint=f"see what begins with '{pattern[place : place + 10]}'",
                )
            )
        place, kind = found.end(), found.lastgroup
        repeatable = kind not in {"times", "end"}
        if kind == "end":
            own = (flags[-1] | set(found["on"])) - set(found["off"] or "")
            flags = [*flags, own] if found["end"] == ":" else [*flags[:-1], own]
            parts.append("(?:" if found["end"] == ":" else "")
        elif kind == "open":
            flags.append(flags[-1])
            parts.append("(?:")
        elif kind == "close":
            flags.pop()
            parts.append(")")
        elif kind == "one":
            parts.append(_class(found[0], flags[-1]))
        else:
            fixed = {"or": "|", "first": r"\A", "last": r"\z", "word": f"(?U:{found[0]})"}
            parts.append(fixed.get(str(kind), found["times"]))
    return "".join(parts)


def _class(written: str, flags: frozenset[str]) -> str:
    """What stands for one character: itself, or the class of what Rust's engine finds it to be."""
    if len(written) == 1 and written != "." and "i" not in flags:
        return _sign(ord(written))
    texts, codes = _characters()
    letters = "".join(sorted(flags))
    found = texts.str.contains(rf"\A{f'(?{letters})' if letters else ''}{written}\z").to_numpy()
    members = np.zeros(_LAST + 1, dtype=bool)
    members[codes[found]] = True
    members[_SURROGATES] = members[
        _SURROGATES.start - 1
    ]  # no text has them, and so a range may run over them
    outside = bool(members[_LAST])
    edges = np.flatnonzero(np.diff(members ^ outside, prepend=False, append=False))
    spans = [(int(first), int(end) - 1) for first, end in edges.reshape(-1, 2)]
    if not spans:
        spans, outside = [(0, _LAST)], not outside
    if len(spans) == 1 and spans[0][0] == spans[0][1] and not outside:
        return _sign(spans[0][0])
    listed = (_sign(first) + ("" if first == last else f"-{_sign(last)}") for first, last in spans)
    return f"[{'^' if outside else ''}{''.join(listed)}]"


@lru_cache(maxsize=1)
def _characters() -> tuple[pl.Series, NDArray[np.int64]]:
    """Every character there is, as a text, and its code point."""
    codes = np.delete(np.arange(_LAST + 1), _SURROGATES)
    return pl.Series([chr(code) for code in codes]), codes


def _sign(code: int) -> str:
    sign = chr(code)
    if sign.isascii() and sign.isprintable():
        return sign if sign.isalnum() or sign in " _" else f"\\{sign}"
    return f"\\x{{{code:X}}}"
