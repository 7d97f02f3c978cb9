"""The functions of template expressions that need nothing but their arguments.

https://learn.microsoft.com/azure/azure-resource-manager/templates/template-functions. A function that is not here, or
arguments that it does not take, are an error: see `policy_functions` for those that read the resource or the scope.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from avma_pack.rules.collection_functions import COLLECTION_FUNCTIONS
from avma_pack.rules.errors import RuleError
from avma_pack.rules.text_functions import TEXT_FUNCTIONS
from avma_pack.rules.values import INTEGERS, collation, is_number, kind_of, same

if TYPE_CHECKING:
    from collections.abc import Callable

    from avma_pack.rules.scope import Json

    Body: TypeAlias = Callable[..., Json]

MANY = 128
"""How many arguments a function may have at most (Azure's limit in policies)."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function: its name, how many arguments it takes, and what it does with them, evaluated."""

    name: str
    least: int
    most: int
    body: Body


def find_function(name: str) -> Function | None:
    """The function of this name, ignoring case."""
    return _REGISTRY.get(name.lower())


def check_arity(name: str, count: int, least: int, most: int) -> None:
    """Refuse a wrong number of arguments.

    Raises:
        RuleError: naming the function and what it takes.
    """
    if not least <= count <= most:
        takes = str(least) if least == most else f"{least} or more" if most == MANY else f"{least} to {most}"
        raise RuleError(f"{name}() takes {takes} arguments, not {count}")


def _bool(value: Json) -> bool:
    if isinstance(value, bool):
        return value
    if is_number(value):
        return bool(value)
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    raise RuleError(f"bool() does not convert {value!r}")


def _truth(name: str, value: Json) -> bool:
    if not isinstance(value, bool):
        raise RuleError(f"{name}() takes booleans, not {kind_of(value)}")
    return value


def _and(*values: Json) -> bool:
    return False not in [_truth("and", value) for value in values]


def _or(*values: Json) -> bool:
    return True in [_truth("or", value) for value in values]


def _integer(name: str, value: Json) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise RuleError(f"{name}() takes integers, not {kind_of(value)} {value!r}")
    return value


def _arithmetic(name: str, operation: Callable[[int, int], int]) -> Body:
    def body(left: Json, right: Json) -> int:
        result = operation(_integer(name, left), _integer(name, right))
        if result not in INTEGERS:
            raise RuleError(f"{name}() of {left} and {right} does not fit 64 bits")
        return result

    return body


def _divide(left: int, right: int) -> int:
    """Towards zero, as .NET does."""
    if right == 0:
        raise RuleError("div() and mod() do not divide by 0")
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _compared(name: str, test: Callable[[int], bool]) -> Body:
    def body(left: Json, right: Json) -> bool:
        if isinstance(left, str) and isinstance(right, str):
            keys = _cultural(left), _cultural(right)
            return test((keys[0] > keys[1]) - (keys[0] < keys[1]))
        difference = _integer(name, left) - _integer(name, right)
        return test(difference)

    return body


def _cultural(text: str) -> tuple[object, str]:
    """Case counts last, and small letters come first: greater('A', 'a') is true on the page."""
    return collation(text), text.swapcase()


_FUNCTIONS: dict[str, tuple[int, int, Body]] = {
    "true": (0, 0, lambda: True),
    "false": (0, 0, lambda: False),
    "null": (0, 0, lambda: None),
    "bool": (1, 1, _bool),
    "not": (1, 1, lambda value: not _truth("not", value)),
    "and": (2, MANY, _and),
    "or": (2, MANY, _or),
    "equals": (2, 2, same),
    "less": (2, 2, _compared("less", lambda order: order < 0)),
    "lessOrEquals": (2, 2, _compared("lessOrEquals", lambda order: order <= 0)),
    "greater": (2, 2, _compared("greater", lambda order: order > 0)),
    "greaterOrEquals": (2, 2, _compared("greaterOrEquals", lambda order: order >= 0)),
    "add": (2, 2, _arithmetic("add", lambda left, right: left + right)),
    "sub": (2, 2, _arithmetic("sub", lambda left, right: left - right)),
    "mul": (2, 2, _arithmetic("mul", lambda left, right: left * right)),
    "div": (2, 2, _arithmetic("div", _divide)),
    "mod": (2, 2, _arithmetic("mod", lambda left, right: left - right * _divide(left, right))),
}

_REGISTRY = {
    name.lower(): Function(name, least, most, body)
    for name, (least, most, body) in (_FUNCTIONS | TEXT_FUNCTIONS | COLLECTION_FUNCTIONS).items()
}
