"""The rule that a definition is about one resource type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from avma_pack.rendering.checks.expressions import is_expression
from avma_pack.rendering.checks.json_tree import as_text, dig
from avma_pack.rendering.checks.linter.rule import Finding
from avma_pack.rendering.checks.model import EXISTENCE, IF

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from avma_pack.rendering.checks.expressions import Expression
    from avma_pack.rendering.checks.model import Condition, Definition

_NAMING = ("equals", "in", "like", "match", "matchInsensitively", "contains")
_EXCLUDING = ("notEquals", "notIn", "notLike", "notMatch", "notMatchInsensitively", "notContains")


def multiple_resource_types(definition: Definition) -> Iterator[Finding]:
    """Find a condition about more than one resource type, by its conditions on `type` and by its aliases.

    Which type an alias is of is read from its path; one that names a provider and no type, such as
    `Microsoft.Compute/imagePublisher`, is of several. The existence condition is about `details.type`.
    """
    yield from _check(IF, definition.conditions, definition.expressions, [])
    related = as_text(definition.details.get("type"))
    yield from _check(EXISTENCE, definition.existence, definition.expressions, [related] if related else [])


def _check(
    where: str, conditions: Iterable[Condition], expressions: Iterable[Expression], types: list[str]
) -> Iterator[Finding]:
    found = {name.lower(): name for name in types}
    shared: dict[str, str] = {}
    for name in (name for condition in conditions for name in _named_types(condition)):
        found.setdefault(name.lower(), name)
    for alias in _aliases(where, conditions, expressions):
        name = alias.split("[", 1)[0].rpartition("/")[0]
        if "/" in name:
            found.setdefault(name.lower(), name)
        else:
            shared.setdefault(alias.lower(), alias)
    if len(found) > 1:
        yield Finding(where, f"the condition is about several resource types: {', '.join(found.values())}")
    if shared:
        message = f"aliases of several resource types: {', '.join(shared.values())}; use those of a single type"
        yield Finding(where, message)


def _named_types(condition: Condition) -> Iterator[str]:
    """Yield the types that a condition on `type` names; what is excluded twice over is named."""
    if condition.field.lower() != "type":
        return
    if condition.operator in (_EXCLUDING if condition.negated else _NAMING):
        value = condition.body[condition.operator]
        for name in value if isinstance(value, list) else [value]:
            if isinstance(name, str) and not is_expression(name):
                yield name


def _aliases(where: str, conditions: Iterable[Condition], expressions: Iterable[Expression]) -> Iterator[str]:
    """Yield the aliases of fields, of counts, and of the functions field and current below a path."""
    for condition in conditions:
        counted = as_text(dig(condition.body, "count", "field"))
        yield from (alias for alias in (condition.field, counted) if _is_alias(alias))
    for expression in expressions:
        if expression.where.startswith(where):
            for call in expression.syntax.calls:
                if call.name in {"field", "current"} and _is_alias(call.literal or ""):
                    yield call.literal or ""


def _is_alias(field: str) -> bool:
    """Tell an alias, `Provider.Name/…`, from a field such as name, type or tags['a/b']."""
    provider, slash, _ = field.partition("/")
    return bool(slash) and "." in provider and "[" not in provider
