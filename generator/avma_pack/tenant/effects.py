"""What a member makes of one machine: does it comply, and the guest assignment that the service makes by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from avma_pack.rules import Scope, evaluate
from avma_pack.tenant.guest_assignments import assignment_id, new_assignment
from avma_pack.tenant.members import IF_NOT_EXISTS
from avma_pack.tenant.resource_types import GUEST_ASSIGNMENT

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from avma_pack.tenant.members import Member
    from avma_pack.tenant.reach import Place
    from avma_pack.tenant.store import Resource, Store
    from avma_pack.tenant.world import World

COMPLIANT = "Compliant"
NON_COMPLIANT = "NonCompliant"
EXEMPT = "Exempt"

API_VERSION = "2025-04-01"
"""Existing resources are judged as the latest api-version of their type shows them; this stands for it."""


def scope_of(member: Member, machine: Resource, place: Place, now: dt.datetime) -> Scope:
    """The surroundings in which a member is decided for a machine."""
    return Scope(
        resource=machine,
        parameters=member.parameters,
        policy=member.policy,
        api_version=API_VERSION,
        resource_group=place.resource_group,
        subscription=place.subscription,
        utc_now=now,
    )


def compliance(store: Store, member: Member, machine: Resource, scope: Scope) -> str | None:
    """Compliant, NonCompliant, or None where the member does not apply to the machine.

    Of the if-not-exists effects the whole `if` says whether they apply, of the others its type, name and kind
    (https://learn.microsoft.com/azure/governance/policy/concepts/policy-applicability).
    """
    rule = member.rule
    if not rule.condition.matches(machine, scope):
        applies = member.effect not in IF_NOT_EXISTS and rule.applicable.matches(machine, scope)
        return COMPLIANT if applies else None
    if member.effect not in IF_NOT_EXISTS:
        return NON_COMPLIANT
    existence = rule.existence
    for found in _related(store, member, machine, scope):
        if existence is None or existence.matches(found, scope):
            return COMPLIANT
    return NON_COMPLIANT


def wanted_guest_assignment(world: World, member: Member, machine: Resource, scope: Scope) -> Resource | None:
    """The guest assignment that the service makes for an audit definition; None where all is as it should be.

    The caller knows that the rule matches.
    """
    if member.guest is None or not is_registered(world.store, machine, GUEST_ASSIGNMENT):
        return None
    name = _name(member, scope)
    known = world.store.get(assignment_id(machine["id"], name))
    if known is not None and known["properties"]["guestConfiguration"] == member.guest:
        return None
    return new_assignment(machine, name, member.guest, policy_assignment=member.assignment["id"])


def is_registered(store: Store, machine: Resource, resource_type: str) -> bool:
    """Whether the machine's subscription lets a provider work; one that nobody spoke of does."""
    subscription = store.subscriptions.get(machine["id"].split("/")[2].lower())
    namespace = resource_type.partition("/")[0].lower()
    state = subscription.providers.get(namespace, "Registered") if subscription else "Registered"
    return state.lower() == "registered"


def _related(store: Store, member: Member, machine: Resource, scope: Scope) -> Iterator[Resource]:
    """The resources whose existence is asked for: one by its name, else all of the type below the machine."""
    kind = str(member.details["type"])
    if "name" in member.details:
        found = store.get(_related_id(machine, kind, _name(member, scope)))
        if found is not None:
            yield found
        return
    below = f"{machine['id']}/".lower()
    yield from (found for key, found in store.all(kind).items() if key.startswith(below))


def _name(member: Member, scope: Scope) -> str:
    if member.related_name is not None:
        return member.related_name
    return str(evaluate(member.details["name"], scope))


def _related_id(machine: Resource, kind: str, name: str) -> str:
    """A child of the machine where the type says so, else an extension resource on it."""
    own = f"{machine['type']}/"
    if not kind.lower().startswith(own.lower()):
        return f"{machine['id']}/providers/{kind}/{name}"
    pairs = zip(kind[len(own) :].split("/"), name.split("/"), strict=True)
    return "/".join([machine["id"], *(f"{each_type}/{each_name}" for each_type, each_name in pairs)])
