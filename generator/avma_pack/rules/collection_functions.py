"""Array and object functions.

https://learn.microsoft.com/azure/azure-resource-manager/templates/template-functions-array and -object.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from avma_pack.rules.errors import RuleError
from avma_pack.rules.values import is_number, kind_of, member, same

if TYPE_CHECKING:
    from collections.abc import Callable

    from avma_pack.rules.scope import Json


def _sequence(name: str, value: Json) -> Json:
    if not isinstance(value, (str, list)):
        raise RuleError(f"{name}() takes a text or an array, not {kind_of(value)}")
    return value


def _contains(container: Json, item: Json) -> bool:
    """A part of a text or a member of an array, where case counts; a key of an object, where it does not."""
    if isinstance(container, str):
        if not (isinstance(item, str) or is_number(item)):
            raise RuleError(f"contains() looks for a text in a text, not for {kind_of(item)}")
        return str(item) in container
    if isinstance(container, list):
        return any(same(each, item) for each in container)
    if isinstance(container, dict) and isinstance(item, str):
        return any(key.lower() == item.lower() for key in container)
    raise RuleError(f"contains() does not look for {kind_of(item)} in {kind_of(container)}")


def _empty(value: Json) -> bool:
    """Null is empty, too: the page takes empty() of a coalesce() of nulls."""
    if value is not None and not isinstance(value, (str, list, dict)):
        raise RuleError(f"empty() takes an array, an object or a text, not {kind_of(value)}")
    return not value


def _length(value: Json) -> int:
    if not isinstance(value, (str, list, dict)):
        raise RuleError(f"length() takes an array, an object or a text, not {kind_of(value)}")
    return len(value)


def _end(name: str, at: int) -> Callable[[Json], Json]:
    def body(value: Json) -> Json:
        if not _sequence(name, value):
            raise RuleError(f"{name}() of an empty {kind_of(value)} is not known here")
        return value[at]

    return body


def _cut(name: str, value: Json, count: Json) -> tuple[Json, int]:
    if not isinstance(count, int) or isinstance(count, bool):
        raise RuleError(f"{name}() takes an integer, not {kind_of(count)}")
    return _sequence(name, value), max(count, 0)


def _take(value: Json, count: Json) -> Json:
    sequence, size = _cut("take", value, count)
    return sequence[:size]


def _skip(value: Json, count: Json) -> Json:
    sequence, size = _cut("skip", value, count)
    return sequence[size:]


def _create_object(*pairs: Json) -> dict[str, Json]:
    names = pairs[::2]
    if len(pairs) % 2 or not all(isinstance(name, str) for name in names):
        raise RuleError("createObject() takes names and values in turn")
    return dict(zip(names, pairs[1::2], strict=True))


def _coalesce(*values: Json) -> Json:
    return next((value for value in values if value is not None), None)


def _union(*values: Json) -> Json:
    if all(isinstance(value, list) for value in values):
        united: list[Json] = []
        for each in (each for value in values for each in value):
            if not any(same(each, other) for other in united):
                united.append(each)
        return united
    if not all(isinstance(value, dict) for value in values):
        raise RuleError("union() takes arrays or objects, of one kind")
    merged: dict[str, Json] = {}
    for value in values:
        merged = _merge(merged, value)
    return merged


def _merge(left: dict[str, Json], right: dict[str, Json]) -> dict[str, Json]:
    """Objects within objects are merged, too; of arrays the last one stays."""
    merged = dict(left)
    for name, value in right.items():
        known = merged.get(name)
        merged[name] = _merge(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return merged


def _intersection(first: Json, *others: Json) -> Json:
    if all(isinstance(value, list) for value in (first, *others)):
        return [each for each in _union(first) if all(any(same(each, item) for item in other) for other in others)]
    if all(isinstance(value, dict) for value in (first, *others)):
        return {
            name: value
            for name, value in first.items()
            if all(name in other and same(value, other[name]) for other in others)
        }
    raise RuleError("intersection() takes arrays or objects, of one kind")


def _try_get(container: Json, key: Json) -> Json:
    """The property or member under a key, or null where there is none."""
    if isinstance(container, dict) and isinstance(key, str):
        return member(container, key)
    if isinstance(container, list) and isinstance(key, int) and not isinstance(key, bool):
        return container[key] if 0 <= key < len(container) else None
    if container is None:
        return None
    raise RuleError(f"tryGet() does not look for {kind_of(key)} in {kind_of(container)}")


def _json(text: Json) -> Json:
    if not isinstance(text, str):
        raise RuleError(f"json() takes a text, not {kind_of(text)}")
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise RuleError(f"json() cannot read {text!r}") from None


def _no_constant(name: str) -> Json:
    raise ValueError(name)


COLLECTION_FUNCTIONS: dict[str, tuple[int, int, Callable[..., Json]]] = {
    "array": (1, 1, lambda value: value if isinstance(value, list) else [value]),
    "createArray": (0, 128, lambda *values: list(values)),
    "createObject": (0, 128, _create_object),
    "contains": (2, 2, _contains),
    "empty": (1, 1, _empty),
    "length": (1, 1, _length),
    "first": (1, 1, _end("first", 0)),
    "last": (1, 1, _end("last", -1)),
    "take": (2, 2, _take),
    "skip": (2, 2, _skip),
    "coalesce": (1, 128, _coalesce),
    "union": (1, 128, _union),
    "intersection": (2, 128, _intersection),
    "tryGet": (2, 2, _try_get),
    "json": (1, 1, _json),
}
"""Name -> least and most arguments, body."""
