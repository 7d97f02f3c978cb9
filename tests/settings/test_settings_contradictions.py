"""Settings that are each allowed and contradict each other, and those that only look as if they did."""

from __future__ import annotations

import pytest

from avma_pack.errors import SettingsError
from avma_pack.settings import Cloud
from avma_pack.settings.load import parse
from avma_pack.settings.model import AZURE_KMS

IDENTITY = (
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourcegroups/rg-1"
    "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/avma-reader"
)


def refusal(text: str) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        parse(text)
    return caught.value


@pytest.mark.parametrize("access", ["public", "sas", "system-assigned"])
def test_an_identity_wants_user_assigned_access(access: str) -> None:
    error = refusal(f'[packages]\naccess = "{access}"\nidentity = "{IDENTITY}"\n')
    assert str(error).startswith("pack.toml:3: packages.identity: found '/subscriptions/")
    assert f"packages.access is '{access}'" in str(error)
    assert "user-assigned" in error.next_step


def test_user_assigned_access_wants_an_identity() -> None:
    error = refusal('[packages]\n\naccess = "user-assigned"\n')
    assert str(error).startswith("pack.toml:3: packages.access: found 'user-assigned' without an identity")
    assert "packages.identity" in error.next_step


def test_user_assigned_access_with_an_identity_is_right() -> None:
    assert parse(f'[packages]\naccess = "user-assigned"\nidentity = "{IDENTITY}"\n').packages.identity == IDENTITY


@pytest.mark.parametrize("cloud", Cloud)
@pytest.mark.parametrize("owner", Cloud)
def test_azure_kms_of_another_cloud(cloud: Cloud, owner: Cloud) -> None:
    for host in AZURE_KMS[owner]:
        text = f'[kms]\nserver = "{host.upper()}"\n[pack]\ncloud = "{cloud}"\n'
        if owner is cloud:
            assert parse(text).kms_server == host.upper()
        else:
            error = refusal(text)
            assert str(error).startswith(
                f"pack.toml:2: kms.server: found '{host.upper()}', Azure KMS of the cloud '{owner}'"
            )
            assert f"'{cloud}'" in str(error)
            assert AZURE_KMS[cloud][0] in str(error)
            assert "pack.cloud" in error.next_step


def test_no_host_belongs_to_two_clouds() -> None:
    hosts = [host for hosts in AZURE_KMS.values() for host in hosts]
    assert len(hosts) == len(set(hosts))


def test_the_name_of_the_assignment_has_24_characters_at_most() -> None:
    assert parse('[pack]\nprefix = "sixteen-and-four"\nsuffix = "-1234567"').pack.suffix == "-1234567"
    error = refusal('[pack]\nprefix = "sixteen-and-four"\nsuffix = "12345678"')
    assert str(error).startswith("pack.toml:3: pack.suffix: found '-12345678'")
    assert "25 characters; allowed: 24" in str(error)


def test_values_of_a_tag_without_its_name() -> None:
    error = refusal('[tag-filter]\nname = ""\nvalues = ["a"]\n')
    assert str(error).startswith("pack.toml:3: tag-filter.values: found values of a tag without its name")


@pytest.mark.parametrize(
    "text",
    [
        'tag-filter.name = "activation"',
        "activation.replace-other-keys = true",
        'packages.access = "sas"',
        'packages.access = "system-assigned"',
        'kms.server = "10.0.0.4"',
        'remediation.mode = "ApplyAndMonitor"\nactivation.policy = "NoAvma"',
        'remediation.mode = "off"\nactivation.policy = "Activated"',
    ],
)
def test_what_only_looks_like_a_contradiction(text: str) -> None:
    parse(text)


def test_a_contradiction_is_not_told_while_a_value_is_wrong() -> None:
    error = refusal(f'[packages]\nacess = "user-assigned"\nidentity = "{IDENTITY}"\n')
    assert str(error).count("\n") == 0
    assert "packages.acess" in str(error)


def test_all_contradictions_are_told() -> None:
    error = refusal('packages.access = "user-assigned"\nkms.server = "kms.core.windows.net"\npack.cloud = "china"\n')
    assert [line.split(": ")[0] for line in str(error).splitlines()] == ["pack.toml:1", "pack.toml:2"]
    assert "packages.identity" in error.next_step
    assert "pack.cloud" in error.next_step
