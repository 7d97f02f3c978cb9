"""The shape of definitions, and what each effect needs beside it."""

from __future__ import annotations

import pytest

from avma_pack.rendering.checks import check_definition

RULE = "properties.policyRule"
DETAILS = f"{RULE}.then.details"


def problems(payload: dict) -> set[tuple[str, str]]:
    return {(problem.check, problem.where) for problem in check_definition(payload)}


@pytest.fixture
def details(remediate: dict) -> dict:
    return remediate["properties"]["policyRule"]["then"]["details"]


def test_type_and_id(audit: dict) -> None:
    audit["type"] = "Microsoft.Authorization/policySetDefinitions"
    audit["id"] = "__SCOPE__/providers/Microsoft.Authorization/policyDefinitions/other"
    assert problems(audit) == {("resource-type", "type"), ("resource-id", "id")}


def test_an_id_is_not_needed_and_may_hold_a_token(audit: dict) -> None:
    audit["id"] = "__SCOPE__/providers/Microsoft.Authorization/policyDefinitions/sample-audit"
    assert problems(audit) == set()
    del audit["id"]
    assert problems(audit) == set()


@pytest.mark.parametrize(
    "condition",
    [
        {"field": "name", "equal": "x"},
        {"field": "name"},
        {"equals": "x"},
        {"field": "name", "value": "x", "equals": "x"},
        {"field": "name", "equals": "x", "notEquals": "y"},
        {"field": "name", "equals": "x", "comment": "y"},
        {"allOf": []},
        {"allOf": [{"field": "name", "equals": "x"}], "field": "name", "equals": "x"},
    ],
)
def test_a_condition_that_azure_cannot_read(audit: dict, condition: dict) -> None:
    audit["properties"]["policyRule"]["if"]["allOf"].append(condition)
    assert ("condition-shape", f"{RULE}.if.allOf[3]") in problems(audit)


@pytest.mark.parametrize(
    "condition",
    [
        {"value": "[resourceGroup().name]", "like": "rg-*"},
        {"not": {"field": "name", "equals": "x"}},
        {
            "count": {"value": ["a", "b"], "name": "n", "where": {"value": "[current('n')]", "equals": "a"}},
            "less": 1,
        },
    ],
)
def test_conditions_that_azure_can_read(audit: dict, condition: dict) -> None:
    audit["properties"]["policyRule"]["if"]["allOf"].append(condition)
    assert problems(audit) == set()


def test_a_condition_within_a_count_is_checked(audit: dict) -> None:
    count = {"field": "Microsoft.Compute/virtualMachines/a[*]", "where": {"field": "x"}}
    audit["properties"]["policyRule"]["if"]["allOf"].append({"count": count, "greater": 0})
    assert problems(audit) == {("condition-shape", f"{RULE}.if.allOf[3].count.where")}


def test_a_rule_without_a_condition(audit: dict) -> None:
    audit["properties"]["policyRule"]["if"] = {}
    assert problems(audit) == {("condition-shape", f"{RULE}.if")}


def test_the_effect_can_be_disabled(audit: dict) -> None:
    audit["properties"]["parameters"]["effect"]["allowedValues"] = ["AuditIfNotExists"]
    assert problems(audit) == {("effect-includes-disabled", f"{RULE}.then.effect")}


@pytest.mark.parametrize("effect", ["AuditIfNotExist", "[if(true(), 'audit', 'deny')]", ""])
def test_an_effect_that_azure_does_not_know(audit: dict, effect: str) -> None:
    del audit["properties"]["parameters"]["effect"]
    audit["properties"]["policyRule"]["then"]["effect"] = effect
    assert ("effect-unknown", f"{RULE}.then.effect") in problems(audit)


@pytest.mark.parametrize(
    ("member", "check", "where"),
    [
        ("existenceCondition", "if-not-exists-condition", f"{DETAILS}.existenceCondition"),
        ("evaluationDelay", "if-not-exists-delay", f"{DETAILS}.evaluationDelay"),
        ("type", "if-not-exists-type", DETAILS),
    ],
)
def test_if_not_exists_needs_its_details(audit: dict, member: str, check: str, where: str) -> None:
    audit["properties"]["policyRule"]["then"]["details"][member] = {}
    assert (check, where) in problems(audit)


@pytest.mark.parametrize("mode", ["complete", None])
def test_the_deployment_is_incremental(remediate: dict, details: dict, mode: str | None) -> None:
    details["deployment"]["properties"]["mode"] = mode
    assert problems(remediate) == {("deployment-mode", f"{DETAILS}.deployment.properties.mode")}


@pytest.mark.parametrize("member", ["$schema", "contentVersion"])
def test_the_template_is_one(remediate: dict, details: dict, member: str) -> None:
    del details["deployment"]["properties"]["template"][member]
    where = f"{DETAILS}.deployment.properties.template"
    assert problems(remediate) == {("deployment-template", where)}


@pytest.mark.parametrize("roles", [[], None])
def test_an_effect_that_deploys_names_roles(remediate: dict, details: dict, roles: list | None) -> None:
    details["roleDefinitionIds"] = roles
    assert problems(remediate) == {("role-definitions-missing", f"{DETAILS}.roleDefinitionIds")}


def test_a_role_is_named_by_its_id(remediate: dict, details: dict) -> None:
    details["roleDefinitionIds"].append("Contributor")
    assert problems(remediate) == {("role-definition-id", f"{DETAILS}.roleDefinitionIds[1]")}


def test_an_effect_that_only_audits_names_no_roles(audit: dict, details: dict) -> None:
    audit["properties"]["policyRule"]["then"]["details"]["roleDefinitionIds"] = details["roleDefinitionIds"]
    assert problems(audit) == {("role-definitions-unneeded", f"{DETAILS}.roleDefinitionIds")}


def test_one_definition_that_may_audit_or_deploy_names_roles(remediate: dict) -> None:
    effect = remediate["properties"]["parameters"]["effect"]
    effect["allowedValues"] = ["AuditIfNotExists", "DeployIfNotExists", "Disabled"]
    assert problems(remediate) == set()


def test_modify_needs_roles_and_operations(audit: dict, details: dict) -> None:
    properties = audit["properties"]
    del properties["metadata"]["guestConfiguration"]
    properties["parameters"] = {"effect": properties["parameters"]["effect"]}
    properties["parameters"]["effect"] |= {
        "allowedValues": ["Modify", "Disabled"],
        "defaultValue": "Disabled",
    }
    operation = {"operation": "addOrReplace", "field": "identity.type", "value": "SystemAssigned"}
    modify = {"roleDefinitionIds": details["roleDefinitionIds"], "operations": [operation]}
    properties["policyRule"]["then"]["details"] = modify
    assert problems(audit) == set()
    modify.clear()
    assert problems(audit) == {
        ("modify-operations", DETAILS),
        ("role-definitions-missing", f"{DETAILS}.roleDefinitionIds"),
    }


def test_conditions_may_nest_deeper_than_python_calls(audit: dict) -> None:
    condition: dict = {"field": "name", "equals": "x"}
    for _ in range(400):
        condition = {"not": condition}
    audit["properties"]["policyRule"]["if"]["allOf"].append(condition)
    assert problems(audit) == set()
