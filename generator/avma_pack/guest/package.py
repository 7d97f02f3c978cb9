"""A Guest Configuration package as the guest reads it: parameters of the MOF, catalog and wording."""

from __future__ import annotations

import io
import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_MODULE = "Modules/AvmaActivation"
_PARAMETER = re.compile(r'^\s*(\w+)\s*=\s*"((?:[^"\\]|\\.)*)"\s*;', re.MULTILINE)
_RESOURCE = re.compile(r"instance of WindowsActivationChannel\b.*?^};", re.DOTALL | re.MULTILINE)
_OF_MOF = frozenset({"ResourceID", "ModuleName", "ModuleVersion", "SourceInfo", "ConfigurationName"})

_HOST_NAME = re.compile(r"^[A-Za-z0-9._-]+$")
_PORT = re.compile(r"^([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])$")


@dataclass(frozen=True, slots=True)
class Sku:
    """One OperatingSystemSKU, as text, and the EditionID that goes with it ('' where none is known)."""

    sku: str
    edition_id: str


@dataclass(frozen=True, slots=True)
class Edition:
    """An edition of a release and its KMS client key."""

    name: str
    kms_client_key: str
    skus: tuple[Sku, ...]


@dataclass(frozen=True, slots=True)
class Release:
    """A Windows Server release. `semi_annual` is None unless two releases share a build."""

    name: str
    builds: tuple[str, ...]
    semi_annual: bool | None
    editions: tuple[Edition, ...]


@dataclass(frozen=True, slots=True)
class Catalog:
    """`catalog.json`. `limited`: other releases exist, for which this package does not answer."""

    pack_version: str
    limited: bool
    evaluation_skus: tuple[str, ...]
    releases: tuple[Release, ...]


@dataclass(frozen=True, slots=True)
class ReasonDefinition:
    """An entry of `reasons.json`: whether the reason means compliant, and its wording with {fields}."""

    id: str
    compliant: bool
    phrase: str


@dataclass(frozen=True, slots=True)
class GuestPackage:
    """What the agent unpacks on a machine.

    `parameters` are those of the MOF by name, `meanings` those of HRESULTs (`0x` and eight digits). `type` is
    `Audit`, for which the agent never calls Set, or `AuditAndSet`.
    """

    name: str
    type: str
    parameters: Mapping[str, str]
    catalog: Catalog
    reasons: Mapping[str, ReasonDefinition]
    meanings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Parameters:
    """The resource's parameters, checked as the resource checks them."""

    activation_policy: str = "NoAvma"
    kms_server: str = "azkms.core.windows.net"
    kms_port: str = "1688"
    replace_other_keys: str = "No"
    kms_probe: str = "WhenLicensed"
    rollout_tag: str = ""


_ALLOWED = {
    "IsSingleInstance": ("Yes",),
    "ActivationPolicy": ("NoAvma", "AvmaReplaced", "KmsClientOnly", "Activated"),
    "ReplaceOtherKeys": ("No", "Yes"),
    "KmsProbe": ("WhenLicensed", "Always", "Never"),
}
_PATTERN = {"KmsServer": _HOST_NAME, "KmsPort": _PORT}
_FIELD = {
    "ActivationPolicy": "activation_policy",
    "KmsServer": "kms_server",
    "KmsPort": "kms_port",
    "ReplaceOtherKeys": "replace_other_keys",
    "KmsProbe": "kms_probe",
    "RolloutTag": "rollout_tag",
}


def read_package(source: bytes | str | Path) -> GuestPackage:
    """The package in a zip file, given by its content or its path.

    Raises:
        ValueError: it holds no MOF with the resource, or more than one MOF.
        KeyError: a file of the module is missing.
    """
    with zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else Path(source)) as archive:
        mofs = [name for name in archive.namelist() if "/" not in name and name.endswith(".mof")]
        if len(mofs) != 1:
            raise ValueError(f"a package holds one MOF file, this one {len(mofs)}")
        name = mofs[0].removesuffix(".mof")
        mof = archive.read(mofs[0]).decode("ascii")

        def load(path: str) -> Any:
            return json.loads(archive.read(path))

        return GuestPackage(
            name=name,
            type=load(f"{name}.metaconfig.json")["Type"],
            parameters=_mof_parameters(mof),
            catalog=_catalog(load(f"{_MODULE}/catalog.json")),
            reasons={
                entry["id"]: ReasonDefinition(entry["id"], entry["compliant"], entry["phrase"])
                for entry in load(f"{_MODULE}/reasons.json")
            },
            meanings={entry["code"]: entry["meaning"] for entry in load(f"{_MODULE}/hresults.json")},
        )


def read_parameters(values: Mapping[str, str]) -> Parameters:
    """The parameters with these values and the resource's defaults for the rest; sets ignore case.

    Raises:
        ValueError: the resource has no such parameter, or the parameter does not allow the value.
    """
    for name, value in values.items():
        allowed = _ALLOWED.get(name)
        if allowed and value.casefold() not in {each.casefold() for each in allowed}:
            raise ValueError(f"{name}: {value!r} is not one of {', '.join(allowed)}")
        pattern = _PATTERN.get(name)
        if pattern and not pattern.search(value):
            raise ValueError(f"{name}: {value!r} does not match {pattern.pattern}")
        if name not in _FIELD and not allowed:
            raise ValueError(f"{name}: the resource has no such parameter")
    return Parameters(**{_FIELD[name]: value for name, value in values.items() if name in _FIELD})


def _mof_parameters(mof: str) -> dict[str, str]:
    resource = _RESOURCE.search(mof)
    if resource is None:
        raise ValueError("the MOF has no instance of WindowsActivationChannel")
    return {
        name: re.sub(r"\\(.)", r"\1", value) for name, value in _PARAMETER.findall(resource[0]) if name not in _OF_MOF
    }


def _catalog(value: Any) -> Catalog:
    return Catalog(
        pack_version=value["packVersion"],
        limited=value["limited"],
        evaluation_skus=tuple(value["evaluationSkus"]),
        releases=tuple(
            Release(
                name=release["name"],
                builds=tuple(release["builds"]),
                semi_annual=release["semiAnnual"],
                editions=tuple(
                    Edition(
                        name=edition["name"],
                        kms_client_key=edition["kmsClientKey"],
                        skus=tuple(Sku(entry["sku"], entry["editionId"]) for entry in edition["skus"]),
                    )
                    for edition in release["editions"]
                ),
            )
            for release in value["releases"]
        ),
    )
