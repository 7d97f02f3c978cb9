"""Policy exemptions at every scope."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from avma_pack.tenant.arm import ArmError, ArmRequest, ArmResponse, Routes, page
from avma_pack.tenant.list_filter import parse_filter
from avma_pack.tenant.policy_common import applied_at, find, invalid_request, remove, system_data
from avma_pack.tenant.resource_types import EXEMPTIONS
from avma_pack.tenant.scopes import missing_subscription, require_scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from avma_pack.tenant.store import Resource
    from avma_pack.tenant.world import World

routes = Routes()


@routes.on("PUT", EXEMPTIONS)
def put_exemption(world: World, request: ArmRequest) -> ArmResponse:
    """Create (201) or replace (200)."""
    if not request.arm.scope:
        raise missing_subscription()
    require_scope(world, request, request.arm.scope)
    given, old = request.properties, world.store.get(request.path)
    if given.get("exemptionCategory") not in {"Waiver", "Mitigated"}:
        raise invalid_request("the property 'exemptionCategory' must be 'Waiver' or 'Mitigated'.")
    _check_assignment(world, request.name, given)
    resource = {
        "properties": dict(given),
        "id": request.path,
        "type": EXEMPTIONS,
        "name": request.name,
        "systemData": system_data(world, request, old),
    }
    world.store.put(resource)
    return ArmResponse(200 if old else 201, resource)


@routes.on("PATCH", EXEMPTIONS)
def patch_exemption(world: World, request: ArmRequest) -> ArmResponse:
    """Change resource selectors or the validation of the scope."""
    old = find(world, request, "PolicyExemptionNotFound", "policy exemption")
    properties = {**old["properties"], **((request.body or {}).get("properties") or {})}
    resource = {**old, "properties": properties, "systemData": system_data(world, request, old)}
    world.store.put(resource)
    return ArmResponse(200, resource)


@routes.on("GET", EXEMPTIONS)
def get_exemption(world: World, request: ArmRequest) -> ArmResponse:
    """One exemption."""
    return ArmResponse(200, find(world, request, "PolicyExemptionNotFound", "policy exemption"))


@routes.on("GET", EXEMPTIONS, "collection")
def get_exemptions(world: World, request: ArmRequest) -> ArmResponse:
    """The exemptions that concern a scope."""
    scope = require_scope(world, request, request.arm.scope)
    narrowed = parse_filter(request, {"atScope", "atExactScope", "excludeExpired", "policyAssignmentId"})
    found = [
        each
        for each in applied_at(world, EXEMPTIONS, scope, narrowed)
        if narrowed.allows("policyAssignmentId", each["properties"]["policyAssignmentId"])
        and not (narrowed.has("excludeExpired") and expired(each, world.clock.now))
    ]
    return ArmResponse(200, page(request, found, world.page_size))


@routes.on("DELETE", EXEMPTIONS)
def delete_exemption(world: World, request: ArmRequest) -> ArmResponse:
    """Delete it."""
    return ArmResponse(200 if remove(world, request) else 204)


def expired(exemption: Resource, now: dt.datetime) -> bool:
    """Whether an exemption has ended; it stays in the store, but exempts nothing any more."""
    end = exemption["properties"].get("expiresOn")
    if not end:
        return False
    moment = dt.datetime.fromisoformat(str(end))
    return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)) <= now


def _check_assignment(world: World, name: str, given: Mapping[str, Any]) -> None:
    """The assignment exists, and has the members that are named.

    `InvalidCreatePolicyExemptionRequest` and `InvalidPolicyDefinitionReference`: LivePolicyTests, the latter's message
    for an assignment of one definition in github.com/Azure/enterprise-azure-policy-as-code/issues/267.
    """
    assignment = world.store.get(str(given.get("policyAssignmentId", "")))
    if assignment is None:
        raise ArmError(
            400,
            "InvalidCreatePolicyExemptionRequest",
            f"The policy exemption '{name}' create request is invalid. The policy assignment"
            f" '{given.get('policyAssignmentId', '')}' could not be found.",
        )
    asked = given.get("policyDefinitionReferenceIds") or []
    assigned = world.store.get(assignment["properties"]["policyDefinitionId"]) or {"properties": {}}
    members = assigned["properties"].get("policyDefinitions")
    if asked and members is None:
        why = (
            "The associated policy assignment is an assignment of a policy definition. The policy definition reference"
            " is only valid for policy assignments of policy set definitions."
        )
    else:
        known = {str(each["policyDefinitionReferenceId"]).lower() for each in members or ()}
        unknown = [each for each in asked if each.lower() not in known]
        if not unknown:
            return
        why = f"The policy definition reference(s) '{','.join(unknown)}' do not exist in the policy set definition."
    raise ArmError(
        400, "InvalidPolicyDefinitionReference", f"The policy exemption '{name}' create request is invalid. {why}"
    )
