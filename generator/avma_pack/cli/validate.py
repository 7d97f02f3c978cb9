"""`avma-pack validate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from avma_pack.cli import output
from avma_pack.cli.output import OutputOption
from avma_pack.errors import ExitCode


def validate(
    pack: Annotated[Path, typer.Argument(metavar="[DIR]", help="Folder of the pack.")] = Path("dist"),
    output_format: OutputOption = "table",
) -> None:
    """Check a pack on disk again: packages, policies, and that they belong together. Exit 5 if something is broken.

    Example: avma-pack validate dist
    """
    from avma_pack.rendering.validate import validate as checks_of

    checks = list(checks_of(pack))
    failed = sum(not check.ok for check in checks)
    if output_format == "json":
        output.print_json(
            {
                "path": pack.as_posix(),
                "ok": not failed,
                "checks": [
                    {"check": check.name, "subject": check.subject, "ok": check.ok, "detail": check.detail}
                    for check in checks
                ],
            }
        )
    else:
        output.print_lines(
            f"{'ok  ' if check.ok else 'FAIL'}  {check.name}: {check.subject}: {check.detail}" for check in checks
        )
    output.note(f"{len(checks)} checks, {failed} failed." if failed else f"{len(checks)} checks, all passed.")
    if failed:
        raise typer.Exit(ExitCode.BROKEN_PACK)
