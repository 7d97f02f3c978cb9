"""How Kusto compares (https://learn.microsoft.com/kusto/query/datatypes-string-operators and null-values).

Strings are compared as text, and what is missing is an empty one. Of other values, nothing equals nothing: neither true
nor false comes out, which `where` takes for false.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from avma_pack.tenant.kql.functions import term_pattern
from avma_pack.tenant.kql.values import text

if TYPE_CHECKING:
    from collections.abc import Callable

    from avma_pack.tenant.kql.values import Row

    Run = Callable[[Row], Any]
    Test = Callable[[str], bool]

_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


def comparison(operator: str, left: Run, right: Run, constant: tuple[Any, ...], *, textual: bool) -> Run:
    """A comparison, ready to run. `constant` holds the right side where it is one; `textual`: one side is a string."""
    if operator in _ORDERS:
        return _ordered(_ORDERS[operator], left, right)
    if operator in {"==", "!="} and not textual:
        return _equal(left, right) if operator == "==" else _unequal(left, right)
    positive, negative = _split(operator)
    test = _tests(positive)
    if constant:
        fixed = test(text(constant[0]))
        if negative:
            return lambda row: not fixed(text(left(row)))
        return lambda row: fixed(text(left(row)))
    return lambda row: test(text(right(row)))(text(left(row))) is not negative


def membership(operator: str, left: Run, items: list[Run], constants: list[Any] | None) -> Run:
    """`in`, `in~`, `has_any` and `has_all`, ready to run. `constants` are the items where all are constant.

    An item that is an array stands for its elements.
    """
    negative = operator.startswith("!")
    test = _lists(operator.removeprefix("!"))
    if constants is not None:
        fixed = test(_flat(constants))
        return lambda row: fixed(left(row)) is not negative
    return lambda row: test(_flat([item(row) for item in items]))(left(row)) is not negative


def _split(operator: str) -> tuple[str, bool]:
    if operator in {"!=", "!~"}:
        return {"!=": "==", "!~": "=~"}[operator], True
    return operator.removeprefix("!"), operator.startswith("!")


def _tests(operator: str) -> Callable[[str], Test]:
    """What makes a test of a string from the right side."""
    return {
        "==": _same,
        "=~": _same_ignoring_case,
        "contains": lambda right: _lowered(str.__contains__, right),
        "contains_cs": lambda right: lambda left: right in left,
        "startswith": lambda right: _lowered(str.startswith, right),
        "startswith_cs": lambda right: lambda left: left.startswith(right),
        "endswith": lambda right: _lowered(str.endswith, right),
        "endswith_cs": lambda right: lambda left: left.endswith(right),
        "has": _has,
        "has_cs": lambda right: _has(right, ignore_case=False),
    }[operator]


def _same(right: str) -> Test:
    return lambda left: left == right


def _same_ignoring_case(right: str) -> Test:
    wanted = right.lower()
    return lambda left: left.lower() == wanted


def _lowered(compare: Callable[[str, str], bool], right: str) -> Test:
    wanted = right.lower()
    return lambda left: compare(left.lower(), wanted)


def _has(right: str, *, ignore_case: bool = True) -> Test:
    pattern = term_pattern(right, ignore_case=ignore_case)
    return lambda left: pattern.search(left) is not None


def _lists(operator: str) -> Callable[[list[Any]], Callable[[Any], bool]]:
    return {"in": _among, "in~": _among_ignoring_case, "has_any": _has_any, "has_all": _has_all}[operator]


def _among(items: list[Any]) -> Callable[[Any], bool]:
    strings, others = {each for each in items if isinstance(each, str)}, [i for i in items if not isinstance(i, str)]
    return lambda left: text(left) in strings or (not isinstance(left, str) and left is not None and left in others)


def _among_ignoring_case(items: list[Any]) -> Callable[[Any], bool]:
    strings = {text(each).lower() for each in items}
    return lambda left: text(left).lower() in strings


def _has_any(items: list[Any]) -> Callable[[Any], bool]:
    patterns = [term_pattern(text(each)) for each in items]
    return lambda left: any(pattern.search(text(left)) for pattern in patterns)


def _has_all(items: list[Any]) -> Callable[[Any], bool]:
    patterns = [term_pattern(text(each)) for each in items]
    return lambda left: all(pattern.search(text(left)) for pattern in patterns)


def _flat(items: list[Any]) -> list[Any]:
    return [inner for each in items for inner in (each if isinstance(each, list) else [each])]


def _equal(left: Run, right: Run) -> Run:
    def run(row: Row) -> bool | None:
        one, other = left(row), right(row)
        if one is None and other is None:
            return None
        return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)

    return run


def _unequal(left: Run, right: Run) -> Run:
    equal = _equal(left, right)
    return lambda row: None if (found := equal(row)) is None else not found


def _ordered(compare: Callable[[Any, Any], bool], left: Run, right: Run) -> Run:
    def run(row: Row) -> bool | None:
        try:
            return compare(left(row), right(row))
        except TypeError:  # nothing, or values of different types
            return None

    return run
