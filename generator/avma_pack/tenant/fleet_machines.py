"""Virtual machines of a fleet, as ARM shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from avma_pack.tenant.fleet_hierarchy import Site
    from avma_pack.tenant.fleet_profiles import Profile
    from avma_pack.tenant.releases import Edition
    from avma_pack.tenant.store import Resource
    from avma_pack.tenant.world import World

_UBUNTU = {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server"}
_OLD_WINDOWS = {"publisher": "MicrosoftWindowsServer", "offer": "WindowsServer", "sku": "2008-R2-SP1"}
"""An image of 2008 R2: after an upgrade in place the virtual machine still names it."""

_SIZES = ("Standard_D2s_v5", "Standard_D4s_v5", "Standard_B2ms", "Standard_E4s_v5")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a virtual machine is like. `origin` is where its disk came from; `edition` is None on Linux."""

    profile: Profile
    edition: Edition | None
    origin: str


def virtual_machine(world: World, site: Site, kind: Kind, number: int) -> Resource:
    """A virtual machine; a migrated one has neither image nor osProfile."""
    profile, edition, origin = kind.profile, kind.edition, kind.origin
    name = f"vm-{site.code}-{number + 1:05}"
    machine_id = f"{site.group_id}/providers/Microsoft.Compute/virtualMachines/{name}"
    properties: dict[str, Any] = {
        "vmId": world.new_id("vm", machine_id),
        "hardwareProfile": {"vmSize": _SIZES[number % len(_SIZES)]},
        "storageProfile": _storage(name, edition, origin, site),
        "networkProfile": {
            "networkInterfaces": [{"id": f"{site.group_id}/providers/Microsoft.Network/networkInterfaces/nic-{name}"}]
        },
        "provisioningState": "Succeeded",
        "timeCreated": "2025-06-02T09:00:00+00:00",
    }
    if origin != "migrated":
        properties["osProfile"] = _os_profile(name, edition)
    resource = {
        "id": machine_id,
        "name": name,
        "type": "Microsoft.Compute/virtualMachines",
        "location": site.region,
        "tags": {"workload": site.code, **profile.tags},
        "properties": properties,
    }
    if profile.identity:
        resource["identity"] = identity(world, machine_id, profile.identity, site)
    return resource


def identity(world: World, machine_id: str, kind: str, site: Site) -> dict[str, Any]:
    """The identity of a virtual machine, with the ids that the service gave it."""
    made: dict[str, Any] = {"type": kind}
    if "SystemAssigned" in kind:
        made |= {"principalId": world.new_id("principal", machine_id), "tenantId": world.store.tenant_id}
    if "UserAssigned" in kind:
        attached = f"{site.group_id}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-{site.code}"
        ids = {"principalId": world.new_id("principal", attached), "clientId": world.new_id("client", attached)}
        made["userAssignedIdentities"] = {attached: ids}
    return made


def add_extension(world: World, machine: Resource, *, linux: bool = False) -> None:
    """Put the Guest Configuration extension on a machine."""
    kind, name = ("ConfigurationforLinux", "AzurePolicyforLinux") if linux else _WINDOWS_EXTENSION
    world.store.put(
        {
            "id": f"{machine['id']}/extensions/{name}",
            "name": name,
            "type": "Microsoft.Compute/virtualMachines/extensions",
            "location": machine["location"],
            "properties": {
                "publisher": "Microsoft.GuestConfiguration",
                "type": kind,
                "typeHandlerVersion": "1.1",
                "autoUpgradeMinorVersion": True,
                "enableAutomaticUpgrade": True,
                "settings": {},
                "provisioningState": "Succeeded",
            },
        }
    )


_WINDOWS_EXTENSION = ("ConfigurationforWindows", "AzurePolicyforWindows")


def _storage(name: str, edition: Edition | None, origin: str, site: Site) -> dict[str, Any]:
    disk: dict[str, Any] = {
        "osType": "Windows" if edition else "Linux",
        "name": f"disk-{name}",
        "createOption": "Attach" if origin == "migrated" else "FromImage",
        "caching": "ReadWrite",
        "managedDisk": {"id": f"{site.group_id}/providers/Microsoft.Compute/disks/disk-{name}"},
    }
    profile: dict[str, Any] = {"osDisk": disk, "dataDisks": []}
    if origin == "marketplace":
        profile["imageReference"] = {**(edition.image if edition else _UBUNTU), "version": "latest"}
    if origin == "upgraded":
        profile["imageReference"] = {**(_OLD_WINDOWS if edition else _UBUNTU), "version": "latest"}
    if origin == "gallery":
        gallery = f"{site.group_id}/providers/Microsoft.Compute/galleries/images/images/{site.code}"
        profile["imageReference"] = {"id": gallery}
    return profile


def _os_profile(name: str, edition: Edition | None) -> dict[str, Any]:
    made: dict[str, Any] = {"computerName": name, "adminUsername": "azureuser", "secrets": []}
    if edition:
        made["windowsConfiguration"] = {"provisionVMAgent": True, "enableAutomaticUpdates": True}
    else:
        made["linuxConfiguration"] = {"disablePasswordAuthentication": True, "provisionVMAgent": True}
    return made
