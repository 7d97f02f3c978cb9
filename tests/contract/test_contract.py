"""Whatever the embedded tenant is asked and answers fits Microsoft's specifications."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from dataclasses import replace as changed
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.guestconfig import GuestConfigurationClient
from azure.mgmt.managementgroups import ManagementGroupsMgmtClient
from azure.mgmt.policyinsights import PolicyInsightsClient
from azure.mgmt.policyinsights.models import QueryOptions
from azure.mgmt.resource.policy import PolicyClient
from azure.mgmt.resourcegraph import ResourceGraphClient
from azure.mgmt.resourcegraph.models import QueryRequest
from azure.storage.blob import BlobClient
from msgspec.structs import replace

from avma_pack.catalog import load_catalog
from avma_pack.packaging.build import build_packages
from avma_pack.rendering.render import render
from avma_pack.settings import Packages, Prerequisites, PrerequisitesMode, Remediation, RemediationMode, Settings
from avma_pack.tenant.server import Exchange
from contract_validator import is_arm, recorded

if TYPE_CHECKING:
    from collections.abc import Callable

    from avma_pack.tenant import Tenant
    from contract_validator import Validator

GROUP = "landing-zones"
SCOPE = f"/providers/Microsoft.Management/managementGroups/{GROUP}"
ASSIGNMENT = f"{SCOPE}/providers/Microsoft.Authorization/policyAssignments/avma-pack"
API = "2021-10-01"


class Pack:
    """The pack, put into a tenant and looked at through Microsoft's clients."""

    def __init__(self, tenant: Tenant, credential: Any, sdk: Callable[..., Any]) -> None:
        self.tenant = tenant
        self.credential = credential
        self.subscription = next(
            name for name, each in tenant.world.store.subscriptions.items() if each.group == "online"
        )
        self.policy = sdk(PolicyClient, self.subscription)
        self.insights = sdk(PolicyInsightsClient, self.subscription)
        self.roles = sdk(AuthorizationManagementClient, self.subscription)
        self.guests = sdk(GuestConfigurationClient, self.subscription)
        self.graph = sdk(ResourceGraphClient)
        self.groups = sdk(ManagementGroupsMgmtClient)

    def put(self) -> None:
        base = f"{self.tenant.url}/blobs/packs/packages"
        catalog = load_catalog()
        built = build_packages(catalog, catalog.select(()), version="1.0.0", suffix="")
        for each in built:
            url = f"{base}/{each.file_name}"
            with BlobClient.from_blob_url(
                url, credential=self.credential, connection_verify=str(self.tenant.certificate)
            ) as blob:
                blob.upload_blob(each.content)
        settings = replace(
            Settings(),
            packages=Packages(base_uri=base),
            remediation=Remediation(mode=RemediationMode.APPLY_AND_MONITOR),
            prerequisites=Prerequisites(mode=PrerequisitesMode.OWN),
        )
        roles: set[str] = set()
        for text in dict(render(settings, built)).values():
            rendered = json.dumps(text).replace("__SCOPE__", SCOPE).replace("__LOCATION__", "westeurope")
            payload = json.loads(rendered)
            roles |= set(self._put_policy(payload))
        principal = self.policy.policy_assignments.get(SCOPE, "avma-pack").identity.principal_id
        for role in sorted(roles):
            self._grant(principal, role)

    def _put_policy(self, payload: dict[str, Any]) -> list[str]:
        name, kind = payload["name"], payload["type"].rpartition("/")[2]
        body = {key: payload[key] for key in ("properties", "identity", "location") if key in payload}
        if kind == "policyAssignments":
            self.policy.policy_assignments.create(SCOPE, name, body)
        elif kind == "policySetDefinitions":
            self.policy.policy_set_definitions.create_or_update_at_management_group(GROUP, name, body)
        else:
            self.policy.policy_definitions.create_or_update_at_management_group(GROUP, name, body)
            details = payload["properties"]["policyRule"]["then"]["details"]
            return list(details.get("roleDefinitionIds", ()))
        return []

    def _grant(self, principal: str, role: str) -> None:
        body = {"properties": {"roleDefinitionId": role, "principalId": principal, "principalType": "ServicePrincipal"}}
        for attempt in range(5):
            try:
                self.roles.role_assignments.create(SCOPE, str(uuid.uuid5(uuid.NAMESPACE_URL, role)), body)
            except HttpResponseError as error:
                if attempt == 4 or error.error.code != "PrincipalNotFound":
                    raise
            else:
                return

    def remediate(self) -> None:
        for member in ("identity", "identityUser", "extension", "remediate"):
            body = {
                "properties": {
                    "policyAssignmentId": ASSIGNMENT,
                    "policyDefinitionReferenceId": member,
                    "resourceCount": 5000,
                    "parallelDeployments": 30,
                }
            }
            raw = json.dumps(body).encode()
            tasks = self.insights.remediations
            tasks.create_or_update_at_management_group(GROUP, f"task-{member}", raw, api_version=API)
            self.tenant.pass_time(dt.timedelta(hours=2))
            done = tasks.get_at_management_group(GROUP, f"task-{member}", api_version=API)
            assert done.provisioning_state == "Succeeded"
            list(tasks.list_deployments_at_management_group(GROUP, f"task-{member}", api_version=API))

    def look(self) -> None:
        options = QueryOptions(filter=f"policyAssignmentId eq '{ASSIGNMENT}'", top=10)
        list(self.insights.policy_states.list_query_results_for_management_group("latest", GROUP, options))
        self.insights.policy_states.summarize_for_management_group("latest", GROUP)
        self.insights.policy_states.summarize_for_subscription("latest", self.subscription)
        list(self.policy.policy_assignments.list_for_management_group(GROUP, filter="atScope()"))
        list(self.policy.policy_definitions.list_by_management_group(GROUP))
        list(self.policy.policy_set_definitions.list_by_management_group(GROUP))
        list(self.roles.role_assignments.list_for_scope(SCOPE, filter="atScope()"))
        list(self.roles.role_definitions.list(SCOPE))
        list(self.insights.remediations.list_for_management_group(GROUP))
        list(self.groups.management_groups.list())
        list(self.groups.management_groups.get_descendants(GROUP))
        for query in (
            "resources | where type =~ 'microsoft.compute/virtualmachines' | project id, name",
            "guestconfigurationresources | project id, properties",
            "policyresources | where type =~ 'microsoft.policyinsights/policystates' | summarize count() by "
            "tostring(properties.complianceState)",
        ):
            self.graph.resources(QueryRequest(query=query, management_groups=[GROUP]))

    def look_at_guests(self) -> None:
        found = list(self.guests.guest_configuration_assignments.subscription_list())
        assert found
        parts = found[0].id.split("/")
        group, machine, name = parts[4], parts[8], parts[-1]
        self.guests.guest_configuration_assignments.get(group, name, machine)
        list(self.guests.guest_configuration_assignments.list(group, machine))
        reports = self.guests.guest_configuration_assignment_reports
        listed = reports.list(group, name, machine)
        for report in listed.value or ():
            reports.get(group, name, report.name, machine)

    def remove(self) -> None:
        self.insights.remediations.delete_at_management_group(GROUP, "task-remediate")
        self.policy.policy_assignments.delete(SCOPE, "avma-pack")
        self.policy.policy_set_definitions.delete_at_management_group(GROUP, "avma-pack")


@pytest.fixture
def pack(tenant: Tenant, credential: Any, sdk: Callable[..., Any]) -> Pack:
    return Pack(tenant, credential, sdk)


def test_the_pack_from_beginning_to_end(pack: Pack, tenant: Tenant, validator: Validator) -> None:
    with recorded(tenant.server) as exchanges:
        pack.put()
        tenant.pass_time(dt.timedelta(hours=1))
        pack.look()
        pack.remediate()
        tenant.pass_time(dt.timedelta(hours=25))
        pack.look()
        pack.look_at_guests()
        pack.remove()
    assert len([each for each in exchanges if is_arm(each)]) > 50
    assert validator.problems(exchanges) == []


def test_refusals_fit_too(pack: Pack, tenant: Tenant, validator: Validator) -> None:
    with recorded(tenant.server) as exchanges:
        for call in (
            lambda: pack.policy.policy_definitions.get_at_management_group(GROUP, "none"),
            lambda: pack.policy.policy_assignments.get(SCOPE, "none"),
            lambda: pack.policy.policy_definitions.get_at_management_group("none", "none"),
            lambda: pack.insights.remediations.get_at_management_group(GROUP, "none"),
            lambda: pack.graph.resources(QueryRequest(query="resources | whre")),
            lambda: pack.guests.guest_configuration_assignments.get("none", "none", "none"),
        ):
            with pytest.raises(HttpResponseError):
                call()
    assert len([each for each in exchanges if is_arm(each)]) == 6
    assert validator.problems(exchanges) == []


# The validator itself: that it would say something.


def query_exchange(**changes: Any) -> Exchange:
    body = {"totalRecords": 1, "count": 1, "resultTruncated": "false", "data": [], "facets": []}
    exchange = Exchange(
        "POST",
        "https://127.0.0.1:1/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01",
        {"Content-Type": "application/json"},
        b'{"query": "resources"}',
        200,
        {"Content-Type": "application/json"},
        json.dumps(body).encode(),
    )
    return changed(exchange, **changes)


def test_a_wrong_answer_is_found(validator: Validator) -> None:
    assert validator.routed(query_exchange())
    assert validator.problems([query_exchange()]) == []
    (problem,) = validator.problems([query_exchange(response_body=b'{"count": 1, "data": [], "totalRecords": 1}')])
    assert "resultTruncated" in problem
    (problem,) = validator.problems([query_exchange(request_body=b"{}")])
    assert "query" in problem
    assert validator.problems([query_exchange(status=202)])


def test_only_named_families_may_be_unrouted(validator: Validator) -> None:
    def path(text: str) -> Exchange:
        return query_exchange(url=f"https://127.0.0.1:1{text}?api-version=2021-03-01", method="GET", request_body=b"")

    known = [
        "/subscriptions/s",
        "/subscriptions/s/resourcegroups/g/providers/Microsoft.Compute/virtualMachines/v/extensions/e",
        "/subscriptions/s/providers/Microsoft.GuestConfiguration",
        "/subscriptions/s/providers/Microsoft.GuestConfiguration/register",
        "/subscriptions/s/providers/Microsoft.PolicyInsights/asyncOperationResults/x",
    ]
    assert validator.problems([path(each) for each in known]) == []
    machine = "/subscriptions/s/resourcegroups/g/providers/Microsoft.Compute/virtualMachines/v"
    for unknown in ("/providers/Microsoft.Else/things/x", f"{machine}/providers/Microsoft.GuestConfiguration/x/y"):
        (problem,) = validator.problems([path(unknown)])
        assert "no operation" in problem
    assert not is_arm(path("/blobs/a/b/c"))
    assert not is_arm(path("/11111111-1111-1111-1111-111111111111/oauth2/v2.0/token"))
