"""The functions of templates, by the examples of their pages.

https://learn.microsoft.com/azure/azure-resource-manager/templates/template-functions-string, -array, -object, -logical,
-comparison, -numeric; policy functions:
https://learn.microsoft.com/azure/governance/policy/concepts/definition-structure-policy-rule#policy-functions.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from avma_pack.rules import PolicyContext, RuleError, Scope, compile_expression, evaluate

ONE, TWO = {"one": "a", "two": {"x": 1, "y": [1]}}, {"two": {"y": [2]}, "three": "c"}
VALUES = {
    "list": ["one", "two", "three"],
    "object": ONE,
    "other": TWO,
    "empty": "",
    "null": None,
    "yes": True,
    "five": 5,
}


def value(text: str) -> Any:
    return compile_expression(f"[{text}]").evaluate(Scope(parameters=VALUES))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("concat('prefix', '-', 'x')", "prefix-x"),
        ("concat('vm', 1)", "vm1"),
        ("concat(createArray('1-1'), createArray('2-1', '2-2'))", ["1-1", "2-1", "2-2"]),
        ("toLower('One TWO')", "one two"),
        ("TOUPPER('One two')", "ONE TWO"),
        ("trim('    one two   ')", "one two"),
        ("split('one,two,three', ',')", ["one", "two", "three"]),
        ("split('one;two,three', createArray(',', ';'))", ["one", "two", "three"]),
        ("split('a.b', '.')", ["a", "b"]),
        ("split('ab', '')", ["ab"]),
        ("replace('123-123-1234', '-', '')", "1231231234"),
        ("replace('aA', 'A', 'b')", "ab"),
        ("substring('one two three', 4, 3)", "two"),
        ("substring('one', 1)", "ne"),
        ("substring('one', 3, 0)", ""),
        # The comparison of these four is case-insensitive.
        ("startsWith('abcdef', 'AB')", True),
        ("startsWith('abcdef', 'e')", False),
        ("endsWith('abcdef', 'EF')", True),
        ("endsWith('abcdef', 'e')", False),
        ("indexOf('test', 't')", 0),
        ("indexOf('abcdef', 'CD')", 2),
        ("indexOf('abcdef', 'z')", -1),
        ("lastIndexOf('test', 't')", 3),
        ("lastIndexOf('abcdef', 'AB')", 0),
        ("format('{0}, {1}. {{{0}}}', 'Hello', 5)", "Hello, 5. {Hello}"),
        ("string(5)", "5"),
        ("string(createArray('a', 1))", '["a",1]'),
        ("int('4')", 4),
        ("int(-4)", -4),
        ("base64('one, two, three')", "b25lLCB0d28sIHRocmVl"),
        ("base64ToString('b25lLCB0d28sIHRocmVl')", "one, two, three"),
        # Where a text is looked for in a text or an array, case counts; for the key of an object it does not.
        ("contains('OneTwoThree', 'e')", True),
        ("contains('OneTwoThree', 'z')", False),
        ("contains('one', 'ONE')", False),
        ("contains(parameters('object'), 'ONE')", True),
        ("contains(parameters('list'), 'three')", True),
        ("contains(parameters('list'), 'Three')", False),
        ("empty(createArray())", True),
        ("empty('')", True),
        ("empty(json('{}'))", True),
        ("empty(coalesce(parameters('null'), null()))", True),
        ("empty('a')", False),
        ("length(parameters('list'))", 3),
        ("length('One Two Three')", 13),
        ("length(parameters('object'))", 2),
        ("first(parameters('list'))", "one"),
        ("first('One')", "O"),
        ("last(parameters('list'))", "three"),
        ("last('One')", "e"),
        ("take(parameters('list'), 2)", ["one", "two"]),
        ("take('one', 9)", "one"),
        ("skip('one two', 4)", "two"),
        ("skip(parameters('list'), -1)", ["one", "two", "three"]),
        ("array('a')", ["a"]),
        ("array(parameters('list'))", ["one", "two", "three"]),
        ("createObject('a', 1, 'b', createArray())", {"a": 1, "b": []}),
        ("coalesce(parameters('null'), parameters('empty'), 'a')", ""),
        ("union(createArray('a', 'b'), createArray('b', 'c'))", ["a", "b", "c"]),
        # Objects within are merged, arrays within are not.
        ("union(parameters('object'), parameters('other'))", {"one": "a", "two": {"x": 1, "y": [2]}, "three": "c"}),
        ("intersection(createArray('a', 'b', 'b'), createArray('b', 'c'))", ["b"]),
        ('intersection(json(\'{"a":1,"b":2}\'), json(\'{"a":1,"b":3}\'))', {"a": 1}),
        ("tryGet(parameters('object'), 'ONE')", "a"),
        ("tryGet(parameters('object'), 'none')", None),
        ("tryGet(parameters('list'), 3)", None),
        ("tryGet(parameters('list'), 0)", "one"),
        ("tryGet(null(), 'a')", None),
        ("json('{\"a\": [1, null]}')", {"a": [1, None]}),
        ("json('null')", None),
        ("bool('true')", True),
        ("bool('False')", False),
        ("bool(1)", True),
        ("bool(0)", False),
        ("and(true(), true(), false())", False),
        ("and(true(), true())", True),
        ("or(false(), true())", True),
        ("or(false(), false())", False),
        ("not(equals(1, 2))", True),
        ("equals('a', 'A')", False),
        ("equals('a', 'a')", True),
        ("equals(createArray(1), createArray(1))", True),
        ("equals(createArray(1), createArray(true()))", False),
        ("equals(json('{\"a\":1}'), json('{\"a\":1}'))", True),
        ("equals(null(), '')", False),
        # The page: of 'A' and 'a', 'A' is the greater.
        ("less(1, 2)", True),
        ("less('A', 'a')", False),
        ("lessOrEquals('A', 'a')", False),
        ("lessOrEquals(2, 2)", True),
        ("greater('A', 'a')", True),
        ("greater('b', 'A')", True),
        ("greaterOrEquals('A', 'a')", True),
        ("greaterOrEquals(1, 2)", False),
        ("add(5, 3)", 8),
        ("sub(3, 5)", -2),
        ("mul(5, 3)", 15),
        ("div(8, 3)", 2),
        ("div(-8, 3)", -2),
        ("mod(7, 3)", 1),
        ("mod(-7, 3)", -1),
        # Only the branch that is taken is evaluated.
        ("if(greaterOrEquals(length('ab'), 3), substring('ab', 0, 3), 'short')", "short"),
        ("if(parameters('yes'), 'yes', first(''))", "yes"),
    ],
)
def test_a_function(text: str, expected: Any) -> None:
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    "text",
    [
        "concat('a', createArray())",
        "concat(createArray(), 'a')",
        "concat('a', true())",
        "toLower(1)",
        "split('a', 1)",
        "replace('a', '', 'b')",
        "substring('ab', 0, 3)",
        "substring('ab', -1, 1)",
        "substring('ab', 3)",
        "substring('ab', '0')",
        "startsWith('a', null())",
        "format('{1}', 'a')",
        "format('{0:N0}', 1)",
        "format('{', 1)",
        "format('{0}', true())",
        "string(true())",
        "string(null())",
        "int('1.5')",
        "int('x')",
        "int(true())",
        "base64(1)",
        "base64ToString('%')",
        "base64ToString('/w==')",
        "uniqueString(1)",
        "contains(1, 1)",
        "contains('a', createArray())",
        "empty(1)",
        "length(1)",
        "length(null())",
        "first(createArray())",
        "last('')",
        "take('a', '1')",
        "skip(1, 1)",
        "createObject('a')",
        "createObject(1, 2)",
        "union(createArray(), json('{}'))",
        "intersection('a', 'b')",
        "tryGet(1, 'a')",
        "json('{')",
        "json('NaN')",
        "json(1)",
        "bool('yes')",
        "bool(createArray())",
        "and(true(), 1)",
        "or(1, true())",
        "not('true')",
        "less(1, '2')",
        "greater(true(), false())",
        "less('ä', 'b')",
        "add(1, '1')",
        "add(9223372036854775807, 1)",
        "div(1, 0)",
        "mod(1, 0)",
        "if('true', 1, 2)",
        "parameters('none')",
        "parameters(1)",
        "field('name')",
        "addDays('today', 1)",
        "addDays('2024-01-01T00:00:00Z', '1')",
        "addDays('9999-12-31T00:00:00Z', 1)",
        "policy()",
        "requestContext()",
        "resourceGroup()",
        "subscription()",
        "utcNow()",
    ],
)
def test_what_a_function_refuses_is_an_error_that_names_it(text: str) -> None:
    expression = compile_expression(f"[{text}]")
    with pytest.raises(RuleError) as caught:
        expression.evaluate(Scope(parameters=VALUES))
    assert str(caught.value).startswith(f"[{text}]: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ipRangeContains('10.0.0.0/24', '10.0.0.1')", "ipRangeContains() is not known"),
        ("reference('x')", "reference() is not known"),
        ("resourceId('a', 'b')", "resourceId() is not known"),
        ("concat('a', newGuid())", "newGuid() is not known"),
        ("toLower()", "toLower() takes 1 arguments, not 0"),
        ("substring('a')", "substring() takes 2 to 3 arguments, not 1"),
        ("concat()", "concat() takes 1 or more arguments, not 0"),
        ("and(true())", "and() takes 2 or more arguments, not 1"),
        ("if(true(), 1)", "if() takes 3 arguments, not 2"),
        ("utcNow('d')", "utcNow() takes 0 arguments, not 1"),
        ("current()", "inside the where of a count"),
        ("field('nowhere')", "'nowhere' is no field"),
    ],
)
def test_what_is_unknown_is_an_error_when_compiling(text: str, message: str) -> None:
    with pytest.raises(RuleError, match=re.escape(message)):
        compile_expression(f"[{text}]")


def test_names_ignore_case() -> None:
    # Template syntax: "Template functions and their parameters are case-insensitive."
    assert value("CoNcAt(PARAMETERS('EMPTY'), 'a')") == "a"


def test_unique_string_depends_on_its_arguments_alone() -> None:
    found = [value(f"uniqueString({arguments})") for arguments in ("'a', 'b'", "'a', 'b'", "'ab'", "'b', 'a'")]
    assert found[0] == found[1]
    assert len(set(found)) == 3
    assert all(re.fullmatch("[a-z2-7]{13}", each) for each in found)
    assert found[0] == "gvknfofb4najs"  # the same in every process and release


def test_what_the_scope_knows() -> None:
    scope = Scope(
        policy=PolicyContext("/assignment", definition_reference_id="audit"),
        api_version="2024-07-01",
        resource_group={"name": "rg", "tags": {"Env": "prod"}},
        subscription={"subscriptionId": "0"},
        utc_now=datetime(2024, 5, 1, 12, 0, 0, 250, tzinfo=timezone(timedelta(hours=2))),
    )
    template = {
        "policy": ["[policy().assignmentId]", "[policy().definitionReferenceId]", "[policy().setDefinitionId]"],
        "version": "[requestContext().apiVersion]",
        "group": ["[resourceGroup().name]", "[resourcegroup().tags['env']]"],
        "subscription": "[subscription().subscriptionId]",
        "now": "[utcNow()]",
        "later": "[addDays(utcNow(), 3)]",
        "earlier": "[addDays('0002-01-01T00:00:00Z', -1)]",
    }
    assert evaluate(template, scope) == {
        "policy": ["/assignment", "audit", ""],
        "version": "2024-07-01",
        "group": ["rg", "prod"],
        "subscription": "0",
        # The page: yyyy-MM-ddTHH:mm:ss.fffffffZ
        "now": "2024-05-01T10:00:00.0002500Z",
        "later": "2024-05-04T10:00:00.0002500Z",
        "earlier": "0001-12-31T00:00:00.0000000Z",
    }
