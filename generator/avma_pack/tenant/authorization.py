"""Roles: the few built-in definitions that policies name, and their assignments to principals."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from avma_pack.tenant.arm import ArmError, ArmRequest, ArmResponse, Routes, page
from avma_pack.tenant.identities import is_identity, require_known
from avma_pack.tenant.list_filter import parse_filter
from avma_pack.tenant.scopes import require_scope

if TYPE_CHECKING:
    from avma_pack.tenant.store import Resource
    from avma_pack.tenant.world import World

routes = Routes()

ROLE_DEFINITIONS = "Microsoft.Authorization/roleDefinitions"
ROLE_ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"


@dataclass(frozen=True, slots=True)
class Role:
    """A built-in role, with those of its actions that matter to what the tenant does."""

    id: str
    name: str
    description: str
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()


ROLES = (
    Role(
        "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
        "Owner",
        "Grants full access to manage all resources, including the ability to assign roles in Azure RBAC.",
        ("*",),
    ),
    Role(
        "b24988ac-6180-42a0-ab88-20f7382dd24c",
        "Contributor",
        "Grants full access to manage all resources, but does not allow you to assign roles in Azure RBAC, manage"
        " assignments in Azure Blueprints, or share image galleries.",
        ("*",),
        ("Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write"),
    ),
    Role(
        "acdd72a7-3385-48ef-bd42-f606fba81ae7",
        "Reader",
        "View all resources, but does not allow you to make any changes.",
        ("*/read",),
    ),
    Role(
        "36243c78-bf99-498c-9df9-86d9f8d28608",
        "Resource Policy Contributor",
        "Users with rights to create/modify resource policy, create support ticket and read resources/hierarchy.",
        (
            "*/read",
            "Microsoft.Authorization/policyassignments/*",
            "Microsoft.Authorization/policydefinitions/*",
            "Microsoft.Authorization/policyexemptions/*",
            "Microsoft.Authorization/policysetdefinitions/*",
            "Microsoft.PolicyInsights/*",
        ),
    ),
    Role(
        "9980e02c-c2be-4d73-94e8-173b1dc7cf3c",
        "Virtual Machine Contributor",
        "Lets you manage virtual machines, but not access to them, and not the virtual network or storage account"
        " they're connected to.",
        ("Microsoft.Compute/virtualMachines/*", "Microsoft.Resources/deployments/*"),
    ),
    Role(
        "088ab73d-1256-47ae-bea9-9de8e7131f31",
        "Guest Configuration Resource Contributor",
        "Lets you read, write Guest Configuration Resource.",
        (
            "Microsoft.GuestConfiguration/guestConfigurationAssignments/write",
            "Microsoft.GuestConfiguration/guestConfigurationAssignments/read",
            "Microsoft.GuestConfiguration/guestConfigurationAssignments/*/read",
        ),
    ),
    Role(
        "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
        "Storage Blob Data Reader",
        "Allows for read access to Azure Storage blob containers and data",
        ("Microsoft.Storage/storageAccounts/blobServices/containers/read",),
        data_actions=("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",),
    ),
)
"""learn.microsoft.com, Azure built-in roles."""

_BY_ID = {role.id: role for role in ROLES}


@routes.on("GET", ROLE_DEFINITIONS)
def get_role(world: World, request: ArmRequest) -> ArmResponse:
    """One role."""
    require_scope(world, request, request.arm.scope)
    return ArmResponse(200, _role_json(_role(request.name), request.arm.scope))


@routes.on("GET", ROLE_DEFINITIONS, "collection")
def get_roles(world: World, request: ArmRequest) -> ArmResponse:
    """The roles that can be assigned at a scope, all of them built-in."""
    scope = require_scope(world, request, request.arm.scope)
    narrowed = parse_filter(request, {"roleName", "type", "atScopeAndBelow"})
    found = [
        _role_json(role, scope)
        for role in ROLES
        if narrowed.allows("roleName", role.name) and narrowed.allows("type", "BuiltInRole")
    ]
    return ArmResponse(200, page(request, found, world.page_size))


@routes.on("PUT", ROLE_ASSIGNMENTS)
def put_role_assignment(world: World, request: ArmRequest) -> ArmResponse:
    """Create (201), or change its description (200).

    Raises:
        ArmError: `RoleAssignmentUpdateNotPermitted` (learn.microsoft.com, Troubleshoot Azure RBAC) for another
            principal under a name in use, `RoleAssignmentExists` (the same page) for a triple that exists under
            another name, `PrincipalNotFound` for an identity that is too new.
    """
    scope = require_scope(world, request, request.arm.scope)
    _require_guid(request.name)
    given, old = request.properties, world.store.get(request.path)
    role, principal = _role(str(given.get("roleDefinitionId", ""))), str(given.get("principalId", ""))
    _check_against(world, request, role, principal, old)
    require_known(world, principal)
    now, before = world.clock.text(), (old or {"properties": {}})["properties"]
    resource = {
        "properties": {
            **{key: given[key] for key in ("description", "condition", "conditionVersion") if given.get(key)},
            "roleDefinitionId": _role_id(role),
            "principalId": principal,
            "principalType": given.get("principalType") or _principal_type(world, principal),
            "scope": scope or "/",
            "createdOn": before.get("createdOn", now),
            "updatedOn": now,
            "createdBy": before.get("createdBy", request.principal),
            "updatedBy": request.principal,
        },
        "id": request.path,
        "type": ROLE_ASSIGNMENTS,
        "name": request.name,
    }
    world.store.put(resource)
    return ArmResponse(200 if old else 201, resource)


@routes.on("GET", ROLE_ASSIGNMENTS)
def get_role_assignment(world: World, request: ArmRequest) -> ArmResponse:
    """One role assignment."""
    found = world.store.get(request.path)
    if found is None:
        raise ArmError(404, "RoleAssignmentNotFound", f"The role assignment '{request.name}' is not found.")
    return ArmResponse(200, found)


@routes.on("GET", ROLE_ASSIGNMENTS, "collection")
def get_role_assignments(world: World, request: ArmRequest) -> ArmResponse:
    """Role assignments at, above and below a scope; with `atScope()` not below."""
    scope = require_scope(world, request, request.arm.scope)
    narrowed = parse_filter(request, {"atScope", "principalId", "assignedTo"})
    chain = world.store.scopes(scope) if scope else ("",)
    found = [
        each
        for each in world.store.all(ROLE_ASSIGNMENTS).values()
        if _concerns(world, each, scope, chain, deep=not narrowed.has("atScope"))
        and narrowed.allows("principalId", each["properties"]["principalId"])
        and narrowed.allows("assignedTo", each["properties"]["principalId"])
    ]
    return ArmResponse(200, page(request, found, world.page_size))


@routes.on("DELETE", ROLE_ASSIGNMENTS)
def delete_role_assignment(world: World, request: ArmRequest) -> ArmResponse:
    """Delete it and return it."""
    gone = world.store.delete(request.path)
    return ArmResponse(200, gone) if gone else ArmResponse(204)


def _concerns(world: World, assignment: Resource, scope: str, chain: tuple[str, ...], *, deep: bool) -> bool:
    at = str(assignment["properties"]["scope"]).rstrip("/").lower()
    return at in chain or (deep and world.store.contains(scope, at))


def _role(role_id: str) -> Role:
    """The role with this id, or with the GUID at its end.

    `RoleDefinitionDoesNotExist`, 404: the wiki of github.com/Azure/terraform-azurerm-caf-enterprise-scale, its page on
    errors.
    """
    guid = role_id.rpartition("/")[2].lower()
    if guid not in _BY_ID:
        raise ArmError(
            404, "RoleDefinitionDoesNotExist", f"The specified role definition with ID '{guid}' does not exist."
        )
    return _BY_ID[guid]


def _role_id(role: Role, scope: str = "") -> str:
    prefix = "/".join(scope.split("/")[:3]) if scope.lower().startswith("/subscriptions/") else ""
    return f"{prefix}/providers/{ROLE_DEFINITIONS}/{role.id}"


def _role_json(role: Role, scope: str) -> dict[str, Any]:
    return {
        "properties": {
            "roleName": role.name,
            "type": "BuiltInRole",
            "description": role.description,
            "assignableScopes": ["/"],
            "permissions": [
                {
                    "actions": list(role.actions),
                    "notActions": list(role.not_actions),
                    "dataActions": list(role.data_actions),
                    "notDataActions": [],
                }
            ],
        },
        "id": _role_id(role, scope),
        "type": ROLE_DEFINITIONS,
        "name": role.id,
    }


def _require_guid(name: str) -> None:
    """The name is a GUID (learn.microsoft.com, Assign Azure roles using the REST API)."""
    try:
        uuid.UUID(name)
    except ValueError:
        raise ArmError(
            400,
            "InvalidRoleAssignmentId",
            f"The role assignment ID '{name}' is not valid. The role assignment ID must be a GUID.",
        ) from None


def _check_against(world: World, request: ArmRequest, role: Role, principal: str, old: Resource | None) -> None:
    if old and old["properties"]["principalId"].lower() != principal.lower():
        raise ArmError(
            400,
            "RoleAssignmentUpdateNotPermitted",
            "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
        )
    wanted = (request.arm.scope.lower() or "/", principal.lower(), _role_id(role).lower())
    for key, each in world.store.all(ROLE_ASSIGNMENTS).items():
        held = each["properties"]
        triple = tuple(str(held[part]).lower() for part in ("scope", "principalId", "roleDefinitionId"))
        if key != request.path.lower() and triple == wanted:
            raise ArmError(409, "RoleAssignmentExists", "The role assignment already exists.")


def _principal_type(world: World, principal: str) -> str:
    return "ServicePrincipal" if is_identity(world, principal) else "User"
