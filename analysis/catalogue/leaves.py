"""Leaves of a contextual bandit: contexts with weights of their own, by levels of declared segments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field

from fairsplit.analysis.catalogue.conditions import Condition
from fairsplit.analysis.catalogue.fields import Items, Share, Strict, Text, VariantId

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: The level of a unit whose exposure does not carry the attribute.
UNKNOWN: Final = "unknown"
#: Prefix of a segment that is a property of the event: the SDK's caller names the attribute without it.
_PROPERTY: Final = "properties."


class Leaf(Strict):
    """Contexts that share weights: those whose level of each named feature is one of these."""

    when: Annotated[dict[Text, Annotated[Items[Text], Field(min_length=1)]], Field(min_length=1)]
    """Levels by feature; all named features must fit. Features that are not named may have any level."""
    weights: dict[VariantId, Share]
    """Share of the participants per variant; sums to 1."""

    def fits(self, context: Mapping[str, str]) -> bool:
        """Whether a context is one of the leaf's.

        Args:
            context: Level by feature; one that is missing is `UNKNOWN`.
        """
        return all(context.get(feature, UNKNOWN) in levels for feature, levels in self.when.items())

    def covers(self, other: Leaf) -> bool:
        """Whether every context of another leaf is one of this one's."""
        return all(
            feature in other.when and set(other.when[feature]) <= set(levels)
            for feature, levels in self.when.items()
        )

    @property
    def condition(self) -> Condition:
        """What an SDK asks of a subject's attributes."""
        return Condition(all=tuple(_level_test(feature, levels) for feature, levels in self.when.items()))


def attribute_of(feature: str) -> str:
    """The attribute by which an SDK's caller gives a feature."""
    return feature.removeprefix(_PROPERTY)


def leaf_of(leaves: Sequence[Leaf], context: Mapping[str, str]) -> int:
    """The number, from 1, of the first leaf that a context is in; 0 where it is in none."""
    return next((number for number, leaf in enumerate(leaves, start=1) if leaf.fits(context)), 0)


def _level_test(feature: str, levels: Sequence[str]) -> Condition:
    attribute = attribute_of(feature)
    named = Condition.model_validate({"attribute": attribute, "in": list(levels)})
    if UNKNOWN not in levels:
        return named
    return Condition(any=(named, Condition(attribute=attribute, is_null=True)))
