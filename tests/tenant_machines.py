"""A tenant with single machines and the real pack in it, put there without requests."""

from __future__ import annotations

import copy
import datetime as dt
import hashlib
import json
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from avma_pack import assets
from avma_pack.catalog import load_catalog
from avma_pack.guest import Machine
from avma_pack.packaging.build import Package, build_packages
from avma_pack.rendering.render import render
from avma_pack.settings import (
    Assignment,
    Enforcement,
    Kms,
    Packages,
    Prerequisites,
    PrerequisitesMode,
    Remediation,
    RemediationMode,
    Settings,
)

if TYPE_CHECKING:
    from avma_pack.tenant.world import World

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
GROUP = "/providers/Microsoft.Management/managementGroups/corp"
ASSIGNMENT = f"{GROUP}/providers/Microsoft.Authorization/policyAssignments/avma-pack"
PRINCIPAL = "99999999-0000-0000-0000-000000000001"
BASE = "https://packages.example.com/packs"
VM = "Microsoft.Compute/virtualMachines"
GUEST = "Microsoft.GuestConfiguration/guestConfigurationAssignments"

_SCENARIOS = json.loads((assets.packages() / "AvmaActivation" / "tests" / "scenarios.json").read_text(encoding="utf-8"))
AVMA = next(each for each in _SCENARIOS if each["id"] == "ws2025-standard-avma-replaced")


@dataclass
class FakeGuest:
    """A machine behind a virtual machine, described by a scenario."""

    scenario: dict[str, Any] = field(default_factory=lambda: copy.deepcopy(AVMA))
    running: bool = True

    @cached_property
    def machine(self) -> Machine:
        return Machine(self.scenario["machine"], self.scenario.get("methods"))


def machine_id(name: str) -> str:
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Servers/providers/{VM}/{name}"


def add_machine(
    world: World,
    name: str,
    *,
    identity: str = "SystemAssigned",
    extension: bool = True,
    os_type: str = "Windows",
    tags: dict[str, str] | None = None,
    location: str = "westeurope",
) -> FakeGuest:
    """A Windows VM with an AVMA key and all prerequisites, unless said otherwise."""
    world.store.put(
        {
            "id": machine_id(name),
            "name": name,
            "type": VM,
            "location": location,
            "tags": tags or {},
            "properties": {"vmId": f"uuid-{name}", "storageProfile": {"osDisk": {"osType": os_type}}},
            **({"identity": {"type": identity}} if identity else {}),
        }
    )
    if extension:
        world.store.put(extension_of(name))
    guest = FakeGuest()
    world.guests[machine_id(name).lower()] = guest
    return guest


def extension_of(name: str) -> dict[str, Any]:
    return {
        "id": f"{machine_id(name)}/extensions/AzurePolicyforWindows",
        "name": "AzurePolicyforWindows",
        "type": f"{VM}/extensions",
        "location": "westeurope",
        "properties": {
            "publisher": "Microsoft.GuestConfiguration",
            "type": "ConfigurationforWindows",
            "provisioningState": "Succeeded",
        },
    }


@cache
def packages(version: str = "1.0.0") -> tuple[Package, ...]:
    catalog = load_catalog()
    return build_packages(catalog, catalog.select(()), version=version, suffix="")


def install(
    world: World,
    *,
    remediate: RemediationMode = RemediationMode.OFF,
    own_prerequisites: bool = False,
    enforce: bool = True,
    version: str = "1.0.0",
    kms_server: str | None = None,
) -> None:
    """Put the pack into the management group `corp`, and its packages where guests download them."""
    settings = replace(
        Settings(),
        packages=Packages(base_uri=BASE),
        kms=Kms(server=kms_server),
        remediation=Remediation(mode=remediate),
        prerequisites=Prerequisites(mode=PrerequisitesMode.OWN if own_prerequisites else PrerequisitesMode.NONE),
        assignment=Assignment(enforcement=Enforcement.DEFAULT if enforce else Enforcement.DO_NOT_ENFORCE),
    )
    built = packages(version)
    served = {f"{BASE}/{each.file_name}": each.content for each in built}
    world.fetch = lambda url: served[url]
    text = json.dumps(dict(render(settings, built)))
    policies = json.loads(text.replace("__SCOPE__", GROUP).replace("__LOCATION__", "westeurope"))
    for payload in policies.values():
        if payload["type"].endswith("policyAssignments"):
            payload["identity"] = {"type": "SystemAssigned", "principalId": PRINCIPAL}
        world.store.put(payload)
        tell(world, payload["id"])


def grant(world: World, role: str, scope: str = GROUP) -> None:
    world.store.put(
        {
            "id": f"{scope}/providers/Microsoft.Authorization/roleAssignments/{role}",
            "name": role,
            "type": "Microsoft.Authorization/roleAssignments",
            "properties": {
                "principalId": PRINCIPAL,
                "roleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{role}",
                "scope": scope,
            },
        }
    )


def tell(world: World, resource_id: str) -> None:
    """As the server does after a request that wrote."""
    for told in world.on_change:
        told(resource_id.lower())


def wait(world: World, **duration: float) -> None:
    world.clock.advance(dt.timedelta(**duration))


def guest_assignments(world: World, name: str) -> list[dict[str, Any]]:
    below = f"{machine_id(name)}/".lower()
    return [each for key, each in world.store.all(GUEST).items() if key.startswith(below)]


def findings(assignment: dict[str, Any]) -> list[str]:
    """The ids of the reasons in the latest report."""
    report = assignment["properties"]["latestAssignmentReport"]
    return [reason["code"].rpartition(":")[2] for each in report["resources"] for reason in each["reasons"]]


def content_hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest().upper()
