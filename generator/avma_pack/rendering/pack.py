"""Joins packages, policies and manifest into a pack, checks it, and writes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from avma_pack.errors import AvmaPackError, PolicyError
from avma_pack.files import json_bytes, replace_files
from avma_pack.packaging import manifest as manifests
from avma_pack.packaging.build import build_packages, module_version
from avma_pack.packaging.manifest import Manifest, PackageInfo, PackInfo
from avma_pack.rendering.checks import check_assignment, check_definition, check_initiative
from avma_pack.rendering.render import render
from avma_pack.settings import check, in_force

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from avma_pack.catalog import Catalog, Release
    from avma_pack.packaging.build import Package
    from avma_pack.rendering.checks import JsonObject, Problem
    from avma_pack.settings import Settings


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack in memory: its manifest, its packages, and its policy payloads by file name below `policies/`."""

    manifest: Manifest
    packages: tuple[Package, ...]
    policies: Mapping[str, JsonObject]

    def files(self) -> dict[str, bytes]:
        """Every file of the pack by its path, the manifest last."""
        contents = {f"packages/{package.file_name}": package.content for package in self.packages}
        contents |= {f"policies/{name}": json_bytes(payload) for name, payload in self.policies.items()}
        return contents | {manifests.MANIFEST: manifests.encode(self.manifest)}

    def write(self, folder: Path) -> None:
        """Write the pack, whole or not at all, over an older one; raises as `write_packs` does."""
        write_packs({folder: self})


def build_pack(settings: Settings, catalog: Catalog) -> Pack:
    """Build and check the pack that the settings describe. Nothing is written.

    Raises:
        UsageError: an OS id is not known.
        SettingsError: names get too long with the suffix.
        PackageError: the installation is damaged.
        PolicyError: a policy that Azure would refuse, for example because a text of the settings is too long.
    """
    releases = catalog.select(settings.pack.os)
    if len(releases) == len(catalog.releases):
        settings = msgspec.structs.replace(settings, pack=msgspec.structs.replace(settings.pack, os=()))
    version = settings.pack.version or module_version()
    settings = with_suffix(settings, _suffix(settings, catalog, releases))
    packages = build_packages(catalog, releases, version=version, suffix=settings.pack.suffix)
    policies = render(settings, packages)
    problems = check_policies(policies)
    if problems:
        raise PolicyError(
            "\n".join(f"policies/{name}: {problem}" for name, problem in problems),
            next_step="Shorten or correct the setting that this comes from.",
        )
    return Pack(_manifest(settings, version, packages, policies), packages, policies)


def write_packs(packs: Mapping[Path, Pack]) -> None:
    """Write packs by their folders, over older ones: all of them, or none.

    Raises:
        OutputError: a folder holds files of others, or cannot be written.
    """
    replace_files({folder: pack.files() for folder, pack in packs.items()}, owned=_owned)


def build_each(settings: Settings, catalog: Catalog, os_ids: Collection[str]) -> dict[str, Pack]:
    """One pack for every release in `os_ids` (all, where there are none), by OS id; `-<id>` ends the suffix of each."""
    releases = catalog.select(os_ids)
    return {release.id: build_pack(_for_release(settings, release), catalog) for release in releases}


def check_policies(policies: Mapping[str, JsonObject]) -> list[tuple[str, Problem]]:
    """All checks of all payloads: (file name, problem)."""
    definitions = {str(policy.get("name")): policy for name, policy in policies.items() if "/" in name}
    found: list[tuple[str, Problem]] = []
    for name, policy in policies.items():
        if name == "assignment.json":
            problems = check_assignment(policy, policies.get("initiative.json", {}), definitions)
        elif name == "initiative.json":
            problems = check_initiative(policy, definitions)
        else:
            problems = check_definition(policy)
        found += [(name, problem) for problem in problems]
    return found


def with_suffix(settings: Settings, suffix: str) -> Settings:
    """The settings with this suffix, checked again."""
    pack = msgspec.structs.replace(settings.pack, suffix=suffix)
    return check(msgspec.structs.replace(settings, pack=pack))


def _for_release(settings: Settings, release: Release) -> Settings:
    pack = msgspec.structs.replace(settings.pack, os=(release.id,))
    return with_suffix(msgspec.structs.replace(settings, pack=pack), f"{settings.pack.suffix}-{release.id}")


def _suffix(settings: Settings, catalog: Catalog, releases: Sequence[Release]) -> str:
    """A pack for one release has the release's id for a suffix, unless the settings name one."""
    if settings.pack.suffix or len(releases) == len(catalog.releases):
        return settings.pack.suffix
    return f"-{releases[0].id}"


def _manifest(
    settings: Settings, version: str, packages: Sequence[Package], policies: Mapping[str, JsonObject]
) -> Manifest:
    return Manifest(
        pack=PackInfo(settings.pack.prefix, version, settings.pack.suffix, settings.pack.cloud),
        settings=in_force(settings, version),
        packages=tuple(
            PackageInfo(
                role=package.kind.role,
                name=package.name,
                version=package.version,
                type=package.kind.type,
                file=f"packages/{package.file_name}",
                sha256=package.sha256,
                size=package.size,
                os_ids=package.os_ids,
            )
            for package in packages
        ),
        policies=tuple(f"policies/{name}" for name in policies),
    )


def _owned(folder: Path) -> Sequence[str]:
    """The files that the pack in this folder consists of; none where there is no readable pack."""
    try:
        return manifests.read(folder).files
    except AvmaPackError:
        return ()
