"""Guest assignments and their reports, as resources: what the service writes down, and the hashes that it computes."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from avma_pack.tenant.resource_types import GUEST_ASSIGNMENT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from avma_pack.tenant.store import Resource

_MARK = f"/providers/{GUEST_ASSIGNMENT}/"


@dataclass(frozen=True, slots=True)
class Report:
    """What an agent reported once. `resources` may be shared between reports and is never changed."""

    report_id: str
    start: str
    end: str
    compliance: str
    operation: str
    resources: Sequence[dict[str, Any]]


def assignment_id(machine_id: str, name: str) -> str:
    """The id of a guest assignment."""
    return f"{machine_id}{_MARK}{name}"


def machine_key(key: str) -> str:
    """The lower-case id of the machine of a guest assignment."""
    return key.lower().rpartition(_MARK.lower())[0]


def new_assignment(
    machine: Resource, name: str, guest_configuration: dict[str, Any], *, policy_assignment: str = ""
) -> Resource:
    """A guest assignment that no agent has answered yet. `guest_configuration` is kept, so that machines share it."""
    parameters = parameter_text(guest_configuration.get("configurationParameter") or ())
    content = str(guest_configuration.get("contentHash") or "")
    digest = hashlib.sha256(parameters.encode()).hexdigest().upper()
    return {
        "id": assignment_id(machine["id"], name),
        "name": name,
        "type": GUEST_ASSIGNMENT,
        "location": machine.get("location", ""),
        "properties": {
            "targetResourceId": machine["id"],
            "guestConfiguration": guest_configuration,
            "complianceStatus": "Pending",
            "lastComplianceStatusChecked": None,
            "latestReportId": None,
            "parameterHash": base64.b64encode(parameters.encode()).decode() or None,
            "context": "Azure Policy" if policy_assignment else "",
            "assignmentHash": f"{content}.{digest}",
            "provisioningState": "Succeeded",
            "resourceType": None,
            **({"policyAssignmentId": policy_assignment} if policy_assignment else {}),
        },
    }


def parameter_text(parameters: Sequence[Mapping[str, Any]]) -> str:
    """What the parameter hash encodes: name=value pairs in order, as existence conditions of built-ins spell them."""
    return ",".join(f"{each['name']}={each.get('value', '')}" for each in parameters)


def with_report(assignment: Resource, machine_uuid: str, report: Report) -> Resource:
    """The guest assignment after a report, as a new object: readers may still hold the old one."""
    summary = report_summary(assignment, machine_uuid, report)
    return {
        **assignment,
        "properties": {
            **assignment["properties"],
            "complianceStatus": report.compliance,
            "lastComplianceStatusChecked": report.end,
            "latestReportId": summary["id"],
            "latestAssignmentReport": summary,
        },
    }


def report_summary(assignment: Resource, machine_uuid: str, report: Report) -> dict[str, Any]:
    """A report as it stands in its guest assignment."""
    configuration = assignment["properties"]["guestConfiguration"]
    return {
        "id": f"{assignment['id']}/reports/{report.report_id}",
        "reportId": report.report_id,
        "assignment": {
            "name": assignment["name"],
            "configuration": {name: configuration[name] for name in ("name", "version") if configuration.get(name)},
        },
        "vm": {"id": assignment["properties"]["targetResourceId"], "uuid": machine_uuid},
        "startTime": report.start,
        "endTime": report.end,
        "complianceStatus": report.compliance,
        "operationType": report.operation,
        "resources": report.resources,
    }


def report_resource(assignment: Resource, machine_uuid: str, report: Report, *, details: bool) -> dict[str, Any]:
    """A report as a resource of its own; lists leave the details out."""
    summary = report_summary(assignment, machine_uuid, report)
    found = {name: summary[name] for name in ("complianceStatus", "startTime", "endTime", "operationType", "resources")}
    return {
        "id": summary["id"],
        "name": report.report_id,
        "properties": {
            **{
                name: summary[name]
                for name in ("complianceStatus", "assignment", "reportId", "vm", "startTime", "endTime")
            },
            "details": {**found, "jobId": report.report_id} if details else None,
        },
    }
