"""Random conditions: trees over the tests that a target can express."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


def trees(leaves: SearchStrategy[Any], max_leaves: int = 6) -> SearchStrategy[Any]:
    """Conditions as they are written, nested by ``all``, ``any`` and ``not``.

    Args:
        leaves: Single tests.
        max_leaves: About how many of them a tree has at most.
    """
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds(lambda parts: {"all": parts}, st.lists(inner, min_size=1, max_size=3)),
            st.builds(lambda parts: {"any": parts}, st.lists(inner, min_size=1, max_size=3)),
            st.builds(lambda part: {"not": part}, inner),
        ),
        max_leaves=max_leaves,
    )
