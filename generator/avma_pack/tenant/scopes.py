"""Whether a scope exists, and what ARM says where it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from avma_pack.tenant.arm import ArmError

if TYPE_CHECKING:
    from avma_pack.tenant.arm import ArmRequest
    from avma_pack.tenant.world import World

GROUPS = "/providers/Microsoft.Management/managementGroups/"
RESOURCE_GROUPS = "Microsoft.Resources/resourceGroups"


def require_scope(world: World, request: ArmRequest, scope: str) -> str:
    """The scope, if it exists: the tenant (''), a management group, a subscription, or something below one.

    Raises:
        ArmError: `AuthorizationFailed` for a management group that is not there, as nobody has a role on it
            (github.com/pulumi/pulumi-azure-native/issues/553); `SubscriptionNotFound` and `ResourceGroupNotFound` as
            in Microsoft's list of common deployment errors; `MissingSubscription` for anything else (the scenario
            tests of the PowerShell module Az.Policy expect it).
    """
    if not scope:
        return scope
    parts = scope.strip("/").split("/")
    if scope.lower().startswith(GROUPS.lower()):
        require_group(world, request, parts[3])
    elif parts[0].lower() == "subscriptions" and len(parts) > 1:
        require_subscription(world, parts[1])
        if len(parts) > 3 and parts[2].lower() == "resourcegroups":  # noqa: PLR2004 - two pairs
            _require_resource_group(world, "/" + "/".join(parts[:4]))
    else:
        raise missing_subscription()
    return scope


def require_group(world: World, request: ArmRequest, name: str) -> str:
    """The name of a management group as it was created.

    Raises:
        ArmError: there is none.
    """
    for known in world.store.groups:
        if known.lower() == name.lower():
            return known
    raise ArmError(
        403,
        "AuthorizationFailed",
        f"The client '{request.principal}' with object id '{request.principal}' does not have authorization to perform"
        f" the action on '{GROUPS}{name}' or the scope is invalid. If access was recently granted, please refresh your"
        " credentials.",
    )


def require_subscription(world: World, subscription: str) -> None:
    """Refuse a subscription that does not exist.

    Raises:
        ArmError: there is none.
    """
    if subscription.lower() not in world.store.subscriptions:
        raise ArmError(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found.")


def missing_subscription() -> ArmError:
    """The refusal for a path that ARM cannot place."""
    return ArmError(
        404, "MissingSubscription", "The request did not have a subscription or a valid tenant level resource provider."
    )


def _require_resource_group(world: World, group_id: str) -> None:
    if world.store.get(group_id) is None:
        name = group_id.rpartition("/")[2]
        raise ArmError(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")
