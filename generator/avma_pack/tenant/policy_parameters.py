"""What Azure Policy asks of parameters: of their definitions, of values given for them, and of updates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from avma_pack.tenant.arm import ArmError

if TYPE_CHECKING:
    from collections.abc import Mapping

Parameters = dict[str, Any]


def parameters_of(properties: Mapping[str, Any]) -> Parameters:
    """The parameter definitions of a definition or initiative, or the values of an assignment or member."""
    return properties.get("parameters") or {}


def check_defaults(name: str, parameters: Parameters) -> None:
    """Refuse a default that is not among the allowed values.

    Raises:
        ArmError: `PolicyParameterAllowedAndDefaultValuesMismatch`
            (github.com/Azure/azure-monitor-baseline-alerts/issues/917).
    """
    for each, definition in parameters.items():
        if "defaultValue" in definition and not _allowed(definition, definition["defaultValue"]):
            raise ArmError(
                400,
                "PolicyParameterAllowedAndDefaultValuesMismatch",
                f"The policy '{name}' defines parameter '{each}' with a default value '{definition['defaultValue']}'"
                f" and allowed values '{','.join(map(str, definition['allowedValues']))}'. The 'allowedValues' property"
                " must include the value of the 'defaultValue' property if both are present.",
            )


def check_update(kind: str, old: Parameters, new: Parameters) -> None:
    """Refuse an update that removes, renames or retypes a parameter, or adds one without a default.

    `kind` is 'policy' or 'policy set'. Codes and messages as seen in
    github.com/hashicorp/terraform-provider-azurerm/issues/13991 and 31965 (definitions), and
    github.com/gettek/terraform-azurerm-policy-as-code/issues/94, 110 and 50 (initiatives).

    Raises:
        ArmError: `InvalidPolicyParameterUpdate` or `InvalidPolicySetParameterUpdate`.
    """
    code = "InvalidPolicySetParameterUpdate" if kind == "policy set" else "InvalidPolicyParameterUpdate"
    before, after = _folded(old), _folded(new)
    missing = [name for name in old if name.lower() not in after]
    retyped = [name for name in old if name.lower() in after and _type(old[name]) != _type(after[name.lower()])]
    added = [name for name in new if name.lower() not in before and "defaultValue" not in new[name]]
    if len(new) < len(old):
        message = (
            f"The existing policy has '{len(old)}' parameter(s) which is greater than the count of parameter(s)"
            f" '{len(new)}' in the policy being added. Policy parameters cannot be removed during policy update."
        )
    elif missing:
        message = (
            f"The existing {kind} parameter(s) '{','.join(missing)}' were not found in the {kind} being updated."
            " The parameter names can not be changed."
        )
    elif retyped:
        message = f"The existing {kind} parameter(s) '{','.join(retyped)}' type is being updated which is not allowed."
    elif added:
        message = (
            f"The policy contains new parameter(s) '{','.join(added)}' which are not present in the existing policy and"
            " have no default value. New parameters may be added to a policy only if they have a default value."
        )
    else:
        return
    raise ArmError(400, code, message)


def check_values(subject: str, definition_name: str, parameters: Parameters, values: Parameters) -> None:
    """Refuse values for parameters that are not defined, that are not allowed, or that are wanting.

    `subject` begins the messages: "policy assignment 'x'" or "policy set definition 'x'". Values that are expressions
    are not judged. Allowed values are compared with their case (learn.microsoft.com, Azure Policy definition structure
    parameters). Codes: `UndefinedPolicyParameter` of LivePolicyTests and
    github.com/gettek/terraform-azurerm-policy-as-code/issues/47, `PolicyParameterValueNotAllowed` of
    github.com/salesforce/cloud-guardrails/issues/53, `MissingPolicyParameter` with the message of
    github.com/Azure/enterprise-azure-policy-as-code/pull/729.

    Raises:
        ArmError: one of the three.
    """
    defined, given = _folded(parameters), {name.lower() for name in values}
    undefined = [name for name in values if name.lower() not in defined]
    if undefined:
        does = "is attempting to assign" if subject.startswith("policy set") else "has"
        raise ArmError(
            400,
            "UndefinedPolicyParameter",
            f"The {subject} {does} the parameter(s) '{','.join(undefined)}' which are not defined in the policy"
            f" definition '{definition_name}'.",
        )
    for name, value in values.items():
        _check_allowed(name, defined[name.lower()], value, definition_name)
    missing = [name for name in parameters if name.lower() not in given and "defaultValue" not in parameters[name]]
    if missing:
        raise ArmError(
            400,
            "MissingPolicyParameter",
            f"The {subject} is missing the parameter(s) '{','.join(missing)}' as defined in the policy definition"
            f" '{definition_name}'.",
        )


def value_refusal(name: str, definition: Parameters, value: Any, definition_name: str) -> ArmError | None:
    """The refusal of a value that is not among the allowed ones; None where it is."""
    if is_expression(value) or _allowed(definition, value):
        return None
    return ArmError(
        400,
        "PolicyParameterValueNotAllowed",
        f"The value '{value}' is not allowed for policy parameter '{name}' in policy definition '{definition_name}'."
        f" The allowed values are '{', '.join(map(str, definition['allowedValues']))}'.",
    )


def is_expression(value: object) -> bool:
    """Whether a value is a template expression."""
    return isinstance(value, str) and value.startswith("[") and not value.startswith("[[")


def _check_allowed(name: str, definition: Parameters, given: Any, definition_name: str) -> None:
    if not isinstance(given, dict):
        message = f"The request content was invalid: parameter '{name}' needs a 'value'."
        raise ArmError(400, "InvalidRequestContent", message)
    refusal = value_refusal(name, definition, given.get("value"), definition_name)
    if refusal:
        raise refusal


def _allowed(definition: Parameters, value: Any) -> bool:
    allowed = definition.get("allowedValues")
    if not allowed:
        return True
    if str(definition.get("type")).lower() == "array" and isinstance(value, list):
        return all(each in allowed for each in value)
    return value in allowed


def _folded(parameters: Parameters) -> Parameters:
    return {name.lower(): definition for name, definition in parameters.items()}


def _type(definition: Parameters) -> str:
    return str(definition.get("type", "")).lower()
