"""What definitions, initiatives, assignments and exemptions have in common: stamps, lists by scope, looking up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from avma_pack.tenant.arm import ArmError, ArmRequest, ArmResponse, page
from avma_pack.tenant.list_filter import Filter, parse_filter
from avma_pack.tenant.scopes import GROUPS, missing_subscription, require_scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from avma_pack.tenant.store import Resource
    from avma_pack.tenant.world import World


def invalid_request(message: str) -> ArmError:
    """The refusal of a body that lacks what it must have (`InvalidRequestContent` in LivePolicyTests)."""
    return ArmError(400, "InvalidRequestContent", f"The request content was invalid: {message}")


def find(world: World, request: ArmRequest, code: str, what: str) -> Resource:
    """The resource that a request names.

    Raises:
        ArmError: 404 with `code`; `what` says in words what is missing.
    """
    found = world.store.get(request.path)
    if found is None:
        raise ArmError(404, code, f"The {what} '{request.name}' could not be found.")
    return found


def remove(world: World, request: ArmRequest) -> Resource | None:
    """Delete what a request names; return it if it was there."""
    return world.store.delete(request.path)


def scope_of(resource_id: str) -> str:
    """The scope at which a policy resource lies, in lower case; '' for the tenant, where built-ins lie."""
    return resource_id.lower().rpartition("/providers/microsoft.authorization/")[0]


def short_name(resource_id: str) -> str:
    """The last part of an id."""
    return resource_id.rpartition("/")[2]


def definition_scope(world: World, request: ArmRequest) -> str:
    """The scope to write a definition or initiative to.

    Raises:
        ArmError: `MissingSubscription` for the tenant, where only built-ins lie; `InvalidPolicyUri` for anything but a
            management group or a subscription (github.com/Azure/azure-cli/issues/24440).
    """
    scope = request.arm.scope
    if not scope:
        raise missing_subscription()
    require_scope(world, request, scope)
    parts = scope.strip("/").split("/")
    if not scope.lower().startswith(GROUPS.lower()) and len(parts) > 2:  # noqa: PLR2004 - a pair
        raise ArmError(
            400,
            "InvalidPolicyUri",
            f"The policy request scope '{scope}' should be '/', '/subscriptions/id' or"
            " '/providers/Microsoft.Management/managementGroups/id'.",
        )
    return scope


def stamped(world: World, request: ArmRequest, metadata: object, old: Resource | None) -> dict[str, Any]:
    """Metadata with what Azure notes in it: who made the resource and who changed it, and when."""
    before = old["properties"].get("metadata", {}) if old else {}
    now, who = world.clock.text(), request.principal
    return {
        **(metadata if isinstance(metadata, dict) else {}),
        "createdBy": before.get("createdBy", who),
        "createdOn": before.get("createdOn", now),
        "updatedBy": who if old else None,
        "updatedOn": now if old else None,
    }


def system_data(world: World, request: ArmRequest, old: Resource | None) -> dict[str, Any]:
    """The `systemData` of a resource that is being written."""
    before = old.get("systemData", {}) if old else {}
    now, who = world.clock.text(), request.principal
    return {
        "createdBy": before.get("createdBy", who),
        "createdByType": "Application",
        "createdAt": before.get("createdAt", now),
        "lastModifiedBy": who,
        "lastModifiedByType": "Application",
        "lastModifiedAt": now,
    }


def list_definitions(world: World, request: ArmRequest, resource_type: str) -> ArmResponse:
    """Definitions or initiatives at a scope and above it, built-ins included, or at exactly that scope."""
    scope = require_scope(world, request, request.arm.scope)
    narrowed = parse_filter(request, {"atExactScope", "policyType", "category"})
    reach = {scope.lower()} if narrowed.has("atExactScope") else set(world.store.scopes(scope)) | {""}
    found = [
        each
        for each in world.store.all(resource_type).values()
        if scope_of(each["id"]) in reach
        and narrowed.allows("policyType", each["properties"].get("policyType", "Custom"))
        and narrowed.allows("category", each["properties"].get("metadata", {}).get("category", ""))
    ]
    return ArmResponse(200, page(request, found, world.page_size))


def applied_at(world: World, resource_type: str, scope: str, narrowed: Filter) -> Iterator[Resource]:
    """Assignments or exemptions that concern a scope.

    At and above it with `atScope()`, at it with `atExactScope()`, else also below it; the list of a management group
    never holds what lies below (specification 2024-04-01, the lists' descriptions).
    """
    exact, chain = scope.lower(), world.store.scopes(scope)
    deep = not narrowed.has("atScope") and not exact.startswith(GROUPS.lower())
    for key, resource in world.store.all(resource_type).items():
        at = scope_of(key)
        if narrowed.has("atExactScope"):
            wanted = at == exact
        else:
            wanted = at in chain or (deep and world.store.contains(scope, at))
        if wanted:
            yield resource
