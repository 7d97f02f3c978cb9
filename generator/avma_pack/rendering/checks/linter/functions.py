"""Rules on template functions that can come out as null, or that only a request has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from avma_pack.rendering.checks.expressions import outermost_call
from avma_pack.rendering.checks.linter.rule import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from avma_pack.rendering.checks.expressions import Syntax
    from avma_pack.rendering.checks.model import Definition

# These take a null that is compared as an empty string.
_NULL_AS_EMPTY = frozenset(
    {
        "equals",
        "notEquals",
        "in",
        "notIn",
        "like",
        "notLike",
        "contains",
        "notContains",
        "match",
        "notMatch",
        "matchInsensitively",
        "notMatchInsensitively",
    }
)


def _is_try_get(value: object) -> bool:
    call = outermost_call(value)
    return call is not None and call.name == "tryget"


def unguarded_try_get(definition: Definition) -> Iterator[Finding]:
    """Find a comparison with a bare tryGet: the evaluation fails when it comes out as null."""
    for condition in definition.all_conditions:
        if condition.is_leaf and _is_try_get(condition.body.get(condition.operator)):
            where = f"{condition.where}.{condition.operator}"
            yield Finding(where, "the comparison is with a bare tryGet, which may be null; give it a fallback")


def try_get_as_empty(definition: Definition) -> Iterator[Finding]:
    """Find a value that is a bare tryGet: where it is null, an empty string is compared."""
    for condition in definition.all_conditions:
        if condition.operator in _NULL_AS_EMPTY and _is_try_get(condition.body.get("value")):
            message = f"a tryGet that is null is compared by '{condition.operator}' as if it were empty"
            yield Finding(f"{condition.where}.value", message)


def request_context_identity(definition: Definition) -> Iterator[Finding]:
    """Find the identity of a request: a scan has none, so the policy would have no compliance data."""
    for expression in definition.expressions:
        if any(True for _ in _identity_ends(expression.syntax)):
            yield Finding(expression.where, "requestContext().identity is known at a request only, never in a scan")


def unguarded_request_identity(definition: Definition) -> Iterator[Finding]:
    """Find a member of the identity of a request that is selected without tryGet."""
    for expression in definition.expressions:
        tokens = expression.syntax.tokens
        for end in _identity_ends(expression.syntax):
            if end < len(tokens) and tokens[end] in {("mark", "."), ("mark", "[")}:
                yield Finding(expression.where, "a member of requestContext().identity is selected without tryGet")


def _identity_ends(syntax: Syntax) -> Iterator[int]:
    """Yield the place after each `requestContext().identity` or `requestContext()['identity']`."""
    for call in syntax.calls:
        if call.name == "requestcontext":
            rest = [token.text.lower() for token in syntax.tokens[call.last + 1 : call.last + 4]]
            if rest[:2] == [".", "identity"]:
                yield call.last + 3
            elif rest == ["[", "identity", "]"]:
                yield call.last + 4
