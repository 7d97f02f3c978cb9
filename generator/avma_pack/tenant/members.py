"""The definitions that an assignment brings to bear: one, or the members of an initiative, ready to be decided.

Parameters flow from the assignment through the initiative to the definition; rules are compiled once a definition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from avma_pack.rules import Condition, PolicyContext, RuleError, Scope, compile_condition, evaluate
from avma_pack.tenant.resource_types import GUEST_ASSIGNMENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from avma_pack.tenant.store import Resource, Store

MemberKey = tuple[str, str]
"""Assignment and reference id, in lower case."""

IF_NOT_EXISTS = frozenset({"auditifnotexists", "deployifnotexists"})
REMEDIABLE = frozenset({"deployifnotexists", "modify"})
KNOWN_EFFECTS = frozenset({"audit", "deny", "disabled"}) | IF_NOT_EXISTS | REMEDIABLE

_APPLICABILITY = frozenset({"type", "name", "kind"})
"""Conditions on these alone say whether a rule applies to a resource at all
(https://learn.microsoft.com/azure/governance/policy/concepts/policy-applicability)."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A compiled rule. `applicable` is the `if` in which only type, name and kind count."""

    definition: Resource
    condition: Condition
    applicable: Condition
    existence: Condition | None


@dataclass(frozen=True, slots=True)
class Member:
    """One definition of an assignment, with the values of its parameters and its effect in lower case.

    `related_name` is the name of the resource whose existence is asked for, where it is the same on every machine.
    `guest` is the guest configuration that Azure's service assigns by itself for an audit definition, else None.
    """

    key: MemberKey
    assignment: Resource
    set_definition: Resource | None
    rule: Rule
    parameters: Mapping[str, Any]
    effect: str
    effect_name: str
    policy: PolicyContext
    groups: tuple[str, ...]
    related_name: str | None
    guest: dict[str, Any] | None

    @property
    def definition(self) -> Resource:
        """The policy definition."""
        return self.rule.definition

    @property
    def reference_id(self) -> str:
        """The reference id in the initiative; '' outside one."""
        return self.policy.definition_reference_id

    @property
    def details(self) -> dict[str, Any]:
        """The details of the effect."""
        found: dict[str, Any] = self.definition["properties"]["policyRule"]["then"].get("details") or {}
        return found

    @property
    def enforced(self) -> bool:
        """Whether new and changed resources are remediated at once."""
        return str(self.assignment["properties"].get("enforcementMode", "Default")).lower() == "default"

    @property
    def principal(self) -> str:
        """The object id of the assignment's identity; '' where it has none."""
        identity = self.assignment.get("identity") or {}
        return str(identity.get("principalId") or "")


class Rules:
    """Definitions compiled; each once, as long as it is not replaced."""

    def __init__(self) -> None:
        self._compiled: dict[str, Rule] = {}

    def of(self, definition: Resource) -> Rule:
        """The compiled rule of a definition.

        Raises:
            RuleError: the evaluator does not understand it.
        """
        key = str(definition["id"]).lower()
        known = self._compiled.get(key)
        if known is None or known.definition is not definition:
            known = self._compiled[key] = _compile(definition)
        return known


def members_of(store: Store, rules: Rules, assignment: Resource) -> list[Member]:
    """The members of an assignment that are not switched off. What it refers to and is gone, does nothing.

    Raises:
        RuleError: a rule or parameter that the evaluator does not understand.
    """
    return [each for each in _members(store, rules, assignment) if each.effect != "disabled"]


def _members(store: Store, rules: Rules, assignment: Resource) -> Iterator[Member]:
    properties = assignment["properties"]
    target = store.get(str(properties["policyDefinitionId"]))
    given = {name: value.get("value") for name, value in (properties.get("parameters") or {}).items()}
    if target is None:
        return
    if str(target["type"]).lower() == "microsoft.authorization/policydefinitions":
        yield _member(assignment, None, rules.of(target), {}, given)
        return
    values = Scope(parameters=_with_defaults(target, given))
    for entry in target["properties"].get("policyDefinitions") or ():
        definition = store.get(str(entry["policyDefinitionId"]))
        if definition is not None:
            bound = {name: value.get("value") for name, value in (entry.get("parameters") or {}).items()}
            yield _member(assignment, target, rules.of(definition), entry, evaluate(bound, values))


def _member(
    assignment: Resource, target: Resource | None, rule: Rule, entry: Mapping[str, Any], given: Mapping[str, Any]
) -> Member:
    definition = rule.definition
    reference = str(entry.get("policyDefinitionReferenceId", ""))
    parameters = _with_defaults(definition, given)
    effect = _effect(assignment, definition, parameters, reference)
    policy = PolicyContext(
        assignment_id=assignment["id"],
        definition_id=definition["id"],
        set_definition_id=target["id"] if target else "",
        definition_reference_id=reference,
    )
    return Member(
        key=(str(assignment["id"]).lower(), reference.lower()),
        assignment=assignment,
        set_definition=target,
        rule=rule,
        parameters=parameters,
        effect=effect.lower(),
        effect_name=effect,
        policy=policy,
        groups=tuple(entry.get("groupNames") or ()),
        related_name=_related_name(definition, Scope(parameters=parameters, policy=policy)),
        guest=_guest_configuration(definition, parameters) if effect.lower() == "auditifnotexists" else None,
    )


def _with_defaults(definition: Resource, given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a definition's parameters by name in lower case."""
    declared = definition["properties"].get("parameters") or {}
    values = {name.lower(): each["defaultValue"] for name, each in declared.items() if "defaultValue" in each}
    return values | {name.lower(): value for name, value in given.items()}


def _effect(assignment: Resource, definition: Resource, parameters: Mapping[str, Any], reference: str) -> str:
    written = definition["properties"]["policyRule"]["then"]["effect"]
    effect = str(evaluate(written, Scope(parameters=parameters)))
    for override in assignment["properties"].get("overrides") or ():
        chosen = [str(each).lower() for one in override.get("selectors") or () for each in one.get("in") or ()]
        if override.get("kind") == "policyEffect" and (not chosen or reference.lower() in chosen):
            effect = str(override["value"])
    if effect.lower() not in KNOWN_EFFECTS:
        raise RuleError(f"the effect {effect!r} is not known to this tenant", where=str(definition["id"]))
    return effect


def _related_name(definition: Resource, scope: Scope) -> str | None:
    """The name in the details, unless it depends on the machine."""
    name = (definition["properties"]["policyRule"]["then"].get("details") or {}).get("name")
    try:
        return str(evaluate(name, scope)) if name is not None else None
    except RuleError:
        return None


def _guest_configuration(definition: Resource, parameters: Mapping[str, Any]) -> dict[str, Any] | None:
    """The guest configuration of an audit definition, as the service reads it from the metadata.

    Its `configurationParameter` maps names of policy parameters to properties of the configuration, in an order that
    the parameter hash keeps.
    """
    properties = definition["properties"]
    described = (properties.get("metadata") or {}).get("guestConfiguration")
    details = properties["policyRule"]["then"].get("details") or {}
    if not described or str(details.get("type", "")).lower() != GUEST_ASSIGNMENT.lower():
        return None
    names = ("name", "version", "contentType", "contentUri", "contentHash", "contentManagedIdentity")
    return {name: described[name] for name in names if name in described} | {
        "assignmentType": "Audit",
        "configurationParameter": [
            {"name": path, "value": str(parameters[name.lower()])}
            for name, path in (described.get("configurationParameter") or {}).items()
        ],
    }


def _compile(definition: Resource) -> Rule:
    rule = definition["properties"]["policyRule"]
    where = str(definition["id"])
    existence = (rule["then"].get("details") or {}).get("existenceCondition")
    return Rule(
        definition,
        compile_condition(rule["if"], where=f"{where} if"),
        compile_condition(_applicability(rule["if"], wanted=True), where=f"{where} if"),
        compile_condition(existence, where=f"{where} existenceCondition") if existence else None,
    )


def _applicability(condition: Any, *, wanted: bool) -> Any:
    """A condition in which every part that is not on type, name or kind has the outcome that lets the rule apply."""
    for name, value in condition.items():
        if name.lower() in {"allof", "anyof"}:
            return {name: [_applicability(each, wanted=wanted) for each in value]}
        if name.lower() == "not":
            return {name: _applicability(value, wanted=not wanted)}
        if name.lower() == "field" and str(value).lower() in _APPLICABILITY:
            return condition
    return {"value": wanted, "equals": True}
