"""Reads `pack.toml`; what is wrong with it becomes one `SettingsError` that names every line to correct."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from avma_pack.errors import SettingsError
from avma_pack.settings.contradictions import contradictions, releases
from avma_pack.settings.convert import convert
from avma_pack.settings.locate import line_of, lines
from avma_pack.settings.model import Settings
from avma_pack.settings.problems import dotted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from avma_pack.settings.problems import Problem

FILE_NAME: Final = "pack.toml"
"""The settings file of a folder. It may be absent: then the defaults hold."""

_POSITION: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_UTF_16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")


def load(
    path: Path | None = None,
    *,
    os_ids: Sequence[str] = (),
    change: Callable[[Settings], Settings] = lambda settings: settings,
) -> Settings:
    """Return the settings in `path`; without a path those of `./pack.toml`, and without that the defaults.

    `os_ids` are the releases that `pack.os` may name; without them any id is taken. `change` makes of the file's
    settings the ones that are wanted, before it is checked whether they can hold together.

    Raises:
        SettingsError: `path` is missing or cannot be read, is not TOML, or says what is not allowed.
    """
    file = path or Path(FILE_NAME)
    try:
        data = file.read_bytes()
    except FileNotFoundError as error:
        if path is None:
            return _checked(change(Settings()), os_ids)
        raise SettingsError(
            f"{file}: no such file", next_step="Name a file that exists, or none: then the defaults hold."
        ) from error
    except OSError as error:
        raise SettingsError(
            f"{file}: cannot be read: {error.strerror or error}", next_step="Name a file that you may read."
        ) from error
    return parse(_decoded(data, file), str(file), os_ids=os_ids, change=change)


def parse(
    text: str,
    file: str = FILE_NAME,
    *,
    os_ids: Sequence[str] = (),
    change: Callable[[Settings], Settings] = lambda settings: settings,
) -> Settings:
    """Return the settings in a TOML `text`; `file` is its name in messages.

    Raises:
        SettingsError: the text is not TOML, or says what is not allowed.
    """
    try:
        tables = tomllib.loads(text)
    except RecursionError:
        raise SettingsError(
            f"{file}: lists or tables are nested too deeply",
            next_step="Settings need one table and one list at most.",
        ) from None
    except ValueError as error:  # TOMLDecodeError, and Python's limit on the digits of a number
        raise _not_toml(text, file, str(error)) from error
    settings, problems = convert(tables)
    if problems:
        raise _invalid(problems, file, text)
    return _checked(change(settings), os_ids, file, text)


def check(settings: Settings) -> Settings:
    """Return `settings` in the form that a file would give them, after options have changed some.

    Raises:
        SettingsError: a value is not allowed, or two contradict each other.
    """
    return _checked(settings)


def _checked(settings: Settings, os_ids: Sequence[str] = (), file: str = "", text: str = "") -> Settings:
    """Check values and whether they hold together; what is wrong is placed in the file where it stands there."""
    checked, problems = convert(msgspec.to_builtins(settings))
    problems = problems or [*contradictions(checked), *releases(checked, os_ids)]
    if problems:
        raise _invalid(problems, file, text)
    return checked


def _decoded(data: bytes, file: Path) -> str:
    try:
        return data.decode("utf-8-sig")  # Windows editors like to put a byte-order mark in front
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SettingsError(
            f"{file}:{line}: not UTF-8, as TOML has to be: found the byte 0x{data[error.start]:02X}",
            next_step=_save_as_utf8(data),
        ) from error


def _save_as_utf8(data: bytes) -> str:
    if data.startswith(_UTF_16_MARKS):
        return "Save the file as UTF-8; it is UTF-16, which Windows PowerShell writes with > and Out-File."
    return "Save the file as UTF-8."


def _not_toml(text: str, file: str, message: str) -> SettingsError:
    position = _POSITION.search(message)
    if position is None:
        return SettingsError(f"{file}: not valid TOML: {message}", next_step=f"Correct {file} and run again.")
    place = f"{position[1]}:{position[2]}" if position[1] else text.rstrip().count("\n") + 1
    what = message[: position.start()]
    quotes = " Text needs quotation marks." if what == "Invalid value" else ""
    return SettingsError(f"{file}:{place}: not valid TOML: {what}", next_step=f"Correct this line.{quotes}")


def _invalid(problems: list[Problem], file: str = "", text: str = "") -> SettingsError:
    known = lines(text)
    placed = sorted(((line_of(known, problem.path) or 0, problem) for problem in problems), key=lambda pair: pair[0])
    message = "\n".join(f"{_place(file, line)}{dotted(problem.path)}: {problem.text}" for line, problem in placed)
    steps = list(dict.fromkeys(problem.next_step for _, problem in placed if problem.next_step))
    many = f"these {len(problems)} settings" if len(problems) > 1 else "this setting"
    if len(steps) < len(problems):
        steps.insert(0, f"Correct {many} and run again.")
    return SettingsError(message, next_step=" ".join(steps))


def _place(file: str, line: int) -> str:
    if not file:
        return ""
    return f"{file}:{line}: " if line else f"{file}: "
