"""Policy resources as clients write them, and how tests ask the embedded tenant for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000001"
CORP = "/providers/Microsoft.Management/managementGroups/corp"
ROOT = "/providers/Microsoft.Management/managementGroups/root"
AUTHORIZATION = "/providers/Microsoft.Authorization"
DEFINITION = f"{CORP}{AUTHORIZATION}/policyDefinitions/tags"
SET = f"{CORP}{AUTHORIZATION}/policySetDefinitions/all-tags"
ASSIGNMENT = f"{CORP}{AUTHORIZATION}/policyAssignments/tags"
ROLE = f"{AUTHORIZATION}/roleDefinitions/b24988ac-6180-42a0-ab88-20f7382dd24c"


def definition(**changes: Any) -> dict[str, Any]:
    properties = {
        "displayName": "Tags",
        "metadata": {"category": "Tags", "avmaPack": {"id": "x"}},
        "parameters": {
            "tag": {"type": "String"},
            "effect": {"type": "String", "allowedValues": ["Audit", "Disabled"], "defaultValue": "Audit"},
        },
        "policyRule": {
            "if": {"field": "[concat('tags[', parameters('tag'), ']')]", "exists": "false"},
            "then": {"effect": "[parameters('effect')]"},
        },
    }
    return {"properties": properties | changes}


def modify() -> dict[str, Any]:
    operation = {"operation": "add", "field": "tags['a']", "value": "b"}
    details = {"roleDefinitionIds": [ROLE], "operations": [operation]}
    rule = {"if": {"field": "tags['a']", "exists": False}, "then": {"effect": "modify", "details": details}}
    return {"properties": {"mode": "Indexed", "policyRule": rule}}


def initiative(**changes: Any) -> dict[str, Any]:
    members = [
        {
            "policyDefinitionReferenceId": "one",
            "policyDefinitionId": DEFINITION,
            "parameters": {"tag": {"value": "[parameters('name')]"}, "effect": {"value": "[parameters('effect')]"}},
        },
        {"policyDefinitionId": DEFINITION, "parameters": {"tag": {"value": "fixed"}}},
    ]
    parameters = {"name": {"type": "String"}, "effect": {"type": "String", "defaultValue": "Disabled"}}
    return {"properties": {"policyDefinitions": members, "parameters": parameters} | changes}


def assignment(definition_id: str = DEFINITION, **changes: Any) -> dict[str, Any]:
    return {"properties": {"policyDefinitionId": definition_id, "parameters": {"tag": {"value": "owner"}}} | changes}


def ask(client: Any, method: str, path: str, body: Any = None, version: str = "2023-04-01", **query: str) -> Any:
    parameters = {"api-version": version, **query}
    response = client.send_request(HttpRequest(method, path, params=parameters, json=body))
    return response.status_code, response.json() if response.content else None


def refused(call: Callable[[], Any]) -> tuple[int | None, str | None]:
    with pytest.raises(HttpResponseError) as error:
        call()
    return error.value.status_code, error.value.error.code if error.value.error else None


def code(answer: tuple[int, Mapping[str, Any]]) -> tuple[int, str]:
    return answer[0], answer[1]["error"]["code"]
