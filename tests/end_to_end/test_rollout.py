"""The whole way, over HTTPS: every machine of a fleet ends as its truth says, and changes reach those that were right.

The truth is what the fleet was seeded with; it was written by hand, kind by kind, and knows nothing of the pack.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from avma_pack import demo
from avma_pack.cloud import graph
from avma_pack.cloud.arm import Arm
from avma_pack.settings import (
    Kms,
    Pack,
    Prerequisites,
    PrerequisitesMode,
    Remediation,
    RemediationMode,
)
from avma_pack.tenant import Tenant, resource_graph
from avma_pack.tenant.faults import Faults
from avma_pack.tenant.fleet import export_truth

if TYPE_CHECKING:
    from pathlib import Path

    from avma_pack.tenant.server import Exchange
    from pack_rollout import Rollout

DAY = dt.timedelta(days=1)
GUEST_ASSIGNMENTS = "microsoft.guestconfiguration/guestconfigurationassignments"


def _said(row: dict[str, Any] | None) -> tuple[str, str, list[str]]:
    """(compliance status, finding, blockers) of an answer; empty where there is none."""
    reasons = [reason["code"].rpartition(":")[2] for reason in demo.reasons_of(row)]
    return (row["status"], reasons[0], reasons[1:]) if row and reasons else ("", "", [])


def _expected(truth: dict[str, Any], package: str, closed: set[str]) -> tuple[str, str, list[str]]:
    answer = truth[package]
    if not truth["applies"] or answer is None or set(truth["lacks"]) - closed:
        return ("", "", [])
    return ("Compliant" if answer["compliant"] else "NonCompliant", answer["finding"], answer["blockers"])


def _compare(rollout: Rollout, configuration: str, package: str, closed: set[str]) -> Counter[str]:
    """Compare every machine's answer with its truth; return how many ended in which status."""
    answers = rollout.answers(configuration)
    truths = export_truth(rollout.tenant.world)
    differing = {
        truth["profile"]: (_said(answers.get(truth["id"].lower())), _expected(truth, package, closed))
        for truth in truths
        if _said(answers.get(truth["id"].lower())) != _expected(truth, package, closed)
    }
    assert differing == {}
    return Counter(_said(answers.get(truth["id"].lower()))[0] for truth in truths)


@pytest.mark.parametrize("machines", [2000])
def test_every_machine_ends_as_its_truth_says_audit_alone(rollout: Rollout) -> None:
    rollout.put()
    rollout.tenant.pass_time(DAY)
    found = _compare(rollout, "AuditAvmaKey", "audit", set())
    assert found["NonCompliant"] > 500
    assert found["Compliant"] > 500
    assert found[""] > 100, "machines without data, which are never compliant"


@pytest.mark.parametrize("machines", [2000])
def test_every_machine_ends_as_its_truth_says_remediation(rollout: Rollout) -> None:
    rollout.put(
        prerequisites=Prerequisites(mode=PrerequisitesMode.OWN),
        remediation=Remediation(mode=RemediationMode.APPLY_AND_AUTO_CORRECT),
    )
    rollout.remediate("identity", "identityUser")
    rollout.remediate("extension")
    rollout.remediate("remediate")
    rollout.tenant.pass_time(DAY)
    found = _compare(rollout, "ReplaceAvmaKeyWithKms", "remediation", {"identity", "extension"})
    assert found["Compliant"] > 1500
    assert found["NonCompliant"] > 50, "those that refuse, with what stands in the way"


def test_a_package_of_another_version_reaches_machines_that_were_compliant(rollout: Rollout) -> None:
    mode = Remediation(mode=RemediationMode.APPLY_AND_MONITOR)
    rollout.put(remediation=mode)
    rollout.remediate("remediate")
    rollout.tenant.pass_time(DAY)
    assert _versions(rollout) == {"1.0.0"}
    rollout.put(remediation=mode, pack=Pack(version="1.1.0"))
    rollout.tenant.pass_time(DAY)
    compliant = {key for key, row in rollout.answers("ReplaceAvmaKeyWithKms").items() if row["status"] == "Compliant"}
    assert len(compliant) > 100, "the guests are as they were"
    before = _report_ends(rollout)
    rollout.remediate("remediate")
    assert _all_reported_since(rollout, before)
    rollout.tenant.pass_time(DAY)
    assert _versions(rollout) == {"1.1.0"}


def _versions(rollout: Rollout) -> set[str]:
    """The versions of the packages that machines with a remediation have been given."""
    return {str(guest["version"]) for guest in _guest_configurations(rollout)}


def _guest_configurations(rollout: Rollout) -> list[dict[str, Any]]:
    found = [
        each["properties"]["guestConfiguration"] for each in rollout.tenant.world.store.all(GUEST_ASSIGNMENTS).values()
    ]
    return [each for each in found if each["name"] == "ReplaceAvmaKeyWithKms"]


def _report_ends(rollout: Rollout) -> dict[str, str]:
    """When machines with a remediation last reported, by guest assignment."""
    return {
        key: each["properties"]["latestAssignmentReport"]["endTime"]
        for key, each in rollout.tenant.world.store.all(GUEST_ASSIGNMENTS).items()
        if each["properties"]["guestConfiguration"]["name"] == "ReplaceAvmaKeyWithKms"
        and each["properties"].get("latestAssignmentReport")
    }


def _all_reported_since(rollout: Rollout, before: dict[str, str]) -> bool:
    """Whether every machine ran again, hours before reports are renewed without a run."""
    now = _report_ends(rollout)
    return len(before) > 100 and all(now.get(key, "") > end for key, end in before.items())


MONITOR = Remediation(mode=RemediationMode.APPLY_AND_MONITOR)
CORRECT = Remediation(mode=RemediationMode.APPLY_AND_AUTO_CORRECT)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"remediation": CORRECT}, ("ApplyAndAutoCorrect", "azkms.core.windows.net")),
        ({"remediation": MONITOR, "kms": Kms(server="kms.contoso.com")}, ("ApplyAndMonitor", "kms.contoso.com")),
    ],
    ids=["mode", "parameter"],
)
def test_a_change_reaches_machines_that_were_compliant(
    rollout: Rollout, change: dict[str, Any], expected: tuple[str, str]
) -> None:
    rollout.put(remediation=MONITOR)
    rollout.remediate("remediate")
    rollout.tenant.pass_time(DAY)
    before, ends = len(_guest_configurations(rollout)), _report_ends(rollout)
    rollout.put(**change)
    rollout.remediate("remediate")
    assert _all_reported_since(rollout, ends)
    rollout.tenant.pass_time(DAY)
    reached = _guest_configurations(rollout)
    assert len(reached) >= before > 100
    assert {(guest["assignmentType"], _kms_server(guest)) for guest in reached} == {expected}


def _kms_server(guest: dict[str, Any]) -> str:
    return next(each["value"] for each in guest["configurationParameter"] if each["name"].endswith(";KmsServer"))


def test_a_second_rollout_of_the_same_pack_changes_nothing(rollout: Rollout) -> None:
    one = rollout.put(prerequisites=Prerequisites(mode=PrerequisitesMode.OWN))
    roles = len(rollout.tenant.world.store.all("Microsoft.Authorization/roleAssignments"))
    two = rollout.put(prerequisites=Prerequisites(mode=PrerequisitesMode.OWN))
    assert one == two
    assert len(rollout.tenant.world.store.all("Microsoft.Authorization/roleAssignments")) == roles > 0


def test_the_demo_shows_three_acts(tmp_path: Path) -> None:
    steps: list[str] = []
    with demo.start(200, 0) as tenant:
        acts = dict(demo.run(tmp_path, tenant, steps.append))
    assert list(acts) == ["Audit", "Audit with prerequisites", "Remediation"]
    found, prepared, mended = (
        sum(count for (finding, _), count in act.findings.items() if finding == "AvmaKeyInstalled")
        for act in acts.values()
    )
    assert 50 < found < prepared
    assert mended < prepared / 4
    for act in acts.values():
        assert act.machines == sum(act.findings.values()) + sum(act.silent.values())
    assert len(steps) == 5


def test_a_client_that_resource_graph_throttles_waits_and_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource_graph, "QUOTA", 1)
    monkeypatch.setattr(resource_graph, "WINDOW_SECONDS", 2)
    told: list[Exchange] = []
    with (
        Tenant(machines=3, faults=Faults(frozenset({"throttle"}), rate=0)) as tenant,
        Arm(tenant.url, demo.sign_in(tenant), certificate=str(tenant.certificate)) as arm,
    ):
        tenant.server.recorders.append(told.append)
        for _ in range(2):
            assert list(graph.query(arm, "resources | project id", group=demo.TARGET.group))
    asked = [each for each in told if "Microsoft.ResourceGraph" in each.url]
    assert [each.status for each in asked] == [200, 429, 200]
    refused = asked[1].response_headers
    assert refused["x-ms-user-quota-remaining"] == "0"
    assert refused["x-ms-user-quota-resets-after"] == f"00:00:0{refused['retry-after']}"
