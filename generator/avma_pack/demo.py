"""The demonstration: a pack, rolled out to a tenant inside this process, from audit to activated machines.

Everything but the tenant is the real thing: the pack that is built, the requests over HTTPS, the policies that decide,
the packages that the guests download.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from avma_pack.catalog import load_catalog
from avma_pack.cloud import blobs, credentials, graph
from avma_pack.cloud.arm import Arm
from avma_pack.deploy.rollout import Target, publish, put_policies, remediate
from avma_pack.rendering.pack import build_pack
from avma_pack.settings import (
    Prerequisites,
    PrerequisitesMode,
    Remediation,
    RemediationMode,
    Settings,
    check,
)
from avma_pack.tenant import OWNER, TENANT_ID, Tenant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from azure.core.credentials import TokenCredential

TARGET = Target("root", "westeurope")

_MACHINES = """
resources
| where type =~ 'microsoft.compute/virtualmachines'
| where properties.storageProfile.osDisk.osType =~ 'Windows' and isempty(tostring(tags['aks-managed-poolName']))
| project id, identity = tostring(identity.type),
    power = tostring(properties.extended.instanceView.powerState.code)
| order by id asc
"""
_EXTENSIONS = """
resources
| where type =~ 'microsoft.compute/virtualmachines/extensions' and name =~ 'AzurePolicyforWindows'
| project id
| order by id asc
"""
_EXEMPTIONS = """
policyresources
| where type =~ 'microsoft.authorization/policyexemptions'
| project id
| order by id asc
"""
_ANSWERS = """
guestconfigurationresources
| where type =~ 'microsoft.guestconfiguration/guestconfigurationassignments'
| where properties.guestConfiguration.name =~ '{name}'
| project id, machine = tolower(properties.targetResourceId), status = tostring(properties.complianceStatus),
    resources = properties.latestAssignmentReport.resources
| order by id asc
"""


@dataclass(frozen=True, slots=True)
class Answers:
    """What the machines said.

    Attributes:
        machines: How many there are: Windows, and not a node of AKS, which the policies leave alone.
        findings: How many answered so, by finding and compliance status.
        blockers: How many have this in the way of remediation.
        silent: How many did not report, by why.
    """

    machines: int
    findings: Counter[tuple[str, str]]
    blockers: Counter[str]
    silent: Counter[str]


def start(machines: int, seed: int) -> Tenant:
    """Start a tenant with so many machines; the same seed makes the same ones."""
    return Tenant(machines=machines, seed=seed)


def describe(tenant: Tenant) -> str:
    """How to reach a tenant with other tools."""
    return (
        f"The tenant stays at {tenant.url}; the file to trust is {tenant.certificate}. Client id and secret are both "
        f"{OWNER!r}, the tenant id is {TENANT_ID}."
    )


def run(folder: Path, tenant: Tenant, say: Callable[[str], None]) -> Iterator[tuple[str, Answers]]:
    """Roll out an audit, give machines what they lack to be audited, switch remediation on.

    Yields what the machines answered after each. `folder` gets the packs, `say` is told of every step.
    """
    own = Settings(prerequisites=Prerequisites(mode=PrerequisitesMode.OWN))
    with Arm(tenant.url, sign_in(tenant), certificate=str(tenant.certificate)) as arm:
        say("Building the pack: audit, with prerequisites of its own.")
        tenant.exempt(roll_out(arm, tenant, folder / "audit", own))
        say("Letting a day pass, in which the machines report.")
        tenant.pass_time(dt.timedelta(days=1))
        yield "Audit", collect(arm, "AuditAvmaKey")
        say("Giving machines the identity and the extension that they lack, and letting another day pass.")
        for reference_ids in (("identity", "identityUser"), ("extension",)):
            remediate(arm, folder / "audit", TARGET, reference_ids)
            tenant.pass_time(dt.timedelta(hours=2))
        tenant.pass_time(dt.timedelta(days=1))
        yield "Audit with prerequisites", collect(arm, "AuditAvmaKey")
        say("Switching remediation on: the pack again, now ApplyAndAutoCorrect.")
        correcting = Remediation(mode=RemediationMode.APPLY_AND_AUTO_CORRECT)
        roll_out(arm, tenant, folder / "remediate", replace(own, remediation=correcting))
        tenant.pass_time(dt.timedelta(hours=1))
        remediate(arm, folder / "remediate", TARGET, ("remediate",))
        say("Letting a day pass, in which the guests replace their keys.")
        tenant.pass_time(dt.timedelta(days=1))
        yield "Remediation", collect(arm, "ReplaceAvmaKeyWithKms")


def sign_in(tenant: Tenant) -> TokenCredential:
    """The login of the principal that owns the tenant."""
    return credentials.of_secret(TENANT_ID, OWNER, OWNER, authority=tenant.url, certificate=str(tenant.certificate))


def roll_out(arm: Arm, tenant: Tenant, folder: Path, settings: Settings) -> str:
    """Build a pack with these settings into a folder, publish it and put its policies; return the assignment's id."""
    base_uri = f"{tenant.url}/blobs/demo/packages"
    settings = replace(settings, packages=replace(settings.packages, base_uri=base_uri))
    build_pack(check(settings), load_catalog()).write(folder)
    credential, certificate = sign_in(tenant), str(tenant.certificate)

    def upload(name: str, content: bytes, metadata: dict[str, str]) -> None:
        blobs.upload(f"{base_uri}/{name}", content, credential, metadata=metadata, certificate=certificate)

    publish(folder, upload)
    return put_policies(arm, folder, TARGET, wait=lambda seconds: tenant.pass_time(dt.timedelta(seconds=seconds)))


def answers_of(arm: Arm, configuration: str) -> dict[str, dict[str, Any]]:
    """What the machines answered to a configuration, by their lower-case ids."""
    return {row["machine"]: row for row in _rows(arm, _ANSWERS.replace("{name}", configuration))}


def collect(arm: Arm, configuration: str) -> Answers:
    """Ask Resource Graph what the machines answered to a configuration."""
    extended = {row["id"].rpartition("/extensions/")[0].lower() for row in _rows(arm, _EXTENSIONS)}
    exempt = {row["id"].rpartition("/providers/")[0].lower() for row in _rows(arm, _EXEMPTIONS)}
    answers = answers_of(arm, configuration)
    findings: Counter[tuple[str, str]] = Counter()
    blockers: Counter[str] = Counter()
    silent: Counter[str] = Counter()
    machines = 0
    for machine in _rows(arm, _MACHINES):
        machines += 1
        key = machine["id"].lower()
        reasons = [reason["code"].rpartition(":")[2] for reason in reasons_of(answers.get(key))]
        if reasons:
            findings[(reasons[0], answers[key]["status"])] += 1
            blockers.update(reasons[1:])
        else:
            silent["is exempt" if key in exempt else _why_silent(machine, key in extended)] += 1
    return Answers(machines, findings, blockers, silent)


def _why_silent(machine: dict[str, Any], has_extension: bool) -> str:
    if "running" not in machine["power"].lower():
        return "is stopped"
    if "systemassigned" not in machine["identity"].lower().replace(" ", ""):
        return "has no system-assigned identity"
    return "has not reported yet" if has_extension else "lacks the extension"


def reasons_of(answer: dict[str, Any] | None) -> list[dict[str, str]]:
    """The reasons in a row of `answers_of`: the finding, then what stands in the way; none without a report."""
    resources = (answer or {}).get("resources") or [{}]
    return resources[0].get("reasons") or []


def _rows(arm: Arm, text: str) -> Iterator[dict[str, Any]]:
    return graph.query(arm, text, group=TARGET.group)
