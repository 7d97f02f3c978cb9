"""Reads scalar expressions, by precedence: or, and, comparison, sum, product, sign, path."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from avma_pack.tenant.kql.lexer import Token, error_at, tokens_of
from avma_pack.tenant.kql.syntax import Binary, Call, Column, Element, Expression, Literal, Member, Negation
from avma_pack.tenant.kql.values import read_datetime

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from avma_pack.tenant.kql.errors import QueryError

T = TypeVar("T")

COMPARISONS = frozenset(
    {"==", "!=", "<>", "=~", "!~", "<", "<=", ">", ">=", "contains", "contains_cs", "startswith", "startswith_cs"}
    | {"endswith", "endswith_cs", "has", "has_cs"}
)
LISTS = frozenset({"in", "in~", "has_any", "has_all"})
NEGATABLE = frozenset({"in", "in~", "contains", "contains_cs", "startswith", "startswith_cs"}) | frozenset(
    {"endswith", "endswith_cs", "has", "has_cs"}
)


class ExpressionParser:
    """Reads tokens one by one. `token` is the next."""

    def __init__(self, query: str) -> None:
        self._text = query
        self._tokens = tokens_of(query)
        self._next = 0

    @property
    def token(self) -> Token:
        """The token that comes next."""
        return self._tokens[self._next]

    def peek(self, further: int = 1) -> Token:
        """A token that comes after the next."""
        return self._tokens[min(self._next + further, len(self._tokens) - 1)]

    def sees(self, *symbols: str) -> bool:
        """Whether the next token is one of these symbols."""
        return self.token.kind == "symbol" and self.token.text in symbols

    def advance(self) -> Token:
        """The next token, which is then read."""
        token = self.token
        self._next = min(self._next + 1, len(self._tokens) - 1)
        return token

    def take(self, text: str) -> bool:
        """Read the next token if it is this word or symbol."""
        if self.token.text != text or self.token.kind == "string":
            return False
        self.advance()
        return True

    def expect(self, text: str) -> None:
        """Read this word or symbol, or fail."""
        if not self.take(text):
            raise self.error(f"'{text}' is expected")

    def name(self) -> str:
        """Read a name, also one in brackets and quotes."""
        if self.token.text == "[" and self.peek().kind == "string":
            self.advance()
            quoted = self.advance().value
            self.expect("]")
            return str(quoted)
        if self.token.kind != "name":
            raise self.unexpected()
        return self.advance().text

    def whole_number(self) -> int:
        """Read a number without fraction."""
        if not isinstance(self.token.value, int):
            raise self.unexpected()
        return int(self.advance().value)

    def unexpected(self) -> QueryError:
        """The error for a token that cannot stand here."""
        return self.error(
            f"'{self.token.text}' is not expected here" if self.token.text else "the query ends too early"
        )

    def error(self, message: str, token: Token | None = None) -> QueryError:
        """An error at a token, the next where none is given."""
        found = token or self.token
        return error_at(self._text, found.start, found.text, message)

    def expression(self) -> Expression:
        """Read an expression."""
        left = self._conjunction()
        while self.token.text == "or":
            at = self.advance().start
            left = Binary("or", left, self._conjunction(), at)
        return left

    def _conjunction(self) -> Expression:
        left = self._comparison()
        while self.token.text == "and":
            at = self.advance().start
            left = Binary("and", left, self._comparison(), at)
        return left

    def _comparison(self) -> Expression:
        left = self._sum()
        at = self.token.start
        operator = self._comparator()
        if not operator:
            return left
        if operator.removeprefix("!") in LISTS:
            return Binary(operator, left, self._list(), at)
        return Binary("!=" if operator == "<>" else operator, left, self._sum(), at)

    def _comparator(self) -> str:
        """Read an operator that compares; '' where none comes."""
        token = self.token
        negated = token.text == "!" and token.end == self.peek().start
        if negated:
            self.advance()
        word = self.token.text if self.token.kind != "string" else ""
        if word in COMPARISONS | LISTS and (not negated or word in NEGATABLE):
            self.advance()
            return f"!{word}" if negated else word
        if negated:
            raise self.unexpected()
        if word in {"between", "matches"}:
            raise self.error(f"the operator '{word}' is not known here")
        return ""

    def _list(self) -> tuple[Expression, ...]:
        self.expect("(")
        items = [self.expression()]
        while self.take(","):
            items.append(self.expression())
        self.expect(")")
        return tuple(items)

    def _sum(self) -> Expression:
        left = self._product()
        while self.sees("+", "-"):
            token = self.advance()
            left = Binary(token.text, left, self._product(), token.start)
        return left

    def _product(self) -> Expression:
        left = self._signed()
        while self.sees("*", "/", "%"):
            token = self.advance()
            left = Binary(token.text, left, self._signed(), token.start)
        return left

    def _signed(self) -> Expression:
        if self.sees("-"):
            at = self.advance().start
            return Negation(self._signed(), at)
        return self._path()

    def _path(self) -> Expression:
        found = self._atom()
        while self.sees(".", "["):
            token = self.advance()
            if token.text == ".":
                found = Member(found, self.name(), token.start)
                continue
            if self.token.kind == "string" and self.peek().text == "]":
                found = Member(found, str(self.advance().value), token.start)
            else:
                found = Element(found, self.expression(), token.start)
            self.expect("]")
        return found

    def _atom(self) -> Expression:
        token = self.token
        if token.kind == "name":
            return self._named()
        if token.text == "[" and self.peek().kind == "string":
            return Column(self.name(), token.start)
        if token.kind == "string":
            return Literal(self.advance().value, "string", token.start)
        if token.kind == "number":
            return Literal(self.advance().value, "long" if isinstance(token.value, int) else "real", token.start)
        if token.kind == "timespan":
            return Literal(self.advance().value, "timespan", token.start)
        if self.take("("):
            inner = self.expression()
            self.expect(")")
            return inner
        raise self.unexpected()

    def _named(self) -> Expression:
        """A constant, a call or a column."""
        token = self.advance()
        if token.text in {"true", "false"}:
            return Literal(token.text == "true", "bool", token.start)
        if not self.sees("("):
            return Column(token.text, token.start)
        if token.text in {"datetime", "dynamic", "timespan"}:
            return self._typed_literal(token)
        self.advance()
        arguments = []
        if self.token.text != ")":
            arguments.append(self.expression())
            while self.take(","):
                arguments.append(self.expression())
        self.expect(")")
        return Call(token.text, tuple(arguments), token.start)

    def _typed_literal(self, token: Token) -> Literal:
        """`dynamic(value)`, `datetime(text)`, `timespan(text)`: what stands in the parentheses is no expression."""
        start = self.advance().end
        value: object = None
        if token.text == "dynamic":
            value = self._dynamic()
        else:
            end = self._text.find(")", start)
            text = self._text[start : max(start, end)].strip()
            value = read_datetime(text) if token.text == "datetime" else _timespan(text)
            if value is None and text != "null":
                raise self.error(f"'{text}' is no {token.text}", token)
            while self.token.start < end and self.token.kind != "end":
                self.advance()
        self.expect(")")
        return Literal(value, token.text, token.start)

    def _dynamic(self) -> object:
        """A value as JSON writes it, with quotes of either kind."""
        if self.take("["):
            return self._members(self._dynamic, "]")
        if self.take("{"):
            return dict(self._members(self._pair, "}"))
        negative = self.take("-")
        token = self.advance()
        if token.kind == "number":
            return -token.value if negative else token.value
        if token.kind == "string" and not negative:
            return token.value
        if token.text in _JSON_WORDS and not negative:
            return _JSON_WORDS[token.text]
        raise self.error(f"'{token.text}' is not expected here", token)

    def _members(self, read: Callable[[], T], end: str) -> list[T]:
        found: list[T] = []
        while not self.take(end):
            if found:
                self.expect(",")
            found.append(read())
        return found

    def _pair(self) -> tuple[str, object]:
        if self.token.kind != "string":
            raise self.unexpected()
        name = str(self.advance().value)
        self.expect(":")
        return name, self._dynamic()


_JSON_WORDS = {"true": True, "false": False, "null": None}


def _timespan(text: str) -> dt.timedelta | None:
    found = tokens_of(text)
    return found[0].value if found[0].kind == "timespan" else None
