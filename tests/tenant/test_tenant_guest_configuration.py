"""The REST of guest assignments and reports, as the SDK speaks it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.guestconfig import GuestConfigurationClient

import tenant_machines as machines
from avma_pack.tenant.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from avma_pack.tenant.world import World


@pytest.fixture
def client(world: World, sdk: Callable[..., Any]) -> GuestConfigurationClient:
    """A client of a tenant in which vm1 has reported and vm2, which is stopped, has not."""
    machines.add_machine(world, "vm1")
    machines.add_machine(world, "vm2").running = False
    Engine(world)
    machines.install(world)
    machines.wait(world, hours=13)
    made: GuestConfigurationClient = sdk(GuestConfigurationClient, machines.SUBSCRIPTION)
    return made


def name_on(world: World, machine: str) -> str:
    return str(machines.guest_assignments(world, machine)[0]["name"])


def test_an_assignment_tells_of_its_latest_report(world: World, client: GuestConfigurationClient) -> None:
    found = client.guest_configuration_assignments.get("Servers", name_on(world, "vm1"), "vm1")
    properties = found.properties
    assert properties is not None
    assert properties.compliance_status == "NonCompliant"
    assert properties.guest_configuration is not None
    assert properties.guest_configuration.assignment_type == "Audit"
    report = properties.latest_assignment_report
    assert report is not None
    assert report.operation_type == "Consistency"
    assert properties.latest_report_id is not None
    assert properties.latest_report_id.endswith(str(report.report_id))


def test_a_machine_without_an_answer_is_pending(world: World, client: GuestConfigurationClient) -> None:
    found = client.guest_configuration_assignments.get("Servers", name_on(world, "vm2"), "vm2")
    assert found.properties is not None
    assert found.properties.compliance_status == "Pending"
    assert found.properties.latest_report_id is None
    assert list(client.guest_configuration_assignment_reports.list("Servers", str(found.name), "vm2").value or []) == []


def test_lists_by_machine_group_and_subscription(client: GuestConfigurationClient) -> None:
    assignments = client.guest_configuration_assignments
    assert len(list(assignments.list("Servers", "vm1"))) == 1
    assert len(list(assignments.rg_list("servers"))) == 2
    assert len(list(assignments.subscription_list())) == 2


def test_reports_from_the_list_have_no_details_but_each_by_itself(
    world: World, client: GuestConfigurationClient
) -> None:
    reports = client.guest_configuration_assignment_reports
    listed = reports.list("Servers", name_on(world, "vm1"), "vm1").value
    assert listed is not None
    assert len(listed) == 2
    assert listed[0].properties is not None
    assert listed[0].properties.details is None
    report = reports.get("Servers", name_on(world, "vm1"), str(listed[0].name), "vm1")
    assert report.properties is not None
    assert report.properties.details is not None
    (resource,) = report.properties.details.resources or []
    (reason,) = resource.reasons or []
    assert reason.code == "WindowsActivationChannel:WindowsActivationChannel:AvmaKeyInstalled"
    assert reason.phrase is not None
    assert "AVMA" in reason.phrase


def test_an_assignment_may_be_made_changed_and_deleted_by_hand(world: World, client: GuestConfigurationClient) -> None:
    audit = dict(machines.guest_assignments(world, "vm1")[0]["properties"]["guestConfiguration"])
    del audit["contentType"]
    body = {"name": "mine", "location": "westeurope", "properties": {"guestConfiguration": audit}}
    statuses: list[int] = []

    def noted(response: Any) -> None:
        statuses.append(response.http_response.status_code)

    assignments = client.guest_configuration_assignments
    for _ in range(2):
        made = assignments.create_or_update("mine", "Servers", "vm1", body, raw_response_hook=noted)
        assert made.properties.compliance_status == "Pending"
    assert statuses == [201, 200]
    with world.lock:
        machines.wait(world, minutes=20)
    assert assignments.get("Servers", "mine", "vm1").properties.compliance_status == "NonCompliant"
    assignments.delete("Servers", "mine", "vm1")
    with pytest.raises(ResourceNotFoundError):
        assignments.get("Servers", "mine", "vm1")
    assert Engine.of(world).agents.reports(f"{machines.machine_id('vm1')}/providers/{machines.GUEST}/mine") == []


def test_what_is_wrong_is_refused(client: GuestConfigurationClient) -> None:
    assignments = client.guest_configuration_assignments
    body = {"properties": {"guestConfiguration": {"name": "x", "assignmentType": "ApplyNever"}}}
    with pytest.raises(ResourceNotFoundError):
        assignments.create_or_update("x", "Servers", "none", body)
    with pytest.raises(HttpResponseError, match="ApplyNever"):
        assignments.create_or_update("x", "Servers", "vm1", body)
