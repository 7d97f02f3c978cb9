"""The truth table of the DSC module, run against its Python model."""

from __future__ import annotations

import json
import re
from functools import cache

import pytest

from avma_pack import assets
from avma_pack.catalog import load_catalog
from avma_pack.guest import Failure, GuestPackage, Machine, WindowsActivationChannel, read_package
from avma_pack.packaging.build import build_packages

SCENARIOS = json.loads((assets.packages() / "AvmaActivation" / "tests" / "scenarios.json").read_text(encoding="utf-8"))
VERSION = "1.2.3"
RECORD = "HKLM:\\SOFTWARE\\avma-pack"
FULL_KEY = re.compile(r"(?:[A-Z0-9]{5}-){4}[A-Z0-9]{5}", re.IGNORECASE)
FIELD = re.compile(r"\{[A-Za-z]+\}")
CODE = "WindowsActivationChannel:WindowsActivationChannel:"


@cache
def package(package_type: str, os_ids: tuple[str, ...]) -> GuestPackage:
    catalog = load_catalog()
    built = build_packages(catalog, catalog.select(os_ids), version=VERSION, suffix="")
    return read_package(next(each.content for each in built if each.type == package_type))


def resource(scenario: dict, machine: Machine) -> WindowsActivationChannel:
    os_ids = scenario["package"]["os"]
    chosen = () if os_ids == "all" else (os_ids,) if isinstance(os_ids, str) else tuple(os_ids)
    found = package(scenario["package"]["type"], chosen)
    return WindowsActivationChannel(found, machine, scenario["parameters"])


def says_nothing_secret(text: str) -> bool:
    return not FULL_KEY.search(text) and not FIELD.search(text) and len(text.encode()) < 2048


def check(scenario: dict, machine: Machine, expect: dict) -> None:
    assert resource(scenario, machine).test() is expect["test"]
    reasons = resource(scenario, machine).get()
    assert [code.removeprefix(CODE) for code, _ in reasons] == expect["reasons"]
    assert all(says_nothing_secret(phrase) for _, phrase in reasons)
    assert machine.calls == []
    if "set" in expect:
        check_set(scenario, machine, expect)
    machine.calls.clear()
    if "after" in expect:
        check(scenario, machine, expect["after"])


def check_set(scenario: dict, machine: Machine, expect: dict) -> None:
    wanted = expect["set"]
    dsc = resource(scenario, machine)
    error = None
    try:
        dsc.set()
    except Failure as failure:
        error = str(failure)
    assert machine.calls == wanted["calls"]
    if wanted["error"] is None:
        assert error is None
    else:
        assert error is not None
        assert wanted["error"].lower() in error.lower()
        assert says_nothing_secret(error)
    written = {"PackVersion": VERSION} if wanted["calls"] else {}
    expected = written | wanted.get("record", {})
    assert {name: machine.get_item_property_value(RECORD, name) for name in expected} == expected
    # Set warns exactly when it stands back: it was asked to change something, did not, and did not fail.
    assert bool(dsc.warnings) is (not expect["test"] and not wanted["calls"] and error is None)
    assert all(says_nothing_secret(warning) for warning in dsc.warnings)


@pytest.mark.parametrize("scenario", [pytest.param(each, id=each["id"]) for each in SCENARIOS])
def test_the_model_agrees_with_the_truth_table(scenario):
    machine = Machine(scenario["machine"], scenario.get("methods"))
    expect = scenario["expect"]
    if isinstance(expect["test"], dict):
        with pytest.raises(ValueError, match=re.escape(expect["test"]["error"])):
            resource(scenario, machine)
    else:
        check(scenario, machine, expect)
