"""Policy states, summaries, scans and remediations, as the SDK speaks them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.policyinsights import PolicyInsightsClient
from azure.mgmt.policyinsights.models import QueryOptions, Remediation, RemediationFilters

import tenant_machines as machines
from avma_pack.settings import RemediationMode
from avma_pack.tenant.engine import Engine
from avma_pack.tenant.faults import Faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from avma_pack.tenant.server import Exchange, Server
    from avma_pack.tenant.world import World

GUEST_CONTRIBUTOR = "088ab73d-1256-47ae-bea9-9de8e7131f31"
MACHINES = 8


@pytest.fixture
def client(world: World, sdk: Callable[..., Any]) -> PolicyInsightsClient:
    """A client of a tenant with machines that an enforcing pack has been evaluated on, but not remediated."""
    for number in range(MACHINES):
        machines.add_machine(world, f"vm{number}", location="East US" if number % 4 == 0 else "westeurope")
    Engine(world)
    machines.install(world, remediate=RemediationMode.APPLY_AND_AUTO_CORRECT, enforce=False)
    machines.wait(world, minutes=5)
    made: PolicyInsightsClient = sdk(PolicyInsightsClient, machines.SUBSCRIPTION)
    return made


def start(client: PolicyInsightsClient, **properties: Any) -> dict[str, Any]:
    """Start a task at the management group by JSON, which the SDK's models would cut short."""
    body = {"policyAssignmentId": machines.ASSIGNMENT, "policyDefinitionReferenceId": "remediate", **properties}
    client.remediations.create_or_update_at_management_group(
        "corp",
        "task",
        json.dumps({"properties": body}).encode(),
        api_version="2021-10-01",
        content_type="application/json",
    )
    return body


def task(world: World) -> dict[str, Any]:
    found = world.store.get(f"{machines.GROUP}/providers/Microsoft.PolicyInsights/remediations/task")
    assert found is not None
    properties: dict[str, Any] = found["properties"]
    return properties


def pass_time(world: World, **duration: float) -> None:
    with world.lock:
        machines.wait(world, **duration)


def test_states_come_at_every_scope(client: PolicyInsightsClient) -> None:
    states = client.policy_states
    assert len(list(states.list_query_results_for_management_group("latest", "corp"))) == MACHINES
    assert len(list(states.list_query_results_for_management_group("latest", "root"))) == MACHINES
    assert len(list(states.list_query_results_for_subscription("latest", machines.SUBSCRIPTION))) == MACHINES
    assert (
        len(list(states.list_query_results_for_resource_group("latest", machines.SUBSCRIPTION, "servers"))) == MACHINES
    )
    (state,) = states.list_query_results_for_resource("latest", machines.machine_id("vm1").lstrip("/"))
    assert state.compliance_state == "NonCompliant"
    assert state.is_compliant is False
    assert state.resource_id == machines.machine_id("vm1").lower()
    assert state.policy_assignment_id == machines.ASSIGNMENT.lower()
    assert state.policy_definition_reference_id == "remediate"
    assert state.policy_definition_action == "deployifnotexists"
    assert state.management_group_ids == "corp,root"


def test_the_next_page_is_asked_for_by_post(
    world: World, server: Server, client: PolicyInsightsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world, "faults", Faults(frozenset({"small-pages"}), rate=0))
    seen: list[Exchange] = []
    server.recorders.append(seen.append)
    options = QueryOptions(filter="complianceState eq 'NonCompliant' and policyAssignmentName eq 'avma-pack'")
    found = list(client.policy_states.list_query_results_for_management_group("latest", "corp", options))
    assert len({each.resource_id for each in found}) == MACHINES
    asked = [each for each in seen if "queryResults" in each.url]
    assert [each.method for each in asked] == ["POST"] * 3
    assert ["skiptoken" in each.url for each in asked] == [False, True, True]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("ComplianceState eq 'compliant'", 0),
        ("IsCompliant eq false", MACHINES),
        ("not (IsCompliant eq false)", 0),
        ("resourceLocation eq 'east us' or endswith(ResourceId, '/vm1')", 3),
        ("contains(policyAssignmentId, 'AVMA-pack') and resourceGroup ne 'servers'", 0),
    ],
)
def test_filters(client: PolicyInsightsClient, text: str, count: int) -> None:
    options = QueryOptions(filter=text)
    assert len(list(client.policy_states.list_query_results_for_management_group("latest", "corp", options))) == count


@pytest.mark.parametrize("text", ["colour eq 'red'", "ComplianceState like 'x'", "IsCompliant eq false and"])
def test_a_filter_that_is_not_known_is_refused(client: PolicyInsightsClient, text: str) -> None:
    with pytest.raises(HttpResponseError, match="filter"):
        list(client.policy_states.list_query_results_for_management_group("latest", "corp", QueryOptions(filter=text)))


def test_states_may_be_counted_by_group(client: PolicyInsightsClient) -> None:
    options = QueryOptions(
        apply="groupby((resourceLocation), aggregate($count as Count))",
        order_by="Count desc",
        filter="IsCompliant eq false",
    )
    found = list(client.policy_states.list_query_results_for_management_group("latest", "corp", options))
    counted = [each.additional_properties["Count"] for each in found]
    assert counted == [6, 2]


def test_a_state_is_of_the_last_day(world: World, client: PolicyInsightsClient) -> None:
    options = QueryOptions(to="2026-01-05T08:00:00Z")
    assert list(client.policy_states.list_query_results_for_management_group("latest", "corp", options)) == []


def test_the_summary_counts_each_machine_once(world: World, client: PolicyInsightsClient) -> None:
    (found,) = client.policy_states.summarize_for_management_group("latest", "corp").value or []
    assert found.results is not None
    assert found.results.non_compliant_resources == MACHINES
    assert found.results.non_compliant_policies == 1
    (assignment,) = found.policy_assignments or []
    (definition,) = assignment.policy_definitions or []
    assert definition.policy_definition_reference_id == "remediate"
    assert [(each.compliance_state, each.count) for each in definition.results.resource_details or []] == [
        ("noncompliant", MACHINES)
    ]


def test_a_scan_evaluates_what_was_assigned_a_moment_ago(world: World, sdk: Callable[..., Any]) -> None:
    machines.add_machine(world, "vm1")
    Engine(world)
    machines.install(world)
    client: PolicyInsightsClient = sdk(PolicyInsightsClient, machines.SUBSCRIPTION)
    assert list(client.policy_states.list_query_results_for_subscription("latest", machines.SUBSCRIPTION)) == []
    client.policy_states.begin_trigger_subscription_evaluation(machines.SUBSCRIPTION, polling_interval=0).result()
    assert len(list(client.policy_states.list_query_results_for_subscription("latest", machines.SUBSCRIPTION))) == 1


def test_a_task_ends_with_compliant_machines(world: World, client: PolicyInsightsClient) -> None:
    machines.grant(world, GUEST_CONTRIBUTOR)
    start(client, resourceCount=6, parallelDeployments=2)
    found = client.remediations.get_at_management_group("corp", "task")
    assert found.provisioning_state == "Accepted"
    assert found.deployment_status is not None
    assert found.deployment_status.total_deployments == 6
    pass_time(world, minutes=1)
    assert task(world)["provisioningState"] == "InProgress"
    assert task(world)["deploymentStatus"]["successfulDeployments"] == 2
    pass_time(world, minutes=2)
    assert task(world)["provisioningState"] == "Succeeded"
    assert len(list(client.remediations.list_deployments_at_management_group("corp", "task"))) == 6
    pass_time(world, minutes=20)
    options = QueryOptions(filter="ComplianceState eq 'Compliant'")
    assert len(list(client.policy_states.list_query_results_for_management_group("latest", "corp", options))) == 6


def test_a_task_without_permission_fails_and_says_why(world: World, client: PolicyInsightsClient) -> None:
    start(client)
    pass_time(world, minutes=1)
    assert task(world)["provisioningState"] == "Failed"
    assert task(world)["deploymentStatus"]["failedDeployments"] == MACHINES
    deployment = next(iter(client.remediations.list_deployments_at_management_group("corp", "task")))
    assert deployment.status == "Failed"
    assert deployment.error is not None
    assert deployment.error.code == "AuthorizationFailed"


def test_a_task_stops_at_its_threshold(world: World, client: PolicyInsightsClient) -> None:
    start(client, parallelDeployments=1, failureThreshold={"percentage": 0.2})
    pass_time(world, hours=1)
    assert task(world)["provisioningState"] == "Failed"
    assert task(world)["deploymentStatus"]["failedDeployments"] == 2


def test_a_task_takes_the_locations_that_it_names(world: World, client: PolicyInsightsClient) -> None:
    body = Remediation(
        policy_assignment_id=machines.ASSIGNMENT,
        policy_definition_reference_id="REMEDIATE",
        filters=RemediationFilters(locations=["eastus"]),
    )
    made = client.remediations.create_or_update_at_subscription("east", body)
    assert made.deployment_status is not None
    assert made.deployment_status.total_deployments == 2
    assert len(list(client.remediations.list_for_management_group("corp"))) == 1
    assert len(list(client.remediations.list_for_subscription())) == 1


def test_re_evaluation_comes_first_where_it_is_asked_for(world: World, sdk: Callable[..., Any]) -> None:
    machines.add_machine(world, "vm1")
    Engine(world)
    machines.install(world, remediate=RemediationMode.APPLY_AND_MONITOR)
    machines.grant(world, GUEST_CONTRIBUTOR)
    client: PolicyInsightsClient = sdk(PolicyInsightsClient, machines.SUBSCRIPTION)
    body = Remediation(
        policy_assignment_id=machines.ASSIGNMENT,
        policy_definition_reference_id="remediate",
        resource_discovery_mode="ReEvaluateCompliance",
    )
    made = client.remediations.create_or_update_at_subscription("task", body)
    assert made.provisioning_state == "Evaluating"
    pass_time(world, minutes=6)
    found = client.remediations.get_at_subscription("task")
    assert found.provisioning_state == "Succeeded"
    assert found.deployment_status is not None
    assert found.deployment_status.successful_deployments == 1


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"policyDefinitionReferenceId": None}, "single policy definition reference ID"),
        ({"resourceDiscoveryMode": "ReEvaluateCompliance"}, "subscription scope and below"),
        ({"policyAssignmentId": f"{machines.ASSIGNMENT}-none"}, "could not be found"),
        ({"resourceCount": 50_001}, "resourceCount"),
        ({"parallelDeployments": 31}, "parallelDeployments"),
    ],
)
def test_what_azure_refuses(client: PolicyInsightsClient, properties: dict[str, Any], message: str) -> None:
    with pytest.raises(HttpResponseError, match=message) as refused:
        start(client, **properties)
    assert refused.value.error is not None
    assert refused.value.error.code == "InvalidCreateRemediationRequest"


def test_a_running_task_is_not_replaced_or_deleted_but_cancelled(world: World, client: PolicyInsightsClient) -> None:
    machines.grant(world, GUEST_CONTRIBUTOR)
    start(client, parallelDeployments=1)
    with pytest.raises(HttpResponseError, match="InvalidUpdateRemediationRequest"):
        start(client)
    with pytest.raises(HttpResponseError, match="InvalidDeleteRemediationRequest"):
        client.remediations.delete_at_management_group("corp", "task")
    other = Remediation(policy_assignment_id=machines.ASSIGNMENT, policy_definition_reference_id="remediate")
    with pytest.raises(HttpResponseError, match="'task' are already running"):
        client.remediations.create_or_update_at_subscription("other", other)
    pass_time(world, minutes=1)
    assert client.remediations.cancel_at_management_group("corp", "task").provisioning_state == "Cancelling"
    pass_time(world, minutes=1)
    assert task(world)["provisioningState"] == "Canceled"
    assert task(world)["deploymentStatus"]["successfulDeployments"] == 1
    with pytest.raises(HttpResponseError, match="InvalidCancelRemediationRequest"):
        client.remediations.cancel_at_management_group("corp", "task")
    client.remediations.delete_at_management_group("corp", "task")
    with pytest.raises(ResourceNotFoundError):
        client.remediations.get_at_management_group("corp", "task")


def test_a_task_that_is_over_may_be_started_again(world: World, client: PolicyInsightsClient) -> None:
    start(client)
    pass_time(world, minutes=1)
    machines.grant(world, GUEST_CONTRIBUTOR)
    start(client)
    pass_time(world, minutes=1)
    assert task(world)["provisioningState"] == "Succeeded"
