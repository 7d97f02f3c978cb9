"""What a package is said to be, and which checks a broken one fails."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avma_pack import assets
from avma_pack.errors import PackageError
from avma_pack.packaging import archive
from avma_pack.packaging.inspection import Check, Module, PackageView, Resource, check, inspect

MOF = """
instance of Sample as $Sample1ref
{
  ResourceID = "[Sample]One";
  ModuleName = "SampleModule";
  ModuleVersion = "1.2.0";
  SourceInfo = "";
  ConfigurationName = "Package";
  DependsOn = {"[Sample]Two"};
  PsDscRunAsCredential = $Credential;
  Mode = "Fast";
  Limits = {1, 2};
};
instance of MSFT_Credential as $Credential { UserName = "u"; };
instance of OMI_ConfigurationDocument { Version = "2.0.0"; Name = "Package"; };
"""

PSD1 = """@{
    # ModuleVersion = '0.0.1'
    RootModule = 'SampleModule.psm1'
    ModuleVersion     = '1.2.0'
    RequiredModules = @(@{ ModuleName = 'Other'; ModuleVersion = '9.9.9' })
}
"""

PSM1 = """<#
class Sample { }
#>
class SampleReason
{
    [DscProperty()]
    [System.String] $Code
}

[DscResource(RunAsCredential = 'Optional')]
class Sample : SampleBase
{
    [DscProperty(Key)] # the key
    [ValidateSet('Fast', 'Slow')]
    [System.String] $Mode = 'Fast'

    # [DscProperty()]
    # [System.String] $Gone

    [System.String] $Hidden

    [ValidateRange(1, 2)] [DscProperty(Mandatory)] [System.Nullable[System.Int32][]] $Limits

    [System.Boolean] Test()
    {
        if ($true)
        {
            return '}'
        }
        return $false
    }
}

class SampleBase {
    [DscProperty()] hidden [string] $FromBase
}

class Plain
{
    [DscProperty()] [string] $FromPlain
}
"""

FILES = {
    "Package.mof": MOF,
    "Package.metaconfig.json": '{"Type": "Audit", "Version": "1.0.0", "configurationModeFrequencyMins": 30}',
    "Modules/SampleModule/SampleModule.psd1": PSD1,
    "Modules/SampleModule/SampleModule.psm1": PSM1,
    "Modules/SampleModule/en-US/about.txt": "about",
}

NAMES = ["layout", "mof", "metaconfig", "type", "version", "syntax", "document", "resources"]
RESOURCE_NAMES = ["module", "module version", "class", "properties"]


def package(changes: dict[str, str | bytes | None] | None = None) -> archive.Archive:
    """The sample with files changed, added or (None) removed."""
    files: dict[str, str | bytes | None] = {**FILES, **(changes or {})}
    entries = {
        path: data.encode() if isinstance(data, str) else data for path, data in files.items() if data is not None
    }
    size = sum(map(len, entries.values()))
    return archive.Archive(Path("Package_1.0.0.zip"), 1000, size, "AB" * 32, entries)


def edited(end: str, old: str, new: str) -> archive.Archive:
    """The sample with a text replaced in the file whose name ends so."""
    [path] = [path for path in FILES if path.endswith(end)]
    assert old in FILES[path]
    return package({path: FILES[path].replace(old, new)})


def failed(found: archive.Archive) -> list[tuple[str, str]]:
    return [(one.name, one.detail) for one in check(found) if not one.ok]


def passed(found: archive.Archive, name: str) -> str:
    [one] = [one for one in check(found) if one.name == name]
    assert one.ok
    return one.detail


class TestInspect:
    def test_the_whole_view(self) -> None:
        assert inspect(package()) == PackageView(
            name="Package",
            type="Audit",
            version="1.0.0",
            metaconfig={"configurationModeFrequencyMins": 30},
            modules=(Module("SampleModule", "1.2.0", 3, len(PSD1) + len(PSM1) + 5),),
            instances=(Resource("Sample", "[Sample]One", "SampleModule", "1.2.0", {"Mode": "Fast", "Limits": [1, 2]}),),
            files=tuple(sorted((path, len(text)) for path, text in FILES.items())),
            sha256="AB" * 32,
            size=1000,
            unpacked_size=sum(map(len, FILES.values())),
            signed=False,
        )

    def test_old_packages_lack_type_or_metaconfig(self) -> None:
        view = inspect(package({"Package.metaconfig.json": '{"Version": "1.0.0"}'}))
        assert (view.type, view.version, view.metaconfig) == (None, "1.0.0", {})
        view = inspect(package({"Package.metaconfig.json": None}))
        assert (view.type, view.version, view.metaconfig) == (None, None, {})

    @pytest.mark.parametrize(
        ("path", "signed"),
        [("Package.cat", True), ("Package.asc", True), ("Modules/SampleModule/SampleModule.cat", False)],
    )
    def test_signed(self, path: str, signed: bool) -> None:
        assert inspect(package({path: "x"})).signed is signed

    def test_native_resources_are_no_module(self) -> None:
        view = inspect(package({"Modules/DscNativeResources/X/libX.so": "x", "Modules/install.sh": "x"}))
        assert [module.name for module in view.modules] == ["SampleModule"]

    @pytest.mark.parametrize(
        ("psd1", "version"),
        [
            ("@{ModuleVersion='1.0'; GUID = 'x'}", "1.0"),
            ('@{\r\n    MODULEVERSION = "2.1.0.0"\r\n}', "2.1.0.0"),
            ("@{ RequiredModules = @(@{ ModuleName = 'a'; ModuleVersion = '1.0' }) }", None),
            ("@{ ModuleVersion = $version }", None),
            (PSD1.encode("utf-16"), "1.2.0"),
            (b"caf\xe9", None),
            (None, None),
        ],
    )
    def test_module_version(self, psd1: str | bytes | None, version: str | None) -> None:
        [module] = inspect(package({"Modules/SampleModule/SampleModule.psd1": psd1})).modules
        assert module.version == version

    def test_module_in_a_folder_of_its_version(self) -> None:
        found = package({"Modules/Other/3.1.0/Other.psd1": "@{\nModuleVersion = '3.1.0'\n}"})
        assert Module("Other", "3.1.0", 1, 28) in inspect(found).modules

    @pytest.mark.parametrize(
        ("changes", "cause"),
        [
            ({"Package.mof": None}, "no MOF at the root"),
            (
                {"Package.mof": None, "Package/Package.mof": MOF},
                "no MOF at the root, but Package/Package.mof: pack",
            ),
            ({"Other.MOF": MOF}, "2 MOFs at the root: Other.MOF, Package.mof"),
            ({"Package.mof": b"\xff\xfe\0"}, "Package.mof: not valid UTF-16"),
            ({"Package.mof": "\n\nclass"}, "Package.mof: line 3: expected 'instance'"),
            ({"Package.metaconfig.json": "{"}, "Package.metaconfig.json is not JSON in ASCII or UTF-8"),
            ({"Package.metaconfig.json": "[]"}, "Package.metaconfig.json is not a JSON object"),
        ],
    )
    def test_what_cannot_be_read(self, changes: dict[str, str | bytes | None], cause: str) -> None:
        with pytest.raises(PackageError) as caught:
            inspect(package(changes))
        assert str(caught.value).startswith(f"Package_1.0.0.zip: {cause}")
        assert caught.value.next_step


class TestCheck:
    def test_a_good_package_passes_every_check(self) -> None:
        checks = check(package())
        assert [one.name for one in checks] == NAMES + RESOURCE_NAMES
        assert all(one.ok and one.detail for one in checks)
        assert checks[-1] == Check("properties", "[Sample]One", True, "all in the class")

    def test_the_module_of_this_pack_passes(self) -> None:
        folder = assets.packages() / "AvmaActivation"
        version = inspect(archive.Archive(Path("a.zip"), 0, 0, "", self.own(folder, ""))).modules[0].version
        found = archive.Archive(Path("a.zip"), 0, 0, "", self.own(folder, version or ""))
        checks = check(found)
        assert [one for one in checks if not one.ok] == []
        assert [one.detail for one in checks if one.name == "properties"] == ["all in the class"]
        assert version
        assert "not determined" not in " ".join(one.detail for one in checks)

    @staticmethod
    def own(folder: Path, version: str) -> dict[str, bytes]:
        names = "IsSingleInstance ActivationPolicy KmsServer KmsPort ReplaceOtherKeys KmsProbe RolloutTag Reasons"
        values = "".join(f'{name} = "x";' for name in names.split())
        text = (
            f'instance of WindowsActivationChannel {{ ResourceID = "[W]W"; ModuleName = "AvmaActivation";'
            f'ModuleVersion = "{version}"; {values} }};'
            f'instance of OMI_ConfigurationDocument {{ Name = "A"; }};'
        )
        entries = {"A.mof": text.encode(), "A.metaconfig.json": b'{"Type": "Audit", "Version": "1.0.0"}'}
        scripts = [path for path in folder.iterdir() if path.suffix in (".psd1", ".psm1")]
        return entries | {f"Modules/AvmaActivation/{path.name}": path.read_bytes() for path in scripts}

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"Package.mof": None}, [("mof", "no MOF at the root")]),
            ({"docs/readme.txt": "x"}, [("layout", "outside of it: docs/readme.txt")]),
            ({"Package.metaconfig.json": None}, [("metaconfig", "Package.metaconfig.json is missing")]),
            (
                {"Package.metaconfig.json": '{"Type": "audit"}'},
                [
                    ("type", "Type is 'audit', expected Audit or AuditAndSet"),
                    ("version", "Version is None, expected the form 1.2.3"),
                ],
            ),
            (
                {"Package.metaconfig.json": '{"Type": "AuditAndSet", "Version": "1.0"}'},
                [("version", "Version is '1.0', expected the form 1.2.3")],
            ),
            ({"Package.mof": "x"}, [("syntax", "Package.mof: line 1: expected 'instance', found 'x'")]),
            (
                {"Package.mof": ""},
                [
                    ("document", "OMI_ConfigurationDocument has the names [], expected ['Package']"),
                    ("resources", "0 resources"),
                ],
            ),
            (
                {"Modules/SampleModule/SampleModule.psm1": "function f {}"},
                [("class", "there is no class Sample")],
            ),
        ],
    )
    def test_what_a_broken_package_fails(
        self, changes: dict[str, str | bytes | None], expected: list[tuple[str, str]]
    ) -> None:
        assert failed(package(changes)) == expected

    @pytest.mark.parametrize(
        ("end", "old", "new", "expected"),
        [
            (
                "mof",
                'Name = "Package"; };',
                'Name = "package"; };',
                ("document", "OMI_ConfigurationDocument has the names ['package'], expected ['Package']"),
            ),
            ("mof", "SampleModule", "Else", ("module", "Else is not in Modules/")),
            ("mof", 'ModuleName = "SampleModule";', "", ("module", "no module is not in Modules/")),
            ("mof", '"1.2.0"', '"1.2"', ("module version", "the MOF asks for 1.2, the manifest says 1.2.0")),
            ("mof", "Mode =", "Speed =", ("properties", "not in the class: Speed")),
            ("mof", "Mode =", "Hidden =", ("properties", "not in the class: Hidden")),
            ("mof", "Mode =", "Gone =", ("properties", "not in the class: Gone")),
            ("mof", "Mode =", "Code =", ("properties", "not in the class: Code")),
            ("mof", "Mode =", "FromPlain =", ("properties", "not in the class: FromPlain")),
            ("psm1", "[DscResource(RunAs", "[RunAs(", ("class", "the class Sample is not a DSC resource")),
        ],
    )
    def test_one_thing_wrong_fails_one_check(self, end: str, old: str, new: str, expected: tuple[str, str]) -> None:
        assert failed(edited(end, old, new)) == [expected]

    @pytest.mark.parametrize(
        ("end", "old", "new"),
        [
            ("mof", "Mode =", "MODE ="),
            ("mof", "Mode =", "FromBase ="),
            ("mof", "SampleModule", "samplemodule"),
            ("psm1", "\n", "\r\n"),
            ("psm1", "class Sample :", "class sample :"),
            ("psm1", "'Optional')]\n", "'Optional')]\n[Diagnostics.CodeAnalysis.SuppressMessage('a', '')]\n"),
        ],
    )
    def test_ways_to_write_the_same(self, end: str, old: str, new: str) -> None:
        assert failed(edited(end, old, new)) == []

    def test_a_base_class_elsewhere_leaves_properties_undetermined(self) -> None:
        psm1 = PSM1.replace("class SampleBase", "class AnotherBase")
        mof = MOF.replace("Mode =", "Speed =")
        found = package({"Modules/SampleModule/SampleModule.psm1": psm1, "Package.mof": mof})
        assert passed(found, "properties") == "not determined: the base class samplebase is not in the module"

    def test_classes_that_derive_from_each_other_end(self) -> None:
        psm1 = PSM1.replace("class SampleBase", "class SampleBase : Sample")
        assert failed(package({"Modules/SampleModule/SampleModule.psm1": psm1})) == []

    def test_a_script_that_cannot_be_read_leaves_the_class_undetermined(self) -> None:
        found = package({"Modules/SampleModule/SampleModule.psm1": b"caf\xe9"})
        assert passed(found, "class") == "not determined: cannot read SampleModule.psm1"
        assert failed(found) == []

    def test_a_manifest_that_cannot_be_read_leaves_the_version_undetermined(self) -> None:
        found = package({"Modules/SampleModule/SampleModule.psd1": None})
        assert passed(found, "module version").endswith("the manifest says not determined")

    def test_mof_based_resource(self) -> None:
        folder = "Modules/SampleModule/DSCResources/Sample"
        found = package({f"{folder}/Sample.schema.mof": "", "Modules/SampleModule/SampleModule.psm1": ""})
        assert failed(found) == []
        assert passed(found, "class") == "Sample is a MOF-based resource"

    def test_native_resource(self) -> None:
        mof = MOF.replace("SampleModule", "GuestConfiguration")
        found = package({"Package.mof": mof, "Modules/DscNativeResources/Sample/libSample.so": "x"})
        assert passed(found, "module") == "GuestConfiguration is in Modules/"
        assert failed(found) == []

    def test_utf16_mof_and_metaconfig_with_mark(self) -> None:
        config = FILES["Package.metaconfig.json"]
        found = package({"Package.mof": MOF.encode("utf-16"), "Package.metaconfig.json": config.encode("utf-8-sig")})
        assert failed(found) == []
        [(name, detail)] = failed(package({"Package.metaconfig.json": config.encode("utf-16")}))
        assert name == "metaconfig"
        assert "is not JSON in ASCII or UTF-8" in detail

    def test_json_nested_too_deep_is_a_failed_check(self) -> None:
        [(name, _)] = failed(package({"Package.metaconfig.json": "[" * 100_000}))
        assert name == "metaconfig"

    @pytest.mark.parametrize("version", ["1.0.0", "1.0.0.0", "10.20.30-beta.1+build"])
    def test_versions_that_pass(self, version: str) -> None:
        config = json.dumps({"Type": "AuditAndSet", "Version": version})
        assert failed(package({"Package.metaconfig.json": config})) == []

    @pytest.mark.parametrize("version", ["", "1", "v1.0.0", "1.0.0-", "1.0.0\n", True, 1.0, ["1.0.0"]])
    def test_versions_that_fail(self, version: object) -> None:
        config = json.dumps({"Type": ["Audit"], "Version": version})
        assert [name for name, _ in failed(package({"Package.metaconfig.json": config}))] == [
            "type",
            "version",
        ]


SNIPPETS = st.lists(
    st.sampled_from(["class A {", "\n}", "[DscResource()]", "[DscProperty()]", "$X", "[a[b]]", "<#", "#>", "# ", "\n"]),
    max_size=40,
).map("".join)


@given(path=st.sampled_from(sorted(FILES)), data=st.binary(max_size=100) | SNIPPETS)
def test_arbitrary_content_raises_nothing_else(path: str, data: bytes | str) -> None:
    found = package({path: data})
    assert check(found)
    with suppress(PackageError):
        inspect(found)


@pytest.mark.parametrize("text", ["[" * 10**6, "[]" * 500_000, "class A {\n" * 100_000, "<#" * 500_000, "@'\n" * 10**5])
@pytest.mark.parametrize("prefix", ["", "[DscResource()]", "class Sample {\n[DscProperty()]"])
def test_hostile_scripts_are_read_in_linear_time(prefix: str, text: str) -> None:
    assert check(package({"Modules/SampleModule/SampleModule.psm1": prefix + text}))
