"""Tabular operators made ready to run.

A query becomes stages. What comes after the last stage that must see all rows is done page by page, so that a page of a
large result costs no more than itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from avma_pack.tenant.kql.aggregates import aggregate
from avma_pack.tenant.kql.scalars import Compiler, Run, Scalar, Schema
from avma_pack.tenant.kql.syntax import (
    Count,
    Drop,
    Expand,
    Named,
    Order,
    Project,
    Summarize,
    Take,
    Where,
)
from avma_pack.tenant.kql.values import ORDERED, Row, converted

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Sequence

    from avma_pack.tenant.kql.syntax import Operator, Query

Rows: TypeAlias = list[Row]


@dataclass(frozen=True, slots=True)
class Stage:
    """A step. `rowwise`: each row becomes one row, whatever the others are.

    `encodable`, where there is one, does the same for rows that are only to be encoded.
    """

    run: Callable[[Rows], Rows]
    rowwise: bool = False
    encodable: Callable[[Rows], Sequence[Any]] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A query that is ready to run. `columns` are those of its result; `limited`: it limits its rows itself."""

    stages: tuple[Stage, ...]
    columns: Schema
    limited: bool

    def run(self, rows: Iterable[Row]) -> Result:
        """Run the query on the rows of its table."""
        lazy = len(self.stages)
        while lazy and self.stages[lazy - 1].rowwise:
            lazy -= 1
        found = list(rows)
        for stage in self.stages[:lazy]:
            found = stage.run(found)
        return Result(found, self.stages[lazy:])


@dataclass(frozen=True, slots=True)
class Result:
    """The rows of an answer, of which those that are asked for are finished."""

    rows: Rows
    finishing: tuple[Stage, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def page(self, start: int, end: int) -> Rows:
        """Some rows, finished."""
        page = self.rows[start:end]
        for stage in self.finishing:
            page = stage.run(page)
        return page

    def encodable(self, start: int, end: int) -> Sequence[Any]:
        """Some rows, finished, as objects that msgspec encodes to the same JSON with less work."""
        last = self.finishing[-1].encodable if self.finishing else None
        if last is None:
            return self.page(start, end)
        return last(Result(self.rows, self.finishing[:-1]).page(start, end))


def plan(query: Query, text: str, schema: Schema, now: dt.datetime) -> Plan:
    """Make a query ready to run on rows of the schema. `text` is what it was parsed from.

    Raises:
        QueryError: a name or function that is not known, or a key that cannot be ordered.
    """
    planner = _Planner(Compiler(text, now))
    stages, columns = [], dict(schema)
    for operator in query.operators:
        stage, columns = planner.stage(operator, columns)
        stages.append(stage)
    limited = any(isinstance(each, Take) or (isinstance(each, Order) and each.count) for each in query.operators)
    return Plan(tuple(stages), columns, bool(limited))


class _Planner:
    """Makes stages of operators."""

    def __init__(self, compiler: Compiler) -> None:
        self._compiler = compiler

    def stage(  # noqa: PLR0911 - one for each operator
        self, operator: Operator, schema: Schema
    ) -> tuple[Stage, Schema]:
        """The stage of an operator, and the columns after it."""
        match operator:
            case Where(condition):
                test = self._compiler.scalar(condition, schema).run
                return Stage(lambda rows: [row for row in rows if test(row) is True]), schema
            case Project():
                return self._project(operator, schema)
            case Drop(names):
                kept = {name: kind for name, kind in schema.items() if name not in names}
                return Stage(lambda rows: [{name: row[name] for name in kept} for row in rows], rowwise=True), kept
            case Take(count):
                return Stage(lambda rows: rows[:count]), schema
            case Order():
                return self._order(operator, schema), schema
            case Count():
                return Stage(lambda rows: [{"Count": len(rows)}]), {"Count": "long"}
            case Summarize():
                return self._summarize(operator, schema)
            case Expand():
                return self._expand(operator, schema)

    def _project(self, operator: Project, schema: Schema) -> tuple[Stage, Schema]:
        taken = set(schema) if operator.kind == "extend" else set()
        named = self._named(operator.columns, schema, taken)
        runs = {name: scalar.run for name, scalar in named.items()}
        kinds = {name: scalar.type for name, scalar in named.items()}
        if operator.kind == "extend":
            return Stage(lambda rows: _extended(rows, runs), rowwise=True), {**schema, **kinds}
        if operator.kind == "distinct":
            self._require_ordered(named, operator.at, "distinct")
            return Stage(lambda rows: _distinct(rows, runs)), kinds
        return Stage(lambda rows: _projected(rows, runs), rowwise=True, encodable=_structs(runs)), kinds

    def _named(self, columns: tuple[Named, ...], schema: Schema, taken: set[str]) -> dict[str, Scalar]:
        """Columns by name; one without a name of its own is called Column1 and so on."""
        named: dict[str, Scalar] = {}
        for column in columns:
            scalar = self._compiler.scalar(column.value, schema)
            name = column.name or scalar.name
            number = 1
            while not name or (not column.name and not scalar.name and name in taken | set(named)):
                name, number = f"Column{number}", number + 1
            named[name] = scalar
        return named

    def _order(self, operator: Order, schema: Schema) -> Stage:
        keys = []
        for key in operator.keys:
            scalar = self._compiler.scalar(key.value, schema)
            self._require_ordered({scalar.name or "the key": scalar}, operator.at, "sort")
            keys.append((scalar.run, key.descending, key.nulls_first))

        def ordered(rows: Rows) -> Rows:
            found = rows
            for run, descending, nulls_first in reversed(keys):
                found = _sorted(found, run, descending=descending, nulls_first=nulls_first)
            return found if operator.count is None else found[: operator.count]

        return Stage(ordered)

    def _summarize(self, operator: Summarize, schema: Schema) -> tuple[Stage, Schema]:
        keys = self._named(operator.keys, schema, set())
        self._require_ordered(keys, operator.at, "summarize")
        found = [aggregate(self._compiler, each, schema) for each in operator.aggregates]
        columns = {name: scalar.type for name, scalar in keys.items()} | {each.name: each.type for each in found}

        def summarized(rows: Rows) -> Rows:
            groups: dict[tuple[Any, ...], list[Row]] = {}
            runs = [scalar.run for scalar in keys.values()]
            for row in rows:
                groups.setdefault(tuple(run(row) for run in runs), []).append(row)
            if not keys and not groups:
                groups[()] = []
            return [
                dict(zip(keys, values, strict=True)) | {each.name: each.compute(group) for each in found}
                for values, group in groups.items()
            ]

        return Stage(summarized), columns

    def _expand(self, operator: Expand, schema: Schema) -> tuple[Stage, Schema]:
        scalar = self._compiler.scalar(operator.column.value, schema)
        if scalar.type != "dynamic":
            raise self._compiler.error(operator.at, "mv-expand", "mv-expand: the expression is not of type dynamic")
        name, run, kind = operator.column.name or scalar.name or "Column1", scalar.run, operator.type

        def expanded(rows: Rows) -> Rows:
            return [
                {**row, name: converted(element, kind)}
                for row in rows
                for element in _elements(run(row))[: operator.limit]
            ]

        return Stage(expanded), {**schema, name: operator.type or "dynamic"}

    def _require_ordered(self, columns: dict[str, Scalar], at: int, operator: str) -> None:
        for name, scalar in columns.items():
            if scalar.type not in ORDERED:
                message = (
                    f"'{operator}' operator: '{name}' is of type {scalar.type}; convert it, such as with tostring()"
                )
                raise self._compiler.error(at, name, message)


def _projected(rows: Rows, runs: dict[str, Run]) -> Rows:
    """Rows of computed columns. Column by column is twice as fast as row by row."""
    names = tuple(runs)
    columns = [map(run, rows) for run in runs.values()]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _structs(runs: dict[str, Run]) -> Callable[[Rows], Sequence[Any]]:
    """As `_projected`, but to structs: they cost a third of a dict."""
    fields = {f"c{number}": name for number, name in enumerate(runs)}
    shape = msgspec.defstruct("Row", [(field, Any) for field in fields], rename=fields, gc=False)
    return lambda rows: list(map(shape, *(map(run, rows) for run in runs.values())))


def _extended(rows: Rows, runs: dict[str, Run]) -> Rows:
    return [{**row, **added} for row, added in zip(rows, _projected(rows, runs), strict=True)]


def _distinct(rows: Rows, runs: dict[str, Run]) -> Rows:
    found = {tuple(run(row) for run in runs.values()): None for row in rows}
    return [dict(zip(runs, values, strict=True)) for values in found]


def _sorted(rows: list[Row], run: Run, *, descending: bool, nulls_first: bool) -> list[Row]:
    pairs = list(zip(map(run, rows), rows, strict=True))
    there = sorted((pair for pair in pairs if pair[0] is not None), key=itemgetter(0), reverse=descending)
    present, missing = [row for _, row in there], [row for value, row in pairs if value is None]
    return missing + present if nulls_first else present + missing


def _elements(value: Any) -> list[Any]:
    """What mv-expand makes rows of; a row without elements is dropped."""
    if isinstance(value, dict):
        return [{name: inner} for name, inner in value.items()]
    if isinstance(value, list):
        return value
    return [] if value is None else [value]
