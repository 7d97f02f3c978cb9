"""Reading a file: where it is looked for, its encoding, its TOML, and that every key arrives."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from avma_pack.errors import SettingsError
from avma_pack.settings import (
    ActivationPolicy,
    Cloud,
    Enforcement,
    KmsProbe,
    PackageAccess,
    PrerequisitesMode,
    RemediationMode,
    Settings,
    load,
)
from avma_pack.settings.load import parse

IDENTITY = (
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg-1"
    "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/avma-reader"
)


def refusal(text: str) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        parse(text)
    assert caught.value.next_step
    return caught.value


def test_a_full_file_is_read_key_by_key() -> None:
    settings = parse(f"""
        [pack]
        version = "1.4.0"
        prefix = "contoso"
        suffix = "pilot"
        cloud = "usgovernment"
        os = ["ws2022", "ws2012r2"]
        [activation]
        policy = "Activated"
        replace-other-keys = true
        [kms]
        server = "kms.contoso.com"
        port = 1689
        probe = "Never"
        [remediation]
        mode = "ApplyAndAutoCorrect"
        [tag-filter]
        name = "activation"
        values = ["kms", ""]
        [prerequisites]
        mode = "own"
        [packages]
        base-uri = "https://contoso.blob.core.usgovcloudapi.net/packages"
        access = "user-assigned"
        identity = "{IDENTITY}"
        [assignment]
        management-group = "contoso-prod"
        location = "usgovvirginia"
        enforcement = "DoNotEnforce"
        non-compliance-message = \"\"\"
Line one
Line two\"\"\"
        """)
    assert (settings.pack.version, settings.pack.prefix, settings.pack.suffix) == (
        "1.4.0",
        "contoso",
        "-pilot",
    )
    assert settings.pack.cloud is Cloud.US_GOVERNMENT
    assert settings.pack.os == ("ws2022", "ws2012r2")
    assert settings.activation.policy is ActivationPolicy.ACTIVATED
    assert settings.activation.replace_other_keys is True
    assert (settings.kms.server, settings.kms.port) == ("kms.contoso.com", 1689)
    assert settings.kms.probe is KmsProbe.NEVER
    assert settings.remediation.mode is RemediationMode.APPLY_AND_AUTO_CORRECT
    assert (settings.tag_filter.name, settings.tag_filter.values) == ("activation", ("kms", ""))
    assert settings.prerequisites.mode is PrerequisitesMode.OWN
    assert settings.packages.base_uri == "https://contoso.blob.core.usgovcloudapi.net/packages"
    assert settings.packages.access is PackageAccess.USER_ASSIGNED
    assert settings.packages.identity == IDENTITY
    assert (settings.assignment.management_group, settings.assignment.location) == (
        "contoso-prod",
        "usgovvirginia",
    )
    assert settings.assignment.enforcement is Enforcement.DO_NOT_ENFORCE
    assert settings.assignment.non_compliance_message == "Line one\nLine two"


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("[pack]\nprefix = avma", "2:10", "Invalid value"),
        ("[pack]\n\n[pack]\n", "3:6", "Cannot declare ('pack',) twice"),
        ("a = 1\na = 2\n\n", "2:6", "Cannot overwrite a value"),
        ('a = "x', "1", "Unterminated string"),
        ("\nkms.port = [\n1,\n\n", "3", "Invalid value"),
    ],
)
def test_text_that_is_not_toml(text: str, place: str, what: str) -> None:
    assert str(refusal(text)).startswith(f"pack.toml:{place}: not valid TOML: {what}")


def test_text_without_quotes_gets_a_hint() -> None:
    assert "Text needs quotation marks." in refusal("[remediation]\nmode = off\n").next_step


@pytest.mark.parametrize("text", ["a = " + "[" * 9999, "a = " + "9" * 9999])
def test_toml_that_python_gives_up_on_is_still_the_files_fault(text: str) -> None:
    assert str(refusal(text)).startswith("pack.toml: ")


def test_an_empty_text_is_as_good_as_no_key() -> None:
    assert parse('pack.version = ""\nactivation.policy = ""\nkms.server = ""\n') == Settings()


def test_a_missing_file_is_an_error_only_if_it_was_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load() == Settings()
    with pytest.raises(SettingsError, match=r"^pack\.toml: no such file$"):
        load(Path("pack.toml"))


def test_the_file_of_the_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pack.toml").write_text("kms.port = 1690\n", encoding="utf-8")
    assert load().kms.port == 1690


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path)


def test_messages_name_the_file(tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_bytes(b"[kms]\r\nport = 0\r\n")
    with pytest.raises(SettingsError) as caught:
        load(file)
    assert str(caught.value).startswith(f"{file}:2: kms.port: ")


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    file = tmp_path / "pack.toml"
    file.write_text("kms.port = 1690\n", encoding="utf-8-sig")
    assert load(file).kms.port == 1690


def test_other_encodings_are_named_by_line(tmp_path: Path) -> None:
    file = tmp_path / "pack.toml"
    file.write_bytes("[kms]\n# größer\nport = 1\n".encode("cp1252"))
    with pytest.raises(SettingsError) as caught:
        load(file)
    assert str(caught.value) == f"{file}:2: not UTF-8, as TOML has to be: found the byte 0xF6"
    assert caught.value.next_step == "Save the file as UTF-8."


def test_utf_16_is_explained(tmp_path: Path) -> None:
    file = tmp_path / "pack.toml"
    file.write_text("kms.port = 1\n", encoding="utf-16")
    with pytest.raises(SettingsError) as caught:
        load(file)
    assert "Windows PowerShell" in caught.value.next_step


def test_importing_costs_no_module_that_only_errors_and_editors_need() -> None:
    code = "import sys, avma_pack.settings; print(*({'json', 'difflib', 'dataclasses'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
