"""The JSON schema of `pack.toml`, for editors that complete and check TOML (taplo, Even Better TOML)."""

from __future__ import annotations

from typing import Any

import msgspec

from avma_pack.settings import values
from avma_pack.settings.model import Settings


def json_schema() -> dict[str, Any]:
    """Return the schema (JSON Schema 2020-12), in one piece: no `$ref`, no `$id`.

    What no single value shows, such as an identity without user-assigned access, only `load` finds.
    """
    schema = msgspec.json.schema(Settings)
    parts = schema["$defs"]
    for name, part in parts.items():
        if "enum" in part:  # msgspec sorts them; the order of the source is that of meaning
            part["enum"] = [choice.value for choice in getattr(values, name)]
    tables: dict[str, Any] = _plain(schema, parts)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "pack.toml",
        **tables,
        "description": "Settings of avma-pack.",
    }


def _plain(node: Any, parts: dict[str, Any]) -> Any:
    """Put referenced parts in their place: editors differ in what they do with keywords next to a `$ref`."""
    if isinstance(node, list | tuple):
        return [_plain(item, parts) for item in node]
    if not isinstance(node, dict):
        return node
    # A title is the name of a Python class, and the default of a table only repeats those of its keys.
    hidden = {"$ref", "$defs", "title", "required"}
    if "$ref" in node:
        node = parts[node["$ref"].rpartition("/")[2]] | node
        hidden |= {"default"} if "properties" in node else set()
    node = {key: _plain(value, parts) for key, value in node.items() if key not in hidden}
    if "pattern" in node:
        node["pattern"] = node["pattern"].replace(values.TEXT_END, "$")  # not every editor can look ahead
    return _without_null(node)


def _without_null(node: dict[str, Any]) -> dict[str, Any]:
    """Say "may be left out" as the file does: TOML has no null, an empty text stands for it."""
    match node:
        case {"anyOf": [{"enum": choices}, {"type": "null"}], **rest}:
            return rest | {"enum": [*choices, ""], "default": ""}
        case {"anyOf": [something, {"type": "null"}], **rest}:
            return rest | {"anyOf": [something, {"const": ""}], "default": ""}
        case _:
            return node
