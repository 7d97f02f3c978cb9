"""Where the machines of a fleet live: management groups, subscriptions, resource groups, regions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from avma_pack.tenant.store import Subscription

if TYPE_CHECKING:
    from avma_pack.tenant.world import World

GROUPS = {"landing-zones": "", "corp": "landing-zones", "online": "landing-zones", "platform": ""}
"""Management groups and what they lie below; '' is the root group."""

REGIONS = ("westeurope", "northeurope", "germanywestcentral", "eastus2", "southeastasia")

_MACHINES_PER_SUBSCRIPTION = 500
_MACHINES_PER_GROUP = 25
_FEWEST_SUBSCRIPTIONS = 3
_TURN = ("corp", "online", "platform")
_WORKLOADS = ("erp", "web", "files", "sql", "crm", "build", "print", "logs", "mail", "scan")


@dataclass(frozen=True, slots=True)
class Site:
    """A resource group in one region. `code` begins the names of its machines."""

    group_id: str
    region: str
    code: str


def lay_out(world: World, machines: int, seed: int) -> list[Site]:
    """Make the hierarchy for so many machines, and name the resource groups in it."""
    store = world.store
    root = next(name for name, parent in store.groups.items() if not parent)
    for name, parent in GROUPS.items():
        store.groups.setdefault(name, parent or root)
    count = max(_FEWEST_SUBSCRIPTIONS, -(-machines // _MACHINES_PER_SUBSCRIPTION)) if machines else 0
    subscriptions = [_subscription(world, number, seed) for number in range(count)]
    groups = max(count, -(-machines // _MACHINES_PER_GROUP)) if machines else 0
    return [_site(world, subscriptions[number * count // groups], number) for number in range(groups)]


def _subscription(world: World, number: int, seed: int) -> Subscription:
    group = _TURN[number % len(_TURN)]
    made = Subscription(
        world.new_id("subscription", str(seed), str(number)),
        f"{group}-{number + 1:03}",
        group,
        {"microsoft.compute": "Registered", "microsoft.guestconfiguration": "Registered"},
    )
    world.store.subscriptions[made.id] = made
    return made


def _site(world: World, subscription: Subscription, number: int) -> Site:
    workload, region = _WORKLOADS[number % len(_WORKLOADS)], REGIONS[number % len(REGIONS)]
    name = f"rg-{workload}-{number + 1:03}"
    group_id = f"/subscriptions/{subscription.id}/resourceGroups/{name}"
    world.store.put(
        {
            "id": group_id,
            "name": name,
            "type": "Microsoft.Resources/resourceGroups",
            "location": region,
            "tags": {"workload": workload},
            "properties": {"provisioningState": "Succeeded"},
        }
    )
    return Site(group_id, region, workload)
