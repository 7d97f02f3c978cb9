"""Comparing and converting JSON values, as conditions and functions of templates share it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from avma_pack.rules.errors import RuleError

if TYPE_CHECKING:
    from avma_pack.rules.scope import Json, JsonObject

INTEGERS = range(-(2**63), 2**63)
"""The integers of templates."""

_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9]{2}:?[0-9]{2})?", re.IGNORECASE)


def kind_of(value: Json) -> str:
    """The name of a value's JSON type."""
    if value is None:
        return "null"
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return next((name for cls, name in names.items() if isinstance(value, cls)), type(value).__name__)


def is_number(value: Json) -> bool:
    """Tell numbers from everything else, also from booleans."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def member(container: JsonObject, name: str) -> Json:
    """The value under a name, ignoring case, as Azure Resource Manager compares names; None where there is none."""
    found = container.get(name)
    return member_ignoring_case(container, name.lower()) if found is None else found


def member_ignoring_case(container: JsonObject, folded: str) -> Json:
    """The value under the name that is `folded` in lower case. Mostly there is none, so that is found out fast."""
    if folded in map(str.lower, container):
        return next(value for key, value in container.items() if key.lower() == folded)
    return None


def same(left: Json, right: Json) -> bool:
    """Deep equality in which true is not 1, and the case of strings counts."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(value, right[key]) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def to_number(text: str) -> int | float | None:
    """The number that a string spells in decimal digits, or None."""
    if not _NUMBER.fullmatch(text):
        return None
    return float(text) if "." in text else int(text)


def to_text(value: Json) -> str | None:
    """The text of a string, number or boolean; None for everything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (int, float)) else None


def parse_moment(text: str) -> datetime | None:
    """The moment that an ISO 8601 text with a time names, or None; without a zone it is UTC."""
    if not _MOMENT.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def format_moment(moment: datetime) -> str:
    """Universal ISO 8601 as policies write it: `yyyy-MM-ddTHH:mm:ss.fffffffZ`."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "0Z"


def collation(text: str) -> tuple[tuple[int, str], ...]:
    """A key that orders ASCII texts ignoring case: punctuation before digits before letters.

    That is the order of .NET's invariant culture, but for the weights that it gives to single punctuation marks.

    Raises:
        RuleError: the text is not ASCII.
    """
    if not text.isascii():
        raise RuleError(f"the order of texts outside ASCII is not known here: {text!r}")
    return tuple((2 if char.isalpha() else int(char.isdigit()), char) for char in text.lower())
