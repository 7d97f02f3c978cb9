"""Management groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from avma_pack.tenant.arm import ArmError, ArmRequest, ArmResponse, Routes, page
from avma_pack.tenant.clock import START, iso
from avma_pack.tenant.scopes import GROUPS, require_group

if TYPE_CHECKING:
    from avma_pack.tenant.store import Subscription
    from avma_pack.tenant.world import World

routes = Routes()

TYPE = "Microsoft.Management/managementGroups"
ROOT_NAME = "Tenant Root Group"


@routes.on("GET", TYPE, "collection")
def get_groups(world: World, request: ArmRequest) -> ArmResponse:
    """Every group of the tenant."""
    found = [
        _group(name, {"tenantId": world.store.tenant_id, "displayName": _display_name(world, name)})
        for name in world.store.groups
    ]
    return ArmResponse(200, page(request, found, world.page_size))


@routes.on("GET", TYPE)
def get_group(world: World, request: ArmRequest) -> ArmResponse:
    """One group; `$expand` asks for `children` (with `$recurse` all of them), `ancestors` or `path`."""
    name = require_group(world, request, request.name)
    expand = request.query.get("$expand", "").lower()
    details: dict[str, Any] = {"version": 1, "updatedTime": iso(START), "updatedBy": world.store.tenant_id}
    if parent := world.store.groups[name]:
        details["parent"] = _reference(world, parent)
    above = _above(world, name)
    if expand == "ancestors":
        details["managementGroupAncestorsChain"] = [_named(world, each) for each in above]
        details["managementGroupAncestors"] = list(above)
    if expand == "path":
        details["path"] = [_named(world, each) for each in reversed((name, *above))]
    properties: dict[str, Any] = {
        "tenantId": world.store.tenant_id,
        "displayName": _display_name(world, name),
        "details": details,
    }
    if expand == "children":
        deep = request.query.get("$recurse", "").lower() == "true"
        properties["children"] = _children(world, name, deep=deep)
    return ArmResponse(200, _group(name, properties))


@routes.on("GET", f"{TYPE}/descendants", "collection")
def get_descendants(world: World, request: ArmRequest) -> ArmResponse:
    """Every group and subscription below a group."""
    top = require_group(world, request, request.name)
    below = [name for name in world.store.groups if top in _above(world, name)]
    inside = {top, *below}
    found = [
        _group(name, {"displayName": _display_name(world, name), "parent": {"id": GROUPS + world.store.groups[name]}})
        for name in below
    ]
    found += [
        {
            "id": f"/subscriptions/{each.id}",
            "type": f"{TYPE}/subscriptions",
            "name": each.id,
            "properties": {"displayName": each.name, "parent": {"id": GROUPS + each.group}},
        }
        for each in world.store.subscriptions.values()
        if each.group in inside
    ]
    return ArmResponse(200, page(request, found, world.page_size))


@routes.on("GET", f"{TYPE}/subscriptions", "collection")
def get_group_subscriptions(world: World, request: ArmRequest) -> ArmResponse:
    """The subscriptions directly in a group."""
    name = require_group(world, request, request.name)
    found = [_under(world, each) for each in world.store.subscriptions.values() if each.group == name]
    return ArmResponse(200, page(request, found, world.page_size))


@routes.on("GET", f"{TYPE}/subscriptions")
def get_group_subscription(world: World, request: ArmRequest) -> ArmResponse:
    """One subscription, if it lies directly in the group."""
    name = require_group(world, request, request.arm.names[0])
    found = world.store.subscriptions.get(request.name.lower())
    if found is None or found.group != name:
        raise ArmError(404, "NotFound", f"'{request.path}' was not found.")
    return ArmResponse(200, _under(world, found))


def _above(world: World, name: str) -> tuple[str, ...]:
    """The groups above a group, nearest first."""
    chain: list[str] = []
    while name := world.store.groups[name]:
        chain.append(name)
    return tuple(chain)


def _children(world: World, name: str, *, deep: bool) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for child in (each for each, parent in world.store.groups.items() if parent == name):
        entry = {"id": GROUPS + child, "type": TYPE, "name": child, "displayName": _display_name(world, child)}
        found.append({**entry, "children": _children(world, child, deep=True)} if deep else entry)
    found += [
        {"id": f"/subscriptions/{each.id}", "type": "/subscriptions", "name": each.id, "displayName": each.name}
        for each in world.store.subscriptions.values()
        if each.group == name
    ]
    return found


def _group(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {"id": GROUPS + name, "type": TYPE, "name": name, "properties": properties}


def _named(world: World, name: str) -> dict[str, str]:
    return {"name": name, "displayName": _display_name(world, name)}


def _reference(world: World, name: str) -> dict[str, str]:
    return {"id": GROUPS + name, **_named(world, name)}


def _display_name(world: World, name: str) -> str:
    return name if world.store.groups[name] else ROOT_NAME


def _under(world: World, subscription: Subscription) -> dict[str, Any]:
    group = GROUPS + subscription.group
    return {
        "name": subscription.id,
        "id": f"{group}/subscriptions/{subscription.id}",
        "type": f"{TYPE}/subscriptions",
        "properties": {
            "displayName": subscription.name,
            "parent": {"id": group},
            "state": "Active",
            "tenant": world.store.tenant_id,
        },
    }
