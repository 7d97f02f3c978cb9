"""What a `field` names: a field that every resource has, a tag, or an alias.

https://learn.microsoft.com/azure/governance/policy/concepts/definition-structure-policy-rule#fields. Names ignore case,
those of tags too (https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from avma_pack.rules.aliases import parse_alias, walk
from avma_pack.rules.errors import RuleError

if TYPE_CHECKING:
    from avma_pack.rules.scope import Context, Json, Read


@dataclass(frozen=True, slots=True)
class Field:
    """How to read a field: its value, or the list of selected values where `selects` (an alias with `[*]`)."""

    name: str
    read: Read
    selects: bool = False

    @property
    def is_location(self) -> bool:
        """Locations are compared in a normal form: `East US 2` is `eastus2`."""
        return self.name.lower() == "location"

    def function_value(self, context: Context) -> Json:
        """What the function `field()` returns: an empty string where a plain field is missing.

        https://learn.microsoft.com/azure/governance/policy/how-to/author-policies-for-arrays#referencing-array-fields
        """
        value = self.read(context)
        return "" if value is None else value


@lru_cache(maxsize=4096)
def parse_field(name: str) -> Field:
    """Read the name of a field.

    Raises:
        RuleError: it is neither a known field nor shaped like an alias.
    """
    folded = name.lower()
    if folded == "type":
        return Field(name, lambda context: context.resource.get("type"))
    if folded == "fullname":
        return Field(name, _full_name)
    if folded in _COMMON:
        return Field(name, _at(folded.split(".")))
    if folded.startswith(("tags.", "tags[")):
        return Field(name, _at(["tags", _tag_name(name)]))
    alias = parse_alias(name)
    if alias.keys:
        return Field(name, alias.values, selects=True)
    return Field(name, alias.reader())


_COMMON = frozenset({"name", "kind", "location", "id", "identity.type", "tags"})


def _at(names: list[str]) -> Read:
    step = walk(names)
    return lambda context: step(context.resource)


def _tag_name(field: str) -> str:
    """The tag of `tags.x`, `tags[x]`, `tags['x']` or `tags['''x''']`, where a doubled apostrophe is one."""
    name = field[5:]
    if field[4] == "[":
        if not name.endswith("]"):
            raise RuleError(f"{field!r} does not end with ']'")
        name = name[:-1]
        if len(name) > 1 and name[0] == name[-1] == "'":
            name = name[1:-1].replace("''", "'")
    if not name:
        raise RuleError(f"{field!r} names no tag")
    return name


def _full_name(context: Context) -> Json:
    """The name after those of its parents: `myServer/myDatabase`; taken from the id, which holds them all."""
    found = context.resource.get("id")
    if not isinstance(found, str) or "/providers/" not in found.lower():
        return context.resource.get("name")
    own = found[found.lower().rindex("/providers/") + len("/providers/") :]
    return "/".join(own.split("/")[2::2])


def normal_location(value: Json) -> Json:
    """A location, or a list of them, without spaces; what is no text stays as it is."""
    if isinstance(value, list):
        return [normal_location(each) for each in value]
    return value.replace(" ", "") if isinstance(value, str) else value
