"""The two packages: their content, names and hashes, and what their bytes depend on."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile

import pytest

from avma_pack import assets
from avma_pack.catalog import Catalog, load_catalog
from avma_pack.packaging import mof
from avma_pack.packaging.build import KINDS, Package, build_packages, module_version
from avma_pack.packaging.parameters import PARAMETERS, RESOURCE


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


@pytest.fixture(scope="module")
def packages(catalog: Catalog) -> tuple[Package, ...]:
    return build_packages(catalog, catalog.releases, version="1.0.0", suffix="")


def _entries(package: Package) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(package.content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_pack_has_an_audit_and_a_remediation_package(packages: tuple[Package, ...]) -> None:
    assert [(package.name, package.type, package.file_name) for package in packages] == [
        ("AuditAvmaKey", "Audit", "AuditAvmaKey_1.0.0.zip"),
        ("ReplaceAvmaKeyWithKms", "AuditAndSet", "ReplaceAvmaKeyWithKms_1.0.0.zip"),
    ]


def test_the_layout_is_that_of_a_guest_configuration_package(packages: tuple[Package, ...]) -> None:
    for package in packages:
        module = (
            "AvmaActivation.psd1",
            "AvmaActivation.psm1",
            "catalog.json",
            "hresults.json",
            "reasons.json",
        )
        assert set(_entries(package)) == {
            f"{package.name}.mof",
            f"{package.name}.metaconfig.json",
            *(f"Modules/AvmaActivation/{file}" for file in module),
        }


def test_metaconfig_says_type_and_version(packages: tuple[Package, ...]) -> None:
    for package in packages:
        config = json.loads(_entries(package)[f"{package.name}.metaconfig.json"])
        assert config == {"Type": package.type, "Version": "1.0.0"}


def test_what_goes_to_a_guest_is_ascii_without_carriage_returns(packages: tuple[Package, ...]) -> None:
    for package in packages:
        for name, content in _entries(package).items():
            assert content.isascii(), name
            assert b"\r" not in content, name


def test_the_mof_sets_every_parameter_to_its_default(packages: tuple[Package, ...]) -> None:
    for package in packages:
        resource, document = mof.parse(_entries(package)[f"{package.name}.mof"].decode())
        values = {each.name: each.default for each in PARAMETERS} | {"ActivationPolicy": package.kind.policy}
        for name, value in values.items():
            assert resource.properties[name] == value
        assert resource.class_name == "WindowsActivationChannel"
        assert resource.properties["ResourceID"] == RESOURCE
        assert resource.properties["ModuleVersion"] == module_version()
        assert document.properties["Name"] == package.name


def test_parameters_are_those_of_the_resource_in_name_order_default_and_values() -> None:
    source = (assets.packages() / "AvmaActivation/AvmaActivation.psm1").read_text(encoding="ascii")
    block = re.search(r"class WindowsActivationChannel\n\{(.*?)\n    \[DscProperty\(NotConfigurable", source, re.DOTALL)
    assert block
    found = re.findall(
        r"\[DscProperty\(\)\]\n(?:    \[ValidateSet\(([^)]*)\)\]\n)?(?:    \[ValidatePattern.*\n)?"
        r"    \[System\.String\] \$(\w+) = '([^']*)'",
        block[1],
    )
    assert [(name, default, tuple(re.findall(r"'([^']*)'", allowed))) for allowed, name, default in found] == [
        (each.name, each.default, each.allowed) for each in PARAMETERS
    ]


def test_size_is_that_of_stored_entries(packages: tuple[Package, ...]) -> None:
    for package in packages:
        assert package.size == len(package.content) < 150_000
        assert package.sha256 == hashlib.sha256(package.content).hexdigest().upper()


def test_a_suffix_ends_the_names_of_package_and_configuration(catalog: Catalog) -> None:
    chosen = catalog.select(["ws2019"])
    audit, _ = build_packages(catalog, chosen, version="1.4.0", suffix="-ws2019")
    assert audit.name == "AuditAvmaKey_ws2019"
    assert audit.file_name == "AuditAvmaKey_ws2019_1.4.0.zip"
    assert audit.os_ids == ("ws2019",)
    assert "AuditAvmaKey_ws2019.mof" in _entries(audit)


def test_the_guest_catalog_has_the_chosen_releases_only(catalog: Catalog) -> None:
    audit, _ = build_packages(catalog, catalog.select(["ws2019"]), version="1.0.0", suffix="-x")
    guest = json.loads(_entries(audit)["Modules/AvmaActivation/catalog.json"])
    assert guest["limited"] is True
    assert [release["id"] for release in guest["releases"]] == ["ws2019"]


def test_kinds_name_the_policies_of_the_resource() -> None:
    policies = PARAMETERS[0].allowed
    assert {kind.policy for kind in KINDS} <= set(policies)
