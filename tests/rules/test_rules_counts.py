"""Counts of array members.

P: https://learn.microsoft.com/azure/governance/policy/concepts/definition-structure-policy-rule#count
A: https://learn.microsoft.com/azure/governance/policy/how-to/author-policies-for-arrays#count-expressions
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from avma_pack.rules import RuleError, Scope, compile_condition

TYPE = "Microsoft.Test/resourceType"
STRINGS, OBJECTS = f"{TYPE}/stringArray[*]", f"{TYPE}/objectArray[*]"
NESTED = f"{OBJECTS}.nestedArray[*]"
RESOURCE = {
    "type": TYPE,
    "name": "prefix2_a",
    "tags": {"env": "prod"},
    "properties": {
        "stringArray": ["a", "b", "c"],
        "objectArray": [
            {"property": "value1", "nestedArray": [1, 2]},
            {"property": "value2", "nestedArray": [3, 4]},
        ],
    },
}
RULES = [
    {"priority": 1, "direction": "Inbound", "port": "22"},
    {"priority": 2, "direction": "Outbound", "port": "443"},
]
SCOPE = Scope(
    parameters={"patterns": ["prefix1_*", "prefix2_*"], "numbers": [3, 9], "rules": [{"port": 22}, {"port": 443}]}
)


def count(subject: dict[str, Any], where: Any = None, **comparison: Any) -> dict[str, Any]:
    return {"count": subject | ({} if where is None else {"where": where}), **(comparison or {"equals": 1})}


@pytest.mark.parametrize(
    ("condition", "actual"),
    [
        # Without where: the length of the array, of nested ones too; nothing for a missing one.
        (count({"field": STRINGS}), 3),
        (count({"field": NESTED}), 4),
        (count({"field": f"{TYPE}/none[*]"}), 0),
        (count({"field": "Microsoft.Other/type/stringArray[*]"}), 0),
        # In each iteration the counted member is the only one of its array.
        (count({"field": STRINGS}, {"field": STRINGS, "equals": "a"}), 1),
        (count({"field": STRINGS}, {"field": STRINGS.upper(), "notEquals": "a"}), 2),
        (count({"field": STRINGS}, {"field": OBJECTS + ".property", "equals": "value1"}), 0),
        (count({"field": OBJECTS}, {"field": "tags.env", "equals": "prod"}), 2),
        (count({"field": OBJECTS}, {"field": f"{OBJECTS}.property", "equals": "value2"}), 1),
        (count({"field": NESTED}, {"field": NESTED, "greater": 1}), 3),
        (count({"field": NESTED}, {"field": f"{OBJECTS}.property", "equals": "value2"}), 2),
        (
            count(
                {"field": OBJECTS},
                {"allOf": [{"field": f"{OBJECTS}.property", "equals": "value2"}, {"field": NESTED, "greater": 2}]},
            ),
            1,
        ),
        # Counts within counts.
        (count({"field": OBJECTS}, count({"field": NESTED}, {"field": NESTED, "equals": 3}, greater=0)), 1),
        (
            count(
                {"field": NESTED},
                count(
                    {"value": "[parameters('numbers')]", "name": "n"},
                    {"value": f"[current('{NESTED}')]", "equals": "[current('n')]"},
                ),
            ),
            1,
        ),
        # field() of the counted array returns an array with a single member; first() unwraps it.
        (count({"field": STRINGS}, {"field": STRINGS, "equals": f"[field('{STRINGS}')]"}), 0),
        (count({"field": STRINGS}, {"field": STRINGS, "equals": f"[first(field('{STRINGS}'))]"}), 3),
        (count({"field": STRINGS}, {"value": f"[length(field('{STRINGS}'))]", "equals": 1}), 3),
        # current(), by alias, of a property of the member, of an array of the member, and without a name.
        (count({"field": STRINGS}, {"value": f"[current('{STRINGS}')]", "equals": "b"}), 1),
        (count({"field": STRINGS}, {"value": "[current()]", "in": ["b", "c"]}), 2),
        (count({"field": OBJECTS}, {"value": f"[current('{OBJECTS}.property')]", "equals": "value1"}), 1),
        (count({"field": OBJECTS}, {"value": "[current().property]", "equals": "value1"}), 1),
        (count({"field": OBJECTS}, {"value": f"[last(current('{NESTED}'))]", "equals": 4}), 1),
        (count({"field": NESTED}, {"value": f"[current('{OBJECTS}').property]", "equals": "value1"}), 2),
        # Value counts, with the examples of the page.
        (
            count(
                {"value": ["prefix1_*", "prefix2_*"], "name": "pattern"},
                {"field": "name", "like": "[current('PATTERN')]"},
            ),
            1,
        ),
        (count({"value": ["prefix1_*", "prefix2_*"]}, {"field": "name", "like": "[current()]"}), 1),
        (count({"value": ["prefix1_*", "x"]}, {"field": "name", "like": "[current('default')]"}), 0),
        (count({"value": "[parameters('patterns')]", "name": "p"}, {"field": "name", "like": "[current('p')]"}), 1),
        (count({"value": ["[parameters('numbers')[0]]", 4]}, {"value": "[current()]", "equals": 3}), 1),
        (count({"value": ["[[x]"]}, {"value": "[current()]", "equals": "[[x]"}), 1),
        (count({"value": [1, 2, 3]}), 3),
        (count({"value": []}), 0),
    ],
)
def test_a_count(condition: dict[str, Any], actual: int) -> None:
    for operand in (actual, actual + 1):
        last = {**condition}
        for name in last.keys() - {"count"}:
            del last[name]
        compiled = compile_condition(last | {"equals": operand})
        decision = compiled.decide(RESOURCE, SCOPE)
        assert (decision.actual, decision.outcome) == (actual, operand == actual)
        assert compiled.matches(RESOURCE, SCOPE) is decision.outcome


def test_reserved_rules_are_all_there() -> None:
    # P, value count example 5: numbers in the parameter, strings in the resource, a count compared with a length.
    alias = "Microsoft.Network/networkSecurityGroups/securityRules[*]"
    condition = compile_condition(
        count(
            {"value": "[parameters('rules')]", "name": "reserved"},
            count({"field": alias}, {"field": f"{alias}.port", "equals": "[current('reserved').port]"}),
            equals="[length(parameters('rules'))]",
        )
    )
    group = {"type": "Microsoft.Network/networkSecurityGroups", "properties": {"securityRules": RULES}}
    assert condition.matches(group, SCOPE)
    assert not condition.matches({**group, "properties": {"securityRules": RULES[:1]}}, SCOPE)


def test_the_tree_shows_every_member() -> None:
    condition = compile_condition(count({"field": STRINGS}, {"field": STRINGS, "equals": "b"}, greater=0))
    decision = condition.decide(RESOURCE)
    assert decision.text == f"count {STRINGS} greater 0"
    assert [(child.actual, child.outcome, child.deciding) for child in decision.children] == [
        (["a"], False, True),
        (["b"], True, True),
        (["c"], False, True),
    ]


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (count({"field": STRINGS.removesuffix("[*]")}), "if: a count goes over an array alias"),
        (count({"field": f"{OBJECTS}.property"}), "if: a count goes over an array alias"),
        (count({"field": "tags[*]"}), "if: 'tags[*]' is no field"),
        (count({"field": 1}), "if: a count goes over an array alias"),
        (count({"value": "text"}), "if: a count goes over an array, not over string"),
        (count({"value": {"a": 1}}), "if: a count goes over an array, not over object"),
        (count({}), "if.count: a condition is an object that is not empty"),
        (count({"where": {}}), "if.count: a count has a field, or a value"),
        (count({"field": STRINGS, "value": []}), "if.count: a count has a field, or a value"),
        (count({"field": STRINGS, "name": "a"}), "if.count: a count has a field, or a value"),
        (count({"field": STRINGS, "filter": 1}), "if.count: a count has a field, or a value"),
        (count({"value": [], "name": "a-b"}), "if: the name of a count"),
        (count({"value": []}, count({"value": []})), "if.count.where: the name of a count"),
        (count({"value": [], "name": "a"}, count({"value": [], "name": "A"})), "if.count.where: two counts around"),
        (
            count({"field": STRINGS}, {"allOf": [{"field": "x", "equals": 1}]}),
            "if.count.where.allOf[0]: 'x' is no field",
        ),
        (count({"field": STRINGS}, equals=[]), "if: equals takes a single value"),
        (count({"field": STRINGS}, less=True), "if: texts and numbers have an order"),
        ({"value": "[current()]", "equals": 1}, "only known inside the where of a count"),
        (count({"field": STRINGS}, equals="[current()]"), "only known inside the where of a count"),
        (count({"field": STRINGS}, {"value": "[current('other')]", "equals": 1}), "belongs to no count around it"),
        (count({"field": STRINGS}, {"value": f"[current('{OBJECTS}')]", "equals": 1}), "belongs to no count around it"),
        (count({"field": STRINGS}, {"value": "[current(parameters('a'))]", "equals": 1}), "takes a string literal"),
        (
            count({"field": STRINGS}, count({"value": [], "name": "a"}, {"value": "[current()]", "equals": 1})),
            "inside a count of a count needs the name of one",
        ),
    ],
)
def test_what_is_refused_when_compiling(condition: dict[str, Any], message: str) -> None:
    with pytest.raises(RuleError, match=re.escape(message)):
        compile_condition(condition)


def test_what_is_refused_when_counting() -> None:
    condition = compile_condition({"anyOf": [count({"value": "[parameters('x')]"})]})
    with pytest.raises(RuleError, match=re.escape("if.anyOf[0]: a count goes over an array, not over string")):
        condition.matches({}, Scope(parameters={"x": "text"}))
    condition = compile_condition(count({"value": [1]}, {"value": "[current().a]", "equals": 1}))
    with pytest.raises(RuleError, match=r"^if\.count\.where: \[current\(\)\.a\]: number has no property 'a'$"):
        condition.matches({})
