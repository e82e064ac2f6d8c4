"""One page with everything that it needs inside, to be sent as a file."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_STYLE = re.compile(r'<link rel="stylesheet" href="\.\./assets/([\w.]+)">')
_SCRIPT = re.compile(r'<script src="\.\./assets/([\w.]+)" defer></script>')
_POLICY = re.compile(r'(<meta http-equiv="Content-Security-Policy" content=")[^"]*(">)')
_SITE = re.compile(r'<nav aria-label="Site">.*?</nav>', re.DOTALL)
_AWAY = re.compile(r'<a (?:class="brand" )?href="\.\./[^"]*"[^>]*>(.*?)</a>', re.DOTALL)


def self_contained(page: str, assets: Mapping[str, str]) -> str:
    """The page of one experiment as a file that asks for nothing beside itself.

    Styles and scripts stand inside; only these very scripts may run, by their hashes. Links into the rest of the site
    become their words.

    Args:
        page: A page of the site one folder below its root.
        assets: Text of the site's assets by name.
    """
    scripts = [assets[name].replace("</script", "<\\/script") for name in _SCRIPT.findall(page)]
    hashes = " ".join(f"'sha256-{_sha256(text)}'" for text in scripts) or "'none'"
    policy = (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'"
    )
    page = _POLICY.sub(lambda found: found[1] + policy + found[2], page, count=1)
    page = _STYLE.sub(lambda found: f"<style>\n{assets[found[1]]}</style>", page)
    page = _AWAY.sub(lambda found: found[1], _SITE.sub("", page))
    remaining = iter(scripts)
    return _SCRIPT.sub(lambda _: f"<script>{next(remaining)}</script>", page)


def _sha256(text: str) -> str:
    return b64encode(hashlib.sha256(text.encode()).digest()).decode()
