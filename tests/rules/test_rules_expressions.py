"""The syntax of template expressions, and resolving them inside JSON.

https://learn.microsoft.com/azure/azure-resource-manager/templates/template-expressions
"""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest

from avma_pack.rules import RuleError, Scope, compile_expression, evaluate

SCOPE = Scope(
    resource={"name": "vm1", "type": "Microsoft.Compute/virtualMachines"},
    parameters={"Text": "[not('evaluated')]", "list": [{"a": {"b": [10, 20]}}], "null": {"inner": None}},
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("['text']", "text"),
        ("['it''s']", "it's"),
        ("['''']", "'"),
        ("[ 'a' ]", "a"),
        ("[-5]", -5),
        ("[concat( 'a' ,\n'b')]", "ab"),
        ("['[not an expression]']", "[not an expression]"),
        ("[parameters('text')]", "[not('evaluated')]"),  # values of parameters are interpreted literally
        ("[parameters('list')[0].a.b[1]]", 20),
        ("[parameters('list')[0]['A']['b'][sub(1, 1)]]", 10),
        ("[parameters('list')[0].A.B[0]]", 10),
        ("[parameters('null').inner]", None),
        ("[field('name')]", "vm1"),
        ("[field('location')]", ""),
        # What is no expression: without an end, or escaped.
        ("[SampleResource]Activation;KmsServer", "[SampleResource]Activation;KmsServer"),
        ("[[test value]", "[test value]"),
        ("[[test] value", "[[test] value"),
        ("text", "text"),
        ("", ""),
        ("[", "["),
    ],
)
def test_a_string(text: str, expected: Any) -> None:
    assert evaluate(text, SCOPE) == expected


def test_expressions_are_resolved_wherever_they_stand() -> None:
    template = {"a": [1, None, True, {"[concat('k', '1')]": "[field('name')]"}], "[[b]": {"c": 1.5}}
    before = repr(template)
    assert evaluate(template, SCOPE) == {"a": [1, None, True, {"k1": "vm1"}], "[b]": {"c": 1.5}}
    assert repr(template) == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "a value is missing"),
        ("[concat('a']", "')' is expected, not the end"),
        ("[concat('a',)]", "a value is expected, not ')'"),
        ("[concat('a' 'b')]", "')' is expected, not 'b'"),
        ("['a' 'b']", "'b' is one thing too many"),
        ("['a]", "a string literal does not end"),
        ('[concat("a")]', "unexpected character '\"'"),
        ("[1.5]", "the name of a property is expected, not '5'"),
        ("[true]", "true is neither a function call nor a literal"),
        ("[contoso.name('x')]", "user-defined functions are not evaluated: contoso.name"),
        ("[parameters('x').]", "the name of a property is expected"),
        ("[parameters('x')['a']", "']' is expected, not the end"),
        ("[9223372036854775808]", "does not fit 64 bits"),
        ("[123456789012345678901234567890123]", "does not fit 64 bits"),
    ],
)
def test_a_malformed_expression_is_an_error_when_compiling(text: str, message: str) -> None:
    with pytest.raises(RuleError, match=re.escape(message)) as caught:
        compile_expression(text)
    assert str(caught.value).startswith(f"{text}: ")
    with pytest.raises(RuleError):
        evaluate({"a": [text]}, SCOPE)


@pytest.mark.parametrize("text", ["text", "[[x]", "[x", ""])
def test_only_expressions_are_compiled(text: str) -> None:
    with pytest.raises(RuleError, match="is no expression"):
        compile_expression(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[parameters('list')[1]]", "index 1 is outside an array of 1"),
        ("[parameters('list')[-1]]", "index -1 is outside"),
        ("[parameters('list').a]", "array has no property 'a'"),
        ("[parameters('list')[true()]]", "array has no index True"),
        ("[parameters('null').other]", "no property 'other'; it has 'inner'"),
        ("[parameters('text')[0]]", "string has no index 0"),
        ("[field(parameters('list'))]", "field() takes a name, not array"),
        ("[field(parameters('text'))]", "is no field"),
    ],
)
def test_what_is_not_there_is_an_error(text: str, message: str) -> None:
    with pytest.raises(RuleError, match=re.escape(message)):
        evaluate(text, SCOPE)


def test_a_property_is_named_by_a_text() -> None:
    with pytest.raises(RuleError, match="names a property, and gives number"):
        evaluate({"[add(1, 1)]": 1})


@pytest.mark.parametrize("depth", [64, 100])
def test_nesting_beyond_azures_limit_is_understood(depth: int) -> None:
    # Policy rule limits: 64 nested functions.
    assert evaluate(f"[{'toLower(' * depth}'A'{')' * depth}]") == "a"


def test_nesting_without_end_is_an_error() -> None:
    for text in (f"[{'toLower(' * 5000}'A'{')' * 5000}]", f"[parameters('a'){'.a' * 5000}]"):
        with pytest.raises(RuleError, match=r"deeper than 128|more than 128"):
            evaluate(text)
    value: Any = "x"
    for _ in range(500):
        value = [value]
    with pytest.raises(RuleError, match="nests deeper"):
        evaluate(value)


def test_a_long_expression_is_quoted_in_part() -> None:
    with pytest.raises(RuleError) as caught:
        evaluate(f"[concat('{'x' * 5000}', nowhere())]")
    assert len(str(caught.value)) < 300
    assert "nowhere()" in str(caught.value)


def test_an_error_is_one_of_a_pack_and_says_what_next() -> None:
    with pytest.raises(RuleError) as caught:
        evaluate("[nowhere()]")
    assert caught.value.exit_code == 5
    assert caught.value.next_step


def test_rules_stand_alone() -> None:
    # Everything else may be built on them, so they know nothing but the errors of the program.
    program = "import sys, avma_pack.rules; print(*(name for name in sys.modules if name.startswith('avma_pack.')))"
    names = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    assert {name for name in names if not name.startswith("avma_pack.rules")} == {"avma_pack.errors"}
