"""The three public checks: a good pack is clean, and no damage makes a check fail instead of report."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from avma_pack.rendering.checks import Problem, check_assignment, check_definition, check_initiative

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def paths(tree: object, prefix: tuple = ()) -> Iterator[tuple]:
    children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, child in children:
        yield (*prefix, key)
        yield from paths(child, (*prefix, key))


def damaged(payload: dict) -> Iterator[dict]:
    for path in list(paths(payload)):
        for wrong in (None, 7, "[parameters('", [7], {"x": [None]}):
            copied: Any = copy.deepcopy(payload)
            place = copied
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = wrong
            yield copied


def test_a_good_pack_has_no_problems(
    audit: dict, remediate: dict, initiative: dict, assignment: dict, definitions: dict
) -> None:
    assert check_definition(audit) == []
    assert check_definition(remediate) == []
    assert check_initiative(initiative, definitions) == []
    assert check_assignment(assignment, initiative, definitions) == []


def test_payloads_are_not_changed(remediate: dict, initiative: dict, assignment: dict, definitions: dict) -> None:
    before = copy.deepcopy((remediate, initiative, assignment))
    check_definition(remediate)
    check_initiative(initiative, definitions)
    check_assignment(assignment, initiative, definitions)
    assert (remediate, initiative, assignment) == before


def test_damaged_definitions_are_reported_not_raised(remediate: dict) -> None:
    for payload in damaged(remediate):
        assert all(isinstance(problem, Problem) for problem in check_definition(payload))


def test_damaged_initiatives_are_reported_not_raised(initiative: dict, assignment: dict, definitions: dict) -> None:
    for payload in damaged(initiative):
        check_initiative(payload, definitions)
        check_assignment(assignment, payload, definitions)


def test_damaged_assignments_are_reported_not_raised(initiative: dict, assignment: dict, definitions: dict) -> None:
    for payload in damaged(assignment):
        check_assignment(payload, initiative, definitions)


@pytest.mark.parametrize("check", [check_definition, lambda payload: check_initiative(payload, {})])
def test_an_empty_payload_is_full_of_problems(check: Callable[[dict], list[Problem]]) -> None:
    found = {problem.check for problem in check({})}
    assert {
        "resource-type",
        "name-characters",
        "title-missing",
        "version-semver",
        "category-missing",
    } <= found


def test_a_problem_reads_as_one_line() -> None:
    problem = Problem("some-check", "properties.policyRule.if", "it is wrong")
    assert str(problem) == "properties.policyRule.if: it is wrong (some-check)"
