"""The truth cases' method names, each tied to the engine's public functions; no statistics in here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairsplit.analysis.errors import FairsplitError
from tests.truth import fixed, other, sequential

if TYPE_CHECKING:
    from collections.abc import Callable

METHODS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    **fixed.METHODS,
    **sequential.METHODS,
    **other.METHODS,
}


def answer(case: dict[str, Any]) -> dict[str, Any]:
    """Run one case `{id, method, inputs}`; a fault becomes `{code, message}` and stops no other case."""
    identity = case.get("id")
    method = METHODS.get(case.get("method", ""))
    if method is None:
        return {
            "id": identity,
            "error": {"code": "unknown_method", "message": f"no method {case.get('method')!r}"},
        }
    try:
        return {"id": identity, "outputs": plain(method(case["inputs"]))}
    except FairsplitError as error:
        code = getattr(error, "code", type(error).__name__)
        return {"id": identity, "error": {"code": code, "message": str(error)}}
    except (KeyError, TypeError, ValueError, ArithmeticError, IndexError) as error:
        return {"id": identity, "error": {"code": type(error).__name__, "message": str(error)}}


def plain(value: Any) -> Any:
    """Arrays and NumPy scalars as JSON values; not-a-number as null."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and value != value:  # noqa: PLR0124 - the one number that differs from itself
        return None
    return value
