"""Microsoft.GuestConfiguration: guest assignments of virtual machines and the reports on them.

Shapes: specification 2024-04-05, stable, of Microsoft.GuestConfiguration. Its lists have no pages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from avma_pack.tenant.arm import ArmError, ArmRequest, ArmResponse, Routes, not_found
from avma_pack.tenant.engine import Engine
from avma_pack.tenant.guest_assignments import new_assignment, report_resource
from avma_pack.tenant.resource_types import GUEST_ASSIGNMENT, VIRTUAL_MACHINE

if TYPE_CHECKING:
    from avma_pack.tenant.store import Resource
    from avma_pack.tenant.world import World

REPORTS = f"{GUEST_ASSIGNMENT}/reports"

_MODES = frozenset({"audit", "deployandautocorrect", "applyandautocorrect", "applyandmonitor"})

routes = Routes()


@routes.on("GET", GUEST_ASSIGNMENT)
def get_assignment(world: World, request: ArmRequest) -> ArmResponse:
    """One guest assignment."""
    return ArmResponse(200, shown(_assignment(world, request.path)))


@routes.on("GET", GUEST_ASSIGNMENT, "collection")
def list_assignments(world: World, request: ArmRequest) -> ArmResponse:
    """The guest assignments of a machine, a resource group or a subscription."""
    below = f"{request.arm.scope}/".lower()
    found = [shown(each) for key, each in world.store.all(GUEST_ASSIGNMENT).items() if key.startswith(below)]
    return ArmResponse(200, {"value": found})


@routes.on("PUT", GUEST_ASSIGNMENT)
def put_assignment(world: World, request: ArmRequest) -> ArmResponse:
    """Assign a configuration to a machine; its agent answers later."""
    machine = world.store.get(request.arm.scope)
    if machine is None or str(machine["type"]).lower() != VIRTUAL_MACHINE.lower():
        raise not_found(request.arm.scope)
    configuration = request.properties.get("guestConfiguration")
    if not isinstance(configuration, dict) or not configuration.get("name"):
        raise ArmError(400, "InvalidRequestContent", "The request content has no 'properties.guestConfiguration.name'.")
    mode = str(configuration.get("assignmentType") or "Audit")
    if mode.lower() not in _MODES:
        raise ArmError(400, "InvalidRequestContent", f"The assignment type '{mode}' is not valid.")
    made = new_assignment(machine, request.name, configuration)
    made["properties"]["context"] = request.properties.get("context") or ""
    new = world.store.put(made)
    return ArmResponse(201 if new else 200, shown(made))


@routes.on("DELETE", GUEST_ASSIGNMENT)
def delete_assignment(world: World, request: ArmRequest) -> ArmResponse:
    """Take a configuration away from a machine; what it changed stays changed."""
    _assignment(world, request.path)
    world.store.discard(request.path)
    return ArmResponse(200)


@routes.on("GET", REPORTS, "collection")
def list_reports(world: World, request: ArmRequest) -> ArmResponse:
    """The reports on a guest assignment, newest first, without their details."""
    return ArmResponse(200, {"value": _reports(world, request.path.rpartition("/")[0], details=False)})


@routes.on("GET", REPORTS)
def get_report(world: World, request: ArmRequest) -> ArmResponse:
    """One report, with what was found and why."""
    assignment_path = request.path.rpartition("/reports/")[0]
    for each in _reports(world, assignment_path, details=True):
        if each["name"].lower() == request.name.lower():
            return ArmResponse(200, each)
    raise not_found(request.path)


def shown(assignment: Resource) -> Resource:
    """A guest assignment as this provider returns it: which policy brought it, Resource Graph alone tells."""
    properties = {name: value for name, value in assignment["properties"].items() if name != "policyAssignmentId"}
    return {**assignment, "properties": properties}


def _assignment(world: World, path: str) -> Resource:
    found = world.store.get(path)
    if found is None:
        raise not_found(path)
    return found


def _reports(world: World, assignment_path: str, *, details: bool) -> list[dict[str, Any]]:
    assignment = _assignment(world, assignment_path)
    agents = Engine.of(world).agents
    machine = world.store.get(assignment["properties"]["targetResourceId"])
    uuid = agents.machine_uuid(machine) if machine else ""
    return [report_resource(assignment, uuid, each, details=details) for each in agents.reports(assignment["id"])]
