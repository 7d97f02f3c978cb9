"""What exists in the tenant: the hierarchy of scopes, and every resource by its id. In memory, nothing else.

Resources are JSON objects as ARM returns them (`id`, `name`, `type`, `properties`, …). Ids are kept in the case in
which they were first written and found in any.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Resource = dict[str, Any]

GROUP_PREFIX = "/providers/microsoft.management/managementgroups/"


@dataclass(slots=True)
class Subscription:
    """A subscription and the management group that it lies in."""

    id: str
    name: str
    group: str
    providers: dict[str, str] = field(default_factory=dict)
    """Registration state by lower-case namespace."""


class Store:
    """The tenant's memory. `groups` maps the name of a management group to its parent's, '' for the root.

    `version` grows with every resource that is written or removed.
    """

    def __init__(self, tenant_id: str, root_group: str) -> None:
        self.tenant_id = tenant_id
        self.groups: dict[str, str] = {root_group: ""}
        self.subscriptions: dict[str, Subscription] = {}
        self.version = 0
        self._resources: dict[str, Resource] = {}
        self._by_type: dict[str, dict[str, Resource]] = {}

    def put(self, resource: Resource) -> bool:
        """Write a resource whole; tell whether it is new."""
        key = str(resource["id"]).lower()
        old = self._resources.get(key)
        self.version += 1
        self._resources[key] = resource
        self._by_type.setdefault(str(resource["type"]).lower(), {})[key] = resource
        return old is None

    def get(self, resource_id: str) -> Resource | None:
        """The resource with this id, in any case."""
        return self._resources.get(resource_id.lower())

    def delete(self, resource_id: str) -> Resource | None:
        """Remove a resource with everything below it; return it if it was there."""
        key = resource_id.lower()
        found = self._resources.get(key)
        self.version += 1
        for below in [each for each in self._resources if each == key or each.startswith(f"{key}/")]:
            gone = self._resources.pop(below)
            del self._by_type[str(gone["type"]).lower()][below]
        return found

    def discard(self, resource_id: str) -> None:
        """Remove one resource that has nothing below it: for fleets, where `delete` would look at everything."""
        gone = self._resources.pop(resource_id.lower(), None)
        self.version += 1
        if gone is not None:
            del self._by_type[str(gone["type"]).lower()][resource_id.lower()]

    def all(self, resource_type: str) -> dict[str, Resource]:
        """The resources of a type by lower-case id, oldest first. Do not change it while you walk it."""
        return self._by_type.get(resource_type.lower(), {})

    def below(self, resource_type: str, scope: str) -> Iterator[Resource]:
        """The resources of a type at or below a scope, management groups included."""
        for key, resource in self.all(resource_type).items():
            if self.contains(scope, key):
                yield resource

    def contains(self, scope: str, resource_id: str) -> bool:
        """Whether a resource or scope lies at or below a scope; '' and '/' are the tenant."""
        scope, key = scope.lower().rstrip("/"), resource_id.lower()
        return key.startswith(f"{scope}/") or scope in self.scopes(key)

    def scopes(self, resource_id: str) -> tuple[str, ...]:
        """The scopes whose policies and roles reach an id, in lower case, innermost first.

        The id itself, its resource group, its subscription, the management groups above, and '' for the tenant.
        """
        key = resource_id.lower().rstrip("/")
        parts = key.split("/")
        chain = [key]
        group = key.removeprefix(GROUP_PREFIX).split("/")[0] if key.startswith(GROUP_PREFIX) else ""
        if key.startswith("/subscriptions/"):
            chain += ["/".join(parts[:end]) for end in (5, 3) if len(parts) > end]
            subscription = self.subscriptions.get(parts[2])
            group = subscription.group.lower() if subscription else ""
        above = GROUP_PREFIX + group
        if group and above != key:
            chain.append(above)
        return (*chain, *self._groups_above(group), "")

    def _groups_above(self, group: str) -> Iterator[str]:
        parents = {name.lower(): parent.lower() for name, parent in self.groups.items()}
        while group := parents.get(group, ""):
            yield GROUP_PREFIX + group
