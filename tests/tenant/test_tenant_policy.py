"""Policy definitions and initiatives, written and read by Microsoft's SDK; refusals by Azure's error codes."""

from __future__ import annotations

import datetime as dt
import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from avma_pack.catalog import load_catalog
from avma_pack.rendering.pack import build_pack
from avma_pack.settings import Prerequisites, PrerequisitesMode, Remediation, RemediationMode, Settings
from avma_pack.tenant.faults import Faults
from policy_requests import (
    ASSIGNMENT,
    AUTHORIZATION,
    CORP,
    DEFINITION,
    ROOT,
    SET,
    SUBSCRIPTION,
    assignment,
    code,
    definition,
    initiative,
    refused,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from avma_pack.tenant.world import World


# Definitions


def test_a_definition_comes_back_with_what_azure_notes(policies: Any, tags: Any, world: World) -> None:
    assert (tags.id, tags.name, tags.policy_type, tags.mode) == (DEFINITION, "tags", "Custom", "Indexed")
    assert tags.metadata["avmaPack"] == {"id": "x"}
    assert (tags.metadata["createdOn"], tags.metadata["updatedOn"]) == (world.clock.text(), None)
    assert tags.versions == [tags.version] == ["1.0.0"]
    created = world.clock.text()
    world.clock.advance(dt.timedelta(hours=1))
    again = policies.policy_definitions.create_or_update_at_management_group("corp", "tags", definition())
    assert (again.metadata["createdOn"], again.metadata["updatedOn"]) == (created, world.clock.text())
    assert policies.policy_definitions.get_at_management_group("CORP", "Tags").id == DEFINITION


def test_definition_writes_are_201_and_deletes_200_then_204(put: Callable[..., Any]) -> None:
    assert [put(DEFINITION, definition())[0] for _ in range(2)] == [201, 201]
    assert [put(DEFINITION, None, method="DELETE")[0] for _ in range(2)] == [200, 204]
    assert code(put(DEFINITION, None, method="GET")) == (404, "PolicyDefinitionNotFound")


def test_definitions_are_listed_from_above_or_at_exactly_a_scope(
    policies: Any, tags: Any, put: Callable[..., Any]
) -> None:
    put(f"{SUBSCRIPTION}{AUTHORIZATION}/policyDefinitions/mine", definition(metadata={"category": "Mine"}))
    definitions = policies.policy_definitions
    assert [each.name for each in definitions.list()] == ["tags", "mine"]
    assert [each.name for each in definitions.list(filter="atExactScope()")] == ["mine"]
    assert [each.name for each in definitions.list(filter="category eq 'tags'")] == ["tags"]
    assert [each.name for each in definitions.list(filter="policyType eq 'BuiltIn'")] == []
    assert [each.name for each in definitions.list_by_management_group("corp")] == ["tags"]
    assert list(definitions.list_by_management_group("root")) == []


def test_lists_come_in_pages_and_keep_their_filter(policies: Any, world: World, put: Callable[..., Any]) -> None:
    world.faults = Faults(frozenset({"small-pages"}), rate=0)
    for number in range(7):
        put(f"{CORP}{AUTHORIZATION}/policyDefinitions/tags{number}", definition())
    listed = policies.policy_definitions.list_by_management_group("corp", filter="policyType eq 'Custom'")
    assert [len(list(each)) for each in listed.by_page()] == [3, 3, 1]


def test_built_ins_are_absent_unless_somebody_put_them_there(policies: Any, world: World) -> None:
    prerequisites = "12794019-7a00-42cf-95c2-882eed337cc8"

    def asked() -> Any:
        return policies.policy_set_definitions.get_built_in(prerequisites)

    assert refused(asked) == (404, "PolicySetDefinitionNotFound")
    resource_type = "Microsoft.Authorization/policySetDefinitions"
    world.store.put(
        {
            "id": f"/providers/{resource_type}/{prerequisites}",
            "name": prerequisites,
            "type": resource_type,
            "properties": {"policyType": "BuiltIn", "policyDefinitions": []},
        }
    )
    assert asked().policy_type == "BuiltIn"
    assert [each.name for each in policies.policy_set_definitions.list_built_in()] == [prerequisites]
    assert [each.name for each in policies.policy_set_definitions.list()] == [prerequisites]


MORE = {**definition()["properties"]["parameters"], "more": {"type": "String"}}
TYPE_IS_X = {"field": "type", "equals": "x"}


def only(condition: Any, then: Any) -> dict[str, Any]:
    return {"policyRule": {"if": condition, "then": then}, "parameters": {}}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"policyRule": None}, "InvalidRequestContent"),
        ({"mode": "Foo"}, "InvalidPolicyDefinitionMode"),
        ({"parameters": None}, "InvalidPolicyParameters"),
        ({"parameters": MORE}, "UnusedPolicyParameters"),
        (only(TYPE_IS_X, None), "InvalidPolicyRule"),
        (only({"field": "type", "sounds": "x"}, {"effect": "audit"}), "InvalidPolicyRule"),
        (only(TYPE_IS_X, {"effect": "shout"}), "InvalidPolicyRule"),
        (only(TYPE_IS_X, {"effect": "auditIfNotExists", "details": {"existenceCondition": {}}}), "InvalidPolicyRule"),
    ],
)
def test_a_definition_that_azure_refuses(put: Callable[..., Any], changes: dict[str, Any], expected: str) -> None:
    assert code(put(DEFINITION, definition(**changes))) == (400, expected)


def test_a_default_must_be_allowed(put: Callable[..., Any]) -> None:
    changed = definition()
    changed["properties"]["parameters"]["effect"]["defaultValue"] = "audit"
    assert code(put(DEFINITION, changed)) == (400, "PolicyParameterAllowedAndDefaultValuesMismatch")


def test_a_flat_body_is_refused(policies: Any) -> None:
    flat = definition()["properties"]
    assert refused(
        lambda: policies.policy_definitions.create_or_update_at_management_group("corp", "tags", flat)
    ) == (400, "InvalidRequestContent")  # fmt: skip


def test_parameters_of_a_deployed_template_are_its_own(put: Callable[..., Any]) -> None:
    template = {"parameters": {"inner": {"type": "string"}}, "resources": [{"name": "[parameters('inner')]"}]}
    deployment = {"properties": {"template": template, "parameters": {"inner": {"value": "[parameters('tag')]"}}}}
    rule = {
        "if": {"field": "type", "equals": "x"},
        "then": {"effect": "[parameters('effect')]", "details": {"deployment": deployment}},
    }
    assert put(DEFINITION, definition(policyRule=rule))[0] == 201


def test_where_definitions_cannot_lie(put: Callable[..., Any]) -> None:
    name = f"{AUTHORIZATION}/policyDefinitions/tags"
    put(f"{SUBSCRIPTION}/resourceGroups/rg", {"location": "westeurope"})
    assert code(put(name, definition())) == (404, "MissingSubscription")
    assert code(put(f"/__SCOPE__{name}", definition())) == (404, "MissingSubscription")
    assert code(put(f"{SUBSCRIPTION}/resourceGroups/rg{name}", definition())) == (400, "InvalidPolicyUri")
    assert code(put(f"{CORP}x{name}", definition())) == (403, "AuthorizationFailed")
    assert code(put(f"{SUBSCRIPTION}9{name}", definition())) == (404, "SubscriptionNotFound")


def without(body: dict[str, Any], name: str) -> dict[str, Any]:
    changed = deepcopy(body)
    del changed["properties"]["parameters"][name]
    return changed


def test_parameters_of_a_definition_stay(tags: Any, put: Callable[..., Any]) -> None:
    rule = {"if": {"field": "tags['a']", "exists": False}, "then": {"effect": "[parameters('effect')]"}}
    fewer = without(definition(policyRule=rule), "tag")
    retyped = definition()
    retyped["properties"]["parameters"]["tag"]["type"] = "Array"
    more = definition()
    more["properties"]["parameters"]["value"] = {"type": "String"}
    more["properties"]["policyRule"]["if"] = {"value": "[parameters('value')]", "equals": "[parameters('tag')]"}
    for body in (fewer, retyped, more):
        assert code(put(DEFINITION, body)) == (400, "InvalidPolicyParameterUpdate")
    more["properties"]["parameters"]["value"]["defaultValue"] = "x"
    assert put(DEFINITION, more)[0] == 201


def test_what_is_in_use_cannot_be_deleted(all_tags: Any, put: Callable[..., Any]) -> None:
    put(ASSIGNMENT, assignment(SET, parameters={"name": {"value": "owner"}}))
    assert code(put(DEFINITION, None, method="DELETE")) == (400, "InvalidDeletePolicyDefinitionRequest")
    assert code(put(SET, None, method="DELETE")) == (400, "InvalidDeletePolicySetDefinitionRequest")
    assert [put(each, None, method="DELETE")[0] for each in (ASSIGNMENT, SET, DEFINITION)] == [200, 200, 200]


def test_an_assigned_definition_cannot_be_deleted(tags: Any, put: Callable[..., Any]) -> None:
    put(ASSIGNMENT, assignment())
    assert code(put(DEFINITION, None, method="DELETE")) == (400, "InvalidDeletePolicyDefinitionRequest")


# Initiatives


def test_an_initiative_is_created_with_201_and_replaced_with_200(tags: Any, put: Callable[..., Any]) -> None:
    assert [put(SET, initiative())[0] for _ in range(2)] == [201, 200]
    members = put(SET, None, method="GET")[1]["properties"]["policyDefinitions"]
    assert members[0]["policyDefinitionReferenceId"] == "one"
    assert members[1]["policyDefinitionReferenceId"].isdigit()
    assert {each["definitionVersion"] for each in members} == {"1.*.*"}


def members(**changes: Any) -> list[dict[str, Any]]:
    member = initiative()["properties"]["policyDefinitions"][0]
    return [{**member, "parameters": member["parameters"] | changes}]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"policyDefinitions": []}, "InvalidCreatePolicySetDefinitionRequest"),
        ({"policyDefinitions": [{"policyDefinitionId": SET}]}, "InvalidCreatePolicySetDefinitionRequest"),
        ({"policyDefinitions": [{"policyDefinitionId": DEFINITION + "9"}]}, "PolicyDefinitionNotFound"),
        ({"policyDefinitions": members(more={"value": "x"})}, "UndefinedPolicyParameter"),
        ({"policyDefinitions": members(effect={"value": "audit"})}, "PolicyParameterValueNotAllowed"),
        ({"policyDefinitions": [{"policyDefinitionId": DEFINITION}], "parameters": {}}, "MissingPolicyParameter"),
        ({"policyDefinitions": members(effect={"value": "[parameters('tag')]"})}, "InvalidPolicyParameters"),
        ({"policyDefinitions": members(effect={"value": "Audit"})}, "UnusedPolicyParameters"),
        ({"parameters": {"name": {"type": "String"}, "effect": {"type": "String", "defaultValue": "Deny"}}},
         "InvalidPolicyParameters"),
    ],
)  # fmt: skip
def test_an_initiative_that_azure_refuses(
    tags: Any, put: Callable[..., Any], changes: dict[str, Any], expected: str
) -> None:
    assert code(put(SET, initiative(**changes))) == (400, expected)


def test_members_lie_at_or_above_the_initiative(tags: Any, put: Callable[..., Any]) -> None:
    assert code(put(SET.replace(CORP, ROOT), initiative())) == (400, "PolicyDefinitionNotFound")
    assert put(SET.replace(CORP, SUBSCRIPTION), initiative())[0] == 201


def test_parameters_of_an_initiative_stay(all_tags: Any, put: Callable[..., Any]) -> None:
    fewer = without(initiative(policyDefinitions=members(effect={"value": "Audit"})), "effect")
    assert code(put(SET, fewer)) == (400, "InvalidPolicySetParameterUpdate")


# The pack


WRITABLE = {"properties", "identity", "location"}
"""What the specification lets a request hold; `id`, `name` and `type` are Azure's to say."""

PACKS = {
    "as it comes": Settings(),
    "with everything": Settings(
        remediation=Remediation(mode=RemediationMode.APPLY_AND_AUTO_CORRECT),
        prerequisites=Prerequisites(mode=PrerequisitesMode.OWN),
    ),
}


@pytest.mark.parametrize("settings", PACKS.values(), ids=PACKS)
def test_the_pack_is_accepted_once_its_tokens_are_replaced(put: Callable[..., Any], settings: Settings) -> None:
    policies = build_pack(settings, load_catalog()).policies
    order = ("policyDefinitions", "policySetDefinitions", "policyAssignments")
    payloads = sorted(policies.values(), key=lambda each: order.index(str(each["type"]).rpartition("/")[2]))
    asked = [(f"/{each['id']}", {key: each[key] for key in WRITABLE & each.keys()}) for each in payloads]
    assert {code(put(path, body))[1] for path, body in asked} == {"MissingSubscription"}
    for path, with_tokens in asked:
        body = json.loads(json.dumps(with_tokens).replace("__SCOPE__", CORP).replace("__LOCATION__", "westeurope"))
        status, answer = put(path.replace("/__SCOPE__", CORP), body)
        assert status == 201
        sent, stored = body["properties"], answer["properties"]
        assert {key: value for key, value in stored.items() if key in sent and key != "metadata"} == {
            key: value for key, value in sent.items() if key != "metadata"
        }
        assert {key: stored["metadata"][key] for key in sent["metadata"]} == sent["metadata"]
