"""`manifest.json`: what a pack consists of. Later stages read it, and no settings file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from avma_pack.errors import PackageError, UsageError
from avma_pack.files import was_interrupted
from avma_pack.settings import Settings  # noqa: TC001 - msgspec reads the annotations at run time

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MANIFEST = "manifest.json"

SCHEMA_VERSION = 1

_REBUILD = "Remove the folder's manifest.json, packages and policies, then build the pack again."
_INTERRUPTED = "A build of this folder was killed; run `avma-pack build` again, which puts the old files back first."
_FILE = re.compile(r"packages/\w+[\w.]*\.zip|policies/(definitions/)?[a-z]+\.json", re.ASCII)


class PackInfo(msgspec.Struct, frozen=True, rename="camel"):
    """Who the pack is: what it made in Azure is recognised by id, version and suffix."""

    id: str
    version: str
    suffix: str
    cloud: str


class PackageInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A package file: `file` is relative to the pack, `sha256` upper-case hex, `size` in bytes."""

    role: Literal["audit", "remediate"]
    name: str
    version: str
    type: Literal["Audit", "AuditAndSet"]
    file: str
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9A-F]{64}$")]
    size: int
    os_ids: tuple[str, ...]


class Manifest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The content of a pack, and the settings in force when it was built. Holds no secret.

    `policies` are paths relative to the pack, in the order in which they are deployed. The keys of `settings` are those
    of the settings file.
    """

    schema_version: Literal[1] = 1
    pack: PackInfo
    settings: Settings
    packages: tuple[PackageInfo, ...]
    policies: tuple[str, ...]

    @property
    def files(self) -> tuple[str, ...]:
        """Every file of the pack, relative to it, the manifest last."""
        return (*(package.file for package in self.packages), *self.policies, MANIFEST)


def encode(manifest: Manifest) -> bytes:
    """The manifest as it is written."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def read(pack: Path) -> Manifest:
    """The manifest of the pack in this folder.

    Raises:
        UsageError: the folder is no pack.
        PackageError: the manifest is damaged, or of a newer version of avma-pack.
    """
    file = pack / MANIFEST
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{pack}: is not a pack: {MANIFEST} cannot be read ({error.strerror}).",
            next_step=_INTERRUPTED if was_interrupted(pack) else "Name the folder that `avma-pack build` wrote.",
        ) from error
    try:
        version = msgspec.json.decode(data, type=_Version).schema_version
        if version > SCHEMA_VERSION:
            raise PackageError(
                f"{file}: has schema version {version}; this avma-pack knows {SCHEMA_VERSION}.",
                next_step="Use the avma-pack that built it, or a newer one.",
            )
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PackageError(f"{file}: is damaged: {error}.", next_step=_REBUILD) from error
    for fault in _faults(manifest):
        raise PackageError(f"{file}: is damaged: {fault}.", next_step=_REBUILD)
    return manifest


class _Version(msgspec.Struct, frozen=True, rename="camel"):
    """What every version of a manifest has."""

    schema_version: int


def _faults(manifest: Manifest) -> Iterator[str]:
    """What no pack has, whoever wrote its manifest: files elsewhere, parts missing or twice."""
    for path in manifest.files[:-1]:
        if not _FILE.fullmatch(path):
            yield f"{path!r} is not a file of a pack"
    if len(set(manifest.files)) < len(manifest.files):
        yield "a file is named twice"
    if sorted(package.role for package in manifest.packages) != ["audit", "remediate"]:
        yield "there is not one package to audit and one to remediate"
    for needed in ("policies/definitions/audit.json", "policies/initiative.json", "policies/assignment.json"):
        if needed not in manifest.policies:
            yield f"{needed} is missing"
