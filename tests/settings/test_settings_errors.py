"""What is said of a wrong setting: the line, what was found, what is allowed, what may have been meant."""

from __future__ import annotations

import pytest

from avma_pack.errors import ExitCode, SettingsError
from avma_pack.settings.load import parse


def refusal(text: str) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        parse(text)
    assert caught.value.exit_code is ExitCode.USAGE
    assert caught.value.next_step
    return caught.value


@pytest.mark.parametrize(
    ("text", "line", "path", "found", "allowed"),
    [
        ('[pack]\nversion = "2.0.0"', 2, "pack.version", "'2.0.0'", "1.<minor>.<patch>"),
        ('[pack]\nversion = "1.2.0-preview"', 2, "pack.version", "'1.2.0-preview'", "1.<minor>.<patch>"),
        ('[pack]\nversion = "1.02.0"', 2, "pack.version", "'1.02.0'", "1.<minor>.<patch>"),
        ("[pack]\nversion = 1.2", 2, "pack.version", "1.2", "1.<minor>.<patch>"),
        ('[pack]\nprefix = "Contoso"', 2, "pack.prefix", "'Contoso'", "lower-case"),
        ('[pack]\nprefix = ""', 2, "pack.prefix", "''", "1 to 24"),
        ('[pack]\nprefix = "a-"', 2, "pack.prefix", "'a-'", "no hyphen at either end"),
        ('[pack]\nsuffix = "a_b"', 2, "pack.suffix", "'a_b'", "letters, digits and hyphens"),
        ('[pack]\nsuffix = "-"', 2, "pack.suffix", "'-'", "letters, digits and hyphens"),
        ('[pack]\nos = "ws2022"', 2, "pack.os", "'ws2022'", "a list"),
        ('[pack]\nos = [\n"ws2022",\n"WS2019"]', 4, "pack.os[1]", "'WS2019'", "such as 'ws2022'"),
        ('[pack]\nos = ["ws2022",\n"ws2019",\n"ws2022"]', 4, "pack.os[2]", "'ws2022' a second time", "once"),
        (
            '[activation]\nreplace-other-keys = "yes"',
            2,
            "activation.replace-other-keys",
            "'yes'",
            "true or false",
        ),
        ("[activation]\nreplace-other-keys = 1", 2, "activation.replace-other-keys", "1", "true or false"),
        ("[kms]\n\nport = 0", 3, "kms.port", "0", "a whole number from 1 to 65535"),
        ("kms.port = 65536", 1, "kms.port", "65536", "from 1 to 65535"),
        ("kms.port = true", 1, "kms.port", "true", "from 1 to 65535"),
        ('kms.port = "1688"', 1, "kms.port", "'1688'", "from 1 to 65535"),
        ("kms.port = 1688.0", 1, "kms.port", "1688.0", "from 1 to 65535"),
        (f"kms.port = 0x{'f' * 9999}", 1, "kms.port", "a number far too large", "from 1 to 65535"),
        ("kms.port = 1979-05-27 07:32:00", 1, "kms.port", "1979-05-27 07:32:00", "from 1 to 65535"),
        ('kms.server = "https://kms.contoso.com"', 1, "kms.server", "'https://kms.contoso.com'", "no scheme"),
        (
            'kms.server = "kms.contoso.com:1688"',
            1,
            "kms.server",
            "'kms.contoso.com:1688'",
            "the port is kms.port",
        ),
        ('kms.server = "[fd00::1]"', 1, "kms.server", "'[fd00::1]'", "no scheme, slash or brackets"),
        ('kms.server = "kms.contoso.com\\n"', 1, "kms.server", "'kms.contoso.com\\n'", "a host name"),
        (f'kms.server = "{"a" * 64}.com"', 1, "kms.server", "'aaa", "a host name"),
        ("kms.server = []", 1, "kms.server", "a list", "a host name"),
        ("kms.server = {}", 1, "kms.server", "a table", "a host name"),
        ('[tag-filter]\nname = "it\'s"', 2, "tag-filter.name", '"it\'s"', "the name of a tag"),
        ('tag-filter.name = "a[0]"', 1, "tag-filter.name", "'a[0]'", "the name of a tag"),
        ('tag-filter.name = "a/b"', 1, "tag-filter.name", "'a/b'", "the name of a tag"),
        (
            'tag-filter = {name = "a",\tvalues = [1]}',
            1,
            "tag-filter.values[0]",
            "1",
            "at most 256 characters",
        ),
        ('packages.base-uri = "http://a.net/b"', 1, "packages.base-uri", "'http://a.net/b'", "the https URL"),
        (
            'packages.base-uri = "https://a.net/b#c"',
            1,
            "packages.base-uri",
            "'https://a.net/b#c'",
            "the https URL",
        ),
        (
            'packages.base-uri = "https://a.net/b c"',
            1,
            "packages.base-uri",
            "'https://a.net/b c'",
            "the https URL",
        ),
        (
            'packages.identity = "avma-reader"',
            1,
            "packages.identity",
            "'avma-reader'",
            "/subscriptions/<id>/",
        ),
        ('assignment.location = "West Europe"', 1, "assignment.location", "'West Europe'", "'westeurope'"),
        (
            'assignment.management-group = "a."',
            1,
            "assignment.management-group",
            "'a.'",
            "no period at the end",
        ),
        (
            'assignment.management-group = "/providers/Microsoft.Management/managementGroups/a"',
            1,
            "assignment.management-group",
            "'/providers/Microsoft.Management/managementGroups/a'",
            "the id of a management group alone",
        ),
        ("assignment.non-compliance-message = 3", 1, "assignment.non-compliance-message", "3", "text"),
        ("kms = 3", 1, "kms", "3", "a table, [kms]"),
        ("\n[[kms]]\nport = 1", 2, "kms", "a list", "a table, [kms]"),
    ],
)
def test_a_value_that_is_not_allowed(text: str, line: int, path: str, found: str, allowed: str) -> None:
    message = str(refusal(text))
    assert message.startswith(f"pack.toml:{line}: {path}: found {found}")
    assert f"allowed: {allowed}" in message or allowed in message.partition("allowed: ")[2]
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "line", "path", "wrong", "meant"),
    [
        ("[kms]\nprot = 1", 2, "kms.prot", "no such key", "port"),
        ('[packages]\nbase_uri = "x"', 2, "packages.base_uri", "no such key", "base-uri"),
        (
            "[activation]\nreplaceOtherKeys = true",
            2,
            "activation.replaceOtherKeys",
            "no such key",
            "replace-other-keys",
        ),
        ("\n[taqfilter]", 2, "taqfilter", "no such table", "tag-filter"),
        ('cloud = "china"', 1, "cloud", "no such table", "pack.cloud"),
        ('[kms]\nlocation = "x"', 2, "kms.location", "no such key", "assignment.location"),
        ('[pack]\ncloud = "US Government"', 2, "pack.cloud", "found 'US Government'", "usgovernment"),
        ('[activation]\n\npolicy = "noavma"', 3, "activation.policy", "found 'noavma'", "NoAvma"),
        ('kms.probe = "always"', 1, "kms.probe", "found 'always'", "Always"),
        (
            'remediation.mode = "ApplyAndAutocorect"',
            1,
            "remediation.mode",
            "found 'ApplyAnd",
            "ApplyAndAutoCorrect",
        ),
        ('prerequisites.mode = "Own"', 1, "prerequisites.mode", "found 'Own'", "own"),
        ('packages.access = "userassigned"', 1, "packages.access", "found 'userassigned'", "user-assigned"),
        ('assignment.enforcement = "do-not-enforce"', 1, "assignment.enforcement", "found", "DoNotEnforce"),
    ],
)
def test_a_misspelt_word_gets_a_suggestion(text: str, line: int, path: str, wrong: str, meant: str) -> None:
    message = str(refusal(text))
    assert message.startswith(f"pack.toml:{line}: {path}: {wrong}")
    assert message.endswith(f"; did you mean '{meant}'?")
    assert "allowed: " in message


@pytest.mark.parametrize("text", ["[kms]\nquux = 1", 'kms.probe = "xyz"', f"[kms]\n{'probe' * 9999} = 1"])
def test_no_suggestion_where_nothing_is_near(text: str) -> None:
    assert "did you mean" not in str(refusal(text))


def test_the_choices_of_an_enum_are_all_named() -> None:
    assert "allowed: 'public', 'sas', 'user-assigned', 'system-assigned'" in str(refusal("packages.access = 1"))


def test_every_problem_of_a_file_is_told_in_the_order_of_lines() -> None:
    error = refusal('[kms]\nport = 0\nprot = 1\n[pack]\nos = ["x", "y"]\ncloud = "moon"\n[nothing]\n')
    places = [line.split(": ")[:2] for line in str(error).splitlines()]
    assert places == [
        ["pack.toml:2", "kms.port"],
        ["pack.toml:3", "kms.prot"],
        ["pack.toml:5", "pack.os[0]"],
        ["pack.toml:5", "pack.os[1]"],
        ["pack.toml:6", "pack.cloud"],
        ["pack.toml:7", "nothing"],
    ]
    assert error.next_step == "Correct these 6 settings and run again."


def test_a_key_that_needs_quotes_gets_them() -> None:
    assert str(refusal('[kms]\n"a b\\n" = 1')).startswith("pack.toml:2: kms.'a b\\n': no such key")


@pytest.mark.parametrize(
    ("value", "shown", "secret"),
    [
        (
            "https://a.blob.core.windows.net/p?sv=2025-11-05&sig=c2VjcmV0",
            "https://a.blob.core.windows.net/p?…",
            "c2V",
        ),
        ("https://user:secret@a.net/p", "https://…@a.net/p", "secret"),
        ("sv=2025-11-05&sig=c2VjcmV0", "sv=2025-11-05&sig=…", "c2V"),
        ("AAAAA-BBBBB-CCCCC-DDDDD-EEEEE", "…-EEEEE", "AAAAA"),
    ],
)
def test_what_may_be_secret_is_not_repeated(value: str, shown: str, secret: str) -> None:
    message = str(refusal(f'packages.base-uri = "{value}"'))
    assert f"found '{shown}'" in message
    assert secret not in message


def test_a_long_value_is_cut() -> None:
    assert len(str(refusal(f'pack.prefix = "{"a" * 9999}"'))) < 300
