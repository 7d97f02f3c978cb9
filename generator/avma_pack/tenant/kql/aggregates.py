"""Aggregates of `summarize` (https://learn.microsoft.com/kusto/query/aggregation-functions)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from avma_pack.tenant.kql.syntax import Call
from avma_pack.tenant.kql.values import text

if TYPE_CHECKING:
    from collections.abc import Callable

    from avma_pack.tenant.kql.scalars import Compiler, Run, Schema
    from avma_pack.tenant.kql.syntax import Named
    from avma_pack.tenant.kql.values import Row


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One column of a summary."""

    name: str
    type: str
    compute: Callable[[list[Row]], Any]


@dataclass(frozen=True, slots=True)
class _Kind:
    """An aggregate function. `result` '' is the type of the argument; `prefix` begins the name of its column."""

    prefix: str
    result: str
    compute: Callable[[list[Any]], Any]


def aggregate(compiler: Compiler, column: Named, schema: Schema) -> Aggregate:
    """An aggregate, ready to run.

    Raises:
        QueryError: it is none that is known here.
    """
    call = column.value
    if not isinstance(call, Call) or (call.name not in _KINDS and call.name != "count"):
        name = call.name if isinstance(call, Call) else "expression"
        raise compiler.error(call.at, name, f"the aggregate '{name}' is not known here")
    if call.name == "count":
        return Aggregate(column.name or "count_", "long", len)
    if len(call.arguments) != 1:
        raise compiler.error(call.at, call.name, f"{call.name}() takes one argument here")
    kind, argument = _KINDS[call.name], compiler.scalar(call.arguments[0], schema)
    name = column.name or kind.prefix + argument.name
    return Aggregate(name, kind.result or argument.type, _over(kind.compute, argument.run))


def _over(compute: Callable[[list[Any]], Any], run: Run) -> Callable[[list[Row]], Any]:
    """An aggregate of the values that are there."""
    return lambda rows: compute([value for row in rows if (value := run(row)) is not None])


def _distinct(values: list[Any]) -> list[Any]:
    return list({text(value): value for value in values}.values())


_KINDS = {
    "countif": _Kind("countif_", "long", lambda values: sum(value is True for value in values)),
    "dcount": _Kind("dcount_", "long", lambda values: len(_distinct(values))),
    "sum": _Kind("sum_", "", sum),
    "min": _Kind("min_", "", lambda values: min(values, default=None)),
    "max": _Kind("max_", "", lambda values: max(values, default=None)),
    "avg": _Kind("avg_", "real", lambda values: sum(values) / len(values) if values else None),
    "take_any": _Kind("", "", lambda values: values[0] if values else None),
    "any": _Kind("any_", "", lambda values: values[0] if values else None),
    "make_list": _Kind("list_", "dynamic", list),
    "make_set": _Kind("set_", "dynamic", _distinct),
}
