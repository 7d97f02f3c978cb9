"""The linter's rules, each with what it finds and what it leaves alone."""

from __future__ import annotations

import pytest

from avma_pack.rendering.checks.linter import RULES, lint
from avma_pack.rendering.checks.model import read_definition

VM = "Microsoft.Compute/virtualMachines"
ROLES = "Microsoft.Authorization/roleAssignments"
IF = "properties.policyRule.if"
EXISTENCE = "properties.policyRule.then.details.existenceCondition"
ON_TYPE = {"field": "type", "equals": VM}
ON_NAME = {"field": "name", "like": "vm*"}
ON_PLACE = {"field": "location", "equals": "westeurope"}
IDENTITY = "requestContext().identity"


def run(properties: dict) -> list[tuple[str, str]]:
    problems = lint(read_definition({"properties": properties}))
    return [(problem.check, problem.where) for problem in problems]


def of_condition(condition: dict) -> list[tuple[str, str]]:
    return run({"policyRule": {"if": condition, "then": {"effect": "audit"}}})


def of_effect(effect: object, parameter: dict | None = None, **more: object) -> list[tuple[str, str]]:
    described = {"metadata": {"displayName": "Effect", "description": "The effect"}, **(parameter or {})}
    parameters = {"effect": described} if parameter is not None else {}
    rule = {"if": ON_TYPE, "then": {"effect": effect}}
    return run({"parameters": parameters, "policyRule": rule, **more})


def test_the_rules_are_those_that_need_no_alias_metadata() -> None:
    assert len(RULES) == 22


CONDITIONS = [
    (
        "unguarded-tryget-operator-value",
        {"field": "name", "equals": "[tryGet(field('tags'), 'a')]"},
        ".equals",
    ),
    ("unguarded-tryget-operator-value", {"field": "name", "in": "[tryGet(parameters, 'a')]"}, ".in"),
    ("broad-type-matching-operator", {"field": "type", "like": "Microsoft.Compute/*"}, ""),
    ("broad-type-matching-operator", {"field": "TYPE", "contains": "virtualMachines"}, ""),
    ("broad-type-matching-operator", {"field": "type", "match": "Microsoft.Compute/disk?"}, ""),
    ("like-notlike-without-wildcards", {"field": "name", "like": "vm"}, ""),
    ("like-notlike-without-wildcards", {"field": "name", "notLike": "vm?"}, ""),
    ("match-without-wildcards", {"field": "name", "matchInsensitively": "vm"}, ""),
    ("match-without-wildcards", {"field": "name", "notMatchInsensitively": "vm*"}, ""),
    (
        "request-context-identity-is-enforcement-only",
        {"value": f"[{IDENTITY}]", "exists": "true"},
        ".value",
    ),
    (
        "nested-same-type-quantifiers-should-be-flattened",
        {"allOf": [ON_NAME, {"allOf": [ON_PLACE, {"field": "kind", "equals": "x"}]}]},
        ".allOf[1]",
    ),
    (
        "nested-same-type-quantifiers-should-be-flattened",
        {"anyOf": [{"anyOf": [ON_PLACE, ON_NAME]}, ON_NAME]},
        ".anyOf[0]",
    ),
    ("policy-rule-references-multiple-resource-types", {"field": "type", "in": [VM, ROLES]}, ""),
    (
        "policy-rule-references-multiple-resource-types",
        {"allOf": [ON_TYPE, {"field": "Microsoft.Compute/disks/sku.name", "equals": "x"}]},
        "",
    ),
    (
        "policy-rule-references-multiple-resource-types",
        {"allOf": [ON_TYPE, {"field": "Microsoft.Compute/imagePublisher", "equals": "x"}]},
        "",
    ),
    (
        "policy-rule-references-multiple-resource-types",
        {"allOf": [ON_TYPE, {"value": "[field('Microsoft.Compute/disks/sku.name')]", "equals": "x"}]},
        "",
    ),
    (
        "policy-rule-references-multiple-resource-types",
        {"allOf": [ON_TYPE, {"count": {"field": "Microsoft.Compute/disks/a[*]"}, "greater": 0}]},
        "",
    ),
    (
        "policy-rule-references-multiple-resource-types",
        {"allOf": [ON_TYPE, {"not": {"field": "type", "notEquals": ROLES}}]},
        "",
    ),
    ("simplify-multiple-equals-to-in", {"anyOf": [ON_PLACE, {"field": "Location", "equals": "x"}]}, ""),
    (
        "simplify-multiple-notequals-to-notin",
        {"allOf": [{"field": "kind", "notEquals": "a"}, ON_NAME, {"field": "kind", "notEquals": "b"}]},
        "",
    ),
    (
        "tryget-use-with-null-coercing-operator",
        {"value": "[tryGet(field('tags'), 'a')]", "notIn": ["x"]},
        ".value",
    ),
    ("type-condition-first-in-allof", {"allOf": [ON_PLACE, ON_TYPE]}, ".allOf[1]"),
    ("unnecessary-quantifier-wrapper", {"anyOf": [ON_TYPE]}, ""),
    ("unnecessary-quantifier-wrapper", {"allOf": [ON_TYPE]}, ""),
]


@pytest.mark.parametrize(("check", "condition", "where"), CONDITIONS)
def test_conditions_with_a_finding(check: str, condition: dict, where: str) -> None:
    assert of_condition(condition) == [(check, f"{IF}{where}")]


@pytest.mark.parametrize(
    "condition",
    [
        {"field": "name", "equals": "[coalesce(tryGet(field('tags'), 'a'), '')]"},
        {"value": "[coalesce(tryGet(field('tags'), 'a'), '')]", "equals": "x"},
        {"value": "[tryGet(field('tags'), 'a')]", "exists": "true"},
        {"value": "[tryGet(field('tags'), 'a')]", "containsKey": "x"},
        {"field": "type", "in": [VM]},
        {"field": "type", "notLike": "Microsoft.Compute/*"},
        {"field": "name", "like": "[parameters]"},
        {"field": "name", "match": "vm"},
        {"field": "name", "matchInsensitively": "vm##"},
        {"allOf": [ON_TYPE, ON_NAME, ON_PLACE]},
        {"allOf": [ON_TYPE, {"anyOf": [ON_NAME, {"allOf": [ON_PLACE, ON_NAME]}]}]},
        {"allOf": [ON_NAME, {"anyOf": [ON_TYPE, ON_PLACE]}]},
        {"allOf": [ON_TYPE, {"field": "type", "notEquals": ROLES}]},
        {"allOf": [ON_TYPE, {"not": {"field": "type", "equals": ROLES}}]},
        {"allOf": [ON_TYPE, {"field": f"{VM.lower()}/storageProfile.osDisk.osType", "equals": "x"}]},
        {"allOf": [ON_TYPE, {"field": "tags['Microsoft.Compute/owner']", "exists": "true"}]},
        {"allOf": [ON_TYPE, {"field": f"{VM}/networkProfile.networkInterfaces[*].id", "contains": "/a/b"}]},
        {"anyOf": [ON_PLACE, {"field": "kind", "equals": "x"}, {"field": "location", "notEquals": "x"}]},
        {"allOf": [{"field": "kind", "equals": "a"}, {"field": "kind", "equals": "b"}]},
        {"anyOf": [{"field": "kind", "notEquals": "a"}, {"field": "kind", "notEquals": "b"}]},
        {"value": "[requestContext().apiVersion]", "equals": "x"},
    ],
)
def test_conditions_without_a_finding(condition: dict) -> None:
    assert of_condition(condition) == []


@pytest.mark.parametrize("access", [".claims['x']", "['claims']", ".Claims.x"])
def test_a_claim_of_the_request_that_is_not_guarded(access: str) -> None:
    found = of_condition({"value": f"[{IDENTITY}{access}]", "equals": "x"})
    assert found == [
        ("request-context-identity-is-enforcement-only", f"{IF}.value"),
        ("unguarded-request-context-identity-access", f"{IF}.value"),
    ]


@pytest.mark.parametrize("identity", [IDENTITY, "requestContext()['identity']", "RequestContext( ).Identity"])
def test_a_claim_of_the_request_that_is_guarded(identity: str) -> None:
    found = of_condition({"value": f"[coalesce(tryGet({identity}, 'claims'), '')]", "equals": "x"})
    assert found == [("request-context-identity-is-enforcement-only", f"{IF}.value")]


@pytest.mark.parametrize(
    ("check", "condition", "where"),
    [case for case in CONDITIONS if case[0] != "policy-rule-references-multiple-resource-types"],
)
def test_the_existence_condition_is_held_to_the_same(check: str, condition: dict, where: str) -> None:
    details = {"type": "Microsoft.Compute/disks", "existenceCondition": condition}
    found = run({"policyRule": {"if": ON_TYPE, "then": {"effect": "audit", "details": details}}})
    assert (check, f"{EXISTENCE}{where}") in found


def test_the_existence_condition_is_about_the_related_resource() -> None:
    check = ("policy-rule-references-multiple-resource-types", EXISTENCE)
    details = {"type": f"{VM}/extensions"}
    rule = {"if": ON_TYPE, "then": {"effect": "audit", "details": details}}
    details["existenceCondition"] = {"field": f"{VM}/extensions/publisher", "equals": "x"}
    assert run({"policyRule": rule}) == []
    details["existenceCondition"] = {"field": f"{VM}/licenseType", "equals": "x"}
    assert run({"policyRule": rule}) == [check]


@pytest.mark.parametrize("effect", ["deny", "DeployIfNotExists", "modify", "append", "denyAction"])
def test_an_enforcing_effect_is_a_parameter(effect: str) -> None:
    assert of_effect(effect) == [("hard-coded-policy-enforcement-effect", "properties.policyRule.then.effect")]


@pytest.mark.parametrize("effect", ["audit", "auditIfNotExists", "Disabled", "manual"])
def test_an_effect_that_does_not_enforce_may_be_a_literal(effect: str) -> None:
    assert of_effect(effect) == []


@pytest.mark.parametrize("default", ["Deny", "denyAction", "Modify", "append", "deployIfNotExists"])
def test_the_default_effect_does_not_enforce(default: str) -> None:
    parameter = {"defaultValue": default, "allowedValues": [default, "Disabled"]}
    check = "risky-effect-parameter-default-value"
    assert of_effect("[parameters('Effect')]", parameter) == [(check, "properties.parameters.effect.defaultValue")]


@pytest.mark.parametrize(
    ("parameter", "checks"),
    [
        ({"defaultValue": "Audit", "allowedValues": ["Audit", "Disabled"]}, []),
        ({"allowedValues": ["Audit", "Disabled"]}, ["effect-parameter-missing-default-value"]),
        ({"defaultValue": "Audit", "allowedValues": []}, ["effect-parameter-missing-allowed-values"]),
        ({"defaultValue": "Audit"}, ["effect-parameter-missing-allowed-values"]),
    ],
)
def test_the_effect_parameter_has_allowed_values_and_a_default(parameter: dict, checks: list[str]) -> None:
    found = of_effect("[parameters('effect')]", parameter)
    expected = [(check, "properties.parameters.effect") for check in checks]
    assert found == expected


@pytest.mark.parametrize(
    ("values", "mode", "is_mixed"),
    [
        (["AuditIfNotExists", "DeployIfNotExists", "Disabled"], "Indexed", False),
        (["Audit", "Deny", "Modify", "Disabled"], "Indexed", False),
        (["Audit", "Append"], "Indexed", False),
        (["Manual", "Disabled"], "Indexed", False),
        (["Audit", "AuditIfNotExists"], "Indexed", True),
        (["Modify", "DeployIfNotExists", "Disabled"], "Indexed", True),
        (["Modify", "Append"], "Indexed", True),
        (["Audit", "Manual"], "Indexed", True),
        (["Audit", "Mutate"], "Microsoft.Kubernetes.Data", False),
    ],
)
def test_effects_that_one_rule_can_have(values: list[str], mode: str, is_mixed: bool) -> None:
    parameter = {"defaultValue": "Disabled", "allowedValues": values}
    check = (
        "effect-allowed-values-should-not-mix-incompatible-effects",
        "properties.parameters.effect.allowedValues",
    )
    assert of_effect("[parameters('effect')]", parameter, mode=mode) == ([check] if is_mixed else [])


@pytest.mark.parametrize(
    ("effect", "condition", "is_found"),
    [
        ("deny", {"field": "type", "equals": ROLES}, True),
        ("deny", {"field": "type", "in": [VM, ROLES.lower()]}, True),
        ("deny", {"field": "type", "like": "Microsoft.Authorization/*"}, True),
        ("deny", {"field": "type", "equals": "Microsoft.Authorization/roleAssignmentScheduleRequests"}, True),
        ("audit", {"field": "type", "equals": ROLES}, False),
        ("deny", {"not": {"field": "type", "equals": ROLES}}, False),
        ("deny", ON_TYPE, False),
        ("[parameters('open')]", {"field": "type", "equals": ROLES}, True),
        ("[parameters('closed')]", {"field": "type", "equals": ROLES}, False),
    ],
)
def test_role_assignments_are_not_denied(effect: str, condition: dict, is_found: bool) -> None:
    parameters = {"open": {"defaultValue": "Audit"}, "closed": {"allowedValues": ["Audit"]}}
    found = run({"parameters": parameters, "policyRule": {"if": condition, "then": {"effect": effect}}})
    assert (("blocking-effect-on-role-assignments", IF) in found) is is_found


def test_parameters_resolve() -> None:
    parameters = {"Name": {"metadata": {"displayName": "Name", "description": "The name"}}}
    condition = {"anyOf": [{"field": "name", "in": ["[parameters('name')]", "[parameters('nam')]"]}, ON_PLACE]}
    found = run({"parameters": parameters, "policyRule": {"if": condition, "then": {"effect": "audit"}}})
    assert found == [("all-parameter-references-must-resolve", f"{IF}.anyOf[0].in[1]")]


@pytest.mark.parametrize("blank", [None, "", "  "])
def test_parameters_are_described(blank: str | None) -> None:
    parameters = {
        "bare": {},
        "half-done": {"metadata": {"displayName": blank, "description": "What it is for"}},
    }
    found = run({"parameters": parameters, "policyRule": {"if": ON_TYPE, "then": {"effect": "audit"}}})
    assert found == [
        ("parameter-missing-description", "properties.parameters.bare"),
        ("parameter-missing-display-name", "properties.parameters.bare"),
        ("parameter-missing-display-name", "properties.parameters['half-done']"),
    ]
