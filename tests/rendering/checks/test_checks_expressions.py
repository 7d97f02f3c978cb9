"""Template expressions: which strings are expressions, and what they call."""

from __future__ import annotations

import pytest

from avma_pack.rendering.checks.expressions import (
    find_expressions,
    is_expression,
    outermost_call,
    parse,
    referenced_parameter,
    references,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[parameters('a')]", True),
        ("[[parameters('a')]", False),
        ("[Type]Instance;Property", False),
        ("parameters('a')", False),
        ("", False),
    ],
)
def test_an_expression_is_told_from_text(text: str, expected: bool) -> None:
    assert is_expression(text) is expected


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("[parameters('a')]", ["a"]),
        ("[ Parameters ( 'a' ) ]", ["a"]),
        ("[concat(parameters('a'), parameters('b'))]", ["a", "b"]),
        ("[concat('parameters(''a'')', parameters('it''s'))]", ["it's"]),
        ("[parameters(concat('a', 'b'))]", []),
        ("[contoso.parameters('a')]", []),
        ("[parameters('a').b[parameters('c')]]", ["a", "c"]),
        ("[variables('a')]", []),
        ("[[parameters('a')]", []),
        ("plain parameters('a')", []),
    ],
)
def test_parameter_references(text: str, names: list[str]) -> None:
    assert [reference.name for reference in references(find_expressions(text, "x"))] == names


def test_references_have_json_paths_in_document_order() -> None:
    tree = {
        "one": ["text", "[parameters('a')]"],
        "$schema": {"x": "[parameters('b')]"},
        "ids": {"[parameters('c')]": {}},
    }
    assert list(references(find_expressions(tree, "root"))) == [
        ("a", "root.one[1]"),
        ("b", "root['$schema'].x"),
        ("c", "root.ids"),
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[concat('a', 'b')]", ""),
        ("[concat('a']", "'(' is not closed"),
        ("[concat('a'))]", "')' closes nothing"),
        ("[concat('a'])]", "']' closes nothing"),
        ("[concat('a)]", "a string literal does not end"),
        ("[concat('it''s)]", "a string literal does not end"),
        ('[concat("a")]', "unexpected character '\"'"),
    ],
)
def test_faults_are_named(text: str, fault: str) -> None:
    assert parse(text).fault == fault


def test_calls_have_arguments_and_depth() -> None:
    calls = parse("[base64(concat('a,b', parameters('c'), policy().id[0]))]").calls
    assert [(call.name, call.arguments, call.depth, call.literal) for call in calls] == [
        ("base64", 1, 1, None),
        ("concat", 3, 2, None),
        ("parameters", 1, 3, "c"),
        ("policy", 0, 3, None),
    ]


def test_commas_belong_to_the_innermost_brackets() -> None:
    calls = parse("[if(equals('a', 'b'), createArray(1, 2, 3)[0], -4.5)]").calls
    assert [(call.name, call.arguments) for call in calls] == [("if", 3), ("equals", 2), ("createarray", 3)]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("[tryGet(field('tags'), 'x')]", "tryget"),
        ("[tryGet(field('tags'), 'x').y]", None),
        ("[coalesce(tryGet(field('tags'), 'x'), '')]", "coalesce"),
        ("tryGet()", None),
        (7, None),
    ],
)
def test_outermost_call(text: object, name: str | None) -> None:
    call = outermost_call(text)
    assert (call and call.name) == name


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("[parameters('Effect')]", "Effect"),
        ("[toLower(parameters('Effect'))]", None),
        ("[parameters('Effect').x]", None),
        ("Effect", None),
        (None, None),
    ],
)
def test_a_value_that_is_one_parameter(value: object, name: str | None) -> None:
    assert referenced_parameter(value) == name
