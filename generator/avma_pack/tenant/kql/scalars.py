"""Scalar expressions made ready to run: each becomes a function of a row, and knows its type.

Types are checked no further than Azure's answer would differ: names must exist, functions must be known and called with
as many arguments as they take.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias

from avma_pack.tenant.kql.comparisons import comparison, membership
from avma_pack.tenant.kql.functions import FUNCTIONS, Function, clock_functions
from avma_pack.tenant.kql.lexer import error_at
from avma_pack.tenant.kql.paths import path_below, path_of
from avma_pack.tenant.kql.syntax import Binary, Call, Column, Element, Expression, Literal, Member, Negation
from avma_pack.tenant.kql.values import Row

if TYPE_CHECKING:
    import datetime as dt

    from avma_pack.tenant.kql.errors import QueryError

Run: TypeAlias = Callable[[Row], Any]
Schema: TypeAlias = dict[str, str]
"""Types of columns by name."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """An expression that is ready to run. `name` is what a column of it is called, '' where it has no name of its own.

    `constant` is the value in a list of one, where it is the same for every row.
    """

    run: Run
    type: str
    name: str = ""
    constant: tuple[Any, ...] = ()


class Compiler:
    """Makes expressions ready for rows of a schema. `query` is the text, for errors; `now` is what `now()` returns."""

    def __init__(self, query: str, now: dt.datetime) -> None:
        self._query = query
        self._functions: dict[str, Function] = {**FUNCTIONS, **clock_functions(now)}

    def error(self, at: int, token: str, message: str) -> QueryError:
        """An error at a place of the query."""
        return error_at(self._query, at, token, message)

    def scalar(self, expression: Expression, schema: Schema) -> Scalar:  # noqa: PLR0911 - one for each kind
        """An expression, ready to run on rows of the schema.

        Raises:
            QueryError: a name or function that is not known.
        """
        match expression:
            case Literal(value, kind):
                return Scalar(lambda _: value, kind, constant=(value,))
            case Column(name, at):
                if name not in schema:
                    raise self.error(at, name, f"Failed to resolve column or scalar expression named '{name}'")
                return Scalar(itemgetter(name), schema[name], name)
            case Member():
                return self._member(expression, schema)
            case Element():
                return self._element(expression, schema)
            case Call():
                return self._call(expression, schema)
            case Binary():
                return self._binary(expression, schema)
            case Negation(inner):
                value = self.scalar(inner, schema)
                return Scalar(
                    lambda row: None if (found := value.run(row)) is None else -found,
                    value.type,
                    constant=tuple(-each for each in value.constant),
                )

    def _member(self, expression: Member, schema: Schema) -> Scalar:
        """A path below a column or value, walked in one go."""
        names, base = [expression.name], expression.base
        while isinstance(base, Member):
            names.append(base.name)
            base = base.base
        names.reverse()
        start = self.scalar(base, schema)
        if start.type != "dynamic":
            raise self.error(
                expression.at, expression.name, f"'{start.name}' is of type {start.type}: it has no members"
            )
        run = path_of((base.name, *names)) if isinstance(base, Column) else path_below(start.run, tuple(names))
        return Scalar(run, "dynamic", "_".join([start.name, *names]) if start.name else "")

    def _element(self, expression: Element, schema: Schema) -> Scalar:
        base, index = self.scalar(expression.base, schema), self.scalar(expression.index, schema)

        def run(row: Row) -> Any:
            value, place = base.run(row), index.run(row)
            if isinstance(value, dict):
                return value.get(place)
            if isinstance(value, list) and isinstance(place, int) and -len(value) <= place < len(value):
                return value[place]
            return None

        name = f"{base.name}_{index.constant[0]}" if base.name and index.constant else ""
        return Scalar(run, "dynamic", name.replace("-", ""))

    def _call(self, call: Call, schema: Schema) -> Scalar:
        function = self._functions.get(call.name)
        if function is None:
            raise self.error(call.at, call.name, f"the function '{call.name}' is not known here")
        arguments = [self.scalar(each, schema) for each in call.arguments]
        if len(arguments) < function.least or (function.most is not None and len(arguments) > function.most):
            raise self.error(call.at, call.name, f"{call.name}() does not take {len(arguments)} arguments")
        name = arguments[0].name if function.keeps_name else ""
        return Scalar(_applied(function.compute, [each.run for each in arguments]), _result(function, arguments), name)

    def _binary(self, expression: Binary, schema: Schema) -> Scalar:
        operator, left = expression.operator, self.scalar(expression.left, schema)
        if isinstance(expression.right, tuple):
            items = [self.scalar(each, schema) for each in expression.right]
            return Scalar(membership(operator, left.run, [each.run for each in items], _constants(items)), "bool")
        right = self.scalar(expression.right, schema)
        if operator == "and":
            return Scalar(_both(left.run, right.run), "bool")
        if operator == "or":
            return Scalar(_either(left.run, right.run), "bool")
        if operator in _ARITHMETIC:
            return Scalar(_computed(operator, left.run, right.run), _sum_type(operator, left.type, right.type))
        textual = "string" in {left.type, right.type}
        return Scalar(comparison(operator, left.run, right.run, right.constant, textual=textual), "bool")


def _applied(compute: Callable[..., Any], arguments: list[Run]) -> Run:
    if len(arguments) == 1:
        (only,) = arguments
        return lambda row: compute(only(row))
    return lambda row: compute(*[argument(row) for argument in arguments])


def _both(left: Run, right: Run) -> Run:
    return lambda row: left(row) is True and right(row) is True


def _either(left: Run, right: Run) -> Run:
    return lambda row: left(row) is True or right(row) is True


def _constants(items: list[Scalar]) -> list[Any] | None:
    return [each.constant[0] for each in items] if all(each.constant for each in items) else None


def _result(function: Function, arguments: list[Scalar]) -> str:
    if function.result:
        return function.result
    kinds = {each.type for each in arguments[function.first :]}
    if function.first and len(arguments) > 3:  # noqa: PLR2004 - case(): conditions stand between the values
        kinds -= {"bool"}
    return kinds.pop() if len(kinds) == 1 else "dynamic"


_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right if isinstance(left, float) or isinstance(right, float) else left // right,
    "%": lambda left, right: left % right,
}


def _computed(operator: str, left: Run, right: Run) -> Run:
    compute = _ARITHMETIC[operator]

    def run(row: Row) -> Any:
        try:
            return compute(left(row), right(row))
        except (TypeError, ZeroDivisionError):
            return None

    return run


def _sum_type(operator: str, left: str, right: str) -> str:
    if "datetime" in {left, right}:
        return "timespan" if operator == "-" and left == right else "datetime"
    return "real" if "real" in {left, right} else left
