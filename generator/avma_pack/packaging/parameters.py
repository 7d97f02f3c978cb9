"""The parameters of the DSC resource: one ordered list that feeds MOF, policy metadata, hash and deployment.

The order carries meaning: Azure hashes the parameters of a guest assignment in the order of its
`configurationParameter`, and the policies compare that hash.
"""

from __future__ import annotations

from dataclasses import dataclass

RESOURCE = "[WindowsActivationChannel]WindowsActivationChannel"
"""ResourceID of the one resource instance in every package."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the resource: every one is a string, for Azure passes nothing else on.

    `allowed` is empty where any value fits the description.
    """

    name: str
    default: str
    title: str
    description: str
    allowed: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The name under which a guest assignment sets it: `[Type]Instance;Property`."""
        return f"{RESOURCE};{self.name}"


PARAMETERS = (
    Parameter(
        "ActivationPolicy",
        "NoAvma",
        "Activation policy",
        "What makes a machine compliant: NoAvma (no AVMA key), AvmaReplaced (that, and a machine with a KMS client "
        "key is activated), KmsClientOnly (a KMS client key), Activated (a KMS client key, and it is activated).",
        ("NoAvma", "AvmaReplaced", "KmsClientOnly", "Activated"),
    ),
    Parameter("KmsServer", "azkms.core.windows.net", "KMS host", "Name of the KMS host that activates the machines."),
    Parameter("KmsPort", "1688", "KMS port", "TCP port of the KMS host."),
    Parameter(
        "ReplaceOtherKeys",
        "No",
        "Replace other keys",
        "Yes: remediation also replaces keys that are neither AVMA nor KMS client keys, such as a MAK.",
        ("No", "Yes"),
    ),
    Parameter(
        "KmsProbe",
        "WhenLicensed",
        "KMS probe",
        "When an unanswered TCP probe of the KMS host holds remediation back: only while Windows is licensed, always, "
        "or never (then nothing is probed).",
        ("WhenLicensed", "Always", "Never"),
    ),
    Parameter(
        "RolloutTag",
        "",
        "Rollout tag",
        "Remediation mode and pack version. Machines ignore it; a change makes Azure Policy deploy to machines that "
        "were compliant before.",
    ),
)
"""Names, order and defaults are those of the DSC resource; a test compares them with the module."""
