"""Parameters of a definition and of its template: declared, supplied, used."""

from __future__ import annotations

import pytest

from avma_pack.rendering.checks import check_definition

RULE = "properties.policyRule"
DEPLOYMENT = f"{RULE}.then.details.deployment.properties"


def problems(payload: dict) -> set[tuple[str, str]]:
    return {(problem.check, problem.where) for problem in check_definition(payload)}


@pytest.fixture
def details(remediate: dict) -> dict:
    return remediate["properties"]["policyRule"]["then"]["details"]


@pytest.fixture
def deployment(details: dict) -> dict:
    return details["deployment"]["properties"]


def test_names_are_compared_without_regard_to_case(remediate: dict, deployment: dict) -> None:
    remediate["properties"]["policyRule"]["then"]["effect"] = "[parameters('EFFECT')]"
    deployment["parameters"]["kmsserver"] = deployment["parameters"].pop("KmsServer")
    assert problems(remediate) == set()


def test_an_undeclared_parameter_of_the_rule(audit: dict) -> None:
    audit["properties"]["policyRule"]["if"]["allOf"][1]["exists"] = "[parameters('Efect')]"
    assert problems(audit) == {("all-parameter-references-must-resolve", f"{RULE}.if.allOf[1].exists")}


def test_the_template_does_not_see_the_parameters_of_the_definition(remediate: dict, deployment: dict) -> None:
    deployment["template"]["resources"][0]["location"] = "[concat(parameters('location'), parameters('effect'))]"
    where = f"{DEPLOYMENT}.template.resources[0].location"
    assert problems(remediate) == {("template-references-must-resolve", where)}


def test_the_deployment_does_not_see_the_parameters_of_the_template(remediate: dict, deployment: dict) -> None:
    deployment["parameters"]["location"]["value"] = "[parameters('vmName')]"
    where = f"{DEPLOYMENT}.parameters.location.value"
    assert problems(remediate) == {("all-parameter-references-must-resolve", where)}


def test_an_undeclared_variable_of_the_template(remediate: dict, deployment: dict) -> None:
    deployment["template"]["variables"] = {"kept": "x"}
    deployment["template"]["resources"][0]["tags"] = {"a": "[variables('kept')]", "b": "[variables('lost')]"}
    where = f"{DEPLOYMENT}.template.resources[0].tags.b"
    assert problems(remediate) == {("template-references-must-resolve", where)}


def test_an_unused_parameter_of_the_definition(audit: dict) -> None:
    audit["properties"]["parameters"]["Spare"] = audit["properties"]["parameters"]["KmsPort"]
    assert problems(audit) == {("unused-policy-parameter", "properties.parameters.Spare")}


def test_a_parameter_used_for_the_place_of_the_deployment_alone_is_unused(remediate: dict, details: dict) -> None:
    remediate["properties"]["parameters"]["Place"] = remediate["properties"]["parameters"]["KmsPort"]
    details["deployment"]["location"] = "[parameters('Place')]"
    assert problems(remediate) == {("unused-policy-parameter", "properties.parameters.Place")}


def test_a_parameter_named_in_metadata_alone_is_unused(audit: dict) -> None:
    audit["properties"]["parameters"]["Spare"] = audit["properties"]["parameters"]["KmsPort"]
    audit["properties"]["metadata"]["note"] = "[parameters('Spare')]"
    assert ("unused-policy-parameter", "properties.parameters.Spare") in problems(audit)


def test_an_unused_parameter_of_the_template(remediate: dict, deployment: dict) -> None:
    deployment["template"]["parameters"]["spare"] = {"type": "string", "defaultValue": ""}
    where = f"{DEPLOYMENT}.template.parameters.spare"
    assert problems(remediate) == {("unused-template-declaration", where)}


def test_what_the_template_declares_without_a_default_is_supplied(remediate: dict, deployment: dict) -> None:
    del deployment["parameters"]["location"]
    assert problems(remediate) == {("deployment-parameter-missing", f"{DEPLOYMENT}.parameters")}
    deployment["template"]["parameters"]["location"]["defaultValue"] = "westeurope"
    assert problems(remediate) == set()


def test_what_the_template_does_not_declare_is_not_supplied(remediate: dict, deployment: dict) -> None:
    deployment["parameters"]["spare"] = {"value": "x"}
    where = f"{DEPLOYMENT}.parameters.spare"
    assert problems(remediate) == {("deployment-parameter-unknown", where)}


def test_what_is_supplied_has_a_value(remediate: dict, deployment: dict) -> None:
    deployment["parameters"]["location"] = {"valeu": "[field('location')]"}
    where = f"{DEPLOYMENT}.parameters.location"
    assert problems(remediate) == {("deployment-parameter-without-value", where)}


@pytest.mark.parametrize("where", ["if", "template"])
def test_an_expression_that_cannot_be_read(remediate: dict, deployment: dict, where: str) -> None:
    if where == "if":
        remediate["properties"]["policyRule"]["if"]["allOf"][1]["exists"] = "[toLower('x']"
        expected = f"{RULE}.if.allOf[1].exists"
    else:
        deployment["template"]["resources"][0]["tags"] = {"a": "[toLower('x']"}
        expected = f"{DEPLOYMENT}.template.resources[0].tags.a"
    assert problems(remediate) == {("expression-syntax", expected)}


@pytest.mark.parametrize(
    ("change", "check", "where"),
    [
        ({"type": "Text"}, "parameter-type", ""),
        ({"type": None}, "parameter-type", ""),
        ({"defaultValue": 1688}, "parameter-default", ".defaultValue"),
        ({"allowedValues": ["1689"]}, "parameter-default", ".defaultValue"),
        ({"allowedValues": ["1688", 1689]}, "parameter-allowed-values", ".allowedValues"),
        ({"type": "Integer", "defaultValue": True}, "parameter-default", ".defaultValue"),
    ],
)
def test_declarations(audit: dict, change: dict, check: str, where: str) -> None:
    audit["properties"]["parameters"]["KmsPort"] |= change
    assert problems(audit) == {(check, f"properties.parameters.KmsPort{where}")}


def test_allowed_values_are_compared_with_regard_to_case(audit: dict) -> None:
    audit["properties"]["parameters"]["effect"]["defaultValue"] = "disabled"
    (problem,) = check_definition(audit)
    assert problem.check == "parameter-default"
    assert '"disabled" is not one of the allowed values ["AuditIfNotExists", "Disabled"]' in problem.message
