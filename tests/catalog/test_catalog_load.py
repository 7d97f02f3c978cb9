"""The catalog that is shipped, and what loading refuses."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from typing import TYPE_CHECKING

import pytest

from avma_pack import assets
from avma_pack.catalog import Catalog, guest_catalog, load_catalog
from avma_pack.errors import CatalogError, UsageError
from shared_facts import SHARED, needs_shared

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(assets.packages() / "catalog", tmp_path / "catalog")


def _edit(file: Path, old: str, new: str, count: int = 1) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, count), encoding="utf-8")


def test_every_release_of_the_design_is_there(catalog: Catalog) -> None:
    assert catalog.ids == (
        *("ws2025", "ws2022", "ws2019", "ws2016", "ws2012r2", "ws2012"),
        *("ws20h2", "ws2004", "ws1909", "ws1903", "ws1809", "ws1803", "ws1709"),
    )


def test_evaluation_skus_stand_for_all_releases(catalog: Catalog) -> None:
    assert catalog.evaluation_skus == (79, 80, 159, 160)


@needs_shared
def test_kms_client_keys_are_those_of_the_facts(catalog: Catalog) -> None:
    facts = json.loads((SHARED / "facts/kms_client_keys.json").read_text(encoding="utf-8"))
    known = {
        (build, "version" in key["os"], key["edition"]): key["gvlk"]
        for key in facts["keys"]
        if key["server"]
        for build in key["builds"] or ()
        if build >= 9200
    }
    ours = {
        (build, release.channel == "SAC", edition.name): edition.kms_client_key
        for release in catalog.releases
        for build in release.builds
        for edition in release.editions
    }
    assert ours == known


@needs_shared
def test_avma_keys_are_those_of_the_facts_and_secondary_ones_say_so(catalog: Catalog) -> None:
    facts = json.loads((SHARED / "facts/avma_keys.json").read_text(encoding="utf-8"))
    known = {
        (build, "version" in key["os"], key["edition"]): (key["last5"], key["confidence"] == "secondary")
        for key in facts["keys"]
        for build in key["builds"]
    }
    ours = {
        (build, release.channel == "SAC", edition.name): (
            edition.avma_last_five,
            release.source(edition.avma_last_five_source).startswith("secondary:"),
        )
        for release in catalog.releases
        for build in release.builds
        for edition in release.editions
        if edition.avma_last_five
    }
    assert ours == known


@needs_shared
def test_skus_are_those_of_the_facts(catalog: Catalog) -> None:
    facts = json.loads((SHARED / "facts/os_catalog.json").read_text(encoding="utf-8"))
    known = {sku["sku"]: sku for sku in facts["skus"]}
    for release in catalog.releases:
        for edition in release.editions:
            for entry in edition.skus:
                fact = known[entry.sku]
                assert entry.edition_id == (fact["edition_id"] or "")
                assert entry.evaluation == fact["evaluation"]
                assert entry.core == bool(fact["server_core_only"])
                assert fact["edition"].startswith(edition.name)


@needs_shared
def test_lifecycle_dates_are_those_of_the_facts(catalog: Catalog) -> None:
    facts = json.loads((SHARED / "facts/os_catalog.json").read_text(encoding="utf-8"))
    known = {release["name"]: release for release in facts["releases"]}
    for release in catalog.releases:
        fact, life = known[release.name], release.lifecycle
        assert list(release.builds) == fact["builds"]
        for date, name in ((life.mainstream_end, "mainstream_end"), (life.extended_end, "extended_end")):
            first = (fact.get(name) or "").split(" ")[0]  # where two sources differ, the newer one stands first
            assert str(date or "") == first


def test_full_avma_keys_are_nowhere() -> None:
    for file in (assets.packages() / "catalog").glob("*.toml"):
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.startswith("avma-last-five ="):
                assert len(line) == len('avma-last-five = "WMBMW"')


def test_end_of_support_is_the_extended_end_where_there_is_one(catalog: Catalog) -> None:
    assert catalog.get("ws2019").lifecycle.support_end == dt.date(2029, 1, 9)
    assert catalog.get("ws20h2").lifecycle.support_end == dt.date(2022, 8, 9)
    assert catalog.get("ws1803").lifecycle.support_end is None


def test_an_unknown_id_names_the_nearest(catalog: Catalog) -> None:
    with pytest.raises(UsageError, match=r"'ws2O19'.*Did you mean ws2019\?"):
        catalog.get("ws2O19")


def test_selecting_keeps_the_order_of_the_catalog(catalog: Catalog) -> None:
    assert [release.id for release in catalog.select(["ws2016", "ws2025"])] == ["ws2025", "ws2016"]
    assert catalog.select([]) == catalog.releases


def test_the_guest_gets_strings_and_no_evaluation_sku(catalog: Catalog) -> None:
    guest = guest_catalog(catalog, catalog.select(["ws2019"]), "1.2.3")
    datacenter = guest["releases"][0]["editions"][0]
    assert guest["limited"] is True
    assert guest["packVersion"] == "1.2.3"
    assert guest["evaluationSkus"] == ["79", "80", "159", "160"]
    assert guest["releases"][0]["builds"] == ["17763"]
    assert guest["releases"][0]["semiAnnual"] is False
    assert [sku["sku"] for sku in datacenter["skus"]] == ["8", "147"]
    assert guest_catalog(catalog, catalog.releases, "1.0.0")["limited"] is False


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("ws2019.toml", "WMDGN-G9PQG", "WMDGN-G9PQ", r"ws2019\.toml: .*kms"),
        ("ws2019.toml", 'avma-last-five = "WMBMW"', 'avma-last-five = "WMBM"', r"ws2019\.toml: .*avma"),
        (
            "ws2019.toml",
            "N69G4-B89J2-4G8F4-WWYCC-J464C",
            "WMDGN-G9PQG-XVVXX-R3X43-63DFG",
            "also that of Datacenter",
        ),
        ("ws2019.toml", "{ sku = 7,", "{ sku = 8,", "build 17763 with SKU 8 leads to two"),
        ("ws2019.toml", "extended-end = 2029", "extended-end = 2019", "dates are not in order"),
        ("ws2019.toml", "semi-annual = false\n", "", "must say semi-annual"),
        ("ws2019.toml", 'id = "ws2019"', 'id = "ws2018"', "file name says 'ws2019'"),
        (
            "ws2019.toml",
            'builds-source = "release-info"',
            'builds-source = "hearsay"',
            "'hearsay' is not among",
        ),
        ("ws2019.toml", "[sources]\n", '[sources]\nspare = "x"\n', "spare is the source of nothing"),
        ("ws2019.toml", "channel =", "chanel =", "chanel"),
        ("ws2019.toml", "builds = [17763]", "builds = [", "ws2019.toml"),
        ("ws2022.toml", "builds = [20348]", "builds = [26100]", "shared by|two KMS client keys"),
    ],
)
def test_a_bad_entry_is_named(folder: Path, file: str, old: str, new: str, message: str) -> None:
    _edit(folder / file, old, new)
    with pytest.raises(CatalogError, match=message):
        load_catalog(folder)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="no catalog file"):
        load_catalog(tmp_path)


def test_a_file_that_is_not_utf_8_is_named(folder: Path) -> None:
    (folder / "ws2019.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CatalogError, match=r"ws2019\.toml"):
        load_catalog(folder)
