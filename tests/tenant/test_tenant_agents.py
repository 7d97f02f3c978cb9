"""Agents: who answers, what they download and verify, when they change a machine."""

from __future__ import annotations

import copy
from email.message import Message
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError

import pytest
from azure.mgmt.guestconfig import GuestConfigurationClient

import tenant_machines as machines
from avma_pack.settings import RemediationMode
from avma_pack.tenant.engine import Engine
from avma_pack.tenant.guest_assignments import new_assignment

if TYPE_CHECKING:
    from collections.abc import Callable

    from avma_pack.tenant.world import World

GUEST_CONTRIBUTOR = "088ab73d-1256-47ae-bea9-9de8e7131f31"


def status(world: World, name: str = "vm1") -> str:
    (assignment,) = machines.guest_assignments(world, name)
    return assignment["properties"]["complianceStatus"]


def remediated(world: World, mode: RemediationMode) -> Engine:
    """The remediation is deployed to every machine that needs it, and the agents have answered."""
    engine = Engine(world)
    machines.install(world, remediate=mode)
    machines.grant(world, GUEST_CONTRIBUTOR)
    machines.wait(world, minutes=5)
    (standing,) = engine.standings()
    for key in list(standing.states):
        assert engine.remediate(standing.member, key) is None
    return engine


def test_an_agent_reports_what_the_package_found(world: World) -> None:
    machines.add_machine(world, "vm1")
    Engine(world)
    machines.install(world)
    machines.wait(world, minutes=5)
    assert status(world) == "Pending"
    machines.wait(world, minutes=20)
    (assignment,) = machines.guest_assignments(world, "vm1")
    assert assignment["properties"]["complianceStatus"] == "NonCompliant"
    assert machines.findings(assignment) == ["AvmaKeyInstalled"]


@pytest.mark.parametrize(
    "lacking",
    [
        {"identity": ""},
        {"identity": "UserAssigned"},
        {"extension": False},
    ],
)
def test_no_report_without_identity_or_extension(world: World, lacking: dict[str, object]) -> None:
    machines.add_machine(world, "vm1", **lacking)
    Engine(world)
    machines.install(world)
    machines.wait(world, hours=2)
    assert status(world) == "Pending"


def test_a_stopped_machine_answers_once_it_runs(world: World) -> None:
    guest = machines.add_machine(world, "vm1")
    guest.running = False
    Engine(world)
    machines.install(world)
    machines.wait(world, hours=2)
    assert status(world) == "Pending"
    guest.running = True
    machines.tell(world, machines.machine_id("vm1"))
    machines.wait(world, minutes=20)
    assert status(world) == "NonCompliant"


def test_an_extension_that_arrives_lets_the_agent_answer(world: World) -> None:
    machines.add_machine(world, "vm1", extension=False)
    Engine(world)
    machines.install(world)
    machines.wait(world, hours=1)
    extension = machines.extension_of("vm1")
    world.store.put(extension)
    machines.tell(world, extension["id"])
    machines.wait(world, minutes=20)
    assert status(world) == "NonCompliant"


def test_a_package_of_another_hash_is_refused_until_it_is_right(world: World) -> None:
    machines.add_machine(world, "vm1")
    Engine(world)
    machines.install(world)
    right, world.fetch = world.fetch, lambda _: b"not the package"
    machines.wait(world, hours=1)
    (assignment,) = machines.guest_assignments(world, "vm1")
    (entry,) = assignment["properties"]["latestAssignmentReport"]["resources"]
    assert entry["resourceId"] == "Invalid assignment package."
    assert machines.content_hash(b"not the package") in entry["reasons"][0]["phrase"]
    assert assignment["properties"]["complianceStatus"] == "NonCompliant"
    world.fetch = right
    machines.wait(world, hours=2)
    assert machines.findings(machines.guest_assignments(world, "vm1")[0]) == ["AvmaKeyInstalled"]


NO_PACKAGE = b"no archive"
SAS = "sv=2025-05-05&sr=b&sig=S3CRET%2Bsignature"


def http_404(url: str) -> bytes:
    raise HTTPError(url, 404, f"no blob at {url.replace('?', ' with ')}", Message(), None)


def quoting(url: str) -> bytes:
    """As `http.client.InvalidURL` does."""
    raise OSError(f"URL can't contain control characters. {url!r}")


@pytest.mark.parametrize(
    ("scheme", "fetch", "told"),
    [
        ("http", http_404, "an https address is needed"),
        ("https", http_404, "HTTP status 404"),
        ("https", quoting, "control characters"),
        ("https", lambda _: b"not the package", "is expected"),
        ("https", lambda _: NO_PACKAGE, "cannot be read"),
    ],
    ids=["scheme", "status", "quoting error", "hash", "unreadable"],
)
def test_a_package_that_cannot_be_used_is_reported_without_its_sas(
    world: World, sdk: Callable[..., Any], scheme: str, fetch: Callable[[str], bytes], told: str
) -> None:
    machines.add_machine(world, "vm1")
    engine = Engine(world)
    world.fetch = fetch
    uri = f"{scheme}://packages.example.com/packs/mine.zip?{SAS}"
    configuration = {"name": "mine", "contentUri": uri, "contentHash": machines.content_hash(NO_PACKAGE)}
    assignment = new_assignment(world.store.all(machines.VM)[machines.machine_id("vm1").lower()], "mine", configuration)
    world.store.put(assignment)
    machines.tell(world, assignment["id"])
    machines.wait(world, hours=1)
    reports = sdk(GuestConfigurationClient, machines.SUBSCRIPTION).guest_configuration_assignment_reports
    (listed,) = reports.list("Servers", "mine", "vm1").value
    latest = machines.guest_assignments(world, "vm1")[0]["properties"]["latestAssignmentReport"]
    assert latest["resources"][0]["resourceId"] == "Invalid assignment package."
    by_guest = engine.agents.reports(assignment["id"])[0]
    by_tenant = reports.get("Servers", "mine", listed.name, "vm1").as_dict()
    for answer in map(str, (by_guest, latest, by_tenant)):
        assert told in answer
        assert f"{scheme}://packages.example.com/packs/mine.zip" in answer
        assert "sig=" not in answer
        assert "S3CRET" not in answer


def test_one_download_serves_all_machines(world: World) -> None:
    for number in range(5):
        machines.add_machine(world, f"vm{number}")
    Engine(world)
    machines.install(world)
    fetched: list[str] = []
    fetch = world.fetch
    assert fetch is not None

    def counted(url: str) -> bytes:
        fetched.append(url)
        return fetch(url)

    world.fetch = counted
    machines.wait(world, hours=1)
    assert fetched == [f"{machines.BASE}/AuditAvmaKey_1.0.0.zip"]


@pytest.mark.parametrize("mode", [RemediationMode.APPLY_AND_MONITOR, RemediationMode.APPLY_AND_AUTO_CORRECT])
def test_apply_modes_remediate(world: World, mode: RemediationMode) -> None:
    guest = machines.add_machine(world, "vm1")
    remediated(world, mode)
    machines.wait(world, minutes=20)
    assert status(world) == "Compliant"
    assert any("InstallProductKey" in call for call in guest.machine.calls)


def test_the_tag_keeps_the_agent_from_changing_a_machine(world: World) -> None:
    guest = machines.add_machine(world, "vm1", tags={"customguestconfigurationsetpolicy": "Disable"})
    remediated(world, RemediationMode.APPLY_AND_AUTO_CORRECT)
    machines.wait(world, hours=1)
    (assignment,) = machines.guest_assignments(world, "vm1")
    assert assignment["properties"]["complianceStatus"] == "NonCompliant"
    assert machines.findings(assignment) == ["AvmaKeyInstalled"]
    assert guest.machine.calls == []


@pytest.mark.parametrize(
    ("mode", "final"),
    [(RemediationMode.APPLY_AND_MONITOR, "NonCompliant"), (RemediationMode.APPLY_AND_AUTO_CORRECT, "Compliant")],
)
def test_drift_is_corrected_in_one_mode_only(world: World, mode: RemediationMode, final: str) -> None:
    guest = machines.add_machine(world, "vm1")
    remediated(world, mode)
    machines.wait(world, minutes=20)
    guest.__dict__["machine"] = machines.FakeGuest(copy.deepcopy(machines.AVMA)).machine
    machines.tell(world, machines.machine_id("vm1"))
    machines.wait(world, minutes=20)
    assert status(world) == final


def test_reports_are_renewed_and_say_so(world: World) -> None:
    machines.add_machine(world, "vm1")
    engine = Engine(world)
    machines.install(world)
    machines.wait(world, hours=25)
    (assignment,) = machines.guest_assignments(world, "vm1")
    kinds = [each.operation for each in engine.agents.reports(assignment["id"])]
    assert kinds == ["Consistency", "Consistency", "Initial"]
    assert assignment["properties"]["lastComplianceStatusChecked"] == "2026-01-06T08:00:00.000000Z"


def test_a_stopped_machine_does_not_renew_its_report(world: World) -> None:
    guest = machines.add_machine(world, "vm1")
    engine = Engine(world)
    machines.install(world)
    machines.wait(world, hours=1)
    guest.running = False
    machines.wait(world, hours=48)
    (assignment,) = machines.guest_assignments(world, "vm1")
    assert len(engine.agents.reports(assignment["id"])) == 1


def test_a_value_that_the_resource_refuses_is_never_compliant(world: World) -> None:
    machines.add_machine(world, "vm1")
    Engine(world)
    machines.install(world, kms_server="no host name")
    machines.wait(world, hours=1)
    (assignment,) = machines.guest_assignments(world, "vm1")
    assert assignment["properties"]["complianceStatus"] == "NonCompliant"
    assert machines.findings(assignment) == ["InvalidParameter"]
