"""A small pack that passes every check; each test gets its own copy to damage."""

from __future__ import annotations

import pytest

PARAMETERS = {
    "KmsServer": ("[WindowsActivationChannel]WindowsActivationChannel;KmsServer", "azkms.core.windows.net"),
    "KmsPort": ("[WindowsActivationChannel]WindowsActivationChannel;KmsPort", "1688"),
}
HASH = (
    "[base64(concat("
    "'[WindowsActivationChannel]WindowsActivationChannel;KmsServer', '=', parameters('KmsServer'), "
    "',', '[WindowsActivationChannel]WindowsActivationChannel;KmsPort', '=', parameters('KmsPort')))]"
)
ASSIGNMENT = "Microsoft.GuestConfiguration/guestConfigurationAssignments"
GUEST_NAME = "[concat('Sample$pid', uniqueString(policy().assignmentId, policy().definitionReferenceId))]"
ROLE = "/providers/Microsoft.Authorization/roleDefinitions/088ab73d-1256-47ae-bea9-9de8e7131f31"
GROUP = "/providers/Microsoft.Management/managementGroups/corp"


def _package() -> dict:
    return {
        "name": "Sample",
        "version": "1.2.0",
        "contentType": "Custom",
        "contentUri": "https://packages.example.com/Sample_1.2.0.zip",
        "contentHash": "80A80944437C94C3D42988E18276E3FC1ADC3A959B67FE10DB2D3FF8C3434A22",
    }


def _parameter(title: str, default: str, **more: object) -> dict:
    return {
        "type": "String",
        "metadata": {"displayName": title, "description": f"What {title} is for"},
        "defaultValue": default,
        **more,
    }


def _definition(name: str, effect: str, default: str) -> dict:
    targets = {key: target for key, (target, _) in PARAMETERS.items()}
    equals = {
        "complianceStatus": "Compliant",
        "contentHash": _package()["contentHash"],
        "parameterHash": HASH,
    }
    return {
        "name": name,
        "type": "Microsoft.Authorization/policyDefinitions",
        "id": f"{GROUP}/providers/Microsoft.Authorization/policyDefinitions/{name}",
        "properties": {
            "displayName": f"Sample policy {name}",
            "policyType": "Custom",
            "mode": "Indexed",
            "description": "A policy that passes every check.",
            "version": "1.0.0",
            "metadata": {
                "category": "Guest Configuration",
                "version": "1.2.0",
                "guestConfiguration": {**_package(), "configurationParameter": targets},
            },
            "parameters": {
                "effect": _parameter("Effect", default, allowedValues=[effect, "Disabled"]),
                **{key: _parameter(key, value) for key, (_, value) in PARAMETERS.items()},
            },
            "policyRule": {
                "if": {
                    "allOf": [
                        {"field": "type", "equals": "Microsoft.Compute/virtualMachines"},
                        {"field": "tags['aks-managed-poolName']", "exists": "false"},
                        {
                            "field": "Microsoft.Compute/virtualMachines/storageProfile.osDisk.osType",
                            "like": "Windows*",
                        },
                    ]
                },
                "then": {
                    "effect": "[parameters('effect')]",
                    "details": {
                        "type": ASSIGNMENT,
                        "name": GUEST_NAME,
                        "evaluationDelay": "AfterProvisioning",
                        "existenceCondition": {
                            "allOf": [
                                {"field": f"{ASSIGNMENT}/{key}", "equals": value} for key, value in equals.items()
                            ]
                        },
                    },
                },
            },
        },
    }


def _deployment() -> dict:
    supplied = {
        "vmName": "[field('name')]",
        "location": "[field('location')]",
        "assignmentName": GUEST_NAME,
        "KmsServer": "[parameters('KmsServer')]",
        "KmsPort": "[parameters('KmsPort')]",
    }
    sent = [{"name": target, "value": f"[parameters('{key}')]"} for key, (target, _) in PARAMETERS.items()]
    name = "[concat(parameters('vmName'), '/Microsoft.GuestConfiguration/', parameters('assignmentName'))]"
    template = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "parameters": {key: {"type": "string"} for key in supplied},
        "resources": [
            {
                "apiVersion": "2024-04-05",
                "type": "Microsoft.Compute/virtualMachines/providers/guestConfigurationAssignments",
                "name": name,
                "location": "[parameters('location')]",
                "properties": {
                    "guestConfiguration": {
                        **_package(),
                        "assignmentType": "ApplyAndMonitor",
                        "configurationParameter": sent,
                    }
                },
            }
        ],
    }
    parameters = {key: {"value": value} for key, value in supplied.items()}
    return {"properties": {"mode": "incremental", "parameters": parameters, "template": template}}


@pytest.fixture
def audit() -> dict:
    return _definition("sample-audit", "AuditIfNotExists", "AuditIfNotExists")


@pytest.fixture
def remediate() -> dict:
    definition = _definition("sample-remediate", "DeployIfNotExists", "Disabled")
    definition["properties"]["policyRule"]["then"]["details"] |= {
        "roleDefinitionIds": [ROLE],
        "deployment": _deployment(),
    }
    return definition


@pytest.fixture
def definitions(audit: dict, remediate: dict) -> dict:
    return {audit["name"]: audit, remediate["name"]: remediate}


@pytest.fixture
def initiative(definitions: dict) -> dict:
    members = [
        {
            "policyDefinitionId": definition["id"],
            "policyDefinitionReferenceId": name.removeprefix("sample-"),
            "definitionVersion": "1.*.*",
            "parameters": {
                "effect": {"value": f"[parameters('{name.removeprefix('sample-')}Effect')]"},
                "KmsServer": {"value": "[parameters('KmsServer')]"},
                "KmsPort": {"value": "1688"},
            },
        }
        for name, definition in definitions.items()
    ]
    return {
        "name": "sample",
        "type": "Microsoft.Authorization/policySetDefinitions",
        "properties": {
            "displayName": "Sample initiative",
            "policyType": "Custom",
            "description": "Binds the samples.",
            "version": "1.0.0",
            "metadata": {"category": "Guest Configuration", "version": "1.2.0"},
            "parameters": {
                "auditEffect": _parameter(
                    "Effect of audit", "Disabled", allowedValues=["AuditIfNotExists", "Disabled"]
                ),
                "remediateEffect": _parameter(
                    "Effect of remediation",
                    "DeployIfNotExists",
                    allowedValues=["DeployIfNotExists", "Disabled"],
                ),
                "KmsServer": _parameter("KMS host", "azkms.core.windows.net"),
            },
            "policyDefinitions": members,
        },
    }


@pytest.fixture
def assignment() -> dict:
    return {
        "name": "sample",
        "type": "Microsoft.Authorization/policyAssignments",
        "identity": {"type": "SystemAssigned"},
        "location": "__LOCATION__",
        "properties": {
            "displayName": "Sample assignment",
            "description": "Assigns the samples.",
            "scope": "__SCOPE__",
            "policyDefinitionId": "__SCOPE__/providers/Microsoft.Authorization/policySetDefinitions/sample",
            "parameters": {"auditEffect": {"value": "AuditIfNotExists"}},
            "nonComplianceMessages": [{"message": "Has an AVMA key.", "policyDefinitionReferenceId": "audit"}],
        },
    }
