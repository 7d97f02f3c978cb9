"""`avma-pack settings`: the settings file and its schema."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from avma_pack.cli import output

app = typer.Typer(
    no_args_is_help=True,
    help="Write a settings file, or print its JSON schema.\n\nExample: avma-pack settings init",
)


@app.command("init")
def init(
    file: Annotated[Path, typer.Argument(help="File to write; - for stdout.", allow_dash=True)] = Path("pack.toml"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it exists.")] = False,
) -> None:
    """Write a commented settings file with every setting at its default.

    Example: avma-pack settings init pack.toml
    """
    from avma_pack.files import write_file
    from avma_pack.settings import commented_template

    text = commented_template()
    if str(file) == "-":
        sys.stdout.write(text)
        return
    write_file(file, text.encode(), overwrite=force)
    output.note(f"{file} was written. `avma-pack build --settings {file}` builds a pack from it.")


@app.command("schema")
def schema() -> None:
    """Print the JSON schema of the settings file, for editors and other tools.

    Example: avma-pack settings schema > pack.schema.json
    """
    from avma_pack.settings import json_schema

    output.print_json(json_schema())
