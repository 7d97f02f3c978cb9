"""Writes and reads the zip archive of a Guest Configuration package.

An archive is written by one rule, so that its hash depends on nothing but its entries. Archives of others are read
with suspicion: nothing is extracted to disk, names are judged as Windows would take them, and memory is bounded.
"""

from __future__ import annotations

import re
import stat
import struct
import zlib
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from avma_pack.errors import PackageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

MAX_UNPACKED = 100 * 1024 * 1024
"""Azure's limit: a package is at most 100 MB uncompressed (Microsoft Learn, "How to create custom machine
configuration package artifacts", governance/machine-configuration/how-to/develop-custom-package)."""

MAX_ENTRIES = 10_000
"""Our own limit, folders included; packages have some hundred entries at most."""

_MAX_FILE = MAX_UNPACKED + 16 * 1024 * 1024
"""What fits into `MAX_UNPACKED` stays below: deflate adds 0.03 % at worst, headers some 300 bytes each."""

_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that the format can say
_UNIX = 3
_MODE = (stat.S_IFREG | 0o644) << 16
_ENCRYPTED = 1 << 0 | 1 << 6 | 1 << 13

# What zipfile raises on damaged input; the first is its own.
_DAMAGE = (
    *(BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError, OverflowError),
    *(struct.error, zlib.error),
)

# A colon would name a drive, or a hidden stream of a file on NTFS.
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f:]")
_SHRINK = "Azure accepts packages of at most 100 MB uncompressed: remove what the guests do not need."
_REPACK = "Build or download the package again."
_RENAME = "Make the package again, from files with plain relative names."


@dataclass(frozen=True, slots=True)
class Archive:
    """The content of a package file that was read whole.

    `size` is that of the file and `unpacked_size` that of its entries, in bytes; `sha256` is of the file, in
    upper-case hex as Azure's `contentHash`; `entries` holds the files by name with forward slashes.
    """

    path: Path
    size: int
    unpacked_size: int
    sha256: str
    entries: Mapping[str, bytes]


def write(entries: Mapping[str, bytes]) -> bytes:
    """The archive that holds the entries: the same bytes on every platform, whatever their order.

    Entries are stored (zlib and zlib-ng deflate differently) and sorted by name.

    Raises:
        PackageError: a name is not a plain relative ASCII path, names clash, or a limit is passed.
    """
    for name in entries:
        if not name.isascii() or "\\" in name or name.endswith("/"):
            raise PackageError(f"{name!r} is not an ASCII file name with forward slashes", next_step=_RENAME)
    _check_names(entries)
    _check_total(len(entries), sum(map(len, entries.values())))
    target = BytesIO()
    with ZipFile(target, "w", ZIP_STORED) as archive:
        for name in sorted(entries):
            info = ZipInfo(name, _DATE)
            info.create_system = _UNIX
            info.external_attr = _MODE
            archive.writestr(info, entries[name])
    return target.getvalue()


def read(path: Path) -> Archive:
    """Reads a package whole, ours or anyone's; holds at most the file and `MAX_UNPACKED` bytes in memory.

    Deflated entries and the backslashes of Windows PowerShell's archives are accepted, folders left out.

    Raises:
        UsageError: there is no such file, or it cannot be read.
        PackageError: it is not a sound zip archive, or one that must not be unpacked.
    """
    data = _load(path)
    try:
        contents = dict(_unpack(data))
    except PackageError as error:
        raise PackageError(f"{path}: {error}", next_step=error.next_step) from error
    return Archive(
        path=path,
        size=len(data),
        unpacked_size=sum(map(len, contents.values())),
        sha256=sha256(data).hexdigest().upper(),
        entries=MappingProxyType(contents),
    )


def _load(path: Path) -> bytes:
    try:
        status = path.stat()
        # Neither a folder nor a device or pipe, which might never end.
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(f"{path} is not a file", next_step="Name the package's .zip file.")
        if status.st_size > _MAX_FILE:
            raise PackageError(f"{path}: larger than any package that Azure accepts", next_step=_SHRINK)
        with path.open("rb") as stream:
            return stream.read(status.st_size)  # bounded also where the file grows meanwhile
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL
        cause = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot read {path}: {cause}", next_step="Check path and access.") from error


def _check_total(count: int, size: int) -> None:
    if count > MAX_ENTRIES:
        raise PackageError(f"{count} entries, over the limit of {MAX_ENTRIES}", next_step=_SHRINK)
    if size > MAX_UNPACKED:
        raise PackageError(f"{size} bytes unpacked, over the limit of 100 MB", next_step=_SHRINK)


def _check_names(names: Iterable[str]) -> None:
    """Refuses names that leave the folder they are unpacked to, or that clash there on Windows."""
    keys: list[tuple[str, str]] = []
    for name in names:
        _check_path(name)
        # With NUL for the slash (no name has one), what lies in a folder sorts right behind its name.
        keys.append((name.rstrip("/").lower().replace("/", "\0"), name))
    for (key, name), (next_key, next_name) in pairwise(sorted(keys)):
        if key == next_key:
            raise PackageError(f"entry {next_name!r} is there twice, first as {name!r}", next_step=_RENAME)
        if next_key.startswith(f"{key}\0") and not name.endswith("/"):
            raise PackageError(f"entry {name!r} is both a file and a folder", next_step=_RENAME)


def _check_path(name: str) -> None:
    if match := _FORBIDDEN.search(name):
        cause = "names a drive or stream" if match[0] == ":" else "holds a control character"
    elif not name:
        cause = "is empty"
    elif name.startswith("/"):
        cause = "is an absolute path"
    elif ".." in name.split("/"):
        cause = "leaves the package by '..'"
    # Windows drops dots and blanks at the end of a part, so such a name is another one there.
    elif any(part[-1:] in ("", ".", " ") for part in name.removesuffix("/").split("/")):
        cause = "has a part that is empty or ends in a dot or blank"
    else:
        return
    raise PackageError(f"entry {name!r} {cause}", next_step=_RENAME)


def _unpack(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The files in the archive; everything that can be judged without unpacking is judged first."""
    try:
        with ZipFile(BytesIO(data)) as archive:
            entries = [(_name(info), info) for info in archive.infolist()]
            _check_names(name for name, _ in entries)
            _check_total(len(entries), sum(info.file_size for _, info in entries))
            for name, info in entries:
                _check_kind(name, info)
                with archive.open(info) as entry:
                    content = entry.read(info.file_size + 1)
                if len(content) != info.file_size:
                    raise PackageError(f"entry {name!r} is not as long as it says", next_step=_REPACK)
                if not name.endswith("/"):
                    yield name, content
    except _DAMAGE as error:
        raise PackageError(f"not a sound zip archive: {error}", next_step=_REPACK) from error


def _name(info: ZipInfo) -> str:
    """The name as it stands in the archive: zipfile cuts it at a NUL, and .NET on Windows writes backslashes."""
    return info.orig_filename.replace("\\", "/")


def _check_kind(name: str, info: ZipInfo) -> None:
    mode = info.external_attr >> 16
    if info.flag_bits & _ENCRYPTED:
        cause, advice = "is encrypted", "Make the package again, without a password."
    elif info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        cause = f"is compressed by method {info.compress_type}"
        advice = "Make the package again, with deflate or without compression."
    elif stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        cause = "is a symbolic link" if stat.S_ISLNK(mode) else "is not a regular file"
        advice = "Make the package again, from plain files and folders."
    else:
        return
    raise PackageError(f"entry {name!r} {cause}", next_step=advice)
