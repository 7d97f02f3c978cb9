"""Policy assignments at every scope, with their identities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from avma_pack.tenant.arm import ArmError, ArmRequest, ArmResponse, Routes, page
from avma_pack.tenant.identities import remove_identity, system_identity
from avma_pack.tenant.list_filter import parse_filter
from avma_pack.tenant.policy_common import (
    applied_at,
    find,
    invalid_request,
    remove,
    scope_of,
    short_name,
    stamped,
    system_data,
)
from avma_pack.tenant.policy_parameters import check_values, parameters_of
from avma_pack.tenant.policy_rules_check import identity_reason
from avma_pack.tenant.resource_types import ASSIGNMENTS, SETS
from avma_pack.tenant.scopes import GROUPS, missing_subscription, require_scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from avma_pack.tenant.store import Resource
    from avma_pack.tenant.world import World

routes = Routes()

MAX_NAME = 64
MAX_NAME_AT_GROUP = 24
"""learn.microsoft.com, naming rules and restrictions for Azure resources, Microsoft.Authorization."""


@routes.on("PUT", ASSIGNMENTS)
def put_assignment(world: World, request: ArmRequest) -> ArmResponse:
    """Create or replace: 201 for both, as the specification has it."""
    scope = _scope(world, request)
    given, old = request.properties, world.store.get(request.path)
    definition = _definition(world, request.name, scope, given)
    name = short_name(definition["id"])
    values = parameters_of(given)
    check_values(f"policy assignment '{request.name}'", name, parameters_of(definition["properties"]), values)
    _check_messages(given, definition)
    _check_identity(world, request, definition, old)
    resource: Resource = {
        "properties": {
            "definitionVersion": "1.*.*",
            "notScopes": [],
            "enforcementMode": "Default",
            **given,
            "parameters": values,
            "scope": scope,
            "metadata": stamped(world, request, given.get("metadata"), old),
        },
        "id": request.path,
        "type": ASSIGNMENTS,
        "name": request.name,
        "systemData": system_data(world, request, old),
    }
    if request.body.get("location"):
        resource["location"] = request.body["location"]
    _set_identity(world, resource, request.body.get("identity"))
    world.store.put(resource)
    return ArmResponse(201, resource)


@routes.on("PATCH", ASSIGNMENTS)
def patch_assignment(world: World, request: ArmRequest) -> ArmResponse:
    """Change identity, location, resource selectors or overrides, which is all that the specification lets change."""
    old = find(world, request, "PolicyAssignmentNotFound", "policy assignment")
    body = request.body if isinstance(request.body, dict) else {}
    changes = {key: value for key, value in (body.get("properties") or {}).items() if value is not None}
    resource = {**old, "properties": {**old["properties"], **changes}, "systemData": system_data(world, request, old)}
    if body.get("location"):
        resource["location"] = body["location"]
    if "identity" in body:
        _set_identity(world, resource, body["identity"])
    world.store.put(resource)
    return ArmResponse(200, resource)


@routes.on("GET", ASSIGNMENTS)
def get_assignment(world: World, request: ArmRequest) -> ArmResponse:
    """One assignment; `PolicyAssignmentNotFound` (tests of the PowerShell module Az.Policy) where it is not."""
    return ArmResponse(200, find(world, request, "PolicyAssignmentNotFound", "policy assignment"))


@routes.on("GET", ASSIGNMENTS, "collection")
def get_assignments(world: World, request: ArmRequest) -> ArmResponse:
    """The assignments that concern a scope."""
    scope = require_scope(world, request, request.arm.scope)
    narrowed = parse_filter(request, {"atScope", "atExactScope", "policyDefinitionId"})
    found = [
        each
        for each in applied_at(world, ASSIGNMENTS, scope, narrowed)
        if narrowed.allows("policyDefinitionId", each["properties"]["policyDefinitionId"])
    ]
    return ArmResponse(200, page(request, found, world.page_size))


@routes.on("DELETE", ASSIGNMENTS)
def delete_assignment(world: World, request: ArmRequest) -> ArmResponse:
    """Delete with the identity, but not with the identity's roles or the exemptions from it (LivePolicyTests)."""
    gone = remove(world, request)
    if gone is None:
        return ArmResponse(204)
    remove_identity(world, request.path)
    return ArmResponse(200, gone)


def _scope(world: World, request: ArmRequest) -> str:
    """The scope to assign at.

    `InvalidPolicyAssignmentName`: github.com/Azure/azure-powershell/issues/8992.
    """
    if not request.arm.scope:
        raise missing_subscription()
    scope = require_scope(world, request, request.arm.scope)
    limit = MAX_NAME_AT_GROUP if scope.lower().startswith(GROUPS.lower()) else MAX_NAME
    if len(request.name) > limit:
        raise ArmError(
            400,
            "InvalidPolicyAssignmentName",
            f"The policy assignment name '{request.name}' is invalid. The policy assignment name length must not exceed"
            f" '{limit}' characters.",
        )
    return scope


def _definition(world: World, name: str, scope: str, given: Mapping[str, Any]) -> Resource:
    """What is assigned: a definition or initiative at or above the scope.

    A missing id is `InvalidRequestContent` and an unknown one `PolicyDefinitionNotFound` in LivePolicyTests; the
    status of the latter, 400, shows in github.com/Azure/Enterprise-Scale/issues/804. Out of scope is
    `InvalidCreatePolicyAssignmentRequest` (github.com/MicrosoftDocs/azure-docs/issues/14710).
    """
    wanted = given.get("policyDefinitionId")
    if not wanted:
        raise invalid_request("the property 'policyDefinitionId' is required.")
    found = world.store.get(str(wanted))
    if found is None:
        is_set = f"/{SETS}/".lower() in str(wanted).lower()
        kind, code = (
            ("set definition", "PolicySetDefinitionNotFound") if is_set else ("definition", "PolicyDefinitionNotFound")
        )
        raise ArmError(
            400,
            code,
            f"The policy assignment create request is invalid. The policy {kind} '{wanted}' could not be found.",
        )
    if scope_of(found["id"]) not in (*world.store.scopes(scope), ""):
        raise ArmError(
            400,
            "InvalidCreatePolicyAssignmentRequest",
            f"The policy definition specified in policy assignment '{name}' is out of scope. Policy definitions should"
            " be specified only at or above the policy assignment scope. If the management groups hierarchy changed"
            " recently or if assigning a management group policy to new subscription, please allow up to 30 minutes for"
            " the hierarchy changes to apply and try again.",
        )
    return found


def _members(definition: Resource) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = definition["properties"].get("policyDefinitions", [])
    return found


def _check_messages(given: Mapping[str, Any], definition: Resource) -> None:
    """Messages speak of members that exist (github.com/Azure/enterprise-azure-policy-as-code/issues/753)."""
    known = {str(each["policyDefinitionReferenceId"]).lower() for each in _members(definition)}
    asked = [each.get("policyDefinitionReferenceId") for each in given.get("nonComplianceMessages") or []]
    unknown = [each for each in asked if each and each.lower() not in known]
    if unknown:
        raise ArmError(
            400,
            "InvalidCreatePolicyAssignmentRequest",
            "The policy assignment request is invalid. The following policy definition reference IDs used in"
            f" non-compliance messages do not exist in the assigned policy set definition: '{','.join(unknown)}'.",
        )


def _check_identity(world: World, request: ArmRequest, definition: Resource, old: Resource | None) -> None:
    """An identity where a definition can change resources, with a location that stays.

    `ResourceIdentityRequired`: github.com/Azure/azure-powershell/issues/11996; `InvalidLocationUpdate`:
    github.com/Azure/enterprise-azure-policy-as-code/issues/246. That an identity needs a location says the
    specification's description of `location`; `LocationRequired`: learn.microsoft.com, Troubleshoot common Azure
    deployment errors.
    """
    identity, location = request.body.get("identity"), request.body.get("location")
    has_identity = _kind(identity) != "none"
    parts = [world.store.get(each["policyDefinitionId"]) for each in _members(definition)] or [definition]
    reasons = [identity_reason(each["properties"]) for each in parts if each]
    if any(reasons) and not has_identity:
        reason = next(each for each in reasons if each)
        raise ArmError(
            400,
            "ResourceIdentityRequired",
            f"The policy assignment '{request.name}' request is invalid. Policy assignments must include a 'managed"
            f" identity' when assigning '{reason}' policy definitions.",
        )
    if has_identity and not location:
        raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
    before = (old or {}).get("location")
    if before and str(before).lower() != str(location or "").lower():
        raise ArmError(
            400,
            "InvalidLocationUpdate",
            f"The existing assignment location cannot be changed from '{before}' to '{location or ''}'.",
        )


def _set_identity(world: World, resource: Resource, asked: Mapping[str, Any] | None) -> None:
    """Give the assignment the identity that it asks for, and take away another."""
    kind = _kind(asked)
    if kind != "systemassigned":
        remove_identity(world, resource["id"])
    if kind == "none":
        resource.pop("identity", None)
    elif kind == "systemassigned":
        principal = system_identity(world, resource["id"])
        resource["identity"] = {"type": "SystemAssigned", "principalId": principal, "tenantId": world.store.tenant_id}
    else:
        ids = (asked or {}).get("userAssignedIdentities") or {}
        known = {each: {"principalId": world.new_id("identity", each), "clientId": world.new_id(each)} for each in ids}
        resource["identity"] = {"type": "UserAssigned", "userAssignedIdentities": known}


def _kind(identity: Mapping[str, Any] | None) -> str:
    return str((identity or {}).get("type", "None")).lower()
