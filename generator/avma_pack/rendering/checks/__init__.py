"""The checks that every rendered policy payload passes: pure functions over parsed JSON, nothing is called.

A payload is a full resource, `{"name", "type", "id"?, "properties"}`. What cannot be known before deployment
(scope, location) may be a token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from avma_pack.rendering.checks import (
    assignment,
    guest_configuration,
    initiative,
    limits,
    linter,
    naming,
    parameters,
    references,
    structure,
)
from avma_pack.rendering.checks.json_tree import JsonObject, as_object
from avma_pack.rendering.checks.model import read_definition
from avma_pack.rendering.checks.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["JsonObject", "Problem", "check_assignment", "check_definition", "check_initiative"]


def check_definition(payload: JsonObject) -> list[Problem]:
    """Return everything that is wrong with a policy definition."""
    definition = read_definition(payload)
    return [
        *structure.check_type_and_id(payload, "policyDefinitions"),
        *_check_titles(payload),
        *naming.check_version(definition.properties),
        *limits.check_definition_limits(definition),
        *parameters.check_declarations(definition.parameters),
        *structure.check_structure(definition),
        *references.check_references(definition),
        *guest_configuration.check_guest_configuration(definition),
        *linter.lint(definition),
    ]


def check_initiative(payload: JsonObject, definitions: Mapping[str, JsonObject]) -> list[Problem]:
    """Return everything that is wrong with an initiative, its members given by their names."""
    properties = as_object(payload.get("properties"))
    declared = as_object(properties.get("parameters"))
    return [
        *structure.check_type_and_id(payload, "policySetDefinitions"),
        *_check_titles(payload),
        *naming.check_version(properties),
        *limits.check_initiative_limits(properties),
        *parameters.check_declarations(declared),
        *initiative.check_members(payload, definitions),
        *linter.lint_parameters(declared),
    ]


def check_assignment(payload: JsonObject, assigned: JsonObject, definitions: Mapping[str, JsonObject]) -> list[Problem]:
    """Return everything that is wrong with an assignment of the initiative `assigned`.

    The definitions of its members, by name, say whether it needs an identity.
    """
    properties = as_object(payload.get("properties"))
    return [
        *structure.check_type_and_id(payload, "policyAssignments"),
        *_check_titles(payload, limits.MAX_ASSIGNMENT_NAME_AT_MANAGEMENT_GROUP),
        *limits.check_assignment_limits(properties),
        *assignment.check_against_initiative(payload, assigned, definitions),
    ]


def _check_titles(payload: JsonObject, name_limit: int = limits.MAX_NAME) -> Iterator[Problem]:
    yield from naming.check_name(payload)
    yield from naming.check_titles(as_object(payload.get("properties")))
    yield from limits.check_texts(payload, name_limit)
