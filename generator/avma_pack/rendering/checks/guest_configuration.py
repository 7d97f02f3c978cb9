"""What a Guest Configuration definition says in several places, and Azure takes at its word in each.

`metadata.guestConfiguration` is what the service makes audit assignments from and what the portal shows; the
deployment template is what remediation sends; the existence condition decides whether either is current. One
that differs gives a machine that is never compliant, or is compliant by another package or other parameters.
The parameter hash is `base64(concat('[Type]Instance;Property','=',parameters('P'), ',', …))` in the order of
`configurationParameter` (as in the built-in definitions, for example SetSecureProtocol).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from avma_pack.rendering.checks.expressions import Token, is_expression, parse, referenced_parameter
from avma_pack.rendering.checks.json_tree import (
    JsonObject,
    as_array,
    as_object,
    as_text,
    below,
    by_lower_name,
    dig,
)
from avma_pack.rendering.checks.model import DETAILS, EXISTENCE, TEMPLATE, Condition, Definition
from avma_pack.rendering.checks.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

ASSIGNMENT_TYPE = "Microsoft.GuestConfiguration/guestConfigurationAssignments"
CATEGORY = "Guest Configuration"

_METADATA = "properties.metadata.guestConfiguration"
_AGREEING = ("name", "version", "contentUri", "contentHash", "contentManagedIdentity")


def check_guest_configuration(definition: Definition) -> Iterator[Problem]:
    """Check that metadata, existence condition and deployment template of a definition say the same."""
    metadata = as_object(definition.metadata.get("guestConfiguration"))
    about_assignments = as_text(definition.details.get("type")).lower() == ASSIGNMENT_TYPE.lower()
    if not metadata:
        if about_assignments:
            message = "a definition about guest assignments names its package in metadata.guestConfiguration"
            yield Problem("guest-configuration-metadata", "properties.metadata", message)
        return
    yield from _check_definition(definition)
    yield from _check_existence(definition, metadata)
    if "deployifnotexists" in definition.effect.values:
        yield from _check_template(definition, metadata)


def _check_definition(definition: Definition) -> Iterator[Problem]:
    if definition.metadata.get("category") != CATEGORY:
        message = f"the category of a Guest Configuration definition is '{CATEGORY}'"
        yield Problem("guest-configuration-category", "properties.metadata.category", message)
    if definition.properties.get("mode") != "Indexed":
        message = "the mode of a Guest Configuration definition is 'Indexed'"
        yield Problem("guest-configuration-mode", "properties.mode", message)
    declared = by_lower_name(definition.parameters)
    for name in _parameters(dig(definition.metadata, "guestConfiguration")):
        if name.lower() not in declared:
            where = below(f"{_METADATA}.configurationParameter", name)
            message = f"configurationParameter names '{name}', which the definition does not declare"
            yield Problem("configuration-parameter-undeclared", where, message)


def _parameters(metadata: object) -> JsonObject:
    """Return the map from parameter to `[Type]Instance;Property`, in its order."""
    return as_object(as_object(metadata).get("configurationParameter"))


# -- the existence condition


def _check_existence(definition: Definition, metadata: JsonObject) -> Iterator[Problem]:
    yield from _check_required(definition, "complianceStatus", "Compliant")
    if "contentHash" in metadata:
        yield from _check_required(definition, "contentHash", metadata["contentHash"])
    parameters = _parameters(metadata)
    hashes = list(_required_leaves(definition, "parameterHash"))
    if parameters and not hashes:
        message = "the existence condition does not ask for parameterHash: other parameters would count too"
        yield Problem("existence-parameter-hash", EXISTENCE, message)
    for leaf in hashes:
        yield from _check_hash(leaf, parameters)


def _required_leaves(definition: Definition, name: str) -> Iterator[Condition]:
    """Yield the leaves on an alias of guest assignments without which the condition does not hold."""
    for leaf in definition.existence:
        provider_and_type, _, path = leaf.field.rpartition("/")
        # Both spellings of the alias are in use: contentHash and guestConfiguration.contentHash.
        is_alias = path.rpartition(".")[2].lower() == name.lower()
        if leaf.required and is_alias and provider_and_type.lower() == ASSIGNMENT_TYPE.lower():
            yield leaf


def _check_required(definition: Definition, name: str, expected: object) -> Iterator[Problem]:
    check = {"complianceStatus": "existence-compliance-status", "contentHash": "existence-content-hash"}[name]
    leaves = list(_required_leaves(definition, name))
    if not leaves:
        message = f"the existence condition does not require {name} to equal '{expected}'"
        yield Problem(check, EXISTENCE, message)
    for leaf in leaves:
        if leaf.body.get("equals") != expected:
            message = f"{name} is compared with {leaf.body.get(leaf.operator)!r}; expected equals '{expected}'"
            yield Problem(check, leaf.where, message)


def _check_hash(leaf: Condition, parameters: JsonObject) -> Iterator[Problem]:
    found = as_text(leaf.body.get("equals"))
    if not is_expression(found) or _normal(parse(found).tokens) != _normal(_hash_tokens(parameters)):
        expected = ", ".join(f"{name} as {target}" for name, target in parameters.items()) or "no parameter"
        message = f"parameterHash is compared with {found!r}; configurationParameter has, in order: {expected}"
        yield Problem("existence-parameter-hash", leaf.where, message)


def _hash_tokens(parameters: JsonObject) -> tuple[Token, ...]:
    """Return the lexemes of the hash expression that these parameters ask for."""
    tokens = [Token("name", "base64"), Token("mark", "("), Token("name", "concat"), Token("mark", "(")]
    for index, (name, target) in enumerate(parameters.items()):
        literals = [",", str(target), "="] if index else [str(target), "="]
        for literal in literals:
            tokens += Token("string", literal), Token("mark", ",")
        tokens += Token("name", "parameters"), Token("mark", "("), Token("string", name), Token("mark", ")")
        tokens.append(Token("mark", ","))
    return (*tokens[:-1], Token("mark", ")"), Token("mark", ")"))


def _normal(tokens: tuple[Token, ...]) -> list[Token]:
    """Lower what Azure reads without regard to case: function names and names of parameters."""
    lowered = []
    for index, token in enumerate(tokens):
        function = tokens[index - 2].text.lower() if index > 1 else ""
        is_reference = function == "parameters" and tokens[index - 1].text == "("
        plain = token.kind == "string" and not is_reference
        lowered.append(token if plain else Token(token.kind, token.text.lower()))
    return lowered


# -- the deployment template


def _check_template(definition: Definition, metadata: JsonObject) -> Iterator[Problem]:
    resources = list(_assignments(definition.template.get("resources"), f"{TEMPLATE}.resources"))
    if not resources:
        message = f"the template has no resource whose type ends in {ASSIGNMENT_TYPE.rpartition('/')[2]}"
        yield Problem("template-guest-assignment", f"{TEMPLATE}.resources", message)
    for where, resource in resources:
        deployed = as_object(dig(resource, "properties", "guestConfiguration"))
        at = f"{where}.properties.guestConfiguration"
        yield from _check_name(definition, resource, where)
        yield from _check_content(definition, metadata, deployed, at)
        yield from _check_parameters(definition, metadata, deployed, f"{at}.configurationParameter")


def _assignments(resources: object, where: str) -> Iterator[tuple[str, JsonObject]]:
    """Yield the guest assignments of a template, nested ones included, with their JSON paths."""
    for index, item in enumerate(as_array(resources)):
        resource, at = as_object(item), f"{where}[{index}]"
        if as_text(resource.get("type")).lower().endswith("/guestconfigurationassignments"):
            yield at, resource
        yield from _assignments(resource.get("resources"), f"{at}.resources")


def _resolve(definition: Definition, value: object) -> object:
    """Return what `[parameters('x')]` is in the template: what the deployment supplies, else the default."""
    name = referenced_parameter(value)
    if name is None:
        return value
    for source, member in ((definition.deployment, "value"), (definition.template, "defaultValue")):
        parameters = as_object(source.get("parameters"))
        entry = as_object(parameters.get(by_lower_name(parameters).get(name.lower(), "")))
        if member in entry:
            return entry[member]
    return None


def _check_name(definition: Definition, resource: JsonObject, where: str) -> Iterator[Problem]:
    """Compare the name that is deployed with the one that the rule looks for, or nothing is ever found."""
    name = as_text(resource.get("name"))
    calls = parse(name).calls if is_expression(name) else ()
    last = [call.literal for call in calls if call.name == "parameters"][-1:]
    if last and _resolve(definition, f"[parameters('{last[0]}')]") != definition.details.get("name"):
        message = f"the template's resource is not named by what {DETAILS}.name looks for"
        yield Problem("template-guest-assignment-name", f"{where}.name", message)


def _check_content(definition: Definition, metadata: JsonObject, deployed: JsonObject, where: str) -> Iterator[Problem]:
    for key in _AGREEING:
        ours, theirs = metadata.get(key), _resolve(definition, deployed.get(key))
        if ours != theirs:
            message = f"the template's {key} is {theirs!r}, metadata.guestConfiguration has {ours!r}"
            yield Problem("template-guest-configuration", f"{where}.{key}", message)


def _check_parameters(
    definition: Definition, metadata: JsonObject, deployed: JsonObject, where: str
) -> Iterator[Problem]:
    expected = _parameters(metadata)
    found = [as_object(entry) for entry in as_array(deployed.get("configurationParameter"))]
    targets = [entry.get("name") for entry in found]
    if targets != list(expected.values()):
        message = f"the template sends {targets}, metadata.guestConfiguration has {list(expected.values())}"
        yield Problem("template-configuration-parameter", where, message)
        return
    for index, (name, entry) in enumerate(zip(expected, found, strict=True)):
        source = referenced_parameter(_resolve(definition, entry.get("value"))) or ""
        if source.lower() != name.lower():
            message = f"the value of {entry['name']} does not come from the definition's parameter '{name}'"
            yield Problem("template-configuration-parameter", f"{where}[{index}].value", message)
