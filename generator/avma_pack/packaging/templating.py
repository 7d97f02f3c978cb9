"""Jinja2, set up once for every template of the pack: undefined names are errors, values enter through filters."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined

if TYPE_CHECKING:
    from pathlib import Path


@cache
def environment(folder: Path) -> Environment:
    """The environment for the templates in `folder`, with the filters `json` and `mof`."""
    made = Environment(  # noqa: S701 - the output is JSON and MOF, escaped by the filters below
        loader=FileSystemLoader(folder, encoding="utf-8"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["json"] = _json
    made.filters["mof"] = _mof
    return made


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _mof(value: str) -> str:
    """A MOF string literal (DSP0004): backslash and quote are escaped, nothing else may need it."""
    if not value.isascii() or not value.isprintable():
        raise ValueError(f"not printable ASCII: {value!r}")
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
