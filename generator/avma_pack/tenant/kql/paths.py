"""Paths into a row, such as `properties.a.b`: most of what a query asks of a large table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from avma_pack.tenant.kql.values import Row

_NO_PATH = (KeyError, TypeError)
"""What a name below nothing, below a value or below an array ends in."""


def path_of(names: tuple[str, ...]) -> Callable[[Row], Any]:
    """What lies below a column by names; nothing where there is no such path. Short paths are not walked in a loop."""
    match names:
        case (one, two):
            return _two(one, two)
        case (one, two, three):
            return _three(one, two, three)
        case (one, two, three, four):
            return _four(one, two, three, four)
    return path_below(lambda row: row, names)


def _two(one: str, two: str) -> Callable[[Row], Any]:
    def run(row: Row) -> Any:
        try:
            return row[one][two]
        except _NO_PATH:
            return None

    return run


def _three(one: str, two: str, three: str) -> Callable[[Row], Any]:
    def run(row: Row) -> Any:
        try:
            return row[one][two][three]
        except _NO_PATH:
            return None

    return run


def _four(one: str, two: str, three: str, four: str) -> Callable[[Row], Any]:
    def run(row: Row) -> Any:
        try:
            return row[one][two][three][four]
        except _NO_PATH:
            return None

    return run


def path_below(start: Callable[[Row], Any], names: tuple[str, ...]) -> Callable[[Row], Any]:
    """What lies below the value of an expression by names."""

    def run(row: Row) -> Any:
        value = start(row)
        try:
            for name in names:
                value = value[name]
        except _NO_PATH:
            return None
        return value

    return run
