"""Policy definitions at management groups and subscriptions, and the built-in ones that were put into the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from avma_pack.tenant.arm import ArmError, ArmRequest, ArmResponse, Routes
from avma_pack.tenant.policy_common import definition_scope, find, list_definitions, remove, stamped, system_data
from avma_pack.tenant.policy_parameters import check_update, parameters_of
from avma_pack.tenant.policy_rules_check import check_definition
from avma_pack.tenant.resource_types import ASSIGNMENTS, DEFINITIONS, SETS

if TYPE_CHECKING:
    from avma_pack.tenant.world import World

routes = Routes()


@routes.on("PUT", DEFINITIONS)
def put_definition(world: World, request: ArmRequest) -> ArmResponse:
    """Create or replace: 201 for both, as the specification has it."""
    definition_scope(world, request)
    given, old = request.properties, world.store.get(request.path)
    check_definition(request.name, given)
    if old:
        check_update("policy", parameters_of(old["properties"]), parameters_of(given))
    version = given.get("version", "1.0.0")
    resource = {
        "properties": {
            "mode": "Indexed",
            **given,
            "policyType": "Custom",
            "metadata": stamped(world, request, given.get("metadata"), old),
            "version": version,
            "versions": [version],
        },
        "id": request.path,
        "type": DEFINITIONS,
        "name": request.name,
        "systemData": system_data(world, request, old),
    }
    world.store.put(resource)
    return ArmResponse(201, resource)


@routes.on("GET", DEFINITIONS)
def get_definition(world: World, request: ArmRequest) -> ArmResponse:
    """One definition; `PolicyDefinitionNotFound` (github.com/Azure/Azure-Landing-Zones/issues/3865) where it is not."""
    return ArmResponse(200, find(world, request, "PolicyDefinitionNotFound", "policy definition"))


@routes.on("GET", DEFINITIONS, "collection")
def get_definitions(world: World, request: ArmRequest) -> ArmResponse:
    """Definitions at a scope and above."""
    return list_definitions(world, request, DEFINITIONS)


@routes.on("DELETE", DEFINITIONS)
def delete_definition(world: World, request: ArmRequest) -> ArmResponse:
    """Delete one that nothing refers to.

    Raises:
        ArmError: `InvalidDeletePolicyDefinitionRequest`
            (github.com/Azure/terraform-azurerm-caf-enterprise-scale/issues/1304).
    """
    wanted = request.path.lower()
    for each in world.store.all(SETS).values():
        if any(member["policyDefinitionId"].lower() == wanted for member in each["properties"]["policyDefinitions"]):
            raise _in_use(request.name, "policy set definition", each["id"])
    for each in world.store.all(ASSIGNMENTS).values():
        if each["properties"]["policyDefinitionId"].lower() == wanted:
            raise _in_use(request.name, "policy assignment", each["id"])
    return ArmResponse(200 if remove(world, request) else 204)


def _in_use(name: str, kind: str, user: str) -> ArmError:
    return ArmError(
        400,
        "InvalidDeletePolicyDefinitionRequest",
        f"The policy definition '{name}' cannot be deleted. It is referenced by the {kind} '{user}'. Please delete all"
        f" {kind}s referencing the policy.",
    )
