"""The policy engine: which assignments reach which machines, what state they are in, and what follows from it.

A new or changed assignment is evaluated about five minutes later, a changed resource about fifteen, a guest's report at
once, and everything once a day. Machines are the only resources that are judged here.
https://learn.microsoft.com/azure/governance/policy/how-to/get-compliance-data#evaluation-triggers
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from avma_pack.tenant.agents import Agents
from avma_pack.tenant.clock import iso
from avma_pack.tenant.deployments import Problem, deploy, modify
from avma_pack.tenant.effects import EXEMPT, NON_COMPLIANT, compliance, scope_of, wanted_guest_assignment
from avma_pack.tenant.members import REMEDIABLE, Member, MemberKey, Rules, members_of
from avma_pack.tenant.reach import ASSIGNMENT_MARK, Places, Reach, reach_of
from avma_pack.tenant.resource_types import ASSIGNMENTS, GUEST_ASSIGNMENT, VIRTUAL_MACHINE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from avma_pack.tenant.store import Resource
    from avma_pack.tenant.world import World

ASSIGNMENT_DELAY = dt.timedelta(minutes=5)
RESOURCE_DELAY = dt.timedelta(minutes=15)
FULL_CYCLE = dt.timedelta(hours=24)

_MACHINE_ID = re.compile(
    r"(/subscriptions/[^/]+/resourcegroups/[^/]+/providers/microsoft\.compute/virtualmachines/[^/]+)(/.*)?"
)
_DEFINITION_ID = re.compile(r".*/providers/microsoft\.authorization/policy(set)?definitions/[^/]+")
_EXEMPTION_ID = re.compile(r".*/providers/microsoft\.authorization/policyexemptions/[^/]+")
_ASSIGNMENT_ID = re.compile(f".*{re.escape(ASSIGNMENT_MARK)}[^/]+")


@dataclass(frozen=True, slots=True)
class State:
    """The state of one machine by one member, and when it was judged."""

    state: str
    timestamp: str


@dataclass(slots=True)
class Standing:
    """The states by one member, by the lower-case id of the machine."""

    member: Member
    states: dict[str, State] = field(default_factory=dict)


@dataclass(slots=True)
class _Active:
    """An assignment as it was last evaluated."""

    reach: Reach
    standings: list[Standing]


class Engine:
    """Evaluates a world as its clock goes. There is one for a world: `Engine.of(world)`.

    `version` grows with every change of a state.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.version = 0
        self.places = Places(world.store)
        self._rules = Rules()
        self._active: dict[str, _Active] = {}
        self._due: set[str] = set()
        self.agents = Agents(world, self.evaluate_machine)
        world.extra["engine"] = self
        world.on_change.append(self.changed)
        for key in world.store.all(ASSIGNMENTS):
            self._plan_assignment(key)
        world.clock.after(FULL_CYCLE, self._full_cycle)

    @staticmethod
    def of(world: World) -> Engine:
        """The engine of a world, made now if there is none."""
        found: Engine | None = world.extra.get("engine")
        return found or Engine(world)

    def standings(self) -> Iterator[Standing]:
        """All states, by member."""
        for active in self._active.values():
            yield from active.standings

    def standing(self, key: MemberKey) -> Standing | None:
        """The states by one member."""
        active = self._active.get(key[0])
        return next((each for each in active.standings if each.member.key == key), None) if active else None

    def changed(self, key: str) -> None:
        """Take notice that a request wrote or deleted a resource, by its lower-case id."""
        machine = _MACHINE_ID.fullmatch(key)
        if _ASSIGNMENT_ID.fullmatch(key):
            self._assignment_changed(key)
        elif _EXEMPTION_ID.fullmatch(key) or key.endswith("/register"):
            self._plan_all(RESOURCE_DELAY)
        elif _DEFINITION_ID.fullmatch(key):
            self._plan_all(ASSIGNMENT_DELAY)
        elif machine:
            self._below_machine_changed(machine[1], machine[2] or "")

    def evaluate_assignment(self, key: str) -> None:
        """Judge every machine that an assignment reaches, by each of its members."""
        world, store = self.world, self.world.store
        assignment = store.get(key)
        if assignment is None:
            self._drop(key)
            return
        self.places.clear()
        reach = reach_of(store, assignment)
        standings = [Standing(each) for each in members_of(store, self._rules, assignment)]
        self._active[key] = _Active(reach, standings)
        timestamp = iso(world.clock.now)
        for machine_key, machine in list(store.all(VIRTUAL_MACHINE).items()) if standings else ():
            if reach.includes(machine_key, machine, self.places.of(machine_key)):
                for standing in standings:
                    self._judge(standing, reach, machine_key, timestamp)
        self.version += 1

    def evaluate_machine(self, key: str, *, written: bool = False) -> None:
        """Judge one machine by all assignments. `written`: it is new or changed, so deployIfNotExists may act."""
        machine = self.world.store.get(key)
        timestamp = iso(self.world.clock.now)
        place = self.places.of(key)
        if machine is None:
            self.agents.machine_gone(key)
        for active in list(self._active.values()):
            reached = machine is not None and active.reach.includes(key, machine, place)
            for standing in active.standings:
                standing.states.pop(key, None)
                if not reached:
                    continue
                self._judge(standing, active.reach, key, timestamp)
                state = standing.states.get(key)
                if written and standing.member.enforced and state and state.state == NON_COMPLIANT:
                    self.remediate(standing.member, key)
        self.version += 1

    def evaluate_below(self, scope: str) -> None:
        """Judge every machine at or below a scope, as an on-demand scan does."""
        for key in list(self.world.store.all(ASSIGNMENTS)):
            if key not in self._active:
                self.evaluate_assignment(key)
        for key in list(self.world.store.all(VIRTUAL_MACHINE)):
            if scope in self.places.of(key).scopes or key == scope:
                self.evaluate_machine(key)

    def remediate(self, member: Member, key: str) -> Problem | None:
        """Bring a machine into compliance with a member, as the assignment's identity may; the problem if it fails."""
        machine = self.world.store.get(key)
        if machine is None or member.effect not in REMEDIABLE:
            return None
        place = self.places.of(key)
        act = deploy if member.effect == "deployifnotexists" else modify
        outcome = act(self.world, member, machine, place, scope_of(member, machine, place, self.world.clock.now))
        if isinstance(outcome, Problem):
            return outcome
        for resource in outcome:
            self._wrote(key, resource)
        return None

    def _judge(self, standing: Standing, reach: Reach, key: str, timestamp: str) -> None:
        """Judge a machine that is reached, by one member; make the guest assignment that the service owes it."""
        world, member = self.world, standing.member
        machine = world.store.get(key)
        if machine is None:
            return
        place = self.places.of(key)
        scope = scope_of(member, machine, place, world.clock.now)
        state = compliance(world.store, member, machine, scope)
        if state is None:
            return
        if reach.exemptions and reach.exempts(key, member.key[1], place, world.clock.now):
            state = EXEMPT
        elif member.guest is not None:
            wanted = wanted_guest_assignment(world, member, machine, scope)
            if wanted is not None:
                world.store.put(wanted)
                self.agents.assigned(wanted)
                state = NON_COMPLIANT
        standing.states[key] = State(state, timestamp)

    def _wrote(self, key: str, resource: Resource) -> None:
        """Follow up what a deployment wrote."""
        kind = str(resource["type"]).lower()
        if kind == GUEST_ASSIGNMENT.lower():
            self.agents.assigned(resource)
            return
        self.agents.machine_changed(key)
        self._plan_machine(key, written=kind == VIRTUAL_MACHINE.lower())

    def _below_machine_changed(self, key: str, rest: str) -> None:
        own = not rest or rest.startswith("/providers/microsoft.resources/tags/")
        if rest.startswith(f"/providers/{GUEST_ASSIGNMENT.lower()}/"):
            assignment = self.world.store.get(key + rest)
            if assignment is None:
                self.agents.forget(key + rest)
            else:
                self.agents.assigned(assignment)
        elif own:
            self._modify_in_request(key)
        elif not rest.startswith("/extensions/"):
            return
        self.agents.machine_changed(key)
        self._plan_machine(key, written=own)

    def _modify_in_request(self, key: str) -> None:
        """A modify policy changes the request that creates or updates a resource, with no identity of its own."""
        for active in self._active.values():
            for member in (each.member for each in active.standings):
                machine = self.world.store.get(key)
                place = self.places.of(key)
                now = self.world.clock.now
                if machine is None or member.effect != "modify" or not member.enforced:
                    continue
                scope = scope_of(member, machine, place, now)
                if (
                    active.reach.includes(key, machine, place)
                    and not active.reach.exempts(key, member.key[1], place, now)
                    and member.rule.condition.matches(machine, scope)
                ):
                    modify(self.world, member, machine, place, scope, in_request=True)

    def _assignment_changed(self, key: str) -> None:
        if self.world.store.get(key) is None:
            self._drop(key)
        else:
            self._plan_assignment(key)

    def _drop(self, key: str) -> None:
        """An assignment is gone, and with it the guest assignments that it brought.

        https://learn.microsoft.com/azure/governance/machine-configuration/concepts/assignments
        """
        store = self.world.store
        self._active.pop(key, None)
        self.version += 1
        brought = [
            each
            for each, resource in store.all(GUEST_ASSIGNMENT).items()
            if str(resource["properties"].get("policyAssignmentId", "")).lower() == key
        ]
        for each in brought:
            store.discard(each)
            self.agents.forget(each)

    def _plan_all(self, delay: dt.timedelta) -> None:
        for key in self.world.store.all(ASSIGNMENTS):
            self._plan_assignment(key, delay)

    def _plan_assignment(self, key: str, delay: dt.timedelta = ASSIGNMENT_DELAY) -> None:
        self._plan(f"{key} {delay}", delay, lambda: self.evaluate_assignment(key))

    def _plan_machine(self, key: str, *, written: bool) -> None:
        self._plan(f"{key} {written}", RESOURCE_DELAY, lambda: self.evaluate_machine(key, written=written))

    def _plan(self, name: str, delay: dt.timedelta, event: Callable[[], None]) -> None:
        """Have something happen later, once, however often it is asked for until then."""
        if name in self._due:
            return
        self._due.add(name)

        def happen() -> None:
            self._due.discard(name)
            event()

        self.world.clock.after(delay, happen)

    def _full_cycle(self) -> None:
        for key in [*self._active, *(each for each in self.world.store.all(ASSIGNMENTS) if each not in self._active)]:
            self.evaluate_assignment(key)
        self.world.clock.after(FULL_CYCLE, self._full_cycle)
