"""Remediation tasks: they bring machines that are known not to comply into compliance, some at a time.

Shapes: specification 2021-10-01, stable, of remediations; 2019-07-01 has fewer properties. Behaviour and limits:
https://learn.microsoft.com/azure/governance/policy/concepts/remediation-structure. Codes and messages of refusals are
those that Azure PowerShell's own tests and users' reports quote.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from avma_pack.tenant.arm import ArmError, ArmRequest, ArmResponse, Routes, not_found, page
from avma_pack.tenant.remediation_tasks import DEPLOYMENT, EVALUATION, TERMINAL, Task, discover, evaluate, update

if TYPE_CHECKING:
    from avma_pack.tenant.members import MemberKey
    from avma_pack.tenant.store import Resource
    from avma_pack.tenant.world import World

REMEDIATIONS = "Microsoft.PolicyInsights/remediations"
MAX_COUNT = 50_000
MAX_PARALLEL = 30

_KEPT = (
    "policyAssignmentId",
    "policyDefinitionReferenceId",
    "filters",
    "resourceCount",
    "parallelDeployments",
    "failureThreshold",
)

_SINCE_2021 = frozenset({"resourceCount", "parallelDeployments", "failureThreshold", "statusMessage", "correlationId"})
"""Properties that api-version 2019-07-01 does not have."""

routes = Routes()


@routes.on("PUT", REMEDIATIONS)
def put_remediation(world: World, request: ArmRequest) -> ArmResponse:
    """Start a task, or start one that is over again."""
    tasks, old = _tasks(world), world.store.get(request.path)
    properties = {name: request.properties[name] for name in _KEPT if request.properties.get(name) is not None}
    if old and str(old["properties"]["provisioningState"]) not in TERMINAL:
        raise _refused("Update", request.name, "A remediation may not be changed or replaced while it is active.")
    mode = str(request.properties.get("resourceDiscoveryMode") or "ExistingNonCompliant")
    member = _check(world, request, properties, mode)
    now = world.clock.text()
    task = Task(
        {
            "id": request.path,
            "name": request.name,
            "type": REMEDIATIONS,
            "properties": {
                **properties,
                "resourceDiscoveryMode": mode,
                "provisioningState": "Accepted",
                "createdOn": now,
                "lastUpdatedOn": now,
                "correlationId": world.new_id("correlation", request.path, now),
            },
        },
        member,
    )
    tasks[request.path.lower()] = task
    if mode == "ReEvaluateCompliance":
        update(world, task, "Evaluating")
        world.clock.after(EVALUATION, lambda: evaluate(world, task))
    else:
        discover(world, task)
    return ArmResponse(200 if old else 201, _shown(request, task.resource))


@routes.on("GET", REMEDIATIONS)
def get_remediation(world: World, request: ArmRequest) -> ArmResponse:
    """One task."""
    return ArmResponse(200, _shown(request, _found(world, request.path).resource))


@routes.on("GET", REMEDIATIONS, "collection")
def list_remediations(world: World, request: ArmRequest) -> ArmResponse:
    """The tasks at a scope and below it."""
    found = [_shown(request, each) for each in world.store.below(REMEDIATIONS, request.arm.scope)]
    return ArmResponse(200, page(request, found, world.page_size))


@routes.on("DELETE", REMEDIATIONS)
def delete_remediation(world: World, request: ArmRequest) -> ArmResponse:
    """Forget a task that is over."""
    task = _tasks(world).get(request.path.lower())
    if task is None:
        return ArmResponse(204)
    if task.state not in TERMINAL:
        raise _refused("Delete", request.name, "The remediation must be in a terminal provisioning state.")
    del _tasks(world)[request.path.lower()]
    world.store.discard(request.path)
    return ArmResponse(200, _shown(request, task.resource))


@routes.on("POST", f"{REMEDIATIONS}/cancel", "collection")
def cancel_remediation(world: World, request: ArmRequest) -> ArmResponse:
    """Begin no more deployments."""
    task = _found(world, request.path.rpartition("/")[0])
    if task.state in TERMINAL:
        raise _refused("Cancel", request.arm.names[0], "A completed remediation cannot be cancelled.")
    task.queue.clear()
    update(world, task, "Cancelling")
    world.clock.after(DEPLOYMENT, lambda: update(world, task, "Canceled"))
    return ArmResponse(200, _shown(request, task.resource))


@routes.on("POST", f"{REMEDIATIONS}/listDeployments", "collection")
def list_deployments(world: World, request: ArmRequest) -> ArmResponse:
    """The deployments of a task, by page."""
    task = _found(world, request.path.rpartition("/")[0])
    return ArmResponse(200, page(request, task.deployments, world.page_size))


def _check(world: World, request: ArmRequest, properties: dict[str, Any], mode: str) -> MemberKey:
    """The member that is to be remediated; refuses what Azure refuses."""
    assignment = world.store.get(str(properties.get("policyAssignmentId") or ""))
    if assignment is None:
        what = f"The policy assignment '{properties.get('policyAssignmentId', '')}' could not be found."
        raise _refused("Create", request.name, what)
    reference = str(properties.get("policyDefinitionReferenceId") or "").lower()
    key = str(assignment["id"]).lower()
    initiative = "/policysetdefinitions/" in str(assignment["properties"]["policyDefinitionId"]).lower()
    if initiative and not reference:
        what = (
            f"The policy assignment '{key}' assigns a policy set definition. Remediations must specify a single policy "
            "definition reference ID within the policy set definition."
        )
        raise _refused("Create", request.name, what)
    if mode == "ReEvaluateCompliance" and not request.path.lower().startswith("/subscriptions/"):
        what = (
            "Evaluating compliance before remediation is only supported for remediations at subscription scope and "
            "below."
        )
        raise _refused("Create", request.name, what)
    for name, most in (("resourceCount", MAX_COUNT), ("parallelDeployments", MAX_PARALLEL)):
        if not 1 <= int(properties.get(name, 1)) <= most:
            raise _refused("Create", request.name, f"The value of {name} must be between 1 and {most}.")
    member = (key, reference if initiative else "")
    _check_conflict(world, request, member)
    return member


def _check_conflict(world: World, request: ArmRequest, member: MemberKey) -> None:
    """One task at a time for a member, where scopes overlap."""
    scope, store = request.arm.scope, world.store
    for task in _tasks(world).values():
        other = str(task.resource["id"]).lower().rpartition("/providers/microsoft.policyinsights/")[0]
        overlap = store.contains(scope, other) or store.contains(other, scope)
        if task.member == member and task.state not in TERMINAL and overlap:
            what = (
                f"The following remediations: '{task.resource['name']}' are already running for policy assignment "
                f"'{member[0]}', definition reference ID '{member[1]}' on a scope conflicting with requested scope."
            )
            raise _refused("Create", request.name, what)


def _shown(request: ArmRequest, resource: Resource) -> Resource:
    """A task as the api-version knows it."""
    if request.api_version >= "2021":
        return resource
    known = {name: value for name, value in resource["properties"].items() if name not in _SINCE_2021}
    return {**resource, "properties": known}


def _tasks(world: World) -> dict[str, Task]:
    found: dict[str, Task] = world.extra.setdefault("remediations", {})
    return found


def _found(world: World, path: str) -> Task:
    task = _tasks(world).get(path.lower())
    if task is None:
        raise not_found(path)
    return task


def _refused(verb: str, name: str, what: str) -> ArmError:
    code = f"Invalid{verb}RemediationRequest"
    return ArmError(400, code, f"The request to {verb.lower()} remediation '{name}' is invalid. {what}")
