"""File names of pages."""

from __future__ import annotations

import hashlib
import re

_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}\Z")


def safe_name(name: str) -> str:
    """A file name for a page: the name itself where it is a slug, else a hash, so that text never is a path.

    >>> safe_name("checkout_cta")
    'checkout_cta'
    >>> safe_name("../etc")[:2]
    'x-'
    """
    return name if _SAFE_NAME.match(name) else "x-" + hashlib.sha256(name.encode()).hexdigest()[:16]
