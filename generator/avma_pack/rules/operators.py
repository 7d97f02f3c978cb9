"""The operators of conditions, each a factory: from the operand to a check of one value.

Semantics: https://learn.microsoft.com/azure/governance/policy/concepts/definition-structure-policy-rule#conditions.
Strings are compared ignoring case, but for match and notMatch. A missing property is null: it equals nothing but
null and satisfies no positive operator, and so every negated one (null is "not equal": Azure/azure-policy#21).
A number and a string that spells it are equal, as are booleans and `"true"` and `"false"`: the page compares the
result of less() with "true", and ports that are strings with numbers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from avma_pack.rules.errors import RuleError
from avma_pack.rules.values import collation, is_number, kind_of, parse_moment, same, to_number, to_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from avma_pack.rules.scope import Json

    Check: TypeAlias = Callable[[Json], bool]
    Operator: TypeAlias = Callable[[Json], Check]


def _equals(operand: Json) -> Check:
    """Compare two scalars. An array or object equals only its like: a literal one is refused when compiling."""
    if operand is None:
        return lambda value: value is None
    if isinstance(operand, str):
        return _equals_text(operand)
    if isinstance(operand, bool):
        expected = to_text(operand)
        return lambda value: value.lower() == expected if isinstance(value, str) else value is operand
    if is_number(operand):
        return lambda value: (
            to_number(value) == operand if isinstance(value, str) else is_number(value) and value == operand
        )
    return lambda value: same(value, operand)


def _equals_text(operand: str) -> Check:
    folded, number = operand.casefold(), to_number(operand)

    def check(value: Json) -> bool:
        if isinstance(value, str):
            return value == operand or value.casefold() == folded
        if isinstance(value, bool):
            return to_text(value) == folded
        return number is not None and is_number(value) and value == number

    return check


def _like(operand: Json) -> Check:
    """One wildcard at most stands for any text; a pattern without one is compared as it is."""
    parts = _text(operand, "a pattern").casefold().split("*")
    if len(parts) == 1:
        return _equals(operand)
    if len(parts) > 2:  # noqa: PLR2004 - a head and a tail
        raise RuleError(f"like takes one wildcard at most, not {operand!r}")
    head, tail = parts
    shortest = len(head) + len(tail)

    def check(value: Json) -> bool:
        text = to_text(value)
        if text is None:
            return False
        text = text.casefold()
        return text.startswith(head) and text.endswith(tail) and len(text) >= shortest

    return check


def _match(operand: Json, flags: re.RegexFlag = re.NOFLAG) -> Check:
    """`#` is a digit, `?` a letter, `.` any character, and everything else itself."""
    wildcards = {"#": "[0-9]", "?": r"[^\W\d_]", ".": "."}
    source = "".join(wildcards.get(char) or re.escape(char) for char in _text(operand, "a pattern"))
    pattern = re.compile(source, re.DOTALL | flags)

    def check(value: Json) -> bool:
        text = to_text(value)
        return text is not None and pattern.fullmatch(text) is not None

    return check


def _match_insensitively(operand: Json) -> Check:
    return _match(operand, re.IGNORECASE)


def _contains(operand: Json) -> Check:
    """Look for a text in a text, or for an equal member in an array; the operand holds no wildcard."""
    part = to_text(operand)
    if part is None or "*" in part:
        raise RuleError(f"contains takes a text without wildcard, not {operand!r}")
    folded, equals = part.casefold(), _equals(operand)

    def check(value: Json) -> bool:
        if isinstance(value, list):
            return any(map(equals, value))
        if isinstance(value, dict):
            raise RuleError("contains looks into a text or an array, not into an object; containsKey does")
        text = to_text(value)
        return text is not None and folded in text.casefold()

    return check


def _in(operand: Json) -> Check:
    if not isinstance(operand, list):
        raise RuleError(f"in takes an array, not {kind_of(operand)}")
    checks = [_equals(each) for each in operand]
    return lambda value: any(check(value) for check in checks)


def _contains_key(operand: Json) -> Check:
    name = _text(operand, "the name of a key")

    def check(value: Json) -> bool:
        if value is None:
            return False
        if not isinstance(value, dict):
            raise RuleError(f"containsKey looks into an object, not into {kind_of(value)}")
        return name in value or any(key.lower() == name.lower() for key in value)

    return check


def _exists(operand: Json) -> Check:
    """The operand is a boolean, or a string that spells one; a property that is null does not exist."""
    text = to_text(operand)
    if is_number(operand) or text is None or text.lower() not in {"true", "false"}:
        raise RuleError(f"exists takes true or false, not {operand!r}")
    wanted = text.lower() == "true"
    return lambda value: (value is not None) is wanted


def _ordering(test: Callable[[int], bool]) -> Operator:
    """An operator of order. A missing property is in no order; a value of another type is an error."""

    def operator(operand: Json) -> Check:
        if not (isinstance(operand, str) or is_number(operand)):
            raise RuleError(f"texts and numbers have an order, {kind_of(operand)} has none")
        return lambda value: value is not None and test(_compare(value, operand))

    return operator


def _compare(value: Json, operand: str | float) -> int:
    """-1, 0 or 1, as the value is less than, equal to or greater than the operand."""
    if isinstance(value, str) and isinstance(operand, str):
        moments = parse_moment(value), parse_moment(operand)
        if moments[0] and moments[1]:
            return (moments[0] > moments[1]) - (moments[0] < moments[1])
        keys = collation(value), collation(operand)
        return (keys[0] > keys[1]) - (keys[0] < keys[1])
    if is_number(value) and is_number(operand):
        return bool(value > operand) - bool(value < operand)
    raise RuleError(f"{kind_of(value)} {value!r} is not compared with {kind_of(operand)} {operand!r}")


def _negated(operator: Operator) -> Operator:
    def negation(operand: Json) -> Check:
        check = operator(operand)
        return lambda value: not check(value)

    return negation


def _text(operand: Json, what: str) -> str:
    if not isinstance(operand, str):
        raise RuleError(f"{what} is a string, not {kind_of(operand)}")
    return operand


OPERATORS: dict[str, Operator] = {
    "equals": _equals,
    "notEquals": _negated(_equals),
    "like": _like,
    "notLike": _negated(_like),
    "match": _match,
    "matchInsensitively": _match_insensitively,
    "notMatch": _negated(_match),
    "notMatchInsensitively": _negated(_match_insensitively),
    "contains": _contains,
    "notContains": _negated(_contains),
    "in": _in,
    "notIn": _negated(_in),
    "containsKey": _contains_key,
    "notContainsKey": _negated(_contains_key),
    "less": _ordering(lambda order: order < 0),
    "lessOrEquals": _ordering(lambda order: order <= 0),
    "greater": _ordering(lambda order: order > 0),
    "greaterOrEquals": _ordering(lambda order: order >= 0),
    "exists": _exists,
}
"""Every documented operator, by name."""
