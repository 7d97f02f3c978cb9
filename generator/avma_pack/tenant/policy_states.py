"""Policy states as Policy Insights returns them: rows, queries on them, and summaries.

Shapes: specification 2019-10-01, stable, of policyStates. Ids come back in lower case, as the service writes them.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from avma_pack.tenant import odata
from avma_pack.tenant.arm import ArmError, ArmRequest
from avma_pack.tenant.effects import COMPLIANT, EXEMPT, NON_COMPLIANT
from avma_pack.tenant.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from avma_pack.tenant.engine import State
    from avma_pack.tenant.members import Member
    from avma_pack.tenant.world import World

_ARTEFACTS = {
    "policyassignments": "policyAssignmentId",
    "policydefinitions": "policyDefinitionId",
    "policysetdefinitions": "policySetDefinitionId",
}
_DAY = dt.timedelta(hours=24)
_REMEMBERED = 4


@dataclass(frozen=True, slots=True)
class StateRow:
    """One state; its JSON is made when it is asked for. `common` holds what all states by the member share."""

    common: Mapping[str, Any]
    engine: Engine
    key: str
    state: State

    def get(self, field: str) -> Any:
        """The value of a field."""
        return self.common[field] if field in self.common else _OWN[field](self)

    @property
    def identity(self) -> tuple[str, str]:
        """What tells the states of one machine apart: assignment and reference id."""
        return self.common["policyAssignmentId"], self.common["policyDefinitionReferenceId"]

    def to_json(self) -> dict[str, Any]:
        """The whole row."""
        return {**{name: read(self) for name, read in _OWN.items()}, **self.common}


def _location(row: StateRow) -> str:
    return str((row.engine.world.store.get(row.key) or {}).get("location", ""))


_OWN: dict[str, Callable[[StateRow], Any]] = {
    "timestamp": lambda row: row.state.timestamp,
    "resourceId": lambda row: row.key,
    "isCompliant": lambda row: row.state.state != NON_COMPLIANT,
    "complianceState": lambda row: row.state.state,
    "subscriptionId": lambda row: row.key.split("/")[2],
    "resourceType": lambda row: "Microsoft.Compute/virtualMachines",
    "resourceLocation": _location,
    "resourceGroup": lambda row: row.key.split("/")[4],
    "managementGroupIds": lambda row: ",".join(row.engine.places.of(row.key).management_groups),
}


def common_of(member: Member) -> dict[str, Any]:
    """What every state by a member says."""
    assignment, definition, target = member.assignment, member.definition, member.set_definition
    metadata = definition["properties"].get("metadata") or {}
    set_metadata = (target["properties"].get("metadata") or {}) if target else {}
    return {
        "policyAssignmentId": member.key[0],
        "policyDefinitionId": str(definition["id"]).lower(),
        "effectiveParameters": None,
        "resourceTags": "tbd",
        "policyAssignmentName": assignment["name"],
        "policyAssignmentOwner": "tbd",
        "policyAssignmentParameters": json.dumps(assignment["properties"].get("parameters") or {}),
        "policyAssignmentScope": member.key[0].rpartition("/providers/microsoft.authorization/")[0],
        "policyDefinitionName": definition["name"],
        "policyDefinitionAction": member.effect,
        "policyDefinitionCategory": str(metadata.get("category") or "tbd").lower(),
        "policySetDefinitionId": str(target["id"]).lower() if target else "",
        "policySetDefinitionName": target["name"] if target else "",
        "policySetDefinitionOwner": None,
        "policySetDefinitionCategory": str(set_metadata.get("category") or "").lower() if target else None,
        "policySetDefinitionParameters": None,
        "policyDefinitionReferenceId": member.key[1],
        "policyDefinitionGroupNames": list(member.groups),
        "policyDefinitionVersion": str(definition["properties"].get("version") or ""),
        "policySetDefinitionVersion": str(target["properties"].get("version") or "") if target else "",
        "policyAssignmentVersion": "",
    }


_COMMON = (
    "policyAssignmentId",
    "policyDefinitionId",
    "effectiveParameters",
    "resourceTags",
    "policyAssignmentName",
    "policyAssignmentOwner",
    "policyAssignmentParameters",
    "policyAssignmentScope",
    "policyDefinitionName",
    "policyDefinitionAction",
    "policyDefinitionCategory",
    "policySetDefinitionId",
    "policySetDefinitionName",
    "policySetDefinitionOwner",
    "policySetDefinitionCategory",
    "policySetDefinitionParameters",
    "policyDefinitionReferenceId",
    "policyDefinitionGroupNames",
    "policyDefinitionVersion",
    "policySetDefinitionVersion",
    "policyAssignmentVersion",
)
_FIELDS = (*_OWN, *_COMMON)


def rows(engine: Engine, scope: str) -> Iterator[StateRow]:
    """The states of all machines at or below a scope; that of a policy artefact selects its states."""
    base, field, artefact = _parsed(scope.lower().rstrip("/"))
    for standing in engine.standings():
        common = common_of(standing.member)
        if field and common[field] != artefact:
            continue
        for key, state in standing.states.items():
            if key == base or base in engine.places.of(key).scopes:
                yield StateRow(common, engine, key, state)


def query(world: World, request: ArmRequest) -> Sequence[StateRow | dict[str, Any]]:
    """The rows that a request's options select, in order. Paging asks for the same rows again: they are remembered.

    Raises:
        ArmError: 400, for an option that is malformed or not known here.
    """
    engine, options = Engine.of(world), _options(request)
    asked = (request.arm.scope.lower(), *sorted(options.items()), world.clock.now, engine.version)
    remembered: dict[Any, Sequence[StateRow | dict[str, Any]]] = world.extra.setdefault("policy states", {})
    if asked not in remembered:
        while len(remembered) >= _REMEMBERED:
            remembered.pop(next(iter(remembered)))
        remembered[asked] = _selected(engine, request.arm.scope, options)
    return remembered[asked]


def summary(found: Sequence[StateRow], uri: str) -> dict[str, Any]:
    """The summary of some states, by assignment and definition."""
    assignments = []
    for assignment_id, of_assignment in _grouped(found, "policyAssignmentId").items():
        uri_here = f"{uri} and PolicyAssignmentId eq '{assignment_id}'"
        definitions = []
        for own in _grouped(of_assignment, "policyDefinitionReferenceId", "policyDefinitionId").values():
            first = own[0]
            definitions.append(
                {
                    "policyDefinitionId": first.get("policyDefinitionId"),
                    "policyDefinitionReferenceId": first.get("policyDefinitionReferenceId"),
                    "policyDefinitionGroupNames": first.get("policyDefinitionGroupNames"),
                    "effect": first.get("policyDefinitionAction"),
                    "results": _results(
                        own, f"{uri_here} and PolicyDefinitionId eq '{first.get('policyDefinitionId')}'"
                    ),
                }
            )
        assignments.append(
            {
                "policyAssignmentId": assignment_id,
                "policySetDefinitionId": of_assignment[0].get("policySetDefinitionId"),
                "results": _results(of_assignment, uri_here, "policyDefinitionReferenceId", "policyDefinitionId"),
                "policyDefinitions": definitions,
                "policyGroups": [],
            }
        )
    return {"results": _results(found, uri, "policyAssignmentId"), "policyAssignments": assignments}


def _results(found: Sequence[StateRow], uri: str, *policy: str) -> dict[str, Any]:
    """How many resources, and how many policies told apart by some fields, are in which state: each in its worst."""
    resources = Counter(_worst(each) for each in _grouped(found, "resourceId").values())
    by_policy = _grouped(found, *policy) if policy else {}
    policies = Counter(_worst(each) for each in by_policy.values())
    definitions = _grouped(found, "policyAssignmentId", "policyDefinitionReferenceId", "policyDefinitionId").values()
    return {
        "queryResultsUri": uri,
        "nonCompliantResources": resources[NON_COMPLIANT],
        "nonCompliantPolicies": sum(_worst(each) == NON_COMPLIANT for each in definitions),
        "resourceDetails": _details(resources),
        "policyDetails": _details(policies),
        "policyGroupDetails": [],
    }


def _details(counted: Counter[str]) -> list[dict[str, Any]]:
    return [{"complianceState": state.lower(), "count": counted[state]} for state in sorted(counted)]


def _worst(found: Sequence[StateRow]) -> str:
    states = {each.state.state for each in found}
    return next((state for state in (NON_COMPLIANT, COMPLIANT) if state in states), EXEMPT)


def _grouped(found: Sequence[StateRow], *fields: str) -> dict[Any, list[StateRow]]:
    groups: dict[Any, list[StateRow]] = {}
    for row in found:
        key = row.get(fields[0]) if len(fields) == 1 else tuple(row.get(each) for each in fields)
        groups.setdefault(key, []).append(row)
    return groups


def _selected(engine: Engine, scope: str, options: Mapping[str, str]) -> Sequence[StateRow | dict[str, Any]]:
    found: list[Any] = list(_between(engine, rows(engine, scope), options))
    if "$filter" in options:
        matches = odata.compile_filter(options["$filter"], _FIELDS)
        found = [each for each in found if matches(each)]
    if "$apply" in options or "$orderby" in options:
        found = [each.to_json() for each in found]
    if "$apply" in options:
        found = odata.apply(options["$apply"], found, _FIELDS)
    if "$orderby" in options:
        found = odata.order(found, options["$orderby"])
    return found[: _number(options["$top"])] if "$top" in options else found


def _between(engine: Engine, found: Iterator[StateRow], options: Mapping[str, str]) -> Iterator[StateRow]:
    """The latest states between two moments: without them, of the last day."""
    end = _moment(options["$to"]) if "$to" in options else engine.world.clock.now
    start = _moment(options["$from"]) if "$from" in options else end - _DAY
    return (each for each in found if start <= _moment(each.state.timestamp) <= end)


def _parsed(scope: str) -> tuple[str, str, str]:
    """The scope proper, and the field and id of the policy artefact that it ends in, or ''."""
    base, mark, rest = scope.rpartition("/providers/microsoft.authorization/")
    kind = rest.split("/")[0]
    return (base, _ARTEFACTS[kind], scope) if mark and kind in _ARTEFACTS else (scope, "", "")


def _options(request: ArmRequest) -> dict[str, str]:
    known = ("$filter", "$apply", "$orderby", "$top", "$from", "$to")
    return {name: request.query[name] for name in known if name in request.query}


def _number(text: str) -> int:
    if not text.isdigit():
        raise ArmError(400, "InvalidQueryOption", f"The query option $top is not a number: '{text}'.")
    return int(text)


def _moment(text: str) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise ArmError(400, "InvalidQueryOption", f"'{text}' is not a date and time.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
