"""Reading parsed JSON that may have the wrong shape: a check reports a fault, it never fails on one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

JsonObject: TypeAlias = Mapping[str, Any]


def as_object(value: object) -> JsonObject:
    """Return the value if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_array(value: object) -> list[Any]:
    """Return the value if it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else []


def as_text(value: object) -> str:
    """Return the value if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def dig(tree: object, *keys: str) -> Any:
    """Return what stands under a chain of keys, or None where the chain breaks."""
    for key in keys:
        tree = as_object(tree).get(key)
    return tree


def by_lower_name(members: JsonObject) -> dict[str, str]:
    """Map each key in lower case to the key as written: Azure compares names without regard to case."""
    return {name.lower(): name for name in members}


def below(where: str, key: str) -> str:
    """Return the JSON path of a member of the object at `where`."""
    return f"{where}.{key}" if key.isidentifier() else f"{where}['{key}']"


def strings(tree: object, where: str, *, without: str = "") -> Iterator[tuple[str, str]]:
    """Yield every string of a tree with its JSON path, in document order, leaving out the subtree `without`.

    Keys that begin with `[` are strings too: a template may compute the name of a property, and is then
    reported at the object that holds it.
    """
    pending: list[tuple[str, object]] = [(where, tree)]
    while pending:
        path, value = pending.pop()
        if isinstance(value, str):
            yield path, value
        elif isinstance(value, dict):
            yield from ((path, key) for key in value if key.startswith("["))
            children = [(below(path, key), child) for key, child in value.items()]
            pending.extend(child for child in reversed(children) if child[0] != without)
        elif isinstance(value, list):
            pending.extend((f"{path}[{index}]", value[index]) for index in range(len(value) - 1, -1, -1))
