"""String functions: https://learn.microsoft.com/azure/azure-resource-manager/templates/template-functions-string."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from typing import TYPE_CHECKING

from avma_pack.rules.errors import RuleError
from avma_pack.rules.values import is_number, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from avma_pack.rules.scope import Json

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{(\d{1,3})\}|[{}]", re.ASCII)


def _text(name: str, value: Json) -> str:
    if not isinstance(value, str):
        raise RuleError(f"{name}() takes texts, not {kind_of(value)} {value!r}")
    return value


def _integer(name: str, value: Json) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise RuleError(f"{name}() takes integers, not {kind_of(value)} {value!r}")
    return value


def _concat(*values: Json) -> Json:
    """Texts (and integers, which Azure writes out) make a text, arrays an array."""
    if isinstance(values[0], list):
        if not all(isinstance(value, list) for value in values):
            raise RuleError("concat() takes texts or arrays, not both")
        return [each for value in values for each in value]
    return "".join(str(value) if is_number(value) else _text("concat", value) for value in values)


def _split(text: Json, delimiter: Json) -> list[str]:
    """The delimiter is a text, or an array of texts."""
    delimiters = delimiter if isinstance(delimiter, list) else [delimiter]
    pattern = "|".join(re.escape(_text("split", each)) for each in delimiters if each != "")
    return re.split(pattern, _text("split", text)) if pattern else [_text("split", text)]


def _replace(text: Json, old: Json, new: Json) -> str:
    if _text("replace", old) == "":
        raise RuleError("replace() does not look for an empty text")
    return _text("replace", text).replace(old, _text("replace", new))


def _substring(text: Json, start: Json, length: Json = None) -> str:
    """An error, as in Azure, where it reaches beyond the end (the page on policy rules, avoiding template failures)."""
    whole, begin = _text("substring", text), _integer("substring", start)
    size = len(whole) - begin if length is None else _integer("substring", length)
    if begin < 0 or size < 0 or begin + size > len(whole):
        raise RuleError(f"substring() reaches beyond {text!r}: start {begin}, length {size}")
    return whole[begin : begin + size]


def _ignoring_case(name: str, test: Callable[[str, str], Json]) -> Callable[[Json, Json], Json]:
    return lambda text, part: test(_text(name, text).lower(), _text(name, part).lower())


def _format(pattern: Json, *values: Json) -> str:
    """`{0}` stands for an argument, a doubled brace for a brace; .NET's format specifiers are not known here."""

    def fill(found: re.Match[str]) -> str:
        if found[0] in {"{{", "}}"}:
            return found[0][0]
        if found[1] is None or int(found[1]) >= len(values):
            raise RuleError(f"format() cannot fill {pattern!r} with {len(values)} values")
        return _string(values[int(found[1])])

    return _PLACEHOLDER.sub(fill, _text("format", pattern))


def _string(value: Json) -> str:
    if isinstance(value, str):
        return value
    if is_number(value):
        return str(value)
    if isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    raise RuleError(f"string() of {kind_of(value)} is not known here")


def _int(value: Json) -> int:
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", value):
        return int(value)
    return _integer("int", value)


def _base64(text: Json) -> str:
    return base64.b64encode(_encoded("base64", text)).decode()


def _base64_to_string(text: Json) -> str:
    try:
        return base64.b64decode(_encoded("base64ToString", text), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise RuleError(f"base64ToString() cannot read {text!r}") from None


def _encoded(name: str, text: Json) -> bytes:
    try:
        return _text(name, text).encode()
    except UnicodeEncodeError:
        raise RuleError(f"{name}() takes whole characters, not {text!r}") from None


def _unique_string(*values: Json) -> str:
    """13 characters of a-z and 2-7 that depend on the arguments alone.

    Azure's algorithm is not published: these are stable, but not those that Azure computes.
    """
    texts = json.dumps([_text("uniqueString", value) for value in values])
    return base64.b32encode(hashlib.sha256(texts.encode()).digest()).decode()[:13].lower()


TEXT_FUNCTIONS: dict[str, tuple[int, int, Callable[..., Json]]] = {
    "concat": (1, 128, _concat),
    "toLower": (1, 1, lambda text: _text("toLower", text).lower()),
    "toUpper": (1, 1, lambda text: _text("toUpper", text).upper()),
    "trim": (1, 1, lambda text: _text("trim", text).strip()),
    "split": (2, 2, _split),
    "replace": (3, 3, _replace),
    "substring": (2, 3, _substring),
    "startsWith": (2, 2, _ignoring_case("startsWith", str.startswith)),
    "endsWith": (2, 2, _ignoring_case("endsWith", str.endswith)),
    "indexOf": (2, 2, _ignoring_case("indexOf", str.find)),
    "lastIndexOf": (2, 2, _ignoring_case("lastIndexOf", str.rfind)),
    "format": (2, 128, _format),
    "string": (1, 1, _string),
    "int": (1, 1, _int),
    "base64": (1, 1, _base64),
    "base64ToString": (1, 1, _base64_to_string),
    "uniqueString": (1, 128, _unique_string),
}
"""Name -> least and most arguments, body."""
