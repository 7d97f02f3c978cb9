"""Names, titles and versions."""

from __future__ import annotations

import pytest

from avma_pack.rendering.checks import check_definition
from avma_pack.rendering.checks.naming import check_name, version_matches


def problems(payload: dict) -> set[tuple[str, str]]:
    return {(problem.check, problem.where) for problem in check_definition(payload)}


@pytest.mark.parametrize("name", ["avma-pack-audit-ws2019", "11111111-1111-1111-1111-111111111111", "a_b(c)"])
def test_names_that_azure_takes(name: str) -> None:
    assert list(check_name({"name": name})) == []


@pytest.mark.parametrize("character", "<>*%&:\\?.+/ \t\x07\x7f")
@pytest.mark.parametrize("form", ["a{}b", "a{}"])
def test_names_that_azure_refuses(character: str, form: str) -> None:
    (problem,) = check_name({"name": form.format(character)})
    assert problem.check == "name-characters"
    assert repr(character) in problem.message


@pytest.mark.parametrize(
    ("title", "check"),
    [
        (" Sample", "display-name-blank"),
        ("Sample ", "display-name-blank"),
        ("Sample.", "display-name-period"),
        ("  ", "title-missing"),
        (None, "title-missing"),
    ],
)
def test_display_names(audit: dict, title: str | None, check: str) -> None:
    audit["properties"]["displayName"] = title
    assert (check, "properties.displayName") in problems(audit)


def test_a_description_is_needed(audit: dict) -> None:
    del audit["properties"]["description"]
    assert problems(audit) == {("title-missing", "properties.description")}


@pytest.mark.parametrize("version", ["1.2", "1.2.3.4", "v1.2.3", "01.2.3", "1.2.3-", "", 1, None])
def test_versions_are_semantic(audit: dict, version: object) -> None:
    audit["properties"]["metadata"]["version"] = version
    assert problems(audit) == {("version-semver", "properties.metadata.version")}


@pytest.mark.parametrize("version", ["0.1.0", "1.0.0-preview", "10.20.30-rc.1"])
def test_versions_that_are_semantic(audit: dict, version: str) -> None:
    audit["properties"]["metadata"]["version"] = version
    assert problems(audit) == set()


@pytest.mark.parametrize("version", ["1.2.0", "2.0.0", None])
def test_azure_keeps_one_version_of_a_custom_definition(audit: dict, version: object) -> None:
    audit["properties"]["version"] = version
    assert problems(audit) == {("version-fixed", "properties.version")}


@pytest.mark.parametrize(
    ("pattern", "version", "expected"),
    [
        ("1.*.*", "1.2.3", True),
        ("1.2.*", "1.2.3", True),
        ("1.3.*", "1.2.3", False),
        ("2.*.*", "1.2.3", False),
        ("1.*.*-preview", "1.2.3-preview", True),
        ("1.*.*", "1.2.3-preview", False),
        ("1.*", "1.2.3", False),
        (None, "1.2.3", False),
    ],
)
def test_version_patterns(pattern: object, version: str, expected: bool) -> None:
    assert version_matches(pattern, version) is expected
