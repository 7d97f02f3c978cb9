"""What can be known of the DSC module without PowerShell: syntax, manifest, wording, and its truth table's shape.

Only runs on PowerShell are evidence of what it does: `packages/AvmaActivation/tests/AvmaActivation.Tests.ps1`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import pytest
import tree_sitter
import tree_sitter_powershell

from avma_pack import assets
from avma_pack.catalog import load_catalog
from shared_facts import SHARED, needs_shared

MODULE = assets.packages() / "AvmaActivation"
SOURCE = (MODULE / "AvmaActivation.psm1").read_text(encoding="ascii")
REASONS: list[dict[str, Any]] = json.loads((MODULE / "reasons.json").read_text(encoding="ascii"))
HRESULTS: list[dict[str, Any]] = json.loads((MODULE / "hresults.json").read_text(encoding="ascii"))
# Part of a checkout, not of a wheel.
TESTS = MODULE / "tests"
SCENARIOS: list[dict[str, Any]] = json.loads((TESTS / "scenarios.json").read_text(encoding="utf-8"))

FINDINGS = (
    *("QueryFailed", "WindowsClient", "OutOfScope", "AvmaKeyInstalled", "NoProductKey", "UnsupportedChannel"),
    *("NotActivated", "NoAvmaKey", "KmsClientKeyInstalled", "WindowsActivated"),
)
BLOCKERS = (
    *(
        "NotAzureVirtualMachine",
        "EvaluationEdition",
        "NoKmsClientKey",
        "OtherKeyKept",
        "ActivationTypeBlocksKms",
    ),
    *("KmsUnreachable", "LastAttemptFailed"),
)
FULL_KEY = re.compile(r"\b([A-Z0-9]{5}-){4}[A-Z0-9]{5}\b")


def _powershell_files() -> list[Any]:
    files = [file for file in MODULE.rglob("*.ps*1") if file.suffix in {".psm1", ".psd1", ".ps1"}]
    return [pytest.param(file, id=file.name) for file in sorted(files)]


@pytest.mark.parametrize("file", _powershell_files())
def test_powershell_parses(file: Any) -> None:
    tree = _parse(file.read_text(encoding="ascii"))
    assert [_place(node) for node in _nodes(tree.root_node) if node.type == "ERROR" or node.is_missing] == []


def _parse(source: str) -> tree_sitter.Tree:
    """The grammar takes some right attributes for errors, so lines that hold nothing else are blanked."""
    blanked = re.sub(
        r"^[ \t]*\[(?:DscResource|Validate\w+|Diagnostics\.CodeAnalysis\.\w+)\(.*\)\]$",
        lambda line: " " * len(line[0]),
        source,
        flags=re.MULTILINE,
    )
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
    return parser.parse(blanked.encode())


def _nodes(node: tree_sitter.Node) -> list[tree_sitter.Node]:
    found, todo = [], [node]
    while todo:
        found.append(todo.pop())
        todo.extend(found[-1].children)
    return found


def _place(node: tree_sitter.Node) -> str:
    return f"line {node.start_point.row + 1}: {(node.text or b'')[:80]!r}"


def test_a_broken_module_would_be_found() -> None:
    assert _parse(SOURCE.replace("{", "", 1)).root_node.has_error


def test_every_function_that_is_called_is_there_and_every_one_there_is_called() -> None:
    defined = Counter(re.findall(r"^function ([\w-]+)$", SOURCE, re.MULTILINE))
    called = {name for name, _ in _commands()}
    cmdlets = {
        *(
            "Set-StrictMode",
            "Get-CimInstance",
            "Invoke-CimMethod",
            "Get-ItemPropertyValue",
            "Set-ItemProperty",
        ),
        *(
            "Test-Path",
            "New-Item",
            "Get-Date",
            "Start-Sleep",
            "Write-Warning",
            "Select-Object",
            "ForEach-Object",
        ),
        *("Join-Path", "ConvertFrom-Json", "New-Object"),
    }
    assert called - cmdlets == set(defined)
    assert cmdlets <= called
    assert set(defined.values()) == {1}


def test_every_argument_is_a_parameter_of_the_function() -> None:
    parameters = {
        name: set(re.findall(r"\$(\w+)", block))
        for name, block in re.findall(r"^function ([\w-]+)\n\{.*?param\s*\((.*?)\)\n", SOURCE, re.DOTALL | re.MULTILINE)
    }
    common = {"ErrorAction"}
    checked = 0
    for name, arguments in _commands():
        if name in parameters:
            assert arguments <= parameters[name] | common, name
            checked += 1
    assert checked > 50


def _commands() -> list[tuple[str, set[str]]]:
    """Every command in the module: its name and the names of the arguments that it is given."""
    tree = _parse(SOURCE)
    return [
        (
            (command.child_by_field_name("command_name") or command.children[0]).text.decode(),
            {
                node.text.decode().removeprefix("-").rstrip(":")
                for element in command.children
                for node in ([element] if element.type == "command_parameter" else element.children)
                if node.type == "command_parameter"
            },
        )
        for command in _nodes(tree.root_node)
        if command.type == "command"
    ]


def test_the_machine_is_touched_in_one_region_only() -> None:
    head, machine = SOURCE.split("#region The machine")
    assert "Get-CimInstance" not in head
    assert "Get-ItemPropertyValue" not in head
    assert head.count("Invoke-CimMethod") == head.count("Set-ItemProperty") == 1
    assert "Invoke-CimMethod" not in machine


def test_the_resource_is_not_hidden_by_the_manifest() -> None:
    """Measured on PowerShell 7.4: with all three lists set to @(), Invoke-DscResource does not find the resource."""
    manifest = (MODULE / "AvmaActivation.psd1").read_text(encoding="ascii")
    assert "AliasesToExport  " not in manifest
    assert "DscResourcesToExport = @('WindowsActivationChannel')" in manifest


def test_no_key_and_no_trailing_blank_in_the_module() -> None:
    assert not FULL_KEY.search(SOURCE)
    assert not re.search(r"[ \t]$", SOURCE, re.MULTILINE)
    assert max(map(len, SOURCE.splitlines())) <= 120


def test_reasons_are_the_findings_and_then_the_blockers() -> None:
    assert [reason["id"] for reason in REASONS] == [*FINDINGS, *BLOCKERS]
    for reason in REASONS:
        assert set(reason) == {"id", "kind", "compliant", "phrase", "fix"}
        assert reason["kind"] == ("finding" if reason["id"] in FINDINGS else "blocker")


def test_the_module_uses_every_reason_and_no_other() -> None:
    quoted = set(re.findall(r"'([A-Z]\w+)'", SOURCE))
    assert {*FINDINGS, *BLOCKERS} <= quoted


def test_phrases_use_known_fields_and_stay_far_below_azures_limit() -> None:
    block = SOURCE.split("function Get-PhraseField")[1].split("return $field")[0]
    fields = set(re.findall(r"^\s{8}(\w+)\s+=", block, re.MULTILINE))
    for reason in REASONS:
        used = set(re.findall(r"\{(\w+)\}", reason["phrase"]))
        assert used <= fields
        assert len(reason["phrase"]) < 800
        assert len(reason["fix"]) < 200
    used_anywhere = {field for reason in REASONS for field in re.findall(r"\{(\w+)\}", reason["phrase"])}
    assert fields == used_anywhere


def test_times_in_phrases_are_those_of_the_module() -> None:
    assert "$script:QueryTimeoutSeconds = 15" in SOURCE
    assert "within 15 seconds" in REASONS[0]["phrase"]
    assert "$script:ProbeTimeoutMilliseconds = 5000" in SOURCE
    unreachable = next(reason for reason in REASONS if reason["id"] == "KmsUnreachable")
    assert "within 5 seconds" in unreachable["phrase"]


@needs_shared
def test_every_activation_error_of_the_facts_has_a_meaning() -> None:
    facts = json.loads((SHARED / "facts/activation_errors.json").read_text(encoding="utf-8"))
    codes = {code for fact in facts for code in fact["code"].split(" / ")}
    known = [entry["code"] for entry in HRESULTS]
    assert codes <= set(known)
    assert len(known) == len(set(known))
    for entry in HRESULTS:
        assert re.fullmatch(r"0x[0-9A-F]{8}", entry["code"])
        assert entry["meaning"]
        assert entry["source"]


def test_scenarios_have_unique_ids_and_known_reasons() -> None:
    ids = [scenario["id"] for scenario in SCENARIOS]
    assert len(ids) == len(set(ids))
    order = {name: place for place, name in enumerate([*FINDINGS, *BLOCKERS])}
    for scenario in SCENARIOS:
        for expected in (scenario["expect"], scenario["expect"].get("after")):
            if expected and "reasons" in expected:
                places = [order[reason] for reason in expected["reasons"]]
                assert places == sorted(places), scenario["id"]
        assert scenario["package"]["type"] == "AuditAndSet" or "set" not in scenario["expect"], scenario["id"]


def _machines(os_id: str, edition: str) -> list[str]:
    """Scenarios of a machine with this release and edition that has an AVMA key."""
    (release,) = load_catalog().select([os_id])
    skus = {str(entry.sku) for each in release.editions if each.name == edition for entry in each.skus}
    return [
        scenario["id"]
        for scenario in SCENARIOS
        for system in _rows(scenario, "Win32_OperatingSystem")
        if system.get("BuildNumber") in map(str, release.builds)
        and str(system.get("OperatingSystemSKU")) in skus
        and any(
            "VIRTUAL_MACHINE_ACTIVATION" in row["Description"] for row in _rows(scenario, "SoftwareLicensingProduct")
        )
    ]


def _rows(scenario: dict[str, Any], name: str) -> list[dict[str, Any]]:
    rows = scenario["machine"]["cim"].get(name, [])
    return rows if isinstance(rows, list) else rows.get("instances", [])


@pytest.mark.parametrize(
    ("os_id", "edition"),
    [(release.id, edition.name) for release in load_catalog().releases for edition in release.editions],
)
def test_the_truth_table_has_an_avma_machine_of_every_edition(os_id: str, edition: str) -> None:
    assert _machines(os_id, edition)


def test_the_truth_table_has_every_reason_error_and_value() -> None:
    reasons = {reason for scenario in SCENARIOS for reason in scenario["expect"].get("reasons", [])}
    assert reasons == {*FINDINGS, *BLOCKERS}
    outcomes = [
        outcome
        for scenario in SCENARIOS
        for outcome in scenario.get("methods", {}).get("SoftwareLicensingProduct.Activate", [])
    ]
    codes = {outcome["hresult"].upper() for outcome in outcomes if "hresult" in outcome}
    codes |= {f"0X{outcome['returns']:08X}" for outcome in outcomes if outcome.get("returns")}
    known = {
        entry["code"].upper() for entry in HRESULTS if not entry["source"].startswith("learn.microsoft.com/windows")
    }
    assert known <= codes
    chosen = {(name, value) for scenario in SCENARIOS for name, value in scenario.get("parameters", {}).items()}
    for name, values in {
        "ActivationPolicy": ("NoAvma", "AvmaReplaced", "KmsClientOnly", "Activated"),
        "KmsProbe": ("WhenLicensed", "Always", "Never"),
        "ReplaceOtherKeys": ("No", "Yes"),
    }.items():
        assert {(name, value) for value in values} <= chosen
