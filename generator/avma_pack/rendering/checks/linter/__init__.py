"""The rules of Microsoft's policy linter (Azure/azure-policy-linter 0.6.0) that need no metadata of aliases.

Each keeps the linter's id. The linter looks at `if` alone; the rules on conditions and functions look at the
existence condition too.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from avma_pack.rendering.checks.expressions import references
from avma_pack.rendering.checks.json_tree import as_text, below, dig
from avma_pack.rendering.checks.linter import conditions, effects, functions, resource_types
from avma_pack.rendering.checks.linter.rule import Finding, Rule
from avma_pack.rendering.checks.model import PARAMETERS
from avma_pack.rendering.checks.problem import Problem
from avma_pack.rendering.checks.references import unresolved

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from avma_pack.rendering.checks.json_tree import JsonObject
    from avma_pack.rendering.checks.model import Definition

_DESCRIPTION = "parameter-missing-description"
_DISPLAY_NAME = "parameter-missing-display-name"


def _unresolved_parameters(definition: Definition) -> Iterator[Finding]:
    for reference in unresolved(references(definition.expressions), definition.parameters):
        yield Finding(reference.where, f"parameters('{reference.name}') is not declared by the definition")


def _without_metadata(parameters: JsonObject, member: str) -> Iterator[Finding]:
    for name, declaration in parameters.items():
        if not as_text(dig(declaration, "metadata", member)).strip():
            yield Finding(below(PARAMETERS, name), f"the parameter '{name}' has no metadata.{member}")


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "all-parameter-references-must-resolve": _unresolved_parameters,
        "effect-allowed-values-should-not-mix-incompatible-effects": effects.mixed_effects,
        "unguarded-tryget-operator-value": functions.unguarded_try_get,
        "blocking-effect-on-role-assignments": effects.blocked_role_assignments,
        "broad-type-matching-operator": conditions.broad_type_matching,
        "effect-parameter-missing-allowed-values": effects.missing_allowed_values,
        "effect-parameter-missing-default-value": effects.missing_default_value,
        "risky-effect-parameter-default-value": effects.risky_default_value,
        "hard-coded-policy-enforcement-effect": effects.hard_coded_enforcement,
        "like-notlike-without-wildcards": conditions.like_without_wildcards,
        "match-without-wildcards": conditions.match_without_wildcards,
        "request-context-identity-is-enforcement-only": functions.request_context_identity,
        "unguarded-request-context-identity-access": functions.unguarded_request_identity,
        "nested-same-type-quantifiers-should-be-flattened": conditions.nested_quantifiers,
        _DESCRIPTION: lambda definition: _without_metadata(definition.parameters, "description"),
        _DISPLAY_NAME: lambda definition: _without_metadata(definition.parameters, "displayName"),
        "policy-rule-references-multiple-resource-types": resource_types.multiple_resource_types,
        "simplify-multiple-equals-to-in": conditions.equals_to_in,
        "simplify-multiple-notequals-to-notin": conditions.not_equals_to_not_in,
        "tryget-use-with-null-coercing-operator": functions.try_get_as_empty,
        "type-condition-first-in-allof": conditions.type_first,
        "unnecessary-quantifier-wrapper": conditions.unnecessary_wrapper,
    }
)


def lint(definition: Definition) -> Iterator[Problem]:
    """Apply every rule to a definition."""
    for check, rule in RULES.items():
        for finding in rule(definition):
            yield Problem(check, finding.where, finding.message)


def lint_parameters(parameters: JsonObject) -> Iterator[Problem]:
    """Apply the rules on parameters, which are an initiative's too."""
    for check, member in ((_DESCRIPTION, "description"), (_DISPLAY_NAME, "displayName")):
        for finding in _without_metadata(parameters, member):
            yield Problem(check, finding.where, finding.message)
