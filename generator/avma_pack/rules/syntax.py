"""The parser of template expressions: from text to a small tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from avma_pack.rules.errors import RuleError
from avma_pack.rules.lexer import END, Token, tokenize
from avma_pack.rules.values import INTEGERS

MAX_DEPTH = 128
"""How deep calls may nest; Azure Policy allows 64 (policy rule limits, definition-structure-policy-rule)."""

_MAX_DIGITS = 32


@dataclass(frozen=True, slots=True)
class Literal:
    """A string or an integer."""

    value: str | int


@dataclass(frozen=True, slots=True)
class Call:
    """A function call; `name` is in lower case, `written` as in the text."""

    name: str
    written: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Property:
    """`target.name`."""

    target: Node
    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """`target[key]`."""

    target: Node
    key: Node


Node: TypeAlias = Literal | Call | Property | Index


def parse(text: str) -> Node:
    """Parse an expression, brackets included.

    Raises:
        RuleError: it is malformed, or nests deeper than MAX_DEPTH.
    """
    parser = _Parser(text)
    node = parser.expression(depth=1)
    if parser.next != END:
        raise parser.fault(f"{parser.next.text!r} is one thing too many")
    return node


class _Parser:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokenize(text)
        self._at = 0

    @property
    def next(self) -> Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else END

    def fault(self, message: str) -> RuleError:
        return RuleError(message, where=self._text)

    def expression(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise self.fault(f"the expression nests deeper than {MAX_DEPTH}")
        node = self._operand(depth)
        for _ in range(MAX_DEPTH):
            if self._skip("."):
                node = Property(node, self._take("name", "the name of a property"))
            elif self._skip("["):
                node = Index(node, self.expression(depth + 1))
                self._expect("]")
            else:
                return node
        raise self.fault(f"more than {MAX_DEPTH} properties in a row")

    def _operand(self, depth: int) -> Node:
        kind, text = self.next
        if kind == "string":
            self._at += 1
            return Literal(text)
        if kind == "number":
            return Literal(self._number())
        if kind == "name":
            self._at += 1
            return self._call(text, depth)
        raise self.fault(f"a value is expected, not {text!r}" if text else "a value is missing")

    def _number(self) -> int:
        text = self._take("number", "a number")
        if len(text) > _MAX_DIGITS or int(text) not in INTEGERS:
            raise self.fault("a number does not fit 64 bits")
        return int(text)

    def _call(self, name: str, depth: int) -> Call:
        if self._skip("."):
            raise self.fault(f"user-defined functions are not evaluated: {name}.{self.next.text}")
        if not self._skip("("):
            raise self.fault(f"{name} is neither a function call nor a literal in single quotes")
        arguments: list[Node] = []
        if not self._skip(")"):
            arguments.append(self.expression(depth + 1))
            while self._skip(","):
                arguments.append(self.expression(depth + 1))
            self._expect(")")
        return Call(name.lower(), name, tuple(arguments))

    def _skip(self, mark: str) -> bool:
        if self.next != ("mark", mark):
            return False
        self._at += 1
        return True

    def _expect(self, mark: str) -> None:
        if not self._skip(mark):
            found = f"{self.next.text!r}" if self.next != END else "the end"
            raise self.fault(f"{mark!r} is expected, not {found}")

    def _take(self, kind: str, what: str) -> str:
        if self.next.kind != kind:
            raise self.fault(f"{what} is expected, not {self.next.text!r}")
        text = self.next.text
        self._at += 1
        return text
