"""Which machines an assignment reaches: its scope, less its exclusions, by its selectors, and who is exempt.

https://learn.microsoft.com/azure/governance/policy/concepts/assignment-structure and exemption-structure.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from avma_pack.tenant.resource_types import EXEMPTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from avma_pack.tenant.store import Resource, Store

ASSIGNMENT_MARK = "/providers/microsoft.authorization/policyassignments/"
_EXEMPTION_MARK = "/providers/microsoft.authorization/policyexemptions/"


@dataclass(frozen=True, slots=True)
class Place:
    """A resource group: every scope from it up to the tenant, in lower case, and what rules ask about it."""

    scopes: tuple[str, ...]
    resource_group: Resource
    subscription: Resource

    @property
    def management_groups(self) -> list[str]:
        """The names of the management groups above, innermost first."""
        return [scope.rpartition("/")[2] for scope in self.scopes if "/managementgroups/" in scope]


class Places:
    """The places of machines, each looked up once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, Place] = {}

    def clear(self) -> None:
        """Forget what is known, since the hierarchy may have changed."""
        self._known.clear()

    def of(self, key: str) -> Place:
        """The place of a resource, by its lower-case id."""
        group = "/".join(key.split("/", 5)[:5])
        known = self._known.get(group)
        if known is None:
            known = self._known[group] = self._look_up(group)
        return known

    def _look_up(self, group: str) -> Place:
        parts = group.split("/")
        found = self._store.get(group) or {"id": group, "name": parts[-1], "tags": {}}
        subscription = self._store.subscriptions.get(parts[2])
        name = subscription.name if subscription else parts[2]
        return Place(
            self._store.scopes(group),
            {"tags": {}, **found},
            {"id": f"/subscriptions/{parts[2]}", "subscriptionId": parts[2], "displayName": name},
        )


@dataclass(frozen=True, slots=True)
class Exemption:
    """Who need not comply: `reference_ids` are the members meant, in lower case; empty: all."""

    reference_ids: frozenset[str]
    expires: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Reach:
    """Whom an assignment reaches. `exemptions` are there by their scope."""

    scope: str
    excluded: frozenset[str]
    selectors: tuple[tuple[dict[str, Any], ...], ...]
    exemptions: Mapping[str, Sequence[Exemption]]

    def includes(self, key: str, machine: Resource, place: Place) -> bool:
        """Whether the assignment reaches a machine, exempt or not."""
        scopes = place.scopes
        if self.scope not in scopes and self.scope != key:
            return False
        if self.excluded and (key in self.excluded or not self.excluded.isdisjoint(scopes)):
            return False
        return not self.selectors or any(all(_selects(one, machine) for one in each) for each in self.selectors)

    def exempts(self, key: str, reference_id: str, place: Place, now: dt.datetime) -> bool:
        """Whether a machine need not comply with a member."""
        return any(
            (not each.reference_ids or reference_id in each.reference_ids)
            and (each.expires is None or now < each.expires)
            for scope in (key, *place.scopes)
            for each in self.exemptions.get(scope, ())
        )


def reach_of(store: Store, assignment: Resource) -> Reach:
    """Whom an assignment reaches now."""
    properties = assignment["properties"]
    key = str(assignment["id"]).lower()
    return Reach(
        scope=key.rpartition(ASSIGNMENT_MARK)[0],
        excluded=frozenset(str(scope).lower().rstrip("/") for scope in properties.get("notScopes") or ()),
        selectors=tuple(tuple(each.get("selectors", ())) for each in properties.get("resourceSelectors") or ()),
        exemptions=_exemptions(store, key),
    )


def _exemptions(store: Store, assignment: str) -> dict[str, list[Exemption]]:
    """The exemptions from an assignment by their scope."""
    found: dict[str, list[Exemption]] = {}
    for key, resource in store.all(EXEMPTIONS).items():
        properties = resource["properties"]
        if str(properties.get("policyAssignmentId", "")).lower() == assignment:
            members = frozenset(str(each).lower() for each in properties.get("policyDefinitionReferenceIds") or ())
            expires = properties.get("expiresOn")
            exemption = Exemption(members, _moment(expires) if expires else None)
            found.setdefault(key.rpartition(_EXEMPTION_MARK)[0], []).append(exemption)
    return found


def _moment(text: str) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _selects(selector: dict[str, Any], machine: Resource) -> bool:
    """One selector, by location or type; of any other kind, none is known to select a machine here."""
    kind = str(selector.get("kind", "")).lower()
    if kind not in {"resourcelocation", "resourcetype"}:
        return False
    value = str(machine.get("location" if kind == "resourcelocation" else "type", "")).lower()
    wanted = [str(each).lower() for each in selector.get("in") or ()]
    unwanted = [str(each).lower() for each in selector.get("notIn") or ()]
    return (not wanted or value in wanted) and value not in unwanted
