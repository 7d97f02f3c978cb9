"""Checks a pack on disk again: packages, policies, and that they belong together."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from avma_pack.errors import AvmaPackError, PackageError
from avma_pack.packaging import archive, inspection, manifest
from avma_pack.packaging.inspection import Check
from avma_pack.rendering.checks.json_tree import as_array, as_object, as_text, dig
from avma_pack.rendering.pack import check_policies
from avma_pack.rendering.render import CONTENT_BASE_URI

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from avma_pack.packaging.archive import Archive
    from avma_pack.packaging.manifest import Manifest, PackageInfo
    from avma_pack.rendering.checks import JsonObject


def validate(pack: Path) -> Iterator[Check]:
    """Every check of the pack in this folder, passed and failed, in a fixed order.

    Raises:
        UsageError: the folder is no pack.
    """
    try:
        described = manifest.read(pack)
    except PackageError as error:
        yield Check("manifest", manifest.MANIFEST, False, str(error))
        return
    yield Check("manifest", manifest.MANIFEST, True, f"schema version {described.schema_version}")
    hashes: dict[str, str] = {}
    for package in described.packages:
        yield from _check_package(pack, package, hashes)
    yield from _check_policies(pack, described, hashes)


def _check_package(pack: Path, expected: PackageInfo, hashes: dict[str, str]) -> Iterator[Check]:
    try:
        found = archive.read(pack / expected.file)
    except AvmaPackError as error:
        yield Check("archive", expected.file, False, str(error))
        return
    hashes[expected.name] = found.sha256
    yield Check("archive", expected.file, True, f"{len(found.entries)} files, {found.size:,} bytes")
    yield _equal("hash", expected.file, "SHA-256", found.sha256, expected.sha256)
    yield _equal("size", expected.file, "size in bytes", found.size, expected.size)
    yield from inspection.check(found)
    yield from _compare(found, expected)


def _compare(found: Archive, expected: PackageInfo) -> Iterator[Check]:
    """The package is the one that the manifest speaks of."""
    try:
        view = inspection.inspect(found)
    except AvmaPackError:
        return  # said already, by the checks of the package
    yield _equal("manifest", expected.file, "name", view.name, expected.name)
    yield _equal("manifest", expected.file, "type", view.type, expected.type)
    yield _equal("manifest", expected.file, "version", view.version, expected.version)


def _check_policies(pack: Path, described: Manifest, hashes: Mapping[str, str]) -> Iterator[Check]:
    policies: dict[str, JsonObject] = {}
    for path in described.policies:
        try:
            payload = json.loads((pack / path).read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            yield Check("policy", path, False, f"cannot be read: {reason}")
            continue
        if isinstance(payload, dict):
            policies[path.removeprefix("policies/")] = payload
        else:
            yield Check("policy", path, False, "is not a JSON object")
    if len(policies) < len(described.policies):
        return  # the checks need all of them, and what cannot be read was said
    problems = check_policies(policies)
    for name, payload in policies.items():
        path = f"policies/{name}"
        found = [str(problem) for file, problem in problems if file == name]
        for problem in found:
            yield Check("policy", path, False, problem)
        if not found:
            yield Check("policy", path, True, "well-formed, within Azure's limits, references resolve")
        yield from _check_package_of(path, payload, described, hashes)


def _check_package_of(
    path: str, payload: JsonObject, described: Manifest, hashes: Mapping[str, str]
) -> Iterator[Check]:
    """A definition that assigns a package assigns the one that lies in the pack, in the pack's mode."""
    configuration = as_object(dig(payload, "properties", "metadata", "guestConfiguration"))
    if not configuration:
        return
    name = as_text(configuration.get("name"))
    package = next((package for package in described.packages if package.name == name), None)
    if package is None:
        yield Check("content", path, False, f"assigns {name!r}, which is no package of the pack")
        return
    if name in hashes:  # a package that cannot be read was said already
        yield _equal("content-hash", path, f"contentHash of {name}", configuration.get("contentHash"), hashes[name])
    base_uri = described.settings.packages.base_uri or CONTENT_BASE_URI
    expected_uri = f"{base_uri}/{package.file.rpartition('/')[2]}"
    yield _equal("content-uri", path, "contentUri", configuration.get("contentUri"), expected_uri)
    yield _equal("content-version", path, f"version of {name}", configuration.get("version"), package.version)
    template = dig(payload, "properties", "policyRule", "then", "details", "deployment", "properties", "template")
    for resource in as_array(as_object(template).get("resources")):
        mode = dig(resource, "properties", "guestConfiguration", "assignmentType")
        yield _equal("assignment-type", path, "assignmentType", mode, str(described.settings.remediation.mode))


def _equal(name: str, subject: str, what: str, found: object, expected: object) -> Check:
    if found == expected:
        return Check(name, subject, True, f"{what} {found}")
    return Check(name, subject, False, f"{what} is {found}, expected {expected}")
