"""Whole definitions decided on whole machines: Microsoft's own in the reference material, and ours as rendered."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from avma_pack.catalog import load_catalog
from avma_pack.rendering.pack import build_pack
from avma_pack.rules import PolicyContext, Scope, compile_condition, evaluate
from avma_pack.settings import Prerequisites, PrerequisitesMode, Remediation, RemediationMode, Settings, TagFilter
from shared_facts import SHARED, needs_shared

if TYPE_CHECKING:
    from pathlib import Path

VM_TYPE = "Microsoft.Compute/virtualMachines"
ASSIGNMENT_TYPE = "Microsoft.GuestConfiguration/guestConfigurationAssignments"
REFERENCE = sorted(path for path in SHARED.glob("reference/*/*.json") if not path.name.endswith("_initiative.json"))
POLICY = PolicyContext("/assignment", definition_reference_id="audit")


def vm(image: tuple[str, str, str] | None, os_type: str = "Windows", **root: Any) -> dict[str, Any]:
    """A virtual machine; without an image its disk was attached, and it has no osProfile."""
    storage: dict[str, Any] = {"osDisk": {"osType": os_type, "createOption": "FromImage" if image else "Attach"}}
    properties: dict[str, Any] = {"storageProfile": storage}
    if image:
        storage["imageReference"] = dict(zip(("publisher", "offer", "sku"), image, strict=True))
        properties["osProfile"] = {"computerName": "vm1", f"{os_type.lower()}Configuration": {"provisionVMAgent": True}}
    return {"name": "vm1", "type": VM_TYPE, "location": "westeurope", "properties": properties, **root}


MACHINES: dict[str, dict[str, Any]] = {
    "marketplace": vm(
        ("MicrosoftWindowsServer", "WindowsServer", "2019-Datacenter"), identity={"type": "SystemAssigned"}
    ),
    "migrated": vm(None),
    "upgraded 2008": vm(("MicrosoftWindowsServer", "WindowsServer", "2008-R2-SP1")),
    "linux": vm(("Canonical", "ubuntu-24_04-lts", "server"), "Linux", tags={"activation": "kms"}),
    "aks node": vm(None, tags={"aks-managed-poolName": "pool1", "activation": "kms"}),
    "tagged": vm(None, tags={"Activation": "KMS"}, identity={"type": "UserAssigned"}),
    "tagged otherwise": vm(None, tags={"activation": "mak"}, identity={"type": "None"}),
    "of a graph": vm(None, type=VM_TYPE.lower(), identity={"type": "SystemAssigned, UserAssigned"}),
    "scale set": {
        "type": "Microsoft.Compute/virtualMachineScaleSets",
        "properties": {"virtualMachineProfile": {"storageProfile": {"osDisk": {"osType": "Windows"}}}},
    },
    "arc": {"name": "vm1", "type": "Microsoft.HybridCompute/machines", "properties": {"osName": "windows"}},
}
WINDOWS = {"marketplace", "migrated", "upgraded 2008", "tagged", "tagged otherwise", "of a graph"}
NEW_IMAGES = WINDOWS - {"upgraded 2008"}


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8-sig"))["properties"]


def scope(definition: dict[str, Any], machine: dict[str, Any] | None = None, **parameters: Any) -> Scope:
    defaults = {name: each.get("defaultValue", "A") for name, each in definition.get("parameters", {}).items()}
    return Scope(machine, defaults | parameters, POLICY, api_version="2024-07-01")


def matching(definition: dict[str, Any], **parameters: Any) -> set[str]:
    """The machines that the rule picks; the tree says the same."""
    rule = compile_condition(definition["policyRule"]["if"])
    given = scope(definition, **parameters)
    found = {name for name, machine in MACHINES.items() if rule.matches(machine, given)}
    assert found == {name for name, machine in MACHINES.items() if rule.decide(machine, given).outcome}
    return found


# Most of Microsoft's know nothing of AKS; the generator of the GuestConfiguration module leaves its nodes out where it
# writes a definition for several types.
WITH_NODES = NEW_IMAGES | {"aks node"}
EXPECTED = {
    "AuditExtensionWindows_Prerequisite": WITH_NODES,
    "DeployExtensionWindows_Prerequisite": WITH_NODES,
    "AddSystemIdentityWhenNone_Prerequisite": {"migrated", "aks node", "linux", "tagged otherwise"},
    "AddSystemIdentityWhenUser_Prerequisite": {"tagged"},
    "AuditWinREStatus_AINE": {"arc"},
    "ConfigureWinREStatus_DINE": {"arc"},
    "SetSecureProtocol_DINE": WITH_NODES | {"arc"},
    "SetWindowsTimeZone_DINE": WITH_NODES | {"arc"},
    "WindowsServiceStatus_AINE": WITH_NODES | {"arc"},
    "audit-vm-only": WITH_NODES,
    "audit-with-arc-and-vmss": NEW_IMAGES | {"scale set", "arc"},
    "apply-and-autocorrect": NEW_IMAGES | {"scale set"},
}


@needs_shared
@pytest.mark.parametrize("path", REFERENCE, ids=lambda path: path.stem)
def test_a_reference_definition_picks_the_machines_it_is_for(path: Path) -> None:
    assert matching(read(path), IncludeArcMachines="true") == EXPECTED[path.stem]


@needs_shared
@pytest.mark.parametrize("path", REFERENCE, ids=lambda path: path.stem)
def test_a_reference_definition_evaluates_to_the_end(path: Path) -> None:
    definition = read(path)
    details = definition["policyRule"]["then"].get("details", {})
    given = scope(definition, MACHINES["marketplace"])
    for operation in details.get("operations", ()):
        assert "SystemAssigned" in evaluate(operation["value"], given)
    if "existenceCondition" in details:
        condition = compile_condition(details["existenceCondition"], where="existenceCondition")
        assert not condition.matches({"type": details["type"], "properties": {}}, given)
    if "deployment" in details:
        resources = deployed(details, given)
        assert {resource["name"].split("/")[0] for resource in resources if resource.get("condition", True)} == {"vm1"}


def deployed(details: dict[str, Any], given: Scope) -> list[dict[str, Any]]:
    """The resources of the deployment, with the parameters of the policy passed on."""
    properties = details["deployment"]["properties"]
    passed = {name: each["value"] for name, each in evaluate(properties["parameters"], given).items()}
    assert passed.keys() == properties["template"]["parameters"].keys()
    return evaluate(properties["template"]["resources"], Scope(parameters=passed))


@needs_shared
def test_a_reference_deployment_is_for_the_type_of_the_machine() -> None:
    definition = read(SHARED / "reference" / "built-in" / "SetSecureProtocol_DINE.json")
    details = definition["policyRule"]["then"]["details"]
    taken = [each for each in deployed(details, scope(definition, MACHINES["arc"])) if each["condition"]]
    assert [each["type"] for each in taken] == [
        "Microsoft.HybridCompute/machines/providers/guestConfigurationAssignments"
    ]
    assert taken[0]["name"] == "vm1/Microsoft.GuestConfiguration/SetSecureProtocol"
    guest = taken[0]["properties"]["guestConfiguration"]
    assert guest["configurationParameter"][0] == {
        "name": "[SecureWebResource]ServerProtocol;MinimumTLSVersion",
        "value": "1.2",
    }


@pytest.fixture(scope="module", params=["all", "tag", "values"])
def ours(request: pytest.FixtureRequest) -> tuple[dict[str, dict[str, Any]], set[str]]:
    """Our definitions by file name, and the machines that they are for."""
    filters = {
        "all": (TagFilter(), WINDOWS),
        "tag": (TagFilter(name="activation"), {"tagged", "tagged otherwise"}),
        "values": (TagFilter(name="activation", values=("kms", "pilot")), {"tagged"}),
    }
    tag_filter, expected = filters[request.param]
    settings = Settings(
        remediation=Remediation(mode=RemediationMode.APPLY_AND_MONITOR),
        tag_filter=tag_filter,
        prerequisites=Prerequisites(mode=PrerequisitesMode.OWN),
    )
    policies = build_pack(settings, load_catalog()).policies
    definitions = {
        "user" if "user" in name else name.removeprefix("definitions/").removesuffix(".json"): policy["properties"]
        for name, policy in policies.items()
        if name.startswith("definitions/")
    }
    return definitions, expected


def test_our_definitions_pick_windows_virtual_machines(ours: tuple[dict[str, dict[str, Any]], set[str]]) -> None:
    definitions, expected = ours
    assert {name: matching(definition) for name, definition in definitions.items()} == {
        "audit": expected,
        "remediate": expected,
        "extension": expected,
        "identity": expected & {"migrated", "upgraded 2008", "tagged otherwise"},
        "user": expected & {"tagged"},
    }


def test_a_report_counts_only_for_this_package_and_these_parameters(
    ours: tuple[dict[str, dict[str, Any]], set[str]],
) -> None:
    definitions, _ = ours
    for name in ("audit", "remediate"):
        definition = definitions[name]
        details = definition["policyRule"]["then"]["details"]
        condition = compile_condition(details["existenceCondition"])
        guest = definition["metadata"]["guestConfiguration"]
        given = scope(definition)
        pairs = [f"{path}={given.parameter(parameter)}" for parameter, path in guest["configurationParameter"].items()]
        report: dict[str, Any] = {
            "complianceStatus": "compliant",
            "parameterHash": base64.b64encode(",".join(pairs).encode()).decode(),
            "guestConfiguration": {"contentHash": guest["contentHash"]},
        }
        assert condition.matches({"type": ASSIGNMENT_TYPE, "properties": report}, given)
        others = [
            {"complianceStatus": "NonCompliant"},
            {"parameterHash": "x"},
            {"guestConfiguration": {"contentHash": "0"}},
        ]
        for other in others:
            decision = condition.decide({"type": ASSIGNMENT_TYPE, "properties": report | other}, given)
            assert not decision.outcome
            assert [each.text.split("/")[-1].split()[0] for each in decision.decided_by()] == [
                "contentHash" if "guestConfiguration" in other else next(iter(other))
            ]


def test_our_deployments(ours: tuple[dict[str, dict[str, Any]], set[str]]) -> None:
    definitions, _ = ours
    given = scope(definitions["remediate"], MACHINES["migrated"])
    details = definitions["remediate"]["policyRule"]["then"]["details"]
    name = evaluate(details["name"], given)
    (resource,) = deployed(details, given)
    assert resource["name"] == f"vm1/Microsoft.GuestConfiguration/{name}"
    assert resource["location"] == "westeurope"
    parameters = {
        each["name"]: each["value"] for each in resource["properties"]["guestConfiguration"]["configurationParameter"]
    }
    assert parameters["[WindowsActivationChannel]WindowsActivationChannel;KmsServer"] == "azkms.core.windows.net"
    (extension,) = deployed(definitions["extension"]["policyRule"]["then"]["details"], given)
    assert extension["name"] == "vm1/AzurePolicyforWindows"
    (operation,) = definitions["user"]["policyRule"]["then"]["details"]["operations"]
    assert evaluate(operation["value"], scope({}, MACHINES["tagged"])) == "UserAssigned,SystemAssigned"
