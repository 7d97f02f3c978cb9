"""Which definitions a pack has, and how its initiative binds them.

The reference ids are fixed: remediation tasks and reports name members by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from avma_pack.settings import PrerequisitesMode

if TYPE_CHECKING:
    from avma_pack.packaging.build import Package, Role
    from avma_pack.settings import Settings

GUEST_CONFIGURATION_RESOURCE_CONTRIBUTOR = "088ab73d-1256-47ae-bea9-9de8e7131f31"
"""May write guest assignments and deployments; the role of the module GuestConfiguration's own definitions."""

VIRTUAL_MACHINE_CONTRIBUTOR = "9980e02c-c2be-4d73-94e8-173b1dc7cf3c"
"""May write virtual machines and their extensions. The built-in prerequisites ask for Contributor instead."""


@dataclass(frozen=True, slots=True)
class Member:
    """A definition of the pack and its place in the initiative.

    `template` is the file under `policies/definitions`, without its ending, and part of the definition's name: it has
    no hyphen, which begins the suffix. `message` is what Azure shows on a machine that this member finds non-compliant.
    `package` is the package that it assigns, if any; `effect` what it does when it is not Disabled.
    """

    reference_id: Literal["audit", "remediate", "identity", "identityUser", "extension"]
    template: str
    title: str
    description: str
    message: str
    effect: Literal["AuditIfNotExists", "DeployIfNotExists", "Modify"]
    package: Role | None = None
    role: str | None = None

    def name(self, settings: Settings) -> str:
        """Name of the definition in Azure."""
        return f"{settings.pack.prefix}-{self.template}{settings.pack.suffix}"

    @property
    def role_definition_ids(self) -> list[str]:
        """The role that the assignment's identity needs for this member; none where nothing is changed."""
        return [f"/providers/Microsoft.Authorization/roleDefinitions/{self.role}"] if self.role else []


AUDIT = Member(
    "audit",
    "audit",
    "Audit Windows Server VMs for AVMA product keys",
    "Finds Windows VMs whose product key is an AVMA key, which does not activate Windows in Azure (0xC004FD01, "
    "0xC004FD02). The guest assignment's reasons say what was found and what to do. Changes nothing on a machine.",
    "The product key of Windows is not what it should be, or the machine did not report. The reasons of its guest "
    "assignment say what was found and what to do.",
    "AuditIfNotExists",
    package="audit",
)
REMEDIATE = Member(
    "remediate",
    "remediate",
    "Replace AVMA product keys on Windows Server VMs with KMS",
    "Assigns a configuration to Windows VMs that replaces an AVMA key with the KMS client key of the edition, sets the "
    "KMS host and activates Windows. The guest assignment's reasons say what was found and what stands in the way.",
    "The product key of Windows is not replaced or Windows is not activated, or the machine did not report. The "
    "reasons of its guest assignment say what was found and what stands in the way.",
    "DeployIfNotExists",
    package="remediate",
    role=GUEST_CONFIGURATION_RESOURCE_CONTRIBUTOR,
)
IDENTITY = Member(
    "identity",
    "identity",
    "Give Windows VMs without identity a system-assigned identity for AVMA checks",
    "Adds a system-assigned managed identity to Windows VMs that have none, so that Guest Configuration can report.",
    "The machine has no system-assigned managed identity, without which it cannot report its product key.",
    "Modify",
    role=VIRTUAL_MACHINE_CONTRIBUTOR,
)
IDENTITY_USER = Member(
    "identityUser",
    "useridentity",
    "Add a system-assigned identity to Windows VMs with user-assigned ones for AVMA checks",
    "Adds a system-assigned managed identity to Windows VMs that have user-assigned ones only, so that Guest "
    "Configuration can report. Applications that name no identity then use the system-assigned one.",
    "The machine has no system-assigned managed identity, without which it cannot report its product key.",
    "Modify",
    role=VIRTUAL_MACHINE_CONTRIBUTOR,
)
EXTENSION = Member(
    "extension",
    "extension",
    "Deploy the Guest Configuration extension to Windows VMs for AVMA checks",
    "Deploys the extension AzurePolicyforWindows to Windows VMs that lack it, so that Guest Configuration can report.",
    "The machine lacks the extension AzurePolicyforWindows, without which it cannot report its product key.",
    "DeployIfNotExists",
    role=VIRTUAL_MACHINE_CONTRIBUTOR,
)


def members(settings: Settings) -> tuple[Member, ...]:
    """The members of the pack, in the order of the initiative."""
    chosen = [AUDIT]
    if settings.remediation.enabled:
        chosen.append(REMEDIATE)
    if settings.prerequisites.mode is PrerequisitesMode.OWN:
        chosen += [IDENTITY, IDENTITY_USER, EXTENSION]
    return tuple(chosen)


def parameter_values(package: Package, settings: Settings) -> dict[str, str]:
    """What the settings make of the parameters of the DSC resource, for one of the packages."""
    mode = settings.remediation.mode if package.kind.role == "remediate" else "Audit"
    return {
        "ActivationPolicy": settings.activation.policy or package.kind.policy,
        "KmsServer": settings.kms_server,
        "KmsPort": str(settings.kms.port),
        "ReplaceOtherKeys": "Yes" if settings.activation.replace_other_keys else "No",
        "KmsProbe": settings.kms.probe,
        # assignmentType and version have no alias: in the parameter hash they reach compliant machines, too.
        "RolloutTag": f"{mode}/{package.version}",
    }


def effect(member: Member, settings: Settings) -> str:
    """The effect that the initiative gives a member, which is Disabled by itself where it enforces.

    While remediation is on, the audit is off, so that a machine has one verdict.
    """
    return "Disabled" if member is AUDIT and settings.remediation.enabled else member.effect
