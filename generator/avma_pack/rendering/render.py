"""Fills the templates in `policies/`: payloads of definitions, initiative and assignment, as parsed JSON.

What depends on the scope stays a token until deployment: `__SCOPE__`, `__LOCATION__` and, where no location of the
packages is known, `__CONTENT_BASE_URI__`. Azure would refuse each of them, and later stages of the pack do.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from avma_pack import assets
from avma_pack.packaging.parameters import PARAMETERS
from avma_pack.packaging.templating import environment
from avma_pack.rendering.members import effect, members, parameter_values
from avma_pack.settings import PackageAccess

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from avma_pack.packaging.build import Package
    from avma_pack.rendering.checks import JsonObject
    from avma_pack.rendering.members import Member
    from avma_pack.settings import Settings

CONTENT_BASE_URI = "__CONTENT_BASE_URI__"


def render(settings: Settings, packages: Sequence[Package]) -> dict[str, JsonObject]:
    """The payloads of a pack by file name below `policies/`, in the order in which they would be deployed.

    `settings` must have its suffix resolved; `packages` are both packages of the pack.
    """
    by_role: dict[str, Package] = {package.kind.role: package for package in packages}
    chosen = members(settings)
    payloads = {f"definitions/{member.template}.json": _definition(member, settings, by_role) for member in chosen}
    payloads["initiative.json"] = _initiative(chosen, settings, packages[0].version)
    payloads["assignment.json"] = _assignment(chosen, settings, packages[0].version)
    return payloads


def _definition(member: Member, settings: Settings, packages: Mapping[str, Package]) -> JsonObject:
    values: dict[str, Any] = {
        "pack": _pack(settings, packages["audit"].version),
        "definition": {
            "name": member.name(settings),
            "display_name": member.title + _title_suffix(settings),
            "description": member.description,
            "role_definition_ids": member.role_definition_ids,
        },
        "tag_filter": {
            "name": settings.tag_filter.name,
            "values": [_literal(value) for value in settings.tag_filter.values],
        },
    }
    if member.package:
        package = packages[member.package]
        in_force = parameter_values(package, settings)
        values |= {
            "package": _package(package, settings),
            "parameters": [
                {
                    "name": parameter.name,
                    "path": parameter.path,
                    "title": parameter.title,
                    "description": parameter.description,
                    "allowed": list(parameter.allowed),
                    "default": in_force[parameter.name],
                }
                for parameter in PARAMETERS
            ],
            "parameter_hash": parameter_hash(),
            "remediation_mode": settings.remediation.mode,
        }
    return _fill(f"definitions/{member.template}.json.j2", values)


def parameter_hash() -> str:
    """The expression for Azure's hash of a guest assignment's parameters.

    Shape: base64 of `path=value` pairs, joined by commas, in the order of `configurationParameter`. Source: the
    definitions that the module GuestConfiguration 4.12.0 generates, and the built-in ones with two parameters.
    """
    pairs = [f"'{parameter.path}', '=', parameters('{parameter.name}')" for parameter in PARAMETERS]
    joined = ", ',', ".join(pairs)
    return f"[base64(concat({joined}))]"


def _package(package: Package, settings: Settings) -> dict[str, Any]:
    base_uri = settings.packages.base_uri or CONTENT_BASE_URI
    by_system = settings.packages.access is PackageAccess.SYSTEM_ASSIGNED
    return {
        "name": package.name,
        "version": package.version,
        "uri": f"{base_uri}/{package.file_name}",
        "sha256": package.sha256,
        "identity": "system" if by_system else settings.packages.identity,
    }


def _initiative(chosen: Sequence[Member], settings: Settings, version: str) -> JsonObject:
    """The initiative has no parameters of its own, for Azure never lets one be removed again.

    With some, switching remediation or prerequisites off would be refused (InvalidPolicySetParameterUpdate), and
    declaring them always is refused, too (UnusedPolicyParameters). The settings are the one place for values.
    """
    values = {
        "pack": _pack(settings, version),
        "initiative": {
            "name": settings.pack.prefix + settings.pack.suffix,
            "display_name": "AVMA product keys on Windows Server VMs" + _title_suffix(settings),
            "description": "Finds Windows VMs in Azure whose product key is an AVMA key, where AVMA is not supported, "
            "and, where remediation is on, replaces it with the KMS client key of the edition and activates Windows.",
            "members": [
                {
                    "reference_id": member.reference_id,
                    "name": member.name(settings),
                    "effect": effect(member, settings),
                }
                for member in chosen
            ],
        },
    }
    return _fill("initiative.json.j2", values)


def _assignment(chosen: Sequence[Member], settings: Settings, version: str) -> JsonObject:
    values = {
        "pack": _pack(settings, version),
        "assignment": {
            "name": settings.pack.prefix + settings.pack.suffix,
            "display_name": "AVMA product keys on Windows Server VMs" + _title_suffix(settings),
            "description": "Assigned by avma-pack. Change the pack's settings and deploy again instead of editing it.",
            "needs_identity": any(member.role for member in chosen),
            "enforcement": settings.assignment.enforcement,
            "messages": [
                (member.reference_id, settings.assignment.non_compliance_message or member.message) for member in chosen
            ],
        },
    }
    return _fill("assignment.json.j2", values)


def _pack(settings: Settings, version: str) -> dict[str, str]:
    return {"id": settings.pack.prefix, "version": version, "suffix": settings.pack.suffix}


def _title_suffix(settings: Settings) -> str:
    """Packs that live side by side have different titles, too."""
    return f" ({settings.pack.suffix.removeprefix('-')})" if settings.pack.suffix else ""


def _literal(value: str) -> str:
    """The text in a policy rule, where brackets around all of it would make it an expression."""
    return f"[{value}" if value.startswith("[") and value.endswith("]") else value


def _fill(template: str, values: Mapping[str, Any]) -> JsonObject:
    text = environment(assets.policies()).get_template(template).render(values)
    payload: JsonObject = json.loads(text)
    return payload
