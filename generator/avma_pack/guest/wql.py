"""Filters of WMI queries: `=`, `<>`, `AND`, `IS NULL`, `IS NOT NULL`; strings, numbers, TRUE and FALSE."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Value = str | int | bool | None

_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")|(?P<number>-?\d+)|(?P<operator><>|=)|(?P<word>\w+))"
)


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison. `property` is in lower case, for names ignore case in WQL."""

    property: str
    operator: Literal["=", "<>", "IS NULL", "IS NOT NULL"]
    value: Value = None

    def holds(self, row: Mapping[str, Value]) -> bool:
        """Whether it is true of a row with names in lower case; text ignores case, NULL equals nothing."""
        found = row.get(self.property)
        if self.operator == "IS NULL":
            return found is None
        if self.operator == "IS NOT NULL":
            return found is not None
        if found is None:
            return False
        return (_comparable(found) == _comparable(self.value)) == (self.operator == "=")


@lru_cache(maxsize=256)
def parse_filter(text: str) -> tuple[Condition, ...]:
    """The conditions of a filter, all of which must hold.

    Raises:
        ValueError: the filter is malformed, or uses more of WQL than this.
    """
    tokens = list(_tokens(text))
    conditions: list[Condition] = []
    while tokens:
        if conditions and tokens.pop(0) != ("word", "AND"):
            raise ValueError(f"expected AND: {text}")
        match tokens:
            case [("word", name), ("word", "IS"), ("word", "NULL"), *rest]:
                condition = Condition(name.lower(), "IS NULL")
            case [("word", name), ("word", "IS"), ("word", "NOT"), ("word", "NULL"), *rest]:
                condition = Condition(name.lower(), "IS NOT NULL")
            case [("word", name), ("operator", "=" | "<>" as operator), literal, *rest]:
                condition = Condition(name.lower(), "=" if operator == "=" else "<>", _literal(literal, text))
            case _:
                raise ValueError(f"expected a condition: {text}")
        conditions.append(condition)
        tokens = rest
    if not conditions:
        raise ValueError("an empty filter")
    return tuple(conditions)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValueError(f"unexpected {text[position:]!r}: {text}")
        kind = str(match.lastgroup)
        word = match[kind]
        yield kind, word.upper() if kind == "word" else word
        position = match.end()


def _literal(token: tuple[str, str], text: str) -> Value:
    match token:
        case ("string", quoted):
            return re.sub(r"\\(.)", r"\1", quoted[1:-1])
        case ("number", digits):
            return int(digits)
        case ("word", "TRUE" | "FALSE" as word):
            return word == "TRUE"
        case _:
            raise ValueError(f"expected a string, number, TRUE or FALSE: {text}")


def _comparable(value: Value) -> tuple[str, Value]:
    """Values of different types are never equal; True is not 1."""
    return type(value).__name__, value.casefold() if isinstance(value, str) else value
