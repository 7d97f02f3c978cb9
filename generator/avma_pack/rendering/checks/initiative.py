"""Initiatives: their members are known, and get the parameters that they declare."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from avma_pack.rendering.checks.expressions import (
    find_expressions,
    is_expression,
    referenced_parameter,
    references,
)
from avma_pack.rendering.checks.json_tree import (
    JsonObject,
    as_array,
    as_object,
    as_text,
    below,
    by_lower_name,
    dig,
)
from avma_pack.rendering.checks.model import PARAMETERS
from avma_pack.rendering.checks.naming import version_matches
from avma_pack.rendering.checks.parameters import parameter_type, value_faults
from avma_pack.rendering.checks.problem import Problem
from avma_pack.rendering.checks.references import unresolved, unused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MEMBERS = "properties.policyDefinitions"


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an initiative: where it stands, its entry and its definition, None when that is unknown."""

    where: str
    entry: JsonObject
    definition: JsonObject | None

    @property
    def name(self) -> str:
        """The name of the definition, the last part of its id."""
        return as_text(self.entry.get("policyDefinitionId")).rpartition("/")[2]

    @property
    def reference(self) -> str:
        """The id under which assignments, remediation and reports name the member."""
        return as_text(self.entry.get("policyDefinitionReferenceId"))

    @property
    def supplied(self) -> JsonObject:
        """The parameters that the initiative passes."""
        return as_object(self.entry.get("parameters"))

    @property
    def declared(self) -> JsonObject:
        """The parameters that the definition declares."""
        return as_object(dig(self.definition, "properties", "parameters"))


def read_members(initiative: JsonObject, definitions: Mapping[str, JsonObject]) -> list[Member]:
    """Read the members of an initiative; definitions are found by name, without regard to case."""
    known = by_lower_name(definitions)
    members = []
    for index, item in enumerate(as_array(dig(initiative, "properties", "policyDefinitions"))):
        entry = as_object(item)
        name = as_text(entry.get("policyDefinitionId")).rpartition("/")[2].lower()
        definition = definitions[known[name]] if name in known else None
        members.append(Member(f"{MEMBERS}[{index}]", entry, definition))
    return members


def check_members(initiative: JsonObject, definitions: Mapping[str, JsonObject]) -> Iterator[Problem]:
    """Check each member, their reference ids, and that every parameter of the initiative is passed on."""
    members = read_members(initiative, definitions)
    if not members:
        yield Problem("initiative-members", MEMBERS, "the initiative has no members")
    yield from _check_reference_ids(members)
    parameters = as_object(dig(initiative, "properties", "parameters"))
    for member in members:
        if member.definition is None:
            message = f"the definition '{member.name}' is not one of: {', '.join(definitions)}"
            yield Problem("initiative-member-unknown", f"{member.where}.policyDefinitionId", message)
            continue
        yield from _check_member(member)
        yield from _check_values(member, parameters)
    yield from _check_initiative_references(initiative, parameters)


def _check_reference_ids(members: list[Member]) -> Iterator[Problem]:
    seen: set[str] = set()
    for member in members:
        where = f"{member.where}.policyDefinitionReferenceId"
        if not member.reference:
            message = f"the member '{member.name}' has no policyDefinitionReferenceId; Azure would invent one"
            yield Problem("initiative-reference-id", where, message)
        elif member.reference.lower() in seen:
            message = f"the policyDefinitionReferenceId '{member.reference}' is not unique"
            yield Problem("initiative-reference-id", where, message)
        seen.add(member.reference.lower())


def _check_member(member: Member) -> Iterator[Problem]:
    declared, supplied = by_lower_name(member.declared), by_lower_name(member.supplied)
    for name in member.supplied:
        if name.lower() not in declared:
            message = f"'{member.name}' does not declare the parameter '{name}'"
            yield Problem("initiative-member-parameter-unknown", below(f"{member.where}.parameters", name), message)
    for name, declaration in member.declared.items():
        if name.lower() not in supplied and "defaultValue" not in as_object(declaration):
            message = f"'{member.name}' declares the parameter '{name}' without a default and does not get it"
            yield Problem("initiative-member-parameter-missing", f"{member.where}.parameters", message)
    version = as_text(dig(member.definition, "properties", "version"))
    if "definitionVersion" in member.entry and not version_matches(member.entry["definitionVersion"], version):
        message = f"definitionVersion {member.entry['definitionVersion']!r} does not stand for '{version}'"
        yield Problem("initiative-member-version", f"{member.where}.definitionVersion", message)


def _check_values(member: Member, parameters: JsonObject) -> Iterator[Problem]:
    declared, ours = by_lower_name(member.declared), by_lower_name(parameters)
    for name, argument in member.supplied.items():
        declaration = as_object(member.declared.get(declared.get(name.lower(), "")))
        where = f"{below(f'{member.where}.parameters', name)}.value"
        if "value" not in as_object(argument):
            yield Problem("initiative-member-value", where, f"the parameter '{name}' is passed without a value")
            continue
        value = argument["value"]
        source = referenced_parameter(value)
        if source is not None and source.lower() in ours:
            source = ours[source.lower()]
            yield from _check_passed(member, declaration, (source, as_object(parameters[source])), where)
        elif not (isinstance(value, str) and is_expression(value)):
            for fault in value_faults(declaration, value):
                yield Problem("initiative-member-value", where, f"the value passed as '{name}', {fault}")


def _check_passed(
    member: Member, declaration: JsonObject, source: tuple[str, JsonObject], where: str
) -> Iterator[Problem]:
    """Check that whatever the initiative's parameter may be, the member's may be too."""
    name, passed = source
    if parameter_type(passed) != parameter_type(declaration):
        message = (
            f"the initiative's parameter '{name}' is of type {parameter_type(passed)!r}, "
            f"that of '{member.name}' is {parameter_type(declaration)!r}"
        )
        yield Problem("initiative-member-value", where, message)
    allowed = declaration.get("allowedValues")
    if not isinstance(allowed, list):
        return
    possible = passed.get("allowedValues")
    if not isinstance(possible, list):
        message = f"the initiative's parameter '{name}' takes any value, '{member.name}' only {json.dumps(allowed)}"
        yield Problem("initiative-allowed-values", where, message)
        return
    surplus = [value for value in possible if value not in allowed]
    if surplus:
        message = f"the initiative's parameter '{name}' allows {json.dumps(surplus)}, '{member.name}' does not"
        yield Problem("initiative-allowed-values", where, message)


def _check_initiative_references(initiative: JsonObject, parameters: JsonObject) -> Iterator[Problem]:
    expressions = list(find_expressions(dig(initiative, "properties", "policyDefinitions"), MEMBERS))
    for expression in expressions:
        if expression.syntax.fault:
            message = f"the expression {expression.text} cannot be read: {expression.syntax.fault}"
            yield Problem("expression-syntax", expression.where, message)
    used = list(references(expressions))
    for reference in unresolved(used, parameters):
        message = f"parameters('{reference.name}') is not declared by the initiative"
        yield Problem("initiative-references-must-resolve", reference.where, message)
    for name in unused(used, parameters):
        message = f"the initiative declares '{name}' and passes it to no member; Azure refuses that"
        yield Problem("unused-policy-parameter", below(PARAMETERS, name), message)
