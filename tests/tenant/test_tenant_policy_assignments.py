"""Policy assignments and exemptions, written and read by Microsoft's SDK; refusals by Azure's error codes."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from policy_requests import (
    ASSIGNMENT,
    AUTHORIZATION,
    CORP,
    DEFINITION,
    ROOT,
    SET,
    SUBSCRIPTION,
    ask,
    assignment,
    code,
    modify,
    refused,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from avma_pack.tenant.world import World


# Assignments


def test_an_assignment_comes_back_with_its_scope(policies: Any, tags: Any) -> None:
    made = policies.policy_assignments.create(CORP, "tags", assignment(displayName="Tags"))
    assert (made.id, made.scope, made.enforcement_mode, made.not_scopes) == (ASSIGNMENT, CORP, "Default", [])
    assert (made.identity, made.location, made.definition_version) == (None, None, "1.*.*")
    assert policies.policy_assignments.create(CORP, "tags", assignment()).display_name is None  # replaced whole
    assert policies.policy_assignments.get_by_id(ASSIGNMENT).parameters["tag"].value == "owner"
    assert policies.policy_assignments.delete(CORP, "tags").id == ASSIGNMENT
    assert policies.policy_assignments.delete(CORP, "tags") is None
    assert refused(lambda: policies.policy_assignments.get(CORP, "tags")) == (404, "PolicyAssignmentNotFound")


def test_assignments_are_listed_as_the_filter_says(policies: Any, tags: Any, put: Callable[..., Any]) -> None:
    group = f"{SUBSCRIPTION}/resourceGroups/rg"
    put(group, {"location": "westeurope"})
    for scope, name in ((CORP, "corp"), (SUBSCRIPTION, "sub"), (group, "rg")):
        policies.policy_assignments.create(scope, name, assignment())
    listed = policies.policy_assignments

    def names(found: Any) -> list[str]:
        return [each.name for each in found]

    assert names(listed.list()) == ["corp", "sub", "rg"]
    assert names(listed.list(filter="atScope()")) == ["corp", "sub"]
    assert names(listed.list(filter="atExactScope()")) == ["sub"]
    assert names(listed.list(filter=f"policyDefinitionId eq '{DEFINITION.upper()}'")) == ["corp", "sub", "rg"]
    assert names(listed.list_for_management_group("corp", filter="atScope()")) == ["corp"]
    assert names(listed.list_for_management_group("root", filter="atExactScope()")) == []
    assert names(listed.list_for_resource_group("rg")) == ["corp", "sub", "rg"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"properties": {"displayName": "none"}}, "InvalidRequestContent"),
        (assignment(DEFINITION + "9"), "PolicyDefinitionNotFound"),
        (assignment(SET + "9"), "PolicySetDefinitionNotFound"),
        (assignment("__SCOPE__/providers/Microsoft.Authorization/policyDefinitions/tags"), "PolicyDefinitionNotFound"),
        (assignment(parameters={}), "MissingPolicyParameter"),
        (assignment(parameters={"tag": {"value": "x"}, "more": {"value": "x"}}), "UndefinedPolicyParameter"),
        (assignment(parameters={"tag": {"value": "x"}, "effect": {"value": "Deny"}}), "PolicyParameterValueNotAllowed"),
        (assignment(nonComplianceMessages=[{"message": "x", "policyDefinitionReferenceId": "one"}]),
         "InvalidCreatePolicyAssignmentRequest"),
        ({**assignment(), "identity": {"type": "SystemAssigned"}}, "LocationRequired"),
    ],
)  # fmt: skip
def test_an_assignment_that_azure_refuses(
    tags: Any, put: Callable[..., Any], body: dict[str, Any], expected: str
) -> None:
    assert code(put(ASSIGNMENT, body)) == (400, expected)


def test_a_definition_below_cannot_be_assigned(tags: Any, put: Callable[..., Any]) -> None:
    refusal = put(ASSIGNMENT.replace(CORP, ROOT), assignment())
    assert code(refusal) == (400, "InvalidCreatePolicyAssignmentRequest")
    assert put(ASSIGNMENT.replace(CORP, SUBSCRIPTION), assignment())[0] == 201


@pytest.mark.parametrize(("scope", "limit"), [(CORP, 24), (SUBSCRIPTION, 64)])
def test_the_length_of_an_assignments_name(tags: Any, put: Callable[..., Any], scope: str, limit: int) -> None:
    path = f"{scope}{AUTHORIZATION}/policyAssignments/"
    assert put(path + "n" * limit, assignment())[0] == 201
    assert code(put(path + "n" * (limit + 1), assignment())) == (400, "InvalidPolicyAssignmentName")


def test_a_definition_that_changes_resources_asks_for_an_identity(policies: Any, put: Callable[..., Any]) -> None:
    put(DEFINITION, modify())
    put(SET, {"properties": {"policyDefinitions": [{"policyDefinitionId": DEFINITION}]}})
    bare = {"properties": {"policyDefinitionId": SET}}
    assert code(put(ASSIGNMENT, bare)) == (400, "ResourceIdentityRequired")
    with_identity = bare | {"identity": {"type": "SystemAssigned"}, "location": "westeurope"}
    made = policies.policy_assignments.create(CORP, "tags", with_identity)
    assert made.identity.tenant_id
    again = policies.policy_assignments.create(CORP, "tags", with_identity)
    assert again.identity.principal_id == made.identity.principal_id
    assert code(put(ASSIGNMENT, with_identity | {"location": "eastus"})) == (400, "InvalidLocationUpdate")
    policies.policy_assignments.delete(CORP, "tags")
    other = policies.policy_assignments.create(CORP, "tags", with_identity)
    assert other.identity.principal_id != made.identity.principal_id


def test_an_assignment_may_have_a_user_assigned_identity(policies: Any, tags: Any) -> None:
    mine = f"{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mine"
    body = {"identity": {"type": "UserAssigned", "userAssignedIdentities": {mine: {}}}, "location": "westeurope"}
    made = policies.policy_assignments.create(CORP, "tags", assignment() | body)
    assert made.identity.user_assigned_identities[mine].principal_id
    assert policies.policy_assignments.update(CORP, "tags", {"identity": {"type": "None"}}).identity is None


def test_an_update_changes_only_what_it_names(policies: Any, tags: Any) -> None:
    policies.policy_assignments.create(CORP, "tags", assignment(displayName="Tags"))
    selector = {"name": "west", "selectors": [{"kind": "resourceLocation", "in": ["westeurope"]}]}
    change = {
        "properties": {"resourceSelectors": [selector]},
        "identity": {"type": "SystemAssigned"},
        "location": "eastus",
    }
    changed = policies.policy_assignments.update(CORP, "tags", change)
    assert (changed.display_name, changed.location) == ("Tags", "eastus")
    assert changed.resource_selectors[0].name == "west"
    assert changed.identity.principal_id
    assert refused(lambda: policies.policy_assignments.update(CORP, "none", change)) == (
        404,
        "PolicyAssignmentNotFound",
    )


# Exemptions


EXEMPTION = f"{SUBSCRIPTION}{AUTHORIZATION}/policyExemptions/pilot"
VERSION = "2022-07-01-preview"


def exemption(**changes: Any) -> dict[str, Any]:
    return {"properties": {"policyAssignmentId": ASSIGNMENT, "exemptionCategory": "Waiver"} | changes}


def test_exemptions_live_and_outlive_their_assignment(policies: Any, all_tags: Any, put: Callable[..., Any]) -> None:
    put(ASSIGNMENT, assignment(SET, parameters={"name": {"value": "owner"}}))
    made = put(EXEMPTION, exemption(policyDefinitionReferenceIds=["ONE"]), VERSION)
    assert (made[0], made[1]["id"]) == (201, EXEMPTION)
    assert put(EXEMPTION, exemption(expiresOn="2026-01-06T08:00:00Z"), VERSION)[0] == 200
    selector = {"properties": {"assignmentScopeValidation": "DoNotValidate"}}
    patched = put(EXEMPTION, selector, VERSION, "PATCH")[1]["properties"]
    assert (patched["assignmentScopeValidation"], patched["exemptionCategory"]) == ("DoNotValidate", "Waiver")
    put(ASSIGNMENT, None, method="DELETE")
    assert put(EXEMPTION, None, VERSION, "GET")[0] == 200
    assert [put(EXEMPTION, None, VERSION, "DELETE")[0] for _ in range(2)] == [200, 204]
    assert code(put(EXEMPTION, None, VERSION, "GET")) == (404, "PolicyExemptionNotFound")


def test_exemptions_are_listed_as_the_filter_says(
    policies: Any, tags: Any, put: Callable[..., Any], world: World
) -> None:
    put(ASSIGNMENT, assignment())
    put(EXEMPTION, exemption(expiresOn="2026-01-06T08:00:00Z"), VERSION)

    def names(scope: str, text: str = "") -> list[str]:
        path = f"{scope}{AUTHORIZATION}/policyExemptions"
        listed = ask(policies, "GET", path, version=VERSION, **({"$filter": text} if text else {}))
        return [each["name"] for each in listed[1]["value"]]

    assert names(SUBSCRIPTION) == names(SUBSCRIPTION, f"policyAssignmentId eq '{ASSIGNMENT}'") == ["pilot"]
    assert names(CORP) == names(SUBSCRIPTION, f"policyAssignmentId eq '{ASSIGNMENT}9'") == []
    assert names(SUBSCRIPTION, "excludeExpired()") == ["pilot"]
    world.clock.advance(dt.timedelta(days=1))
    assert names(SUBSCRIPTION, "excludeExpired()") == []


def test_an_exemption_that_azure_refuses(tags: Any, put: Callable[..., Any]) -> None:
    put(ASSIGNMENT, assignment())
    absent = exemption(policyAssignmentId=ASSIGNMENT + "9")
    assert code(put(EXEMPTION, absent, VERSION)) == (400, "InvalidCreatePolicyExemptionRequest")
    assert code(put(EXEMPTION, exemption(exemptionCategory=None), VERSION)) == (400, "InvalidRequestContent")
    of_a_set = exemption(policyDefinitionReferenceIds=["one"])
    assert code(put(EXEMPTION, of_a_set, VERSION)) == (400, "InvalidPolicyDefinitionReference")


def test_an_exemption_names_members_that_exist(all_tags: Any, put: Callable[..., Any]) -> None:
    put(ASSIGNMENT, assignment(SET, parameters={"name": {"value": "owner"}}))
    unknown = exemption(policyDefinitionReferenceIds=["one", "two"])
    assert code(put(EXEMPTION, unknown, VERSION)) == (400, "InvalidPolicyDefinitionReference")
