"""The one shape of every error a user sees: what, where, value, rule, hint."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, told so that the reader can mend it.

    Attributes:
        what: The fault in one clause, for example ``weights do not sum to 1``.
        where: File, line and field, or command and option; empty when there is no place.
        value: The offending value as text; empty when there is none.
        rule: What would be accepted.
        hint: The next thing to try; empty when there is nothing better than the rule.
    """

    what: str
    where: str = ""
    value: str = ""
    rule: str = ""
    hint: str = ""

    def __str__(self) -> str:
        """One line: ``where: what (value: rule). hint``, leaving out what is empty."""
        place = f"{self.where}: " if self.where else ""
        detail = ": ".join(part for part in (self.value, self.rule) if part)
        detail = f" ({detail})" if detail else ""
        hint = f". Hint: {self.hint}" if self.hint else ""
        return f"{place}{self.what}{detail}{hint}"


class FairsplitError(Exception):
    """Base of all errors that a user can mend; the command line prints them without a traceback.

    Args:
        problem: What is wrong.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class AnalysisError(FairsplitError):
    """Base of the errors that `analysis` raises."""
