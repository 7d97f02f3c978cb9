"""Assignments of an initiative: parameters, identity, and the members that they name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from avma_pack.rendering.checks.initiative import read_members
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
from avma_pack.rendering.checks.parameters import value_faults
from avma_pack.rendering.checks.problem import Problem
from avma_pack.rendering.checks.structure import needs_identity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MESSAGES = "properties.nonComplianceMessages"


def check_against_initiative(
    assignment: JsonObject, initiative: JsonObject, definitions: Mapping[str, JsonObject]
) -> Iterator[Problem]:
    """Check an assignment against what it assigns."""
    properties = as_object(assignment.get("properties"))
    assigned = as_text(properties.get("policyDefinitionId"))
    name = as_text(initiative.get("name"))
    if not assigned.lower().endswith(f"/policysetdefinitions/{name.lower()}"):
        message = f"the assignment is of '{assigned}', not of the initiative '{name}'"
        yield Problem("assignment-initiative", "properties.policyDefinitionId", message)
    version = as_text(dig(initiative, "properties", "version"))
    if "definitionVersion" in properties and not version_matches(properties["definitionVersion"], version):
        message = f"definitionVersion {properties['definitionVersion']!r} does not stand for '{version}'"
        yield Problem("assignment-version", "properties.definitionVersion", message)
    yield from _check_parameters(
        as_object(properties.get("parameters")), as_object(dig(initiative, "properties", "parameters"))
    )
    members = read_members(initiative, definitions)
    if any(needs_identity(member.definition) for member in members):
        yield from _check_identity(assignment)
    yield from _check_messages(properties, {member.reference.lower() for member in members})


def _check_parameters(supplied: JsonObject, declared: JsonObject) -> Iterator[Problem]:
    known, given = by_lower_name(declared), by_lower_name(supplied)
    for name, argument in supplied.items():
        where = below(PARAMETERS, name)
        if name.lower() not in known:
            message = f"the initiative does not declare the parameter '{name}'"
            yield Problem("assignment-parameter-unknown", where, message)
        elif "value" not in as_object(argument):
            yield Problem("assignment-parameter-value", where, f"the parameter '{name}' has no value")
        else:
            for fault in value_faults(declared[known[name.lower()]], argument["value"]):
                message = f"the value of '{name}', {fault}"
                yield Problem("assignment-parameter-value", f"{where}.value", message)
    for name, declaration in declared.items():
        if name.lower() not in given and "defaultValue" not in as_object(declaration):
            message = f"the initiative declares '{name}' without a default and the assignment does not set it"
            yield Problem("assignment-parameter-missing", PARAMETERS, message)


def _check_identity(assignment: JsonObject) -> Iterator[Problem]:
    identity = as_object(assignment.get("identity"))
    kind = as_text(identity.get("type"))
    if kind not in {"SystemAssigned", "UserAssigned"}:
        message = "a member changes resources, so the assignment needs an identity, system or user assigned"
        yield Problem("assignment-identity", "identity", message)
    elif kind == "UserAssigned" and not identity.get("userAssignedIdentities"):
        yield Problem("assignment-identity", "identity", "the identity is user assigned and none is named")
    if not as_text(assignment.get("location")).strip():
        message = "an assignment with an identity needs a location to put it"
        yield Problem("assignment-location", "location", message)


def _check_messages(properties: JsonObject, references: set[str]) -> Iterator[Problem]:
    for index, item in enumerate(as_array(properties.get("nonComplianceMessages"))):
        reference = as_text(as_object(item).get("policyDefinitionReferenceId"))
        if reference and reference.lower() not in references:
            message = f"the message is for '{reference}', which is no member of the initiative"
            yield Problem("assignment-message-reference", f"{_MESSAGES}[{index}]", message)
