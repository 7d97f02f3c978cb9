"""Tokens of template expressions.

Source: https://learn.microsoft.com/azure/azure-resource-manager/templates/template-expressions: an expression is a
string that begins with `[` and ends with `]`; `[[` begins a text that is none; a string literal stands between
single quotes, a doubled quote in it is one quote.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from avma_pack.rules.errors import RuleError

_TOKEN = re.compile(
    r"""
      (?P<string>'(?:[^']|'')*+')
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<number>-?[0-9]+)
    | (?P<mark>[()\[\],.])
    | (?P<blank>\s+)
    | (?P<fault>.)
    """,
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """A lexeme: `kind` is string, name, number, mark or end; the text of a string is its value, unquoted."""

    kind: str
    text: str


END = Token("end", "")


def is_expression(text: str) -> bool:
    """Tell whether Azure evaluates this string."""
    return text.startswith("[") and not text.startswith("[[") and text.endswith("]")


def plain_text(text: str) -> str:
    """The value of a string that is no expression: `[[text]` is an escaped `[text]`, all else stands for itself."""
    return text[1:] if text.startswith("[[") and text.endswith("]") else text


def tokenize(text: str) -> list[Token]:
    """The tokens between the brackets of an expression.

    Raises:
        RuleError: a string literal does not end, or a character has no meaning in expressions.
    """
    tokens: list[Token] = []
    for match in _TOKEN.finditer(text, 1, len(text) - 1):
        kind, lexeme = match.lastgroup or "fault", match.group()
        if kind == "fault":
            fault = "a string literal does not end" if lexeme == "'" else f"unexpected character {lexeme!r}"
            raise RuleError(fault, where=text)
        if kind != "blank":
            tokens.append(Token(kind, lexeme[1:-1].replace("''", "'") if kind == "string" else lexeme))
    return tokens
