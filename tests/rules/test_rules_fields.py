"""What a field names.

P: https://learn.microsoft.com/azure/governance/policy/concepts/definition-structure-policy-rule#fields
L: https://learn.microsoft.com/azure/governance/policy/concepts/definition-structure-alias
A: https://learn.microsoft.com/azure/governance/policy/how-to/author-policies-for-arrays
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from avma_pack.rules import RuleError, Scope, compile_condition, evaluate

GROUP = "/subscriptions/0/resourceGroups/rg/providers"
VM = {
    "id": f"{GROUP}/Microsoft.Compute/virtualMachines/vm1",
    "name": "vm1",
    "type": "Microsoft.Compute/virtualMachines",
    "kind": "none",
    "location": "East US 2",
    "identity": {"type": "SystemAssigned, UserAssigned"},
    "zones": ["1"],
    "tags": {"Cost-Center": "a", "Acct.CostCenter": "b", "'My.Apostrophe.Tag'": "c", "two words": "d", "it's": "e"},
    "properties": {
        "hardwareProfile": {"vmSize": "Standard_D4s_v5"},
        "osProfile": {"windowsConfiguration": {}},
        "storageProfile": {
            "imageReference": {
                "publisher": "MicrosoftWindowsServer",
                "offer": "WindowsServer",
                "sku": "2019-Datacenter",
            },
            "dataDisks": [{"lun": 0, "managedDisk": {"id": "x"}}, {"lun": 1}],
        },
    },
}
ASSIGNMENT = {
    "id": f"{VM['id']}/providers/Microsoft.GuestConfiguration/guestConfigurationAssignments/audit",
    "name": "audit",
    "type": "Microsoft.GuestConfiguration/guestConfigurationAssignments",
    "properties": {
        "complianceStatus": "Compliant",
        "parameterHash": "abc",
        "guestConfiguration": {"contentHash": "DEF", "version": "1.0.0"},
    },
}
EXTENSION = {
    "id": f"{VM['id']}/extensions/AzurePolicyforWindows",
    "name": "AzurePolicyforWindows",
    "type": "Microsoft.Compute/virtualMachines/extensions",
    "properties": {
        "publisher": "Microsoft.GuestConfiguration",
        "type": "ConfigurationforWindows",
        "provisioningState": "Succeeded",
    },
}
SCALE_SET = {
    "type": "Microsoft.Compute/virtualMachineScaleSets",
    "sku": {"name": "Standard_D2"},
    "properties": {"virtualMachineProfile": {"storageProfile": {"imageReference": {"offer": "o"}}}},
}
ARC = {"type": "Microsoft.HybridCompute/machines", "properties": {"osName": "windows"}}
VMSS_OS = "Microsoft.Compute/virtualMachineScaleSets/virtualMachineProfile.storageProfile.osDisk.osType"


def read(resource: dict[str, Any], field: str) -> Any:
    decision = compile_condition({"field": field, "exists": "true"}).decide(resource)
    return decision.actual


@pytest.mark.parametrize(
    ("resource", "field", "expected"),
    [
        (VM, "name", "vm1"),
        (VM, "TYPE", "Microsoft.Compute/virtualMachines"),
        (VM, "kind", "none"),
        (VM, "location", "East US 2"),
        (VM, "id", VM["id"]),
        (VM, "identity.type", "SystemAssigned, UserAssigned"),
        (ARC, "identity.type", None),
        # P: the name after those of its parents; the id begins anew where an extension resource does.
        (VM, "fullName", "vm1"),
        (EXTENSION, "fullName", "vm1/AzurePolicyforWindows"),
        (ASSIGNMENT, "fullName", "audit"),
        ({"name": "rg", "id": "/subscriptions/0/resourceGroups/rg"}, "fullName", "rg"),
        # P: tags['x'], tags.x, tags[x] and tags[x.y]; a doubled apostrophe is one.
        (VM, "tags", VM["tags"]),
        (VM, "tags['Cost-Center']", "a"),
        (VM, "tags[cost-center]", "a"),
        (VM, "tags.COST-CENTER", "a"),
        (VM, "tags['Acct.CostCenter']", "b"),
        (VM, "tags[Acct.CostCenter]", "b"),
        (VM, "tags['''My.Apostrophe.Tag''']", "c"),
        (VM, "tags['two words']", "d"),
        (VM, "tags['it''s']", "e"),
        (VM, "tags['none']", None),
        (ARC, "tags", None),
        (ARC, "tags['none']", None),
        # L: an alias maps to a path in the JSON of its type.
        (VM, "Microsoft.Compute/virtualMachines/hardwareProfile.vmSize", "Standard_D4s_v5"),
        (VM, "microsoft.compute/VIRTUALMACHINES/HardwareProfile.VMSize", "Standard_D4s_v5"),
        (VM, "Microsoft.Compute/virtualMachines/osProfile.windowsConfiguration", {}),
        (VM, "Microsoft.Compute/virtualMachines/osProfile.linuxConfiguration", None),
        (VM, "Microsoft.Compute/virtualMachines/zones", ["1"]),
        (VM, "Microsoft.Compute/virtualMachines/zones[*]", ["1"]),
        (VM, "Microsoft.Compute/virtualMachines/storageProfile.dataDisks[*].lun", [0, 1]),
        (VM, "Microsoft.Compute/virtualMachines/storageProfile.dataDisks[*].managedDisk.id", ["x", None]),
        (VM, "Microsoft.Compute/imagePublisher", "MicrosoftWindowsServer"),
        (VM, "Microsoft.Compute/imageOffer", "WindowsServer"),
        (VM, "Microsoft.Compute/imageSku", "2019-Datacenter"),
        (SCALE_SET, "Microsoft.Compute/imageOffer", "o"),
        (SCALE_SET, "Microsoft.Compute/virtualMachineScaleSets/sku.name", "Standard_D2"),
        (ARC, "Microsoft.HybridCompute/imageOffer", "windows"),
        (ASSIGNMENT, f"{ASSIGNMENT['type']}/complianceStatus", "Compliant"),
        (ASSIGNMENT, f"{ASSIGNMENT['type']}/parameterHash", "abc"),
        (ASSIGNMENT, f"{ASSIGNMENT['type']}/contentHash", "DEF"),
        (ASSIGNMENT, f"{ASSIGNMENT['type']}/guestConfiguration.contentHash", "DEF"),
        (EXTENSION, f"{EXTENSION['type']}/publisher", "Microsoft.GuestConfiguration"),
        (EXTENSION, f"{EXTENSION['type']}/type", "ConfigurationforWindows"),
        (EXTENSION, f"{EXTENSION['type']}/provisioningState", "Succeeded"),
        # An alias of another type is a property that is not there.
        (VM, VMSS_OS, None),
        (VM, "Microsoft.HybridCompute/imageOffer", None),
        (ARC, "Microsoft.Compute/imageOffer", None),
        (EXTENSION, "Microsoft.Compute/virtualMachines/osProfile.windowsConfiguration", None),
        (VM, "Microsoft.Compute/virtualMachineScaleSets/zones[*]", []),
        ({}, "type", None),
        ({}, "Microsoft.Compute/imageOffer", None),
    ],
)
def test_a_field(resource: dict[str, Any], field: str, expected: Any) -> None:
    assert read(resource, field) == expected


@pytest.mark.parametrize(
    "field",
    [
        "properties.osProfile",
        "nowhere",
        "",
        "tags[",
        "tags['a'",
        "tags.",
        "tags['']",
        "Microsoft.Compute/licenseType",
        "Microsoft.Sql/securityAlertPolicies.state",
        "Microsoft.Compute/virtualMachines/",
        "Microsoft.Compute/virtualMachines/a..b",
        "Microsoft.Compute/virtualMachines/a[0]",
        "Microsoft.Compute/virtualMachines/a b",
        "identity.principalId",
    ],
)
def test_a_field_of_unknown_shape_is_an_error_when_compiling(field: Any) -> None:
    with pytest.raises(RuleError, match=r"^if\.not: .*" + re.escape(str(field))):
        compile_condition({"not": {"field": field, "exists": True}})


def test_a_location_is_compared_in_its_normal_form() -> None:
    # P: "East US 2 is considered equal to eastus2."
    for operator, operand in [
        ("equals", "eastus2"),
        ("in", ["x", "EAST US 2"]),
        ("like", "east us*"),
        ("notEquals", "x"),
    ]:
        assert compile_condition({"field": "location", operator: operand}).matches(VM)
    scope = Scope(parameters={"where": "eastUs 2", "field": "location"})
    condition = compile_condition({"field": "[parameters('field')]", "equals": "[parameters('where')]"})
    assert condition.matches(VM, scope)
    assert evaluate("[field('location')]", Scope(resource=VM)) == "East US 2"  # the literal value: it is deployed


def test_a_field_may_be_computed() -> None:
    # P: "Use tags with parameters".
    condition = compile_condition({"field": "[concat('tags[', parameters('tagName'), ']')]", "equals": "A"})
    for name, outcome in [("cost-center", True), ("none", False), ("Acct.CostCenter", False)]:
        scope = Scope(parameters={"tagName": name})
        assert condition.matches(VM, scope) is outcome
        assert condition.decide(VM, scope).text == f'field tags[{name}] equals "A"'
    for parameter in ("x]", 1):
        with pytest.raises(RuleError, match=r"^if: "):
            compile_condition({"field": "[parameters('p')]", "exists": True}).matches(
                VM, Scope(parameters={"p": parameter})
            )


@pytest.mark.parametrize(
    ("alias", "selected", "returned"),
    [
        # A, the table of its summary, for field conditions and the function field().
        ("missingArray", None, ""),
        ("missingArray[*]", [], []),
        ("missingArray[*].property", [], []),
        ("stringArray", ["a", "b", "c"], ["a", "b", "c"]),
        ("stringArray[*]", ["a", "b", "c"], ["a", "b", "c"]),
        ("objectArray[*].property", ["value1", "value2"], ["value1", "value2"]),
        ("objectArray[*].nestedArray", [[1, 2], [3, 4]], [[1, 2], [3, 4]]),
        ("objectArray[*].nestedArray[*]", [1, 2, 3, 4], [1, 2, 3, 4]),
    ],
)
def test_arrays(alias: str, selected: Any, returned: Any) -> None:
    field = f"Microsoft.Test/resourceType/{alias}"
    assert read(ARRAYS, field) == selected
    assert evaluate(f"[field('{field}')]", Scope(resource=ARRAYS)) == returned


ARRAYS = {
    "type": "Microsoft.Test/resourceType",
    "tags": {"env": "prod"},
    "properties": {
        "stringArray": ["a", "b", "c"],
        "empty": [],
        "objectArray": [
            {"property": "value1", "nestedArray": [1, 2]},
            {"property": "value2", "nestedArray": [3, 4]},
        ],
    },
}


@pytest.mark.parametrize(
    ("alias", "operator", "operand", "outcome"),
    [
        # P: "each element in the array is evaluated individually with logical and between elements."
        ("stringArray[*]", "in", ["A", "b", "c", "d"], True),
        ("stringArray[*]", "in", ["a", "b"], False),
        ("stringArray[*]", "notEquals", "d", True),
        ("stringArray[*]", "notEquals", "a", False),
        ("objectArray[*].nestedArray[*]", "greater", 0, True),
        ("objectArray[*].nestedArray[*]", "greater", 1, False),
        ("objectArray[*].property", "exists", "true", True),
        ("objectArray[*].other", "exists", "false", True),
        # A: missing and empty arrays select an empty collection, in which nothing fails.
        ("empty[*]", "equals", "a", True),
        ("empty[*]", "notEquals", "a", True),
        ("missingArray[*]", "equals", "a", True),
        # A: comparing the array itself is not very useful.
        ("stringArray", "equals", "a", False),
        ("stringArray", "contains", "A", True),
    ],
)
def test_a_condition_on_an_array_asks_every_member(alias: str, operator: str, operand: Any, outcome: bool) -> None:
    condition = compile_condition({"field": f"Microsoft.Test/resourceType/{alias}", operator: operand})
    assert condition.matches(ARRAYS) is outcome
    assert condition.decide(ARRAYS).outcome is outcome


def test_members_that_are_child_resources() -> None:
    # The alias securityRules[*].direction is properties.securityRules[*].properties.direction.
    group = {
        "type": "Microsoft.Network/networkSecurityGroups",
        "properties": {"securityRules": [{"name": "ssh", "properties": {"direction": "Inbound"}}]},
    }
    assert read(group, "Microsoft.Network/networkSecurityGroups/securityRules[*].direction") == ["Inbound"]
    assert read(group, "Microsoft.Network/networkSecurityGroups/securityRules[*].name") == ["ssh"]


def test_in_an_existence_condition_the_function_field_reads_the_resource_of_the_if() -> None:
    # P: field() "returns the value of that field from the resource evaluated by the if condition".
    condition = compile_condition(
        {"allOf": [{"field": "name", "equals": "audit"}, {"value": "[field('name')]", "equals": "vm1"}]}
    )
    assert condition.matches(ASSIGNMENT, Scope(resource=VM))
    assert not condition.matches(ASSIGNMENT)
