"""What a rule is decided with, apart from the resource: parameters, policy, request, resource group, clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from avma_pack.rules.errors import RuleError

if TYPE_CHECKING:
    from datetime import datetime

Json: TypeAlias = Any
"""A parsed JSON value: dict, list, str, int, float, bool or None."""

JsonObject: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PolicyContext:
    """What `policy()` tells: full resource ids, and the member's reference id; empty outside an initiative."""

    assignment_id: str
    definition_id: str = ""
    set_definition_id: str = ""
    definition_reference_id: str = ""

    def to_json(self) -> dict[str, str]:
        """The object that `policy()` returns, by the names of Azure's documentation."""
        return {
            "assignmentId": self.assignment_id,
            "definitionId": self.definition_id,
            "setDefinitionId": self.set_definition_id,
            "definitionReferenceId": self.definition_reference_id,
        }


@dataclass(frozen=True, slots=True)
class Scope:
    """The surroundings of an evaluation. What is None is not known: a function that asks for it fails.

    `resource` is what `field()` reads: the resource of the `if` block, also in an existence condition, whose
    own `field` conditions read the related resource; None: the resource that is being decided. `parameters` are
    values by name, ignoring case. `api_version` is that of the request; when existing resources are evaluated,
    Azure takes the latest of the type. `resource_group` and `subscription` are what the functions of these names
    return. `utc_now` is aware of its time zone.
    """

    resource: JsonObject | None = None
    parameters: Mapping[str, Json] = field(default_factory=dict)
    policy: PolicyContext | None = None
    api_version: str | None = None
    resource_group: JsonObject | None = None
    subscription: JsonObject | None = None
    utc_now: datetime | None = None
    _folded: dict[str, Json] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_folded", {name.lower(): value for name, value in self.parameters.items()})

    def parameter(self, name: str) -> Json:
        """The value of a parameter.

        Raises:
            RuleError: there is none of this name.
        """
        try:
            return self._folded[name.lower()]
        except KeyError:
            raise RuleError(f"parameter {name!r} has no value") from None


EMPTY_SCOPE = Scope()
NO_RESOURCE: JsonObject = {}
"""Stands, by identity, for the resource where there is none: evaluating a template."""


class Context:
    """One resource being decided in a scope, with the array members that enclosing counts enumerate.

    `members` holds, by name of a value count or by array alias up to its `[*]`, all in lower case, the member of
    the current iteration.
    """

    __slots__ = ("members", "resource", "scope", "type")

    def __init__(self, resource: JsonObject, scope: Scope, members: dict[str, Json] | None = None) -> None:
        self.resource = resource
        self.scope = scope
        self.members = members
        found = resource.get("type")
        self.type = found.lower() if isinstance(found, str) else ""

    def with_members(self, members: dict[str, Json]) -> Context:
        """The same, inside one more iteration."""
        return Context(self.resource, self.scope, {**self.members, **members} if self.members else members)

    def of_field_function(self) -> Context:
        """The context whose resource the function `field()` reads."""
        resource = self.scope.resource
        if resource is None or resource is self.resource:
            return self
        return Context(resource, self.scope)


Read: TypeAlias = Callable[[Context], Json]
"""A compiled expression, field or operand: its value for a resource in a scope."""
