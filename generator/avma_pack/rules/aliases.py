"""Property aliases: the places in a resource's JSON that they name.

https://learn.microsoft.com/azure/governance/policy/concepts/definition-structure-alias: an alias belongs to a resource
type and maps to a path in its JSON; `[*]` selects the members of an array. Nearly all are
`Namespace/type/path.to.property` and mean the path below `properties`; what differs stands in a table here. Azure
keeps the full list with its providers, so an alias that does not exist there cannot be told from one that does.

A resource of another type than the alias's does not have the property: its value is null. Definitions for several
types rest on that (Microsoft's own ask for `virtualMachines/...` and `virtualMachineScaleSets/...` in one anyOf).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from avma_pack.rules.errors import RuleError
from avma_pack.rules.values import member_ignoring_case

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from avma_pack.rules.scope import Context, Json, Read

_NAME = r"[A-Za-z_$@][\w$@-]*"
_SHAPE = re.compile(
    rf"(?P<type>[A-Za-z]\w*(?:\.\w+)+(?:/\w+)*)/(?P<path>{_NAME}(?:\[\*\])?(?:\.{_NAME}(?:\[\*\])?)*)",
    re.ASCII,
)
_ROOT = frozenset({"sku", "identity", "plan", "zones", "managedby", "extendedlocation"})
"""Names outside `properties` in the envelope of a resource that have aliases."""

_VIRTUAL_MACHINE = "Microsoft.Compute/virtualMachines"
_SCALE_SET = "Microsoft.Compute/virtualMachineScaleSets"
_ASSIGNMENT = "Microsoft.GuestConfiguration/guestConfigurationAssignments"


def _image(name: str) -> dict[str, str]:
    path = f"storageProfile.imageReference.{name}"
    return {
        _VIRTUAL_MACHINE: f"properties.{path}",
        _SCALE_SET: f"properties.virtualMachineProfile.{path}",
        f"{_SCALE_SET}/virtualMachines": f"properties.{path}",
    }


_TABLE: dict[str, dict[str, str]] = {
    "Microsoft.Compute/imagePublisher": _image("publisher"),
    "Microsoft.Compute/imageOffer": _image("offer"),
    "Microsoft.Compute/imageSKU": _image("sku"),
    "Microsoft.Compute/imageVersion": _image("version"),
    "Microsoft.HybridCompute/imageOffer": {"Microsoft.HybridCompute/machines": "properties.osName"},
    f"{_ASSIGNMENT}/contentHash": {_ASSIGNMENT: "properties.guestConfiguration.contentHash"},
}
"""Aliases that are no plain path: alias -> resource type -> path from the root of the resource."""

_SPECIAL = {alias.lower(): places for alias, places in _TABLE.items()}

Walk: TypeAlias = "Callable[[Json], Json]"


@dataclass(frozen=True, slots=True)
class Alias:
    """An alias, read: for each resource type (lower case) the steps from the root, split at every `[*]`.

    `keys` names the arrays on the way, in lower case and up to their `[*]`: under these a count binds the member
    of its iteration.
    """

    name: str
    places: dict[str, tuple[Walk, ...]]
    keys: tuple[str, ...]

    def reader(self) -> Read:
        """For an alias without `[*]`: reads its value; None where the resource has none."""
        steps = {name: path[0] for name, path in self.places.items()}
        if len(steps) > 1:
            return lambda context: steps[context.type](context.resource) if context.type in steps else None
        (resource_type, step), *_ = steps.items()
        return lambda context: step(context.resource) if context.type == resource_type else None

    def values(self, context: Context) -> list[Json]:
        """What an alias with `[*]` selects; inside a count on the same array, from the current member alone."""
        return [value for value, _ in self.members(context)]

    def members(self, context: Context) -> Iterator[tuple[Json, dict[str, Json]]]:
        """Every selected value, with the array members that lead to it by their keys."""
        steps = self.places.get(context.type)
        if not steps:
            return
        start, at = self._start(context)
        yield from self._spread(steps[at](start), steps, at, {})

    def _start(self, context: Context) -> tuple[Json, int]:
        """The innermost array member that a count has bound, and how many arrays it is deep; else the resource."""
        if context.members:
            for at in range(len(self.keys), 0, -1):
                if self.keys[at - 1] in context.members:
                    return context.members[self.keys[at - 1]], at
        return context.resource, 0

    def _spread(
        self, value: Json, steps: tuple[Walk, ...], at: int, path: dict[str, Json]
    ) -> Iterator[tuple[Json, dict[str, Json]]]:
        if at == len(self.keys):
            yield value, path
        elif isinstance(value, list):
            for each in value:
                yield from self._spread(steps[at + 1](each), steps, at + 1, {**path, self.keys[at]: each})


@lru_cache(maxsize=4096)
def parse_alias(text: str) -> Alias:
    """Read an alias.

    Raises:
        RuleError: it has another shape than `Namespace/type/path`, and the table does not know it.
    """
    shape = _SHAPE.fullmatch(text)
    if text.lower() in _SPECIAL:
        paths = _SPECIAL[text.lower()]
        return Alias(text, {name.lower(): _steps(path) for name, path in paths.items()}, ())
    if not shape or "/" not in shape["type"]:
        raise RuleError(f"{text!r} is no field, and no alias of a shape that is known here")
    path = shape["path"]
    root = re.split(r"[.\[]", path, maxsplit=1)[0].lower() in _ROOT
    return Alias(
        text,
        {shape["type"].lower(): _steps(path if root else f"properties.{path}")},
        tuple(text[: found.end()].lower() for found in re.finditer(r"\[\*\]", text)),
    )


def _steps(path: str) -> tuple[Walk, ...]:
    first, *others = path.split("[*]")
    return walk(first.split(".")), *(_walk_member(step.split(".")[1:]) for step in others)


def walk(names: list[str]) -> Walk:
    """A function from a JSON value to what stands under a chain of names, ignoring case; None where it breaks."""
    chain = tuple((name, name.lower()) for name in names)

    def step(value: Json) -> Json:
        for name, folded in chain:
            if not isinstance(value, dict):
                return None
            found = value.get(name)
            if found is None:
                found = member_ignoring_case(value, folded)
                if found is None:
                    return None
            value = found
        return value

    return step


def _walk_member(names: list[str]) -> Walk:
    """The same from a member of an array, which may be a child resource and keep its values below `properties`."""
    direct, below = walk(names), walk(["properties", *names])

    def step(value: Json) -> Json:
        found = direct(value)
        return below(value) if found is None and names else found

    return step
