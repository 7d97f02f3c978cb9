"""Writing whole or not at all, whatever goes wrong and whenever."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from avma_pack import files
from avma_pack.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Mapping

OLD = {"packages/a.zip": b"old", "policies/definitions/a.json": b"old", "manifest.json": b"old"}
NEW = {"packages/b.zip": b"new", "policies/definitions/a.json": b"new", "manifest.json": b"new"}


def _write(folder: Path, contents: Mapping[str, bytes]) -> None:
    files.replace_files(folder, contents, owned=OLD.keys)


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


@pytest.mark.parametrize("moved", [0, 1, 2, 3, 4, 5, 6])
def test_killed_between_two_renames_the_next_run_recovers(
    folder: Path, monkeypatch: pytest.MonkeyPatch, moved: int
) -> None:
    """A process that is killed undoes nothing: neither handler nor rollback runs."""
    with monkeypatch.context() as patch:
        calls = 0
        original = Path.rename

        def killed(path: Path, target: Path) -> Path:
            nonlocal calls
            calls += 1
            if calls > moved:
                raise KeyboardInterrupt
            return original(path, target)

        patch.setattr(Path, "rename", killed)
        patch.setattr(files, "_discard", lambda _: None)
        patch.setattr(files, "_restore", lambda _: None)
        patch.setattr(Path, "rmdir", lambda _: None)
        try:
            _write(folder, NEW)
        except KeyboardInterrupt:
            assert moved < 6
    third = {**NEW, "manifest.json": b"third"}
    files.replace_files(folder, third, owned=lambda: OLD.keys() | NEW.keys())
    assert _content(folder) == third


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
