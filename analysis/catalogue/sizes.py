"""How large an effect or a harm a definition speaks of: a share of the control, or an amount in the metric's unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, GetJsonSchemaHandler, model_serializer, model_validator

from fairsplit.analysis.catalogue.fields import Strict, fault

if TYPE_CHECKING:
    from pydantic_core import CoreSchema

_ABOVE_ZERO = {"type": "number", "exclusiveMinimum": 0}


class Size(Strict):
    """A plain number is a share of the control's absolute value; `{absolute: 0.5}` is in the metric's own unit."""

    relative: Annotated[float | None, Field(gt=0)] = None
    absolute: Annotated[float | None, Field(gt=0)] = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return value if isinstance(value, dict | Size) else {"relative": value}

    @model_validator(mode="after")
    def _one_of_both(self) -> Size:
        if (self.relative is None) == (self.absolute is None):
            raise fault(
                "is neither a number nor an amount", "a number above 0, or {absolute: a number above 0}"
            )
        return self

    @model_serializer
    def _as_written(self) -> float | dict[str, float]:
        return self.relative if self.absolute is None else {"absolute": self.absolute}  # type: ignore[return-value]

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {
            "anyOf": [
                _ABOVE_ZERO,
                {
                    "type": "object",
                    "properties": {"absolute": _ABOVE_ZERO},
                    "required": ["absolute"],
                    "additionalProperties": False,
                },
            ]
        }

    @property
    def value(self) -> float:
        """The number, whichever of the two it is."""
        return self.relative if self.absolute is None else self.absolute  # type: ignore[return-value]

    @property
    def is_absolute(self) -> bool:
        """Whether it is in the metric's own unit."""
        return self.absolute is not None
