"""The fleet: reproducible, of every kind, and as its truth says, by the model of the guest."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections import Counter
from functools import cache

import pytest

from avma_pack.catalog import load_catalog
from avma_pack.guest import Failure, GuestPackage, Machine, WindowsActivationChannel, read_package
from avma_pack.packaging.build import build_packages
from avma_pack.tenant.fleet import exempt_machines, export_truth, seed_fleet
from avma_pack.tenant.fleet_profiles import PROFILES, Answer, quotas
from avma_pack.tenant.releases import EDITIONS
from avma_pack.tenant.store import Store
from avma_pack.tenant.windows import describe
from avma_pack.tenant.world import World

VM = "Microsoft.Compute/virtualMachines"


def seeded(machines: int, seed: int = 0) -> World:
    world = World(Store("t", "root"))
    seed_fleet(world, machines=machines, seed=seed)
    return world


@cache
def package(kind: str) -> GuestPackage:
    catalog = load_catalog()
    built = build_packages(catalog, catalog.select(()), version="1.0.0", suffix="")
    return read_package(next(each.content for each in built if each.type == kind))


def answer(resource: WindowsActivationChannel) -> Answer:
    compliant = resource.test()
    finding, *blockers = (code.rpartition(":")[2] for code, _ in resource.get())
    return Answer(compliant, finding, tuple(blockers))


KINDS = [
    pytest.param(profile, edition, id=f"{profile.name}-{edition.os}-{edition.sku}")
    for profile in PROFILES
    for edition in EDITIONS
    if profile.fits(edition)
]


@pytest.mark.parametrize(("profile", "edition"), KINDS)
def test_a_machine_answers_what_its_truth_says(profile, edition):
    machine = Machine(*describe(edition, profile.licensing))
    audited = answer(WindowsActivationChannel(package("Audit"), machine, {"ActivationPolicy": "NoAvma"}))
    assert audited == profile.audit
    parameters = {"ActivationPolicy": "AvmaReplaced"}
    if "CustomGuestConfigurationSetPolicy" not in profile.tags:
        for _ in range(2):  # once more changes nothing: an agent that corrects drift runs again and again
            resource = WindowsActivationChannel(package("AuditAndSet"), machine, parameters)
            if not resource.test():
                try:
                    resource.set()
                except Failure:
                    assert profile.remediation.compliant is False
            machine.clock.sleep(dt.timedelta(minutes=15).total_seconds())
            assert answer(resource) == profile.remediation
    else:
        assert answer(WindowsActivationChannel(package("AuditAndSet"), machine, parameters)) == profile.remediation


def test_editions_are_those_of_the_catalog():
    known = {
        (release.id, str(build), entry.sku, entry.edition_id, edition.avma_last_five or "", edition.kms_client_key[-5:])
        for release in load_catalog().releases
        for build in release.builds
        for edition in release.editions
        for entry in edition.skus
    }
    ours = {
        (each.os, each.build, each.sku, each.edition_id, each.avma_last_five, each.kms_last_five)
        for each in EDITIONS
        if each.os not in {"client", "multi-session"}
    }
    assert ours <= known
    assert {each[0] for each in ours} == {each[0] for each in known}


def test_the_same_seed_makes_the_same_fleet():
    one, two, other = seeded(300, seed=5), seeded(300, seed=5), seeded(300, seed=6)
    assert export_truth(one) == export_truth(two) != export_truth(other)
    assert one.store.all(VM) == two.store.all(VM)
    json.dumps(export_truth(one))


def test_a_fleet_of_the_demo_has_every_kind_and_every_release():
    world = seeded(200)
    assert len(world.guests) == len(world.store.all(VM)) == 200
    assert {each.profile.name for each in world.guests.values()} == {each.name for each in PROFILES}
    assert {each.edition.os for each in world.guests.values() if each.edition} == {each.os for each in EDITIONS}
    assert {each.origin for each in world.guests.values()} == {"marketplace", "migrated", "upgraded", "gallery"}


@pytest.mark.parametrize("machines", [0, 1, 7, 29, 30, 31, 1999])
def test_quotas_add_up(machines):
    counts = [count for _, count in quotas(machines, random.Random(0))]
    assert sum(counts) == machines
    assert min(counts) >= 0


@pytest.mark.parametrize("machines", [0, 1, 2, 40])
def test_small_fleets_can_be_seeded(machines):
    assert len(seeded(machines).guests) == machines


def test_machines_live_in_subscriptions_below_groups():
    world = seeded(1200)
    used = Counter(key.split("/")[2] for key in world.guests)
    assert set(used) == set(world.store.subscriptions)
    assert max(used.values()) <= 525
    landing = "/providers/Microsoft.Management/managementGroups/landing-zones"
    assert 0 < sum(1 for _ in world.store.below(VM, landing)) < 1200
    assert all(world.store.get(key.split("/providers/")[0]) for key in world.guests)


def test_virtual_machines_show_what_their_profile_says():
    world = seeded(400)
    for key, guest in world.guests.items():
        machine = world.store.all(VM)[key]
        truth = guest.truth
        kind = machine.get("identity", {}).get("type", "")
        assert ("SystemAssigned" in kind) is ("identity" not in truth.lacks)
        windows = machine["properties"]["storageProfile"]["osDisk"]["osType"] == "Windows"
        assert windows is (guest.edition is not None)
        assert ("osProfile" in machine["properties"]) is (guest.origin != "migrated")
        assert ("imageReference" in machine["properties"]["storageProfile"]) is (guest.origin != "migrated")
        extension = world.store.get(f"{key}/extensions/AzurePolicyfor{'Windows' if windows else 'Linux'}")
        assert (extension is not None) is guest.profile.extension
        assert guest.running is ("running" not in truth.lacks)


def test_a_machine_is_made_once_and_lazily():
    world = seeded(40)
    guest = next(each for each in world.guests.values() if each.edition)
    assert guest.machine is guest.machine
    linux = next(each for each in world.guests.values() if not each.edition)
    with pytest.raises(ValueError, match="no Windows"):
        _ = linux.machine


def test_exemptions_are_made_for_those_who_want_them():
    world = seeded(200)
    told: list[str] = []
    world.on_change.append(told.append)
    assignment = (
        "/providers/Microsoft.Management/managementGroups/root/providers/Microsoft.Authorization/policyAssignments/a"
    )
    made = exempt_machines(world, assignment)
    assert len(made) == sum(each.truth.exempt for each in world.guests.values()) > 0
    assert told == [each.lower() for each in made]
    for exemption in made:
        assert world.store.get(exemption)["properties"]["policyAssignmentId"] == assignment
