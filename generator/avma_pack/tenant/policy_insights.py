"""Microsoft.PolicyInsights: policy states, summaries and on-demand scans; remediations are in `remediations`.

Lists of policy states are asked for by POST, their next pages too
(https://learn.microsoft.com/rest/api/policyinsights/policy-states).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from avma_pack.tenant import odata, remediations
from avma_pack.tenant.arm import ArmRequest, ArmResponse, Routes, not_found, page
from avma_pack.tenant.engine import Engine
from avma_pack.tenant.policy_states import StateRow, query, rows, summary

if TYPE_CHECKING:
    from avma_pack.tenant.world import World

STATES = "Microsoft.PolicyInsights/policyStates"
SCAN = dt.timedelta(minutes=5)
_POLLS = 2
_RETRY_AFTER = "1"

routes = Routes()
routes.merge(remediations.routes)


@routes.on("POST", f"{STATES}/queryResults", "collection")
def query_results(world: World, request: ArmRequest) -> ArmResponse:
    """The states at a scope, by page."""
    metadata = f"{request.base_url}{request.arm.scope}/providers/{STATES}/$metadata#{request.arm.names[0]}"
    body = page(request, query(world, request), world.page_size, key="@odata.nextLink")
    marks = {"@odata.id": None, "@odata.context": f"{metadata}/$entity"}
    found = [marks | (each.to_json() if isinstance(each, StateRow) else each) for each in body["value"]]
    if "$select" in request.query:
        found = [odata.select(each, request.query["$select"]) for each in found]
    return ArmResponse(
        200,
        {
            "@odata.nextLink": body.get("@odata.nextLink"),
            "@odata.context": metadata,
            "@odata.count": len(found),
            "value": found,
        },
    )


@routes.on("POST", f"{STATES}/summarize", "collection")
def summarize(world: World, request: ArmRequest) -> ArmResponse:
    """How many resources and policies are in which state."""
    base = f"{request.base_url}{request.arm.scope}/providers/{STATES}"
    metadata = f"{base}/$metadata#summary"
    uri = f"{base}/latest/queryResults?api-version=2019-10-01&$filter={quote('IsCompliant eq false')}"
    found: list[Any]
    if "$filter" in request.query:
        found = [each for each in query(world, request) if isinstance(each, StateRow)]
    else:
        found = list(rows(Engine.of(world), request.arm.scope))
    value = {"@odata.id": None, "@odata.context": f"{metadata}/$entity", **summary(found, uri)}
    return ArmResponse(200, {"@odata.context": metadata, "@odata.count": 1, "value": [value]})


@dataclass(slots=True)
class _Scan:
    """An on-demand scan. It ends when time has passed, or, where time stands still, after some polls."""

    scope: str
    polls: int = 0
    done: bool = False


@routes.on("POST", f"{STATES}/triggerEvaluation", "collection")
def trigger_evaluation(world: World, request: ArmRequest) -> ArmResponse:
    """Start an on-demand scan of a subscription or resource group; one already going on there is joined."""
    scans: dict[str, _Scan] = world.extra.setdefault("scans", {})
    scope = request.arm.scope.lower()
    found = next((name for name, each in scans.items() if each.scope == scope and not each.done), None)
    if found is None:
        found = world.new_id("scan", scope, str(len(scans)))
        scans[found] = scan = _Scan(scope)
        world.clock.after(SCAN, lambda: _finish(world, scan))
    return ArmResponse(202, None, _location(request, found))


@routes.on("GET", "Microsoft.PolicyInsights/asyncOperationResults")
def scan_result(world: World, request: ArmRequest) -> ArmResponse:
    """Whether a scan is done: 200, or still 202."""
    scans: dict[str, _Scan] = world.extra.get("scans", {})
    scan = scans.get(request.name)
    if scan is None:
        raise not_found(request.path)
    scan.polls += 1
    if scan.polls >= _POLLS:
        _finish(world, scan)
    return ArmResponse(200) if scan.done else ArmResponse(202, None, _location(request, request.name))


def _finish(world: World, scan: _Scan) -> None:
    if not scan.done:
        scan.done = True
        Engine.of(world).evaluate_below(scan.scope)


def _location(request: ArmRequest, name: str) -> dict[str, str]:
    subscription = "/".join(request.path.split("/")[:3])
    url = f"{request.base_url}{subscription}/providers/Microsoft.PolicyInsights/asyncOperationResults/{name}"
    return {"Location": f"{url}?api-version=2019-10-01", "Retry-After": _RETRY_AFTER}
