"""The tables of Azure Resource Graph, made of what is in the tenant.

https://learn.microsoft.com/azure/governance/resource-graph/reference/supported-tables-resources. Types, resource groups
and locations are in lower case there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from avma_pack.tenant.compute import power_state
from avma_pack.tenant.engine import Engine
from avma_pack.tenant.fleet import SimulatedGuest
from avma_pack.tenant.policy_states import rows as state_rows
from avma_pack.tenant.resource_types import (
    ASSIGNMENTS,
    DEFINITIONS,
    EXEMPTIONS,
    EXTENSION,
    GUEST_ASSIGNMENT,
    SETS,
    VIRTUAL_MACHINE,
)
from avma_pack.tenant.scopes import GROUPS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from avma_pack.tenant.kql import Row, Schema
    from avma_pack.tenant.store import Resource
    from avma_pack.tenant.world import World

    Source = Callable[["World"], Iterable[Row]]
    Adorn = Callable[["World", Resource, str], dict[str, Any]]

COLUMNS: Schema = {
    **dict.fromkeys(("id", "name", "type", "tenantId", "kind", "location", "resourceGroup"), "string"),
    **dict.fromkeys(("subscriptionId", "managedBy"), "string"),
    **dict.fromkeys(("sku", "plan", "properties", "tags", "identity", "zones", "extendedLocation"), "dynamic"),
}
"""The columns of every table."""

STATES = "microsoft.policyinsights/policystates"

_SUBSCRIPTION_PARTS, _GROUP_PARTS = 3, 5


@dataclass(slots=True)
class _Known:
    """The rows of a type as they were last made, and what each was made of."""

    version: tuple[Any, ...] = ()
    rows: list[Row] = field(default_factory=list)
    made_of: dict[str, tuple[Resource, str, Row]] = field(default_factory=dict)


def rows(world: World, table: str, types: frozenset[str] | None) -> Iterator[Row]:
    """The rows of a table; only those of some types, in lower case, where `types` is given.

    Raises:
        KeyError: there is no such table.
    """
    for kind, source in TABLES[table.lower()].items():
        if types is None or kind in types:
            yield from source(world)


def _stored(resource_type: str, adorn: Adorn | None = None) -> dict[str, Source]:
    """A source of the resources of a type, with what else `adorn` says of one that is in a state of `power_state`.

    Rows are made when the tenant has changed, and those anew whose resource was written again.
    """
    kind = resource_type.lower()

    def source(world: World) -> list[Row]:
        known: _Known = world.extra.setdefault("graph rows", {}).setdefault(kind, _Known())
        version = (world.store.version, world.clock.now)
        if known.version != version:
            old, made = known.made_of, {}
            for key, resource in world.store.all(resource_type).items():
                state = power_state(world, key) if adorn else ""
                before = old.get(key)
                if before is None or before[0] is not resource or before[1] != state:
                    added = adorn(world, resource, state) if adorn else None
                    before = (resource, state, _row(world, resource, kind, added))
                made[key] = before
            known.version, known.made_of, known.rows = version, made, [row for _, _, row in made.values()]
        return known.rows

    return {kind: source}


def _row(world: World, resource: Resource, kind: str, added: dict[str, Any] | None = None) -> Row:
    resource_id = str(resource["id"])
    parts = resource_id.split("/")
    in_subscription = parts[1].lower() == "subscriptions"
    properties = resource.get("properties")
    return {
        "id": resource_id,
        "name": resource["name"],
        "type": kind,
        "tenantId": world.store.tenant_id,
        "kind": resource.get("kind") or "",
        "location": str(resource.get("location") or "").lower(),
        "resourceGroup": parts[4].lower() if in_subscription and len(parts) >= _GROUP_PARTS else "",
        "subscriptionId": parts[2] if in_subscription and len(parts) >= _SUBSCRIPTION_PARTS else "",
        "managedBy": resource.get("managedBy") or "",
        "sku": resource.get("sku"),
        "plan": resource.get("plan"),
        "properties": {**(properties or {}), **added} if added else properties,
        "tags": resource.get("tags"),
        "identity": resource.get("identity"),
        "zones": resource.get("zones"),
        "extendedLocation": resource.get("extendedLocation"),
    }


def _extended(world: World, resource: Resource, state: str) -> dict[str, Any]:
    """What Resource Graph knows of a virtual machine beyond ARM: whether it runs, and by its agent what runs on it."""
    view: dict[str, Any] = {
        "powerState": {"code": f"PowerState/{state}", "level": "Info", "displayStatus": f"VM {state}"},
    }
    guest = world.guests.get(str(resource["id"]).lower())
    if isinstance(guest, SimulatedGuest) and guest.running:
        view |= {"computerName": resource["name"], "osName": guest.os_name, "osVersion": guest.os_version}
    return {"extended": {"instanceView": view}}


def _states(world: World) -> Iterator[Row]:
    """Policy states, each as a resource below its own."""
    for state in state_rows(Engine.of(world), ""):
        name = world.new_id(
            "state", state.key, state.get("policyAssignmentId"), state.get("policyDefinitionReferenceId")
        )
        resource = {
            "id": f"{state.key}/providers/{STATES}/{name}",
            "name": name,
            "properties": state.to_json(),
        }
        yield _row(world, resource, STATES)


def _subscriptions(world: World) -> Iterator[Row]:
    for each in world.store.subscriptions.values():
        chain = _chain(world, each.group)
        properties = {"state": "Enabled", "managementGroupAncestorsChain": chain}
        resource = {"id": f"/subscriptions/{each.id}", "name": each.name, "properties": properties}
        yield _row(world, resource, "microsoft.resources/subscriptions")


def _groups(world: World) -> Iterator[Row]:
    for name, parent in world.store.groups.items():
        details = {"managementGroupAncestorsChain": _chain(world, parent)}
        properties = {"displayName": name, "tenantId": world.store.tenant_id, "details": details}
        resource = {"id": f"{GROUPS}{name}", "name": name, "properties": properties}
        yield _row(world, resource, "microsoft.management/managementgroups")


def _resource_groups(world: World) -> Iterator[Row]:
    for resource in world.store.all("Microsoft.Resources/resourceGroups").values():
        yield _row(world, resource, "microsoft.resources/subscriptions/resourcegroups")


def _chain(world: World, group: str) -> list[dict[str, str]]:
    """A management group and those above it, innermost first."""
    chain = []
    while group:
        chain.append({"name": group, "displayName": group})
        group = world.store.groups.get(group, "")
    return chain


TABLES: dict[str, dict[str, Source]] = {
    "resources": {**_stored(VIRTUAL_MACHINE, _extended), **_stored(EXTENSION)},
    "guestconfigurationresources": _stored(GUEST_ASSIGNMENT),
    "policyresources": {
        STATES: _states,
        **_stored(ASSIGNMENTS),
        **_stored(DEFINITIONS),
        **_stored(SETS),
        **_stored(EXEMPTIONS),
    },
    "resourcecontainers": {
        "microsoft.resources/subscriptions": _subscriptions,
        "microsoft.resources/subscriptions/resourcegroups": _resource_groups,
        "microsoft.management/managementgroups": _groups,
    },
}
