"""What Azure Policy asks of a definition before it takes it.

`LivePolicyTests` are Microsoft's tests of Azure Policy by the .NET SDK, which ran against the service
(azure-sdk-for-net, sdk/resources/Microsoft.Azure.Management.Resource/tests): their error codes are Azure's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from avma_pack.rules import RuleError, compile_condition
from avma_pack.tenant.arm import ArmError
from avma_pack.tenant.policy_common import invalid_request
from avma_pack.tenant.policy_parameters import check_defaults, is_expression, parameters_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_REFERENCE = re.compile(r"\bparameters\(\s*'([^']+)'\s*\)", re.IGNORECASE)
_EFFECTS = {
    "addtonetworkgroup",
    "append",
    "audit",
    "auditifnotexists",
    "deny",
    "denyaction",
    "deployifnotexists",
    "disabled",
    "manual",
    "modify",
    "mutate",
}
"""learn.microsoft.com, Azure Policy definitions effect basics, in lower case."""


def check_definition(name: str, properties: Mapping[str, Any]) -> None:
    """Refuse a definition that Azure would refuse.

    Raises:
        ArmError: `InvalidRequestContent` without a rule, `InvalidPolicyDefinitionMode`, `UnusedPolicyParameters` and
            `InvalidPolicyParameters` (an undefined one), all of LivePolicyTests; `InvalidPolicyRule` for a rule that
            cannot be parsed (tests of the PowerShell module Az.Policy); those of `check_defaults`.
    """
    rule = properties.get("policyRule")
    if not isinstance(rule, dict):
        raise invalid_request("the property 'policyRule' is required.")
    _check_mode(name, str(properties.get("mode", "Indexed")))
    parameters = parameters_of(properties)
    check_defaults(name, parameters)
    _check_references(name, parameters, set(references(rule)))
    _check_rule(rule)


def references(rule: object) -> Iterator[str]:
    """The parameters that a rule or a member of an initiative refers to, in lower case.

    The template of a deployment is left out: its expressions refer to parameters of its own.
    """
    if isinstance(rule, dict):
        for key, value in rule.items():
            if key != "template":
                yield from references(value)
    elif isinstance(rule, list):
        for value in rule:
            yield from references(value)
    elif is_expression(rule):
        yield from (name.lower() for name in _REFERENCE.findall(str(rule)))


def identity_reason(properties: Mapping[str, Any]) -> str:
    """The effect for which a definition's assignments must have an identity; '' for those that need none.

    It depends on what the definition can do, not on the effect that the assignment selects: Azure refuses with
    "when assigning 'DeployIfNotExists' policy definitions or policy definitions that contain a deployment in the
    effect details".
    """
    details = properties["policyRule"].get("then", {}).get("details", {})
    if not isinstance(details, dict):
        return ""
    if "deployment" in details:
        return "DeployIfNotExists"
    return "Modify" if "operations" in details else ""


def _check_mode(name: str, mode: str) -> None:
    if mode.lower() not in {"all", "indexed"} and not mode.lower().startswith("microsoft."):
        raise ArmError(
            400,
            "InvalidPolicyDefinitionMode",
            f"The policy definition '{name}' has the mode '{mode}' which is not valid.",
        )


def _check_references(name: str, parameters: Mapping[str, Any], used: set[str]) -> None:
    for undefined in sorted(used - {each.lower() for each in parameters}):
        raise ArmError(
            400,
            "InvalidPolicyParameters",
            f"A function or parameter in policy '{name}' could not be validated. If using template functions, try"
            " following the tips in: https://aka.ms/policy-avoiding-template-failures. The inner exception 'The policy"
            f" '{name}' has undefined parameter '{undefined}' which is used in the policy rule. Please either define it"
            " in policy definition or remove the reference in policy rule.'.",
        )
    refuse_unused(f"policy '{name}'", parameters, used, where="policy rule")


def refuse_unused(subject: str, parameters: Mapping[str, Any], used: set[str], *, where: str) -> None:
    """Refuse parameters that nothing refers to.

    Raises:
        ArmError: `UnusedPolicyParameters`, of definitions and of initiatives.
    """
    unused = [each for each in parameters if each.lower() not in used]
    if unused:
        raise ArmError(
            400,
            "UnusedPolicyParameters",
            f"The {subject} has defined parameters '{','.join(unused)}' which are not used in the {where}. Please"
            f" either remove these parameters from the definition or ensure that they are used in the {where}.",
        )


def _check_rule(rule: Mapping[str, Any]) -> None:
    then = rule.get("then")
    if "if" not in rule or not isinstance(then, dict) or "effect" not in then:
        raise _unparsed("it needs an 'if' and a 'then' with an 'effect'")
    effect = then["effect"]
    if not is_expression(effect) and str(effect).lower() not in _EFFECTS:
        raise _unparsed(f"the effect '{effect}' is not known")
    details = then.get("details")
    try:
        compile_condition(rule["if"])
        if isinstance(details, dict) and "existenceCondition" in details:
            compile_condition(details["existenceCondition"], where="then.details.existenceCondition")
    except RuleError as error:
        raise _unparsed(str(error)) from error


def _unparsed(why: str) -> ArmError:
    return ArmError(400, "InvalidPolicyRule", f"Failed to parse policy rule: '{why}'.")
