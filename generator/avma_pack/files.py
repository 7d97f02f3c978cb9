"""Writes a folder's files whole or not at all.

New files are written beside the old ones and swapped in by renames at the end. Whatever interrupts that, the old
files are back, or, if the process was killed outright between two renames, the next run puts them back.
"""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from avma_pack.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from pathlib import Path

_STAGED = ".avma-pack-new"
_PREVIOUS = ".avma-pack-previous"


def json_bytes(value: object) -> bytes:
    """JSON as every file of a pack has it: two spaces, keys in their own order, a line feed at the end."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def replace_files(folder: Path, files: Mapping[str, bytes], *, owned: Callable[[], Collection[str]]) -> None:
    """Make `files` (relative path → content) the content of their top-level entries in `folder`.

    Other entries of the folder stay untouched. The last entry of `files` is swapped out first and in last: it marks
    the folder as complete.

    Args:
        folder: Made where it does not exist.
        files: What is to be there.
        owned: Says which paths may be overwritten or removed; asked when an interrupted run is undone.

    Raises:
        OutputError: the folder holds foreign files where ours go, or it cannot be written.
    """
    entries = list(dict.fromkeys(path.split("/")[0] for path in files))
    try:
        _restore(folder)
        _refuse_foreign(folder, entries, owned())
        made = _make(folder)
        try:
            _stage(folder / _STAGED, files)
            _swap(folder, entries)
        except BaseException:
            _discard(folder / _STAGED)
            for path in made:
                with suppress(OSError):
                    path.rmdir()
            raise
        _discard(folder / _STAGED)
        _discard(folder / _PREVIOUS)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"{error.filename or folder}: cannot be written: {reason}. Nothing was changed.",
            next_step="Make room or make the folder writable, or name another one with --out.",
        ) from error


def _make(folder: Path) -> list[Path]:
    """Make the folder; return the folders that had to be made, innermost first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def _refuse_foreign(folder: Path, entries: Iterable[str], owned: Collection[str]) -> None:
    foreign = [
        path.relative_to(folder).as_posix()
        for entry in entries
        for path in _walk(folder / entry)
        if path.relative_to(folder).as_posix() not in owned
    ]
    if foreign:
        shown = ", ".join(sorted(foreign)[:3]) + (" and others" if len(foreign) > 3 else "")  # noqa: PLR2004
        raise OutputError(
            f"{folder}: holds files that are not of a pack: {shown}. Nothing was changed.",
            next_step="Name an empty or new folder with --out, or move these files away.",
        )


def _walk(path: Path) -> Iterable[Path]:
    if path.is_dir() and not path.is_symlink():
        return (below for below in path.rglob("*") if not below.is_dir() or below.is_symlink())
    return [path] if path.exists() or path.is_symlink() else []


def _stage(staged: Path, files: Mapping[str, bytes]) -> None:
    _discard(staged)
    for path, content in files.items():
        target = staged / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _swap(folder: Path, entries: list[str]) -> None:
    """Move the old entries aside and the staged ones in; on any interruption move everything back."""
    previous, staged = folder / _PREVIOUS, folder / _STAGED
    previous.mkdir()
    arrived = []
    try:
        for entry in reversed(entries):
            if (folder / entry).exists():
                (folder / entry).rename(previous / entry)
        for entry in entries:
            (staged / entry).rename(folder / entry)
            arrived.append(entry)
    except BaseException:
        for entry in arrived:
            (folder / entry).rename(staged / entry)
        _restore(folder)
        raise


def _restore(folder: Path) -> None:
    """Put back what an interrupted swap left aside."""
    previous = folder / _PREVIOUS
    if not previous.is_dir():
        return
    for entry in sorted(previous.iterdir()):
        if (folder / entry.name).exists():
            _discard(folder / entry.name)
        entry.rename(folder / entry.name)
    previous.rmdir()


def _discard(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_file(file: Path, content: bytes, *, overwrite: bool = False) -> None:
    """Write one file, whole or not at all.

    Raises:
        OutputError: the file exists and may not be overwritten, or it cannot be written.
    """
    if file.exists() and not overwrite:
        raise OutputError(f"{file}: exists already.", next_step="Name another file, or overwrite it with --force.")
    staged = file.with_name(f"{file.name}{_STAGED}")
    try:
        staged.write_bytes(content)
        staged.replace(file)
    except OSError as error:
        with suppress(OSError):
            staged.unlink(missing_ok=True)
        raise OutputError(
            f"{file}: cannot be written: {error.strerror or error}.",
            next_step="Name a file that you may write.",
        ) from error
