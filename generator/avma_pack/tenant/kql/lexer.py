"""A query as tokens (https://learn.microsoft.com/kusto/query/scalar-data-types/string and timespan for literals)."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any, Literal

from avma_pack.tenant.kql.errors import QueryError

TokenKind = Literal["name", "string", "number", "timespan", "symbol", "end"]

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|//[^\n]*)
  | (?P<verbatim>@'(?:[^']|'')*'|@"(?:[^"]|"")*")
  | (?P<string>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")
  | (?P<timespan>\d+(?:\.\d+)?(?:microseconds?|milliseconds?|seconds?|minutes?|hours?|days?|ms|d|h|m|s)\b)
  | (?P<number>\d+(?:\.(?!\.)\d*)?(?:[eE][+-]?\d+)?)
  | (?P<name>in~|\$?[A-Za-z_]\w*)
  | (?P<symbol>==|!=|=~|!~|<=|>=|<>|\.\.|[=<>+\-*/%()\[\]{},.|;:!])
    """,
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}
_UNITS = {"ms": "milliseconds", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_SPAN = re.compile(r"([\d.]+)([a-z]+)")


@dataclass(frozen=True, slots=True)
class Token:
    """A token; `value` is that of a literal, or the text. `start` and `end` are offsets in the query."""

    kind: TokenKind
    text: str
    value: Any
    start: int
    end: int


def tokens_of(query: str) -> list[Token]:
    """The tokens of a query, with an end token last.

    Raises:
        QueryError: a character that begins no token.
    """
    found, position = [], 0
    while position < len(query):
        match = _TOKEN.match(query, position)
        if not match:
            raise error_at(query, position, query[position], f"'{query[position]}' is not understood")
        position = match.end()
        if match.lastgroup != "space":
            found.append(_token(match))
    found.append(Token("end", "", None, len(query), len(query)))
    return found


def error_at(query: str, position: int, token: str, message: str) -> QueryError:
    """An error that names its place."""
    line = query.count("\n", 0, position) + 1
    column = position - query.rfind("\n", 0, position)
    return QueryError(message, token=token, line=line, column=column)


def _token(match: re.Match[str]) -> Token:
    text, span = match.group(), match.span()
    match match.lastgroup:
        case "verbatim":
            return Token("string", text, text[2:-1].replace(text[1] * 2, text[1]), *span)
        case "string":
            return Token("string", text, _ESCAPE.sub(_unescaped, text[1:-1]), *span)
        case "number":
            return Token("number", text, int(text) if text.isdigit() else float(text), *span)
        case "timespan":
            return Token("timespan", text, _timespan(text), *span)
        case "name":
            return Token("name", text, text, *span)
    return Token("symbol", text, text, *span)


def _unescaped(match: re.Match[str]) -> str:
    escaped = match[1]
    return chr(int(escaped[1:], 16)) if len(escaped) > 1 else _ESCAPES.get(escaped, escaped)


def _timespan(text: str) -> dt.timedelta:
    match = _SPAN.fullmatch(text)
    assert match  # noqa: S101 - as the token was recognised
    unit = _UNITS.get(match[2], match[2] if match[2].endswith("s") else f"{match[2]}s")
    return dt.timedelta(**{unit: float(match[1])})
