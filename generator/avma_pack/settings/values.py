"""The values that a setting may have: choices as enums, texts as patterns that editors understand as well.

A text type carries, under `allowed`, the words in which an error message describes it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta

ASSIGNMENT_NAME_LENGTH: Final = 24
"""Azure refuses a longer name for an assignment at a management group (InvalidPolicyAssignmentName)."""

TEXT_END: Final = r"$(?!\n)"
"""The end of a text. Python's `$` alone would also match in front of a final line feed."""


class Cloud(StrEnum):
    """An Azure cloud. Each has its own management endpoints and its own Azure KMS."""

    PUBLIC = "public"
    US_GOVERNMENT = "usgovernment"
    CHINA = "china"


class ActivationPolicy(StrEnum):
    """When a machine is compliant; the parameter `ActivationPolicy` of the DSC resource."""

    NO_AVMA = "NoAvma"
    AVMA_REPLACED = "AvmaReplaced"
    KMS_CLIENT_ONLY = "KmsClientOnly"
    ACTIVATED = "Activated"


class KmsProbe(StrEnum):
    """On which machines a KMS host that gives no answer stops the remediation; `KmsProbe` of the resource."""

    WHEN_LICENSED = "WhenLicensed"
    ALWAYS = "Always"
    NEVER = "Never"


class RemediationMode(StrEnum):
    """Whether machines are changed, once or after every drift; the spelling is Azure's assignmentType."""

    OFF = "off"
    APPLY_AND_MONITOR = "ApplyAndMonitor"
    APPLY_AND_AUTO_CORRECT = "ApplyAndAutoCorrect"


class PrerequisitesMode(StrEnum):
    """Whether the pack brings policies that give machines an identity and the extension."""

    NONE = "none"
    OWN = "own"


class PackageAccess(StrEnum):
    """How machines are allowed to download the packages."""

    PUBLIC = "public"
    SAS = "sas"
    USER_ASSIGNED = "user-assigned"
    SYSTEM_ASSIGNED = "system-assigned"


class Enforcement(StrEnum):
    """Azure's `enforcementMode` of an assignment."""

    DEFAULT = "Default"
    DO_NOT_ENFORCE = "DoNotEnforce"


def _text(pattern: str, allowed: str, longest: int | None = None) -> Meta:
    return Meta(pattern=f"^{pattern}{TEXT_END}", max_length=longest, extra={"allowed": allowed})


# A custom definition has one version, and an assignment would have to repeat a new major. Azure takes three
# numbers and no label: policyDefinitions/versions in its JSON schema of Microsoft.Authorization.
Version = Annotated[
    str,
    _text(
        r"1\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})",
        "1.<minor>.<patch>, such as '1.2.0'; always 1, for a custom policy definition has but one version",
    ),
]

Prefix = Annotated[
    str,
    _text(
        r"[a-z0-9]([a-z0-9-]*[a-z0-9])?",
        f"1 to {ASSIGNMENT_NAME_LENGTH} lower-case letters, digits and hyphens, no hyphen at either end",
        ASSIGNMENT_NAME_LENGTH,
    ),
]

Suffix = Annotated[
    str,
    _text(
        r"(-?[a-z0-9]([a-z0-9-]*[a-z0-9])?)?",
        f"at most {ASSIGNMENT_NAME_LENGTH} lower-case letters, digits and hyphens, no hyphen at the end",
        ASSIGNMENT_NAME_LENGTH,
    ),
]

OsId = Annotated[str, _text(r"ws[0-9a-z]{1,16}", "the id of a Windows Server version, such as 'ws2022'")]

# RFC 1123, section 2.1: letters, digits and hyphens, 63 to a label and 253 in all; an IPv4 address fits.
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
HostName = Annotated[
    str,
    _text(
        rf"{_LABEL}(\.{_LABEL})*",
        "a host name alone, with no scheme, slash or brackets; the port is kms.port",
        253,
    ),
]

# Tag names and values: Microsoft's "Naming rules and restrictions for Azure resources", Microsoft.Resources.
# Quotes and brackets are Azure's to allow, but they would end the expression tags['name'] of a policy rule.
TagName = Annotated[
    str,
    _text(
        r"""[^<>%&\\?/'"\[\]\u0000-\u001f\u007f]+""",
        "the name of a tag: 1 to 512 characters, none of them < > % & \\ ? / ' \" [ ]",
        512,
    ),
]

TagValue = Annotated[str, Meta(max_length=256, extra={"allowed": "a text of at most 256 characters"})]

# Only characters that need no quoting in a policy, a URL or a shell.
BaseUri = Annotated[
    str,
    _text(
        r"https://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?(/[A-Za-z0-9._~$%-]+)*/?",
        "the https URL of a container, with no query (a SAS has no place in a file), fragment or user name",
        1024,
    ),
]

# The same page, Microsoft.ManagedIdentity and Microsoft.Resources. Azure ignores case in resource ids, and
# its own tools write it in several ways: those are taken.
ManagedIdentityId = Annotated[
    str,
    _text(
        r"/subscriptions/[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
        r"""/resource[Gg]roups/[^/<>%&?#\\:*'"\s]{1,90}"""
        r"/providers/[Mm]icrosoft\.[Mm]anaged[Ii]dentity/user[Aa]ssigned[Ii]dentities"
        r"/[A-Za-z0-9][A-Za-z0-9_-]{2,127}",
        "/subscriptions/<id>/resourceGroups/<group>/providers/Microsoft.ManagedIdentity/userAssignedIdentities/<name>",
    ),
]

ManagementGroupId = Annotated[
    str,
    _text(
        r"[A-Za-z0-9]([A-Za-z0-9_.()-]*[A-Za-z0-9_()-])?",
        "the id of a management group alone: at most 90 letters, digits and - _ . ( ), no period at the end",
        90,
    ),
]

Location = Annotated[str, _text(r"[a-z][a-z0-9]*", "the short name of a region, such as 'westeurope'", 64)]
