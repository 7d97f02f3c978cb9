"""`os`, `settings`, `inspect`, `validate` and the program itself."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
import zipfile
from typing import TYPE_CHECKING

import jsonschema
import pytest

import avma_pack
from avma_pack.cli import build as build_command

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Result

    Run = Callable[..., Result]

AUDIT = "dist/packages/AuditAvmaKey_1.0.0.zip"


def test_os_list_shows_every_release_with_its_end_of_support(run: Run) -> None:
    lines = run("os", "list").stdout.splitlines()
    assert lines[0].split() == ["Id", "Release", "Channel", "Builds", "Editions", "End", "of", "support"]
    assert len(lines) == 14
    assert any(line.startswith("ws2025") and line.endswith("2034-11-14") for line in lines)
    assert any(line.startswith("ws1709") and line.endswith("not known") for line in lines)


def test_os_list_as_json(run: Run) -> None:
    releases = json.loads(run("os", "list", "--output", "json").stdout)
    assert releases[0]["id"] == "ws2025"
    assert releases[0]["lifecycle"]["supportEnd"] == "2034-11-14"


def test_os_show_says_where_a_value_is_from(run: Run) -> None:
    release = json.loads(run("os", "show", "ws2025", "--output", "json").stdout)
    assert release["editions"][1]["avmaLastFiveSource"].startswith("secondary:")
    assert not release["editions"][1]["kmsClientKeySource"].startswith("secondary:")
    text = run("os", "show", "ws2025").stdout
    assert "D764K-2NDRG-47T6Q-P8T8W-YP6DF" in text
    assert "secondary:" in text


def test_os_show_of_an_unknown_release(run: Run) -> None:
    result = run("os", "show", "ws2O25")
    assert (result.code, result.stdout) == (2, "")
    assert "Did you mean ws2025?" in result.stderr


def test_settings_init_writes_the_defaults_and_keeps_what_is_there(run: Run, tmp_path: Path) -> None:
    assert run("settings", "init").code == 0
    tables = tomllib.loads((tmp_path / "pack.toml").read_text())
    assert set(tables) >= {"pack", "kms", "remediation"}
    assert run("build", "--settings", "pack.toml").code == 0
    (tmp_path / "pack.toml").write_text("# mine\n")
    result = run("settings", "init")
    assert result.code == 2
    assert "exists already" in result.stderr
    assert (tmp_path / "pack.toml").read_text() == "# mine\n"
    assert run("settings", "init", "--force").code == 0
    assert run("settings", "init", "-").stdout == (tmp_path / "pack.toml").read_text()


def test_settings_schema_is_a_schema(run: Run) -> None:
    schema = json.loads(run("settings", "schema").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert not jsonschema.Draft202012Validator(schema).is_valid({"pack": {"sufix": "x"}})


def test_inspect_shows_what_is_inside(run: Run) -> None:
    run("build")
    data = json.loads(run("inspect", AUDIT, "--output", "json").stdout)
    assert (data["name"], data["type"], data["version"]) == ("AuditAvmaKey", "Audit", "1.0.0")
    assert data["instances"][0]["properties"]["ActivationPolicy"] == "NoAvma"
    assert data["modules"][0]["name"] == "AvmaActivation"
    text = run("inspect", AUDIT).stdout
    assert "Modules/AvmaActivation/AvmaActivation.psm1" in text


def test_validate_finds_nothing_in_a_fresh_pack(run: Run) -> None:
    run("build", "--remediate", "ApplyAndMonitor")
    result = run("validate")
    assert result.code == 0
    assert "FAIL" not in result.stdout
    assert "all passed" in result.stderr
    assert json.loads(run("validate", "--output", "json").stdout)["ok"] is True


def _truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:1000])


def _rewrite(file: Path, change: Callable[[dict[str, bytes]], dict[str, bytes]]) -> None:
    with zipfile.ZipFile(file) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in change(entries).items():
            archive.writestr(name, content)


def _escape(file: Path) -> None:
    _rewrite(file, lambda entries: {**entries, "../outside.txt": b"x"})


def _second_mof(file: Path) -> None:
    _rewrite(file, lambda entries: {**entries, "Other.mof": entries["AuditAvmaKey.mof"]})


def _renamed_mof(file: Path) -> None:
    _rewrite(
        file,
        lambda entries: {name.replace("AuditAvmaKey.mof", "Other.mof"): content for name, content in entries.items()},
    )


def _unknown_property(file: Path) -> None:
    def change(entries: dict[str, bytes]) -> dict[str, bytes]:
        return {**entries, "AuditAvmaKey.mof": entries["AuditAvmaKey.mof"].replace(b"KmsPort", b"KmsPrt")}

    _rewrite(file, change)


def _no_metaconfig(file: Path) -> None:
    _rewrite(file, lambda entries: {name: content for name, content in entries.items() if "metaconfig" not in name})


def _other_hash(file: Path) -> None:
    manifest = file.parents[1] / "manifest.json"
    text = manifest.read_text()
    sha256 = json.loads(text)["packages"][0]["sha256"]
    manifest.write_text(text.replace(sha256, "0" * 64))


def _gone(file: Path) -> None:
    file.unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_truncate, "AuditAvmaKey_1.0.0.zip"),
        (_escape, "../outside.txt"),
        (_second_mof, "Other.mof"),
        (_renamed_mof, "Other"),
        (_unknown_property, "KmsPrt"),
        (_no_metaconfig, "metaconfig"),
        (_other_hash, "0000000000"),
        (_gone, "AuditAvmaKey_1.0.0.zip"),
    ],
)
def test_validate_names_what_is_broken(run: Run, tmp_path: Path, damage: Callable[[Path], None], message: str) -> None:
    run("build")
    damage(tmp_path / AUDIT)
    result = run("validate")
    assert result.code == 5
    failed = [line for line in result.stdout.splitlines() if line.startswith("FAIL")]
    assert any(message in line for line in failed), result.stdout
    assert "failed" in result.stderr


def test_validate_finds_a_policy_that_names_another_package(run: Run, tmp_path: Path) -> None:
    run("build")
    file = tmp_path / "dist/policies/definitions/audit.json"
    sha256 = json.loads((tmp_path / "dist/manifest.json").read_text())["packages"][0]["sha256"]
    file.write_text(file.read_text().replace(sha256, "F" * 64))
    result = run("validate")
    assert result.code == 5
    assert "FAIL  content-hash: policies/definitions/audit.json" in result.stdout


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("parameters('KmsPort')", "parameters('KmsPrt')"),
        ('"policyType": "Custom",', '"policyType": "Custom"'),
    ],
)
def test_validate_finds_a_policy_that_azure_would_refuse(run: Run, tmp_path: Path, old: str, new: str) -> None:
    run("build")
    file = tmp_path / "dist/policies/definitions/audit.json"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    result = run("validate")
    assert result.code == 5
    assert "FAIL  policy: policies/definitions/audit.json" in result.stdout


def test_validate_finds_a_policy_that_is_no_object(run: Run, tmp_path: Path) -> None:
    run("build")
    (tmp_path / "dist/policies/definitions/audit.json").write_text("[]")
    result = run("validate")
    assert result.code == 5
    assert "FAIL  policy: policies/definitions/audit.json: is not a JSON object" in result.stdout


@pytest.mark.parametrize(
    ("old", "new", "check"),
    [
        ("ReplaceAvmaKeyWithKms_1.0.0.zip", "Nonsense.zip", "content-uri"),
        ('"assignmentType": "ApplyAndMonitor"', '"assignmentType": "ApplyAndAutoCorrect"', "assignment-type"),
        ('"name": "ReplaceAvmaKeyWithKms"', '"name": "Other"', "content"),
    ],
)
def test_validate_finds_a_policy_that_is_not_of_this_pack(
    run: Run, tmp_path: Path, old: str, new: str, check: str
) -> None:
    run("build", "--remediate", "ApplyAndMonitor")
    file = tmp_path / "dist/policies/definitions/remediate.json"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    result = run("validate")
    assert result.code == 5
    assert f"FAIL  {check}: policies/definitions/remediate.json" in result.stdout


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("packages/AuditAvmaKey_1.0.0.zip", "../AuditAvmaKey_1.0.0.zip", "is not a file of a pack"),
        ("policies/initiative.json", "policies/assignment.json", "is named twice"),
        ('"role": "audit"', '"role": "remediate"', "one package to audit"),
        ("policies/initiative.json", "policies/other.json", "policies/initiative.json is missing"),
    ],
)
def test_validate_refuses_a_manifest_that_no_build_writes(
    run: Run, tmp_path: Path, old: str, new: str, message: str
) -> None:
    run("build")
    file = tmp_path / "dist/manifest.json"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    result = run("validate")
    assert result.code == 5
    assert message in result.stdout


def test_validate_of_what_is_no_pack(run: Run, tmp_path: Path) -> None:
    result = run("validate", "nowhere")
    assert (result.code, result.stdout) == (2, "")
    assert "nowhere: is not a pack" in result.stderr


def test_validate_of_a_damaged_manifest(run: Run, tmp_path: Path) -> None:
    run("build")
    (tmp_path / "dist/manifest.json").write_text("{")
    result = run("validate", "--output", "json")
    assert result.code == 5
    (check,) = json.loads(result.stdout)["checks"]
    assert "manifest.json: is damaged" in check["detail"]
    (tmp_path / "dist/manifest.json").write_text('{"schemaVersion": 7}')
    assert "this avma-pack knows 1" in run("validate").stdout


@pytest.mark.parametrize("damage", [_truncate, _escape, _second_mof])
def test_inspect_of_a_damaged_package_is_exit_5(run: Run, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    run("build")
    shutil.copy(tmp_path / AUDIT, tmp_path / "copy.zip")
    damage(tmp_path / "copy.zip")
    result = run("inspect", "copy.zip")
    assert (result.code, result.stdout) == (5, "")
    assert "copy.zip" in result.stderr
    assert "Next:" in result.stderr


def test_inspect_of_a_missing_file_is_exit_2(run: Run) -> None:
    assert run("inspect", "missing.zip").code == 2


def test_version(run: Run) -> None:
    assert run("--version").stdout == f"avma-pack {avma_pack.__version__}\n"


@pytest.mark.parametrize(
    "command",
    [(), ("build",), ("validate",), ("inspect",), ("os",), ("os", "list"), ("os", "show"), ("settings",)],
)
def test_every_help_teaches_by_an_example(run: Run, command: tuple[str, ...]) -> None:
    result = run(*command, "--help")
    assert result.code == 0
    assert "avma-pack" in result.stdout
    if len(command) == 2 or command in {("build",), ("validate",), ("inspect",)}:
        assert "Example:" in result.stdout


def test_an_unknown_option_is_exit_2(run: Run) -> None:
    assert run("build", "--oss", "ws2019").code == 2


def test_a_bug_says_so_and_shows_a_traceback_only_on_demand(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("boom")

    monkeypatch.setattr(build_command, "_with_options", broken)
    result = run("build")
    assert result.code == 70
    assert "ZeroDivisionError: boom" in result.stderr
    assert "Traceback" in run("--debug", "build").stderr


def test_help_and_completion_load_nothing_heavy() -> None:
    code = (
        "import sys\nimport avma_pack.cli\n"
        "print([name for name in ('jinja2', 'msgspec', 'rich.table', 'zipfile', 'avma_pack.settings') "
        "if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
