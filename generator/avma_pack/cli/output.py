"""What commands print: data on stdout as table or JSON, everything else on stderr."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Format = Literal["table", "json"]

OutputOption = Annotated[
    Format, typer.Option("--output", help="How to print the result.", show_default=True, case_sensitive=False)
]


def print_json(data: Any) -> None:
    """Print data as JSON, indented by two spaces."""
    sys.stdout.write(json.dumps(data, indent=2) + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "") -> None:
    """Print aligned columns: drawn by Rich on a terminal, plain and unwrapped into a pipe."""
    if not sys.stdout.isatty():
        _print_plain([columns, *rows], title)
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_printable(cell)) for cell in row))
    Console(highlight=False).print(table)


def _print_plain(rows: Sequence[Sequence[str]], title: str) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if title:
        print_lines([title])
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print_lines(["  ".join(cells).rstrip()])


def print_lines(lines: Iterable[str]) -> None:
    """Print lines as they are."""
    for line in lines:
        sys.stdout.write(_printable(line) + "\n")


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Print names and values, one pair a line, aligned."""
    pairs = list(facts)
    width = max(len(name) for name, _ in pairs)
    print_lines(f"{name:<{width}}  {value}".rstrip() for name, value in pairs)


def note(text: str) -> None:
    """Tell the user something that is not the result."""
    sys.stderr.write(text + "\n")


def error(message: str, next_step: str = "") -> None:
    """Tell the user what went wrong and what to do next."""
    typer.secho("Error: ", fg=typer.colors.RED, bold=True, nl=False, err=True)
    note(message)
    if next_step:
        typer.secho("Next:  ", bold=True, nl=False, err=True)
        note(next_step)


def _printable(text: str) -> str:
    """The text without what would steer a terminal: packages of others are shown, too."""
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
