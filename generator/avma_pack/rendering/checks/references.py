"""Names that refer to something: every parameter reference resolves, every parameter is used.

Names of parameters are compared without regard to case, as Azure does. The rule resolves against the
definition's parameters, the deployment template against its own, and the deployment supplies the second from
the first. Azure refuses a definition with a parameter that its rule does not use (UnusedPolicyParameters).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from avma_pack.rendering.checks.expressions import Reference, references
from avma_pack.rendering.checks.json_tree import as_object, below, by_lower_name
from avma_pack.rendering.checks.model import DEPLOYMENT, DETAILS, PARAMETERS, TEMPLATE
from avma_pack.rendering.checks.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from avma_pack.rendering.checks.json_tree import JsonObject
    from avma_pack.rendering.checks.model import Definition

# What is used only for the place of the deployment does not count as used: Azure refuses the parameter.
_DEPLOYMENT_LOCATION = f"{DETAILS}.deployment.location"


def unresolved(used: Iterable[Reference], declared: JsonObject) -> Iterator[Reference]:
    """Yield the references to names that are not declared."""
    known = by_lower_name(declared)
    return (reference for reference in used if reference.name.lower() not in known)


def unused(used: Iterable[Reference], declared: JsonObject) -> Iterator[str]:
    """Yield the declared names, as written, to which nothing refers."""
    names = {reference.name.lower() for reference in used}
    return (name for name in declared if name.lower() not in names)


def check_references(definition: Definition) -> Iterator[Problem]:
    """Check the expressions of a definition and of its deployment template.

    References of the rule that do not resolve are the linter's `all-parameter-references-must-resolve`.
    """
    for expression in (*definition.expressions, *definition.template_expressions):
        if expression.syntax.fault:
            message = f"the expression {expression.text} cannot be read: {expression.syntax.fault}"
            yield Problem("expression-syntax", expression.where, message)
    used = [r for r in references(definition.expressions) if r.where != _DEPLOYMENT_LOCATION]
    for name in unused(used, definition.parameters):
        message = f"the parameter '{name}' is declared but the policy rule does not use it; Azure refuses that"
        yield Problem("unused-policy-parameter", below(PARAMETERS, name), message)
    if definition.template or definition.deployment:
        yield from _check_template(definition)
        yield from _check_supplied(definition)


def _check_template(definition: Definition) -> Iterator[Problem]:
    expressions = definition.template_expressions
    for function in ("parameters", "variables"):
        declared = as_object(definition.template.get(function))
        used = list(references(expressions, function))
        for reference in unresolved(used, declared):
            message = f"{function}('{reference.name}') is not declared in the template's {function}"
            yield Problem("template-references-must-resolve", reference.where, message)
        for name in unused(used, declared):
            where = below(f"{TEMPLATE}.{function}", name)
            message = f"the template declares '{name}' in its {function} but does not use it"
            yield Problem("unused-template-declaration", where, message)


def _check_supplied(definition: Definition) -> Iterator[Problem]:
    where = f"{DEPLOYMENT}.parameters"
    declared = as_object(definition.template.get("parameters"))
    supplied = as_object(definition.deployment.get("parameters"))
    known, given = by_lower_name(declared), by_lower_name(supplied)
    for name, value in supplied.items():
        if name.lower() not in known:
            message = f"the deployment supplies '{name}', which the template does not declare"
            yield Problem("deployment-parameter-unknown", below(where, name), message)
        if not {"value", "reference"} & as_object(value).keys():
            message = f"the deployment's parameter '{name}' has neither a value nor a reference"
            yield Problem("deployment-parameter-without-value", below(where, name), message)
    for name, declaration in declared.items():
        if name.lower() not in given and "defaultValue" not in as_object(declaration):
            message = f"the deployment does not supply '{name}', which the template declares without a default"
            yield Problem("deployment-parameter-missing", where, message)
