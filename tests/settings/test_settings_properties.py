"""Whatever is written, `SettingsError` is all that comes of it; whatever is right comes through unchanged."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from avma_pack.errors import SettingsError
from avma_pack.settings import (
    Activation,
    ActivationPolicy,
    Assignment,
    Cloud,
    Enforcement,
    Kms,
    KmsProbe,
    Pack,
    PackageAccess,
    Packages,
    Prerequisites,
    PrerequisitesMode,
    Remediation,
    RemediationMode,
    Settings,
    TagFilter,
    check,
    in_force,
)
from avma_pack.settings.load import parse

PLACE = re.compile(r"pack\.toml:(\d+)(:\d+)?: |pack\.toml: ")


def quoted(text: str) -> str:
    escaped = "".join(f"\\u{ord(char):04x}" if ord(char) < 0x20 or char in '\x7f"\\' else char for char in text)
    return f'"{escaped}"'


def toml(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return quoted(value)
        case dict():
            return "{" + ", ".join(f"{quoted(key)} = {toml(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(toml(item) for item in value) + "]"
        case _:
            return str(value)


def document(tables: dict[str, Any]) -> str:
    inline = [f"{quoted(name)} = {toml(table)}\n" for name, table in tables.items() if not isinstance(table, dict)]
    headed = [
        f"[{quoted(name)}]\n" + "".join(f"{quoted(key)} = {toml(item)}\n" for key, item in table.items())
        for name, table in tables.items()
        if isinstance(table, dict)
    ]
    return "".join(inline + headed)


def settings_or_refusal(text: str) -> Settings | None:
    try:
        return parse(text)
    except SettingsError as refusal:
        error = refusal
    assert error.next_step
    for message in str(error).splitlines():
        place = PLACE.match(message)
        assert place
        assert int(place[1] or 1) <= text.count("\n") + 1
    return None


TABLES = [field.encode_name for field in msgspec.structs.fields(Settings)]
KEYS = [
    field.encode_name
    for table in msgspec.structs.fields(Settings)
    for field in msgspec.structs.fields(type(table.default))
]
CHOICES = [
    choice.value
    for enum in (
        ActivationPolicy,
        Cloud,
        Enforcement,
        KmsProbe,
        PackageAccess,
        PrerequisitesMode,
        RemediationMode,
    )
    for choice in enum
]
SCALARS = st.one_of(
    st.text(max_size=20),
    st.sampled_from([*CHOICES, "", "ws2022", "1.0.0", "a", "A", "kms.core.windows.net", "https://a.net/b?sig=c"]),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.dates(),
    st.datetimes(),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
DOCUMENTS = st.dictionaries(
    st.sampled_from(TABLES) | st.text(max_size=8),
    VALUES | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=8), VALUES, max_size=6),
    max_size=6,
)


@given(st.text())
def test_arbitrary_text(text: str) -> None:
    settings_or_refusal(text)


@given(st.text("[]{}=,.#\"'\\\n\r\t \ufeffkmsport1-:", max_size=80))
def test_text_that_is_nearly_toml(text: str) -> None:
    settings_or_refusal(text)


@given(DOCUMENTS)
def test_arbitrary_tables(tables: dict[str, Any]) -> None:
    settings = settings_or_refusal(document(tables))
    if settings is not None:
        assert check(settings) == settings


NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,9}[a-z0-9])?", fullmatch=True)
LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,9}[a-z0-9])?", fullmatch=True)
GUIDS = st.uuids().map(str)


@st.composite
def packages(draw: st.DrawFn) -> Packages:
    access = draw(st.sampled_from(PackageAccess))
    identity = (
        f"/subscriptions/{draw(GUIDS)}/resourceGroups/{draw(LABELS)}/providers/Microsoft.ManagedIdentity"
        f"/userAssignedIdentities/{draw(LABELS)}-id"
    )
    return Packages(
        base_uri=draw(st.none() | LABELS.map(lambda label: f"https://{label}.blob.core.windows.net/{label}/")),
        access=access,
        identity=identity if access is PackageAccess.USER_ASSIGNED else None,
    )


SETTINGS = st.builds(
    Settings,
    pack=st.builds(
        Pack,
        version=st.none() | st.builds("1.{}.{}".format, st.integers(0, 999), st.integers(0, 999)),
        prefix=NAMES,
        suffix=LABELS | st.just(""),
        cloud=st.sampled_from(Cloud),
        os=st.lists(st.from_regex(r"ws[0-9a-z]{1,6}", fullmatch=True), unique=True, max_size=3).map(tuple),
    ),
    activation=st.builds(
        Activation, policy=st.none() | st.sampled_from(ActivationPolicy), replace_other_keys=st.booleans()
    ),
    kms=st.builds(
        Kms,
        server=st.none() | st.lists(LABELS, min_size=1, max_size=4).map(".".join),
        port=st.integers(1, 65535),
        probe=st.sampled_from(KmsProbe),
    ),
    remediation=st.builds(Remediation, mode=st.sampled_from(RemediationMode)),
    tag_filter=st.just(TagFilter())
    | st.builds(TagFilter, name=NAMES, values=st.lists(st.text(max_size=9), unique=True, max_size=3).map(tuple)),
    prerequisites=st.builds(Prerequisites, mode=st.sampled_from(PrerequisitesMode)),
    packages=packages(),
    assignment=st.builds(
        Assignment,
        management_group=st.none() | LABELS,
        location=st.none() | st.from_regex(r"[a-z]{1,20}[0-9]?", fullmatch=True),
        enforcement=st.sampled_from(Enforcement),
        non_compliance_message=st.none() | st.text(min_size=1, max_size=40),
    ),
)


@given(SETTINGS)
def test_right_settings_come_through_a_file_unchanged(settings: Settings) -> None:
    tables = msgspec.json.decode(msgspec.json.encode(settings))
    written = {
        table: {key: value for key, value in keys.items() if value is not None} for table, keys in tables.items()
    }
    assert parse(document(written)) == settings
    assert check(settings) == settings


@given(SETTINGS)
def test_settings_in_force_are_a_file_again(settings: Settings) -> None:
    now = in_force(settings, "1.0.0")
    tables = msgspec.json.decode(msgspec.json.encode(now))
    written = {
        table: {key: value for key, value in keys.items() if value is not None} for table, keys in tables.items()
    }
    assert parse(document(written)) == now
    assert now.kms.server == settings.kms_server
    assert in_force(now, "1.7.0") == now
