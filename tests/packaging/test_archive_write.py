"""What `write` promises: one archive for one content, on every platform and Python."""

from __future__ import annotations

import hashlib
import io
import string
import zipfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avma_pack.errors import PackageError
from avma_pack.packaging import archive

if TYPE_CHECKING:
    from pathlib import Path

SAMPLE = {"Sample.mof": b"// empty\n", "Modules/Sample/Sample.psd1": b"@{}\n", "Modules/Sample/b.txt": b""}

# Parts of names that plain archives have; the archive decides which of them clash.
PARTS = st.text(string.ascii_letters + string.digits + "._- ()", min_size=1, max_size=8)
NAMES = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
ENTRIES = st.dictionaries(NAMES, st.binary(max_size=200), max_size=8)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("write") / "package.zip"


def test_the_bytes_of_a_sample_never_change() -> None:
    digest = hashlib.sha256(archive.write(SAMPLE)).hexdigest()
    assert digest == "5661c338f71dda3bf909f276f38ae1682929335351ed6308f7c2d6e6a860d460"


def test_entries_are_stored_and_sorted_with_fixed_time_mode_and_host() -> None:
    with zipfile.ZipFile(io.BytesIO(archive.write(SAMPLE))) as written:
        infos = written.infolist()
        assert {info.filename: written.read(info) for info in infos} == SAMPLE
        assert written.comment == b""
    assert [info.filename for info in infos] == sorted(SAMPLE)
    for info in infos:
        assert info.compress_type == zipfile.ZIP_STORED
        assert info.date_time == (1980, 1, 1, 0, 0, 0)
        assert info.create_system == 3
        assert info.external_attr == 0o100644 << 16
        assert (info.extra, info.comment, info.flag_bits, info.internal_attr) == (b"", b"", 0, 0)
        assert (info.create_version, info.extract_version) == (20, 20)


def test_nothing_but_headers_and_content_is_in_it() -> None:
    names = sum(map(len, SAMPLE))
    content = sum(map(len, SAMPLE.values()))
    assert len(archive.write(SAMPLE)) == len(SAMPLE) * (30 + 46) + 2 * names + content + 22


def test_an_archive_may_be_empty() -> None:
    assert archive.write({}) == b"PK\5\6" + bytes(18)


@given(ENTRIES, st.randoms(use_true_random=False))
def test_order_of_the_input_does_not_matter(entries: dict[str, bytes], random: object) -> None:
    items = list(entries.items())
    random.shuffle(items)  # type: ignore[attr-defined]
    try:
        first = archive.write(entries)
    except PackageError:
        with pytest.raises(PackageError):
            archive.write(dict(items))
    else:
        assert archive.write(dict(items)) == first


@given(entries=ENTRIES)
def test_what_is_written_is_read_back(target: Path, entries: dict[str, bytes]) -> None:
    try:
        data = archive.write(entries)
    except PackageError:
        return
    target.write_bytes(data)
    found = archive.read(target)
    assert found.entries == entries
    assert list(found.entries) == sorted(entries)
    assert found.sha256 == hashlib.sha256(data).hexdigest().upper()
    assert (found.path, found.size) == (target, len(data))
    assert found.unpacked_size == sum(map(len, entries.values()))


@pytest.mark.parametrize(
    ("names", "cause"),
    [
        ([""], "'' is empty"),
        (["/a"], "'/a' is an absolute path"),
        (["a/../b"], "'a/../b' leaves the package by '..'"),
        ([".."], "leaves the package"),
        (["C:/a"], "'C:/a' names a drive or stream"),
        (["a:stream"], "names a drive or stream"),
        (["a\\b"], "is not an ASCII file name with forward slashes"),
        (["ä"], "is not an ASCII file name"),
        (["folder/"], "is not an ASCII file name"),
        (["a\0b"], "holds a control character"),
        (["a\nb"], "holds a control character"),
        (["a//b"], "has a part that is empty"),
        (["./a"], "has a part that is empty or ends in a dot"),
        (["a./b"], "ends in a dot or blank"),
        (["a /b"], "ends in a dot or blank"),
        (["Modules/A", "modules/a"], "entry 'modules/a' is there twice, first as 'Modules/A'"),
        (["a", "A/b"], "entry 'a' is both a file and a folder"),
        (["a", "a!", "a/b/c"], "entry 'a' is both a file and a folder"),
    ],
)
def test_names_that_are_refused(names: list[str], cause: str) -> None:
    with pytest.raises(PackageError) as caught:
        archive.write(dict.fromkeys(names, b""))
    assert cause in str(caught.value)
    assert caught.value.next_step


def test_names_that_only_look_alike_are_accepted() -> None:
    names = ["a", "a.b", "a!", "ab/c", "..a", "a..b", ".hidden/x"]
    assert len(archive.write(dict.fromkeys(names, b""))) > 0


def test_the_limits_of_a_package_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_UNPACKED", 10)
    assert archive.write({"a": bytes(10)})
    with pytest.raises(PackageError, match="11 bytes unpacked, over the limit of 100 MB"):
        archive.write({"a": bytes(10), "b": bytes(1)})
    with pytest.raises(PackageError, match="10001 entries, over the limit of 10000"):
        archive.write({str(number): b"" for number in range(10_001)})
