"""Writes and reads the zip archive of a Guest Configuration package.

An archive is written by one rule, so that its hash depends on nothing but its entries. It is read with
suspicion, by the format itself (PKWARE APPNOTE 6.3) instead of `zipfile`: that lets a wrong size pass where
the checksum fits the shorter content, treats backslashes differently on Windows, and accepts overlapping
entries in some Python versions.
"""

from __future__ import annotations

import re
import stat
import zlib
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from struct import Struct
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from avma_pack.errors import PackageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

MAX_UNPACKED = 100 * 1024 * 1024
"""Azure's limit: a package is at most 100 MB uncompressed (Microsoft Learn, "How to create custom machine
configuration package artifacts", governance/machine-configuration/how-to/develop-custom-package)."""

MAX_ENTRIES = 10_000
"""Our own limit, folders included; packages have some hundred entries at most."""

_MAX_FILE = MAX_UNPACKED + 16 * 1024 * 1024
"""What fits into `MAX_UNPACKED` stays below: deflate adds 0.03 % at worst, headers some 300 bytes each."""

_MAX_DIRECTORY = MAX_ENTRIES * 1024
_END = Struct("<4s4H2LH")
_CENTRAL = Struct("<4s6H3L5H2L")
_LOCAL = Struct("<4s5H3L2H")
_END_MARK, _CENTRAL_MARK, _LOCAL_MARK = b"PK\5\6", b"PK\1\2", b"PK\3\4"
_MAX_COMMENT = 0xFFFF
_ZIP64 = 0xFFFFFFFF
_ENCRYPTED = 1 << 0 | 1 << 6 | 1 << 13
_UTF8 = 1 << 11
_STORED, _DEFLATED = 0, 8
_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that the format can say
_UNIX = 3
_MODE = (stat.S_IFREG | 0o644) << 16

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


class _Entry(NamedTuple):
    name: str
    raw_name: bytes
    method: int
    crc: int
    packed: int
    size: int
    offset: int


def write(entries: Mapping[str, bytes]) -> bytes:
    """The archive that holds the entries: the same bytes on every platform, whatever their order.

    Entries are stored (zlib and zlib-ng deflate differently) and sorted by name.

    Raises:
        PackageError: a name is not a plain relative ASCII path, names clash, or a limit is passed.
    """
    from zipfile import ZIP_STORED, ZipFile, ZipInfo  # noqa: PLC0415 - most commands write no archive

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
    from hashlib import sha256  # noqa: PLC0415 - most commands read no archive

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


def _unpack(data: bytes) -> Iterable[tuple[str, bytes]]:
    """The files in the archive; everything that can be judged without unpacking is judged first."""
    end, count, start = _find_directory(data)
    entries = list(_directory(data[start:end], count))
    _check_names([entry.name for entry in entries])
    _check_total(len(entries), sum(entry.size for entry in entries))
    view = memoryview(data)
    free = 0
    for entry in sorted(entries, key=lambda entry: entry.offset):
        if entry.offset < free:
            raise PackageError(f"entry {entry.name!r} overlaps another", next_step=_REPACK)
        begin = _content_start(data, entry)
        free = begin + entry.packed
        if free > start:
            raise PackageError(f"entry {entry.name!r} is truncated", next_step=_REPACK)
        content = _content(view[begin:free], entry)
        if not entry.name.endswith("/"):
            yield entry.name, content
        elif content:
            raise PackageError(f"entry {entry.name!r} is a folder with content of its own", next_step=_REPACK)


def _find_directory(data: bytes) -> tuple[int, int, int]:
    """Where the central directory ends, how many entries it has, and where it starts."""
    end = data.rfind(_END_MARK, max(0, len(data) - _END.size - _MAX_COMMENT))
    if end < 0 or len(data) - end < _END.size:
        cause = "truncated" if data.startswith(_LOCAL_MARK) else "not a zip archive"
        raise PackageError(f"{cause}: the record at the end is missing", next_step=_REPACK)
    _, disk, first_disk, here, count, size, start, comment = _END.unpack_from(data, end)
    if end + _END.size + comment != len(data):
        raise PackageError("truncated, or something was appended", next_step=_REPACK)
    if _ZIP64 in (size, start) or count == 0xFFFF:  # noqa: PLR2004
        raise PackageError("in ZIP64 format, which no package needs", next_step=_REPACK)
    if disk or first_disk or here != count:
        raise PackageError("one part of an archive in several files", next_step=_REPACK)
    if start + size != end:
        raise PackageError("the directory is not where the end record says", next_step=_REPACK)
    _check_total(count, 0)
    if size > _MAX_DIRECTORY:
        raise PackageError("the directory is larger than names can make it", next_step=_REPACK)
    return end, count, start


def _directory(directory: bytes, count: int) -> Iterable[_Entry]:
    position = 0
    for _ in range(count):
        if len(directory) - position < _CENTRAL.size or not directory.startswith(_CENTRAL_MARK, position):
            raise PackageError("the directory is damaged", next_step=_REPACK)
        fields = _CENTRAL.unpack_from(directory, position)
        flags, method, crc, packed, size = fields[3], fields[4], *fields[7:10]
        name_end = position + _CENTRAL.size + fields[10]
        raw = directory[position + _CENTRAL.size : name_end]
        entry = _Entry(_decode(raw, flags), raw, method, crc, packed, size, fields[16])
        _check_kind(entry, flags, fields[15] >> 16)
        yield entry
        position = name_end + fields[11] + fields[12]
    if position != len(directory):
        raise PackageError("the directory does not end with the last entry", next_step=_REPACK)


def _decode(raw: bytes, flags: int) -> str:
    try:
        # Without the flag the format means code page 437; .NET on Windows writes backslashes.
        return raw.decode("utf-8" if flags & _UTF8 else "cp437").replace("\\", "/")
    except UnicodeDecodeError:
        raise PackageError(f"entry {raw!r} has a name that is not UTF-8", next_step=_RENAME) from None


def _check_kind(entry: _Entry, flags: int, mode: int) -> None:
    if flags & _ENCRYPTED:
        cause, advice = "is encrypted", "Make the package again, without a password."
    elif entry.method not in (_STORED, _DEFLATED):
        cause = f"is compressed by method {entry.method}"
        advice = "Make the package again, with deflate or without compression."
    elif stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        cause = "is a symbolic link" if stat.S_ISLNK(mode) else "is not a regular file"
        advice = "Make the package again, from plain files and folders."
    elif _ZIP64 in (entry.packed, entry.size, entry.offset):
        cause, advice = "is in ZIP64 format, which no package needs", _REPACK
    else:
        return
    raise PackageError(f"entry {entry.name!r} {cause}", next_step=advice)


def _content_start(data: bytes, entry: _Entry) -> int:
    """Where the content begins: the local header must be there and tell of the same file."""
    if len(data) - entry.offset >= _LOCAL.size:
        mark, _, _, method, *_, name_size, extra_size = _LOCAL.unpack_from(data, entry.offset)
        name_start = entry.offset + _LOCAL.size
        name = data[name_start : name_start + name_size]
        if mark == _LOCAL_MARK and (method, name) == (entry.method, entry.raw_name):
            return name_start + int(name_size) + int(extra_size)
    raise PackageError(f"entry {entry.name!r} has a damaged header", next_step=_REPACK)


def _content(packed: memoryview, entry: _Entry) -> bytes:
    content = bytes(packed) if entry.method == _STORED else _inflate(packed, entry)
    if len(content) != entry.size:
        raise PackageError(f"entry {entry.name!r} is not as long as it says", next_step=_REPACK)
    if zlib.crc32(content) != entry.crc:
        raise PackageError(f"entry {entry.name!r} is damaged: the checksum differs", next_step=_REPACK)
    return content


def _inflate(packed: memoryview, entry: _Entry) -> bytes:
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        # One byte more than declared is enough to see that the declaration is false.
        content = stream.decompress(packed, entry.size + 1)
    except zlib.error as error:
        raise PackageError(f"entry {entry.name!r} is damaged: {error}", next_step=_REPACK) from error
    if len(content) <= entry.size and (not stream.eof or stream.unused_data):
        raise PackageError(f"entry {entry.name!r} has compressed data that end elsewhere", next_step=_REPACK)
    return content
