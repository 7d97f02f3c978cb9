"""Template expressions, as far as checking references and limits needs them: lexed exactly, never evaluated.

A string is an expression when it begins with `[`, not with `[[`, and ends with `]`; inside, a string literal
stands between single quotes and a doubled quote is one quote (Azure Resource Manager, template expressions).
So `[Type]Instance;Property` is plain text, and `parameters('x')` inside a literal is no reference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from avma_pack.rendering.checks.json_tree import strings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TOKEN = re.compile(
    r"""
      (?P<string>'(?:[^']|'')*+')
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<number>-?\d+(?:\.\d+)?)
    | (?P<mark>[()\[\],.])
    | (?P<blank>\s+)
    | (?P<fault>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_PAIRS = {")": "(", "]": "["}


class Token(NamedTuple):
    """A lexeme: `kind` is string, name, number or mark; the text of a string is its value, unquoted."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function call: its name in lower case, the places of its first and last token, and its shape.

    `literal` is the argument when there is one and it is a string literal. `depth` is 1 for the outermost.
    """

    name: str
    first: int
    last: int
    arguments: int
    depth: int
    literal: str | None


@dataclass(frozen=True, slots=True)
class Syntax:
    """A lexed expression; `fault` says what is wrong with it, empty when nothing is."""

    tokens: tuple[Token, ...]
    calls: tuple[Call, ...]
    fault: str


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression found in a JSON tree: where it stands, its text and its syntax."""

    where: str
    text: str
    syntax: Syntax


class Reference(NamedTuple):
    """A name that an expression refers to, as written, and the JSON path of the expression."""

    name: str
    where: str


def is_expression(text: str) -> bool:
    """Tell whether Azure would evaluate this string."""
    return text.startswith("[") and not text.startswith("[[") and text.endswith("]")


@lru_cache(maxsize=4096)
def parse(text: str) -> Syntax:
    """Lex an expression, brackets included. Cached: the packs of one build share nearly all of theirs."""
    tokens: list[Token] = []
    fault = ""
    for match in _TOKEN.finditer(text, 1, len(text) - 1):
        kind, lexeme = match.lastgroup or "fault", match.group()
        if kind == "blank":
            continue
        if kind == "fault":
            fault = "a string literal does not end" if lexeme == "'" else f"unexpected character {lexeme!r}"
            break
        tokens.append(Token(kind, lexeme[1:-1].replace("''", "'") if kind == "string" else lexeme))
    calls, imbalance = _read_calls(tokens)
    return Syntax(tuple(tokens), tuple(calls), fault or imbalance)


@dataclass(slots=True)
class _Bracket:
    mark: str
    opened_at: int
    commas: int = 0


def _read_calls(tokens: list[Token]) -> tuple[list[Call], str]:
    """Pair the brackets and return the calls in the order in which they open, and what does not pair."""
    calls: list[Call] = []
    open_brackets: list[_Bracket] = []
    for index, (kind, text) in enumerate(tokens):
        if kind != "mark":
            continue
        if text in _PAIRS.values():
            open_brackets.append(_Bracket(text, index))
        elif text in _PAIRS:
            if not open_brackets or open_brackets[-1].mark != _PAIRS[text]:
                return calls, f"{text!r} closes nothing"
            bracket = open_brackets.pop()
            depth = 1 + sum(outer.mark == "(" for outer in open_brackets)
            if text == ")" and bracket.opened_at and tokens[bracket.opened_at - 1].kind == "name":
                calls.append(_call(tokens, bracket, index, depth))
        elif text == "," and open_brackets:
            open_brackets[-1].commas += 1
    unclosed = f"{open_brackets[-1].mark!r} is not closed" if open_brackets else ""
    return sorted(calls, key=lambda call: call.first), unclosed


def _call(tokens: list[Token], bracket: _Bracket, last: int, depth: int) -> Call:
    first = bracket.opened_at - 1
    name = tokens[first].text.lower()
    # A user-defined function stands in a namespace: contoso.parameters('x') is not a parameter.
    if first and tokens[first - 1] == ("mark", "."):
        name = f".{name}"
    inside = tokens[bracket.opened_at + 1 : last]
    literal = inside[0].text if len(inside) == 1 and inside[0].kind == "string" else None
    return Call(name, first, last, bracket.commas + 1 if inside else 0, depth, literal)


def find_expressions(tree: object, where: str, *, without: str = "") -> Iterator[Expression]:
    """Yield every expression of a JSON tree, in document order, leaving out the subtree at path `without`."""
    for path, text in strings(tree, where, without=without):
        if is_expression(text):
            yield Expression(path, text, parse(text))


def references(expressions: Iterable[Expression], function: str = "parameters") -> Iterator[Reference]:
    """Yield what expressions refer to by a function with one literal argument: parameters('X')."""
    for expression in expressions:
        for call in expression.syntax.calls:
            if call.name == function and call.literal is not None:
                yield Reference(call.literal, expression.where)


def outermost_call(text: object) -> Call | None:
    """Return the call that an expression consists of, as a whole: tryGet in `[tryGet(field('x'), 'y')]`."""
    if not isinstance(text, str) or not is_expression(text):
        return None
    syntax = parse(text)
    whole = (call for call in syntax.calls if call.first == 0 and call.last == len(syntax.tokens) - 1)
    return next(whole, None)


def referenced_parameter(value: object) -> str | None:
    """Return X when the value is `[parameters('X')]` and nothing else."""
    call = outermost_call(value)
    return call.literal if call is not None and call.name == "parameters" else None
