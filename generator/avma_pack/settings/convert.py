"""Turns the tables of a file into settings, or into the list of everything that is wrong with them.

Each value is converted by itself: msgspec would stop at the first that is wrong, and a file with three
mistakes would be corrected three times.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import structs

from avma_pack.settings.model import Settings
from avma_pack.settings.problems import Path, Problem, did_you_mean, nearest, refused, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


def convert(tables: Mapping[str, object]) -> tuple[Settings, list[Problem]]:
    """Return the settings in `tables`, and what is wrong with them; if anything is, they do not count."""
    known = _fields(Settings)
    problems: list[Problem] = []
    found: dict[str, Any] = {}
    for name, value in tables.items():
        if name not in known:
            problems.append(_unknown((name,), "table", known))
        elif not isinstance(value, dict):
            problems.append(Problem((name,), f"found {shown(value)}; allowed: a table, [{name}]"))
        else:
            field = known[name]
            found[field.name] = _table(_kind(field), name, value, problems)
    settings = Settings(**found)
    return settings, problems


def _kind(table: structs.FieldInfo) -> type[msgspec.Struct]:
    return type(table.default)


@cache
def _fields(kind: type[msgspec.Struct]) -> Mapping[str, structs.FieldInfo]:
    return {field.encode_name: field for field in structs.fields(kind)}


def _table(
    kind: type[msgspec.Struct], name: str, values: Mapping[str, object], problems: list[Problem]
) -> msgspec.Struct:
    known = _fields(kind)
    found: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known:
            problems.append(_unknown((name, key), "key", known))
        elif wrong := list(_refusals((name, key), value, known[key])):
            problems.extend(wrong)
        else:
            field = known[key]
            found[field.name] = None if _absent(value, field) else msgspec.convert(value, field.type)
    return kind(**found)


def _refusals(path: Path, value: object, field: structs.FieldInfo) -> Iterator[Problem]:
    if isinstance(field.default, tuple) and isinstance(value, list | tuple):
        yield from _refused_items(path, value, field)
    elif not _absent(value, field) and not _fits(value, field.type):
        yield refused(path, value, field.type)


def _refused_items(path: Path, items: Sequence[object], field: structs.FieldInfo) -> Iterator[Problem]:
    seen = set()
    for place, item in enumerate(items):
        if not _fits([item], field.type):
            yield refused((*path, place), item, field.type)
        elif item in seen:
            yield Problem((*path, place), f"found {shown(item)} a second time; allowed: each value once")
        else:
            seen.add(item)


def _absent(value: object, field: structs.FieldInfo) -> bool:
    """Whether a key is there and says nothing: TOML has no null, so an empty text stands for it."""
    return field.default is None and value in (None, "")


def _fits(value: object, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def _unknown(path: tuple[str, ...], what: str, known: Mapping[str, structs.FieldInfo]) -> Problem:
    key = path[-1]
    meant = _elsewhere(key) or nearest(key, known)
    return Problem(path, f"no such {what}; allowed: {', '.join(known)}{did_you_mean(meant)}")


def _elsewhere(key: str) -> str | None:
    """Find a key that is right but stands in the wrong table, or in none."""
    tables = _fields(Settings).items()
    return next((f"{name}.{key}" for name, table in tables if key in _fields(_kind(table))), None)
