"""Compiles the `if` of a policy rule, or an existence condition.

Semantics: https://learn.microsoft.com/azure/governance/policy/concepts/definition-structure-policy-rule, its shape:
https://schema.management.azure.com/schemas/2020-10-01/policyDefinition.json; array aliases:
https://learn.microsoft.com/azure/governance/policy/how-to/author-policies-for-arrays.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from avma_pack.rules.aliases import parse_alias
from avma_pack.rules.errors import RuleError
from avma_pack.rules.expressions import NOT_COUNTED, compile_text, holds_expressions, is_bare_parameter, resolve
from avma_pack.rules.fields import normal_location, parse_field
from avma_pack.rules.lexer import is_expression
from avma_pack.rules.nodes import Comparison, ComputedField, Count, Leaf, Logical, Negation, Node
from avma_pack.rules.operators import OPERATORS
from avma_pack.rules.scope import EMPTY_SCOPE, Context
from avma_pack.rules.syntax import MAX_DEPTH
from avma_pack.rules.values import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from avma_pack.rules.decision import Decision
    from avma_pack.rules.fields import Field
    from avma_pack.rules.operators import Check, Operator
    from avma_pack.rules.policy_functions import Counted
    from avma_pack.rules.scope import Json, JsonObject, Read, Scope

_OPERATOR_NAMES = {name.lower(): name for name in OPERATORS}
_SUBJECTS = ("field", "value", "count")
_INDEX_NAME = re.compile(r"[A-Za-z0-9]+")


class Condition:
    """A compiled condition."""

    __slots__ = ("_node",)

    def __init__(self, node: Node) -> None:
        self._node = node

    def matches(self, resource: JsonObject, scope: Scope = EMPTY_SCOPE) -> bool:
        """Decide it for a resource, as fast as may be.

        Raises:
            RuleError: types do not fit, or the scope lacks what the rule asks for.
        """
        return self._node.test(Context(resource, scope))

    def decide(self, resource: JsonObject, scope: Scope = EMPTY_SCOPE) -> Decision:
        """Decide it for a resource, and tell by what. Every condition is looked at.

        Raises:
            RuleError: as matches(), also from conditions that it would not have come to.
        """
        return self._node.decide(Context(resource, scope))


def compile_condition(condition: Json, *, where: str = "if") -> Condition:
    """Compile a condition; `where` begins the place in errors.

    Raises:
        RuleError: its shape, an operator, an operand, a field or an expression is not known.
    """
    return Condition(_Compiler(NOT_COUNTED).node(condition, where, depth=1))


class _Compiler:
    """Compiles conditions inside the counts around them."""

    def __init__(self, counted: Counted) -> None:
        self._counted = counted

    def node(self, condition: Json, where: str, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise RuleError(f"conditions nest deeper than {MAX_DEPTH}", where=where)
        parts = _parts(condition, where)
        for kind in ("allOf", "anyOf", "not"):
            if kind.lower() in parts:
                if len(parts) > 1:
                    raise RuleError(f"{kind} stands beside {', '.join(sorted(parts))}", where=where)
                return self._logical(kind, parts[kind.lower()], f"{where}.{kind}", depth)
        return self._leaf(parts, where, depth)

    def _logical(self, kind: str, value: Json, where: str, depth: int) -> Node:
        if kind == "not":
            return Negation(self.node(value, where, depth + 1))
        if not isinstance(value, list) or not value:
            raise RuleError(f"{kind} takes a list of conditions", where=where)
        children = [self.node(each, f"{where}[{index}]", depth + 1) for index, each in enumerate(value)]
        return Logical("allOf" if kind == "allOf" else "anyOf", children)

    def _leaf(self, parts: dict[str, Json], where: str, depth: int) -> Node:
        subjects = [name for name in _SUBJECTS if name in parts]
        operators = [name for name in parts if name not in _SUBJECTS]
        unknown = [name for name in operators if name not in _OPERATOR_NAMES]
        if unknown:
            raise RuleError(f"the operator {unknown[0]!r} is not known", where=where)
        if len(subjects) != 1 or len(operators) != 1:
            raise RuleError("a condition has one of field, value and count, and one operator", where=where)
        try:
            comparison = self._comparison(_OPERATOR_NAMES[operators[0]], parts[operators[0]], where)
            if subjects[0] == "field":
                return self._field(parts["field"], comparison)
            if subjects[0] == "value":
                return self._value(parts["value"], comparison)
            return self._count(parts["count"], comparison, depth)
        except RuleError as error:
            raise error.within(where) from None

    def _comparison(self, operator: str, written: Json, where: str) -> Comparison:
        takes_array = operator in {"in", "notIn"}
        if isinstance(written, (list, dict)) and not takes_array:
            raise RuleError(f"{operator} takes a single value, not {kind_of(written)}")
        written, constant = self._prepared(written)
        read = self._reader(written, constant=constant)
        if not (constant or takes_array) and is_bare_parameter(written):
            read = _single(read, operator)
        return Comparison(operator, OPERATORS[operator], written, read, constant, where)

    def _prepared(self, written: Json) -> tuple[Json, bool]:
        """The value and True where no expression is inside; as written and False where one is."""
        if holds_expressions(written, self._counted):
            return written, False
        return resolve(written, Context({}, EMPTY_SCOPE), self._counted), True

    def _reader(self, written: Json, *, constant: bool) -> Read:
        counted = self._counted
        if constant:
            return lambda _: written
        if isinstance(written, str):
            return compile_text(written, counted)
        return lambda context: resolve(written, context, counted)

    def _field(self, name: Json, comparison: Comparison) -> Node:
        if isinstance(name, str) and is_expression(name):
            read = compile_text(name, self._counted)
            return ComputedField(read, lambda found: _field_leaf(found, comparison), comparison.where)
        return _field_leaf(name, comparison)

    def _value(self, written: Json, comparison: Comparison) -> Node:
        written, constant = self._prepared(written)
        expression = isinstance(written, str) and not constant
        subject = written if expression else json.dumps(written, ensure_ascii=False)
        return Leaf("value", subject, self._reader(written, constant=constant), comparison)

    def _count(self, count: Json, comparison: Comparison, depth: int) -> Node:
        place = f"{comparison.where}.count"
        parts = _parts(count, place)
        unknown = parts.keys() - {"field", "value", "name", "where"}
        if unknown or ("field" in parts) == ("value" in parts) or ("field" in parts and "name" in parts):
            raise RuleError("a count has a field, or a value and its name, and a where", where=place)
        members, inner, subject = self._field_members(parts) if "field" in parts else self._value_members(parts)
        condition = _Compiler(inner).node(parts["where"], f"{place}.where", depth + 1) if "where" in parts else None
        return Count(members, condition, lambda read: Leaf("count", subject, read, comparison))

    def _field_members(self, parts: dict[str, Json]) -> tuple[Any, Counted, str]:
        name = parts["field"]
        if not isinstance(name, str) or not name.endswith("[*]"):
            raise RuleError(f"a count goes over an array alias, which ends with [*], not over {name!r}")
        alias = parse_alias(name)

        def members(context: Context) -> Iterator[Context]:
            return (context.with_members(path) for _, path in alias.members(context))

        return members, self._counted.inside(alias.keys[-1], alias.keys), name

    def _value_members(self, parts: dict[str, Json]) -> tuple[Any, Counted, str]:
        name = parts.get("name", "default" if not self._counted.names else None)
        if not isinstance(name, str) or not _INDEX_NAME.fullmatch(name):
            raise RuleError("the name of a count is made of letters and digits; inside another count it is needed")
        if name.lower() in self._counted.names:
            raise RuleError(f"two counts around each other are named {name!r}")
        written, constant = self._prepared(parts["value"])
        if constant and not isinstance(written, list):
            raise RuleError(f"a count goes over an array, not over {kind_of(written)}")
        read, key = self._reader(written, constant=constant), name.lower()

        def members(context: Context) -> Iterator[Context]:
            value = read(context)
            if not isinstance(value, list):
                raise RuleError(f"a count goes over an array, not over {kind_of(value)}")
            return (context.with_members({key: each}) for each in value)

        return members, self._counted.inside(key, [key]), name


def _parts(condition: Json, where: str) -> dict[str, Json]:
    """The members of a condition by lower-case name."""
    if not isinstance(condition, dict) or not condition:
        raise RuleError(f"a condition is an object that is not empty, not {kind_of(condition)}", where=where)
    parts = {name.lower(): value for name, value in condition.items()}
    if len(parts) < len(condition):
        raise RuleError(f"a name stands twice in {', '.join(condition)}", where=where)
    return parts


def _field_leaf(name: Json, comparison: Comparison) -> Leaf:
    if not isinstance(name, str):
        raise RuleError(f"a field is named by a string, not {kind_of(name)}")
    field = parse_field(name)
    return Leaf("field", name, field.read, replace(comparison, operator=_for_field(field, comparison.operator)))


def _for_field(field: Field, operator: Operator) -> Operator:
    """Locations are compared in their normal form; of the values of an array alias, every one has to satisfy.

    So an empty or missing array satisfies any condition: there is no value that does not.
    """
    if field.is_location:
        return lambda operand: _located(operator(normal_location(operand)))
    if field.selects:
        return lambda operand: _each(operator(operand))
    return operator


def _located(check: Check) -> Check:
    return lambda value: check(normal_location(value))


def _each(check: Check) -> Check:
    return lambda values: all(map(check, values))


def _single(read: Read, operator: str) -> Read:
    """An array parameter belongs to in and notIn; Azure refuses it elsewhere (author-policies-for-arrays)."""

    def value(context: Context) -> Json:
        found = read(context)
        if isinstance(found, (list, dict)):
            raise RuleError(f"{operator} takes a single value, and the parameter is {kind_of(found)}")
        return found

    return value
