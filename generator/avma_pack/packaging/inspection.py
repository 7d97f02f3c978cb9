"""Says what a Guest Configuration package is, and checks that the agent can use it.

The layout is that of New-GuestConfigurationPackage (GuestConfiguration module): `<Name>.mof` and
`<Name>.metaconfig.json` at the root, DSC modules under `Modules/`. PowerShell is read by pattern: where a
module is not written plainly, a check says "not determined" instead of failing.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from avma_pack.errors import PackageError
from avma_pack.packaging import mof

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from avma_pack.packaging.archive import Archive

_SEMANTIC = re.compile(r"\d+\.\d+\.\d+(\.\d+)?(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?", re.ASCII)
_DOCUMENT = "OMI_ConfigurationDocument"
_BASE = {"resourceid", "sourceinfo", "modulename", "moduleversion", "configurationname", "dependson"}
_STANDARD = _BASE | {"psdscrunascredential"}  # what any instance may set: OMI_BaseResource, PowerShell's own
_NATIVE = "dscnativeresources"  # not a module: resources in binary form, each in a folder named as its class
_REBUILD = "Build the package again, or ask its author to."
_UNKNOWN = "not determined"
_MAX_BASES = 20
# Comments, to the end of the line or, as blocks, of the file at the latest.
_COMMENT = re.compile(r"(?<!\S)#(?!>)[^\n]*|<#.*?(?:#>|\Z)", re.DOTALL)
_MODULE_VERSION = re.compile(r"(?im)(?:^|@\{)[ \t]*ModuleVersion[ \t]*=[ \t]*(['\"])(.*?)\1")
# A class ends where a line begins with a brace that is indented as the class is.
_CLASS = re.compile(
    r"(?ims)^(?P<indent>[ \t]*)(?P<mark>\[DscResource\b[^\[\]]*\]\s*(?:\[[^\[\]]*\]\s*){0,3})?"
    r"class\s+(?P<name>\w+)\s*(?::\s*(?P<base>[\w.]+)[^{}]{0,200})?\{(?P<body>.*?)(?:\n(?P=indent)\}|\Z)"
)
_PROPERTY = re.compile(  # other attributes and the type may stand before the name
    r"(?i)\[\s*DscProperty\b[^\[\]]*\]\s*"
    r"(?:(?:\[[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*\]|hidden\b|static\b)\s*){0,20}\$(\w+)"
)
_SCHEMA = re.compile(r"(?i)(?:^|/)DSCResources/([^/]+)/\1\.schema\.mof\Z")


@dataclass(frozen=True, slots=True)
class Module:
    """A DSC module under `Modules/`; `version` is None where its manifest does not say it plainly."""

    name: str
    version: str | None
    files: int
    size: int


@dataclass(frozen=True, slots=True)
class Resource:
    """An instance of a DSC resource; `properties` are those of its own class."""

    class_name: str
    resource_id: str | None
    module_name: str | None
    module_version: str | None
    properties: Mapping[str, mof.Value]


@dataclass(frozen=True, slots=True)
class PackageView:
    """What a package holds. `type` and `version` are None where the metaconfig does not say them.

    `metaconfig` has its other keys; `files` are (path, size); `sha256` is in upper-case hex, sizes in bytes;
    `signed`: a catalog or signature of Protect-GuestConfigurationPackage is there (it is not verified).
    """

    name: str
    type: str | None
    version: str | None
    metaconfig: Mapping[str, object]
    modules: tuple[Module, ...]
    instances: tuple[Resource, ...]
    files: tuple[tuple[str, int], ...]
    sha256: str
    size: int
    unpacked_size: int
    signed: bool


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a package: its kind, what was checked, the verdict, and what was found."""

    name: str
    subject: str
    ok: bool
    detail: str


class _Class(NamedTuple):
    base: str
    is_resource: bool
    properties: frozenset[str]


class _Code(NamedTuple):
    version: str | None
    schemas: frozenset[str]  # MOF-based resources; names are in lower case everywhere
    classes: Mapping[str, _Class]
    unread: list[str]


def inspect(archive: Archive) -> PackageView:
    """What the package is; old packages may lack the metaconfig.

    Raises:
        PackageError: there is not exactly one MOF at the root, or MOF or metaconfig cannot be read.
    """
    try:
        name = _name(archive)
        config = _metaconfig(archive, name) if f"{name}.metaconfig.json" in archive.entries else {}
        instances = _parse(archive, name)
    except PackageError as error:
        raise PackageError(f"{archive.path}: {error}", next_step=error.next_step) from error
    kind, version = config.pop("Type", None), config.pop("Version", None)
    return PackageView(
        name=name,
        type=kind if isinstance(kind, str) else None,
        version=version if isinstance(version, str) else None,
        metaconfig=config,
        modules=tuple(
            Module(module, _version(module, files), len(files), sum(map(len, files.values())))
            for key, (module, files) in _modules(archive).items()
            if key != _NATIVE
        ),
        instances=tuple(_resources(instances)),
        files=tuple((path, len(data)) for path, data in sorted(archive.entries.items())),
        sha256=archive.sha256,
        size=archive.size,
        unpacked_size=archive.unpacked_size,
        signed=not archive.entries.keys().isdisjoint((f"{name}.cat", f"{name}.asc")),
    )


def check(archive: Archive) -> list[Check]:
    """Every check, passed or failed, in a fixed order, as far as MOF and metaconfig can be read."""
    stray = [p for p in sorted(archive.entries) if "/" in p and not p.lower().startswith("modules/")]
    checks = [Check("layout", "Modules/", not stray, f"outside of it: {stray[0] if stray else 'no folder'}")]
    try:
        name = _name(archive)
    except PackageError as error:
        return [*checks, Check("mof", "*.mof", False, str(error))]
    subject = f"{name}.mof"
    checks += [Check("mof", subject, True, "the only MOF at the root"), *_check_metaconfig(archive, name)]
    try:
        instances = _parse(archive, name)
    except PackageError as error:
        return [*checks, Check("syntax", subject, False, str(error))]
    resources = list(_resources(instances))
    names = [instance.get("Name") for instance in instances if instance.is_a(_DOCUMENT)]
    detail = f"{_DOCUMENT} has the names {names}, expected {[name]}"
    return [
        *checks,
        Check("syntax", subject, True, f"{len(instances)} instances"),
        Check("document", subject, names == [name], detail),
        Check("resources", subject, bool(resources), f"{len(resources)} resources"),
        *_check_resources(archive, resources),
    ]


def _check_metaconfig(archive: Archive, name: str) -> Iterator[Check]:
    subject = f"{name}.metaconfig.json"
    try:
        config = _metaconfig(archive, name)
    except PackageError as error:
        yield Check("metaconfig", subject, False, str(error))
        return
    yield Check("metaconfig", subject, True, "a JSON object")
    kind, version = config.get("Type"), config.get("Version")
    ok = kind in ("Audit", "AuditAndSet")
    yield Check("type", subject, ok, f"Type is {kind!r}, expected Audit or AuditAndSet")
    ok = isinstance(version, str) and _SEMANTIC.fullmatch(version) is not None
    yield Check("version", subject, ok, f"Version is {version!r}, expected the form 1.2.3")


def _check_resources(archive: Archive, resources: list[Resource]) -> Iterator[Check]:
    modules = _modules(archive)
    native = {path.partition("/")[0].lower() for path in modules.pop(_NATIVE, (_NATIVE, {}))[1]}
    codes = {key: _code(name, files) for key, (name, files) in modules.items()}
    for resource in resources:
        subject, module = resource.resource_id or resource.class_name, resource.module_name or ""
        code = codes.get(module.lower())
        ok = code is not None or resource.class_name.lower() in native
        detail = f"{module or 'no module'} is {'' if ok else 'not '}in Modules/"
        yield Check("module", subject, ok, detail)
        if code is not None:
            yield from _check_code(resource, subject, code)


def _check_code(resource: Resource, subject: str, code: _Code) -> Iterator[Check]:
    detail = f"the MOF asks for {resource.module_version}, the manifest says {code.version or _UNKNOWN}"
    yield Check("module version", subject, code.version in (None, resource.module_version), detail)
    name = resource.class_name
    found = code.classes.get(name.lower())
    if name.lower() in code.schemas:
        yield Check("class", subject, True, f"{name} is a MOF-based resource")
    elif found is not None:
        detail = f"the class {name} is{'' if found.is_resource else ' not'} a DSC resource"
        yield Check("class", subject, found.is_resource, detail)
        yield _check_properties(resource, subject, found, code)
    else:
        detail = f"{_UNKNOWN}: cannot read {code.unread[0]}" if code.unread else f"there is no class {name}"
        yield Check("class", subject, bool(code.unread), detail)


def _check_properties(resource: Resource, subject: str, found: _Class, code: _Code) -> Check:
    chain = [found]
    while len(chain) < _MAX_BASES and (base := code.classes.get(chain[-1].base)):
        chain.append(base)
    extra = [key for key in resource.properties if not any(key.lower() in one.properties for one in chain)]
    detail = f"not in the class: {', '.join(extra)}" if extra else "all in the class"
    if extra and chain[-1].base:
        detail = f"{_UNKNOWN}: the base class {chain[-1].base} is not in the module"
    return Check("properties", subject, not extra or bool(chain[-1].base), detail)


def _name(archive: Archive) -> str:
    found = sorted(path for path in archive.entries if path.lower().endswith(".mof"))
    roots = [path for path in found if "/" not in path]
    if len(roots) == 1:
        return roots[0][: -len(".mof")]
    nested = f", but {found[0]}: pack what is in the folder, not the folder" if found else ""
    cause = f"{len(roots)} MOFs at the root: {', '.join(roots)}" if roots else f"no MOF at the root{nested}"
    raise PackageError(cause, next_step=_REBUILD)


def _metaconfig(archive: Archive, name: str) -> dict[str, object]:
    path = f"{name}.metaconfig.json"
    if path not in archive.entries:
        raise PackageError(f"{path} is missing", next_step=_REBUILD)
    try:
        config = json.loads(archive.entries[path].decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise PackageError(f"{path} is not JSON in ASCII or UTF-8: {error}", next_step=_REBUILD) from error
    if not isinstance(config, dict):
        raise PackageError(f"{path} is not a JSON object", next_step=_REBUILD)
    return config


def _parse(archive: Archive, name: str) -> list[mof.Instance]:
    path = next(path for path in archive.entries if path.lower() == f"{name}.mof".lower())
    try:
        return mof.parse(mof.decode(archive.entries[path]))
    except PackageError as error:
        raise PackageError(f"{path}: {error}", next_step=error.next_step) from error


def _resources(instances: Iterable[mof.Instance]) -> Iterator[Resource]:
    """The instances with a module or resource id; others are the document, and values like credentials."""
    keys = ("ResourceID", "ModuleName", "ModuleVersion")
    for instance in instances:
        identity, module, version = (v if isinstance(v := instance.get(k), str) else None for k in keys)
        if (identity or module) and not instance.is_a(_DOCUMENT):
            own = {k: v for k, v in instance.properties.items() if k.lower() not in _STANDARD}
            yield Resource(instance.class_name, identity, module, version, own)


def _modules(archive: Archive) -> dict[str, tuple[str, dict[str, bytes]]]:
    """By lower-case name: the modules' names, and their files by the path within them."""
    modules: dict[str, tuple[str, dict[str, bytes]]] = {}
    for path in sorted(archive.entries, key=str.lower):
        top, name, inner = (*path.split("/", 2), "", "")[:3]
        if top.lower() == "modules" and inner:
            modules.setdefault(name.lower(), (name, {}))[1][inner] = archive.entries[path]
    return modules


def _script(data: bytes) -> str | None:
    try:
        return _COMMENT.sub("", mof.decode(data))
    except PackageError:
        return None


def _version(name: str, files: Mapping[str, bytes]) -> str | None:
    manifests = [path for path in files if f"/{path}".lower().endswith(f"/{name}.psd1".lower())]
    text = _script(files[min(manifests, key=len)]) if manifests else None
    match = _MODULE_VERSION.search(text or "")
    return match[2] if match else None


def _code(name: str, files: Mapping[str, bytes]) -> _Code:
    scripts = {path: _script(files[path]) for path in files if path.lower().endswith((".psm1", ".ps1"))}
    classes = {}
    for found in (found for text in scripts.values() if text for found in _CLASS.finditer(text)):
        properties = frozenset(map(str.lower, _PROPERTY.findall(found["body"])))
        base = (found["base"] or "").lower()
        classes[found["name"].lower()] = _Class(base, found["mark"] is not None, properties)
    schemas = frozenset(match[1].lower() for path in files if (match := _SCHEMA.search(path)))
    unread = [path for path, text in scripts.items() if text is None]
    return _Code(_version(name, files), schemas, classes, unread)
