"""Microsoft.Compute: virtual machines, their extensions and whether they run.

Answers follow https://learn.microsoft.com/rest/api/compute/virtual-machines and virtual-machine-extensions; what takes
minutes there is done at once here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from avma_pack.tenant import tags
from avma_pack.tenant.arm import ArmError, ArmRequest, ArmResponse, Routes, not_found, page
from avma_pack.tenant.resource_types import EXTENSION, VIRTUAL_MACHINE
from avma_pack.tenant.scopes import require_scope

if TYPE_CHECKING:
    from avma_pack.tenant.store import Resource
    from avma_pack.tenant.world import World

routes = Routes()
routes.merge(tags.routes)


def power_state(world: World, key: str) -> str:
    """`running` or `deallocated`, by the lower-case id of a virtual machine."""
    guest = world.guests.get(key)
    return "running" if guest is None or guest.running else "deallocated"


@routes.on("GET", VIRTUAL_MACHINE)
def get_machine(world: World, request: ArmRequest) -> ArmResponse:
    """One virtual machine; with `$expand=instanceView` also how it is."""
    machine = _existing(world, request.path)
    if request.query.get("$expand", "").lower() == "instanceview":
        properties = {**machine["properties"], "instanceView": _instance_view(world, machine)}
        machine = {**machine, "properties": properties}
    return ArmResponse(200, machine)


@routes.on("GET", VIRTUAL_MACHINE, "collection")
def list_machines(world: World, request: ArmRequest) -> ArmResponse:
    """The virtual machines of a resource group or a subscription."""
    scope = require_scope(world, request, request.arm.scope).lower() + "/"
    found = [each for key, each in world.store.all(VIRTUAL_MACHINE).items() if key.startswith(scope)]
    return ArmResponse(200, page(request, found, world.page_size))


@routes.on("PUT", VIRTUAL_MACHINE)
def put_machine(world: World, request: ArmRequest) -> ArmResponse:
    """Create or replace a virtual machine. There is no Windows behind one that is made so."""
    require_scope(world, request, request.arm.scope)
    old = world.store.get(request.path)
    body = _object(request)
    if "location" not in body:
        raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
    kept = old["properties"] if old else {"vmId": world.new_id("vm", request.path), "timeCreated": world.clock.text()}
    made = {
        "id": old["id"] if old else request.path,
        "name": old["name"] if old else request.name,
        "type": VIRTUAL_MACHINE,
        "location": body["location"],
        "tags": body.get("tags") or {},
        "properties": {
            **request.properties,
            **{name: kept[name] for name in ("vmId", "timeCreated") if name in kept},
            "provisioningState": "Succeeded",
        },
    }
    _set_identity(world, made, body.get("identity"), {})
    return ArmResponse(201 if world.store.put(made) else 200, made)


@routes.on("PATCH", VIRTUAL_MACHINE)
def patch_machine(world: World, request: ArmRequest) -> ArmResponse:
    """Change tags (all of them), identity or properties of a virtual machine."""
    old, body = _existing(world, request.path), _object(request)
    made = {**old, "properties": _merged(old["properties"], body.get("properties") or {})}
    if "tags" in body:
        made["tags"] = body["tags"] or {}
    if "identity" in body:
        made.pop("identity", None)
        _set_identity(world, made, body["identity"], old.get("identity") or {})
    world.store.put(made)
    return ArmResponse(200, made)


@routes.on("DELETE", VIRTUAL_MACHINE)
def delete_machine(world: World, request: ArmRequest) -> ArmResponse:
    """Delete a virtual machine and everything below it."""
    gone = world.store.delete(request.path)
    world.guests.pop(request.path.lower(), None)
    return ArmResponse(200 if gone else 204)


@routes.on("GET", f"{VIRTUAL_MACHINE}/instanceView", "collection")
def get_instance_view(world: World, request: ArmRequest) -> ArmResponse:
    """How a virtual machine is: running or not, and its extensions."""
    return ArmResponse(200, _instance_view(world, _existing(world, _parent(request))))


@routes.on("GET", EXTENSION, "collection")
def list_extensions(world: World, request: ArmRequest) -> ArmResponse:
    """The extensions of a virtual machine, in one page."""
    return ArmResponse(200, {"value": _extensions(world, _existing(world, _parent(request)))})


@routes.on("GET", EXTENSION)
def get_extension(world: World, request: ArmRequest) -> ArmResponse:
    """One extension."""
    return ArmResponse(200, _existing(world, request.path))


@routes.on("PUT", EXTENSION)
def put_extension(world: World, request: ArmRequest) -> ArmResponse:
    """Install an extension, or change one. The machine must run."""
    machine = _running(world, request)
    body = _object(request)
    properties = {name: value for name, value in request.properties.items() if name != "protectedSettings"}
    made = {
        "id": f"{machine['id']}/extensions/{request.name}",
        "name": request.name,
        "type": EXTENSION,
        "location": body.get("location") or machine["location"],
        "properties": {**properties, "provisioningState": "Succeeded"},
    }
    if body.get("tags"):
        made["tags"] = body["tags"]
    return ArmResponse(201 if world.store.put(made) else 200, made)


@routes.on("DELETE", EXTENSION)
def delete_extension(world: World, request: ArmRequest) -> ArmResponse:
    """Remove an extension. The machine must run."""
    _running(world, request)
    there = world.store.get(request.path) is not None
    world.store.discard(request.path)
    return ArmResponse(200 if there else 204)


def _running(world: World, request: ArmRequest) -> Resource:
    """The machine of an extension that is to be changed.

    Raises:
        ArmError: 409 where it does not run (github.com/hashicorp/terraform-provider-azurerm/issues/477).
    """
    machine = world.store.get(_parent(request))
    if machine is None:
        text = f"Failed to perform 'write' on resource(s) of type '{EXTENSION}', because the parent resource"
        raise ArmError(404, "ParentResourceNotFound", f"{text} '{_parent(request)}' could not be found.")
    if power_state(world, machine["id"].lower()) != "running":
        raise ArmError(409, "OperationNotAllowed", "Cannot modify extensions in the VM when the VM is not running.")
    return machine


def _existing(world: World, resource_id: str) -> Resource:
    found = world.store.get(resource_id)
    if found is None:
        raise not_found(resource_id)
    return found


def _object(request: ArmRequest) -> dict[str, Any]:
    if not isinstance(request.body, dict):
        raise ArmError(400, "InvalidRequestContent", "The request content was not a JSON object.")
    return request.body


def _parent(request: ArmRequest) -> str:
    """The id of the machine that an extension, a list of them or an instance view belongs to."""
    return f"{request.arm.scope}/providers/{VIRTUAL_MACHINE}/{request.arm.names[0]}"


def _extensions(world: World, machine: Resource) -> list[Resource]:
    start = f"{machine['id'].lower()}/extensions/"
    return [each for key, each in world.store.all(EXTENSION).items() if key.startswith(start)]


def _instance_view(world: World, machine: Resource) -> dict[str, Any]:
    state = power_state(world, machine["id"].lower())
    view: dict[str, Any] = {
        "statuses": [
            _status("ProvisioningState/succeeded", "Provisioning succeeded"),
            _status(f"PowerState/{state}", f"VM {state}"),
        ]
    }
    if state == "running":
        view["vmAgent"] = {
            "vmAgentVersion": "2.7.41491.1172",
            "statuses": [{**_status("ProvisioningState/succeeded", "Ready"), "time": world.clock.text()}],
        }
        view["extensions"] = [
            {
                "name": each["name"],
                "type": f"{each['properties'].get('publisher')}.{each['properties'].get('type')}",
                "typeHandlerVersion": each["properties"].get("typeHandlerVersion"),
                "statuses": [_status("ProvisioningState/succeeded", "Provisioning succeeded")],
            }
            for each in _extensions(world, machine)
        ]
    return view


def _status(code: str, text: str) -> dict[str, str]:
    return {"code": code, "level": "Info", "displayStatus": text}


def _merged(old: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    made = dict(old)
    for name, value in change.items():
        both = isinstance(value, dict) and isinstance(old.get(name), dict)
        made[name] = _merged(old[name], value) if both else value
    return made


def _set_identity(world: World, machine: Resource, wanted: Any, old: dict[str, Any]) -> None:
    """Write down an identity as asked for, with the ids that the service gives.

    User-assigned identities that are attached stay so, unless they are named with null or the type leaves them out.
    """
    kind = str((wanted or {}).get("type") or "None")
    if kind.lower() == "none":
        return
    made: dict[str, Any] = {"type": kind}
    if "systemassigned" in kind.lower():
        made |= {"principalId": world.new_id("principal", machine["id"]), "tenantId": world.store.tenant_id}
    if "userassigned" in kind.lower():
        asked = {**(old.get("userAssignedIdentities") or {}), **(wanted.get("userAssignedIdentities") or {})}
        made["userAssignedIdentities"] = {
            name: {"principalId": world.new_id("principal", name), "clientId": world.new_id("client", name)}
            for name, value in asked.items()
            if value is not None
        }
    machine["identity"] = made
