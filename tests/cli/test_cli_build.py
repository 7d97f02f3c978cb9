"""`avma-pack build`: what it writes, and what it refuses."""

from __future__ import annotations

import errno
import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest

from avma_pack.cli.build import RemediateMode
from avma_pack.settings import RemediationMode

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Result

    Run = Callable[..., Result]


def _names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_without_options_a_pack_for_all_releases_lies_in_dist(run: Run, tmp_path: Path) -> None:
    result = run("build")
    assert result.code == 0
    assert _names(tmp_path / "dist") == {
        *("manifest.json", "packages/AuditAvmaKey_1.0.0.zip", "packages/ReplaceAvmaKeyWithKms_1.0.0.zip"),
        *("policies/assignment.json", "policies/definitions/audit.json", "policies/initiative.json"),
    }
    assert "__CONTENT_BASE_URI__" in result.stderr
    assert "AuditAvmaKey_1.0.0.zip" in result.stdout


def test_json_is_data_alone(run: Run) -> None:
    (pack,) = json.loads(run("build", "--output", "json").stdout)["packs"]
    assert pack["path"] == "dist"
    assert [package["type"] for package in pack["packages"]] == ["Audit", "AuditAndSet"]
    assert pack["pack"] == {"id": "avma-pack", "version": "1.0.0", "suffix": "", "cloud": "public"}


def test_one_release_makes_a_suffix(run: Run, tmp_path: Path) -> None:
    assert run("build", "--os", "ws2019").code == 0
    manifest = json.loads((tmp_path / "dist/manifest.json").read_text())
    assert manifest["pack"]["suffix"] == "-ws2019"
    assert [package["name"] for package in manifest["packages"]] == [
        *("AuditAvmaKey_ws2019", "ReplaceAvmaKeyWithKms_ws2019"),
    ]


def test_several_releases_need_a_suffix(run: Run, tmp_path: Path) -> None:
    result = run("build", "--os", "ws2019", "--os", "ws2022")
    assert result.code == 2
    assert "needs a suffix" in result.stderr
    assert list(tmp_path.iterdir()) == []
    assert run("build", "--os", "ws2019", "--os", "ws2022", "--suffix", "old").code == 0
    assert json.loads((tmp_path / "dist/manifest.json").read_text())["pack"]["suffix"] == "-old"


def test_each_os_of_some_releases_needs_no_suffix(run: Run, tmp_path: Path) -> None:
    assert run("build", "--each-os", "--os", "WS2019,ws2022", "--out", "packs").code == 0
    assert {path.name for path in (tmp_path / "packs").iterdir()} == {"ws2019", "ws2022"}


def test_all_releases_by_name_are_all_releases(run: Run, tmp_path: Path) -> None:
    run("build", "--out", "all")
    ids = ",".join(json.loads((tmp_path / "all/manifest.json").read_text())["packages"][0]["osIds"])
    run("build", "--out", "named", "--os", ids)
    assert (tmp_path / "named/manifest.json").read_bytes() == (tmp_path / "all/manifest.json").read_bytes()


@pytest.mark.parametrize("arguments", [("--os", "ws2019", "--suffix", "ws2022"), ("--suffix", "ws2019")])
def test_a_suffix_that_is_another_releases_is_refused(run: Run, arguments: tuple[str, ...]) -> None:
    result = run("build", *arguments)
    assert result.code == 2
    assert "which this one would overwrite in Azure" in result.stderr


def test_an_option_mends_what_is_wrong_in_the_file_together_with_others(run: Run, tmp_path: Path) -> None:
    (tmp_path / "pack.toml").write_text('[pack]\nprefix = "contoso-platform"\nsuffix = "production-x"\n')
    assert run("build").code == 2
    assert run("build", "--suffix", "p").code == 0


def test_an_empty_location_is_refused(run: Run) -> None:
    assert run("build", "--content-base-uri", "").code == 2


def test_a_result_that_cannot_be_printed_is_exit_2(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sys, "stdout", Full())
    result = run("os", "list")
    assert result.code == 2
    assert "cannot be printed: No space left on device" in result.stderr


def test_each_os_writes_a_pack_per_release(run: Run, tmp_path: Path) -> None:
    result = run("build", "--each-os", "--out", "packs")
    assert result.code == 0
    assert len(list((tmp_path / "packs").iterdir())) == 13
    assert "at most 50 guest assignments" in result.stderr
    manifest = json.loads((tmp_path / "packs/ws2012r2/manifest.json").read_text())
    assert manifest["pack"]["suffix"] == "-ws2012r2"
    assert manifest["packages"][0]["osIds"] == ["ws2012r2"]


def test_each_os_and_a_pack_for_all_share_a_folder(run: Run, tmp_path: Path) -> None:
    assert run("build").code == 0
    assert run("build", "--each-os", "--os", "ws2019").code == 0
    assert run("build").code == 0
    assert run("validate", "dist").code == 0
    assert run("validate", "dist/ws2019").code == 0


def test_options_win_over_the_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "pack.toml").write_text('[pack]\nsuffix = "file"\n[remediation]\nmode = "ApplyAndMonitor"\n')
    arguments = (
        "--suffix",
        "flag",
        "--remediate",
        "off",
        "--content-base-uri",
        "https://packages.example.com/a/",
    )
    result = run("build", *arguments)
    assert result.code == 0
    assert "__CONTENT_BASE_URI__" not in result.stderr
    manifest = json.loads((tmp_path / "dist/manifest.json").read_text())
    assert manifest["pack"]["suffix"] == "-flag"
    assert manifest["settings"]["remediation"]["mode"] == "off"
    audit = json.loads((tmp_path / "dist/policies/definitions/audit.json").read_text())
    uri = audit["properties"]["metadata"]["guestConfiguration"]["contentUri"]
    assert uri == "https://packages.example.com/a/AuditAvmaKey_flag_1.0.0.zip"


def test_a_full_settings_file_is_built_and_valid(run: Run, tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text(
        '[pack]\nversion = "1.3.0"\ncloud = "china"\nos = ["ws2022", "ws2025"]\nsuffix = "new"\n'
        '[activation]\npolicy = "Activated"\nreplace-other-keys = true\n'
        '[remediation]\nmode = "ApplyAndAutoCorrect"\n[prerequisites]\nmode = "own"\n'
        '[tag-filter]\nname = "activation"\nvalues = ["kms"]\n'
    )
    assert run("build", "--settings", "my.toml").code == 0
    assert run("validate").code == 0
    initiative = json.loads((tmp_path / "dist/policies/initiative.json").read_text())["properties"]
    assert initiative["metadata"]["version"] == "1.3.0"
    audit = json.loads((tmp_path / "dist/policies/definitions/audit.json").read_text())["properties"]
    assert audit["parameters"]["KmsServer"]["defaultValue"] == "azkms.core.chinacloudapi.cn"
    assert len(initiative["policyDefinitions"]) == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[pack]\nsufix = "x"\n', r"pack.toml:2: pack.sufix"),
        ("[pack]\nversion = 2\n", "pack.toml:2: pack.version"),
        ('[pack]\nversion = "2.0.0"\n', "pack.toml:2: pack.version"),
        ("[pack\n", "pack.toml:1"),
        ('[pack]\nos = ["ws2019", "ws2021"]\nsuffix = "x"\n', "pack.toml:2: pack.os"),
    ],
)
def test_a_bad_settings_file_is_named_with_its_line(run: Run, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "pack.toml").write_text(text)
    result = run("build")
    assert result.code == 2
    assert message in result.stderr
    assert _names(tmp_path) == {"pack.toml"}


def test_a_name_that_gets_too_long_is_refused(run: Run, tmp_path: Path) -> None:
    result = run("build", "--suffix", "a-very-long-suffix")
    assert result.code == 2
    assert "24" in result.stderr
    assert _names(tmp_path) == set()


def test_a_text_that_is_too_long_for_azure_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "pack.toml").write_text(
        f'[tag-filter]\nname = "a"\nvalues = {json.dumps([f"{n:0256}" for n in range(4096)])}\n'
    )
    result = run("build")
    assert result.code == 5
    assert "Azure's limit is" in result.stderr
    assert _names(tmp_path) == {"pack.toml"}


def test_an_unknown_release_names_the_nearest(run: Run, tmp_path: Path) -> None:
    result = run("build", "--os", "ws2O19")
    assert result.code == 2
    assert "Did you mean ws2019?" in result.stderr
    assert _names(tmp_path) == set()


def test_a_folder_of_others_is_left_alone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/theirs.json").write_text("{}")
    result = run("build", "--out", ".")
    assert result.code == 2
    assert "policies/theirs.json" in result.stderr
    assert _names(tmp_path) == {"policies/theirs.json"}


def test_a_full_disk_is_exit_2_and_changes_nothing(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("build")
    before = {name: (tmp_path / name).read_bytes() for name in _names(tmp_path)}

    def full(path: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    result = run("build", "--suffix", "x")
    assert result.code == 2
    assert "No space left on device" in result.stderr
    assert {name: (tmp_path / name).read_bytes() for name in _names(tmp_path)} == before


def test_an_output_folder_that_cannot_be_made_is_exit_2(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("build", "--out", "file/dist")
    assert result.code == 2
    assert "cannot be written" in result.stderr


def test_ctrl_c_in_the_middle_is_130_and_changes_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("build")
    before = {name: (tmp_path / name).read_bytes() for name in _names(tmp_path)}
    original = Path.rename

    def interrupted(path: Path, target: Path) -> Path:
        if path.name == "policies" and ".avma-pack-new" in path.parts:
            raise KeyboardInterrupt
        return original(path, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    assert run("build", "--remediate", "ApplyAndMonitor").code == 130
    assert {name: (tmp_path / name).read_bytes() for name in _names(tmp_path)} == before


def test_the_modes_of_the_option_are_those_of_the_settings() -> None:
    assert set(get_args(RemediateMode)) == {mode.value for mode in RemediationMode}
