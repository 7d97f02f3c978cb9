"""Times the embedded tenant: a fleet seeded and audited, and pages of Resource Graph without the wire: `make bench`.

The audit is the demonstration's: the pack is built, published and assigned over HTTPS, then a day passes, in which the
policies are evaluated, the guests of the machines that can report run their package, and what they say is evaluated.

A page counts as it comes to a client that reads all of them: the query's own work is spread over its pages, and the
encoding is part of it. The table of rows is made once for a tenant and is told apart.
"""

from __future__ import annotations

import datetime as dt
import gc
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean, median

import msgspec

from avma_pack import demo
from avma_pack.cloud.arm import Arm
from avma_pack.settings import Prerequisites, PrerequisitesMode, Settings
from avma_pack.tenant.arm import ArmRequest, parse_path
from avma_pack.tenant.engine import Engine
from avma_pack.tenant.fleet import seed_fleet
from avma_pack.tenant.resource_graph import resources
from avma_pack.tenant.store import Store
from avma_pack.tenant.world import World

MACHINES = 20_000
SEED_LIMIT_SECONDS = 15.0
AUDIT_LIMIT_SECONDS = 60.0
PAGE_LIMIT_MILLISECONDS = 5.0
RUNS = 5

PATH = "/providers/Microsoft.ResourceGraph/resources"
QUERIES = {
    "inventory": """
        resources
        | where type =~ 'microsoft.compute/virtualmachines'
        | project id, name, location, os = tostring(properties.storageProfile.osDisk.osType),
            identity = tostring(identity.type), power = tostring(properties.extended.instanceView.powerState.code)
        """,
    "whole rows": "resources | where type =~ 'microsoft.compute/virtualmachines'",
    "filtered, in order": """
        resources
        | where type =~ 'microsoft.compute/virtualmachines' and properties.storageProfile.osDisk.osType =~ 'windows'
        | project id, name, tags
        | order by id asc
        """,
}


def page(world: World, query: str, token: str | None) -> tuple[float, int, str | None]:
    """One page: milliseconds, rows, and the token of the next."""
    body = {"query": query, "options": {"$skipToken": token} if token else {}}
    request = ArmRequest("POST", PATH, parse_path(PATH), {"api-version": "2021-03-01"}, body, "bench", "https://bench")
    start = time.perf_counter()
    answered = resources(world, request).body
    msgspec.json.encode(answered)
    return (time.perf_counter() - start) * 1000, answered["count"], answered.get("$skipToken")


def read_all(world: World, query: str) -> list[float]:
    """The milliseconds of every page of a query that nobody asked before."""
    world.extra.pop("graph answers", None)
    times, token, rows = [], None, 0
    while token or not times:
        spent, count, token = page(world, query, token)
        times.append(spent)
        rows += count
    assert rows > MACHINES * 0.9, rows
    return times


def audit() -> float:
    """The seconds from no tenant to one whose machines have been audited."""
    start = time.perf_counter()
    own = Settings(prerequisites=Prerequisites(mode=PrerequisitesMode.OWN))
    with (
        tempfile.TemporaryDirectory() as folder,
        demo.start(MACHINES, 0) as tenant,
        Arm(tenant.url, demo.sign_in(tenant), certificate=str(tenant.certificate)) as arm,
    ):
        demo.roll_out(arm, tenant, Path(folder), own)
        tenant.pass_time(dt.timedelta(days=1))
        seconds = time.perf_counter() - start
        answers = demo.collect(arm, "AuditAvmaKey")
    reported = sum(answers.findings.values())
    assert reported > MACHINES / 10, reported
    return seconds


def main() -> int:
    start = time.perf_counter()
    world = World(Store("bench", "root"))
    seed_fleet(world, machines=MACHINES)
    seconds = time.perf_counter() - start
    missed = seconds >= SEED_LIMIT_SECONDS
    print(f"seeding {MACHINES:,} machines: {seconds:.2f} s, limit {SEED_LIMIT_SECONDS:.0f}: {verdict(missed)}")
    seconds = audit()
    slow = seconds >= AUDIT_LIMIT_SECONDS
    missed |= slow
    print(
        f"seeding and auditing {MACHINES:,} machines: {seconds:.1f} s, limit {AUDIT_LIMIT_SECONDS:.0f}: {verdict(slow)}"
    )
    gc.collect()  # the audited tenant, whose end would fall into a page
    Engine(world)
    table, _, _ = page(world, "resources | take 1", None)
    print(f"the table of rows, once: {table:.0f} ms")
    for name, query in QUERIES.items():
        runs = [read_all(world, query) for _ in range(RUNS)]
        best = min(runs, key=mean)
        slow = mean(best) >= PAGE_LIMIT_MILLISECONDS
        missed |= slow
        print(
            f"page of 1,000 rows, {name}: {mean(best):.2f} ms (first {best[0]:.1f}, median {median(best):.2f}, "
            f"worst run {max(map(mean, runs)):.2f}), limit {PAGE_LIMIT_MILLISECONDS:.0f}: {verdict(slow)}"
        )
    return int(missed)


def verdict(missed: bool) -> str:
    return "TOO SLOW" if missed else "ok"


if __name__ == "__main__":
    sys.exit(main())
