"""What commands print: data on stdout as table or JSON, everything else on stderr."""

from __future__ import annotations

import json
import os
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from avma_pack.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

_BROKEN_PIPE = 141
"""The status of a program that a closed pipe ended, as shells count it: 128 and SIGPIPE."""

Format = Literal["table", "json"]

OutputOption = Annotated[
    Format, typer.Option("--output", help="How to print the result.", show_default=True, case_sensitive=False)
]


def print_json(data: Any) -> None:
    """Print data as JSON, indented by two spaces."""
    _write(json.dumps(data, indent=2) + "\n")


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "", whole: Collection[str] = ()
) -> None:
    """Print aligned columns: drawn by Rich on a terminal, plain and unwrapped into a pipe.

    The columns that `whole` names are never wrapped, so that they can be copied.
    """
    if sys.stdout is None or not sys.stdout.isatty():
        _print_plain([columns, *rows], title)
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in whole)
    for row in rows:
        table.add_row(*(Text(_printable(cell)) for cell in row))
    Console(highlight=False).print(table)


def _print_plain(rows: Sequence[Sequence[str]], title: str) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if title:
        print_lines(["", title])
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print_lines(["  ".join(cells).rstrip()])


def print_lines(lines: Iterable[str]) -> None:
    """Print lines as they are."""
    for line in lines:
        _write(_printable(line) + "\n")


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Print names and values, one pair a line, aligned."""
    pairs = list(facts)
    width = max(len(name) for name, _ in pairs)
    print_lines(f"{name:<{width}}  {value}".rstrip() for name, value in pairs)


def note(text: str) -> None:
    """Tell the user something that is not the result."""
    if sys.stderr is not None:
        sys.stderr.write(text + "\n")


def error(message: str, next_step: str = "") -> None:
    """Tell the user what went wrong and what to do next."""
    note(f"{_strong('Error:', typer.colors.RED)} {message}")
    if next_step:
        note(f"{_strong('Next:')}  {next_step}")


def prepare() -> None:
    """Let what a stream cannot encode be escaped instead of ending the program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _write(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has seen enough, as `head` does; nothing more can be said on stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(_BROKEN_PIPE)
    except (OSError, AttributeError) as error:  # AttributeError: there is no stdout at all
        reason = error.strerror if isinstance(error, OSError) else "it is closed"
        raise OutputError(f"The result cannot be printed: {reason}.", next_step="Redirect it to a file.") from error


def _strong(text: str, colour: str | None = None) -> str:
    """The text made to stand out, on a terminal that may show colour (no-color.org)."""
    plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    return text if plain or not sys.stderr.isatty() else typer.style(text, fg=colour, bold=True)


def _printable(text: str) -> str:
    """The text without what would steer a terminal: packages of others are shown, too."""
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
