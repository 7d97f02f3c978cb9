"""A policy definition, read once: its conditions, its effect and its expressions, each with its JSON path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from avma_pack.rendering.checks.expressions import Expression, find_expressions, referenced_parameter
from avma_pack.rendering.checks.json_tree import JsonObject, as_array, as_object, as_text, by_lower_name, dig

if TYPE_CHECKING:
    from collections.abc import Iterator

RULE = "properties.policyRule"
IF = f"{RULE}.if"
EFFECT = f"{RULE}.then.effect"
DETAILS = f"{RULE}.then.details"
EXISTENCE = f"{DETAILS}.existenceCondition"
DEPLOYMENT = f"{DETAILS}.deployment.properties"
TEMPLATE = f"{DEPLOYMENT}.template"
PARAMETERS = "properties.parameters"

QUANTIFIERS = ("allOf", "anyOf")
COMPARISONS = frozenset(
    {
        "equals",
        "notEquals",
        "like",
        "notLike",
        "match",
        "notMatch",
        "matchInsensitively",
        "notMatchInsensitively",
        "contains",
        "notContains",
        "in",
        "notIn",
        "containsKey",
        "notContainsKey",
        "less",
        "lessOrEquals",
        "greater",
        "greaterOrEquals",
        "exists",
    }
)
IF_NOT_EXISTS = frozenset({"auditifnotexists", "deployifnotexists"})
# The effects that change resources, for which an assignment needs an identity with roles.
CHANGING = frozenset({"deployifnotexists", "modify"})


@dataclass(frozen=True, slots=True)
class Condition:
    """A node of a condition tree.

    `operator` is allOf, anyOf, not, or the comparison of a leaf (empty when it has none). `negated` says that
    an odd number of `not` stands above, `required` that it must hold for the whole tree to hold: only allOf
    stands above.
    """

    where: str
    body: JsonObject
    operator: str
    negated: bool
    required: bool

    @property
    def children(self) -> list[Any]:
        """The members of an allOf or anyOf."""
        return as_array(self.body.get(self.operator)) if self.operator in QUANTIFIERS else []

    @property
    def is_leaf(self) -> bool:
        """Whether this compares something."""
        return self.operator not in QUANTIFIERS and self.operator != "not"

    @property
    def field(self) -> str:
        """The field that a leaf compares, empty for a value or a count."""
        return as_text(self.body.get("field"))


def read_conditions(tree: object, where: str) -> Iterator[Condition]:
    """Yield a condition and all below it, parents first, in document order, those within a count included."""
    # A stack, not recursion: a file may nest deeper than Python does.
    pending: list[tuple[object, str, bool, bool]] = [(tree, where, False, True)]
    while pending:
        value, at, negated, required = pending.pop()
        body = as_object(value)
        operator = next((name for name in (*QUANTIFIERS, "not") if name in body), None)
        if operator is None:
            comparison = next((name for name in body if name in COMPARISONS), "")
            yield Condition(at, body, comparison, negated, required)
            if "where" in as_object(body.get("count")):
                pending.append((dig(body, "count", "where"), f"{at}.count.where", negated, False))
            continue
        yield Condition(at, body, operator, negated, required)
        if operator == "not":
            pending.append((body["not"], f"{at}.not", not negated, False))
        needed = required and operator == "allOf"
        children = enumerate(as_array(body[operator]))
        below = [(child, f"{at}.{operator}[{index}]", negated, needed) for index, child in children]
        pending.extend(reversed(below))


@dataclass(frozen=True, slots=True)
class Effect:
    """The effect of a definition: a literal, or a parameter with what it declares.

    `values` are the effects that may come out, in lower case: the literal, or the allowed values, or the
    default where any value is allowed (`unconstrained`).
    """

    literal: str
    parameter: str
    declaration: JsonObject
    values: frozenset[str]
    unconstrained: bool


def _read_effect(effect: object, parameters: JsonObject) -> Effect:
    referenced = referenced_parameter(effect)
    if referenced is None:
        literal = as_text(effect)
        return Effect(literal, "", {}, frozenset({literal.lower()}), unconstrained=False)
    name = by_lower_name(parameters).get(referenced.lower(), "")
    declaration = as_object(parameters.get(name))
    allowed = as_array(declaration.get("allowedValues"))
    values = allowed or [declaration.get("defaultValue")]
    possible = frozenset(value.lower() for value in values if isinstance(value, str))
    return Effect("", name, declaration, possible, unconstrained=not allowed)


@dataclass(frozen=True, slots=True)
class Definition:
    """A definition payload and what the checks read from it.

    `expressions` are those that Azure Policy evaluates (the rule without the deployment template),
    `template_expressions` those of the template, which Azure Resource Manager evaluates later and against the
    template's own parameters. Nested templates are taken as evaluated in the outer scope, the default.
    """

    payload: JsonObject
    properties: JsonObject
    parameters: JsonObject
    metadata: JsonObject
    details: JsonObject
    template: JsonObject
    effect: Effect
    conditions: tuple[Condition, ...]
    existence: tuple[Condition, ...]
    expressions: tuple[Expression, ...]
    template_expressions: tuple[Expression, ...]

    @property
    def all_conditions(self) -> tuple[Condition, ...]:
        """The conditions of `if` and of the existence condition."""
        return self.conditions + self.existence

    @property
    def deployment(self) -> JsonObject:
        """The properties of the deployment that a deployIfNotExists makes."""
        return as_object(dig(self.details, "deployment", "properties"))


def read_definition(payload: JsonObject) -> Definition:
    """Read a full definition resource; what is missing or of another type reads as empty."""
    properties = as_object(payload.get("properties"))
    parameters = as_object(properties.get("parameters"))
    rule = as_object(properties.get("policyRule"))
    details = as_object(dig(rule, "then", "details"))
    template = as_object(dig(details, "deployment", "properties", "template"))
    existence = details.get("existenceCondition")
    return Definition(
        payload=payload,
        properties=properties,
        parameters=parameters,
        metadata=as_object(properties.get("metadata")),
        details=details,
        template=template,
        effect=_read_effect(dig(rule, "then", "effect"), parameters),
        conditions=tuple(read_conditions(rule.get("if"), IF)),
        existence=tuple(read_conditions(existence, EXISTENCE)) if existence else (),
        expressions=tuple(find_expressions(rule, RULE, without=TEMPLATE)),
        template_expressions=tuple(find_expressions(template, TEMPLATE)),
    )
