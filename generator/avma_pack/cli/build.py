"""`avma-pack build`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from avma_pack.cli import output
from avma_pack.cli.operating_systems import complete_os_id
from avma_pack.cli.output import OutputOption
from avma_pack.errors import UsageError

if TYPE_CHECKING:
    from avma_pack.rendering.pack import Pack
    from avma_pack.settings import Settings

RemediateMode = Literal["off", "ApplyAndMonitor", "ApplyAndAutoCorrect"]

_PACKS_AT_A_SCOPE = 2
"""Every pack is a guest assignment or two on a machine, of at most 50; more than two packs want a reason."""


def build(
    settings: Annotated[
        Path | None,
        typer.Option("--settings", help="Settings file; without it ./pack.toml if there is one."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder to write.")] = Path("dist"),
    os: Annotated[
        list[str] | None,
        typer.Option(
            "--os",
            metavar="ID",
            help="Only this release; may be repeated. See `avma-pack os list`.",
            autocompletion=complete_os_id,
        ),
    ] = None,
    suffix: Annotated[
        str | None, typer.Option("--suffix", help="Ends the pack's names, so that packs live side by side.")
    ] = None,
    each_os: Annotated[bool, typer.Option("--each-os", help="One pack per release, under OUT/<id>.")] = False,
    content_base_uri: Annotated[
        str | None,
        typer.Option("--content-base-uri", metavar="URI", help="Where the packages will lie (https, no SAS)."),
    ] = None,
    remediate: Annotated[
        RemediateMode | None,
        typer.Option(
            "--remediate",
            metavar="MODE",
            help="Also replace keys: off, ApplyAndMonitor (once) or ApplyAndAutoCorrect (at every drift).",
        ),
    ] = None,
    output_format: OutputOption = "table",
) -> None:
    """Build packages, policies and manifest. Needs no Azure account and changes nothing in Azure.

    Example: avma-pack build --os ws2019 --remediate ApplyAndAutoCorrect --out dist/ws2019
    """
    from msgspec.structs import replace

    from avma_pack.catalog import load_catalog
    from avma_pack.rendering.pack import build_each, build_pack, write_packs
    from avma_pack.settings import load

    if content_base_uri == "":
        raise UsageError("--content-base-uri is empty.", next_step="Name the container's https URL, or leave it out.")
    catalog = load_catalog()
    os_ids = [os_id.strip().lower() for value in os or () for os_id in value.split(",")]
    catalog.select(os_ids)  # says more of an unknown id than the check of the settings could
    releases: tuple[str, ...] = ()

    def with_options(file: Settings) -> Settings:
        nonlocal releases
        wanted = _with_options(file, os_ids, suffix, content_base_uri, remediate)
        releases = wanted.pack.os
        # With a pack for each release, the chosen ones are no pack of their own.
        return replace(wanted, pack=replace(wanted.pack, os=())) if each_os else wanted

    chosen = load(settings, os_ids=catalog.ids, change=with_options)
    if each_os:
        packs = {out / os_id: pack for os_id, pack in build_each(chosen, catalog, releases).items()}
    else:
        packs = {out: build_pack(chosen, catalog)}
    write_packs(packs)
    _show(packs, output_format)
    _advise(packs, chosen)


def _with_options(
    settings: Settings,
    os: list[str],
    suffix: str | None,
    content_base_uri: str | None,
    remediate: RemediateMode | None,
) -> Settings:
    """The settings, with what the options say instead; they are checked together afterwards."""
    from msgspec.structs import replace

    from avma_pack.settings import RemediationMode

    pack, packages, remediation = settings.pack, settings.packages, settings.remediation
    if os:
        pack = replace(pack, os=tuple(dict.fromkeys(os)))
    if suffix is not None:
        pack = replace(pack, suffix=suffix)
    if content_base_uri is not None:
        packages = replace(packages, base_uri=content_base_uri)
    if remediate is not None:
        remediation = replace(remediation, mode=RemediationMode(remediate))
    return replace(settings, pack=pack, packages=packages, remediation=remediation)


def _show(packs: dict[Path, Pack], output_format: output.Format) -> None:
    if output_format == "json":
        output.print_json({"packs": [_summary(folder, pack) for folder, pack in packs.items()]})
        return
    output.print_table(
        ("File", "What it is", "SHA-256"),
        (
            ((folder / file).as_posix(), what, sha256)
            for folder, pack in packs.items()
            for file, what, sha256 in _files(pack)
        ),
    )


def _summary(folder: Path, pack: Pack) -> dict[str, Any]:
    import msgspec

    described = msgspec.to_builtins(pack.manifest)
    return {
        "path": folder.as_posix(),
        "pack": described["pack"],
        "packages": described["packages"],
        "policies": described["policies"],
    }


def _files(pack: Pack) -> list[tuple[str, str, str]]:
    packages = [
        (package.file, f"package, Type {package.type}, {package.size:,} bytes", package.sha256)
        for package in pack.manifest.packages
    ]
    policies = [
        (f"policies/{name}", str(payload["properties"]["displayName"]), "") for name, payload in pack.policies.items()
    ]
    return [*packages, *policies, ("manifest.json", "manifest of the pack", "")]


def _advise(packs: dict[Path, Pack], settings: Settings) -> None:
    from avma_pack.settings import PackageAccess

    if settings.packages.access is PackageAccess.SAS:
        output.note(
            "The packages are to be read by a SAS, which is made when they are published and is in no file: the URIs "
            "in these policies have none, so machines cannot download by them as they are."
        )
    if settings.packages.base_uri is None:
        output.note(
            "No location of the packages is known, so the policies hold the placeholder __CONTENT_BASE_URI__ instead. "
            "Name it with --content-base-uri or packages.base-uri before you deploy them by other means."
        )
    if len(packs) > _PACKS_AT_A_SCOPE:
        output.note(
            f"{len(packs)} packs were built. A machine takes at most 50 guest assignments, and each pack adds one or "
            "two wherever it is assigned: assign more than two at one scope only with a reason. The pack for all "
            "releases (without --each-os) does the same in one."
        )
