"""Says what is wrong with a setting: where, what was found, what is allowed, what may have been meant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct, inspect

if TYPE_CHECKING:
    from collections.abc import Iterable

Path: TypeAlias = tuple[str | int, ...]
"""Keys from the top of the file down; a number is a place in a list, from 0."""

_LONGEST_SHOWN = 80
_LONGEST_GUESSED = 64

# What may be secret is not repeated, not even to the person who wrote it: logs of pipelines are read by many.
_SECRETS = (
    (re.compile(r"\?.*", re.DOTALL), "?…"),
    (re.compile(r"//[^/@]*@"), "//…@"),
    (re.compile(r"(?i)\bsig=[^&\s]*"), "sig=…"),
    (re.compile(r"(?i)\b(?:[A-Z0-9]{5}-){4}([A-Z0-9]{5})\b"), r"…-\1"),
)


class Problem(Struct, frozen=True):
    """One thing that is wrong: `path` says where, `text` what, `next_step` what to do if that is special."""

    path: Path
    text: str
    next_step: str = ""


def dotted(path: Path) -> str:
    """Write a path as a person would: `kms.port`, `pack.os[1]`, with quotes where TOML wants them."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            bare = re.fullmatch(r"[A-Za-z0-9_-]+", part)
            text += "." * bool(text) + (part if bare else shown(part))
    return text


def shown(value: object) -> str:
    """Write a value that was found: in TOML's words, on one line, not too long and without secrets."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            text = value
            for pattern, instead in _SECRETS:
                text = pattern.sub(instead, text)
            return repr(text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…")
        case dict():
            return "a table"
        case list() | tuple():
            return "a list"
        case int() if value.bit_length() > _LONGEST_SHOWN:
            return "a number far too large"
        case _:
            return str(value)


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """Return the choice that was probably meant; case, hyphens, underscores and blanks do not count."""
    if len(word) > _LONGEST_GUESSED:
        return None
    from difflib import get_close_matches  # noqa: PLC0415 - only an error needs it

    plain = {_plain(choice): choice for choice in choices}
    return next((plain[match] for match in get_close_matches(_plain(word), plain, n=1)), None)


def _plain(word: str) -> str:
    return re.sub(r"[-_ ]", "", word).casefold()


def did_you_mean(meant: str | None) -> str:
    """Return the question that ends a message, or nothing where there is nothing to suggest."""
    return f"; did you mean '{meant}'?" if meant else ""


def refused(path: Path, found: object, wanted: object) -> Problem:
    """Return the problem of a value, or of an item of a list, that the annotation `wanted` does not allow."""
    info = _plain_type(inspect.type_info(wanted))
    if isinstance(path[-1], int) and isinstance(info, inspect.VarTupleType):
        info = info.item_type
    choices = _choices(info)
    meant = nearest(found, choices) if isinstance(found, str) else None
    return Problem(path, f"found {shown(found)}; allowed: {_allowed(info)}{did_you_mean(meant)}")


def _plain_type(info: inspect.Type) -> inspect.Type:
    """Strip the description and the None from a type; the metadata that describe it in words stay."""
    match info:
        case inspect.Metadata(extra=None, type=inner) | inspect.UnionType(types=(inner, *_)):
            return _plain_type(inner)
        case _:
            return info


def _choices(info: inspect.Type) -> list[str]:
    return [str(member.value) for member in info.cls] if isinstance(info, inspect.EnumType) else []


def _allowed(info: inspect.Type) -> str:
    match info:
        case inspect.Metadata(extra={"allowed": str(words)}):
            return words
        case inspect.EnumType():
            return ", ".join(f"'{choice}'" for choice in _choices(info))
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType(ge=least, le=most):
            return f"a whole number from {least} to {most}"
        case inspect.VarTupleType(item_type=item):
            return f"a list, and as each item {_allowed(item)}"
        case _:
            return "text"
