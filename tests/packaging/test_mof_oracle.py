"""pywbem's MOF compiler, which knows nothing of this project, reads the MOF of every package."""

from __future__ import annotations

import io
import zipfile

import pytest
import pywbem
import pywbem._mof_compiler as mof_compiler

from avma_pack.catalog import load_catalog
from avma_pack.packaging.build import KINDS, build_packages
from avma_pack.packaging.parameters import PARAMETERS

# What a DSC document assumes to be known: its base classes, and that of the resource.
PROPERTIES = " ".join(f"string {parameter.name};" for parameter in PARAMETERS)
CLASSES = f"""
Qualifier Key : boolean = false, Scope(property, reference), Flavor(DisableOverride, ToSubclass);
class OMI_BaseResource {{ [Key] string ResourceID; string SourceInfo; string ModuleName; string ModuleVersion;
    string ConfigurationName; }};
class WindowsActivationChannel : OMI_BaseResource {{ string IsSingleInstance; {PROPERTIES} }};
class OMI_ConfigurationDocument {{ [Key] string Name; string Version; string MinimumCompatibleVersion;
    string CompatibleVersionAdditionalProperties[]; }};
"""


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_mof_compiler_reads_the_mof(kind: object) -> None:
    catalog = load_catalog()
    packages = build_packages(catalog, catalog.select(["ws2019"]), version="1.0.0", suffix="-ws2019")
    (package,) = (each for each in packages if each.kind is kind)
    with zipfile.ZipFile(io.BytesIO(package.content)) as archive:
        text = archive.read(f"{package.name}.mof").decode()
    repository = mof_compiler.MOFWBEMConnection()
    compiler = mof_compiler.MOFCompiler(repository, verbose=False)
    compiler.compile_string(CLASSES, "root/dsc")
    compiler.compile_string(text, "root/dsc")
    (resource,) = [
        instance
        for instances in repository.instances.values()
        for instance in instances
        if instance.classname == "WindowsActivationChannel"
    ]
    assert isinstance(resource, pywbem.CIMInstance)
    assert resource["ActivationPolicy"] == package.kind.policy
    assert resource["KmsServer"] == "azkms.core.windows.net"
    assert resource["ConfigurationName"] == package.name
