"""Waiting for pages whose policy forbids what Playwright's own waiting evaluates in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: That every chart of a page stands.
DRAWN = "[...document.querySelectorAll('.plot')].every(plot => plot.dataset.drawn)"
_PAUSE_MS = 50
_LONGEST_MS = 30_000


def until(page: Page, condition: str, step: str = "") -> None:
    """Asks a page from outside until a condition holds.

    `Page.wait_for_function` evaluates a string inside the page at each poll, which its Content-Security-Policy
    forbids: it works only where the first poll is already true.

    Args:
        page: Open.
        condition: JavaScript expression.
        step: JavaScript to run before each further question.

    Raises:
        AssertionError: If it does not hold after half a minute of waiting.
    """
    for _ in range(0, _LONGEST_MS, _PAUSE_MS):
        if page.evaluate(condition):
            return
        if step:
            page.evaluate(step)
        page.wait_for_timeout(_PAUSE_MS)
    raise AssertionError(f"{page.url}: {condition} never held")
