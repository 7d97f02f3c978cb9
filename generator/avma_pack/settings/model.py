# No postponed annotations here: msgspec reads them when it checks a value.
"""The settings of a pack: one frozen struct per table of `pack.toml`.

The descriptions stand here once; the JSON schema, the commented file and the error messages are made of them.
A setting that may be left out is None where there is nothing to say, and `""` in the file says the same.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from avma_pack.settings.values import (
    ActivationPolicy,
    BaseUri,
    Cloud,
    Enforcement,
    HostName,
    KmsProbe,
    Location,
    ManagedIdentityId,
    ManagementGroupId,
    OsId,
    PackageAccess,
    Prefix,
    PrerequisitesMode,
    RemediationMode,
    Suffix,
    TagName,
    TagValue,
    Version,
)

AZURE_KMS: Final[Mapping[Cloud, tuple[str, ...]]] = MappingProxyType(
    {
        Cloud.PUBLIC: ("azkms.core.windows.net", "kms.core.windows.net"),
        Cloud.US_GOVERNMENT: ("kms.core.usgovcloudapi.net", "azkms.core.usgovcloudapi.net"),
        Cloud.CHINA: ("azkms.core.chinacloudapi.cn", "kms.core.chinacloudapi.cn"),
    }
)
"""Azure's own KMS hosts by cloud: first the one that a pack uses, then others that are its as well.

The first are those of Microsoft's page "Troubleshoot Azure Windows virtual machine activation problems"
(2024-03-14), which names two for China. The others stand there or in "Windows activation fails in forced
tunneling scenario" (2024-07-17).
"""


class Pack(Struct, frozen=True, forbid_unknown_fields=True, rename="kebab", kw_only=True):
    """What the pack is called and which machines and cloud it is made for."""

    version: Annotated[
        Version | None,
        Meta(description="Version of packages and policies; empty: that of the DSC module.", examples=["1.2.0"]),
    ] = None
    prefix: Annotated[
        Prefix, Meta(description="First part of the names of definitions, initiative and assignment.")
    ] = "avma-pack"
    suffix: Annotated[
        Suffix,
        Meta(description="Last part of those names, so that packs live side by side.", examples=["pilot"]),
    ] = ""
    cloud: Annotated[Cloud, Meta(description="Azure cloud of the machines.")] = Cloud.PUBLIC
    os: Annotated[
        tuple[OsId, ...],
        Meta(
            description="Windows Server versions to judge; empty: all.",
            examples=[["ws2022", "ws2025"]],
            extra_json_schema={"uniqueItems": True},
        ),
    ] = ()

    def __post_init__(self) -> None:
        """Give the suffix its leading hyphen."""
        if self.suffix and not self.suffix.startswith("-"):
            msgspec.structs.force_setattr(self, "suffix", f"-{self.suffix}")


class Activation(Struct, frozen=True, forbid_unknown_fields=True, rename="kebab", kw_only=True):
    """What is asked of a machine."""

    policy: Annotated[
        ActivationPolicy | None,
        Meta(description="Rule to meet; empty: each package's own default."),
    ] = None
    replace_other_keys: Annotated[
        bool,
        Meta(description="Whether remediation may replace keys that are neither AVMA nor KMS client keys."),
    ] = False


class Kms(Struct, frozen=True, forbid_unknown_fields=True, rename="kebab", kw_only=True):
    """Where machines are to activate."""

    server: Annotated[
        HostName | None,
        Meta(description="KMS host; empty: Azure KMS of the cloud.", examples=["kms.contoso.com"]),
    ] = None
    port: Annotated[int, Meta(ge=1, le=65535, description="TCP port of the KMS host.")] = 1688
    probe: Annotated[KmsProbe, Meta(description="On which machines a KMS host without answer stops remediation.")] = (
        KmsProbe.WHEN_LICENSED
    )


class Remediation(Struct, frozen=True, forbid_unknown_fields=True, rename="kebab", kw_only=True):
    """Whether machines are changed."""

    mode: Annotated[
        RemediationMode,
        Meta(description="Change machines never, once, or at every drift."),
    ] = RemediationMode.OFF

    @property
    def enabled(self) -> bool:
        """Whether the pack changes machines at all."""
        return self.mode is not RemediationMode.OFF


class TagFilter(Struct, frozen=True, forbid_unknown_fields=True, rename="kebab", kw_only=True):
    """Restricts the pack to machines that carry a tag."""

    name: Annotated[
        TagName | None, Meta(description="Name of the tag; empty: all machines.", examples=["activation"])
    ] = None
    values: Annotated[
        tuple[TagValue, ...],
        Meta(
            description="Values that the tag may have; empty: it merely has to exist.",
            examples=[["kms", "pilot"]],
            extra_json_schema={"uniqueItems": True},
        ),
    ] = ()


class Prerequisites(Struct, frozen=True, forbid_unknown_fields=True, rename="kebab", kw_only=True):
    """The identity and the extension that machines need to report at all."""

    mode: Annotated[
        PrerequisitesMode,
        Meta(description="Whether the pack brings policies of its own that install them."),
    ] = PrerequisitesMode.NONE


class Packages(Struct, frozen=True, forbid_unknown_fields=True, rename="kebab", kw_only=True):
    """Where machines download the packages, and by what right."""

    base_uri: Annotated[
        BaseUri | None,
        Meta(
            description="Container of the packages; never with a SAS.",
            examples=["https://contoso.blob.core.windows.net/packages"],
        ),
    ] = None
    access: Annotated[PackageAccess, Meta(description="How machines may read it.")] = PackageAccess.PUBLIC
    identity: Annotated[
        ManagedIdentityId | None,
        Meta(description="Resource id of the managed identity; for user-assigned access, and only for it."),
    ] = None

    def __post_init__(self) -> None:
        """Drop a trailing slash, so that file names are always added in one way."""
        if self.base_uri is not None:
            msgspec.structs.force_setattr(self, "base_uri", self.base_uri.rstrip("/"))


class Assignment(Struct, frozen=True, forbid_unknown_fields=True, rename="kebab", kw_only=True):
    """Where and how the initiative is assigned."""

    management_group: Annotated[
        ManagementGroupId | None,
        Meta(description="Id of the management group; empty: named when deploying.", examples=["contoso-prod"]),
    ] = None
    location: Annotated[
        Location | None,
        Meta(
            description="Region of the assignment's identity; empty: named when deploying.",
            examples=["westeurope"],
        ),
    ] = None
    enforcement: Annotated[
        Enforcement,
        Meta(description="Azure's enforcement mode; with DoNotEnforce only remediation tasks deploy."),
    ] = Enforcement.DEFAULT
    non_compliance_message: Annotated[
        str | None,
        Meta(description="What Azure shows on a non-compliant machine; empty: the pack's own text."),
    ] = None


class Settings(Struct, frozen=True, forbid_unknown_fields=True, rename="kebab", kw_only=True):
    """All settings of a pack. Change them with `msgspec.structs.replace`, then call `check`."""

    pack: Annotated[Pack, Meta(description="What the pack is called and made for.")] = Pack()
    activation: Annotated[Activation, Meta(description="What is asked of a machine.")] = Activation()
    kms: Annotated[Kms, Meta(description="Where machines are to activate.")] = Kms()
    remediation: Annotated[Remediation, Meta(description="Whether machines are changed.")] = Remediation()
    tag_filter: Annotated[TagFilter, Meta(description="Restricts the pack to machines that carry a tag.")] = TagFilter()
    prerequisites: Annotated[
        Prerequisites, Meta(description="Identity and extension, without which a machine does not report.")
    ] = Prerequisites()
    packages: Annotated[Packages, Meta(description="Where machines download the packages, and by what right.")] = (
        Packages()
    )
    assignment: Annotated[Assignment, Meta(description="Where and how the initiative is assigned.")] = Assignment()

    @property
    def kms_server(self) -> str:
        """The KMS host in force: the one that was set, else Azure KMS of the cloud."""
        return self.kms.server or AZURE_KMS[self.pack.cloud][0]


def in_force(settings: Settings, version: str) -> Settings:
    """The settings with what follows from others filled in, for the manifest; there is no secret in them.

    `kms.server` is the host in force, `pack.version` is `version` where none was set. None stays where each package
    has its own default; an empty `os` means all.
    """
    pack = msgspec.structs.replace(settings.pack, version=settings.pack.version or version)
    kms = msgspec.structs.replace(settings.kms, server=settings.kms_server)
    base_uri = settings.packages.base_uri
    # Checked settings have no query; unchecked ones must not carry a SAS into a file either.
    packages = msgspec.structs.replace(settings.packages, base_uri=base_uri and base_uri.partition("?")[0])
    return msgspec.structs.replace(settings, pack=pack, kms=kms, packages=packages)
