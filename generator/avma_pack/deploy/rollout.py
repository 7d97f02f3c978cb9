"""Puts a built pack into a management group, and starts remediation.

Data comes from the pack's folder alone: manifest, packages, policies. Every step can be repeated.
"""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from avma_pack.errors import RefusedError, UnavailableError, UsageError
from avma_pack.packaging import manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from avma_pack.cloud.arm import Arm

POLICY_API = "2023-04-01"
ROLE_API = "2022-04-01"
REMEDIATION_API = "2021-10-01"

_NAMESPACE = uuid.UUID("2f1d1c8e-5f0a-5b53-8a4c-0d7f6f3f9a10")
"""Of the role assignments that a pack makes: Azure wants a GUID for a name, and the same one again."""

_ATTEMPTS = 30


@dataclass(frozen=True, slots=True)
class Target:
    """Where a pack goes: a management group and the region of the assignment's identity."""

    group: str
    location: str

    @property
    def scope(self) -> str:
        """The id of the management group."""
        return f"/providers/Microsoft.Management/managementGroups/{self.group}"


def publish(pack: Path, upload: Callable[[str, bytes, dict[str, str]], None]) -> None:
    """Upload the packages of the pack; `upload` gets file name, content and metadata."""
    for package in manifest.read(pack).packages:
        name = package.file.rpartition("/")[2]
        upload(name, (pack / package.file).read_bytes(), {"sha256": package.sha256, "version": package.version})


def put_policies(arm: Arm, pack: Path, target: Target, *, wait: Callable[[float], None] = time.sleep) -> str:
    """Put definitions, initiative and assignment, and give its identity the roles it needs; return the assignment's id.

    Raises:
        RefusedError, AccessError, UnavailableError: as Azure answers.
    """
    described = manifest.read(pack)
    roles: set[str] = set()
    assignment: dict[str, Any] = {}
    for path in described.policies:
        payload = _payload(pack / path, target)
        roles |= set(_roles(payload))
        body = {key: payload[key] for key in ("properties", "identity", "location") if key in payload}
        assignment = arm.send("PUT", payload["id"], POLICY_API, body=body).body
    principal = assignment.get("identity", {}).get("principalId")
    for role in sorted(roles) if principal else ():
        grant = {
            "properties": {
                "roleDefinitionId": role,
                "principalId": principal,
                "principalType": "ServicePrincipal",
                "description": f"avma-pack {described.pack.id}{described.pack.suffix}",
            }
        }
        _put_role_assignment(arm, target, grant, wait)
    return str(assignment["id"])


def remediate(arm: Arm, pack: Path, target: Target, reference_ids: tuple[str, ...]) -> list[str]:
    """Start a remediation task for each member, by its reference id; return the tasks' ids."""
    described = manifest.read(pack)
    name = described.pack.id + described.pack.suffix
    ids = []
    for reference_id in reference_ids:
        body = {
            "properties": {
                "policyAssignmentId": f"{target.scope}/providers/Microsoft.Authorization/policyAssignments/{name}",
                "policyDefinitionReferenceId": reference_id,
                "resourceDiscoveryMode": "ExistingNonCompliant",
                "resourceCount": 50_000,
                "parallelDeployments": 30,
            }
        }
        task = f"{target.scope}/providers/Microsoft.PolicyInsights/remediations/{name}-{reference_id.lower()}"
        arm.send("PUT", task, REMEDIATION_API, body=body)
        ids.append(task)
    return ids


def _payload(file: Path, target: Target) -> dict[str, Any]:
    text = file.read_text(encoding="utf-8").replace("__SCOPE__", target.scope).replace("__LOCATION__", target.location)
    if "__CONTENT_BASE_URI__" in text:
        raise UsageError(
            f"{file}: no location of the packages is known (__CONTENT_BASE_URI__).",
            next_step="Build the pack again with --content-base-uri.",
        )
    payload: dict[str, Any] = json.loads(text)
    return payload


def _roles(payload: dict[str, Any]) -> Iterator[str]:
    details = payload["properties"].get("policyRule", {}).get("then", {}).get("details", {})
    yield from details.get("roleDefinitionIds", ())


def _put_role_assignment(arm: Arm, target: Target, body: dict[str, Any], wait: Callable[[float], None]) -> None:
    """Azure knows a new identity everywhere only after a while; until then it answers PrincipalNotFound."""
    principal, role = body["properties"]["principalId"], body["properties"]["roleDefinitionId"]
    name = uuid.uuid5(_NAMESPACE, "\n".join((target.scope, principal, role)).lower())
    url = f"{target.scope}/providers/Microsoft.Authorization/roleAssignments/{name}"
    for attempt in range(_ATTEMPTS):
        try:
            arm.send("PUT", url, ROLE_API, body=body)
        except RefusedError as error:
            if error.code == "RoleAssignmentExists":
                return
            if error.code != "PrincipalNotFound":
                raise
            wait(min(2.0 * (attempt + 1), 15.0))
        else:
            return
    raise UnavailableError(
        f"The identity {principal} of the assignment is still not known to Azure.", next_step="Run the command again."
    )
