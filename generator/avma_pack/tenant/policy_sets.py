"""Initiatives (policy set definitions) at management groups and subscriptions."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from avma_pack.tenant.arm import ArmError, ArmRequest, ArmResponse, Routes
from avma_pack.tenant.policy_common import (
    definition_scope,
    find,
    list_definitions,
    remove,
    scope_of,
    short_name,
    stamped,
    system_data,
)
from avma_pack.tenant.policy_parameters import (
    check_defaults,
    check_update,
    check_values,
    is_expression,
    parameters_of,
    value_refusal,
)
from avma_pack.tenant.policy_rules_check import references, refuse_unused
from avma_pack.tenant.resource_types import ASSIGNMENTS, DEFINITIONS, SETS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from avma_pack.tenant.store import Resource
    from avma_pack.tenant.world import World

routes = Routes()


@routes.on("PUT", SETS)
def put_set(world: World, request: ArmRequest) -> ArmResponse:
    """Create (201) or replace (200)."""
    scope = definition_scope(world, request)
    given, old = request.properties, world.store.get(request.path)
    members = given.get("policyDefinitions") or []
    if not members:
        raise _invalid(request.name, "At least one policy definition must be referenced.")
    check_defaults(request.name, parameters_of(given))
    for member in members:
        _check_member(request.name, given, member, _member_definition(world, request.name, scope, member))
    _check_set_parameters(request.name, given, members)
    if old:
        check_update("policy set", parameters_of(old["properties"]), parameters_of(given))
    version = given.get("version", "1.0.0")
    resource = {
        "properties": {
            **given,
            "policyType": "Custom",
            "metadata": stamped(world, request, given.get("metadata"), old),
            "policyDefinitions": [_stamped_member(world, request.path, n, each) for n, each in enumerate(members)],
            "version": version,
            "versions": [version],
        },
        "id": request.path,
        "type": SETS,
        "name": request.name,
        "systemData": system_data(world, request, old),
    }
    world.store.put(resource)
    return ArmResponse(200 if old else 201, resource)


@routes.on("GET", SETS)
def get_set(world: World, request: ArmRequest) -> ArmResponse:
    """One initiative."""
    return ArmResponse(200, find(world, request, "PolicySetDefinitionNotFound", "policy set definition"))


@routes.on("GET", SETS, "collection")
def get_sets(world: World, request: ArmRequest) -> ArmResponse:
    """Initiatives at a scope and above."""
    return list_definitions(world, request, SETS)


@routes.on("DELETE", SETS)
def delete_set(world: World, request: ArmRequest) -> ArmResponse:
    """Delete one that is not assigned.

    Raises:
        ArmError: `InvalidDeletePolicySetDefinitionRequest` (github.com/Azure/Azure-Landing-Zones/issues/3734, the
            message in github.com/azuredemoenvironment/ade/issues/37).
    """
    for each in world.store.all(ASSIGNMENTS).values():
        if each["properties"]["policyDefinitionId"].lower() == request.path.lower():
            raise ArmError(
                400,
                "InvalidDeletePolicySetDefinitionRequest",
                f"The policy set definition '{request.name}' cannot be deleted. It is referenced by the policy"
                f" assignment '{each['id']}'. Please delete all policy assignments referencing the policy.",
            )
    return ArmResponse(200 if remove(world, request) else 204)


def _invalid(name: str, why: str) -> ArmError:
    """The code of Az.Policy's tests and github.com/hashicorp/terraform-provider-azurerm/pull/19929."""
    return ArmError(
        400,
        "InvalidCreatePolicySetDefinitionRequest",
        f"The policy set definition '{name}' create request is invalid. {why}",
    )


def _member_definition(world: World, name: str, scope: str, member: Mapping[str, Any]) -> Resource:
    """The definition that a member refers to: one at or above the initiative's scope.

    `PolicyDefinitionNotFound` is 400 here: a deployment of such an initiative reports it within a `BadRequest`, as it
    does for assignments (github.com/Azure/Enterprise-Scale/issues/804).
    """
    wanted = str(member.get("policyDefinitionId", ""))
    if DEFINITIONS.lower() not in wanted.lower():
        raise _invalid(name, f"Referenced policy definitions must be of type '{DEFINITIONS}'.")
    found = world.store.get(wanted)
    if found is None or scope_of(wanted) not in (*world.store.scopes(scope), ""):
        raise ArmError(
            400,
            "PolicyDefinitionNotFound",
            f"The policy set definition '{name}' request is invalid. The following policy definition could not be"
            f" found: '{wanted}'.",
        )
    return found


def _check_member(name: str, given: Mapping[str, Any], member: Mapping[str, Any], definition: Resource) -> None:
    """Values for a member's parameters, also where they come from the initiative's defaults."""
    parameters, values = parameters_of(definition["properties"]), parameters_of(member)
    definition_name = short_name(definition["id"])
    check_values(f"policy set definition '{name}'", definition_name, parameters, values)
    outer = {each.lower(): found for each, found in parameters_of(given).items()}
    wanted = {each.lower(): found for each, found in parameters.items()}
    for each, value in values.items():
        source = next(references(value), None) if is_expression(value.get("value")) else None
        if source is None or "defaultValue" not in outer.get(source, {}):
            continue
        if str(value["value"]).lower().replace(" ", "") != f"[parameters('{source}')]":
            continue
        refusal = value_refusal(each, wanted[each.lower()], outer[source]["defaultValue"], definition_name)
        if refusal:
            raise _unparameterized(name, definition_name, str(refusal))


def _unparameterized(name: str, definition_name: str, inner: str) -> ArmError:
    """github.com/Azure/Azure-Landing-Zones/issues/1601."""
    return ArmError(
        400,
        "InvalidPolicyParameters",
        f"The policy set '{name}' could not be parameterized because the default value of a policy set parameter"
        f" referenced by policy definition {definition_name} was not valid for that policy definition. Please verify"
        " that the default values of all policy set parameters are valid in the context of the policy definitions"
        f" referencing them. The inner exception '{inner}'.",
    )


def _check_set_parameters(name: str, given: Mapping[str, Any], members: list[dict[str, Any]]) -> None:
    """Every parameter is used, and what is used is defined."""
    used = {each for member in members for each in references(parameters_of(member))}
    parameters = parameters_of(given)
    for undefined in sorted(used - {each.lower() for each in parameters}):
        raise ArmError(
            400,
            "InvalidPolicyParameters",
            f"The policy set '{name}' has undefined parameter '{undefined}' which is used in the policy definitions"
            " references. Please either define it or remove the reference.",
        )
    refuse_unused(f"policy set '{name}'", parameters, used, where="referenced policy definitions")


def _stamped_member(world: World, set_id: str, number: int, member: Mapping[str, Any]) -> dict[str, Any]:
    """A member with the reference id and version that Azure gives it where it has none."""
    made = str(uuid.UUID(world.new_id("reference", set_id, str(number))).int >> 64)
    return {"policyDefinitionReferenceId": made, "definitionVersion": "1.*.*", **member}
