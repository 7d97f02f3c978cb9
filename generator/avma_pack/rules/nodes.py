"""Compiled conditions. Each node has `test`, a closure for speed, and `decide`, which builds the tree.

Both go through the same operators on the same values; `test` stops at the first condition that decides an allOf or
anyOf, `decide` looks at all of them, and so may meet an error that `test` did not come to.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from avma_pack.rules.decision import Decision, Kind
from avma_pack.rules.errors import RuleError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from avma_pack.rules.operators import Check, Operator
    from avma_pack.rules.scope import Context, Json, Read


class Node(Protocol):
    """A compiled condition or logical operator."""

    test: Callable[[Context], bool]

    def decide(self, context: Context) -> Decision:
        """The decision, with its children."""


class Logical:
    """allOf or anyOf over its children."""

    __slots__ = ("_children", "_kind", "test")

    def __init__(self, kind: Kind, children: Sequence[Node]) -> None:
        self._kind, self._children = kind, tuple(children)
        tests = tuple(child.test for child in children)
        self.test: Callable[[Context], bool] = _all_of(tests) if kind == "allOf" else _any_of(tests)

    def decide(self, context: Context) -> Decision:
        """Those children decide whose outcome is that of the whole."""
        decided = [child.decide(context) for child in self._children]
        outcomes = [child.outcome for child in decided]
        outcome = all(outcomes) if self._kind == "allOf" else any(outcomes)
        children = tuple(child if child.outcome is outcome else child.undeciding() for child in decided)
        return Decision(self._kind, self._kind, outcome, children=children)


def _all_of(tests: tuple[Callable[[Context], bool], ...]) -> Callable[[Context], bool]:
    def test(context: Context) -> bool:
        for each in tests:  # noqa: SIM110 - a generator costs more than the conditions
            if not each(context):
                return False
        return True

    return test


def _any_of(tests: tuple[Callable[[Context], bool], ...]) -> Callable[[Context], bool]:
    def test(context: Context) -> bool:
        for each in tests:  # noqa: SIM110 - likewise
            if each(context):
                return True
        return False

    return test


class Negation:
    """not."""

    __slots__ = ("_child", "test")

    def __init__(self, child: Node) -> None:
        self._child = child
        inner = child.test
        self.test: Callable[[Context], bool] = lambda context: not inner(context)

    def decide(self, context: Context) -> Decision:
        """The only child decides."""
        child = self._child.decide(context)
        return Decision("not", "not", not child.outcome, children=(child,))


@dataclass(frozen=True, slots=True)
class Comparison:
    """The right side of a condition, and its place: an operator, and an operand as written and how to read it.

    The operand of a `constant` one needs no evaluation: `written` is its value.
    """

    name: str
    operator: Operator
    written: Json
    read: Read
    constant: bool
    where: str


class Leaf:
    """A field, value or count that is compared.

    Raises:
        RuleError: the operator refuses a constant operand.
    """

    __slots__ = ("_check_for", "_comparison", "_kind", "_read", "_text", "test")

    def __init__(self, kind: Kind, subject: str, read: Read, comparison: Comparison) -> None:
        self._kind, self._read, self._comparison = kind, read, comparison
        self._text = f"{kind} {subject} {comparison.name} {json.dumps(comparison.written, ensure_ascii=False)}"
        if comparison.constant:
            check = comparison.operator(comparison.written)
            self._check_for: Operator = lambda _: check
            self.test: Callable[[Context], bool] = _constant_test(read, check, comparison.where)
        else:
            self._check_for = comparison.operator
            self.test = _computed_test(read, comparison)

    def decide(self, context: Context) -> Decision:
        """The decision, with the value found and the operand as evaluated."""
        try:
            actual, expected = self._read(context), self._comparison.read(context)
            outcome = self._check_for(expected)(actual)
        except RuleError as error:
            raise error.within(self._comparison.where) from error
        return Decision(self._kind, self._text, outcome, actual, expected)


def _constant_test(read: Read, check: Check, where: str) -> Callable[[Context], bool]:
    def test(context: Context) -> bool:
        try:
            return check(read(context))
        except RuleError as error:
            raise error.within(where) from error

    return test


def _computed_test(read: Read, comparison: Comparison) -> Callable[[Context], bool]:
    operator, operand, where = comparison.operator, comparison.read, comparison.where

    def test(context: Context) -> bool:
        try:
            return operator(operand(context))(read(context))
        except RuleError as error:
            raise error.within(where) from error

    return test


class ComputedField:
    """A condition whose field an expression names: compiled when the name is known, once for each."""

    __slots__ = ("_leaf_for", "_leaves", "_name", "_where", "test")

    def __init__(self, name: Read, leaf_for: Callable[[Json], Leaf], where: str) -> None:
        self._name, self._leaf_for, self._where = name, leaf_for, where
        self._leaves: dict[str, Leaf] = {}
        self.test: Callable[[Context], bool] = lambda context: self._leaf(context).test(context)

    def decide(self, context: Context) -> Decision:
        """The decision about the field that is named for this resource."""
        return self._leaf(context).decide(context)

    def _leaf(self, context: Context) -> Leaf:
        try:
            name = self._name(context)
            if not isinstance(name, str) or name not in self._leaves:
                self._leaves[name] = self._leaf_for(name)
        except RuleError as error:
            raise error.within(self._where) from error
        return self._leaves[name]


class Count:
    """How many members satisfy a condition, compared with an operand."""

    __slots__ = ("_leaf", "_members", "_where", "test")

    def __init__(
        self, members: Callable[[Context], Iterator[Context]], where: Node | None, leaf_of: Callable[[Read], Leaf]
    ) -> None:
        self._members, self._where = members, where
        self._leaf = leaf_of(self._count)
        self.test: Callable[[Context], bool] = self._leaf.test

    def _count(self, context: Context) -> int:
        members = self._members(context)
        return sum(1 for each in members if self._where is None or self._where.test(each))

    def decide(self, context: Context) -> Decision:
        """The decision, with the condition's own for each member."""
        decision = self._leaf.decide(context)
        if self._where is None:
            return decision
        children = tuple(self._where.decide(each) for each in self._members(context))
        return Decision(
            decision.kind, decision.text, decision.outcome, decision.actual, decision.expected, children=children
        )
