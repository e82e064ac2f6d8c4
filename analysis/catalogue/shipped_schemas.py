"""Config schemas that a definition may name in place of writing its own: a page, and a picture that links show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_TEXT: dict[str, Any] = {"type": "string", "maxLength": 2_000}
_COLOR: dict[str, Any] = {"type": "string", "pattern": "^#([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6}|[0-9A-Fa-f]{8})$"}
_MILLISECONDS: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": 60_000}
_PIXELS: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": 10_000}


def _closed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


_COLORS = _closed(
    **dict.fromkeys(("primary", "secondary", "accent", "background", "text", "success", "error"), _COLOR)
)
_TYPOGRAPHY = _closed(
    font_family=_TEXT,
    heading_family=_TEXT,
    size_pixels=_PIXELS,
    weight={"type": "integer", "minimum": 100, "maximum": 900, "multipleOf": 100},
    line_height={"type": "number", "exclusiveMinimum": 0, "maximum": 5},
    letter_spacing_em={"type": "number", "minimum": -1, "maximum": 1},
)
_FILTERS: dict[str, Any] = {
    "type": "array",
    "maxItems": 20,
    "items": _closed(
        kind={
            "enum": [
                "blur",
                "brightness",
                "contrast",
                "grayscale",
                "hue_rotate",
                "invert",
                "saturate",
                "sepia",
            ]
        },
        amount={"type": "number"},
    )
    | {"required": ["kind", "amount"]},
}
_ANIMATIONS: dict[str, Any] = {
    "type": "array",
    "maxItems": 20,
    "items": _closed(
        kind={"enum": ["fade", "slide", "scale", "rotate", "bounce", "none"]},
        target=_TEXT,
        duration_milliseconds=_MILLISECONDS,
        delay_milliseconds=_MILLISECONDS,
        easing={"enum": ["linear", "ease", "ease_in", "ease_out", "ease_in_out"]},
        repeat={"type": "integer", "minimum": 0, "maximum": 1_000},
    )
    | {"required": ["kind"]},
}
_COMMON: dict[str, Any] = {
    "title": _TEXT,
    "description": _TEXT,
    "theme": _TEXT,
    "colors": _COLORS,
    "typography": _TYPOGRAPHY,
    "filters": _FILTERS,
    "custom": {"type": "object"},
}

#: By the name that `config_schema` takes. What none of the keys says goes under `custom`.
SHIPPED: Mapping[str, dict[str, Any]] = {
    "page": _closed(
        **_COMMON,
        image=_TEXT,
        layout=_closed(
            template=_TEXT,
            columns={"type": "integer", "minimum": 1, "maximum": 12},
            alignment={"enum": ["left", "center", "right"]},
            spacing_pixels={"type": "integer", "minimum": 0, "maximum": 1_000},
            order={"type": "array", "items": _TEXT, "uniqueItems": True, "maxItems": 100},
        ),
        animations=_ANIMATIONS,
    ),
    "image": _closed(
        **_COMMON,
        subtitle=_TEXT,
        image=_TEXT,
        width_pixels=_PIXELS,
        height_pixels=_PIXELS,
        format={"enum": ["png", "jpeg", "webp", "svg"]},
        template=_TEXT,
        background=_COLOR,
        padding_pixels={"type": "integer", "minimum": 0, "maximum": 1_000},
    ),
}
