"""`avma-pack inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from avma_pack.cli import output
from avma_pack.cli.output import OutputOption

if TYPE_CHECKING:
    from avma_pack.packaging.inspection import PackageView


def inspect(
    package: Annotated[Path, typer.Argument(metavar="ZIP", help="A Guest Configuration package.")],
    output_format: OutputOption = "table",
) -> None:
    """Show what is inside a Guest Configuration package, this pack's or anyone's.

    Example: avma-pack inspect dist/packages/AuditAvmaKey_1.0.0.zip
    """
    from avma_pack.packaging import archive, inspection

    view = inspection.inspect(archive.read(package))
    if output_format == "json":
        output.print_json(_as_data(view))
        return
    output.print_facts(
        [
            ("Configuration", view.name),
            ("Type", view.type or "not stated"),
            ("Version", view.version or "not stated"),
            *((name, str(value)) for name, value in view.metaconfig.items()),
            ("SHA-256", view.sha256),
            ("Size", f"{view.size:,} bytes, {view.unpacked_size:,} uncompressed"),
            ("Signed", "yes (not verified)" if view.signed else "no"),
        ]
    )
    for instance in view.instances:
        title = f"{instance.resource_id or instance.class_name} from {instance.module_name} {instance.module_version}"
        properties = [(name, str(value)) for name, value in instance.properties.items()]
        output.print_table(("Property", "Value"), properties, title=title)
    modules = [
        (module.name, module.version or "not determined", str(module.files), f"{module.size:,}")
        for module in view.modules
    ]
    output.print_table(("Module", "Version", "Files", "Bytes"), modules)
    output.print_table(("File", "Bytes"), [(path, f"{size:,}") for path, size in view.files])


def _as_data(view: PackageView) -> dict[str, Any]:
    return {
        "name": view.name,
        "type": view.type,
        "version": view.version,
        "metaconfig": dict(view.metaconfig),
        "sha256": view.sha256,
        "size": view.size,
        "unpackedSize": view.unpacked_size,
        "signed": view.signed,
        "instances": [
            {
                "class": instance.class_name,
                "resourceId": instance.resource_id,
                "moduleName": instance.module_name,
                "moduleVersion": instance.module_version,
                "properties": {name: _plain(value) for name, value in instance.properties.items()},
            }
            for instance in view.instances
        ],
        "modules": [
            {"name": module.name, "version": module.version, "files": module.files, "size": module.size}
            for module in view.modules
        ],
        "files": [{"path": path, "size": size} for path, size in view.files],
    }


def _plain(value: object) -> object:
    """A MOF value as JSON has it; references to other instances as their text."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
