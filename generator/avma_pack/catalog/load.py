"""Reads and validates the OS catalog. Every error names the file and the entry."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import msgspec

from avma_pack import assets
from avma_pack.catalog.model import Catalog, Release
from avma_pack.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NEXT_STEP = "Correct the entry, then run `avma-pack os list` again."


def load_catalog(folder: Path | None = None) -> Catalog:
    """The catalog in `folder` (by default the one that is shipped), newest release first.

    Raises:
        CatalogError: a file that cannot be read, a malformed or unsourced value, dates out of order, one key
            for two editions, or a build and SKU that lead to two keys.
    """
    folder = folder or assets.packages() / "catalog"
    files = sorted(folder.glob("*.toml"))
    if not files:
        raise CatalogError(f"{folder}: no catalog file (*.toml) found.", next_step="Install avma-pack again.")
    releases = [_load_release(file) for file in files]
    _check_keys(releases)
    _check_machines(releases)
    releases.sort(key=lambda release: (release.channel == "SAC", -max(release.builds)))
    return Catalog(tuple(releases))


def _load_release(file: Path) -> Release:
    try:
        release = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), Release)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise CatalogError(f"{file.name}: {error}", next_step=_NEXT_STEP) from error
    for problem in _problems(file, release):
        raise CatalogError(f"{file.name}: {problem}", next_step=_NEXT_STEP)
    return release


def _problems(file: Path, release: Release) -> Iterator[str]:
    """What is wrong with one release by itself."""
    if release.id != file.stem:
        yield f"id is {release.id!r}, but the file name says {file.stem!r}"
    life = release.lifecycle
    dates = [life.available, life.mainstream_end, life.extended_end, life.security_updates_end]
    known = [date for date in dates if date]
    if known != sorted(known):
        yield f"lifecycle: the dates are not in order: {', '.join(map(str, known))}"
    for entry, source in _used_sources(release):
        if source not in release.sources:
            yield f"{entry}: the source {source!r} is not among [sources]"
    unused = set(release.sources) - {source for _, source in _used_sources(release)}
    if unused:
        yield f"sources: {', '.join(sorted(unused))} is the source of nothing"


def _used_sources(release: Release) -> Iterator[tuple[str, str]]:
    """Every value that needs a source, with the name of that source."""
    yield "builds", release.builds_source
    if any((release.lifecycle.available, release.lifecycle.support_end)):
        yield "lifecycle", release.lifecycle.source
    if release.lifecycle.mainstream_end_source:
        yield "lifecycle: mainstream-end", release.lifecycle.mainstream_end_source
    for edition in release.editions:
        yield f"edition {edition.name}: kms-client-key", edition.kms_client_key_source
        if edition.avma_last_five:
            yield f"edition {edition.name}: avma-last-five", edition.avma_last_five_source
        for entry in edition.skus:
            yield f"edition {edition.name}: SKU {entry.sku}", entry.sku_source
            if entry.edition_id:
                yield f"edition {edition.name}: EditionID {entry.edition_id}", entry.edition_id_source


def _check_keys(releases: list[Release]) -> None:
    """No key may stand for two editions; semi-annual releases do share the keys of an edition."""
    owners: dict[str, tuple[str, str]] = {}
    for release in releases:
        for edition in release.editions:
            for key in filter(None, (edition.kms_client_key, edition.avma_last_five)):
                file, name = owners.setdefault(key, (release.id, edition.name))
                if name != edition.name:
                    raise CatalogError(
                        f"{release.id}.toml: edition {edition.name}: the key that ends in {key[-5:]} is also that "
                        f"of {name} in {file}.toml",
                        next_step=_NEXT_STEP,
                    )


def _check_machines(releases: list[Release]) -> None:
    """What a machine says of itself (build, semi-annual or not, SKU) must lead to at most one key."""
    keys: dict[tuple[int, bool | None, int], str] = {}
    channels: dict[int, dict[bool | None, str]] = {}
    for release in releases:
        for build in release.builds:
            rivals = channels.setdefault(build, {})
            rivals[release.semi_annual] = release.id
            if len(rivals) > 1 and None in rivals:
                raise CatalogError(
                    f"{release.id}.toml: build {build} is shared by {' and '.join(sorted(rivals.values()))}, so both "
                    "must say semi-annual = true or false",
                    next_step=_NEXT_STEP,
                )
            for edition in release.editions:
                for entry in edition.skus:
                    machine = (build, release.semi_annual, entry.sku)
                    if keys.setdefault(machine, edition.kms_client_key) != edition.kms_client_key:
                        raise CatalogError(
                            f"{release.id}.toml: edition {edition.name}: build {build} with SKU {entry.sku} leads to "
                            "two KMS client keys",
                            next_step=_NEXT_STEP,
                        )
