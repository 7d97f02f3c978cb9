"""Builds the two Guest Configuration packages of a pack: module, catalog, MOF and metaconfig, in one archive each.

A package is a function of the module, the chosen releases, the pack's suffix and its version. KMS host,
policy and the like are parameters that Azure Policy passes to it, so a change of theirs needs no new package.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from avma_pack import assets
from avma_pack.catalog import guest_catalog
from avma_pack.errors import PackageError
from avma_pack.files import json_bytes
from avma_pack.packaging import archive
from avma_pack.packaging.parameters import PARAMETERS
from avma_pack.packaging.templating import environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from avma_pack.catalog import Catalog, Release

MODULE = "AvmaActivation"

Role = Literal["audit", "remediate"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One of the two packages: what it is for, its name without suffix, its Type and its own default policy.

    A package of Type `Audit` cannot change a machine: the agent never calls Set for it.
    """

    role: Role
    name: str
    type: Literal["Audit", "AuditAndSet"]
    policy: str


KINDS = (
    Kind("audit", "AuditAvmaKey", "Audit", "NoAvma"),
    Kind("remediate", "ReplaceAvmaKeyWithKms", "AuditAndSet", "AvmaReplaced"),
)


@dataclass(frozen=True, slots=True)
class Package:
    """A built package. `sha256` is upper-case hex, as Azure's `contentHash`; `size` is in bytes."""

    kind: Kind
    name: str
    version: str
    os_ids: tuple[str, ...]
    content: bytes
    sha256: str

    @property
    def type(self) -> str:
        """`Audit` or `AuditAndSet`."""
        return self.kind.type

    @property
    def file_name(self) -> str:
        """The version stands in the file name: Azure ignores it elsewhere for custom packages."""
        return f"{self.name}_{self.version}.zip"

    @property
    def size(self) -> int:
        """Size of the archive in bytes; stored entries make that its size uncompressed, too."""
        return len(self.content)


def build_packages(catalog: Catalog, releases: Sequence[Release], *, version: str, suffix: str) -> tuple[Package, ...]:
    """The audit and the remediation package for `releases`, in this order.

    Args:
        catalog: Everything that is known; says whether `releases` is all of it.
        releases: What the packages answer for.
        version: The pack's version, `1.x.y`.
        suffix: The pack's suffix, empty or with its leading hyphen.

    Raises:
        PackageError: the shipped DSC module is incomplete.
    """
    guest = json_bytes(guest_catalog(catalog, releases, version))
    os_ids = tuple(release.id for release in releases)
    return tuple(_build(kind, version, suffix, os_ids, guest) for kind in KINDS)


def module_version() -> str:
    """The DSC module's version, which is also the pack's where the settings name none."""
    manifest = _module_files()[f"{MODULE}.psd1"].decode("ascii")
    found = re.search(r"^\s*ModuleVersion\s*=\s*'([0-9.]+)'", manifest, re.MULTILINE)
    if not found:
        raise PackageError(f"{MODULE}.psd1 names no ModuleVersion.", next_step="Install avma-pack again.")
    return found[1]


def _build(kind: Kind, version: str, suffix: str, os_ids: tuple[str, ...], guest: bytes) -> Package:
    name = kind.name + suffix.replace("-", "_")
    templates = environment(assets.packages())
    values = {
        "package": {"name": name, "type": kind.type, "version": version},
        "module_version": module_version(),
        "parameters": [
            {"name": each.name, "value": kind.policy if each.name == "ActivationPolicy" else each.default}
            for each in PARAMETERS
        ],
    }
    entries = {
        f"{name}.mof": templates.get_template("configuration.mof.j2").render(values).encode("ascii"),
        f"{name}.metaconfig.json": templates.get_template("metaconfig.json.j2").render(values).encode("ascii"),
        f"Modules/{MODULE}/catalog.json": guest,
    }
    entries |= {f"Modules/{MODULE}/{file}": content for file, content in _module_files().items()}
    content = archive.write(entries)
    return Package(kind, name, version, os_ids, content, hashlib.sha256(content).hexdigest().upper())


@cache
def _module_files() -> Mapping[str, bytes]:
    """The files of the module that travel to the guest: all but its tests."""
    folder = assets.packages() / MODULE
    files = {file.name: file.read_bytes() for file in sorted(folder.glob("*")) if file.is_file()}
    expected = {f"{MODULE}.psd1", f"{MODULE}.psm1", "reasons.json", "hresults.json"}
    if set(files) != expected:
        wrong = ", ".join(sorted(set(files) ^ expected))
        raise PackageError(f"{folder}: missing or foreign files: {wrong}.", next_step="Install avma-pack again.")
    return MappingProxyType(files)
