"""An application whose options may be given once, unless they are lists: the last one would win in silence."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand

from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.errors import OrchestrationError

if TYPE_CHECKING:
    from collections.abc import Callable


class OnceCommand(TyperCommand):
    """A command that refuses an option given twice."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse options that are no lists and come more than once."""
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        for option, times in Counter(order).items():
            if times > 1 and not option.multiple and option.param_type_name == "option":
                raise OrchestrationError(
                    Problem("is given twice", option.opts[0], rule="once", hint="the last one would win")
                )
        return super().parse_args(ctx, args)


class App(typer.Typer):
    """A Typer application of such commands."""

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Any], Any]:
        """Register a command."""
        return super().command(name, cls=OnceCommand, **settings)
