"""Assignments: what they assign, with which parameters and identity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from avma_pack.rendering.checks import check_assignment

if TYPE_CHECKING:
    from collections.abc import Callable

    Problems = Callable[[], set[tuple[str, str]]]


@pytest.fixture
def problems(assignment: dict, initiative: dict, definitions: dict) -> Problems:
    def check() -> set[tuple[str, str]]:
        found = check_assignment(assignment, initiative, definitions)
        return {(problem.check, problem.where) for problem in found}

    return check


def test_another_initiative(assignment: dict, problems: Problems) -> None:
    assignment["properties"]["policyDefinitionId"] = "/providers/Microsoft.Authorization/policySetDefinitions/x"
    assert problems() == {("assignment-initiative", "properties.policyDefinitionId")}


def test_another_version(assignment: dict, problems: Problems) -> None:
    assignment["properties"]["definitionVersion"] = "1.*.*"
    assert problems() == set()
    assignment["properties"]["definitionVersion"] = "2.*.*"
    assert problems() == {("assignment-version", "properties.definitionVersion")}


def test_a_parameter_that_the_initiative_does_not_declare(assignment: dict, problems: Problems) -> None:
    assignment["properties"]["parameters"]["KmsPort"] = {"value": "1688"}
    assert problems() == {("assignment-parameter-unknown", "properties.parameters.KmsPort")}


def test_a_parameter_without_default_that_is_not_set(initiative: dict, problems: Problems) -> None:
    del initiative["properties"]["parameters"]["KmsServer"]["defaultValue"]
    assert problems() == {("assignment-parameter-missing", "properties.parameters")}


@pytest.mark.parametrize("value", ["Audit", "disabled", None])
def test_a_value_that_is_not_allowed(assignment: dict, problems: Problems, value: object) -> None:
    assignment["properties"]["parameters"]["AUDITEFFECT"] = {"value": value}
    del assignment["properties"]["parameters"]["auditEffect"]
    assert problems() == {("assignment-parameter-value", "properties.parameters.AUDITEFFECT.value")}


def test_a_parameter_without_a_value(assignment: dict, problems: Problems) -> None:
    assignment["properties"]["parameters"]["KmsServer"] = "kms.example.com"
    assert problems() == {("assignment-parameter-value", "properties.parameters.KmsServer")}


@pytest.mark.parametrize("identity", [None, {"type": "None"}, {"type": "UserAssigned"}])
def test_a_member_that_deploys_asks_for_an_identity(
    assignment: dict, problems: Problems, identity: dict | None
) -> None:
    assignment["identity"] = identity
    assert problems() == {("assignment-identity", "identity")}


def test_a_user_assigned_identity_will_do(assignment: dict, problems: Problems) -> None:
    assignment["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {"/subscriptions/x": {}}}
    assert problems() == set()


def test_an_identity_asks_for_a_location(assignment: dict, problems: Problems) -> None:
    del assignment["location"]
    assert problems() == {("assignment-location", "location")}


def test_members_that_audit_ask_for_neither(assignment: dict, initiative: dict, problems: Problems) -> None:
    del assignment["identity"], assignment["location"]
    del initiative["properties"]["policyDefinitions"][1]
    assert problems() == set()


def test_a_message_for_no_member(assignment: dict, problems: Problems) -> None:
    assignment["properties"]["nonComplianceMessages"] += [
        {"message": "For all."},
        {"message": "For none.", "policyDefinitionReferenceId": "extension"},
    ]
    assert problems() == {("assignment-message-reference", "properties.nonComplianceMessages[2]")}
