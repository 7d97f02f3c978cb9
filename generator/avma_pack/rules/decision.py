"""The result of deciding a rule: a tree of decided conditions, in which those that decided are marked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

    from avma_pack.rules.scope import Json

Kind: TypeAlias = Literal["allOf", "anyOf", "not", "field", "value", "count"]


@dataclass(frozen=True, slots=True)
class Decision:
    """A condition, decided.

    `text` is the condition in one line, as written. `actual` is the value found (of a field with `[*]` the list of
    selected values, of a count the number), `expected` the operand after evaluation; both None for allOf, anyOf and
    not. `deciding` says that the outcome of the whole rests on this one: in an allOf that is false on the false
    children, in one that is true on all; in an anyOf the other way round; and never below one on which nothing
    rests. The children of a count are its condition, once per member.
    """

    kind: Kind
    text: str
    outcome: bool
    actual: Json = None
    expected: Json = None
    children: tuple[Decision, ...] = ()
    deciding: bool = True

    def decided_by(self) -> Iterator[Decision]:
        """The deciding conditions that consist of no others, in the order of the rule."""
        if self.deciding and self.kind in {"field", "value", "count"}:
            yield self
        elif self.deciding:
            for child in self.children:
                yield from child.decided_by()

    def undeciding(self) -> Decision:
        """The same tree with nothing marked."""
        children = tuple(child.undeciding() for child in self.children)
        return replace(self, deciding=False, children=children)
