"""What holds for every rule, expression and resource: nothing but RuleError comes out, and both answers agree."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from avma_pack.rules import Decision, RuleError, Scope, compile_condition, compile_expression, evaluate

if TYPE_CHECKING:
    from collections.abc import Callable

TYPE = "Microsoft.Test/things"
WORDS = ["a", "A", "ab", "true", "1", "", "2024-05-01T10:00:00Z", "East US", "[parameters('p')]", "[first('')]"]
SCALARS = st.sampled_from(WORDS) | st.integers(-2, 2) | st.booleans() | st.none()
JSON = st.recursive(
    SCALARS | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.sampled_from(WORDS), inner),
    max_leaves=8,
)
FIELDS = [
    "name",
    "location",
    "type",
    "tags",
    "tags['a']",
    "identity.type",
    f"{TYPE}/a",
    f"{TYPE}/l[*]",
    f"{TYPE}/l[*].a",
]
TEXTS_AND_PATTERNS = st.sampled_from([word for word in WORDS if "[" not in word])
OPERANDS: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("equals", "notEquals"), SCALARS),
    **dict.fromkeys(("in", "notIn"), st.lists(SCALARS, max_size=3)),
    **dict.fromkeys(("like", "match", "matchInsensitively", "notLike", "notMatch", "contains"), TEXTS_AND_PATTERNS),
    **dict.fromkeys(("containsKey", "notContainsKey", "notContains"), TEXTS_AND_PATTERNS),
    "exists": st.sampled_from([True, False, "true", "False"]),
    **dict.fromkeys(("less", "lessOrEquals", "greater", "greaterOrEquals"), st.integers(-2, 2) | TEXTS_AND_PATTERNS),
}
SUBJECTS = st.one_of(
    st.sampled_from(FIELDS).map(lambda name: {"field": name}),
    SCALARS.map(lambda value: {"value": value}),
    st.just({"count": {"field": f"{TYPE}/l[*]", "where": {"field": f"{TYPE}/l[*]", "equals": "a"}}}),
)
LEAVES = st.builds(
    lambda subject, comparison: {**subject, comparison[0]: comparison[1]},
    SUBJECTS,
    st.sampled_from(sorted(OPERANDS)).flatmap(lambda name: st.tuples(st.just(name), OPERANDS[name])),
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda children: {"allOf": children}),
        st.lists(inner, min_size=1, max_size=3).map(lambda children: {"anyOf": children}),
        inner.map(lambda child: {"not": child}),
    ),
    max_leaves=6,
)
VALUES = st.sampled_from(["a", "AB", "1", "", 1, 0, True, None, ["a"], {"a": "b"}])
RESOURCES = st.builds(
    lambda root, properties: {"type": TYPE, **root, "properties": properties},
    st.dictionaries(st.sampled_from(["name", "location", "tags", "identity"]), VALUES),
    st.dictionaries(st.sampled_from(["a", "A", "l"]), VALUES | st.lists(VALUES, max_size=3)),
)
SCOPE = Scope(parameters={"p": "a"})
PIECES = [
    "[",
    "]",
    "(",
    ")",
    "'",
    "''",
    ",",
    ".",
    " ",
    "concat",
    "parameters",
    "field",
    "'a'",
    "1",
    "-",
    "true()",
    "if",
]
TEXTS = st.text() | st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


def outcome_of(call: Callable[[], Any]) -> Any:
    """The result, or RuleError; every other exception is a failure of the test."""
    try:
        return call()
    except RuleError:
        return RuleError


@given(TEXTS)
def test_any_text_is_an_expression_or_an_error(text: str) -> None:
    for whole in (text, f"[{text}]"):
        outcome_of(lambda whole=whole: compile_expression(whole))
        outcome_of(lambda whole=whole: evaluate(whole, SCOPE))


@given(st.text())
def test_any_text_can_be_written_as_a_literal(text: str) -> None:
    quoted = text.replace("'", "''")
    assert evaluate(f"['{quoted}']") == text
    if text.startswith("[") and text.endswith("]"):
        assert evaluate(f"[{text}") == text


@given(TEXTS)
def test_any_text_is_a_field_or_an_error(text: str) -> None:
    for name in (text, f"tags[{text}]", f"Microsoft.Test/things/{text}"):
        compiled = outcome_of(lambda name=name: compile_condition({"field": name, "exists": True}))
        if compiled is not RuleError:
            outcome_of(lambda compiled=compiled: compiled.matches({"type": TYPE}))


@given(
    JSON | st.dictionaries(st.sampled_from(["allOf", "not", "field", "value", "count", "where", "equals", "in"]), JSON)
)
def test_any_json_is_a_condition_or_an_error(value: Any) -> None:
    outcome_of(lambda: compile_condition(value))
    outcome_of(lambda: evaluate(value, SCOPE))


@given(LEAVES, JSON)
def test_any_json_is_decided_or_an_error(condition: Any, properties: Any) -> None:
    with contextlib.suppress(RuleError):
        compile_condition(condition).matches({"type": TYPE, "tags": properties, "properties": {"l": properties}}, SCOPE)


@given(CONDITIONS, RESOURCES)
def test_matching_and_deciding_agree(condition: Any, resource: Any) -> None:
    with contextlib.suppress(RuleError):
        compiled = compile_condition(condition)
        decision = compiled.decide(resource, SCOPE)
        assert compiled.matches(resource, SCOPE) is decision.outcome
        check_marks(decision, deciding=True)


def check_marks(decision: Decision, *, deciding: bool) -> None:
    assert decision.deciding is deciding
    outcomes = [child.outcome for child in decision.children]
    if decision.kind in {"allOf", "anyOf"}:
        assert decision.outcome is (all if decision.kind == "allOf" else any)(outcomes)
    for child in decision.children:
        agrees = decision.kind in {"not", "count"} or child.outcome is decision.outcome
        check_marks(child, deciding=deciding and agrees)


@given(CONDITIONS, RESOURCES)
def test_not_inverts(condition: Any, resource: Any) -> None:
    plain = outcome_of(lambda: compile_condition(condition).matches(resource, SCOPE))
    inverted = outcome_of(lambda: compile_condition({"not": condition}).matches(resource, SCOPE))
    assert inverted is (RuleError if plain is RuleError else not plain)


@given(st.text("aB*", max_size=5).filter(lambda text: text.count("*") < 2), st.text("aBb", max_size=6))
def test_like_is_a_wildcard(pattern: str, text: str) -> None:
    expected = re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), text, re.IGNORECASE) is not None
    assert compile_condition({"value": text, "like": pattern}).matches({}) is expected


@given(st.lists(st.sampled_from(["a", "B", "c"]), max_size=4))
def test_a_count_of_those_that_satisfy_is_everything_when_the_field_condition_holds(members: list[str]) -> None:
    resource = {"type": TYPE, "properties": {"l": members}}
    where = {"field": f"{TYPE}/l[*]", "in": ["a", "b"]}
    whole = compile_condition(where).matches(resource)
    counted = {"count": {"field": f"{TYPE}/l[*]", "where": where}, "equals": len(members)}
    assert compile_condition(counted).matches(resource) is whole
