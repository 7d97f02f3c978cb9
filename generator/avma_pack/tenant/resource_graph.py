"""Azure Resource Graph: queries on everything that is in the tenant.

Requests and answers: specification 2021-03-01; paging and truncation:
https://learn.microsoft.com/azure/governance/resource-graph/concepts/work-with-data; quota:
guidance-for-throttled-requests there.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from avma_pack.tenant import graph_tables
from avma_pack.tenant.arm import ArmError, ArmRequest, ArmResponse, Routes, offset_of, skip_token
from avma_pack.tenant.engine import Engine
from avma_pack.tenant.kql import QueryError, Result, Schema, parse, plan, wanted_types
from avma_pack.tenant.store import GROUP_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from avma_pack.tenant.kql import Row
    from avma_pack.tenant.world import World

routes = Routes()

QUOTA = 15
WINDOW_SECONDS = 5
_LARGEST_PAGE = 1000
_REMEMBERED = 16
_KINDS = {"string": "string", "bool": "boolean", "long": "integer", "real": "number", "datetime": "datetime"}


@dataclass(slots=True)
class _Answer:
    """What came of a query. It is kept as it was, so that all pages fit together."""

    result: Result
    columns: Schema
    limited: bool


@dataclass(slots=True)
class _Quota:
    """How many queries are left in a window of real time: clients wait by their own clocks, not by the tenant's.

    Azure throttles who has none left. This tenant does so where the fault `throttle` is on; otherwise it tells that
    none is left and answers all the same, so that large fleets are read without waiting.
    """

    opened: float = -math.inf
    left: int = 0

    def spend(self, *, throttle: bool) -> dict[str, str]:
        """Count one query; return the headers that tell of the rest.

        Raises:
            ArmError: 429, where none was left (github.com/Azure/azure-cli-extensions/issues/3325).
        """
        now = time.monotonic()
        if now - self.opened >= WINDOW_SECONDS:
            self.opened, self.left = now, QUOTA
        rest = math.ceil(self.opened + WINDOW_SECONDS - now)
        refused = throttle and not self.left
        self.left = max(0, self.left - 1)
        told = {"x-ms-user-quota-remaining": str(self.left), "x-ms-user-quota-resets-after": f"00:00:{rest:02}"}
        if refused:
            message = "The client is throttled. Please try again after the time in Retry-After."
            raise ArmError(429, "RateLimiting", message, headers={"Retry-After": str(rest), **told})
        return told


class _BadRequestError(ArmError):
    """A refusal with details, as Resource Graph gives them (github.com/grafana/grafana/issues/35225)."""

    def __init__(self, details: list[dict[str, Any]]) -> None:
        super().__init__(400, "BadRequest", f"The query was refused: {details[-1]['message']}")
        self._details = details

    def body(self) -> dict[str, Any]:
        """The body of the answer."""
        return {"error": {"code": self.code, "message": str(self), "details": self._details}}


@routes.on("POST", "Microsoft.ResourceGraph/resources", "collection")
def resources(world: World, request: ArmRequest) -> ArmResponse:
    """Answer a query, or the next page of one."""
    quota: _Quota = world.extra.setdefault("graph quota", _Quota())
    told = quota.spend(throttle="throttle" in world.faults.kinds)
    body = request.body if isinstance(request.body, dict) else {}
    options: dict[str, Any] = body.get("options") or {}
    if not isinstance(body.get("query"), str):
        raise _bad_request("The request has no query.")
    if body.get("facets"):
        raise _bad_request("This tenant knows no facets.")
    answer = _answer(world, body["query"], body.get("subscriptions") or [], body.get("managementGroups") or [])
    start = offset_of(options["$skipToken"]) if options.get("$skipToken") else int(options.get("$skip") or 0)
    end = start + _page_size(world, options)
    as_table = options.get("resultFormat") == "table"
    found = answer.result.page(start, end) if as_table else answer.result.encodable(start, end)
    more = end < len(answer.result)
    pageable = "id" in answer.columns and not answer.limited
    made = {
        "totalRecords": len(answer.result),
        "count": len(found),
        "data": _table(found, answer.columns) if as_table else found,
        "facets": [],
        "resultTruncated": "true" if more and not pageable else "false",
    }
    if more and pageable:
        made["$skipToken"] = skip_token(end)
    return ArmResponse(200, made, told)


def _page_size(world: World, options: dict[str, Any]) -> int:
    top = options.get("$top")
    if top is not None and not (isinstance(top, int) and 1 <= top <= _LARGEST_PAGE):
        raise _bad_request(f"The option $top is {top}; it must be from 1 to {_LARGEST_PAGE}.")
    return min(top or _LARGEST_PAGE, world.page_size)


def _answer(world: World, query: str, subscriptions: list[str], groups: list[str]) -> _Answer:
    """What comes of a query; the same object until something changes in the tenant."""
    versions = (world.store.version, Engine.of(world).version, world.clock.now)
    key = (query, tuple(subscriptions), tuple(groups), versions)
    kept: dict[Any, _Answer] = world.extra.setdefault("graph answers", {})
    found = kept.pop(key, None)
    if found is None:
        found = _run(world, query, _selected(world, subscriptions, groups))
    kept[key] = found
    while len(kept) > _REMEMBERED:
        del kept[next(iter(kept))]
    return found


def _run(world: World, query: str, selected: _Selection) -> _Answer:
    try:
        parsed = parse(query)
        if parsed.table.lower() not in graph_tables.TABLES:
            raise QueryError(f"the table '{parsed.table}' is not known here", token=parsed.table, line=1, column=1)
        prepared = plan(parsed, query, graph_tables.COLUMNS, world.clock.now)
    except QueryError as error:
        raise _refused(error) from error
    rows = graph_tables.rows(world, parsed.table, wanted_types(parsed))
    return _Answer(prepared.run(selected.of(rows)), prepared.columns, prepared.limited)


@dataclass(frozen=True, slots=True)
class _Selection:
    """The rows that a request is about. Without subscriptions and groups, all."""

    world: World
    subscriptions: frozenset[str]
    groups: tuple[str, ...]

    def of(self, rows: Iterator[Row]) -> Iterator[Row]:
        """Those rows."""
        if not self.subscriptions and not self.groups:
            return rows
        return (row for row in rows if self._has(row))

    def _has(self, row: Row) -> bool:
        if row["subscriptionId"]:
            return row["subscriptionId"] in self.subscriptions
        return any(self.world.store.contains(group, row["id"]) for group in self.groups)


def _selected(world: World, subscriptions: list[str], groups: list[str]) -> _Selection:
    known = {each.lower() for each in subscriptions} & set(world.store.subscriptions)
    scopes = tuple(GROUP_PREFIX + group.lower() for group in groups)
    below = {
        each
        for each in world.store.subscriptions
        if any(world.store.contains(scope, f"/subscriptions/{each}") for scope in scopes)
    }
    if (subscriptions or groups) and not known | below and not scopes:
        given = ", ".join(subscriptions)
        message = f"There must be at least one subscription that is eligible to contain resources. Given: '{given}'."
        raise _BadRequestError([{"code": "NoValidSubscriptionsInQueryRequest", "message": message}])
    return _Selection(world, frozenset(known | below), scopes)


def _bad_request(message: str) -> ArmError:
    return _BadRequestError([{"code": "InvalidQuery", "message": message}])


def _refused(error: QueryError) -> ArmError:
    # Azure gives line and token as properties of their own; its specification allows objects there, so they go along.
    place = f" (line {error.line}, character {error.column}: '{error.token}')" if error.line else ""
    return _BadRequestError(
        [
            {"code": "InvalidQuery", "message": "Query is invalid."},
            {"code": "ParserFailure", "message": f"{error}{place}"},
        ]
    )


def _table(rows: Sequence[Row], columns: Schema) -> dict[str, Any]:
    return {
        "columns": [{"name": name, "type": _KINDS.get(kind, "object")} for name, kind in columns.items()],
        "rows": [[row[name] for name in columns] for row in rows],
    }
