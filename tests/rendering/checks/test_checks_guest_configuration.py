"""A Guest Configuration definition says the same in metadata, existence condition and template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from avma_pack.rendering.checks import check_definition

if TYPE_CHECKING:
    from collections.abc import Callable

DETAILS = "properties.policyRule.then.details"
EXISTENCE = f"{DETAILS}.existenceCondition"
DEPLOYED = f"{DETAILS}.deployment.properties.template.resources[0]"
SERVER = "[WindowsActivationChannel]WindowsActivationChannel;KmsServer"
PORT = "[WindowsActivationChannel]WindowsActivationChannel;KmsPort"


def problems(payload: dict) -> set[tuple[str, str]]:
    return {(problem.check, problem.where) for problem in check_definition(payload)}


@pytest.fixture
def metadata(remediate: dict) -> dict:
    return remediate["properties"]["metadata"]["guestConfiguration"]


@pytest.fixture
def existence(remediate: dict) -> list:
    return remediate["properties"]["policyRule"]["then"]["details"]["existenceCondition"]["allOf"]


@pytest.fixture
def deployment(remediate: dict) -> dict:
    return remediate["properties"]["policyRule"]["then"]["details"]["deployment"]["properties"]


@pytest.fixture
def deployed(deployment: dict) -> dict:
    return deployment["template"]["resources"][0]


def test_metadata_is_needed_where_guest_assignments_are_judged(audit: dict) -> None:
    del audit["properties"]["metadata"]["guestConfiguration"]
    assert problems(audit) == {("guest-configuration-metadata", "properties.metadata")}


def test_category_and_mode(audit: dict) -> None:
    audit["properties"]["metadata"]["category"] = "Compute"
    audit["properties"]["mode"] = "All"
    assert problems(audit) == {
        ("guest-configuration-category", "properties.metadata.category"),
        ("guest-configuration-mode", "properties.mode"),
    }


def test_configuration_parameters_are_declared(audit: dict) -> None:
    audit["properties"]["metadata"]["guestConfiguration"]["configurationParameter"]["Tag"] = "[A]A;Tag"
    where = "properties.metadata.guestConfiguration.configurationParameter.Tag"
    found = problems(audit)
    assert ("configuration-parameter-undeclared", where) in found
    assert ("existence-parameter-hash", f"{EXISTENCE}.allOf[2]") in found


@pytest.mark.parametrize(
    ("index", "check"),
    [(0, "existence-compliance-status"), (1, "existence-content-hash"), (2, "existence-parameter-hash")],
)
def test_the_existence_condition_asks_for_all_three(remediate: dict, existence: list, index: int, check: str) -> None:
    del existence[index]
    assert problems(remediate) == {(check, EXISTENCE)}


@pytest.mark.parametrize(
    ("index", "check"),
    [(0, "existence-compliance-status"), (1, "existence-content-hash"), (2, "existence-parameter-hash")],
)
def test_what_need_not_hold_does_not_count(remediate: dict, existence: list, index: int, check: str) -> None:
    optional = existence.pop(index)
    existence.append({"anyOf": [optional, {"field": optional["field"], "exists": "false"}]})
    assert problems(remediate) == {(check, EXISTENCE)}


@pytest.mark.parametrize(
    ("index", "value", "check"),
    [
        (0, "NonCompliant", "existence-compliance-status"),
        (1, "80A8", "existence-content-hash"),
        (2, "abc", "existence-parameter-hash"),
        (2, f"[base64(concat('{SERVER}', '=', parameters('KmsServer')))]", "existence-parameter-hash"),
    ],
)
def test_the_existence_condition_asks_for_the_right_values(
    remediate: dict, existence: list, index: int, value: str, check: str
) -> None:
    existence[index]["equals"] = value
    found = problems(remediate)
    assert (check, f"{EXISTENCE}.allOf[{index}]") in found
    assert {name for name, _ in found} == {check}


def test_equality_is_what_counts(remediate: dict, existence: list) -> None:
    existence[0] = {"field": existence[0]["field"], "notEquals": "Compliant"}
    assert problems(remediate) == {("existence-compliance-status", f"{EXISTENCE}.allOf[0]")}


def test_the_longer_alias_of_the_content_hash_counts(remediate: dict, existence: list) -> None:
    existence[1]["field"] = existence[1]["field"].replace("/contentHash", "/guestConfiguration.contentHash")
    assert problems(remediate) == set()


def _swapped(text: str) -> str:
    return text.replace("KmsServer", "x").replace("KmsPort", "KmsServer").replace("x", "KmsPort")


@pytest.mark.parametrize(
    ("change", "is_right"),
    [
        (lambda text: text.replace(", ", ",").replace("concat", "Concat"), True),
        (lambda text: text.replace("parameters('KmsPort')", "Parameters('kmsport')"), True),
        (_swapped, False),
        (lambda text: text.replace("', '=', ", "', ':', "), False),
        (lambda text: text.replace(";KmsPort'", ";kmsport'"), False),
        (lambda text: text.replace("'), ',', '", "'), '"), False),
        (lambda text: text.replace("parameters('KmsPort')", "parameters('KmsServer')"), False),
        (lambda text: text.replace("base64(concat(", "concat(base64("), False),
        (lambda _: "[base64('abc')]", False),
    ],
)
def test_the_hash_has_the_parameters_in_order(audit: dict, change: Callable[[str], str], is_right: bool) -> None:
    condition = audit["properties"]["policyRule"]["then"]["details"]["existenceCondition"]["allOf"][2]
    condition["equals"] = change(condition["equals"])
    expected = set() if is_right else {("existence-parameter-hash", f"{EXISTENCE}.allOf[2]")}
    assert (
        problems(audit)
        - {("unused-policy-parameter", "properties.parameters.KmsPort")}
        - {("unused-policy-parameter", "properties.parameters.KmsServer")}
        == expected
    )


def test_a_hash_of_no_parameters_is_wrong(audit: dict) -> None:
    del audit["properties"]["metadata"]["guestConfiguration"]["configurationParameter"]
    (problem,) = check_definition(audit)
    assert problem.check == "existence-parameter-hash"
    assert problem.message.endswith("configurationParameter has, in order: no parameter")


@pytest.mark.parametrize("key", ["name", "version", "contentUri", "contentHash"])
def test_template_and_metadata_agree(remediate: dict, deployed: dict, key: str) -> None:
    deployed["properties"]["guestConfiguration"][key] += "0"
    where = f"{DEPLOYED}.properties.guestConfiguration.{key}"
    assert problems(remediate) == {("template-guest-configuration", where)}


def test_the_managed_identity_stands_in_both_or_neither(remediate: dict, metadata: dict, deployed: dict) -> None:
    metadata["contentManagedIdentity"] = "system"
    where = f"{DEPLOYED}.properties.guestConfiguration.contentManagedIdentity"
    assert problems(remediate) == {("template-guest-configuration", where)}
    deployed["properties"]["guestConfiguration"]["contentManagedIdentity"] = "system"
    assert problems(remediate) == set()


@pytest.mark.parametrize("place", ["supplied", "default"])
def test_a_value_may_come_through_a_parameter_of_the_template(
    remediate: dict, metadata: dict, deployment: dict, deployed: dict, place: str
) -> None:
    deployed["properties"]["guestConfiguration"]["contentUri"] = "[parameters('uri')]"
    declaration = deployment["template"]["parameters"].setdefault("uri", {"type": "string"})
    if place == "supplied":
        deployment["parameters"]["uri"] = {"value": metadata["contentUri"]}
    else:
        declaration["defaultValue"] = metadata["contentUri"]
    assert problems(remediate) == set()


def change_name(sent: list) -> None:
    sent[1]["name"] = SERVER


def reverse(sent: list) -> None:
    sent.reverse()


def change_value(sent: list) -> None:
    sent[1]["value"] = "[parameters('KmsServer')]"


def fix_value(sent: list) -> None:
    sent[1]["value"] = "1688"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (change_name, ""),
        (reverse, ""),
        (list.pop, ""),
        (change_value, "[1].value"),
        (fix_value, "[1].value"),
    ],
)
def test_the_template_sends_the_same_parameters_in_order(
    remediate: dict, deployed: dict, change: Callable[[list], Any], where: str
) -> None:
    change(deployed["properties"]["guestConfiguration"]["configurationParameter"])
    expected = f"{DEPLOYED}.properties.guestConfiguration.configurationParameter{where}"
    assert ("template-configuration-parameter", expected) in problems(remediate)


def test_the_value_comes_from_the_definition_through_the_deployment(remediate: dict, deployment: dict) -> None:
    deployment["parameters"]["KmsPort"]["value"] = "[parameters('KmsServer')]"
    where = f"{DEPLOYED}.properties.guestConfiguration.configurationParameter[1].value"
    assert problems(remediate) == {("template-configuration-parameter", where)}


def test_what_is_deployed_is_what_is_looked_for(remediate: dict, deployment: dict) -> None:
    deployment["parameters"]["assignmentName"]["value"] = "Other"
    assert problems(remediate) == {("template-guest-assignment-name", f"{DEPLOYED}.name")}


def test_the_template_has_a_guest_assignment(remediate: dict, deployed: dict) -> None:
    deployed["type"] = "Microsoft.Compute/virtualMachines/extensions"
    where = DEPLOYED.removesuffix("[0]")
    assert problems(remediate) == {("template-guest-assignment", where)}


def test_every_guest_assignment_of_the_template_is_checked(remediate: dict, deployment: dict) -> None:
    first = deployment["template"]["resources"][0]
    wrong = {**first["properties"]["guestConfiguration"], "contentHash": "80A8"}
    deployment["template"]["resources"].append({**first, "properties": {"guestConfiguration": wrong}})
    where = f"{DEPLOYED.removesuffix('[0]')}[1].properties.guestConfiguration.contentHash"
    assert problems(remediate) == {("template-guest-configuration", where)}
