"""Same input, same bytes: in any folder, environment and installation."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
ARGUMENTS = (
    "build",
    "--remediate",
    "ApplyAndMonitor",
    "--content-base-uri",
    "https://packages.example.com/avma",
)
RUN = "import sys; from avma_pack.cli import main; sys.exit(main())"


def _build(python: Path | str, folder: Path, environment: dict[str, str], umask: int = 0o022) -> dict[str, bytes]:
    """Build in `folder` and return every file by its path."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [str(python), "-c", RUN, *ARGUMENTS],
        cwd=folder,
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
        **({} if os.name == "nt" else {"umask": umask}),
    )
    dist = folder / "dist"
    return {path.relative_to(dist).as_posix(): path.read_bytes() for path in dist.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return _build(sys.executable, tmp_path_factory.mktemp("plain"), {"PYTHONHASHSEED": "0"})


def test_the_pack_is_complete(expected: dict[str, bytes]) -> None:
    assert set(expected) == {
        *("packages/AuditAvmaKey_1.0.0.zip", "packages/ReplaceAvmaKeyWithKms_1.0.0.zip", "manifest.json"),
        *("policies/definitions/audit.json", "policies/definitions/remediate.json"),
        *("policies/initiative.json", "policies/assignment.json"),
    }


def test_environment_and_file_times_change_nothing(tmp_path: Path, expected: dict[str, bytes]) -> None:
    copy = tmp_path / "a copy of the sources"
    for part in ("generator", "packages", "policies"):
        shutil.copytree(CHECKOUT / part, copy / part)
    for path in copy.rglob("*"):
        os.utime(path, (981173106, 981173106))
    environment = {
        "PYTHONPATH": str(copy / "generator"),
        "PYTHONHASHSEED": "4242",
        "TZ": "Pacific/Kiritimati",
        "LANG": "tr_TR.UTF-8",
        "LC_ALL": "C",
    }
    assert _build(sys.executable, tmp_path / "elsewhere", environment, umask=0o077) == expected


def test_twice_over_itself_changes_nothing(tmp_path: Path, expected: dict[str, bytes]) -> None:
    for _ in range(2):
        assert _build(sys.executable, tmp_path, {}) == expected


def test_the_installed_wheel_builds_the_same_outside_the_checkout(tmp_path: Path, expected: dict[str, bytes]) -> None:
    pip = ("-m", "pip", "--disable-pip-version-check", "--quiet")
    subprocess.run(
        [
            sys.executable,
            *pip,
            "wheel",
            "--no-deps",
            "--no-build-isolation",
            "--wheel-dir",
            str(tmp_path),
            str(CHECKOUT),
        ],
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    venv.create(tmp_path / "empty", with_pip=True)
    python = tmp_path / "empty" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    subprocess.run([str(python), *pip, "install", str(wheel)], check=True)
    assert _build(python, tmp_path / "work", {"PYTHONPATH": ""}) == expected
