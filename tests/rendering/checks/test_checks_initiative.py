"""Initiatives: known members, the right parameters, unique reference ids."""

from __future__ import annotations

import pytest

from avma_pack.rendering.checks import check_initiative

MEMBER = "properties.policyDefinitions[0]"


def problems(payload: dict, definitions: dict) -> set[tuple[str, str]]:
    return {(problem.check, problem.where) for problem in check_initiative(payload, definitions)}


@pytest.fixture
def member(initiative: dict) -> dict:
    return initiative["properties"]["policyDefinitions"][0]


def test_a_member_is_known_by_name_whatever_its_case_and_scope(
    initiative: dict, definitions: dict, member: dict
) -> None:
    member["policyDefinitionId"] = "__SCOPE__/providers/microsoft.authorization/policydefinitions/SAMPLE-AUDIT"
    assert problems(initiative, definitions) == set()


def test_an_unknown_member(initiative: dict, definitions: dict) -> None:
    del definitions["sample-audit"]
    where = f"{MEMBER}.policyDefinitionId"
    assert problems(initiative, definitions) == {("initiative-member-unknown", where)}


def test_no_members(initiative: dict, definitions: dict) -> None:
    initiative["properties"]["policyDefinitions"] = []
    assert ("initiative-members", "properties.policyDefinitions") in problems(initiative, definitions)


@pytest.mark.parametrize("reference", ["REMEDIATE", None])
def test_reference_ids_are_there_and_unique(
    initiative: dict, definitions: dict, member: dict, reference: str | None
) -> None:
    member["policyDefinitionReferenceId"] = reference
    index = 0 if reference is None else 1
    where = f"properties.policyDefinitions[{index}].policyDefinitionReferenceId"
    assert problems(initiative, definitions) == {("initiative-reference-id", where)}


def test_a_parameter_that_the_member_does_not_declare(initiative: dict, definitions: dict, member: dict) -> None:
    member["parameters"]["Spare"] = {"value": "x"}
    where = f"{MEMBER}.parameters.Spare"
    assert problems(initiative, definitions) == {("initiative-member-parameter-unknown", where)}


def test_a_parameter_without_default_that_is_not_passed(initiative: dict, definitions: dict, member: dict) -> None:
    del member["parameters"]["KmsPort"]
    assert problems(initiative, definitions) == set()
    del definitions["sample-audit"]["properties"]["parameters"]["KmsPort"]["defaultValue"]
    where = f"{MEMBER}.parameters"
    assert problems(initiative, definitions) == {("initiative-member-parameter-missing", where)}


def test_a_parameter_that_the_initiative_does_not_declare(initiative: dict, definitions: dict, member: dict) -> None:
    member["parameters"]["KmsPort"]["value"] = "[parameters('Port')]"
    where = f"{MEMBER}.parameters.KmsPort.value"
    assert problems(initiative, definitions) == {("initiative-references-must-resolve", where)}


def test_an_unused_parameter_of_the_initiative(initiative: dict, definitions: dict, member: dict) -> None:
    member["parameters"]["effect"]["value"] = "Disabled"
    where = "properties.parameters.auditEffect"
    assert problems(initiative, definitions) == {("unused-policy-parameter", where)}


def test_names_of_parameters_are_compared_without_regard_to_case(
    initiative: dict, definitions: dict, member: dict
) -> None:
    member["parameters"]["EFFECT"] = {"value": "[parameters('AUDITEFFECT')]"}
    del member["parameters"]["effect"]
    assert problems(initiative, definitions) == set()


@pytest.mark.parametrize("value", ["Deny", "disabled", 7, None])
def test_a_value_that_the_member_does_not_take(
    initiative: dict, definitions: dict, member: dict, value: object
) -> None:
    member["parameters"]["effect"]["value"] = value
    where = f"{MEMBER}.parameters.effect.value"
    assert ("initiative-member-value", where) in problems(initiative, definitions)


def test_a_parameter_passed_without_a_value(initiative: dict, definitions: dict, member: dict) -> None:
    member["parameters"]["KmsPort"] = "1688"
    where = f"{MEMBER}.parameters.KmsPort.value"
    assert problems(initiative, definitions) == {("initiative-member-value", where)}


def test_allowed_values_within_those_of_the_member(initiative: dict, definitions: dict) -> None:
    effect = initiative["properties"]["parameters"]["auditEffect"]
    effect["allowedValues"] = ["Disabled"]
    assert problems(initiative, definitions) == set()
    effect["allowedValues"] = ["Disabled", "AuditIfNotExists", "Audit"]
    where = f"{MEMBER}.parameters.effect.value"
    assert problems(initiative, definitions) == {("initiative-allowed-values", where)}
    del effect["allowedValues"]
    assert problems(initiative, definitions) == {("initiative-allowed-values", where)}


def test_types_of_parameters_are_those_of_the_member(initiative: dict, definitions: dict) -> None:
    initiative["properties"]["parameters"]["KmsServer"] |= {"type": "Array", "defaultValue": []}
    where = "parameters.KmsServer.value"
    assert problems(initiative, definitions) == {
        ("initiative-member-value", f"properties.policyDefinitions[{index}].{where}") for index in (0, 1)
    }


def test_the_pinned_version_is_the_members(initiative: dict, definitions: dict, member: dict) -> None:
    member["definitionVersion"] = "2.*.*"
    where = f"{MEMBER}.definitionVersion"
    assert problems(initiative, definitions) == {("initiative-member-version", where)}


def test_an_expression_that_cannot_be_read(initiative: dict, definitions: dict, member: dict) -> None:
    member["parameters"]["KmsPort"]["value"] = "[concat('a']"
    where = f"{MEMBER}.parameters.KmsPort.value"
    assert problems(initiative, definitions) == {("expression-syntax", where)}


def test_parameters_of_an_initiative_are_described(initiative: dict, definitions: dict) -> None:
    initiative["properties"]["parameters"]["KmsServer"]["metadata"] = {}
    where = "properties.parameters.KmsServer"
    assert problems(initiative, definitions) == {
        ("parameter-missing-description", where),
        ("parameter-missing-display-name", where),
    }
