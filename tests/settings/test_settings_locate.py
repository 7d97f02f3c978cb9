"""The line on which a TOML file sets a key, whatever stands in between."""

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from avma_pack.settings.locate import line_of, lines

TRICKY = r'''# kms.port = 1
[pack] # [kms]
prefix = """
[kms]
port = 1
\""" still [kms] """""
suffix = \'\'\'
# no comment '' [kms] \'\'\'\'
os = [ # port = 2
  "ws2022", # ], port = 3
  """
[kms]""", '[kms]',
  [1, [2,
    3]], {a = [
    1], "b]" = 2},
  1979-05-27 07:32:00,
]
"quoted key" . 'and = "this"' = "x # = ["

[ kms . "a.b" ]
port = 1
[kms]
  port	=	1688
server = ""
dotted . key = true
dotted.other = 1e3
inline = { x = "}", y = [1, { z = 2 }] }
after = 0
[[many]]
name = 1
[[many]]
name = 2
'''.replace("\\'", "'")


def test_nothing_fools_it() -> None:
    found = lines(TRICKY)
    rows = TRICKY.splitlines()
    expected = {
        ("pack",): "[pack]",
        ("pack", "prefix"): "prefix",
        ("pack", "suffix"): "suffix",
        ("pack", "os"): "os = [",
        ("pack", "os", 0): '"ws2022"',
        ("pack", "os", 1): '"""',
        ("pack", "os", 2): '[kms]""", \'[kms]\'',
        ("pack", "os", 3): "[1, [2,",
        ("pack", "os", 4): "3]], {a",
        ("pack", "os", 5): "1979",
        ("pack", "quoted key"): '"quoted key"',
        ("pack", "quoted key", 'and = "this"'): '"quoted key"',
        ("kms",): '[ kms . "a.b" ]',
        ("kms", "a.b"): '[ kms . "a.b" ]',
        ("kms", "port"): "port\t=",
        ("kms", "server"): "server",
        ("kms", "dotted"): "dotted . key",
        ("kms", "dotted", "key"): "dotted . key",
        ("kms", "dotted", "other"): "dotted.other",
        ("kms", "inline"): "inline",
        ("kms", "after"): "after",
        ("many",): "[[many]]",
    }
    for path, start in expected.items():
        assert rows[found[path] - 1].strip().startswith(start), path
    assert found["kms", "a.b", "port"] == found["kms", "a.b"] + 1


def test_what_is_inside_an_inline_table_falls_back_to_its_key() -> None:
    found = lines('\nkms = { port = 0,\tserver = "" }\nos = [\n1,\n{ a = 1 }]')
    assert ("kms", "port") not in found
    assert line_of(found, ("kms", "port")) == 2
    assert line_of(found, ("os", 1, "a")) == 5
    assert line_of(found, ("pack", "cloud")) is None


def test_windows_line_ends_count_once() -> None:
    assert lines("[kms]\r\n\r\nport = 0\r\nprobe = 1\r\n")["kms", "probe"] == 4


def test_the_first_of_several_places_counts() -> None:
    assert lines("kms.a = 1\nkms.b = 2\n")["kms",] == 1


def test_long_strings_and_lists_are_passed_over() -> None:
    text = 'a = """' + '\\"x""\n' * 200_000 + '"""\nb = [' + "1,\n" * 200_000 + "]\nc = 1\n"
    assert lines(text)["c",] == 400_003


KEYS = st.text("abcdef-_019", min_size=1, max_size=5)
SPACE = st.sampled_from(["", " ", "\t"])
STRINGS = st.text("ab é[]{}=,.#\"'\\", max_size=8)


def basic(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "") + "'"


def multi_line(text: str) -> str:
    return '"""\n' + text.replace("\\", "\\\\").replace('"""', '""\\"') + '\n[x]\ny = """ '.replace('"""', "''") + '"""'


def multi_line_literal(text: str) -> str:
    return "'''" + text.replace("'", "") + "\n# ]\n'' \n''''"


SCALARS = st.one_of(
    STRINGS.map(basic),
    STRINGS.map(literal),
    STRINGS.map(multi_line),
    STRINGS.map(multi_line_literal),
    st.integers().map(str),
    st.sampled_from(["true", "-inf", "1e5", "1979-05-27T07:32:00Z", "1979-05-27 07:32:00", "07:32:00"]),
)


def lists(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    between = st.sampled_from([",", " , ", ",\n", ", # ] c\n"])
    return st.builds(lambda parts, comma: "[" + "".join(part + comma for part in parts) + "]", st.lists(items), between)


def tables(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    flat = items.filter(lambda item: "\n" not in item)
    return st.dictionaries(KEYS, flat, max_size=3).map(
        lambda parts: "{ " + ", ".join(f"{basic(key)} = {value}" for key, value in parts.items()) + " }"
    )


VALUES = st.recursive(SCALARS, lambda inner: lists(inner) | tables(inner), max_leaves=6)


@given(st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=4), max_size=4), SPACE, st.data())
def test_the_line_of_every_generated_key(document: dict[str, dict[str, str]], space: str, data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(["", "# a = 1\n", "\r\n"]))
    expected: dict[tuple[str, ...], int] = {}
    for table, keys in document.items():
        expected[table,] = text.count("\n") + 1
        text += f"[{space}{basic(table) if space else table}{space}]{space}# [x]\n"
        for key, value in keys.items():
            expected[table, key] = text.count("\n") + 1
            text += f"{space}{literal(key) if space else key}{space}={space}{value}{space}\n\n"
    assert set(tomllib.loads(text)) == set(document)
    found = lines(text)
    assert {path: line for path, line in found.items() if not isinstance(path[-1], int)} == expected


@given(st.text("[]{}=,.#\"'\\\n ab1", max_size=30))
def test_every_key_that_tomllib_sees_has_a_line(text: str) -> None:
    try:
        keys = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    found = lines(text)
    assert {path[0] for path in found} == set(keys)
    assert all(1 <= line <= text.count("\n") + 1 for line in found.values())
