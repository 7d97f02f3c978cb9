"""The commands of `avma-pack` under one roof."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import avma_pack
from avma_pack.cli import build, demo, inspect, operating_systems, settings, validate
from avma_pack.errors import ExitCode

_EXIT_CODES = "Exit codes: " + "; ".join(f"{code} {code.meaning}" for code in ExitCode) + "."

app = typer.Typer(
    name="avma-pack",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_EXIT_CODES,
)


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"avma-pack {avma_pack.__version__}\n")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Find AVMA product keys on Windows Server VMs in Azure, and replace them with KMS.

    Builds Guest Configuration packages and Azure Policy definitions from one command, without an Azure account:

        avma-pack build
    """


app.command(rich_help_panel="Try")(demo.demo)
app.command(rich_help_panel="Build")(build.build)
app.command(rich_help_panel="Build")(validate.validate)
app.command(rich_help_panel="Build")(inspect.inspect)
app.add_typer(settings.app, name="settings", rich_help_panel="Look up")
app.add_typer(operating_systems.app, name="os", rich_help_panel="Look up")
