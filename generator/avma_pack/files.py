"""Writes folders of files whole or not at all.

New files are written beside the old ones and swapped in by renames at the end. Whatever interrupts that, either all
old files are there or all new ones; a process that is killed outright between two renames leaves a folder that its
marker shows to be incomplete, and the next run puts the old files back.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from avma_pack.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

_STAGED = ".avma-pack-new"
_PREVIOUS = ".avma-pack-previous"
_SHOWN = 3

# What file managers leave behind belongs to nobody.
_LITTER = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})


def json_bytes(value: object) -> bytes:
    """JSON as every file of a pack has it: two spaces, keys in their own order, a line feed at the end."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def was_interrupted(folder: Path) -> bool:
    """Whether a run was killed while it swapped this folder's files; the next one puts them back."""
    return (folder / _PREVIOUS).is_dir()


def replace_files(folders: Mapping[Path, Mapping[str, bytes]], *, owned: Callable[[Path], Collection[str]]) -> None:
    """Make the files of each folder (relative path → content) the content of their top-level entries in it.

    Other entries of a folder stay untouched. The last entry of a folder's files is its marker: it is swapped out first
    and in last, so that a folder with a marker is complete.

    Args:
        folders: What is to be where; folders are made where they do not exist.
        owned: Says which paths of a folder may be overwritten or removed; asked once interrupted runs are undone.

    Raises:
        OutputError: a folder holds foreign files where ours go, is written by somebody else, or cannot be written.
    """
    swaps = [_Swap(folder, contents) for folder, contents in folders.items()]
    try:
        with ExitStack() as locks:
            for swap in swaps:
                locks.enter_context(_lock(swap.folder))
            for swap in swaps:
                swap.restore()
                swap.refuse_foreign(owned(swap.folder))
            _exchange(swaps)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"{error.filename or ', '.join(map(str, folders))}: cannot be written: {reason}. Nothing was changed.",
            next_step="Make room or make the folder writable, or name another one with --out.",
        ) from error


def _exchange(swaps: Sequence[_Swap]) -> None:
    try:
        for swap in swaps:
            swap.stage()
        for swap in swaps:
            swap.swap()
    except BaseException:
        for swap in reversed(swaps):
            swap.undo()
        raise
    for swap in swaps:
        swap.clean()


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
            f"{file}: cannot be written: {error.strerror or error}.", next_step="Name a file that you may write."
        ) from error


class _Swap:
    """The exchange of one folder's files, in steps that can be undone."""

    def __init__(self, folder: Path, contents: Mapping[str, bytes]) -> None:
        self.folder = folder
        self._contents = contents
        self._entries = list(dict.fromkeys(path.split("/")[0] for path in contents))
        self._marker = self._entries[-1]
        self._staged = folder / _STAGED
        self._previous = folder / _PREVIOUS
        self._made: list[Path] = []
        self._arrived: list[str] = []

    def restore(self) -> None:
        """Put back what a killed run left aside; with the marker in place, the new files are complete already."""
        if not self._previous.is_dir():
            return
        if not (self.folder / self._marker).exists():
            for entry in sorted(self._previous.iterdir(), key=lambda entry: entry.name == self._marker):
                _discard(self.folder / entry.name)
                entry.rename(self.folder / entry.name)
        _discard(self._previous)

    def refuse_foreign(self, owned: Collection[str]) -> None:
        """Stop where files would be lost that are not of the previous run."""
        found = (path for entry in self._entries for path in _walk(self.folder / entry))
        names = [path.relative_to(self.folder).as_posix() for path in found if path.name not in _LITTER]
        foreign = sorted(name for name in names if name not in owned)
        if foreign:
            shown = ", ".join(foreign[:_SHOWN]) + (" and others" if len(foreign) > _SHOWN else "")
            raise OutputError(
                f"{self.folder}: holds files that are not of a pack: {shown}. Nothing was changed.",
                next_step="Name an empty or new folder with --out, or move these files away.",
            )

    def stage(self) -> None:
        """Write the new files beside the old ones."""
        self._made = [path for path in (self.folder, *self.folder.parents) if not path.exists()]
        self.folder.mkdir(parents=True, exist_ok=True)
        _discard(self._staged)
        for path, content in self._contents.items():
            target = self._staged / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)

    def swap(self) -> None:
        """Move the old entries aside and the new ones in."""
        self._previous.mkdir()
        for entry in reversed(self._entries):
            if (self.folder / entry).exists():
                (self.folder / entry).rename(self._previous / entry)
        for entry in self._entries:
            self._arrived.append(entry)
            (self._staged / entry).rename(self.folder / entry)

    def undo(self) -> None:
        """Make the folder what it was, however far it got."""
        for arrived in reversed(self._arrived):
            _discard(self.folder / arrived)
        if self._previous.is_dir():
            for entry in sorted(self._previous.iterdir(), key=lambda entry: entry.name == self._marker):
                entry.rename(self.folder / entry.name)
            self._previous.rmdir()
        _discard(self._staged)
        for path in self._made:
            with suppress(OSError):
                path.rmdir()

    def clean(self) -> None:
        """Remove what is no longer needed."""
        _discard(self._staged)
        _discard(self._previous)


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Keep others from writing the folder; the lock lies elsewhere and ends with the process, however that ends."""
    key = sha256(str(folder.resolve()).encode()).hexdigest()[:24]
    file = Path(tempfile.gettempdir()) / f"avma-pack-{key}.lock"
    try:
        with FileLock(file, timeout=0):
            try:
                yield
            finally:
                # FileLock does not take a lock on a file that is gone; Windows refuses, and removes it by itself.
                with suppress(OSError):
                    file.unlink()
    except Timeout as error:
        raise OutputError(
            f"{folder}: another build is writing to it. Nothing was changed.",
            next_step="Wait for it, or name another folder with --out.",
        ) from error


def _walk(path: Path) -> Iterable[Path]:
    if path.is_dir() and not path.is_symlink():
        return (below for below in path.rglob("*") if not below.is_dir() or below.is_symlink())
    return [path] if path.exists() or path.is_symlink() else []


def _discard(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
