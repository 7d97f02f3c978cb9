"""What deployIfNotExists and modify do to a machine, with the permissions that the assignment's identity has.

https://learn.microsoft.com/azure/governance/policy/concepts/effect-deploy-if-not-exists and effect-modify.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from avma_pack.rules import RuleError, Scope, evaluate
from avma_pack.tenant.authorization import ROLE_ASSIGNMENTS, ROLES
from avma_pack.tenant.effects import is_registered
from avma_pack.tenant.guest_assignments import new_assignment
from avma_pack.tenant.resource_types import EXTENSION, GUEST_ASSIGNMENT, VIRTUAL_MACHINE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from avma_pack.tenant.authorization import Role
    from avma_pack.tenant.members import Member
    from avma_pack.tenant.reach import Place
    from avma_pack.tenant.store import Resource
    from avma_pack.tenant.world import World

_ROLE_MARK = f"/providers/{ROLE_ASSIGNMENTS.lower()}/"
_ROLES = {role.id: role for role in ROLES}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a deployment failed, as Azure would put it."""

    code: str
    message: str

    def to_json(self) -> dict[str, str]:
        """The error of a deployment."""
        return {"code": self.code, "message": self.message}


def is_allowed(world: World, principal: str, resource_type: str, key: str, place: Place) -> bool:
    """Whether an identity may write a type of resource on a machine: by a role here or at a scope above."""
    action = f"{resource_type}/write".lower()
    for role_key, assignment in world.store.all(ROLE_ASSIGNMENTS).items():
        properties = assignment["properties"]
        scope = role_key.rpartition(_ROLE_MARK)[0]
        if str(properties.get("principalId", "")).lower() != principal.lower():
            continue
        role = _ROLES.get(str(properties["roleDefinitionId"]).lower().rpartition("/")[2])
        if role and (scope == key or scope in place.scopes) and _grants(role, action):
            return True
    return False


def deploy(world: World, member: Member, machine: Resource, place: Place, scope: Scope) -> Problem | list[Resource]:
    """Run the template of a deployIfNotExists member for a machine; the resources that it brought."""
    deployment = member.details["deployment"]["properties"]
    template = deployment["template"]
    given = {name: each.get("value") for name, each in evaluate(deployment.get("parameters") or {}, scope).items()}
    defaults = {
        name: evaluate(each["defaultValue"], Scope(parameters=given))
        for name, each in (template.get("parameters") or {}).items()
        if "defaultValue" in each
    }
    inner = Scope(
        parameters=defaults | given,
        resource_group=place.resource_group,
        subscription=place.subscription,
        utc_now=world.clock.now,
    )
    made: list[Resource] = []
    for written in template["resources"]:
        if evaluate(written.get("condition", True), inner) is not True:
            continue
        resource = evaluate({name: value for name, value in written.items() if name != "condition"}, inner)
        outcome = _resource(world, member, machine, place, resource)
        if isinstance(outcome, Problem):
            return outcome
        made.append(outcome)
    for each in made:
        world.store.put(each)
    return made


def modify(
    world: World, member: Member, machine: Resource, place: Place, scope: Scope, *, in_request: bool = False
) -> Problem | list[Resource]:
    """Run the operations of a modify member on a machine. In a request it is the caller that needs permission."""
    key = str(machine["id"]).lower()
    if not in_request and not is_allowed(world, member.principal, VIRTUAL_MACHINE, key, place):
        return _unauthorized(member, VIRTUAL_MACHINE, key)
    changed = deepcopy(machine)
    for operation in member.details["operations"]:
        if evaluate(operation.get("condition", True), scope) is True:
            _operate(changed, operation, evaluate(operation.get("value"), scope))
    _complete_identity(world, changed)
    world.store.put(changed)
    return [changed]


def _resource(
    world: World, member: Member, machine: Resource, place: Place, resource: Mapping[str, Any]
) -> Problem | Resource:
    """One resource of a template, by the path that its type and name make."""
    pairs = list(zip(str(resource["type"]).split("/")[1:], str(resource["name"]).split("/"), strict=True))
    path = "/".join([str(resource["type"]).split("/")[0], *(f"{kind}/{name}" for kind, name in pairs)])
    kind = str(resource["type"]).lower()
    known = {f"{VIRTUAL_MACHINE}/providers/guestConfigurationAssignments".lower(): GUEST_ASSIGNMENT}
    known[EXTENSION.lower()] = EXTENSION
    resource_id = f"{place.resource_group['id']}/providers/{path}"
    if kind not in known or not resource_id.lower().startswith(f"{machine['id']}/".lower()):
        return Problem("InvalidTemplate", f"This tenant deploys no {resource['type']} '{resource['name']}' here.")
    key = str(machine["id"]).lower()
    if not is_allowed(world, member.principal, known[kind], key, place):
        return _unauthorized(member, known[kind], resource_id)
    if known[kind] == EXTENSION:
        return _extension(world, key, resource_id, resource)
    if not is_registered(world.store, machine, GUEST_ASSIGNMENT):
        message = "The subscription is not registered to use namespace 'Microsoft.GuestConfiguration'."
        return Problem("MissingSubscriptionRegistration", message)
    configuration = _shared(world, resource["properties"]["guestConfiguration"])
    return new_assignment(machine, pairs[-1][1], configuration, policy_assignment=member.assignment["id"])


def _extension(world: World, key: str, resource_id: str, resource: Mapping[str, Any]) -> Problem | Resource:
    """An extension, which Azure refuses to install on a machine that does not run."""
    guest = world.guests.get(key)
    if guest is not None and not guest.running:
        return Problem("OperationNotAllowed", "Cannot modify extensions in the VM when the VM is not running.")
    return {
        "id": resource_id,
        "name": resource_id.rpartition("/")[2],
        "type": EXTENSION,
        "location": resource.get("location", ""),
        "properties": {
            **{name: value for name, value in resource["properties"].items() if name != "protectedSettings"},
            "provisioningState": "Succeeded",
        },
    }


def _shared(world: World, configuration: dict[str, Any]) -> dict[str, Any]:
    """The same object for every machine that gets the same configuration: a fleet is large."""
    known: dict[str, dict[str, Any]] = world.extra.setdefault("guest configurations", {})
    return known.setdefault(repr(configuration), configuration)


def _grants(role: Role, action: str) -> bool:
    return any(fnmatchcase(action, each.lower()) for each in role.actions) and not any(
        fnmatchcase(action, each.lower()) for each in role.not_actions
    )


def _unauthorized(member: Member, resource_type: str, target: str) -> Problem:
    message = (
        f"The client '{member.principal}' with object id '{member.principal}' does not have authorization to perform "
        f"action '{resource_type}/write' over scope '{target}' or the scope is invalid."
    )
    return Problem("AuthorizationFailed", message)


def _operate(machine: Resource, operation: Mapping[str, Any], value: Any) -> None:
    """Set, add or remove a field: a tag, or a path from the root such as identity.type."""
    field, kind = str(operation["field"]), str(operation["operation"]).lower()
    tag = field[4:].strip(".[]'") if field.lower().startswith("tags") else ""
    *path, name = ["tags", tag] if tag else field.split(".")
    if not path or path[0].lower() not in {"tags", "identity"} or kind not in {"addorreplace", "add", "remove"}:
        raise RuleError(f"modify operation {operation['operation']!r} on {field!r} is not known to this tenant")
    holder = machine
    for each in path:
        holder = holder.setdefault(each, {})
    if kind == "remove":
        holder.pop(name, None)
    elif kind == "addorreplace" or name not in holder:
        holder[name] = value


def _complete_identity(world: World, machine: Resource) -> None:
    """What Azure fills in when a machine gets its system-assigned identity."""
    identity = machine.get("identity") or {}
    kinds = {each.strip().lower() for each in str(identity.get("type", "")).split(",")}
    if "systemassigned" not in kinds:
        return
    identity["type"] = "SystemAssigned, UserAssigned" if "userassigned" in kinds else "SystemAssigned"
    identity.setdefault("principalId", world.new_id("principal", machine["id"]))
    identity.setdefault("tenantId", world.store.tenant_id)
