"""Reads a query: `table | operator | …`. What this tenant does not know is an error that names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from avma_pack.tenant.kql.expression_parser import ExpressionParser
from avma_pack.tenant.kql.syntax import (
    Count,
    Drop,
    Expand,
    Key,
    Named,
    Operator,
    Order,
    Project,
    Query,
    Summarize,
    Take,
    Where,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_HYPHENATED = frozenset({"mv", "project"})
"""What an operator's name with a hyphen begins with."""


def parse(query: str) -> Query:
    """The tree of a query.

    Raises:
        QueryError: it is malformed, or uses what is not known here.
    """
    return _Parser(query).query()


class _Parser(ExpressionParser):
    """Reads tabular operators."""

    def query(self) -> Query:
        """The whole query. One that begins with an operator asks the table `resources`."""
        at = self.token.start
        table = "resources"
        if self.token.kind == "name" and self.peek().text in {"|", ""}:
            table = self.advance().text
            operators = []
        else:
            operators = [self._operator()]
        while self.take("|"):
            operators.append(self._operator())
        self.take(";")
        if self.token.kind != "end":
            raise self.unexpected()
        return Query(table, tuple(operators), at)

    def _operator(self) -> Operator:
        start = self.token
        name = self.name()
        if name in _HYPHENATED and self.token.text == "-" and self.token.start == start.end:
            self.advance()
            name = f"{name}-{self.name()}"
        read = _OPERATORS.get(name)
        if read is None:
            raise self.error(f"the operator '{name}' is not known here", start)
        return read(self, start.start)

    def where(self, at: int) -> Where:
        """`where condition`."""
        return Where(self.expression(), at)

    def project(self, at: int) -> Project:
        """`project columns`."""
        return Project("project", self._columns(), at)

    def extend(self, at: int) -> Project:
        """`extend columns`."""
        return Project("extend", self._columns(), at)

    def distinct(self, at: int) -> Project:
        """`distinct columns`."""
        return Project("distinct", self._columns(), at)

    def drop(self, at: int) -> Drop:
        """`project-away columns`."""
        names = [self.name()]
        while self.take(","):
            names.append(self.name())
        return Drop(tuple(names), at)

    def take_rows(self, at: int) -> Take:
        """`take` or `limit`, and a number."""
        return Take(self.whole_number(), at)

    def order(self, at: int) -> Order:
        """`order by keys`."""
        self.expect("by")
        return Order(self._keys(), None, at)

    def top(self, at: int) -> Order:
        """`top count by keys`."""
        count = self.whole_number()
        self.expect("by")
        return Order(self._keys(), count, at)

    def count(self, at: int) -> Count:
        """`count`."""
        return Count(at)

    def summarize(self, at: int) -> Summarize:
        """`summarize aggregates by keys`; either may be missing."""
        aggregates = () if self.token.text == "by" else self._columns()
        keys = self._columns() if self.take("by") else ()
        return Summarize(aggregates, keys, at)

    def expand(self, at: int) -> Expand:
        """`mv-expand column to typeof(type) limit count`."""
        column = self._column()
        kind = ""
        if self.take("to"):
            self.expect("typeof")
            self.expect("(")
            kind = self.name()
            self.expect(")")
        limit = self.whole_number() if self.take("limit") else None
        if self.token.text == ",":
            raise self.error("mv-expand of several columns is not known here")
        return Expand(column, kind, limit, at)

    def _columns(self) -> tuple[Named, ...]:
        columns = [self._column()]
        while self.take(","):
            columns.append(self._column())
        return tuple(columns)

    def _column(self) -> Named:
        name = ""
        if self.peek(3 if self.sees("[") else 1).text == "=":
            name = self.name()
            self.expect("=")
        return Named(name, self.expression())

    def _keys(self) -> tuple[Key, ...]:
        keys = [self._key()]
        while self.take(","):
            keys.append(self._key())
        return tuple(keys)

    def _key(self) -> Key:
        """A key: descending where nothing is said, and with nulls last then, first when ascending."""
        value = self.expression()
        descending = not self.take("asc")
        if descending:
            self.take("desc")
        nulls_first = not descending
        if self.take("nulls"):
            nulls_first = self.name() == "first"
        return Key(value, descending, nulls_first)


_OPERATORS: dict[str, Callable[[_Parser, int], Operator]] = {
    "where": _Parser.where,
    "filter": _Parser.where,
    "project": _Parser.project,
    "extend": _Parser.extend,
    "distinct": _Parser.distinct,
    "project-away": _Parser.drop,
    "take": _Parser.take_rows,
    "limit": _Parser.take_rows,
    "order": _Parser.order,
    "sort": _Parser.order,
    "top": _Parser.top,
    "count": _Parser.count,
    "summarize": _Parser.summarize,
    "mv-expand": _Parser.expand,
    "mvexpand": _Parser.expand,
}
