"""Derived metrics as sums of measures, or as the quotient of two: what adds up over events keeps exact moments.

`expr` of a derived metric is arithmetic over its inputs. Whatever comes out as Σ cᵢ·measureᵢ, or as one such sum
over another, is computed: a sum of measures is itself a measure, and a quotient is a ratio. Products of inputs are
not sums over events, and are refused.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

Form = dict[str, Fraction]
"""Σ coefficient · name; the name "" is the constant 1."""

_ONE: Final[Form] = {"": Fraction(1)}
_LONGEST: Final = 1_000


class NotASumError(ValueError):
    """The expression is no sum of its inputs, and no quotient of two sums."""


@dataclass(frozen=True, slots=True)
class Quotient:
    """One form over another.

    Attributes:
        top: The numerator.
        bottom: The denominator; the constant 1 for a plain sum.
    """

    top: Form
    bottom: Form

    @property
    def is_ratio(self) -> bool:
        """Whether anything but a constant is divided by."""
        return set(self.bottom) != {""}


def single(name: str) -> Quotient:
    """One measure."""
    return Quotient({name: Fraction(1)}, _ONE)


def combine(expr: str, inputs: Mapping[str, Quotient]) -> Quotient:
    """The value of an expression.

    Args:
        expr: Arithmetic with + - * / and parentheses over names and numbers.
        inputs: What each name stands for.

    Returns:
        The quotient, its denominator 1 where nothing but numbers is divided by.

    Raises:
        NotASumError: With what is wrong as its message.

    >>> combine("(a - b) / b", {"a": single("a"), "b": single("b")}).top
    {'a': Fraction(1, 1), 'b': Fraction(-1, 1)}
    """
    if len(expr) > _LONGEST:
        raise NotASumError(f"longer than {_LONGEST} characters")
    try:
        tree = ast.parse(" ".join(expr.split()), mode="eval").body
        value = _value(tree, inputs)
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise NotASumError("no arithmetic expression") from error
    if not value.is_ratio:
        value = Quotient(_scaled(value.top, 1 / value.bottom[""]), _ONE)
    if not value.top or not value.bottom:
        raise NotASumError("nothing is left of it")
    if "" in value.top or (value.is_ratio and "" in value.bottom):
        raise NotASumError("a constant is added, which is no sum over events")
    return value


def divided(top: Quotient, bottom: Quotient) -> Quotient:
    """One quotient over another.

    Raises:
        NotASumError: It would need a product of two sums.
    """
    if top.bottom == bottom.bottom:
        return Quotient(top.top, bottom.top)
    return Quotient(_times(top.top, bottom.bottom), _times(top.bottom, bottom.top))


def _value(node: ast.expr, inputs: Mapping[str, Quotient]) -> Quotient:
    match node:
        case ast.Name(id=name):
            if name not in inputs:
                raise NotASumError(f"'{name}' is none of its inputs ({', '.join(inputs)})")
            return inputs[name]
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            exact = Fraction(ast.unparse(node))
            return Quotient({"": exact} if exact else {}, _ONE)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            value = _value(operand, inputs)
            return Quotient(_scaled(value.top, Fraction(-1)), value.bottom)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _value(operand, inputs)
        case ast.BinOp(left=left, op=op, right=right):
            return _operated(_value(left, inputs), op, _value(right, inputs))
    raise NotASumError(f"'{ast.unparse(node)}' is more than + - * / over names and numbers")


def _operated(one: Quotient, op: ast.operator, other: Quotient) -> Quotient:
    match op:
        case ast.Add():
            return _plus(one, other)
        case ast.Sub():
            return _plus(one, Quotient(_scaled(other.top, Fraction(-1)), other.bottom))
        case ast.Mult():
            return Quotient(_times(one.top, other.top), _times(one.bottom, other.bottom))
        case ast.Div():
            if not other.top:
                raise NotASumError("it divides by zero")
            return divided(one, other)
    raise NotASumError("only + - * / are computed")


def _plus(one: Quotient, other: Quotient) -> Quotient:
    if one.bottom == other.bottom:
        return Quotient(_sum(one.top, other.top), one.bottom)
    return Quotient(
        _sum(_times(one.top, other.bottom), _times(other.top, one.bottom)), _times(one.bottom, other.bottom)
    )


def _sum(one: Form, other: Form) -> Form:
    total = {name: one.get(name, Fraction(0)) + other.get(name, Fraction(0)) for name in (*one, *other)}
    return {name: factor for name, factor in total.items() if factor}


def _times(one: Form, other: Form) -> Form:
    if set(one) <= {""}:
        return _scaled(other, one.get("", Fraction(0)))
    if set(other) <= {""}:
        return _scaled(one, other.get("", Fraction(0)))
    raise NotASumError("two of its inputs are multiplied, or quotients of different denominators added")


def _scaled(form: Form, factor: Fraction) -> Form:
    return {name: value * factor for name, value in form.items() if value * factor}
