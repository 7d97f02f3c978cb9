"""Which definitions a pack has, and how its initiative binds them.

The reference ids are fixed: remediation tasks and reports name members by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from avma_pack.packaging.parameters import PARAMETERS
from avma_pack.settings import PrerequisitesMode, RemediationMode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from avma_pack.packaging.build import Package, Role
    from avma_pack.packaging.parameters import Parameter
    from avma_pack.settings import Settings

GUEST_CONFIGURATION_RESOURCE_CONTRIBUTOR = "088ab73d-1256-47ae-bea9-9de8e7131f31"
"""May write guest assignments and deployments; the role of the module GuestConfiguration's own definitions."""

VIRTUAL_MACHINE_CONTRIBUTOR = "9980e02c-c2be-4d73-94e8-173b1dc7cf3c"
"""May write virtual machines and their extensions. The built-in prerequisites ask for Contributor instead."""


@dataclass(frozen=True, slots=True)
class Member:
    """A definition of the pack and its place in the initiative.

    `template` is the file under `policies/definitions`, without its ending, and the name of the rendered file.
    `package` is the package that it assigns, if any; `effect` what it does when it is not Disabled.
    """

    reference_id: Literal["audit", "remediate", "identity", "identityUser", "extension"]
    template: str
    title: str
    description: str
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
    "AuditIfNotExists",
    package="audit",
)
REMEDIATE = Member(
    "remediate",
    "remediate",
    "Replace AVMA product keys on Windows Server VMs with KMS",
    "Assigns a configuration to Windows VMs that replaces an AVMA key with the KMS client key of the edition, sets the "
    "KMS host and activates Windows. The guest assignment's reasons say what was found and what stands in the way.",
    "DeployIfNotExists",
    package="remediate",
    role=GUEST_CONFIGURATION_RESOURCE_CONTRIBUTOR,
)
IDENTITY = Member(
    "identity",
    "identity",
    "Give Windows VMs without identity a system-assigned identity for AVMA checks",
    "Adds a system-assigned managed identity to Windows VMs that have none, so that Guest Configuration can report.",
    "Modify",
    role=VIRTUAL_MACHINE_CONTRIBUTOR,
)
IDENTITY_USER = Member(
    "identityUser",
    "identity-user",
    "Add a system-assigned identity to Windows VMs with user-assigned ones for AVMA checks",
    "Adds a system-assigned managed identity to Windows VMs that have user-assigned ones only, so that Guest "
    "Configuration can report. Applications that name no identity then use the system-assigned one.",
    "Modify",
    role=VIRTUAL_MACHINE_CONTRIBUTOR,
)
EXTENSION = Member(
    "extension",
    "extension",
    "Deploy the Guest Configuration extension to Windows VMs for AVMA checks",
    "Deploys the extension AzurePolicyforWindows to Windows VMs that lack it, so that Guest Configuration can report.",
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


def parameter_value(parameter: Parameter, package: Package, settings: Settings) -> str:
    """What the settings make of a parameter of the DSC resource, for one of the packages."""
    mode = settings.remediation.mode
    values = {
        "ActivationPolicy": settings.activation.policy or package.kind.policy,
        "KmsServer": settings.kms_server,
        "KmsPort": str(settings.kms.port),
        "ReplaceOtherKeys": "Yes" if settings.activation.replace_other_keys else "No",
        "KmsProbe": settings.kms.probe,
        # assignmentType and version have no alias: in the parameter hash they reach compliant machines, too.
        "RolloutTag": f"{mode if package.kind.role == 'remediate' else 'Audit'}/{package.version}",
    }
    return str(values[parameter.name])


@dataclass(frozen=True, slots=True)
class InitiativeParameter:
    """A parameter of the initiative, and the member parameter that it is passed to."""

    name: str
    title: str
    description: str
    default: str
    allowed: tuple[str, ...]
    target: str
    members: tuple[str, ...]


def initiative_parameters(settings: Settings, packages: dict[str, Package]) -> Iterator[InitiativeParameter]:
    """The initiative's parameters: each member's effect, each package's policy, and what both packages share.

    A member that enforces is Disabled by itself; here it gets its real effect. While remediation is on, the audit is
    off, so that a machine has one verdict.
    """
    chosen = members(settings)
    for member in chosen:
        off = member is AUDIT and settings.remediation.mode is not RemediationMode.OFF
        yield InitiativeParameter(
            f"{member.reference_id}Effect",
            f"Effect: {member.reference_id}",
            f"{member.title}: {member.effect}, or Disabled to switch it off.",
            "Disabled" if off else member.effect,
            (member.effect, "Disabled"),
            "effect",
            (member.reference_id,),
        )
    with_package = [member for member in chosen if member.package]
    for parameter in PARAMETERS:
        if parameter.name == "RolloutTag":
            continue
        own = parameter.name == "ActivationPolicy"
        groups = [(member,) for member in with_package] if own else [tuple(with_package)]
        for group in groups:
            first = group[0]
            package = packages[first.package or ""]
            yield InitiativeParameter(
                f"{first.reference_id}{parameter.name}" if own else parameter.name[0].lower() + parameter.name[1:],
                f"{parameter.title}: {first.reference_id}" if own else parameter.title,
                parameter.description,
                parameter_value(parameter, package, settings),
                parameter.allowed,
                parameter.name,
                tuple(member.reference_id for member in group),
            )
