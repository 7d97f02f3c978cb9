"""Rules on conditions, for `if` and the existence condition alike."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from avma_pack.rendering.checks.expressions import is_expression
from avma_pack.rendering.checks.json_tree import as_array, as_object, as_text
from avma_pack.rendering.checks.linter.rule import Finding
from avma_pack.rendering.checks.model import QUANTIFIERS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from avma_pack.rendering.checks.model import Definition

_SEVERAL = 2
_BROAD = ("like", "match", "matchInsensitively", "contains")


def broad_type_matching(definition: Definition) -> Iterator[Finding]:
    """Find a type that is compared by a pattern, and so may match more types than meant."""
    for condition in definition.all_conditions:
        if _is_on_type(condition.body) and condition.operator in _BROAD:
            yield Finding(condition.where, f"type is compared by '{condition.operator}'; use equals or in")


def like_without_wildcards(definition: Definition) -> Iterator[Finding]:
    """Find a like or notLike that says no more than equals or notEquals."""
    return _without(definition, ("like", "notLike"), "*")


def match_without_wildcards(definition: Definition) -> Iterator[Finding]:
    """Find a matchInsensitively or notMatchInsensitively that says no more than equals or notEquals."""
    return _without(definition, ("matchInsensitively", "notMatchInsensitively"), "#?.")


def _without(definition: Definition, operators: Collection[str], wildcards: str) -> Iterator[Finding]:
    for condition in definition.all_conditions:
        value = condition.body.get(condition.operator) if condition.operator in operators else None
        # What an expression comes out as is not known here.
        if isinstance(value, str) and not is_expression(value) and not set(value) & set(wildcards):
            message = f"'{condition.operator}' is given {value!r}, which has none of {' '.join(wildcards)}"
            yield Finding(condition.where, message)


def nested_quantifiers(definition: Definition) -> Iterator[Finding]:
    """Find an allOf in an allOf, or an anyOf in an anyOf; those of one child are another rule's."""
    for condition in definition.all_conditions:
        if len(condition.children) < _SEVERAL:
            continue
        for index, child in enumerate(condition.children):
            if len(as_array(as_object(child).get(condition.operator))) >= _SEVERAL:
                where = f"{condition.where}.{condition.operator}[{index}]"
                yield Finding(where, f"'{condition.operator}' stands directly in '{condition.operator}'; merge them")


def unnecessary_wrapper(definition: Definition) -> Iterator[Finding]:
    """Find an allOf or anyOf around a single condition."""
    for condition in definition.all_conditions:
        if condition.operator in QUANTIFIERS and len(condition.children) == 1:
            yield Finding(condition.where, f"'{condition.operator}' holds a single condition and can go")


def equals_to_in(definition: Definition) -> Iterator[Finding]:
    """Find an anyOf that asks equals of the same field more than once."""
    return _repeated(definition, "anyOf", "equals", "in")


def not_equals_to_not_in(definition: Definition) -> Iterator[Finding]:
    """Find an allOf that asks notEquals of the same field more than once."""
    return _repeated(definition, "allOf", "notEquals", "notIn")


def _repeated(definition: Definition, quantifier: str, operator: str, simpler: str) -> Iterator[Finding]:
    for condition in definition.all_conditions:
        if condition.operator != quantifier:
            continue
        counts: defaultdict[str, int] = defaultdict(int)
        for child in map(as_object, condition.children):
            if operator in child and "field" in child:
                counts[as_text(child["field"]).lower()] += 1
        for field, count in counts.items():
            if count >= _SEVERAL:
                message = f"'{field}' is compared by '{operator}' {count} times; use one '{simpler}'"
                yield Finding(condition.where, message)


def type_first(definition: Definition) -> Iterator[Finding]:
    """Find an allOf whose condition on the type is not its first."""
    for condition in definition.all_conditions:
        if condition.operator != "allOf":
            continue
        on_type = [_is_on_type(as_object(child)) for child in condition.children]
        if any(on_type) and not on_type[0]:
            where = f"{condition.where}.allOf[{on_type.index(True)}]"
            yield Finding(where, "the condition on the type is not the first of its allOf")


def _is_on_type(body: object) -> bool:
    return as_text(as_object(body).get("field")).lower() == "type"
