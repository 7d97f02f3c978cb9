"""The operators of conditions, as Microsoft documents them.

P: https://learn.microsoft.com/azure/governance/policy/concepts/definition-structure-policy-rule#conditions
A: https://learn.microsoft.com/azure/governance/policy/how-to/author-policies-for-arrays
"""

from __future__ import annotations

from typing import Any

import pytest

from avma_pack.rules import RuleError, Scope, compile_condition

NAME = "Microsoft.Test/things/value"
NEGATED = {
    "equals": "notEquals",
    "like": "notLike",
    "match": "notMatch",
    "matchInsensitively": "notMatchInsensitively",
    "contains": "notContains",
    "in": "notIn",
    "containsKey": "notContainsKey",
}


def decide(operator: str, operand: Any, *value: Any) -> bool:
    """Compare a property with this value, or a missing one."""
    properties = {"value": value[0]} if value else {}
    resource = {"type": "Microsoft.Test/things", "properties": properties}
    return compile_condition({"field": NAME, operator: operand}).matches(resource)


@pytest.mark.parametrize(
    ("operator", "operand", "value", "outcome"),
    [
        # P: all conditions that evaluate a string ignore case, but for match and notMatch.
        ("equals", "Windows", "wINDOWS", True),
        ("equals", "Windows", "Windows ", False),
        ("equals", "Straße", "STRASSE", True),
        ("in", ["a", "Windows"], "WINDOWS", True),
        ("in", ["a", "b"], "c", False),
        ("in", [], "c", False),
        # P: the result of less() is compared with "true", a number with one, a port that is a string with a number.
        ("equals", "true", True, True),
        ("equals", "True", True, True),
        ("equals", True, "TRUE", True),
        ("equals", False, "no", False),
        ("equals", True, 1, False),
        ("equals", 1, True, False),
        ("equals", 22, "22", True),
        ("equals", "22", 22, True),
        ("equals", "22", 22.5, False),
        ("equals", 22, "22x", False),
        ("equals", 1, 1.0, True),
        ("equals", "", [], False),
        ("in", [80, 443], "443", True),
        # P: like has at most one wildcard.
        ("like", "Windows*", "windows", True),
        ("like", "windows*", "Windows Server", True),
        ("like", "*netrg", "my-NetRG", True),
        ("like", "a*a", "a", False),
        ("like", "a*a", "aa", True),
        ("like", "*", "", True),
        ("like", "plain", "Plain", True),
        ("like", "plain", "plain text", False),
        ("like", "2*", 22, True),
        ("like", "*", [], False),
        # P: # is a digit, ? a letter, . any character; match counts case, matchInsensitively does not.
        ("match", "vm-##", "vm-01", True),
        ("match", "vm-##", "vm-0a", False),
        ("match", "vm-##", "VM-01", False),
        ("match", "vm-##", "vm-012", False),
        ("match", "??.", "ab*", True),
        ("match", "??.", "a1*", False),
        ("match", "a+b", "aab", False),
        ("match", "a+b", "a+b", True),
        ("match", ".", "\n", True),
        ("matchInsensitively", "vm-##", "VM-01", True),
        ("matchInsensitively", "vm-##", "VM-0x", False),
        # P: contains; in an array it is a member that has to be equal.
        ("contains", "UserAssigned", "systemassigned, userassigned", True),
        ("contains", "x", "abc", False),
        ("contains", "B", ["a", "b"], True),
        ("contains", "b", ["abc"], False),
        ("contains", 2, 123, True),
        ("containsKey", "ENV", {"env": None}, True),
        ("containsKey", "env", {"other": 1}, False),
    ],
)
def test_an_operator_and_its_negation(operator: str, operand: Any, value: Any, outcome: bool) -> None:
    assert decide(operator, operand, value) is outcome
    assert decide(NEGATED[operator], operand, value) is not outcome


@pytest.mark.parametrize(
    ("operator", "operand"),
    [
        ("equals", ""),
        ("equals", "null"),
        ("equals", False),
        ("equals", 0),
        ("like", "*"),
        ("match", ""),
        ("matchInsensitively", ""),
        ("contains", ""),
        ("in", ["", False, 0]),
        ("containsKey", "a"),
    ],
)
def test_a_missing_property_satisfies_what_is_negated_and_nothing_else(operator: str, operand: Any) -> None:
    # Azure/azure-policy#21: licenseType is null on Linux, null is not equal to Windows_Server, so notEquals holds.
    for missing in ((), (None,)):
        assert decide(operator, operand, *missing) is False
        assert decide(NEGATED[operator], operand, *missing) is True


def test_a_missing_property_equals_null() -> None:
    assert decide("equals", None) is True
    assert decide("equals", None, "a") is False


@pytest.mark.parametrize("yes", ["true", "True", True])
@pytest.mark.parametrize("no", ["false", "FALSE", False])
@pytest.mark.parametrize("value", ["", 0, False, [], {}])
def test_exists_takes_a_boolean_or_a_string_that_spells_one(yes: Any, no: Any, value: Any) -> None:
    assert decide("exists", yes, value)
    assert not decide("exists", no, value)
    assert decide("exists", no)
    assert decide("exists", no, None)
    assert not decide("exists", yes)


@pytest.mark.parametrize(
    ("low", "high"),
    [
        (1, 2),
        (-1, 0.5),
        ("alpha", "BETA"),
        ("2018-06-01", "2018-10-01"),
        ("2018-10-01", "2018-10-01-preview"),
        ("9", "a"),
        ("2024-05-01T10:00:00Z", "2024-05-01T10:00:00.5Z"),
        ("2024-05-01T10:00:00+02:00", "2024-05-01T09:00:00Z"),
    ],
)
def test_order(low: Any, high: Any) -> None:
    # P: less and its like compare dates, strings (InvariantCultureIgnoreCase) and integers.
    table = {"less": (True, False, False), "lessOrEquals": (True, True, False)}
    table |= {"greater": (False, False, True), "greaterOrEquals": (False, True, True)}
    for operator, outcomes in table.items():
        assert (decide(operator, high, low), decide(operator, low, low), decide(operator, low, high)) == outcomes


@pytest.mark.parametrize("operator", ["less", "lessOrEquals", "greater", "greaterOrEquals"])
def test_order_needs_two_values_of_one_type(operator: str) -> None:
    # P: "if the property type doesn't match the condition type, an error is thrown."
    assert decide(operator, "HELLO", "hello") is ("OrEquals" in operator)
    assert decide(operator, 1) is False  # nothing is there that could be in an order
    for operand, value in [(1, "1"), ("1", 1), (1, True), (1, [1])]:
        with pytest.raises(RuleError, match=f"^if: .*{value}"):
            decide(operator, operand, value)
    with pytest.raises(RuleError, match="outside ASCII"):
        decide(operator, "a", "ä")


@pytest.mark.parametrize(
    ("operator", "operand", "message"),
    [
        ("like", "a*b*", "one wildcard at most"),
        ("notLike", "**", "one wildcard at most"),
        ("contains", "a*", "without wildcard"),
        ("notContains", "*", "without wildcard"),
        ("like", 1, "a pattern is a string, not number"),
        ("match", ["a"], "single value, not array"),
        ("equals", ["a"], "single value, not array"),
        ("equals", {}, "single value, not object"),
        ("in", "a", "takes an array, not string"),
        ("notIn", {"a": 1}, "takes an array, not object"),
        ("containsKey", 1, "a key is a string"),
        ("exists", "yes", "true or false"),
        ("exists", 1, "true or false"),
        ("less", True, "boolean has none"),
        ("greater", None, "null has none"),
    ],
)
def test_an_operand_that_is_refused_when_compiling(operator: str, operand: Any, message: str) -> None:
    with pytest.raises(RuleError, match=message) as caught:
        compile_condition({"allOf": [{"field": "name", operator: operand}]})
    assert str(caught.value).startswith("if.allOf[0]: ")


def test_an_operand_that_is_refused_when_it_is_known() -> None:
    scope = Scope(parameters={"p": "a*b*c", "list": ["a"]})
    resource = {"type": "t", "name": "abc"}
    with pytest.raises(RuleError, match="one wildcard at most"):
        compile_condition({"field": "name", "like": "[parameters('p')]"}).matches(resource, scope)
    # A: an array parameter belongs to in and notIn; equals says: type 'Array', expected type is 'String'.
    for condition in (
        {"field": "name", "equals": "[parameters('list')]"},
        {"value": "a", "like": "[parameters('list')]"},
    ):
        for method in (compile_condition(condition).matches, compile_condition(condition).decide):
            with pytest.raises(RuleError, match=r"^if: .*the parameter is array"):
                method(resource, scope)
    assert compile_condition({"field": "name", "notIn": "[parameters('list')]"}).matches(resource, scope)


def test_looking_into_what_is_no_container() -> None:
    with pytest.raises(RuleError, match="not into an object"):
        decide("contains", "a", {"a": 1})
    with pytest.raises(RuleError, match="not into string"):
        decide("notContainsKey", "a", "abc")
