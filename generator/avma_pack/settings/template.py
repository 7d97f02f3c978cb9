"""A complete `pack.toml` in which every key is commented out at its default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from avma_pack.settings.schema import json_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = """\
# Settings of avma-pack. Every key shows its default: take the # in front of it away and change what follows.
# Secrets have no place here: a SAS is made when the packages are published.
"""


def commented_template() -> str:
    """Return the file. As it is, it gives the defaults; so it does with any of its keys uncommented."""
    blocks = [_HEAD]
    for table, schema in json_schema()["properties"].items():
        lines = [f"# {schema['description']}", f"[{table}]"]
        for key, value in schema["properties"].items():
            lines += ["", f"# {' '.join(_explained(value))}", f"#{key} = {_toml(value['default'])}"]
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def _explained(schema: dict[str, Any]) -> Iterator[str]:
    yield schema["description"]
    if choices := [value for value in schema.get("enum", ()) if value]:
        yield f"One of {', '.join(choices)}."
    for example in schema.get("examples", ()):
        yield f"Example: {_toml(example)}."


def _toml(value: Any) -> str:
    """Write a value in TOML, whose texts, numbers, truth values and lists look as in JSON."""
    import json  # noqa: PLC0415 - only a new settings file needs it

    return json.dumps(value, ensure_ascii=False)
