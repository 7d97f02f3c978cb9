"""The MOF reader: exact values, refusals with their line, and pywbem as an oracle."""

from __future__ import annotations

import string
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avma_pack.errors import PackageError
from avma_pack.packaging.mof import MAX_CHARACTERS, Instance, Reference, decode, parse

COMPILED = r"""
/*
@TargetNode='localhost'
@GeneratedBy=someone
*/

instance of MSFT_ScriptResource as $MSFT_ScriptResource1ref
{
ModuleVersion = "2.12.0.0";
 SetScript = " $null = New-Item -Path 'C:\\Test' -ItemType 'Directory'";
 ResourceID = "[Script]MyTestScript";
 GetScript = "\n                return @{}\n";
 DependsOn = {

    "[File]A",
    "[File]B"};

};
instance of OMI_ConfigurationDocument


                    {
 Version="2.0.0";
 CompatibleVersionAdditionalProperties= {"Omi_BaseResource:ConfigurationName"};
 Name="TestScriptConfig"; // the configuration
                    };
"""


def value(text: str) -> object:
    [instance] = parse(f"instance of X {{ V = {text}; }};")
    return instance.get("V")


def quoted(text: str) -> str:
    plain = text.replace("\\", "\\\\").replace('"', '\\"')
    for letter, escape in (("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"), ("\b", "\\b"), ("\f", "\\f")):
        plain = plain.replace(letter, escape)
    return f'"{plain}"'


class TestParse:
    def test_what_powershell_compiles(self) -> None:
        script, document = parse(COMPILED)
        assert script == Instance(
            "MSFT_ScriptResource",
            "MSFT_ScriptResource1ref",
            {
                "ModuleVersion": "2.12.0.0",
                "SetScript": " $null = New-Item -Path 'C:\\Test' -ItemType 'Directory'",
                "ResourceID": "[Script]MyTestScript",
                "GetScript": "\n                return @{}\n",
                "DependsOn": ["[File]A", "[File]B"],
            },
        )
        assert document.alias is None
        assert document.get("name") == "TestScriptConfig"
        assert document.is_a("omi_configurationdocument")

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ('"a" "b"\n"c"', "abc"),
            (r'"\\ \" \' \n\r\t\b\f"', "\\ \" ' \n\r\t\b\f"),
            (r'"\x41\X0042\xe9."', "ABé."),
            (r'"\xD83D\xDE00"', "\U0001f600"),
            ("0", 0),
            ("-12", -12),
            ("+7", 7),
            ("0x1F", 31),
            ("-0Xff", -255),
            ("010", 8),
            ("101b", 5),
            ("18446744073709551615", 2**64 - 1),
            ("-9223372036854775808", -(2**63)),
            ("1.5", 1.5),
            ("-.25e+2", -25.0),
            ("TRUE", True),
            ("false", False),
            ("Null", None),
            ("{}", []),
            ('{1, "a", {TRUE}}', [1, "a", [True]]),
        ],
    )
    def test_values(self, text: str, expected: object) -> None:
        found = value(text)
        assert found == expected
        assert type(found) is type(expected)

    def test_references_may_look_forward_and_ignore_case(self) -> None:
        text = "instance of A as $a { B = $B1; C = {$b1}; }; instance of B as $B1 { };"
        first, second = parse(text)
        assert first.properties == {"B": Reference("B1"), "C": [Reference("b1")]}
        assert second == Instance("B", "B1", {})

    def test_embedded_instance(self) -> None:
        [outer] = parse('instance of A { Of = instance of B as $b { N = 1; }; Instance = "x"; };')
        assert outer.properties == {"Of": Instance("B", "b", {"N": 1}), "Instance": "x"}

    def test_pragmas_and_qualifiers_are_skipped(self) -> None:
        pragma = r'#pragma namespace("\\\\.\\root")'
        text = '[Description("a ] b") : Amended, V{1,2}] INSTANCE OF X { [key] P=1; };'
        assert parse(f"{pragma}\n{text}") == [Instance("X", None, {"P": 1})]

    @pytest.mark.parametrize("text", ["", " \n", "// nothing", "/* nothing */"])
    def test_an_empty_document_has_no_instances(self, text: str) -> None:
        assert parse(text) == []


class TestRefusals:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("class X { };", "line 1: expected 'instance', found 'class'"),
            ("instance X", "line 1: expected 'of', found 'X'"),
            ("instance of 5", "line 1: expected the name of a class, found '5'"),
            ("instance of X to $a {};", "line 1: expected 'as', found 'to'"),
            ("instance of X as a {};", "line 1: expected an alias, '$' and a name, found 'a'"),
            ("instance of X\n{ }", "line 2: expected ';', found the end of the file"),
            ("instance of X\r\n{\r\nA = 1\r\n};", "line 4: expected ';', found '}'"),
            ("instance of X\r{\rA 1;\r};", "line 3: expected '=', found '1'"),
            ("instance of X { A = ; };", "line 1: expected a value, found ';'"),
            ("instance of X { A = yes; };", "line 1: expected a value, found 'yes'"),
            ("instance of X { A = {1,}; };", "line 1: expected a value, found '}'"),
            ("instance of X { A = {1 2}; };", "line 1: expected ',', found '2'"),
            ("instance of X { 1 = 1; };", "line 1: expected the name of a property or '}', found '1'"),
            ("instance of X {\nA=1;\na=2; };", "line 3: expected a property that the instance does not have"),
            ("instance of X as $a {};\ninstance of X as $A {};", "line 2: expected an alias that no other"),
            ("instance of X { A = $b; };", "line 1: expected an alias that some instance has, found '$b'"),
            (
                'instance of X { A = "a\n"; };',
                "line 1: expected a closing quote on the same line, found none",
            ),
            ('instance of X { A = "\\q"; };', "line 1: expected a known escape, found '\\\\q'"),
            ('instance of X { A = "\\x"; };', "line 1: expected a known escape"),
            (
                'instance of X { A = "\\xD83D" "\\xDE00"; };',
                "line 1: expected both halves of a surrogate pair",
            ),
            ("\n/* open", "line 2: expected '*/' after '/*', found the end of the file"),
            ("[Key", "line 1: expected ']', found the end of the file"),
            ("#pragma x(1)", "line 1: expected a string, found '1'"),
            ("instance of X { A = 12abc; };", "line 1: expected a name, value or mark, found '12abc; };'"),
            ("instance of X { A = 1.2.3; };", "line 1: expected a name, value or mark"),
            ("instance of X { A = 08; };", "line 1: expected a valid number of at most 64 bits, found '08'"),
            ("instance of X { A = 12b; };", "expected a valid number"),
            ("instance of X { A = 18446744073709551616; };", "expected a valid number"),
            ("instance of X { A = -9223372036854775809; };", "expected a valid number"),
            ("instance of X { A = 1.0e999; };", "expected a valid number"),
            (f"instance of X {{ A = {'9' * 5000}; }};", "expected a valid number"),
            ("instance of X { A = " + "{" * 10_000, "line 1: expected at most 32 levels"),
            ("instance of X { A = " * 10_000, "line 1: expected at most 32 levels"),
            ("x" * (MAX_CHARACTERS + 1), "longer than"),
        ],
    )
    def test_the_message_names_line_and_expectation(self, text: str, message: str) -> None:
        with pytest.raises(PackageError) as caught:
            parse(text)
        assert message in str(caught.value)
        assert caught.value.next_step


class TestDecode:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    def test_by_byte_order_mark(self, encoding: str) -> None:
        assert decode('instance of Ä { } "\U0001f600"'.encode(encoding)) == 'instance of Ä { } "\U0001f600"'

    def test_utf16_big_endian(self) -> None:
        assert decode(b"\xfe\xff" + "aä".encode("utf-16-be")) == "aä"

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"\xff", "not valid UTF-8 at byte 0"),
            (b"caf\xe9", "not valid UTF-8 at byte 3"),
            (b"\xef\xbb\xbf\xff", "not valid UTF-8"),
            (b"\xff\xfea", "not valid UTF-16"),
            (b"\xfe\xff\xd8\x00", "not valid UTF-16"),
            ("abc".encode("utf-16-le"), "neither UTF-8 nor UTF-16"),
            ("abc".encode("utf-32"), "neither UTF-8 nor UTF-16"),
        ],
    )
    def test_anything_else_is_refused(self, data: bytes, message: str) -> None:
        with pytest.raises(PackageError, match=message):
            decode(data)


class TestProperties:
    @given(st.binary(max_size=300))
    def test_arbitrary_bytes_raise_nothing_else(self, data: bytes) -> None:
        with suppress(PackageError):
            parse(decode(data))

    @given(st.text(alphabet=st.characters(), max_size=200))
    def test_arbitrary_text_raises_nothing_else(self, text: str) -> None:
        with suppress(PackageError):
            parse(text)

    @given(st.lists(st.sampled_from([*"{}[]();=,:$", "instance", " of ", "X", " as ", "$a", '"a"', "1", "NULL"])))
    def test_arbitrary_tokens_raise_nothing_else(self, parts: list[str]) -> None:
        with suppress(PackageError):
            parse("".join(parts))

    @given(st.data())
    def test_a_mutated_document_raises_nothing_else(self, data: st.DataObject) -> None:
        start = data.draw(st.integers(0, len(COMPILED)))
        end = data.draw(st.integers(start, min(len(COMPILED), start + 20)))
        text = COMPILED[:start] + data.draw(st.text(string.printable, max_size=5)) + COMPILED[end:]
        with suppress(PackageError):
            parse(text)

    @given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
    def test_strings_come_back_from_their_escaped_form(self, text: str) -> None:
        assert value(quoted(text)) == text

    @given(st.integers(-(2**63), 2**64 - 1))
    def test_integers_come_back_in_every_notation(self, number: int) -> None:
        sign, digits = "-" if number < 0 else "", abs(number)
        for text in (f"{sign}{digits}", f"{sign}0x{digits:X}", f"{sign}0{digits:o}", f"{sign}{digits:b}b"):
            assert value(text) == number

    @given(st.floats(allow_nan=False, allow_infinity=False))
    def test_reals_come_back(self, number: float) -> None:
        assert value(f"{number:.17e}") == number


CLASSES = """
Qualifier Key : boolean = false, Scope(property, reference), Flavor(DisableOverride, ToSubclass);
class OMI_BaseResource {
  [Key] string ResourceID; string SourceInfo; string ModuleName; string ModuleVersion;
  string ConfigurationName; string DependsOn[];
};
class OMI_ConfigurationDocument {
  [Key] string Name; string Version; string MinimumCompatibleVersion; string Author;
  string CompatibleVersionAdditionalProperties[];
};
class MSFT_ScriptResource : OMI_BaseResource { string GetScript; string SetScript; };
class Sample : OMI_BaseResource {
  string Text; string Texts[]; sint64 Signed; uint64 Unsigned; sint32 Numbers[]; real64 Real; boolean Flag;
};
"""

SAMPLE = r"""
instance of Sample as $Sample1ref
{
  ResourceID = "[Sample]One"; // comment
  Text = "C:\\a \"b\"\t\x00e9." "\r\n" /* and */ "more; // no comment";
  Texts = { "a", "b" "c", "" };
  Signed = -0x10; Unsigned = 18446744073709551615; Numbers = { 0, 010, 0x1f, 101b, -5 };
  Real = -1.5e-3; Flag = True;
};
instance of Sample { resourceid = "[Sample]Two"; FLAG = false; Text = NULL; Real = .5; };
INSTANCE OF OMI_ConfigurationDocument { Name = "Sample"; Version = "2.0.0"; };
"""


@pytest.mark.parametrize("text", [SAMPLE, COMPILED])
def test_pywbem_reads_the_same(text: str) -> None:
    from pywbem import MOFCompiler, MOFWBEMConnection  # noqa: PLC0415 - slow to import

    connection = MOFWBEMConnection()
    MOFCompiler(connection, log_func=None).compile_string(CLASSES + text, "root/test")
    expected = [
        (
            one.classname,
            {key.lower(): prop.value for key, prop in one.properties.items() if prop.value is not None},
        )
        for one in connection.instances["root/test"]
    ]
    found = [
        (one.class_name, {key.lower(): part for key, part in one.properties.items() if part is not None})
        for one in parse(text)
    ]
    assert found == expected
