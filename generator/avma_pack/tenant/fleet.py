"""The fleet: virtual machines that are seeded reproducibly, the Windows behind each, and what is true of it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from avma_pack.guest import Machine
from avma_pack.tenant.fleet_hierarchy import lay_out
from avma_pack.tenant.fleet_machines import Kind, add_extension, virtual_machine
from avma_pack.tenant.fleet_profiles import Profile, quotas
from avma_pack.tenant.releases import EDITIONS, Edition
from avma_pack.tenant.resource_types import EXEMPTIONS
from avma_pack.tenant.windows import describe

if TYPE_CHECKING:
    from avma_pack.tenant.fleet_profiles import Truth
    from avma_pack.tenant.world import World


@dataclass(slots=True)
class SimulatedGuest:
    """The machine behind a virtual machine. Only `running` and the Windows itself ever change.

    `vm_id` is the id of the virtual machine in the case in which it was written. `profile` says what is peculiar about
    it, `origin` where its disk came from, `edition` what runs on it (None on Linux).
    """

    vm_id: str
    profile: Profile
    origin: str
    edition: Edition | None
    running: bool = True
    _machine: Machine | None = field(default=None, init=False, repr=False)

    @property
    def truth(self) -> Truth:
        """What must be found out about it."""
        return self.profile.truth

    @property
    def os_name(self) -> str:
        """The name of its operating system, as its agent tells Azure."""
        return self.edition.caption.removeprefix("Microsoft ") if self.edition else "ubuntu"

    @property
    def os_version(self) -> str:
        """The version of its operating system, as its agent tells Azure."""
        return self.edition.version if self.edition else "24.04"

    @property
    def description(self) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
        """`machine` and `methods` in the format of the guest's truth table, as the machine was at first.

        Raises:
            ValueError: it runs no Windows.
        """
        if self.edition is None:
            raise ValueError(f"{self.vm_id} runs no Windows")
        return describe(self.edition, self.profile.licensing)

    @property
    def machine(self) -> Machine:
        """The Windows, made when it is first asked for; it keeps what is done to it."""
        if self._machine is None:
            self._machine = Machine(*self.description)
        return self._machine


def seed_fleet(world: World, *, machines: int, seed: int = 0) -> None:
    """Fill a world with management groups, subscriptions, resource groups and virtual machines.

    The same numbers make the same fleet. Every profile is there once at least where there are as many machines.
    """
    dice = random.Random(f"fleet {seed}")  # noqa: S311 - chance, not secrecy
    sites = lay_out(world, machines, seed)
    profiles = [profile for profile, count in quotas(machines, dice) for _ in range(count)]
    dice.shuffle(profiles)
    pick = _EditionPicker(dice)
    for number, profile in enumerate(profiles):
        origin = dice.choices(tuple(profile.origins), tuple(profile.origins.values()))[0]
        kind = Kind(profile, pick(profile), origin)
        resource = virtual_machine(world, sites[number * len(sites) // machines], kind, number)
        world.store.put(resource)
        if profile.extension:
            add_extension(world, resource, linux=kind.edition is None)
        guest = SimulatedGuest(resource["id"], profile, origin, kind.edition, profile.running)
        world.guests[resource["id"].lower()] = guest


def exempt_machines(world: World, assignment_id: str) -> list[str]:
    """Exempt from an assignment the machines whose owners want that; return the exemptions' ids."""
    made = []
    for guest in list(world.guests.values()):
        if not guest.truth.exempt:
            continue
        name = world.new_id("exemption", guest.vm_id, assignment_id)
        exemption_id = f"{guest.vm_id}/providers/Microsoft.Authorization/policyExemptions/{name}"
        world.store.put(
            {
                "id": exemption_id,
                "name": name,
                "type": EXEMPTIONS,
                "properties": {
                    "policyAssignmentId": assignment_id,
                    "exemptionCategory": "Waiver",
                    "displayName": "The machine is about to be shut down",
                },
            }
        )
        made.append(exemption_id)
        for told in world.on_change:
            told(exemption_id.lower())
    return made


def export_truth(world: World) -> list[dict[str, Any]]:
    """What is true of every machine, by its id: what reports and remediation are measured against."""
    return [_exported(guest) for _, guest in sorted(world.guests.items())]


class _EditionPicker:
    """Picks editions by how common they are, but each release once before any comes again where that is possible."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._unseen = {each.os for each in EDITIONS}
        self._candidates: dict[str, tuple[list[Edition], list[int]]] = {}

    def __call__(self, profile: Profile) -> Edition | None:
        """An edition for a machine of this kind; None for Linux."""
        if profile.name not in self._candidates:
            fitting = [each for each in EDITIONS if profile.fits(each)]
            self._candidates[profile.name] = fitting, [each.weight for each in fitting]
        candidates, weights = self._candidates[profile.name]
        if not candidates:
            return None
        rare = [each for each in candidates if each.os in self._unseen]
        picked = self._dice.choice(rare) if rare else self._dice.choices(candidates, weights)[0]
        self._unseen.discard(picked.os)
        return picked


def _exported(guest: SimulatedGuest) -> dict[str, Any]:
    return {
        "id": guest.vm_id,
        "profile": guest.profile.name,
        "origin": guest.origin,
        "os": guest.edition.os if guest.edition else "linux",
        "edition": guest.edition.name if guest.edition else "",
        **guest.truth.to_json(),
    }
