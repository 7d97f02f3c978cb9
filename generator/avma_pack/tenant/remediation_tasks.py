"""Remediation tasks as they go: machines that do not comply are taken, and deployed to some at a time.

https://learn.microsoft.com/azure/governance/policy/concepts/remediation-structure
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from avma_pack.tenant.clock import iso
from avma_pack.tenant.effects import NON_COMPLIANT
from avma_pack.tenant.engine import Engine

if TYPE_CHECKING:
    from avma_pack.tenant.members import MemberKey
    from avma_pack.tenant.store import Resource
    from avma_pack.tenant.world import World

DEPLOYMENT = dt.timedelta(minutes=1)
"""How long each batch of parallel deployments takes here."""

EVALUATION = dt.timedelta(minutes=5)
DEFAULT_COUNT = 500
DEFAULT_PARALLEL = 10

TERMINAL = frozenset({"Succeeded", "Failed", "Canceled"})


@dataclass(slots=True)
class Task:
    """A task as it goes: `queue` are the machines still to do, `deployments` those begun."""

    resource: Resource
    member: MemberKey
    queue: list[str] = field(default_factory=list)
    deployments: list[dict[str, Any]] = field(default_factory=list)
    total: int = 0
    failed: int = 0

    @property
    def properties(self) -> dict[str, Any]:
        """The properties of the resource."""
        found: dict[str, Any] = self.resource["properties"]
        return found

    @property
    def state(self) -> str:
        """The provisioning state."""
        return str(self.properties["provisioningState"])


def evaluate(world: World, task: Task) -> None:
    """Judge the machines anew, then take those that do not comply."""
    if task.state == "Evaluating":
        Engine.of(world).evaluate_assignment(task.member[0])
        discover(world, task)


def discover(world: World, task: Task) -> None:
    """Take the machines at the task's scope that are known not to comply, at most as many as it may."""
    engine = Engine.of(world)
    standing = engine.standing(task.member)
    scope = str(task.resource["id"]).lower().rpartition("/providers/microsoft.policyinsights/")[0]
    locations = {_location(each) for each in (task.properties.get("filters") or {}).get("locations") or ()}
    for key, state in standing.states.items() if standing else ():
        machine = world.store.get(key) or {}
        here = key == scope or scope in engine.places.of(key).scopes
        if state.state == NON_COMPLIANT and here and (not locations or _location(machine.get("location")) in locations):
            task.queue.append(key)
    del task.queue[int(task.properties.get("resourceCount", DEFAULT_COUNT)) :]
    task.total = len(task.queue)
    update(world, task, "Accepted")
    world.clock.after(DEPLOYMENT, lambda: _continue(world, task))


def _continue(world: World, task: Task) -> None:
    """Complete one batch of deployments, and go on or end."""
    if task.state in TERMINAL or task.state == "Cancelling":
        return
    parallel = int(task.properties.get("parallelDeployments", DEFAULT_PARALLEL))
    batch, task.queue = task.queue[:parallel], task.queue[parallel:]
    for key in batch:
        _deploy(world, task, key)
    threshold = float((task.properties.get("failureThreshold") or {}).get("percentage", 1.0))
    if task.total and (task.failed / task.total > threshold or task.failed == task.total):
        task.queue.clear()
        update(world, task, "Failed")
    elif task.queue:
        update(world, task, "InProgress")
        world.clock.after(DEPLOYMENT, lambda: _continue(world, task))
    else:
        update(world, task, "Succeeded")


def _deploy(world: World, task: Task, key: str) -> None:
    engine = Engine.of(world)
    standing, machine = engine.standing(task.member), world.store.get(key)
    now = world.clock.now
    deployment: dict[str, Any] = {
        "remediatedResourceId": machine["id"] if machine else key,
        "status": "Succeeded",
        "resourceLocation": (machine or {}).get("location", ""),
        "createdOn": iso(now - DEPLOYMENT),
        "lastUpdatedOn": iso(now),
    }
    if standing and standing.member.effect == "deployifnotexists":
        name = world.new_id("deployment", str(task.resource["id"]), key, task.properties["createdOn"])
        group = engine.places.of(key).resource_group["id"]
        deployment["deploymentId"] = f"{group}/providers/Microsoft.Resources/deployments/{name}"
    problem = engine.remediate(standing.member, key) if standing else None
    if problem or standing is None or machine is None:
        task.failed += 1
        gone = {"code": "ResourceNotFound", "message": f"What was to be remediated is gone: '{key}'."}
        deployment |= {"status": "Failed", "error": problem.to_json() if problem else gone}
    task.deployments.append(deployment)


def update(world: World, task: Task, state: str) -> None:
    """Write down how far the task is, as a new object: readers may still hold the old one."""
    done = len(task.deployments)
    task.resource = {
        **task.resource,
        "properties": {
            **task.properties,
            "provisioningState": state,
            "lastUpdatedOn": world.clock.text(),
            "deploymentStatus": {
                "totalDeployments": task.total,
                "successfulDeployments": done - task.failed,
                "failedDeployments": task.failed,
            },
        },
    }
    world.store.put(task.resource)


def _location(value: Any) -> str:
    return str(value or "").replace(" ", "").lower()
