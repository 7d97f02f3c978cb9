"""Azure's limits on policy payloads, checked before anything is sent.

Counts come from Microsoft's table of Azure Policy limits (azure-docs, includes/azure-policy-limits.md), those
of a rule from "Policy rule limits" (learn.microsoft.com, Azure Policy definition structure policy rule),
lengths of names from "Naming rules and restrictions for Azure resources". The length of a description is the
one that AzPolicyTest and the GuestConfiguration module hold to.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from avma_pack.rendering.checks.json_tree import JsonObject, as_array, as_object, as_text
from avma_pack.rendering.checks.model import EXISTENCE, IF, PARAMETERS, RULE, Definition
from avma_pack.rendering.checks.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_NAME = 64
MAX_ASSIGNMENT_NAME_AT_MANAGEMENT_GROUP = 24
MAX_DISPLAY_NAME = 128
MAX_DESCRIPTION = 512
MAX_DEFINITION_PARAMETERS = 20
# The table said 300 and says 400: what fits 300 fits both.
MAX_INITIATIVE_PARAMETERS = 300
MAX_INITIATIVE_MEMBERS = 1000
MAX_NOT_SCOPES = 400
MAX_BODY_BYTES = 1_048_576
MAX_IF_CONDITIONS = 4096
MAX_THEN_CONDITIONS = 128
MAX_NESTED_CONDITIONALS = 512
MAX_FUNCTIONS = 2048
MAX_FUNCTION_PARAMETERS = 128
MAX_FUNCTION_DEPTH = 64

# So much of a text names it in a message.
_SHOWN = 80


def _check(check: str, where: str, size: int, limit: int, *, what: str, unit: str) -> Iterator[Problem]:
    if size > limit:
        yield Problem(check, where, f"{what} has {size} {unit}, Azure's limit is {limit}")


def check_texts(payload: JsonObject, name_limit: int = MAX_NAME) -> Iterator[Problem]:
    """Check the lengths of name, display name and description, and the size of the request body."""
    properties = as_object(payload.get("properties"))
    texts = (
        ("name-length", "name", payload.get("name"), name_limit),
        ("display-name-length", "properties.displayName", properties.get("displayName"), MAX_DISPLAY_NAME),
        ("description-length", "properties.description", properties.get("description"), MAX_DESCRIPTION),
    )
    for check, where, value, limit in texts:
        text = as_text(value)
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
        what = f"the {where.rpartition('.')[2]} '{shown}'"
        yield from _check(check, where, len(text), limit, what=what, unit="characters")
    # As the SDKs send it: escaped to ASCII, with a space after each separator, so no client sends more.
    size = len(json.dumps(payload))
    yield from _check("body-size", "$", size, MAX_BODY_BYTES, what="the request body", unit="bytes")


def check_definition_limits(definition: Definition) -> Iterator[Problem]:
    """Check the number of parameters and the limits of a policy rule."""
    count = len(definition.parameters)
    what, unit = "the definition", "parameters"
    yield from _check("parameter-count", PARAMETERS, count, MAX_DEFINITION_PARAMETERS, what=what, unit=unit)
    leaves = sum(condition.is_leaf for condition in definition.conditions)
    what, unit = "the rule's if", "conditions"
    yield from _check("if-conditions", IF, leaves, MAX_IF_CONDITIONS, what=what, unit=unit)
    # allOf, anyOf and not, wherever they stand: the stricter of the readings of "nested conditionals".
    nested, unit = len(definition.conditions) - leaves, "nested conditionals"
    yield from _check("nested-conditionals", IF, nested, MAX_NESTED_CONDITIONALS, what=what, unit=unit)
    leaves = sum(condition.is_leaf for condition in definition.existence)
    what, unit = "the existence condition", "conditions"
    yield from _check("then-conditions", EXISTENCE, leaves, MAX_THEN_CONDITIONS, what=what, unit=unit)
    yield from _check_functions(definition)


def _check_functions(definition: Definition) -> Iterator[Problem]:
    total = sum(len(expression.syntax.calls) for expression in definition.expressions)
    yield from _check("function-count", RULE, total, MAX_FUNCTIONS, what="the policy rule", unit="functions")
    for where, calls in ((expression.where, expression.syntax.calls) for expression in definition.expressions):
        for call in calls:
            what, limit = f"the function {call.name}", MAX_FUNCTION_PARAMETERS
            yield from _check("function-parameters", where, call.arguments, limit, what=what, unit="parameters")
        depth = max((call.depth for call in calls), default=0)
        what, unit = "the expression", "levels of functions"
        yield from _check("function-depth", where, depth, MAX_FUNCTION_DEPTH, what=what, unit=unit)


def check_initiative_limits(properties: JsonObject) -> Iterator[Problem]:
    """Check the numbers of members and parameters of an initiative."""
    what, where = "the initiative", "properties.policyDefinitions"
    count = len(as_array(properties.get("policyDefinitions")))
    yield from _check("member-count", where, count, MAX_INITIATIVE_MEMBERS, what=what, unit="members")
    count = len(as_object(properties.get("parameters")))
    limit = MAX_INITIATIVE_PARAMETERS
    yield from _check("parameter-count", PARAMETERS, count, limit, what=what, unit="parameters")


def check_assignment_limits(properties: JsonObject) -> Iterator[Problem]:
    """Check the number of excluded scopes of an assignment."""
    count, where = len(as_array(properties.get("notScopes"))), "properties.notScopes"
    yield from _check("not-scopes", where, count, MAX_NOT_SCOPES, what="the assignment", unit="excluded scopes")
