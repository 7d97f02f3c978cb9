"""What `read` accepts and refuses, on archives built byte by byte."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zipfile
import zlib
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avma_pack.errors import ExitCode, PackageError, UsageError
from avma_pack.packaging import archive

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Reader = Callable[[bytes], archive.Archive]


@dataclass(frozen=True)
class Part:
    """One entry; what is None follows from the rest."""

    name: bytes = b"a.txt"
    content: bytes = b"content"
    method: int = 0
    flags: int = 0
    mode: int = 0
    crc: int | None = None
    size: int | None = None
    packed: bytes | None = None
    packed_size: int | None = None
    offset: int | None = None
    local_name: bytes | None = None
    local_method: int | None = None
    extra: bytes = b""

    def data(self) -> bytes:
        if self.packed is not None:
            return self.packed
        if self.method != 8:
            return self.content
        stream = zlib.compressobj(wbits=-15)
        return stream.compress(self.content) + stream.flush()

    def header(self, mark: bytes, version: bytes, method: int, name: bytes) -> bytes:
        crc = zlib.crc32(self.content) if self.crc is None else self.crc
        packed = len(self.data()) if self.packed_size is None else self.packed_size
        size = len(self.content) if self.size is None else self.size
        fields = struct.pack("<HHHHLLLHH", self.flags, method, 0, 33, crc, packed, size, len(name), len(self.extra))
        return mark + version + fields


def pack(*parts: Part, prefix: bytes = b"", comment: bytes = b"", **end: int) -> bytes:
    body, directory = prefix, b""
    for part in parts:
        local_name = part.name if part.local_name is None else part.local_name
        local_method = part.method if part.local_method is None else part.local_method
        offset = len(body) if part.offset is None else part.offset
        body += part.header(b"PK\3\4", b"\x14\0", local_method, local_name) + local_name + part.extra + part.data()
        directory += part.header(b"PK\1\2", b"\x14\3\x14\0", part.method, part.name)
        directory += struct.pack("<HHHLL", 0, 0, 0, part.mode << 16, offset) + part.name + part.extra
    fields = {"disk": 0, "first": 0, "here": len(parts), "count": len(parts)}
    fields |= {"size": len(directory), "start": len(body)} | end
    record = b"PK\5\6" + struct.pack("<HHHHLLH", *fields.values(), len(comment)) + comment
    return body + directory + record


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("read") / "package.zip"


@pytest.fixture(scope="module")
def read(target: Path) -> Reader:
    def write_and_read(data: bytes) -> archive.Archive:
        target.write_bytes(data)
        return archive.read(target)

    return write_and_read


class TestAccepted:
    @pytest.mark.parametrize("method", [0, 8])
    def test_stored_and_deflated(self, read: Reader, method: int) -> None:
        found = read(pack(Part(content=b"x" * 1000, method=method), Part(b"empty", b"", method)))
        assert found.entries == {"a.txt": b"x" * 1000, "empty": b""}
        assert found.unpacked_size == 1000

    def test_backslashes_of_windows_powershell(self, read: Reader) -> None:
        found = read(pack(Part(b"Modules\\", b""), Part(b"Modules\\A\\A.psd1", b"@{}")))
        assert found.entries == {"Modules/A/A.psd1": b"@{}"}

    def test_folders_are_left_out(self, read: Reader) -> None:
        assert read(pack(Part(b"Modules/", b"", mode=0o040755), Part(b"Modules/a"))).entries.keys() == {"Modules/a"}

    def test_names_in_utf8_and_code_page_437(self, read: Reader) -> None:
        found = read(pack(Part("ä".encode(), flags=1 << 11), Part(b"\x81")))
        assert found.entries.keys() == {"ä", "ü"}

    def test_data_descriptor_extra_field_comment_and_prefix(self, read: Reader) -> None:
        streamed = Part(flags=1 << 3, packed=b"content" + b"PK\7\x08" + bytes(12), packed_size=7)
        data = pack(streamed, Part(b"b", extra=b"\x55\x54\1\0\0"), comment=b"remark", prefix=b"#!stub\n")
        assert read(data).entries == {"a.txt": b"content", "b": b"content"}

    def test_entries_in_any_order(self, read: Reader) -> None:
        data = pack(Part(b"b", b"1", offset=32), Part(b"a", b"2", offset=0))
        swapped = data[32:64] + data[:32] + data[64:]
        assert read(swapped).entries == {"b": b"1", "a": b"2"}

    def test_an_empty_archive(self, read: Reader) -> None:
        assert read(pack()).entries == {}

    def test_the_entries_cannot_be_changed(self, read: Reader) -> None:
        with pytest.raises(TypeError):
            read(pack(Part())).entries["b"] = b""  # type: ignore[index]

    @given(entries=st.dictionaries(st.text("abc/", min_size=1, max_size=5), st.binary(max_size=300), max_size=5))
    def test_zipfile_reads_the_same(self, read: Reader, entries: dict[str, bytes]) -> None:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as written:
            for name, content in entries.items():
                written.writestr(name, content)
        with suppress(PackageError):
            files = {name: content for name, content in entries.items() if not name.endswith("/")}
            assert read(buffer.getvalue()).entries == files


class TestRefused:
    @pytest.mark.parametrize(
        ("data", "cause"),
        [
            (b"", "not a sound zip archive"),
            (b"<html>404</html>", "not a sound zip archive"),
            (pack(Part())[:40], "not a sound zip archive"),
            (pack(Part())[:-1], "not a sound zip archive"),
            (pack(Part(), count=2, here=2, size=200), "not a sound zip archive"),
            (pack(Part(), start=10**6), "not a sound zip archive"),
            (pack(*(Part(str(n).encode(), b"") for n in range(10_001))), "10001 entries, over the limit of 10000"),
            (pack(Part(crc=1)), "Bad CRC-32 for file 'a.txt'"),
            (pack(Part(crc=1, method=8)), "Bad CRC-32 for file 'a.txt'"),
            (pack(Part(method=8, packed=b"\xff")), "not a sound zip archive"),
            (pack(Part(flags=1)), "entry 'a.txt' is encrypted"),
            (pack(Part(flags=1 << 6)), "is encrypted"),
            (pack(Part(flags=1 << 13)), "is encrypted"),
            (pack(Part(method=9)), "entry 'a.txt' is compressed by method 9"),
            (pack(Part(method=14)), "is compressed by method 14"),
            (pack(Part(mode=0o120777)), "entry 'a.txt' is a symbolic link"),
            (pack(Part(mode=0o010644)), "entry 'a.txt' is not a regular file"),
            (pack(Part(offset=10)), "not a sound zip archive"),
            (pack(Part(offset=10**6)), "not a sound zip archive"),
            (pack(Part(local_name=b"b.txt")), "not a sound zip archive"),
            (pack(Part(size=8, packed_size=8)), "not a sound zip archive"),
            (pack(Part(size=8)), "entry 'a.txt' is not as long as it says"),
        ],
    )
    def test_what_is_no_sound_archive(self, target: Path, read: Reader, data: bytes, cause: str) -> None:
        with pytest.raises(PackageError) as caught:
            read(data)
        assert str(caught.value).startswith(f"{target}: ")
        assert cause in str(caught.value)
        assert caught.value.next_step
        assert caught.value.exit_code is ExitCode.BROKEN_PACK

    @pytest.mark.parametrize(
        ("names", "cause"),
        [
            ([b""], "entry '' is empty"),
            ([b"/etc/passwd"], "entry '/etc/passwd' is an absolute path"),
            ([b"\\\\server\\share"], "entry '//server/share' is an absolute path"),
            ([b"C:\\Windows\\a"], "entry 'C:/Windows/a' names a drive or stream"),
            ([b"c:a"], "names a drive or stream"),
            ([b"a.psm1:hidden"], "names a drive or stream"),
            ([b"../a"], "leaves the package by '..'"),
            ([b"Modules/../../a"], "leaves the package by '..'"),
            ([b"Modules\\..\\..\\a"], "entry 'Modules/../../a' leaves the package by '..'"),
            ([b"a\\.."], "leaves the package by '..'"),
            ([b"..."], "ends in a dot or blank"),
            ([b".. /a"], "ends in a dot or blank"),
            ([b"./a"], "ends in a dot or blank"),
            ([b"a//b"], "has a part that is empty"),
            ([b"a.mof\0.txt"], "entry 'a.mof\\x00.txt' holds a control character"),
            ([b"a\x1b[2Jb"], "holds a control character"),
            ([b"a", b"a"], "entry 'a' is there twice, first as 'a'"),
            ([b"Modules/A.psm1", b"modules\\a.PSM1"], "is there twice"),
            ([b"a", b"b", b"A/c"], "entry 'a' is both a file and a folder"),
        ],
    )
    @pytest.mark.parametrize("flags", [0, 1 << 11])
    def test_names_that_must_not_be_unpacked(self, read: Reader, names: list[bytes], flags: int, cause: str) -> None:
        with pytest.raises(PackageError) as caught:
            read(pack(*(Part(name, flags=flags) for name in names)))
        assert cause in str(caught.value)

    def test_a_name_that_is_not_the_utf8_it_claims(self, read: Reader) -> None:
        with pytest.raises(PackageError, match="not a sound zip archive"):
            read(pack(Part(b"\xff", flags=1 << 11)))

    def test_two_entries_with_one_content(self, read: Reader) -> None:
        with pytest.raises(PackageError, match="entry 'a' is there twice"):
            read(pack(Part(b"a"), Part(b"a", offset=0)))


class TestBounds:
    def test_a_bomb_that_declares_its_size_is_not_inflated(self, read: Reader) -> None:
        data = pack(*(Part(b"%d" % n, b"", method=8, size=60_000_000) for n in range(2)))
        with pytest.raises(PackageError, match="120000000 bytes unpacked, over the limit of 100 MB"):
            read(data)

    def test_a_bomb_that_lies_is_inflated_no_further_than_it_says(self, read: Reader) -> None:
        stream = zlib.compressobj(9, wbits=-15)
        bomb = stream.compress(bytes(50_000_000)) + stream.flush()
        data = pack(Part(method=8, packed=bomb, size=10))
        tracemalloc.start()
        try:
            with pytest.raises(PackageError, match="Bad CRC-32"):
                read(data)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 2_000_000

    def test_exactly_the_limit_is_accepted(self, read: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(archive, "MAX_UNPACKED", 14)
        assert read(pack(Part(b"a"), Part(b"b"))).unpacked_size == 14
        with pytest.raises(PackageError, match="21 bytes unpacked"):
            read(pack(Part(b"a"), Part(b"b"), Part(b"c")))

    def test_a_file_larger_than_any_package_is_not_searched(
        self, read: Reader, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(archive, "_MAX_FILE", 20)
        with pytest.raises(PackageError, match="larger than any package that Azure accepts"):
            read(bytes(21))


class TestUnreadable:
    def test_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"cannot read .*none\.zip: ") as caught:
            archive.read(tmp_path / "none.zip")
        assert caught.value.exit_code is ExitCode.USAGE

    def test_folder(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="is not a file"):
            archive.read(tmp_path)

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
    def test_a_pipe_is_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(UsageError, match="is not a file"):
            archive.read(tmp_path / "pipe")

    def test_name_with_a_nul(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="cannot read"):
            archive.read(tmp_path / "a\0b")

    def test_refused_access(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "a.zip"
        path.write_bytes(pack())

        def refuse(*_: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(type(path), "open", refuse)
        with pytest.raises(UsageError, match="Permission denied"):
            archive.read(path)


VALID = pack(
    Part(b"Sample.mof", b"instance of X {};", 8),
    Part(b"Modules\\Sample\\Sample.psd1", b"@{ ModuleVersion = '1.0.0' }"),
    Part(b"Modules/", b""),
)


class TestProperties:
    @given(data=st.binary(max_size=400))
    def test_arbitrary_bytes_raise_nothing_else(self, read: Reader, data: bytes) -> None:
        with suppress(PackageError):
            read(data)

    @given(head=st.binary(max_size=60), fields=st.binary(min_size=18, max_size=18))
    def test_an_arbitrary_end_record_raises_nothing_else(self, read: Reader, head: bytes, fields: bytes) -> None:
        with suppress(PackageError):
            read(head + b"PK\5\6" + fields[:16] + b"\0\0")

    @given(changes=st.lists(st.tuples(st.integers(0, len(VALID) - 1), st.integers(0, 255)), max_size=6))
    def test_changed_bytes_raise_nothing_else(self, read: Reader, changes: list[tuple[int, int]]) -> None:
        data = bytearray(VALID)
        for position, byte in changes:
            data[position] = byte
        with suppress(PackageError):
            read(bytes(data))

    @given(start=st.integers(0, len(VALID)), length=st.integers(0, 40), insert=st.binary(max_size=40))
    def test_cut_and_inserted_bytes_raise_nothing_else(
        self, read: Reader, start: int, length: int, insert: bytes
    ) -> None:
        with suppress(PackageError):
            read(VALID[:start] + insert + VALID[start + length :])

    @given(cut=st.integers(0, len(VALID) - 1))
    def test_a_truncated_archive_is_always_refused(self, read: Reader, cut: int) -> None:
        with pytest.raises(PackageError):
            read(VALID[:cut])
