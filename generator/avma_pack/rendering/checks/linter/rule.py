"""What a rule of the linter is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from avma_pack.rendering.checks.model import Definition


class Finding(NamedTuple):
    """What a rule says: the JSON path and the message; the registry adds the rule's id."""

    where: str
    message: str


Rule: TypeAlias = "Callable[[Definition], Iterable[Finding]]"
