"""What can be told of a query's rows before it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from avma_pack.tenant.kql.syntax import Binary, Column, Expression, Literal, Where

if TYPE_CHECKING:
    from avma_pack.tenant.kql.syntax import Query


def wanted_types(query: Query) -> frozenset[str] | None:
    """The resource types, in lower case, outside which the query has no rows; None: any."""
    found: frozenset[str] | None = None
    for operator in query.operators:
        if not isinstance(operator, Where):
            break
        wanted = _types(operator.condition)
        if wanted is not None:
            found = wanted if found is None else found & wanted
    return found


def _types(condition: Expression) -> frozenset[str] | None:
    match condition:
        case Binary("and", left, right) if not isinstance(right, tuple):
            one, other = _types(left), _types(right)
            if one is None or other is None:
                return one if other is None else other
            return one & other
        case Binary("==" | "=~", Column("type"), Literal(str(value))):
            return frozenset({value.lower()})
        case Binary("in" | "in~", Column("type"), tuple(items)) if all(isinstance(each, Literal) for each in items):
            return frozenset(str(each.value).lower() for each in items if isinstance(each, Literal))
        case _:
            return None
