"""The tenant, its subscriptions, their resource groups and their resource providers."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from avma_pack.tenant.arm import ArmError, ArmRequest, ArmResponse, Routes, not_found, page
from avma_pack.tenant.scopes import RESOURCE_GROUPS, require_scope, require_subscription

if TYPE_CHECKING:
    from avma_pack.tenant.store import Subscription
    from avma_pack.tenant.world import World

routes = Routes()

SUBSCRIPTIONS = "Microsoft.Resources/subscriptions"
GROUPS_OF_SUBSCRIPTION = f"{SUBSCRIPTIONS}/resourceGroups"
PROVIDERS = "Microsoft.Resources/providers"

ALWAYS_REGISTERED = {"microsoft.authorization", "microsoft.resources", "microsoft.resourcegraph"}
"""learn.microsoft.com, Azure resource providers and types: some are registered by default."""

NAMESPACES = {
    each.lower(): each
    for each in (
        "Microsoft.Authorization",
        "Microsoft.Compute",
        "Microsoft.GuestConfiguration",
        "Microsoft.Insights",
        "Microsoft.ManagedIdentity",
        "Microsoft.Management",
        "Microsoft.Network",
        "Microsoft.PolicyInsights",
        "Microsoft.ResourceGraph",
        "Microsoft.Resources",
        "Microsoft.Storage",
    )
}

REGISTERING_LOOKS = 2
REGISTERING_TIME = dt.timedelta(minutes=2)
"""A registration is on its way for so many looks or so long, whatever ends first."""


@dataclass(slots=True)
class _Registration:
    since: dt.datetime
    looks: int = 0


@routes.on("GET", "Microsoft.Resources/tenants", "collection")
def get_tenants(world: World, request: ArmRequest) -> ArmResponse:
    """The only tenant."""
    tenant = world.store.tenant_id
    found = [{"id": f"/tenants/{tenant}", "tenantId": tenant, "displayName": "avma-pack", "tenantCategory": "Home"}]
    return ArmResponse(200, page(request, found, world.page_size))


@routes.on("GET", SUBSCRIPTIONS, "collection")
def get_subscriptions(world: World, request: ArmRequest) -> ArmResponse:
    """Every subscription."""
    found = [_subscription(world, each) for each in world.store.subscriptions.values()]
    body = page(request, found, world.page_size)
    return ArmResponse(200, {**body, "count": {"type": "Total", "value": len(found)}})


@routes.on("GET", SUBSCRIPTIONS)
def get_subscription(world: World, request: ArmRequest) -> ArmResponse:
    """One subscription."""
    require_subscription(world, request.name)
    return ArmResponse(200, _subscription(world, world.store.subscriptions[request.name.lower()]))


@routes.on("GET", GROUPS_OF_SUBSCRIPTION, "collection")
def get_resource_groups(world: World, request: ArmRequest) -> ArmResponse:
    """The resource groups of a subscription."""
    require_subscription(world, request.name)
    found = list(world.store.below(RESOURCE_GROUPS, f"/subscriptions/{request.name}"))
    return ArmResponse(200, page(request, found, world.page_size))


@routes.on("GET", GROUPS_OF_SUBSCRIPTION)
def get_resource_group(world: World, request: ArmRequest) -> ArmResponse:
    """One resource group."""
    require_scope(world, request, request.path)
    return ArmResponse(200, world.store.get(request.path))


@routes.on("PUT", GROUPS_OF_SUBSCRIPTION)
def put_resource_group(world: World, request: ArmRequest) -> ArmResponse:
    """Create (201) or replace (200)."""
    require_subscription(world, request.arm.names[0])
    body = request.body or {}
    if not body.get("location"):
        raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
    resource = {
        "id": request.path,
        "name": request.name,
        "type": RESOURCE_GROUPS,
        "location": body["location"],
        "tags": body.get("tags") or {},
        "properties": {"provisioningState": "Succeeded"},
    }
    return ArmResponse(201 if world.store.put(resource) else 200, resource)


@routes.on("GET", PROVIDERS, "collection")
@routes.on("GET", f"{SUBSCRIPTIONS}/providers", "collection")
def get_providers(world: World, request: ArmRequest) -> ArmResponse:
    """The resource providers of a subscription, or of the tenant."""
    subscription = _subscription_of(world, request)
    found = [_provider(world, subscription, each) for each in NAMESPACES]
    return ArmResponse(200, page(request, found, world.page_size))


@routes.on("GET", PROVIDERS)
def get_provider(world: World, request: ArmRequest) -> ArmResponse:
    """One resource provider and the state of its registration."""
    subscription = _subscription_of(world, request)
    namespace = _namespace(request.name)
    found = _provider(world, subscription, namespace)
    if subscription:
        _look(world, subscription, namespace)
    return ArmResponse(200, found)


@routes.on("POST", f"{PROVIDERS}/register", "collection")
def register_provider(world: World, request: ArmRequest) -> ArmResponse:
    """Begin a registration: 200 at once, and the state `Registering` until it is done."""
    subscription = _subscription_of(world, request)
    if subscription is None:
        raise not_found(request.path)
    namespace = _namespace(request.name)
    if _state(subscription, namespace) == "NotRegistered":
        subscription.providers[namespace] = "Registering"
        _registrations(world)[(subscription.id, namespace)] = _Registration(world.clock.now)
        world.clock.after(REGISTERING_TIME, lambda: _finish(world, subscription, namespace))
    return ArmResponse(200, _provider(world, subscription, namespace))


def _subscription_of(world: World, request: ArmRequest) -> Subscription | None:
    """The subscription that a path of providers begins with; None for the tenant."""
    first, *rest = request.path.strip("/").split("/")
    if first.lower() != "subscriptions":
        return None
    require_subscription(world, rest[0])
    return world.store.subscriptions[rest[0].lower()]


def _namespace(name: str) -> str:
    if name.lower() not in NAMESPACES:
        raise ArmError(404, "InvalidResourceNamespace", f"The resource namespace '{name}' is invalid.")
    return name.lower()


def _look(world: World, subscription: Subscription, namespace: str) -> None:
    """Count a look at a registration that is on its way, and let the last one end it."""
    registration = _registrations(world).get((subscription.id, namespace))
    if registration:
        registration.looks += 1
        if registration.looks >= REGISTERING_LOOKS:
            _finish(world, subscription, namespace)


def _finish(world: World, subscription: Subscription, namespace: str) -> None:
    _registrations(world).pop((subscription.id, namespace), None)
    subscription.providers[namespace] = "Registered"


def _registrations(world: World) -> dict[tuple[str, str], _Registration]:
    found: dict[tuple[str, str], _Registration] = world.extra.setdefault("registrations", {})
    return found


def _state(subscription: Subscription, namespace: str) -> str:
    default = "Registered" if namespace in ALWAYS_REGISTERED else "NotRegistered"
    return subscription.providers.get(namespace, default)


def _provider(world: World, subscription: Subscription | None, namespace: str) -> dict[str, Any]:
    name = NAMESPACES[namespace]
    prefix = f"/subscriptions/{subscription.id}" if subscription else ""
    found: dict[str, Any] = {"id": f"{prefix}/providers/{name}", "namespace": name, "resourceTypes": []}
    if subscription:
        found["registrationPolicy"] = "RegistrationRequired"
        found["registrationState"] = _state(subscription, namespace)
    return found


def _subscription(world: World, subscription: Subscription) -> dict[str, Any]:
    return {
        "id": f"/subscriptions/{subscription.id}",
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": subscription.id,
        "tenantId": world.store.tenant_id,
        "displayName": subscription.name,
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    }
