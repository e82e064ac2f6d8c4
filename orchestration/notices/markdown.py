"""Text as Markdown that reads well unrendered too: a mark is escaped only where a renderer would take it for one.

The rules are those of CommonMark 0.31 (https://spec.commonmark.org/0.31.2/) with GitHub's strikethrough.
"""

from __future__ import annotations

import re

# A mark inside a line. An underscore between letters or digits is no emphasis, a `<` before a space or digit no tag.
_MARKS = re.compile(r"[\\`*~\[]|(?<![^\W_])_|_(?![^\W_])|<(?=[A-Za-z/!?])|&(?=#?\w+;)")


def text(value: str) -> str:
    r"""A sentence for the middle of a line: what it shows is what was given, line breaks as spaces.

    >>> text("checkout_cta: +4.6% (p <0.001)"), text("*won*")
    ('checkout_cta: +4.6% (p <0.001)', '\\*won\\*')
    """
    return _MARKS.sub(r"\\\g<0>", " ".join(value.split()))
