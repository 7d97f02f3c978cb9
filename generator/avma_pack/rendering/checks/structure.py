"""The shape of a definition: conditions that Azure can read, and what each effect needs beside it.

What an effect needs is documented per effect (learn.microsoft.com, Azure Policy definitions effect basics);
the rules on delay, conditions, roles and `Disabled` are those that AzPolicyTest checks.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from avma_pack.rendering.checks.json_tree import as_array, as_text, dig
from avma_pack.rendering.checks.model import (
    CHANGING,
    COMPARISONS,
    DEPLOYMENT,
    DETAILS,
    EFFECT,
    EXISTENCE,
    IF,
    IF_NOT_EXISTS,
    TEMPLATE,
    Condition,
    Definition,
)
from avma_pack.rendering.checks.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from avma_pack.rendering.checks.json_tree import JsonObject

# Of whatever mode (learn.microsoft.com, Azure Policy definitions effect basics).
_EFFECTS = IF_NOT_EXISTS | {
    "addtonetworkgroup",
    "append",
    "audit",
    "deny",
    "denyaction",
    "disabled",
    "manual",
    "modify",
    "mutate",
}
_SUBJECTS = frozenset({"field", "value", "count"})
_ROLE_DEFINITION = re.compile(
    r"(/subscriptions/[^/]+)?/providers/Microsoft\.Authorization/roleDefinitions/"
    r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}",
    re.IGNORECASE,
)


def check_type_and_id(payload: JsonObject, kind: str) -> Iterator[Problem]:
    """Check that the type is `Microsoft.Authorization/<kind>` and that an id, if given, ends in both."""
    expected = f"Microsoft.Authorization/{kind}"
    if payload.get("type") != expected:
        message = f"the resource's type is {payload.get('type')!r}, expected '{expected}'"
        yield Problem("resource-type", "type", message)
    if "id" in payload:
        ending = f"/providers/{expected}/{payload.get('name')}"
        if not as_text(payload["id"]).lower().endswith(ending.lower()):
            message = f"the id {payload['id']!r} does not end in '{ending}'"
            yield Problem("resource-id", "id", message)


def check_structure(definition: Definition) -> Iterator[Problem]:
    """Check the conditions, the effect and what stands in its details."""
    if not definition.conditions[0].body:
        yield Problem("condition-shape", IF, "the policy rule has no condition")
    for condition in definition.all_conditions:
        yield from _check_condition(condition)
    unknown = definition.effect.values - _EFFECTS
    if unknown:
        message = f"Azure Policy knows no effect {', '.join(sorted(unknown))}"
        yield Problem("effect-unknown", EFFECT, message)
    if "disabled" not in definition.effect.values:
        message = "the effect cannot be 'Disabled', so an assignment could not switch the policy off"
        yield Problem("effect-includes-disabled", EFFECT, message)
    if definition.effect.values & IF_NOT_EXISTS:
        yield from _check_if_not_exists(definition)
    if "deployifnotexists" in definition.effect.values:
        yield from _check_deployment(definition)
    if "modify" in definition.effect.values and not as_array(definition.details.get("operations")):
        yield Problem("modify-operations", DETAILS, "modify has no operations")
    yield from _check_roles(definition)


def _check_condition(condition: Condition) -> Iterator[Problem]:
    body, fault = condition.body, ""
    if not condition.is_leaf:
        if len(body) != 1:
            fault = f"'{condition.operator}' shares its object with {sorted(body.keys() - {condition.operator})}"
        elif condition.operator != "not" and not condition.children:
            fault = f"'{condition.operator}' has no conditions"
    else:
        subjects, comparisons = body.keys() & _SUBJECTS, body.keys() & COMPARISONS
        strange = sorted(body.keys() - subjects - comparisons)
        if len(subjects) != 1 or len(comparisons) != 1:
            fault = "a condition has one of field, value and count, and one comparison"
        if strange:
            fault = f"{strange} is nothing that a condition has"
    if fault and body:
        yield Problem("condition-shape", condition.where, fault)


def _check_if_not_exists(definition: Definition) -> Iterator[Problem]:
    details = definition.details
    if not details.get("type"):
        yield Problem("if-not-exists-type", DETAILS, "details.type, the related resource, is missing")
    if not details.get("existenceCondition"):
        message = "the existence condition is missing or empty: any related resource would do"
        yield Problem("if-not-exists-condition", EXISTENCE, message)
    if not details.get("evaluationDelay"):
        message = "evaluationDelay is missing: a machine would be judged before it is provisioned"
        yield Problem("if-not-exists-delay", f"{DETAILS}.evaluationDelay", message)


def _check_deployment(definition: Definition) -> Iterator[Problem]:
    if as_text(definition.deployment.get("mode")).lower() != "incremental":
        # A complete deployment deletes every other resource of the resource group.
        message = f"the deployment's mode is {definition.deployment.get('mode')!r}, expected 'incremental'"
        yield Problem("deployment-mode", f"{DEPLOYMENT}.mode", message)
    for member in ("$schema", "contentVersion", "resources"):
        if not definition.template.get(member):
            yield Problem("deployment-template", TEMPLATE, f"the deployment template has no {member}")


def _check_roles(definition: Definition) -> Iterator[Problem]:
    where = f"{DETAILS}.roleDefinitionIds"
    changing = definition.effect.values & CHANGING
    roles = as_array(definition.details.get("roleDefinitionIds"))
    if changing and not roles:
        message = "the effect changes resources and no role is named: its identity could do nothing"
        yield Problem("role-definitions-missing", where, message)
    if not changing and "roleDefinitionIds" in definition.details:
        message = "the effect changes nothing, so an identity with roles would be made for nothing"
        yield Problem("role-definitions-unneeded", where, message)
    for index, role in enumerate(roles):
        if not _ROLE_DEFINITION.fullmatch(as_text(role)):
            yield Problem("role-definition-id", f"{where}[{index}]", f"{role!r} is not the id of a role definition")


def needs_identity(payload: object) -> bool:
    """Tell whether an assignment of this definition needs an identity: it names roles."""
    return bool(as_array(dig(payload, "properties", "policyRule", "then", "details", "roleDefinitionIds")))
