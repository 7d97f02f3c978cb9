"""Writing whole or not at all, whatever goes wrong and whenever."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from avma_pack import files
from avma_pack.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

OLD = {"packages/a.zip": b"old", "policies/definitions/a.json": b"old", "manifest.json": b"old"}
NEW = {"packages/b.zip": b"new", "policies/definitions/a.json": b"new", "manifest.json": b"new"}


def _write(folder: Path, contents: Mapping[str, bytes]) -> None:
    files.replace_files({folder: contents}, owned=lambda _: OLD.keys())


def _content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    _write(tmp_path / "dist", OLD)
    return tmp_path / "dist"


def test_a_new_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    _write(tmp_path / "a/b/dist", NEW)
    assert _content(tmp_path / "a/b/dist") == NEW


def test_what_the_old_run_wrote_and_the_new_one_does_not_is_gone(folder: Path) -> None:
    _write(folder, NEW)
    assert _content(folder) == NEW


def test_other_entries_of_the_folder_stay(folder: Path) -> None:
    (folder / "notes.txt").write_bytes(b"mine")
    _write(folder, NEW)
    assert _content(folder) == {**NEW, "notes.txt": b"mine"}


def test_foreign_files_where_ours_go_are_refused_by_name(folder: Path) -> None:
    (folder / "packages/theirs.zip").write_bytes(b"theirs")
    with pytest.raises(OutputError, match=r"not of a pack: packages/theirs\.zip\. Nothing was changed"):
        _write(folder, NEW)
    assert _content(folder) == {**OLD, "packages/theirs.zip": b"theirs"}


class Interrupt:
    """Raises at the n-th call of a method of Path, and counts the calls."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, method: str, at: int, error: BaseException) -> None:
        self.calls = 0
        original = getattr(Path, method)

        def interrupted(path: Path, *args: object, **kwargs: object) -> object:
            self.calls += 1
            if self.calls == at:
                raise error
            return original(path, *args, **kwargs)

        monkeypatch.setattr(Path, method, interrupted)


@pytest.mark.parametrize("method", ["write_bytes", "rename", "mkdir"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))])
def test_interrupted_at_any_step_the_old_files_are_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch, method: str, error: BaseException
) -> None:
    at = 0
    while True:
        at += 1
        with monkeypatch.context() as patch:
            interrupt = Interrupt(patch, method, at, error)
            with suppress(KeyboardInterrupt, OutputError):
                _write(folder, NEW)
        if interrupt.calls < at:
            break
        assert _content(folder) == OLD
    assert at > 1
    assert _content(folder) == NEW


def test_a_first_write_that_fails_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Interrupt(monkeypatch, "write_bytes", 2, OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(OutputError, match=r"No space left on device\. Nothing was changed"):
        _write(tmp_path / "a/dist", NEW)
    assert list(tmp_path.iterdir()) == []


class Kill(BaseException):
    """The process is gone: no handler of ours runs."""


class _KillAt:
    """Ends the process at the n-th change of the file system, by never letting anything change again."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
        self.changes = 0
        self._at = at
        for owner, name in (
            (Path, "rename"),
            (Path, "mkdir"),
            (Path, "rmdir"),
            (Path, "unlink"),
            (Path, "write_bytes"),
        ):
            monkeypatch.setattr(owner, name, self._wrapped(getattr(owner, name)))
        monkeypatch.setattr(files.shutil, "rmtree", self._wrapped(shutil.rmtree))

    def _wrapped(self, original: Callable[..., object]) -> Callable[..., object]:
        def changed(*args: object, **kwargs: object) -> object:
            self.changes += 1
            if self.changes >= self._at:
                raise Kill
            return original(*args, **kwargs)

        return changed


def test_killed_at_any_change_the_next_run_makes_the_folder_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    third = {**NEW, "manifest.json": b"third"}
    at = 0
    while True:
        at += 1
        folder = tmp_path / f"dist{at}"
        _write(folder, OLD)
        with monkeypatch.context() as patch:
            kill = _KillAt(patch, at)
            with suppress(Kill):
                _write(folder, NEW)
        if (folder / "manifest.json").exists():
            visible = {name: content for name, content in _content(folder).items() if not name.startswith(".")}
            assert visible in (OLD, NEW), "a folder with its marker is complete"
        else:
            assert files.was_interrupted(folder)
        files.replace_files({folder: third}, owned=lambda _: OLD.keys() | NEW.keys())
        assert _content(folder) == third
        if kill.changes < at:
            break
    assert at > 15


def test_what_is_left_of_a_finished_run_is_not_put_back(folder: Path) -> None:
    _write(folder, NEW)
    (folder / ".avma-pack-previous").mkdir()
    (folder / ".avma-pack-previous/manifest.json").write_bytes(b"old")
    third = {**NEW, "manifest.json": b"third"}
    files.replace_files({folder: third}, owned=lambda _: NEW.keys())
    assert _content(folder) == third


def test_of_several_folders_all_are_written_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    _write(one, OLD)
    _write(two, OLD)
    (two / "packages/theirs.zip").write_bytes(b"theirs")
    with pytest.raises(OutputError, match=r"two: holds files"):
        files.replace_files({one: NEW, two: NEW}, owned=lambda _: OLD.keys())
    assert _content(one) == OLD
    (two / "packages/theirs.zip").unlink()
    Interrupt(monkeypatch, "rename", 8, OSError(errno.EIO, "Input/output error"))
    with pytest.raises(OutputError, match="Input/output error"):
        files.replace_files({one: NEW, two: NEW}, owned=lambda _: OLD.keys())
    assert _content(one) == _content(two) == OLD


def test_two_at_once_are_told_of_each_other(tmp_path: Path) -> None:
    with files._lock(tmp_path / "dist"), pytest.raises(OutputError, match="another build is writing to it"):
        _write(tmp_path / "dist", NEW)


def test_litter_of_file_managers_is_nobodys(folder: Path) -> None:
    (folder / "policies/.DS_Store").write_bytes(b"x")
    _write(folder, NEW)
    assert _content(folder) == NEW


def test_a_read_only_folder_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    with pytest.raises(OutputError, match="cannot be written"):
        _write(blocked / "dist", NEW)


def test_one_file_is_not_overwritten_unasked(tmp_path: Path) -> None:
    file = tmp_path / "pack.toml"
    files.write_file(file, b"one")
    with pytest.raises(OutputError, match="exists already"):
        files.write_file(file, b"two")
    assert file.read_bytes() == b"one"
    files.write_file(file, b"two", overwrite=True)
    assert _content(tmp_path) == {"pack.toml": b"two"}
