"""Agents: what runs on the machines, applies guest assignments and reports.

An agent answers only where the machine runs, has a system-assigned identity and the extension. It looks for work every
five minutes and runs each configuration every fifteen; here it runs when something has changed, and otherwise only
renews its report, so that a day of 20,000 machines costs little
(https://learn.microsoft.com/azure/governance/machine-configuration/overview/02-setup-overview).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from avma_pack.guest import Failure, GuestPackage, Machine, WindowsActivationChannel
from avma_pack.tenant.clock import iso
from avma_pack.tenant.guest_assignments import Report, machine_key, with_report
from avma_pack.tenant.packages import Packages
from avma_pack.tenant.resource_types import EXTENSION, GUEST_ASSIGNMENT, VIRTUAL_MACHINE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from avma_pack.tenant.packages import Source
    from avma_pack.tenant.store import Resource
    from avma_pack.tenant.world import World

RENEWAL = dt.timedelta(hours=12)
RETRY = dt.timedelta(minutes=15)
LONGEST_RETRY = dt.timedelta(hours=6)
_FIRST_MINUTES, _SPREAD_MINUTES = 5, 15
_HISTORY = 5
_RUN_SECONDS = 20

INVALID_PACKAGE = "Invalid assignment package."
"""What stands in place of a resource's id when a package cannot be used (Microsoft's Resource Graph samples)."""

KILL_SWITCH = "CustomGuestConfigurationSetPolicy"
"""The tag that, with the value `disable`, keeps agents from changing a machine."""

_INSTANCE = "[WindowsActivationChannel]WindowsActivationChannel"
_CORRECTING = frozenset({"applyandautocorrect", "deployandautocorrect"})


class Guest(Protocol):
    """A machine behind a virtual machine."""

    running: bool

    @property
    def machine(self) -> Machine:
        """Its Windows."""


@dataclass(slots=True)
class _Waiting:
    """Guest assignments whose package cannot be used, and when it is tried again."""

    keys: set[str]
    pause: dt.timedelta = RETRY


class Agents:
    """The agents of all machines. `on_report` is told the machine whose compliance may have changed."""

    def __init__(self, world: World, on_report: Callable[[str], None]) -> None:
        self._world = world
        self._on_report = on_report
        self._packages = Packages(world)
        self._by_machine: dict[str, dict[str, None]] = {}
        self._reports: dict[str, list[Report]] = {}
        self._planned: set[str] = set()
        self._applied: dict[str, str] = {}
        self._waiting: dict[Source, _Waiting] = {}
        for assignment in world.store.all(GUEST_ASSIGNMENT).values():
            self.assigned(assignment)
        world.clock.after(RENEWAL, self._renew)

    def reports(self, key: str) -> list[Report]:
        """What was reported on a guest assignment, newest first."""
        return self._reports.get(key.lower(), [])

    def machine_uuid(self, machine: Resource) -> str:
        """The id that the machine's firmware has."""
        return str(machine["properties"].get("vmId") or self._world.new_id("vm", machine["id"]))

    def assigned(self, assignment: Resource) -> None:
        """A guest assignment is new or has other content."""
        key = str(assignment["id"]).lower()
        self._by_machine.setdefault(machine_key(key), {})[key] = None
        self._plan(key)

    def forget(self, key: str) -> None:
        """A guest assignment is gone."""
        self._by_machine.get(machine_key(key), {}).pop(key, None)
        self._reports.pop(key, None)
        self._applied.pop(key, None)

    def machine_changed(self, key: str) -> None:
        """Something on a machine, or in what its agent needs, is different now."""
        for each in self._by_machine.get(key, {}):
            self._plan(each)

    def machine_gone(self, key: str) -> None:
        """A machine was deleted, and its guest assignments with it."""
        for each in list(self._by_machine.pop(key, {})):
            self.forget(each)

    def _plan(self, key: str) -> None:
        """Let the agent run, within twenty minutes: each machine at a minute of its own."""
        if key not in self._planned:
            self._planned.add(key)
            minutes = _FIRST_MINUTES + zlib.crc32(machine_key(key).encode()) % _SPREAD_MINUTES
            self._world.clock.after(dt.timedelta(minutes=minutes), lambda: self._run(key))

    def _run(self, key: str) -> None:
        self._planned.discard(key)
        assignment = self._world.store.get(key)
        if assignment is None:
            self.forget(key)
            return
        machine, guest = self._reachable(key)
        configuration = assignment["properties"]["guestConfiguration"]
        if machine is None or guest is None or not configuration.get("contentUri"):
            return
        compliant, resources = self._outcome(key, assignment, machine, guest)
        self._report(key, assignment, machine, compliance="Compliant" if compliant else "NonCompliant", found=resources)
        self._on_report(machine_key(key))

    def _reachable(self, key: str) -> tuple[Resource | None, Guest | None]:
        """The machine and its guest, where the agent runs and may ask for its work."""
        machine_id = machine_key(key)
        guest = self._world.guests.get(machine_id)
        machine = self._world.store.get(machine_id)
        if guest is None or machine is None or not guest.running:
            return None, None
        kinds = str((machine.get("identity") or {}).get("type", "")).lower()
        if "systemassigned" not in kinds or not self._has_extension(machine_id):
            return None, None
        return machine, guest

    def _has_extension(self, machine_id: str) -> bool:
        extension = self._world.store.get(
            f"{machine_id}/{EXTENSION.removeprefix(f'{VIRTUAL_MACHINE}/')}/AzurePolicyforWindows"
        )
        return extension is not None and str(extension["properties"].get("provisioningState")) == "Succeeded"

    def _outcome(
        self, key: str, assignment: Resource, machine: Resource, guest: Guest
    ) -> tuple[bool, list[dict[str, Any]]]:
        """Whether the machine complies, and what the agent reports of it."""
        configuration = assignment["properties"]["guestConfiguration"]
        source = (str(configuration["contentUri"]), str(configuration.get("contentHash") or ""))
        problem = _identity_problem(machine, str(configuration.get("contentManagedIdentity") or ""))
        package = problem or self._packages.open(source)
        if isinstance(package, str):
            if not problem:
                self._wait_for(source, key)
            return False, [_entry(INVALID_PACKAGE, compliant=False, reasons=[(INVALID_PACKAGE, package)])]
        parameters = {
            str(each["name"]).rpartition(";")[2]: str(each.get("value", ""))
            for each in configuration.get("configurationParameter") or ()
        }
        try:
            return self._execute(
                key, assignment, machine, WindowsActivationChannel(package, guest.machine, parameters), package
            )
        except ValueError as error:
            return False, [_entry(_INSTANCE, compliant=False, reasons=[("InvalidParameter", str(error))])]

    def _execute(
        self,
        key: str,
        assignment: Resource,
        machine: Resource,
        resource: WindowsActivationChannel,
        package: GuestPackage,
    ) -> tuple[bool, list[dict[str, Any]]]:
        """Test, Set where it is wanted, and Get."""
        may_set = package.type != "Audit" and self._may_set(key, assignment, machine)
        compliant = resource.test()
        if not compliant and may_set:
            with contextlib.suppress(Failure):  # Get tells of it
                resource.set()
            compliant = resource.test()
        return compliant, [_entry(_INSTANCE, compliant=compliant, reasons=resource.get())]

    def _may_set(self, key: str, assignment: Resource, machine: Resource) -> bool:
        """Whether the agent may change the machine: in every run, or in the first of what was assigned, or never."""
        properties = assignment["properties"]
        mode = str(properties["guestConfiguration"].get("assignmentType") or "Audit").lower()
        tags: Mapping[str, Any] = machine.get("tags") or {}
        switch = next((value for name, value in tags.items() if name.lower() == KILL_SWITCH.lower()), "")
        if mode == "audit" or str(switch).lower() == "disable":
            return False
        content = str(properties["assignmentHash"])
        first = self._applied.get(key) != content
        self._applied[key] = content
        return first or mode in _CORRECTING

    def _report(
        self, key: str, assignment: Resource, machine: Resource, *, compliance: str, found: list[dict[str, Any]]
    ) -> None:
        end = self._world.clock.now
        history = self._reports.setdefault(key, [])
        report = Report(
            report_id=self._world.new_id("report", key, end.isoformat()),
            start=iso(end - dt.timedelta(seconds=_RUN_SECONDS)),
            end=iso(end),
            compliance=compliance,
            operation="Consistency" if history else "Initial",
            resources=found,
        )
        history.insert(0, report)
        del history[_HISTORY:]
        self._world.store.put(with_report(assignment, self.machine_uuid(machine), report))

    def _renew(self) -> None:
        """Consistency runs that find nothing new, but for assignments that correct drift: those really run."""
        for key, assignment in list(self._world.store.all(GUEST_ASSIGNMENT).items()):
            history = self._reports.get(key)
            machine, _ = self._reachable(key) if history else (None, None)
            if not history or machine is None or key in self._planned:
                continue
            mode = str(assignment["properties"]["guestConfiguration"].get("assignmentType") or "").lower()
            if mode in _CORRECTING and history[0].compliance != "Compliant":
                self._run(key)
            elif assignment["properties"]["complianceStatus"] == history[0].compliance:
                self._report(
                    key, assignment, machine, compliance=history[0].compliance, found=list(history[0].resources)
                )
        self._world.clock.after(RENEWAL, self._renew)

    def _wait_for(self, source: Source, key: str) -> None:
        """Have a package that failed tried again."""
        waiting = self._waiting.get(source)
        if waiting:
            waiting.keys.add(key)
            return
        self._waiting[source] = _Waiting({key})
        self._world.clock.after(RETRY, lambda: self._try_again(source))

    def _try_again(self, source: Source) -> None:
        waiting = self._waiting[source]
        if not any(self._world.store.get(key) for key in waiting.keys):
            del self._waiting[source]
        elif self._packages.retry(source):
            del self._waiting[source]
            for key in sorted(waiting.keys):
                self._plan(key)
        else:
            waiting.pause = min(waiting.pause * 2, LONGEST_RETRY)
            self._world.clock.after(waiting.pause, lambda: self._try_again(source))


def _identity_problem(machine: Resource, wanted: str) -> str:
    """Why the machine cannot fetch a package by a managed identity; '' where it can, or needs none."""
    if not wanted or wanted.lower() == "system":
        return ""
    attached = (machine.get("identity") or {}).get("userAssignedIdentities") or {}
    if wanted.lower() in {each.lower() for each in attached}:
        return ""
    return f"The package cannot be downloaded: the machine does not have the identity '{wanted}'."


def _entry(resource_id: str, *, compliant: bool, reasons: Any) -> dict[str, Any]:
    """What a report says of one resource of the configuration."""
    return {
        "complianceStatus": "Compliant" if compliant else "NonCompliant",
        "resourceId": resource_id,
        "reasons": [{"phrase": phrase, "code": code} for code, phrase in reasons],
        "properties": {"ResourceId": resource_id},
    }
