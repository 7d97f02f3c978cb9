"""The payloads: that they fit Microsoft's schemas, bind together, and differ from the field's only on purpose."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from msgspec.structs import replace
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

from avma_pack.catalog import load_catalog
from avma_pack.packaging.build import build_packages
from avma_pack.packaging.parameters import PARAMETERS
from avma_pack.rendering.pack import check_policies
from avma_pack.rendering.render import parameter_hash, render
from avma_pack.settings import (
    Activation,
    ActivationPolicy,
    Assignment,
    Cloud,
    Enforcement,
    Kms,
    KmsProbe,
    Pack,
    PackageAccess,
    Packages,
    Prerequisites,
    PrerequisitesMode,
    Remediation,
    RemediationMode,
    Settings,
    TagFilter,
    check,
)
from shared_facts import SHARED, needs_shared

if TYPE_CHECKING:
    from collections.abc import Mapping

IDENTITY = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg"
    "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/packages"
)
FULL = Settings(
    pack=Pack(suffix="-pilot", cloud=Cloud.US_GOVERNMENT),
    activation=Activation(policy=ActivationPolicy.ACTIVATED, replace_other_keys=True),
    kms=Kms(port=1689, probe=KmsProbe.ALWAYS),
    remediation=Remediation(mode=RemediationMode.APPLY_AND_AUTO_CORRECT),
    tag_filter=TagFilter(name="activation", values=("kms", "pilot")),
    prerequisites=Prerequisites(mode=PrerequisitesMode.OWN),
    packages=Packages(
        base_uri="https://contoso.blob.core.usgovcloudapi.net/packages",
        access=PackageAccess.USER_ASSIGNED,
        identity=IDENTITY,
    ),
    assignment=Assignment(enforcement=Enforcement.DO_NOT_ENFORCE, non_compliance_message='Say "why" to the team.'),
)
VARIANTS = {
    "defaults": Settings(),
    "full": FULL,
    "remediate": Settings(remediation=Remediation(mode=RemediationMode.APPLY_AND_MONITOR)),
    "tag must exist": Settings(tag_filter=TagFilter(name="activation")),
    "system-assigned": Settings(packages=Packages(base_uri="https://a.example", access=PackageAccess.SYSTEM_ASSIGNED)),
}


def _render(settings: Settings, version: str = "1.0.0") -> dict[str, Any]:
    catalog = load_catalog()
    packages = build_packages(catalog, catalog.releases, version=version, suffix=settings.pack.suffix)
    return dict(render(check(settings), packages))


@pytest.fixture(scope="module", params=VARIANTS)
def policies(request: pytest.FixtureRequest) -> dict[str, Any]:
    return _render(VARIANTS[request.param])


@pytest.fixture(scope="module")
def full() -> dict[str, Any]:
    return _render(FULL)


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    return _render(Settings())


def test_every_check_finds_nothing(policies: dict[str, Any]) -> None:
    assert check_policies(policies) == []


def test_without_settings_there_is_one_definition_audit(plain: dict[str, Any]) -> None:
    assert list(plain) == ["definitions/audit.json", "initiative.json", "assignment.json"]
    (member,) = plain["initiative.json"]["properties"]["policyDefinitions"]
    assert member["policyDefinitionReferenceId"] == "audit"


def test_members_have_their_fixed_reference_ids(full: dict[str, Any]) -> None:
    members = full["initiative.json"]["properties"]["policyDefinitions"]
    assert [member["policyDefinitionReferenceId"] for member in members] == [
        *("audit", "remediate", "identity", "identityUser", "extension"),
    ]


def test_an_audit_changes_nothing_and_needs_no_identity(plain: dict[str, Any]) -> None:
    assert "identity" not in plain["assignment.json"]
    assert "roleDefinitionIds" not in json.dumps(plain)
    assert plain["definitions/audit.json"]["properties"]["parameters"]["effect"]["allowedValues"] == [
        *("AuditIfNotExists", "Disabled"),
    ]


def test_enforcing_members_are_disabled_until_the_initiative_turns_them_on(full: dict[str, Any]) -> None:
    initiative = full["initiative.json"]["properties"]
    for member in initiative["policyDefinitions"]:
        name = member["policyDefinitionReferenceId"]
        effect = member["parameters"]["effect"]["value"]
        definition = full[f"definitions/{'useridentity' if name == 'identityUser' else name}.json"]
        own = definition["properties"]["parameters"]["effect"]
        if name == "audit":
            assert effect == "Disabled", "one machine has one verdict"
        else:
            assert own["defaultValue"] == "Disabled"
            assert effect == own["allowedValues"][0]


def test_the_initiative_has_no_parameter_that_azure_would_never_let_go_again(policies: dict[str, Any]) -> None:
    assert "parameters" not in policies["initiative.json"]["properties"]


def test_azure_keeps_one_version_while_the_packs_goes_on() -> None:
    for name, payload in _render(Settings(), version="1.4.2").items():
        properties = payload["properties"]
        assert properties["metadata"]["avmaPack"]["version"] == "1.4.2"
        if name != "assignment.json":
            assert properties["version"] == "1.0.0"
            assert properties["metadata"]["version"] == "1.4.2"


def test_metadata_hash_and_deployment_have_the_same_parameters_in_the_same_order(
    full: dict[str, Any],
) -> None:
    properties = full["definitions/remediate.json"]["properties"]
    details = properties["policyRule"]["then"]["details"]
    template = details["deployment"]["properties"]["template"]
    deployed = template["resources"][0]["properties"]["guestConfiguration"]["configurationParameter"]
    metadata = properties["metadata"]["guestConfiguration"]["configurationParameter"]
    expected = [(each.name, each.path) for each in PARAMETERS]
    assert list(metadata.items()) == expected
    assert [(each["value"], each["name"]) for each in deployed] == [
        (f"[parameters('{name}')]", path) for name, path in expected
    ]
    assert _condition(details, "parameterHash") == parameter_hash()
    positions = [parameter_hash().index(f"'{path}', '=', parameters('{name}')") for name, path in expected]
    assert positions == sorted(positions)


def _condition(details: Mapping[str, Any], alias: str) -> str:
    (found,) = (
        each["equals"] for each in details["existenceCondition"]["allOf"] if each["field"].endswith(f"/{alias}")
    )
    return str(found)


def test_an_answer_of_another_package_does_not_count(full: dict[str, Any]) -> None:
    for name in ("audit", "remediate"):
        properties = full[f"definitions/{name}.json"]["properties"]
        details = properties["policyRule"]["then"]["details"]
        assert _condition(details, "contentHash") == properties["metadata"]["guestConfiguration"]["contentHash"]
        assert _condition(details, "complianceStatus") == "Compliant"


def test_mode_and_version_reach_machines_that_were_compliant(full: dict[str, Any]) -> None:
    tags = {
        name: full[f"definitions/{name}.json"]["properties"]["parameters"]["RolloutTag"]["defaultValue"]
        for name in ("audit", "remediate")
    }
    assert tags == {"audit": "Audit/1.0.0", "remediate": "ApplyAndAutoCorrect/1.0.0"}


def test_each_package_has_its_own_policy_until_the_settings_name_one(full: dict[str, Any]) -> None:
    assert _policies(_render(VARIANTS["remediate"])) == ["NoAvma", "AvmaReplaced"]
    assert _policies(full) == ["Activated", "Activated"]


def _policies(rendered: dict[str, Any]) -> list[str]:
    return [
        rendered[f"definitions/{name}.json"]["properties"]["parameters"]["ActivationPolicy"]["defaultValue"]
        for name in ("audit", "remediate")
    ]


def test_settings_reach_the_parameters(full: dict[str, Any]) -> None:
    for name in ("audit", "remediate"):
        parameters = full[f"definitions/{name}.json"]["properties"]["parameters"]
        values = {each: parameters[each]["defaultValue"] for each in ("KmsServer", "KmsPort", "ReplaceOtherKeys")}
        assert values == {"KmsServer": "kms.core.usgovcloudapi.net", "KmsPort": "1689", "ReplaceOtherKeys": "Yes"}
        assert parameters["KmsProbe"]["defaultValue"] == "Always"


def test_the_suffix_ends_every_name(full: dict[str, Any]) -> None:
    names = {payload["name"] for payload in full.values()}
    assert all(name.endswith("-pilot") for name in names)
    assert len(full["assignment.json"]["name"]) <= 24


def test_scope_and_location_stay_tokens(full: dict[str, Any]) -> None:
    assert full["assignment.json"]["location"] == "__LOCATION__"
    assert full["assignment.json"]["identity"] == {"type": "SystemAssigned"}
    for payload in full.values():
        assert payload["id"].startswith("__SCOPE__/providers/Microsoft.Authorization/")


def test_without_a_location_the_uri_is_a_placeholder(plain: dict[str, Any]) -> None:
    configuration = plain["definitions/audit.json"]["properties"]["metadata"]["guestConfiguration"]
    assert configuration["contentUri"] == "__CONTENT_BASE_URI__/AuditAvmaKey_1.0.0.zip"


def test_the_packages_identity_is_named_where_access_needs_it(full: dict[str, Any], plain: dict[str, Any]) -> None:
    for name in ("audit", "remediate"):
        metadata = full[f"definitions/{name}.json"]["properties"]["metadata"]["guestConfiguration"]
        assert metadata["contentManagedIdentity"] == IDENTITY
    assert "contentManagedIdentity" not in json.dumps(plain)
    system = _render(VARIANTS["system-assigned"])["definitions/audit.json"]
    assert system["properties"]["metadata"]["guestConfiguration"]["contentManagedIdentity"] == "system"


def test_roles_are_the_least_that_the_members_need(full: dict[str, Any]) -> None:
    guest, machine = "088ab73d-1256-47ae-bea9-9de8e7131f31", "9980e02c-c2be-4d73-94e8-173b1dc7cf3c"
    expected = {"remediate": guest, "identity": machine, "useridentity": machine, "extension": machine}
    for name, role in expected.items():
        details = full[f"definitions/{name}.json"]["properties"]["policyRule"]["then"]["details"]
        assert details["roleDefinitionIds"] == [f"/providers/Microsoft.Authorization/roleDefinitions/{role}"]


def test_no_image_and_no_arc_machine_decides(policies: dict[str, Any]) -> None:
    text = json.dumps(policies)
    assert "image" not in text.replace("images", "")
    assert "HybridCompute" not in text
    assert "virtualMachineScaleSets" not in text


def test_texts_of_the_settings_cannot_break_out_of_json(full: dict[str, Any]) -> None:
    messages = full["assignment.json"]["properties"]["nonComplianceMessages"]
    assert {message["message"] for message in messages} == {'Say "why" to the team.'}


def test_every_member_says_why_it_finds_a_machine_non_compliant(policies: dict[str, Any]) -> None:
    members = policies["initiative.json"]["properties"]["policyDefinitions"]
    messages = policies["assignment.json"]["properties"]["nonComplianceMessages"]
    assert [message["policyDefinitionReferenceId"] for message in messages] == [
        member["policyDefinitionReferenceId"] for member in members
    ]


def test_the_tag_filter_is_in_every_definition(full: dict[str, Any]) -> None:
    condition = {"field": "tags['activation']", "in": ["kms", "pilot"]}
    for name, payload in full.items():
        if name.startswith("definitions/"):
            assert condition in payload["properties"]["policyRule"]["if"]["allOf"]


def test_a_tag_value_that_looks_like_an_expression_is_none() -> None:
    values = ("[kms]", "[open", "[[two]", "plain")
    audit = _render(Settings(tag_filter=TagFilter(name="activation", values=values)))["definitions/audit.json"]
    condition = audit["properties"]["policyRule"]["if"]["allOf"][-1]
    assert condition == {"field": "tags['activation']", "in": ["[[kms]", "[open", "[[[two]", "plain"]}


@needs_shared
def test_the_audit_differs_from_the_generated_one_only_on_purpose(plain: dict[str, Any]) -> None:
    """What Microsoft's generator writes for an audit of VMs, against ours: shape of `details` and metadata."""
    theirs = json.loads((SHARED / "reference/generated/audit-vm-only.json").read_text(encoding="utf-8-sig"))
    ours = plain["definitions/audit.json"]
    assert theirs["properties"].keys() - ours["properties"].keys() == set()
    assert ours["properties"].keys() - theirs["properties"].keys() == {"version"}  # else Azure stamps 1.0.0
    theirs_details = theirs["properties"]["policyRule"]["then"]["details"]
    details = ours["properties"]["policyRule"]["then"]["details"]
    assert details.keys() - theirs_details.keys() == {"evaluationDelay"}  # as the built-in definitions have it
    assert details["type"] == theirs_details["type"]
    assert details["name"] == theirs_details["name"].replace("SampleAudit", "AuditAvmaKey")
    their_fields = {each["field"] for each in theirs_details["existenceCondition"]["allOf"]}
    fields = {each["field"] for each in details["existenceCondition"]["allOf"]}
    assert fields - their_fields == {"Microsoft.GuestConfiguration/guestConfigurationAssignments/contentHash"}
    their_metadata, metadata = (side["properties"]["metadata"] for side in (theirs, ours))
    assert metadata.keys() - their_metadata.keys() == {"avmaPack"}  # by which the pack knows its own
    assert metadata["guestConfiguration"].keys() <= their_metadata["guestConfiguration"].keys()


@needs_shared
def test_the_remediation_differs_from_the_generated_one_only_on_purpose(full: dict[str, Any]) -> None:
    theirs = json.loads((SHARED / "reference/generated/apply-and-autocorrect.json").read_text(encoding="utf-8-sig"))
    then, their_then = (
        side["properties"]["policyRule"]["then"] for side in (full["definitions/remediate.json"], theirs)
    )
    assert then["effect"] == "[parameters('effect')]"
    assert their_then["effect"] == "deployIfNotExists"  # theirs cannot be switched off
    assert then["details"]["roleDefinitionIds"] == their_then["details"]["roleDefinitionIds"]
    template, their_template = (side["details"]["deployment"]["properties"]["template"] for side in (then, their_then))
    resource, their_resource = template["resources"][0], their_template["resources"][0]
    assert their_resource.keys() - resource.keys() == {"condition"}  # ours is for one type alone
    assert resource["name"] == their_resource["name"]
    assert resource["apiVersion"] == their_resource["apiVersion"]
    ours_guest, their_guest = (each["properties"]["guestConfiguration"] for each in (resource, their_resource))
    assert list(ours_guest) == [
        *list(their_guest)[:5],
        "contentManagedIdentity",
        "assignmentType",
        "configurationParameter",
    ]
    assert set(ours_guest) == set(their_guest)


@needs_shared
def test_the_extension_is_the_one_of_the_built_in_definition(full: dict[str, Any]) -> None:
    theirs = json.loads((SHARED / "reference/built-in/DeployExtensionWindows_Prerequisite.json").read_text("utf-8"))
    ours_details, their_details = (
        side["properties"]["policyRule"]["then"]["details"] for side in (full["definitions/extension.json"], theirs)
    )
    for key in ("type", "name", "evaluationDelay", "existenceCondition"):
        assert ours_details[key] == their_details[key]
    ours_resource, their_resource = (
        side["deployment"]["properties"]["template"]["resources"][0] for side in (ours_details, their_details)
    )
    assert ours_resource == their_resource


@needs_shared
@pytest.mark.parametrize("name", ["identity", "useridentity"])
def test_the_identity_is_added_as_the_built_in_definition_adds_it(full: dict[str, Any], name: str) -> None:
    file = {"identity": "AddSystemIdentityWhenNone", "useridentity": "AddSystemIdentityWhenUser"}[name]
    theirs = json.loads((SHARED / f"reference/built-in/{file}_Prerequisite.json").read_text("utf-8"))
    ours_rule, their_rule = (side["properties"]["policyRule"] for side in (full[f"definitions/{name}.json"], theirs))
    assert ours_rule["then"]["details"]["operations"] == their_rule["then"]["details"]["operations"]
    # Apart from which machines are meant, the conditions are theirs.
    for condition in their_rule["if"]["allOf"][2:]:
        assert condition in ours_rule["if"]["allOf"]


def _validator(uri: str, pointer: str = "") -> jsonschema.Draft4Validator:
    """A validator for one of Microsoft's schemas, which refer to one another by their URL."""
    base = "https://schema.management.azure.com/schemas/"

    def retrieve(url: str) -> Resource[Any]:
        file = SHARED / "schemas" / url.removeprefix(base).rstrip("#")
        # The schema of nested deployments is not here; templates are checked by that of templates instead.
        contents = (
            json.loads(file.read_text("utf-8")) if file.is_file() else {"definitions": {"DeploymentProperties": {}}}
        )
        return Resource.from_contents(_mended(contents), default_specification=DRAFT4)

    registry: Registry[Any] = Registry(retrieve=retrieve)
    return jsonschema.Draft4Validator({"$ref": f"{base}{uri}#{pointer}"}, registry=registry)


def _mended(schema: Any) -> Any:
    """The schema with `oneOf: [{}, expression]` made `{}`: as it stands, it takes anything but an expression."""
    if isinstance(schema, list):
        return [_mended(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if {} in schema.get("oneOf", ()):
        return {}
    return {key: _mended(value) for key, value in schema.items()}


def _errors(validator: jsonschema.Draft4Validator, value: object) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


@needs_shared
def test_rules_fit_microsofts_schema(policies: dict[str, Any]) -> None:
    rule = _validator("2020-10-01/policyDefinition.json")
    for name, payload in policies.items():
        if name.startswith("definitions/"):
            assert _errors(rule, payload["properties"]["policyRule"]) == []
    assert _errors(rule, {"if": {"field": "type"}, "then": {"effect": "audit"}}) != []


@needs_shared
def test_deployment_templates_fit_microsofts_schema(full: dict[str, Any]) -> None:
    schema = _validator("2019-04-01/deploymentTemplate.json")
    for name in ("remediate", "extension"):
        details = full[f"definitions/{name}.json"]["properties"]["policyRule"]["then"]["details"]
        template = details["deployment"]["properties"]["template"]
        assert _errors(schema, {**template, "resources": []}) == []
        guest = template["resources"][0]["properties"].get("guestConfiguration")
        if guest:
            pointer = "/definitions/GuestConfigurationNavigation"
            assert _errors(_validator("2024-04-05/Microsoft.GuestConfiguration.json", pointer), guest) == []


@needs_shared
@pytest.mark.parametrize(
    ("name", "definition"),
    [
        ("initiative.json", "PolicySetDefinitionProperties"),
        ("assignment.json", "PolicyAssignmentProperties"),
        ("definitions/audit.json", "PolicyDefinitionProperties"),
    ],
)
def test_properties_fit_microsofts_schema(policies: dict[str, Any], name: str, definition: str) -> None:
    schema = _validator("2026-06-01/Microsoft.Authorization.json", f"/definitions/{definition}")
    assert _errors(schema, policies[name]["properties"]) == []
    assert _errors(schema, {**policies[name]["properties"], "metadata": {}, "parameters": []}) != []


def test_a_changed_setting_changes_only_what_it_should(plain: dict[str, Any]) -> None:
    other = _render(replace(Settings(), kms=Kms(port=1700)))
    assert other["assignment.json"] == plain["assignment.json"]
    ours, theirs = (
        side["definitions/audit.json"]["properties"]["metadata"]["guestConfiguration"] for side in (other, plain)
    )
    assert ours == theirs, "a parameter needs no new package"
