"""Scalar functions (https://learn.microsoft.com/kusto/query/scalar-functions), those that queries here use."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from avma_pack.tenant.kql.values import moment, real, text, truth, whole

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

_WORD = r"(?<![0-9A-Za-z]){}(?![0-9A-Za-z])"


@dataclass(frozen=True, slots=True)
class Function:
    """A function: what it computes, how many arguments it takes (`most` None: any number), the type of its result.

    A `result` of '' is the common type of the arguments from number `first` on, or dynamic. `keeps_name`: a column that
    it makes is named after its argument.
    """

    compute: Callable[..., Any]
    least: int
    most: int | None
    result: str
    first: int = 0
    keeps_name: bool = False


def term_pattern(term: str, *, ignore_case: bool = True) -> re.Pattern[str]:
    """What `has` looks for: the term, not amid letters and digits."""
    return re.compile(_WORD.format(re.escape(term)), re.IGNORECASE if ignore_case else 0)


def is_empty(value: Any) -> bool:
    """`isempty()`: an empty string or nothing."""
    return value is None or value == ""


def _case(*values: Any) -> Any:
    for condition, value in zip(values[:-1:2], values[1::2], strict=False):
        if condition is True:
            return value
    return values[-1]


def _coalesce(*values: Any) -> Any:
    return next((value for value in values if not is_empty(value)), None)


def _split(value: Any, separator: Any, index: Any = None) -> list[str]:
    parts = text(value).split(text(separator)) if text(separator) else [text(value)]
    if index is None:
        return parts
    return [parts[index]] if -len(parts) <= index < len(parts) else []


def _substring(value: Any, start: Any, length: Any = None) -> str:
    found = text(value)[max(0, int(start)) :]
    return found if length is None else found[: int(length)]


def _index_of(value: Any, looked_for: Any) -> int:
    return text(value).find(text(looked_for))


def _extract(pattern: Any, group: Any, value: Any) -> str:
    found = re.search(text(pattern), text(value))
    return (found[int(group)] or "") if found else ""


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _length(value: Any) -> int | None:
    return len(value) if isinstance(value, list) else None


def _bag(*values: Any) -> dict[str, Any]:
    return {text(name): value for name, value in zip(values[::2], values[1::2], strict=False)}


def _between_ends(pattern: Any, value: Any) -> str:
    found = re.sub(f"^(?:{text(pattern)})", "", text(value))
    return re.sub(f"(?:{text(pattern)})$", "", found)


FUNCTIONS: dict[str, Function] = {
    "tostring": Function(text, 1, 1, "string", keeps_name=True),
    "tolower": Function(lambda value: text(value).lower(), 1, 1, "string"),
    "toupper": Function(lambda value: text(value).upper(), 1, 1, "string"),
    "tobool": Function(truth, 1, 1, "bool", keeps_name=True),
    "toboolean": Function(truth, 1, 1, "bool", keeps_name=True),
    "toint": Function(whole, 1, 1, "long", keeps_name=True),
    "tolong": Function(whole, 1, 1, "long", keeps_name=True),
    "toreal": Function(real, 1, 1, "real", keeps_name=True),
    "todouble": Function(real, 1, 1, "real", keeps_name=True),
    "todatetime": Function(moment, 1, 1, "datetime", keeps_name=True),
    "todynamic": Function(_parsed, 1, 1, "dynamic", keeps_name=True),
    "parse_json": Function(_parsed, 1, 1, "dynamic", keeps_name=True),
    "isempty": Function(is_empty, 1, 1, "bool"),
    "isnotempty": Function(lambda value: not is_empty(value), 1, 1, "bool"),
    "isnull": Function(lambda value: value is None, 1, 1, "bool"),
    "isnotnull": Function(lambda value: value is not None, 1, 1, "bool"),
    "not": Function(lambda value: None if value is None else not value, 1, 1, "bool"),
    "iff": Function(lambda condition, yes, no: yes if condition is True else no, 3, 3, "", first=1),
    "iif": Function(lambda condition, yes, no: yes if condition is True else no, 3, 3, "", first=1),
    "case": Function(_case, 3, None, "", first=1),
    "coalesce": Function(_coalesce, 2, None, ""),
    "strcat": Function(lambda *values: "".join(map(text, values)), 1, None, "string"),
    "strlen": Function(lambda value: len(text(value)), 1, 1, "long"),
    "split": Function(_split, 2, 3, "dynamic"),
    "substring": Function(_substring, 2, 3, "string"),
    "indexof": Function(_index_of, 2, 2, "long"),
    "extract": Function(_extract, 3, 3, "string"),
    "replace_string": Function(lambda value, old, new: text(value).replace(text(old), text(new)), 3, 3, "string"),
    "trim": Function(_between_ends, 2, 2, "string"),
    "array_length": Function(_length, 1, 1, "long"),
    "bag_pack": Function(_bag, 2, None, "dynamic"),
    "pack": Function(_bag, 2, None, "dynamic"),
    "pack_array": Function(lambda *values: list(values), 1, None, "dynamic"),
}


def clock_functions(now: dt.datetime) -> dict[str, Function]:
    """The functions that ask for the time."""
    return {
        "now": Function(lambda: now, 0, 0, "datetime"),
        "ago": Function(lambda span: now - span, 1, 1, "datetime"),
    }
