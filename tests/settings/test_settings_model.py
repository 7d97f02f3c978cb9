"""Values that follow from settings, settings that options change, and what the manifest gets."""

from __future__ import annotations

import json

import msgspec
import pytest
from msgspec.structs import replace

from avma_pack.errors import SettingsError
from avma_pack.settings import (
    Cloud,
    Kms,
    Pack,
    Packages,
    RemediationMode,
    Settings,
    check,
    in_force,
)


def test_defaults_are_those_of_a_build_without_settings() -> None:
    settings = Settings()
    assert json.loads(msgspec.json.encode(in_force(settings, "1.0.0"))) == {
        "pack": {"version": "1.0.0", "prefix": "avma-pack", "suffix": "", "cloud": "public", "os": []},
        "activation": {"policy": None, "replace-other-keys": False},
        "kms": {"server": "azkms.core.windows.net", "port": 1688, "probe": "WhenLicensed"},
        "remediation": {"mode": "off"},
        "tag-filter": {"name": None, "values": []},
        "prerequisites": {"mode": "none"},
        "packages": {"base-uri": None, "access": "public", "identity": None},
        "assignment": {
            "management-group": None,
            "location": None,
            "enforcement": "Default",
            "non-compliance-message": None,
        },
    }
    assert not settings.remediation.enabled
    assert check(settings) == settings


@pytest.mark.parametrize(
    ("cloud", "host"),
    [
        (Cloud.PUBLIC, "azkms.core.windows.net"),
        (Cloud.US_GOVERNMENT, "kms.core.usgovcloudapi.net"),
        (Cloud.CHINA, "azkms.core.chinacloudapi.cn"),
    ],
)
def test_azure_kms_follows_the_cloud(cloud: Cloud, host: str) -> None:
    settings = Settings(pack=Pack(cloud=cloud))
    assert settings.kms_server == host
    assert in_force(settings, "1.0.0").kms.server == host
    assert replace(settings, kms=Kms(server="kms.contoso.com")).kms_server == "kms.contoso.com"


@pytest.mark.parametrize(("given", "kept"), [("pilot", "-pilot"), ("-pilot", "-pilot"), ("", "")])
def test_a_suffix_begins_with_its_hyphen(given: str, kept: str) -> None:
    assert Pack(suffix=given).suffix == kept
    assert replace(Pack(), suffix=given).suffix == kept


def test_a_trailing_slash_is_dropped() -> None:
    assert Packages(base_uri="https://a.net/b/").base_uri == "https://a.net/b"


def test_remediation_is_enabled_by_its_mode() -> None:
    changed = replace(Settings().remediation, mode=RemediationMode.APPLY_AND_MONITOR)
    assert changed.enabled


def test_settings_are_values() -> None:
    assert hash(Settings()) == hash(Settings())
    with pytest.raises(AttributeError):
        Settings().kms.port = 1  # type: ignore[misc]


def test_options_are_checked_like_a_file_without_lines() -> None:
    settings = replace(Settings(), kms=Kms(port=0), packages=Packages(base_uri="https://a.net/b?sig=secret"))
    with pytest.raises(SettingsError) as caught:
        check(settings)
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == [
        "kms.port",
        "packages.base-uri",
    ]
    assert "secret" not in str(caught.value)


def test_options_are_checked_for_contradictions() -> None:
    with pytest.raises(SettingsError, match=r"^kms\.server: found 'kms\.core\.windows\.net'"):
        check(Settings(pack=Pack(cloud=Cloud.CHINA), kms=Kms(server="kms.core.windows.net")))


def test_options_get_the_form_of_a_file() -> None:
    given = Settings(kms=Kms(server=""), pack=Pack(os=["ws2022"]))  # type: ignore[arg-type]
    assert check(given) == Settings(pack=Pack(os=("ws2022",)))


def test_the_manifest_gets_the_modules_version_unless_one_was_set() -> None:
    assert in_force(Settings(), "1.3.0").pack.version == "1.3.0"
    assert in_force(Settings(pack=Pack(version="1.4.0")), "1.3.0").pack.version == "1.4.0"


def test_the_manifest_never_gets_a_sas() -> None:
    settings = Settings(packages=Packages(base_uri="https://a.net/b?sig=secret"))
    assert in_force(settings, "1.0.0").packages.base_uri == "https://a.net/b"


def test_every_table_refuses_unknown_fields_and_cannot_change() -> None:
    for field in msgspec.structs.fields(Settings):
        config = type(field.default).__struct_config__
        assert config.frozen
        assert config.forbid_unknown_fields
