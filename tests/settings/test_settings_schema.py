"""The schema for editors and the commented file agree with what `load` takes."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from avma_pack.settings import Settings, commented_template, json_schema
from avma_pack.settings.load import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY_LINE = re.compile(r"#([a-z-]+ = .*)")


def uncommented() -> str:
    return "\n".join(KEY_LINE.sub(r"\1", line) for line in commented_template().splitlines())


def fields() -> Iterator[tuple[str, msgspec.structs.FieldInfo]]:
    for table in msgspec.structs.fields(Settings):
        for field in msgspec.structs.fields(type(table.default)):
            yield table.encode_name, field


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            yield from nodes(part)


def accepts(text: str) -> bool:
    return bool(Draft202012Validator(json_schema()).is_valid(tomllib.loads(text)))


def test_the_schema_is_a_schema_in_one_piece() -> None:
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    assert schema["title"] == "pack.toml"
    for node in nodes(schema):
        assert not {"$id", "$ref", "$defs"} & node.keys()
        assert node.get("type") != "null"
        if "properties" in node and node.get("type") == "object":
            assert node["additionalProperties"] is False


def test_the_schema_describes_every_setting_and_its_default() -> None:
    tables = json_schema()["properties"]
    assert list(tables) == [table.encode_name for table in msgspec.structs.fields(Settings)]
    for table, field in fields():
        described = tables[table]["properties"][field.encode_name]
        assert tables[table]["description"].endswith(".")
        assert described["description"].endswith(".")
        default = msgspec.to_builtins(field.default, builtin_types=())
        assert described["default"] == {None: "", (): []}.get(default, default)


def test_choices_stand_in_the_order_of_meaning() -> None:
    tables = json_schema()["properties"]
    assert tables["activation"]["properties"]["policy"]["enum"] == [
        "NoAvma",
        "AvmaReplaced",
        "KmsClientOnly",
        "Activated",
        "",
    ]
    assert tables["remediation"]["properties"]["mode"]["enum"] == [
        "off",
        "ApplyAndMonitor",
        "ApplyAndAutoCorrect",
    ]


def test_examples_are_allowed() -> None:
    for table, schema in json_schema()["properties"].items():
        for key, value in schema["properties"].items():
            for example in value.get("examples", ()):
                Draft202012Validator(value).validate(example)
                text = f"[{table}]\n{key} = {msgspec.json.encode(example).decode()}\n"
                parse(text if key != "values" else f'{text}name = "activation"\n')


def test_patterns_are_those_of_an_editors_engine() -> None:
    regress = pytest.importorskip("regress")
    patterns = [node["pattern"] for node in nodes(json_schema()) if isinstance(node.get("pattern"), str)]
    assert len(patterns) > 5
    for pattern in patterns:
        regress.Regex(pattern, "u")
        assert "(?" not in pattern


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("", True),
        ('kms.server = ""\nactivation.policy = ""', True),
        ('pack.suffix = "pilot"', True),
        ('pack.version = "2.0.0"', False),
        ("kms.port = 0", False),
        ("kms.prot = 1", False),
        ("nothing = 1", False),
        ('kms.server = "a:1"', False),
        ('pack.os = ["ws2022", "ws2022"]', False),
        ('remediation.mode = ""', False),
        ('packages.base-uri = "https://a.net/b?c"', False),
    ],
)
def test_the_schema_takes_what_load_takes(text: str, right: bool) -> None:
    assert accepts(text) is right
    if right:
        parse(text)


def test_the_commented_file_gives_the_defaults() -> None:
    assert parse(commented_template()) == Settings()
    assert accepts(commented_template())


def test_the_commented_file_gives_the_defaults_with_all_its_keys() -> None:
    text = uncommented()
    assert parse(text) == Settings()
    assert accepts(text)


def test_the_commented_file_has_every_key_once_and_explains_it_in_one_line() -> None:
    values = tomllib.loads(uncommented())
    assert [(table, key) for table, keys in values.items() for key in keys] == [
        (table, field.encode_name) for table, field in fields()
    ]
    lines = commented_template().splitlines()
    for number, line in enumerate(lines):
        assert len(line) <= 110
        if KEY_LINE.fullmatch(line):
            assert lines[number - 1].startswith("# ")
            assert lines[number - 2] == ""


def test_one_key_at_a_time_can_be_uncommented() -> None:
    lines = commented_template().splitlines()
    for number, line in enumerate(lines):
        if KEY_LINE.fullmatch(line):
            assert parse("\n".join([*lines[:number], line[1:], *lines[number + 1 :]])) == Settings()
