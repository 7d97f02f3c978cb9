"""The tree of decided conditions, its marks, and the shape of conditions."""

from __future__ import annotations

import re
from typing import Any

import pytest

from avma_pack.rules import Decision, RuleError, Scope, compile_condition

RESOURCE = {"type": "Microsoft.Test/things", "name": "a", "tags": {"env": "prod"}}


def leaf(name: str) -> dict[str, Any]:
    """A condition that is true for names that begin with t."""
    return {"value": name, "like": "t*"}


def marks(decision: Decision) -> Any:
    """Kind or value of each node: capital where it decides; children in a list."""
    name = decision.kind if decision.actual is None else decision.actual
    own = name.upper() if decision.deciding else name
    return [own, *map(marks, decision.children)] if decision.children else own


@pytest.mark.parametrize(
    ("condition", "outcome", "marked"),
    [
        ({"allOf": [leaf("t1"), leaf("t2")]}, True, ["ALLOF", "T1", "T2"]),
        ({"allOf": [leaf("t1"), leaf("f1"), leaf("f2")]}, False, ["ALLOF", "t1", "F1", "F2"]),
        ({"anyOf": [leaf("f1"), leaf("t1"), leaf("t2")]}, True, ["ANYOF", "f1", "T1", "T2"]),
        ({"anyOf": [leaf("f1"), leaf("f2")]}, False, ["ANYOF", "F1", "F2"]),
        ({"not": leaf("t1")}, False, ["NOT", "T1"]),
        ({"not": {"anyOf": [leaf("f1"), leaf("t1")]}}, False, ["NOT", ["ANYOF", "f1", "T1"]]),
        # Below a condition on which nothing rests, nothing decides.
        (
            {"allOf": [{"anyOf": [leaf("t1"), leaf("f1")]}, {"not": leaf("t2")}]},
            False,
            ["ALLOF", ["anyOf", "t1", "f1"], ["NOT", "T2"]],
        ),
    ],
)
def test_marks(condition: dict[str, Any], outcome: bool, marked: Any) -> None:
    decision = compile_condition(condition).decide(RESOURCE)
    assert decision.outcome is outcome
    assert marks(decision) == marked
    decided_by = [each.actual for each in decision.decided_by()]
    assert decided_by == [name.lower() for name in re.findall(r"[TF][0-9]", str(marked))]


def test_a_leaf_tells_what_was_asked_and_what_was_found() -> None:
    condition = compile_condition({"FIELD": "tags['env']", "Equals": "[parameters('p')]"})
    assert condition.decide(RESOURCE, Scope(parameters={"P": "test"})) == Decision(
        kind="field",
        text="field tags['env'] equals \"[parameters('p')]\"",
        outcome=False,
        actual="prod",
        expected="test",
    )
    decision = compile_condition({"value": "[[x]", "in": ["[[x]", "ü"]}).decide(RESOURCE)
    assert (decision.text, decision.actual, decision.expected) == ('value "[x]" in ["[x]", "ü"]', "[x]", ["[x]", "ü"])
    assert decision.outcome


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ({}, "if: a condition is an object that is not empty"),
        (None, "if: a condition is an object that is not empty, not null"),
        ([], "if: a condition is an object"),
        ({"allOf": []}, "if.allOf: allOf takes a list of conditions"),
        ({"anyOf": {"field": "name"}}, "if.anyOf: anyOf takes a list"),
        ({"not": [leaf("t")]}, "if.not: a condition is an object"),
        ({"allOf": [leaf("t")], "anyOf": [leaf("t")]}, "if: allOf stands beside allof, anyof"),
        ({"not": leaf("t"), "field": "name"}, "if: not stands beside field, not"),
        ({"field": "name"}, "if: a condition has one of field, value and count, and one operator"),
        ({"equals": "a"}, "if: a condition has one of field, value and count, and one operator"),
        ({"field": "name", "value": "a", "equals": "a"}, "if: a condition has one of field, value and count"),
        ({"field": "name", "equals": "a", "like": "b"}, "if: a condition has one of field, value and count"),
        ({"field": "name", "equals": "a", "Equals": "b"}, "if: a name stands twice in field, equals, Equals"),
        ({"allOf": [leaf("t"), {"field": "name", "equal": "a"}]}, "if.allOf[1]: the operator 'equal' is not known"),
        ({"source": "action", "like": "x"}, "if: the operator 'source' is not known"),
        ({"value": "[nowhere()]", "equals": 1}, "if: [nowhere()]: the function nowhere() is not known here"),
        ({"field": "name", "in": ["a", "[concat(]"]}, "if: [concat(]: a value is missing"),
        ({"field": "[nowhere()]", "exists": True}, "if: [nowhere()]"),
    ],
)
def test_a_condition_of_another_shape_is_an_error_that_names_the_place(condition: Any, message: str) -> None:
    with pytest.raises(RuleError, match=f"^{re.escape(message)}"):
        compile_condition(condition)


def test_errors_begin_with_the_place_that_the_caller_names() -> None:
    with pytest.raises(RuleError, match=r"^then\.details\.existenceCondition\.not: "):
        compile_condition({"not": {"field": "x", "exists": 1}}, where="then.details.existenceCondition")


def test_conditions_without_end_are_an_error() -> None:
    condition: Any = leaf("t")
    for _ in range(1000):
        condition = {"not": condition}
    with pytest.raises(RuleError, match="nest deeper"):
        compile_condition(condition)
    value: Any = "a"
    for _ in range(500):
        value = [value]
    with pytest.raises(RuleError, match="nests deeper"):
        compile_condition({"field": "name", "in": value})


def test_deciding_looks_at_what_matching_does_not_come_to() -> None:
    condition = compile_condition({"anyOf": [leaf("t1"), {"value": "[parameters('none')]", "equals": 1}]})
    assert condition.matches(RESOURCE)
    with pytest.raises(RuleError, match=r"^if\.anyOf\[1\]: \[parameters\('none'\)\]: parameter 'none' has no value$"):
        condition.decide(RESOURCE)
