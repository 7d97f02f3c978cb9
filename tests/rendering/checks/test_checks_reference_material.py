"""What the checks find in definitions of others, where it is known what there is to find."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from avma_pack.rendering.checks import check_definition, check_initiative
from avma_pack.rendering.checks.linter import RULES
from shared_facts import SHARED, needs_shared

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = needs_shared

REFERENCE = SHARED / "reference"
DEFINITIONS = sorted(path for path in REFERENCE.glob("*/*.json") if not path.name.endswith("_initiative.json"))
IF = "properties.policyRule.if"
EFFECT = "properties.policyRule.then.effect"


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8-sig"))


def findings(name: str) -> Counter[str]:
    return Counter(problem.check for problem in check_definition(read(REFERENCE / name)))


@pytest.mark.parametrize("path", DEFINITIONS, ids=lambda path: path.stem)
def test_what_azure_takes_is_well_formed(path: Path) -> None:
    # These are deployed everywhere: no finding may say that Azure could not read or run one.
    found = {problem.check for problem in check_definition(read(path))}
    opinions = RULES.keys() - {"all-parameter-references-must-resolve"}
    ours = {
        "resource-type",  # the files have no type
        "effect-includes-disabled",
        "if-not-exists-delay",
        "existence-content-hash",
        "version-semver",
        "version-fixed",
        "display-name-period",
    }
    assert found <= opinions | ours


@pytest.mark.parametrize("name", ["apply-and-autocorrect.json", "audit-with-arc-and-vmss.json"])
def test_the_generator_repeats_equals_on_the_type(name: str) -> None:
    problems = check_definition(read(REFERENCE / "generated" / name))
    places = {(problem.check, problem.where) for problem in problems}
    assert ("simplify-multiple-equals-to-in", f"{IF}.anyOf[0].allOf[0]") in places
    assert ("policy-rule-references-multiple-resource-types", IF) in places
    types = next(p for p in problems if p.check == "policy-rule-references-multiple-resource-types")
    assert "Microsoft.Compute/virtualMachines, Microsoft.Compute/virtualMachineScaleSets" in types.message


def test_the_generator_hard_codes_the_effect() -> None:
    problems = check_definition(read(REFERENCE / "generated/apply-and-autocorrect.json"))
    hard_coded = [p for p in problems if p.check == "hard-coded-policy-enforcement-effect"]
    assert [(p.where, "deployIfNotExists" in p.message) for p in hard_coded] == [(EFFECT, True)]


def test_the_generator_does_not_ask_for_the_content_hash() -> None:
    for path in (REFERENCE / "generated").glob("*.json"):
        assert findings(f"generated/{path.name}")["existence-content-hash"] == 1


def test_the_generator_sets_no_version_and_no_delay() -> None:
    for path in (REFERENCE / "generated").glob("*.json"):
        found = findings(f"generated/{path.name}")
        assert found["version-fixed"] == found["if-not-exists-delay"] == 1


@pytest.mark.parametrize("name", ["ConfigureWinREStatus_DINE", "SetSecureProtocol_DINE"])
def test_built_ins_that_deploy_by_default(name: str) -> None:
    assert findings(f"built-in/{name}.json")["risky-effect-parameter-default-value"] == 1


@pytest.mark.parametrize("name", ["AddSystemIdentityWhenNone_Prerequisite", "DeployExtensionWindows_Prerequisite"])
def test_the_prerequisites_hard_code_the_effect(name: str) -> None:
    assert findings(f"built-in/{name}.json")["hard-coded-policy-enforcement-effect"] == 1


@pytest.mark.parametrize("path", DEFINITIONS, ids=lambda path: path.stem)
def test_a_filter_on_the_image_is_of_several_types(path: Path) -> None:
    text = path.read_text(encoding="utf-8-sig")
    found = findings(f"{path.parent.name}/{path.name}")
    if "Microsoft.Compute/imagePublisher" in text:
        assert found["policy-rule-references-multiple-resource-types"] >= 1


def test_the_prerequisites_initiative() -> None:
    built_in = [read(path) for path in DEFINITIONS if path.parent.name == "built-in"]
    definitions = {definition["name"]: definition for definition in built_in}
    initiative = read(REFERENCE / "built-in/Prerequisites_initiative.json")
    problems = {(problem.check, problem.where) for problem in check_initiative(initiative, definitions)}
    # The definition for Linux is not among the files.
    assert problems == {
        ("resource-type", "type"),
        ("initiative-member-unknown", "properties.policyDefinitions[3].policyDefinitionId"),
    }
