"""Values as Kusto compares and converts them.

Missing values are None; a string is never missing but empty
(https://learn.microsoft.com/kusto/query/scalar-data-types/null-values).
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

Row = dict[str, Any]

ORDERED = frozenset({"string", "bool", "long", "real", "datetime", "timespan"})
"""Types that can be ordered and grouped by; `dynamic` must be converted first."""


def text(value: Any) -> str:
    """A value as `tostring()` gives it."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
    if isinstance(value, dict | list):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return str(value)


def truth(value: Any) -> bool | None:
    """A value as `tobool()` gives it."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value != 0
    return {"true": True, "1": True, "false": False, "0": False}.get(text(value).lower())


def whole(value: Any) -> int | None:
    """A value as `toint()` and `tolong()` give it."""
    found = real(value)
    return None if found is None else int(found)


def real(value: Any) -> float | None:
    """A value as `toreal()` and `todouble()` give it."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def moment(value: Any) -> dt.datetime | None:
    """A value as `todatetime()` gives it."""
    return value if isinstance(value, dt.datetime) else read_datetime(text(value))


def read_datetime(written: str) -> dt.datetime | None:
    """A time as ISO 8601 writes it, in UTC where no zone is given; None where it is none."""
    try:
        found = dt.datetime.fromisoformat(written.strip().strip("'\""))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def converted(value: Any, kind: str) -> Any:
    """A value as a type, by the conversion function of the type."""
    convert = {"string": text, "bool": truth, "long": whole, "int": whole, "real": real, "datetime": moment}.get(kind)
    return value if convert is None else convert(value)
