"""Azure's limits: what fits exactly passes, one more is named with its size and the limit."""

from __future__ import annotations

import pytest

from avma_pack.rendering.checks import Problem, check_assignment, check_definition, check_initiative

RULE = "properties.policyRule"
SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000000"


def of(problems: list[Problem], check: str) -> Problem | None:
    return next((problem for problem in problems if problem.check == check), None)


@pytest.mark.parametrize(
    ("member", "check", "limit"),
    [("displayName", "display-name-length", 128), ("description", "description-length", 512)],
)
def test_lengths_of_titles(audit: dict, member: str, check: str, limit: int) -> None:
    audit["properties"][member] = "x" * limit
    assert check_definition(audit) == []
    audit["properties"][member] = "x" * (limit + 1)
    message = f"the {member} '{'x' * 80}…' has {limit + 1} characters, Azure's limit is {limit}"
    assert check_definition(audit) == [Problem(check, f"properties.{member}", message)]


def test_length_of_a_name(audit: dict) -> None:
    del audit["id"]
    audit["name"] = "x" * 64
    assert check_definition(audit) == []
    audit["name"] = "x" * 65
    assert of(check_definition(audit), "name-length") is not None


def test_length_of_an_assignment_name(assignment: dict, initiative: dict, definitions: dict) -> None:
    assignment["name"] = "x" * 24
    assert of(check_assignment(assignment, initiative, definitions), "name-length") is None
    assignment["name"] = "x" * 25
    assert of(check_assignment(assignment, initiative, definitions), "name-length") is not None


def test_number_of_parameters_of_a_definition(audit: dict) -> None:
    parameters = audit["properties"]["parameters"]
    spare = {f"p{index}": parameters["KmsPort"] for index in range(20 - len(parameters))}
    parameters |= spare
    assert of(check_definition(audit), "parameter-count") is None
    parameters["one-more"] = parameters["KmsPort"]
    problem = of(check_definition(audit), "parameter-count")
    assert problem is not None
    assert problem.message == "the definition has 21 parameters, Azure's limit is 20"


def test_numbers_of_an_initiative(initiative: dict, definitions: dict) -> None:
    parameters, members = (
        initiative["properties"]["parameters"],
        initiative["properties"]["policyDefinitions"],
    )
    parameters |= {f"p{index}": parameters["KmsServer"] for index in range(300 - len(parameters))}
    members += [members[0]] * (1000 - len(members))
    problems = check_initiative(initiative, definitions)
    assert of(problems, "parameter-count") is None
    assert of(problems, "member-count") is None
    parameters["one-more"] = parameters["KmsServer"]
    members.append(members[0])
    problems = check_initiative(initiative, definitions)
    assert of(problems, "parameter-count") is not None
    assert of(problems, "member-count") is not None


def test_number_of_excluded_scopes(assignment: dict, initiative: dict, definitions: dict) -> None:
    assignment["properties"]["notScopes"] = [SUBSCRIPTION] * 400
    assert check_assignment(assignment, initiative, definitions) == []
    assignment["properties"]["notScopes"].append(SUBSCRIPTION)
    assert of(check_assignment(assignment, initiative, definitions), "not-scopes") is not None


def test_size_of_the_body(audit: dict) -> None:
    audit["properties"]["metadata"]["note"] = "ä" * (1_048_576 // 6)
    problem = of(check_definition(audit), "body-size")
    assert problem is not None
    assert problem.message.endswith("bytes, Azure's limit is 1048576")
    audit["properties"]["metadata"]["note"] = "ä" * 100_000
    assert check_definition(audit) == []


def leaves(count: int) -> list[dict]:
    return [{"field": "tags['a']", "equals": str(index)} for index in range(count)]


def test_numbers_of_conditions(audit: dict) -> None:
    rule = audit["properties"]["policyRule"]
    existence = rule["then"]["details"]["existenceCondition"]["allOf"]
    rule["if"]["allOf"] += leaves(4096 - len(rule["if"]["allOf"]))
    existence += leaves(128 - len(existence))
    assert check_definition(audit) == []
    rule["if"]["allOf"] += leaves(1)
    existence += leaves(1)
    assert {problem.check for problem in check_definition(audit)} == {"if-conditions", "then-conditions"}


def test_number_of_nested_conditionals(audit: dict) -> None:
    rule = audit["properties"]["policyRule"]
    rule["if"]["allOf"] += [{"not": leaf} for leaf in leaves(511)]
    assert check_definition(audit) == []
    rule["if"]["allOf"] += [{"not": leaf} for leaf in leaves(1)]
    assert [problem.check for problem in check_definition(audit)] == ["nested-conditionals"]


def test_numbers_of_functions(audit: dict) -> None:
    condition = audit["properties"]["policyRule"]["if"]["allOf"][1]
    many = ", ".join(["'x'"] * 128)
    deep = f"{'toLower(' * 64}'x'{')' * 64}"
    for good in (f"[concat({many})]", f"[{deep}]"):
        condition["exists"] = good
        assert check_definition(audit) == []
    for bad, check in (
        (f"[concat({many}, 'x')]", "function-parameters"),
        (f"[toLower({deep})]", "function-depth"),
    ):
        condition["exists"] = bad
        assert [(problem.check, problem.where) for problem in check_definition(audit)] == [
            (check, f"{RULE}.if.allOf[1].exists")
        ]


def test_number_of_functions_of_the_rule(audit: dict) -> None:
    conditions = audit["properties"]["policyRule"]["if"]["allOf"]
    already = 9
    conditions += [{"value": "[toLower('a')]", "equals": "x"}] * (2048 - already)
    assert check_definition(audit) == []
    conditions.append({"value": "[toLower('a')]", "equals": "x"})
    assert [problem.check for problem in check_definition(audit)] == ["function-count"]
