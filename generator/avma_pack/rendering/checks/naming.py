r"""Names, titles and versions.

Names of policy resources may not contain `<>*%&:\?.+/` or control characters, nor end with a period or a
space (learn.microsoft.com, Naming rules and restrictions for Azure resources, Microsoft.Authorization).
AzPolicyTest refuses any space in a name, and a display name with a blank at an end or a period at its end.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from avma_pack.rendering.checks.json_tree import as_object, as_text
from avma_pack.rendering.checks.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from avma_pack.rendering.checks.json_tree import JsonObject

CUSTOM_VERSION = "1.0.0"

_REFUSED = re.compile(r"[<>*%&:\\?.+/\s\x00-\x1f\x7f]")
_SEMVER = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?")
# 1.*.*, 1.2.*, or with the suffix that previews and deprecated definitions have.
_VERSION_PATTERN = re.compile(r"\d+\.(\d+|\*)\.\*(-preview|-deprecated)?")


def check_name(payload: JsonObject) -> Iterator[Problem]:
    """Check the resource name's characters."""
    name = as_text(payload.get("name"))
    if not name:
        yield Problem("name-characters", "name", "the resource has no name")
    refused = sorted(set(_REFUSED.findall(name)))
    if refused:
        message = f"the name '{name}' contains {' '.join(map(repr, refused))}, which a policy's name may not"
        yield Problem("name-characters", "name", message)


def check_titles(properties: JsonObject) -> Iterator[Problem]:
    """Check that there are a display name and a description, and how the display name begins and ends."""
    title = as_text(properties.get("displayName"))
    for member in ("displayName", "description"):
        if not as_text(properties.get(member)).strip():
            yield Problem("title-missing", f"properties.{member}", f"the {member} is missing or blank")
    if title != title.strip():
        message = f"the display name '{title}' begins or ends with a blank"
        yield Problem("display-name-blank", "properties.displayName", message)
    if title.rstrip().endswith("."):
        message = f"the display name '{title}' ends with a period"
        yield Problem("display-name-period", "properties.displayName", message)


def check_version(properties: JsonObject) -> Iterator[Problem]:
    """Check category and versions.

    Portals show `metadata.version`. `properties.version` is 1.0.0 for ever: Azure stamps that where it is absent, has
    one version of a custom definition, and answers InvalidVersionIdentifier where it is to change (azure-cli#33890).
    """
    metadata = as_object(properties.get("metadata"))
    if not as_text(metadata.get("category")).strip():
        yield Problem("category-missing", "properties.metadata.category", "metadata has no category")
    version = metadata.get("version")
    if not _SEMVER.fullmatch(as_text(version)):
        message = f"the version is {version!r}, expected a semantic version such as '1.2.3'"
        yield Problem("version-semver", "properties.metadata.version", message)
    if properties.get("version") != CUSTOM_VERSION:
        message = f"the version is {properties.get('version')!r}; Azure keeps {CUSTOM_VERSION} for custom definitions"
        yield Problem("version-fixed", "properties.version", message)


def version_matches(pattern: object, version: str) -> bool:
    """Tell whether a definition version pattern, such as `1.*.*`, stands for a version."""
    text = as_text(pattern)
    if not _VERSION_PATTERN.fullmatch(text):
        return False
    numbers, _, suffix = text.partition("-")
    actual, _, actual_suffix = version.partition("-")
    pairs = zip(numbers.split("."), actual.split("."), strict=False)
    return suffix == actual_suffix and all(ours in {"*", theirs} for ours, theirs in pairs)
