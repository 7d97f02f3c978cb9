"""A query as a tree. `at` is the offset in the query, for errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

# --- expressions


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant of a type of Kusto."""

    value: Any
    type: str
    at: int


@dataclass(frozen=True, slots=True)
class Column:
    """A column by its name."""

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Member:
    """`base.name` or `base['name']`."""

    base: Expression
    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Element:
    """`base[index]`."""

    base: Expression
    index: Expression
    at: int


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments."""

    name: str
    arguments: tuple[Expression, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Binary:
    """An operator between two expressions; of `in` and its kin the right side is the list."""

    operator: str
    left: Expression
    right: Expression | tuple[Expression, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Negation:
    """`-value`."""

    value: Expression
    at: int


Expression: TypeAlias = Literal | Column | Member | Element | Call | Binary | Negation


@dataclass(frozen=True, slots=True)
class Named:
    """An expression with the name that the query gives it; '' where it gives none."""

    name: str
    value: Expression


# --- tabular operators


@dataclass(frozen=True, slots=True)
class Where:
    """`where condition`."""

    condition: Expression
    at: int


@dataclass(frozen=True, slots=True)
class Project:
    """`project`, `extend` or `distinct`, by `kind`."""

    kind: str
    columns: tuple[Named, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Drop:
    """`project-away` columns."""

    columns: tuple[str, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Take:
    """`take` or `limit`."""

    count: int
    at: int


@dataclass(frozen=True, slots=True)
class Key:
    """A key of an order."""

    value: Expression
    descending: bool
    nulls_first: bool


@dataclass(frozen=True, slots=True)
class Order:
    """`order by` or `sort by`; `count` is that of `top`."""

    keys: tuple[Key, ...]
    count: int | None
    at: int


@dataclass(frozen=True, slots=True)
class Count:
    """`count`."""

    at: int


@dataclass(frozen=True, slots=True)
class Summarize:
    """`summarize aggregates by keys`."""

    aggregates: tuple[Named, ...]
    keys: tuple[Named, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Expand:
    """`mv-expand`: `type` is what `to typeof()` says, '' for nothing."""

    column: Named
    type: str
    limit: int | None
    at: int


Operator: TypeAlias = Where | Project | Drop | Take | Order | Count | Summarize | Expand


@dataclass(frozen=True, slots=True)
class Query:
    """A table and what is done with it, in order."""

    table: str
    operators: tuple[Operator, ...]
    at: int
